//! Tokens in the shape of a provider's.

use serde_json::json;
use tower_session_token::testing::TestToken;
use uuid::Uuid;

use super::tokens::AUDIENCE;

/// The provider whose access tokens a token resembles.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// None: a plain object of short texts.
    Plain,
    Keycloak,
    Entra,
    Auth0,
}

#[allow(dead_code, reason = "benchmarks use some of them")]
impl Shape {
    pub const PROVIDERS: [Self; 3] = [Self::Keycloak, Self::Entra, Self::Auth0];

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Keycloak => "Keycloak",
            Self::Entra => "Entra",
            Self::Auth0 => "Auth0",
        }
    }

    /// Adds the claims that the provider writes beside those of the token.
    pub(crate) fn add_to(self, token: TestToken) -> TestToken {
        match self {
            Self::Plain => token,
            Self::Keycloak => token
                .with("aud", [AUDIENCE, "account"])
                .with("typ", "Bearer")
                .with("azp", "web-shop")
                .with("acr", "1")
                .with("allowed-origins", ["https://shop.example.com"])
                .with(
                    "realm_access",
                    json!({ "roles": ["default-roles-shop", "offline_access", "uma_authorization"] }),
                )
                .with(
                    "resource_access",
                    json!({
                        "orders": { "roles": ["reader", "writer"] },
                        "account": { "roles": ["manage-account", "manage-account-links", "view-profile"] },
                    }),
                )
                .with("scope", "openid email profile")
                .with("email_verified", true)
                .with("preferred_username", "ivan")
                .with("email", "ivan@example.com"),
            Self::Entra => token
                .with("aio", "AXQAi/8TAAAAKLz6Xc3Vb8yGxR4mJH0tP2nQwEoUsYdFhTkBrLgC1aNvM5iW")
                .with("amr", ["pwd", "mfa"])
                .with("groups", [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()])
                .with("idtyp", "user")
                .with("ipaddr", "192.0.2.7")
                .with("oid", Uuid::new_v4())
                .with("rh", "0.AXkAmPq3T2xvbk6sJhYw0RzLdU1x")
                .with("roles", ["Orders.Read", "Orders.Write"])
                .with("scp", "Orders.Read User.Read")
                .with("tid", Uuid::new_v4())
                .with("unique_name", "EXAMPLE\\ivan")
                .with("uti", "7xqWnBvKk0mJ2dLrT9yZAA")
                .with("ver", "2.0"),
            Self::Auth0 => token
                .with("aud", [AUDIENCE, "https://example.eu.auth0.com/userinfo"])
                .with("azp", "Zx81kQvT0bRnYw5LhCm3")
                .with("scope", "openid profile email orders:read orders:write")
                .with("permissions", ["orders:read", "orders:write"])
                .with("https://example.com/roles", ["buyer", "clerk"])
                .with(
                    "https://example.com/address",
                    json!({ "street": "12 \"Old\" Road\nFlat 3", "city": "Bristol" }),
                ),
        }
    }
}
