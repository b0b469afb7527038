//! The claims of one token, immutable: verified, or built here to be signed.

use std::{fmt, sync::OnceLock};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor},
};
use uuid::Uuid;

use super::payload::Payload;
use crate::{
    client::{self, ClientHints, ClientKind, Culture},
    error::{SessionError, TokenError, TokenErrorKind},
    identity::{AccessLevel, Actor, ApplicationId, Members, SessionId, TokenId, User},
    json::Span,
    jws::TokenType,
    time::NumericDate,
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
    /// Built at the first access.
    members: OnceLock<Members>,
}

impl SessionToken {
    /// A token whose claims are not validated yet.
    pub(super) fn new(token_type: TokenType, payload: Payload) -> Self {
        Self {
            token_type,
            client_kind: ClientKind::Other,
            access_level: AccessLevel::Regular,
            payload,
            members: OnceLock::new(),
        }
    }

    pub(super) fn set(&mut self, access_level: AccessLevel, client_kind: ClientKind) {
        self.access_level = access_level;
        self.client_kind = client_kind;
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.payload
    }

    pub(crate) fn members(&self) -> &Members {
        self.members.get_or_init(|| self.read_members())
    }

    fn read_members(&self) -> Members {
        let (claims, get) = (&self.payload.claims, |claim| self.payload.get(claim));
        let id = self.subject();
        let mut user = User::new(id).with_access_level(self.access_level);
        if let Some(name) = get(claims.name) {
            user = user.with_name(name);
        }
        if let Some(login) = get(claims.preferred_username) {
            user = user.with_login(login);
        }
        Members {
            id: self.session_id(),
            user,
            application_id: self.application().map(ApplicationId::from),
            token_id: get(claims.jti).map(TokenId::from),
        }
    }

    /// `sid`, else `jti`; a `JWT` that has neither gets a UUIDv5 of `iss`, `sub`, `iat` and `exp`
    /// (RFC 9562 §5.5), so that equal tokens are one session.
    fn session_id(&self) -> SessionId {
        let (claims, get) = (&self.payload.claims, |claim| self.payload.get(claim));
        if let Some(id) = get(claims.sid.or(claims.jti)) {
            return id.into();
        }
        let seconds = |date: Option<NumericDate>| {
            date.map_or_else(String::new, |date| date.seconds().to_string())
        };
        let name = [
            get(claims.iss).unwrap_or_default(),
            self.subject(),
            &seconds(claims.iat),
            &seconds(claims.exp),
        ]
        .join("\n");
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
    }

    /// `client_id`; a `JWT` may name the application in `azp` instead.
    pub(crate) fn application(&self) -> Option<&str> {
        let claims = &self.payload.claims;
        let azp = claims.azp.filter(|_| self.token_type == TokenType::Jwt);
        self.payload.get(claims.client_id.or(azp))
    }

    /// The client's cultures, offset and zone by the token's claims.
    ///
    /// An ill-formed value is an error in a token of this profile's types, and counts as absent in
    /// another issuer's. A zone that the database lacks counts as absent in both, since databases
    /// age.
    pub(crate) fn client_hints(&self) -> Result<ClientHints, SessionError> {
        let claims = &self.payload.claims;
        let is_ours = self.token_type.is_ours();
        let get = |claim| self.payload.get(claim);
        let culture = |claim, name| match get(claim) {
            Some(tag) if is_ours => tag.parse().map(Some).or(Err(SessionError::claim(name))),
            tag => Ok(tag.and_then(Culture::parse_lenient)),
        };
        Ok(ClientHints {
            utc_offset: match claims.utc_offset.map(client::offset_from_minutes) {
                Some(None) if is_ours => return Err(SessionError::claim("utc_offset")),
                offset => offset.flatten(),
            },
            time_zone: match get(claims.zoneinfo) {
                Some(name) if is_ours && !client::is_zone_name(name) => {
                    return Err(SessionError::claim("zoneinfo"));
                }
                name => name.and_then(|name| name.parse().ok()),
            },
            culture: culture(claims.locale, "locale")?,
            ui_culture: culture(claims.ui_locale, "ui_locale")?,
        })
    }

    pub(crate) fn client_kind(&self) -> ClientKind {
        self.client_kind
    }

    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.payload.claims.act.as_deref()
    }

    /// An upper bound of the heap memory in bytes. It assumes that members, cultures and actors hold
    /// a copy of each string of the payload.
    pub(crate) fn heap_bytes(&self) -> usize {
        /// Reference counts in front of a string, and unused capacity behind it.
        const AROUND: usize = 3 * size_of::<usize>();
        /// Four identifiers, name, login and two cultures.
        const TEXTS: usize = 8;
        const OF_ACTOR: usize = size_of::<Actor>() + 3 * AROUND;

        let claims = &self.payload.claims;
        let actors = self.actor().into_iter().flat_map(Actor::chain).count();
        // Without `sid`, `jti` is the ID of both token and session.
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

    /// The instant that a revocation "before an instant" is compared with.
    ///
    /// It is the earlier of `auth_time` and `iat` in a token of this profile's types, which may be
    /// a renewed or nested one. Another issuer may give a new token, and with it a new session, for
    /// an old authentication, so that `iat` alone counts.
    pub(crate) fn began_at(&self) -> Option<NumericDate> {
        let claims = &self.payload.claims;
        let authenticated_at = claims.auth_time.filter(|_| self.token_type.is_ours());
        claims.iat.min(authenticated_at.or(claims.iat))
    }

    /// When an actor's session began, as far as that is known; not by another issuer's word, as
    /// above.
    pub(crate) fn actor_began_at(&self, actor: &Actor) -> Option<NumericDate> {
        actor.authenticated_at.filter(|_| self.token_type.is_ours())
    }

    #[expect(clippy::expect_used, reason = "every token type requires `sub`")]
    fn subject(&self) -> &str {
        let sub = self.payload.get(self.payload.claims.sub);
        sub.expect("`ClaimRules` requires `sub`")
    }

    #[expect(clippy::expect_used, reason = "every token type requires `exp`")]
    fn expiry(&self) -> NumericDate {
        self.payload
            .claims
            .exp
            .expect("`ClaimRules` requires `exp`")
    }

    /// The JSON of the claims set, byte for byte as in the signing input.
    pub(crate) fn json(&self) -> &str {
        self.payload.json()
    }

    /// The type of the token: the JOSE header's `typ` (RFC 7515 §4.1.9).
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.token_type
    }

    /// The token's ID: the claim `jti` (RFC 7519 §4.1.7). A token of type `JWT` may lack it.
    #[must_use]
    pub fn id(&self) -> Option<&TokenId> {
        self.members().token_id.as_ref()
    }

    /// The issuer of the token: the claim `iss` (RFC 7519 §4.1.1). It is absent only where the
    /// verifier accepts [any issuer](crate::SessionVerifierBuilder::any_issuer).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.payload.get(self.payload.claims.iss)
    }

    /// The services that the token is for: the claim `aud` (RFC 7519 §4.1.3).
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.payload.list(&self.payload.claims.aud)
    }

    /// The instant when the token was issued: the claim `iat` (RFC 7519 §4.1.6). A token of type
    /// `JWT` may lack it.
    #[must_use]
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.payload.claims.iat.map(NumericDate::to_date_time)
    }

    /// The instant when the user authenticated: the claim `auth_time` (OpenID Connect Core §2). A
    /// nested token inherits its parent's.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<DateTime<Utc>> {
        self.payload.claims.auth_time.map(NumericDate::to_date_time)
    }

    /// The instant from which on the token is valid: the claim `nbf` (RFC 7519 §4.1.5).
    #[must_use]
    pub fn not_before(&self) -> Option<DateTime<Utc>> {
        self.payload.claims.nbf.map(NumericDate::to_date_time)
    }

    /// The instant from which on the token is expired: the claim `exp` (RFC 7519 §4.1.4). A verifier
    /// adds its [leeway](crate::SessionVerifierBuilder::leeway).
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expiry().to_date_time()
    }

    /// The scope tokens of the claim `scope` (RFC 8693 §4.2), in its order.
    pub fn scope(&self) -> impl Iterator<Item = &str> {
        let words = self.payload.list(&self.payload.claims.scope);
        let words = words.flat_map(|words| words.split(' '));
        words.filter(|word| !word.is_empty())
    }

    /// The roles of the user: the claim `roles` (RFC 9068 §2.2.3.1), in its order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.payload.list(&self.payload.claims.roles)
    }

    pub(crate) fn server_code(&self) -> Option<&str> {
        self.payload.get(self.payload.claims.server)
    }

    pub(crate) fn instance_name(&self) -> Option<&str> {
        self.payload.get(self.payload.claims.instance)
    }

    /// Whether [`scope`](Self::scope) contains this scope token, compared exactly (RFC 6749 §3.3).
    #[must_use]
    pub fn has_scope(&self, word: &str) -> bool {
        self.scope().any(|own| own == word)
    }

    /// Deserializes one claim by its name, whether the profile defines it or not; `None` where it
    /// is absent.
    ///
    /// Each call parses the token's JSON. A claim that is `null` is an error unless `T` is an
    /// `Option`.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claim is not a `T`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .claim("tenant", "north")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(token.claim::<String>("tenant")?.as_deref(), Some("north"));
    /// assert_eq!(token.claim::<String>("sub")?.as_deref(), Some("ann"));
    /// assert_eq!(token.claim::<String>("absent")?, None);
    /// assert!(token.claim::<u64>("tenant").is_err());
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
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

    /// Deserializes all claims: the whole claims set (RFC 7519 §4) as a struct or map of your own.
    ///
    /// Each call parses the token's JSON. A `T` may borrow strings that have no escapes.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claims are not a `T`.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde::Deserialize;
    /// use std::time::Duration;
    /// use tower_session_token::{SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .claim("tenant", "north")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    ///
    /// #[derive(Deserialize)]
    /// struct Claims<'a> {
    ///     sub: &'a str,
    ///     tenant: &'a str,
    /// }
    ///
    /// let claims: Claims<'_> = token.claims()?;
    /// assert_eq!((claims.sub, claims.tenant), ("ann", "north"));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn claims<'a, T: Deserialize<'a>>(&'a self) -> Result<T, TokenError> {
        serde_json::from_str(self.json()).map_err(|_| mistyped())
    }
}

#[cfg(feature = "jsonwebtoken")]
impl SessionToken {
    /// The claims as jsonwebtoken's [`TokenData`](jsonwebtoken::TokenData), for code that takes one.
    ///
    /// A token does not keep its JOSE header. Of `header`, `typ` is the
    /// [type](Self::token_type); `alg` is `HS256`, jsonwebtoken's default, whatever the algorithm
    /// was, and `kid` and the other parameters are `None`.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claims are not a `T`.
    ///
    /// # Security
    ///
    /// Decide nothing by `header.alg` or `header.kid`: the verifier has matched both with its key
    /// already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use jsonwebtoken::TokenData;
    /// use serde::Deserialize;
    /// use tower_session_token::{SessionToken, User};
    ///
    /// #[derive(Deserialize)]
    /// struct Claims {
    ///     sub: String,
    ///     exp: u64,
    /// }
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// let data: TokenData<Claims> = token.token_data()?;
    /// assert_eq!(data.claims.sub, "ann");
    /// assert_eq!(data.claims.exp, token.expires_at().timestamp().unsigned_abs());
    /// assert_eq!(data.header.typ.as_deref(), Some("session+jwt"));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn token_data<T: DeserializeOwned>(
        &self,
    ) -> Result<jsonwebtoken::TokenData<T>, TokenError> {
        let header = jsonwebtoken::Header {
            typ: Some(self.token_type.as_str().to_owned()),
            ..jsonwebtoken::Header::default()
        };
        let claims = self.claims()?;
        Ok(jsonwebtoken::TokenData { header, claims })
    }
}

fn mistyped() -> TokenError {
    TokenError::new(
        TokenErrorKind::ClaimInvalid,
        "it is not of the requested type",
    )
}

/// Shows the type and the instants: every other claim is the user's.
impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionToken")
            .field("token_type", &self.token_type())
            .field("issued_at", &self.issued_at())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "jsonwebtoken")]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use serde_json::Value;

    use super::*;

    fn token(token_type: TokenType) -> SessionToken {
        SessionToken::builder(User::new("ann"))
            .token_type(token_type)
            .issuer("https://id.example.com")
            .audience("orders")
            .application_id("web-shop")
            .claim("tenant", "north")
            .lifetime(Duration::from_secs(600))
            .build()
            .unwrap()
    }

    #[test]
    fn token_data_has_the_type_and_all_claims() {
        for token_type in [TokenType::Session, TokenType::AccessToken, TokenType::Jwt] {
            let token = token(token_type);
            let data = token.token_data::<HashMap<String, Value>>().unwrap();
            assert_eq!(data.header.typ.as_deref(), Some(token_type.as_str()));
            assert_eq!(data.header.kid, None);
            assert_eq!(data.claims, token.claims().unwrap());
            assert_eq!(data.claims["tenant"], "north");
        }
    }

    #[test]
    fn token_data_of_another_type_is_an_error() {
        let error = token(TokenType::Session)
            .token_data::<Vec<u8>>()
            .unwrap_err();
        assert_eq!(error.kind(), TokenErrorKind::ClaimInvalid);
    }
}
