//! The claims of one token, immutable: verified, or built here to be signed.

use std::{fmt, sync::OnceLock};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor},
};

use super::{
    SessionTokenBuilder, TokenType,
    form::{self, Checked},
    time::NumericDate,
    wire::{claims::Payload, text::Span},
};
use crate::{
    client::{ClientHints, ClientKind},
    error::{TokenError, TokenErrorKind},
    session::{AccessLevel, Actor, Members, TokenId, User},
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
    token_type: TokenType,
    client_kind: ClientKind,
    access_level: AccessLevel,
    payload: Payload,
    /// Read when they are asked for.
    members: OnceLock<Members>,
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

    #[inline]
    pub(super) fn new(checked: &Checked, payload: Payload) -> Self {
        Self {
            token_type: checked.token_type,
            client_kind: checked.client_kind,
            access_level: checked.access_level,
            payload,
            members: OnceLock::new(),
        }
    }

    pub(crate) fn members(&self) -> &Members {
        self.members
            .get_or_init(|| form::members(self.token_type, self.access_level, &self.payload))
    }

    pub(crate) fn client_kind(&self) -> ClientKind {
        self.client_kind
    }

    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.payload.claims.act.as_deref()
    }

    /// What the token says of the client's culture, offset and zone.
    pub(crate) fn client(&self) -> ClientHints {
        // It was read once when the token was checked, and can be read again.
        form::client(self.token_type, &self.payload).unwrap_or_default()
    }

    /// Generously counted: as if members, cultures and actors held each text of the payload once
    /// more, on its own.
    pub(crate) fn heap_bytes(&self) -> usize {
        /// The counts in front of a text, and what is left over behind it.
        const AROUND: usize = 3 * size_of::<usize>();
        /// Four identifiers, name, login and two cultures.
        const TEXTS: usize = 8;
        const OF_ACTOR: usize = size_of::<Actor>() + 3 * AROUND;

        let claims = &self.payload.claims;
        let actors = self.actor().into_iter().flat_map(Actor::chain).count();
        // `jti` is two identifiers then.
        let again = claims.jti.filter(|_| claims.sid.is_none());
        let payload = self.payload.heap_bytes();
        let parts = [
            payload,
            payload,
            again.map_or(0, Span::len),
            TEXTS * AROUND,
            actors.saturating_mul(OF_ACTOR),
        ];
        parts.iter().sum()
    }

    pub(super) fn issued_at_date(&self) -> Option<NumericDate> {
        self.payload.claims.iat
    }

    /// The payload as it was signed, or is to be.
    pub(super) fn json(&self) -> &str {
        self.payload.json()
    }

    /// The type that the JOSE header's `typ` named.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.token_type
    }

    /// Identifies the token: the claim `jti` (RFC 7519 §4.1.7). A `JWT` may lack it.
    #[must_use]
    pub fn id(&self) -> Option<&TokenId> {
        self.members().token_id.as_ref()
    }

    /// Who issued the token: the claim `iss` (RFC 7519 §4.1.1). It can be absent only where
    /// the service takes any issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.payload.get(self.payload.claims.iss)
    }

    /// The services that the token is for: the claim `aud` (RFC 7519 §4.1.3).
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.payload.audience()
    }

    /// When the token was issued: the claim `iat` (RFC 7519 §4.1.6). A `JWT` may lack it.
    #[must_use]
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.payload.claims.iat.map(NumericDate::to_date_time)
    }

    /// When the token begins to be valid: the claim `nbf` (RFC 7519 §4.1.5).
    #[must_use]
    pub fn not_before(&self) -> Option<DateTime<Utc>> {
        self.payload.claims.nbf.map(NumericDate::to_date_time)
    }

    /// When the token stops being valid: the claim `exp` (RFC 7519 §4.1.4). A service may allow
    /// some leeway after it.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        // No token is made without it.
        let expires_at = self.payload.claims.exp.unwrap_or_default();
        expires_at.to_date_time()
    }

    /// What the token allows: the words of the claim `scope` (RFC 8693 §4.2), in its order.
    pub fn scope(&self) -> impl Iterator<Item = &str> {
        self.payload
            .get(self.payload.claims.scope)
            .unwrap_or_default()
            .split(' ')
            .filter(|word| !word.is_empty())
    }

    pub(crate) fn server_code(&self) -> Option<&str> {
        self.payload.get(self.payload.claims.server)
    }

    pub(crate) fn instance_name(&self) -> Option<&str> {
        self.payload.get(self.payload.claims.instance)
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
    /// [`TokenError`] if the claim is not a `T`.
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

        serde_json::Deserializer::from_str(self.json())
            .deserialize_map(Claim(name, std::marker::PhantomData))
            .map_err(|_| mistyped())
    }

    /// All claims together.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claims are not a `T`.
    pub fn claims<'a, T: Deserialize<'a>>(&'a self) -> Result<T, TokenError> {
        serde_json::from_str(self.json()).map_err(|_| mistyped())
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
