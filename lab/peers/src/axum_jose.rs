//! axum-jose, with a JWK set that is given and not fetched.
//!
//! It compares `iss` with a parsed URL as the `url` crate prints it, with a slash behind the host, so it gets tokens
//! of that issuer. It does not check `nbf`.

use axum::http::Extensions;
use axum_jose::{AuthorizationLayer, authorization};
use tower_session_token::Algorithm;

use crate::{Claims, jwk_set, tokens::AUDIENCE, use_aws_lc};

/// The issuer, as axum-jose compares it.
pub const ISSUER: &str = "https://id.example.com/";

pub fn layer(algorithm: Algorithm) -> AuthorizationLayer {
    use_aws_lc();
    AuthorizationLayer::with_local_jwk_set(
        serde_json::from_str(&jwk_set(algorithm)).expect("a JWK set"),
        ISSUER.parse().expect("a URL"),
        AUDIENCE.to_owned(),
    )
}

/// The layer leaves the claims as JSON values; reading them into a type comes on top.
pub fn name(extensions: &Extensions) -> Option<String> {
    let authorization::Claims(claims) = extensions.get()?;
    let claims: Claims = serde_json::from_value(claims.clone()).ok()?;
    Some(claims.name)
}
