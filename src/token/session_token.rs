//! The claims of one token, immutable: verified, or built here to be signed.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor},
};

use super::{
    SessionTokenBuilder, TokenType,
    time::NumericDate,
    wire::text::{Audience, PayloadText, Span},
};
use crate::{
    client::Offer,
    error::{TokenError, TokenErrorKind},
    session::{Members, TokenId, User},
};

/// The claims of a token: verified by a [`SessionVerifier`](crate::SessionVerifier), or built
/// here to be signed by a [`SessionIssuer`](crate::SessionIssuer).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{ApplicationId, SessionToken, User};
///
/// let token = SessionToken::builder(User::new("ann"))
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .application_id(ApplicationId::from("web-shop"))
///     .lifetime(Duration::from_secs(600))
///     .claim("tenant", "north")
///     .build()?;
///
/// assert_eq!(token.issuer(), Some("https://id.example.com"));
/// assert_eq!(token.claim::<String>("tenant")?.as_deref(), Some("north"));
/// assert_eq!(token.claim::<String>("absent")?, None);
/// # Ok::<(), tower_session_token::TokenError>(())
/// ```
#[derive(Clone)]
pub struct SessionToken {
    members: Members,
    client: Offer,
    claims: TokenClaims,
    text: PayloadText,
}

/// The claims that are about the token and not about the session.
#[derive(Clone)]
pub(super) struct TokenClaims {
    pub(super) token_type: TokenType,
    pub(super) id: Option<TokenId>,
    pub(super) issuer: Option<Span>,
    pub(super) audience: Audience,
    pub(super) scope: Option<Span>,
    pub(super) server_code: Option<Span>,
    pub(super) instance_name: Option<Span>,
    pub(super) issued_at: Option<NumericDate>,
    pub(super) not_before: Option<NumericDate>,
    pub(super) expires_at: NumericDate,
}

impl SessionToken {
    /// Begins a token for `user`, of the type [`TokenType::Session`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the user is usually made for it"
    )]
    pub fn builder(user: User) -> SessionTokenBuilder {
        SessionTokenBuilder::new(&user)
    }

    pub(super) fn new(
        members: Members,
        client: Offer,
        claims: TokenClaims,
        text: PayloadText,
    ) -> Self {
        Self {
            members,
            client,
            claims,
            text,
        }
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// What the token says of the client's culture, offset and zone.
    pub(crate) fn client(&self) -> &Offer {
        &self.client
    }

    pub(super) fn claims_ref(&self) -> &TokenClaims {
        &self.claims
    }

    /// Generously counted: as if the members had each text on the heap again.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.text.heap_bytes() * 2 + self.claims.audience.heap_bytes()
    }

    /// The payload as it was signed, or is to be.
    pub(super) fn payload(&self) -> &str {
        self.text.json()
    }

    /// The type that the JOSE header's `typ` named.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.claims.token_type
    }

    /// Identifies the token: the claim `jti` (RFC 7519 §4.1.7). A `JWT` may lack it.
    #[must_use]
    pub fn id(&self) -> Option<&TokenId> {
        self.claims.id.as_ref()
    }

    /// Who issued the token: the claim `iss` (RFC 7519 §4.1.1). It is absent at most where the
    /// service takes any issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.issuer.map(|span| self.text.get(span))
    }

    /// The services that the token is for: the claim `aud` (RFC 7519 §4.1.3).
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let spans = self.claims.audience.spans();
        spans.map(|span| self.text.get(span))
    }

    /// When the token was issued: the claim `iat` (RFC 7519 §4.1.6). A `JWT` may lack it.
    #[must_use]
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.claims.issued_at.map(NumericDate::to_date_time)
    }

    /// When the token begins to be valid: the claim `nbf` (RFC 7519 §4.1.5).
    #[must_use]
    pub fn not_before(&self) -> Option<DateTime<Utc>> {
        self.claims.not_before.map(NumericDate::to_date_time)
    }

    /// When the token stops being valid: the claim `exp` (RFC 7519 §4.1.4). A service may allow
    /// some leeway after it.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.claims.expires_at.to_date_time()
    }

    /// What the token allows: the words of the claim `scope` (RFC 8693 §4.2), in its order.
    pub fn scope(&self) -> impl Iterator<Item = &str> {
        self.claims
            .scope
            .map(|span| self.text.get(span))
            .unwrap_or_default()
            .split(' ')
            .filter(|word| !word.is_empty())
    }

    pub(crate) fn server_code(&self) -> Option<&str> {
        self.claims.server_code.map(|span| self.text.get(span))
    }

    pub(crate) fn instance_name(&self) -> Option<&str> {
        self.claims.instance_name.map(|span| self.text.get(span))
    }

    /// Whether [`scope`](Self::scope) holds this word, compared exactly (RFC 6749 §3.3).
    #[must_use]
    pub fn has_scope(&self, word: &str) -> bool {
        self.scope().any(|it| it == word)
    }

    /// One claim by its name, whether the profile knows it or not; `None` where it is absent.
    ///
    /// It is read from the token's JSON at each call.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claim is no `T`.
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TokenError> {
        struct Claim<'n, T>(&'n str, std::marker::PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for Claim<'_, T> {
            type Value = Option<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a claims set")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = None;
                while let Some(name) = map.next_key::<String>()? {
                    if name == self.0 {
                        found = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(found)
            }
        }

        serde_json::Deserializer::from_str(self.payload())
            .deserialize_map(Claim(name, std::marker::PhantomData))
            .map_err(|_| mistyped())
    }

    /// All claims together.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claims are no `T`.
    pub fn claims<'a, T: Deserialize<'a>>(&'a self) -> Result<T, TokenError> {
        serde_json::from_str(self.payload()).map_err(|_| mistyped())
    }
}

fn mistyped() -> TokenError {
    TokenError::new(
        TokenErrorKind::ClaimInvalid,
        "it is not of the type that was asked for",
    )
}

/// Shows the type and the moments: every other claim is the user's.
impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionToken")
            .field("token_type", &self.token_type())
            .field("issued_at", &self.issued_at())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
