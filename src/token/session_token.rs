//! The claims of one token, immutable: verified, or built here to be signed.

use std::{fmt, marker::PhantomData, str::FromStr, sync::OnceLock};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor},
};
use uuid::Uuid;

use super::{
    claim_names::ClaimNames,
    claims::{Claim, Claims, Strings},
    claims_reader::read_claims,
};
use crate::{
    client::{self, ClientHints, ClientKind, Culture},
    debug::partial_debug,
    error::{SessionError, TokenError, TokenErrorKind},
    identity::{AccessLevel, Actor, ApplicationId, Members, SessionId, TokenId, User},
    json::Span,
    jws::TokenType,
    limits::Limits,
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
    pub(super) client_kind: ClientKind,
    pub(super) access_level: AccessLevel,
    pub(crate) claims: Claims,
    /// The claims set, which the spans of the claims refer to; empty in a session without a token.
    json: String,
    /// The decoded strings that are written with escapes in the JSON.
    unescaped: String,
    /// Built at the first access.
    members: OnceLock<Members>,
}

impl SessionToken {
    /// A token without JSON and claims.
    pub(crate) const fn empty() -> Self {
        Self {
            token_type: TokenType::Session,
            client_kind: ClientKind::Other,
            access_level: AccessLevel::Regular,
            claims: Claims::none(),
            json: String::new(),
            unescaped: String::new(),
            members: OnceLock::new(),
        }
    }

    /// The identity of a session that has no token.
    pub(crate) fn of_members(members: Members) -> Self {
        Self {
            members: members.into(),
            ..Self::empty()
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.json.is_empty()
    }

    /// Reads the claims of the JSON, which are not validated yet.
    pub(super) fn read(
        &mut self,
        token_type: TokenType,
        json: String,
        names: &ClaimNames,
        limits: &Limits,
    ) -> Result<(), SessionError> {
        let others = Some(names).filter(|_| !token_type.is_ours());
        (self.token_type, self.json) = (token_type, json);
        self.unescaped = read_claims(&self.json, &mut self.claims, others, limits)?;
        Ok(())
    }

    /// A string claim.
    #[inline]
    pub(crate) fn text(&self, claim: Claim) -> Option<&str> {
        Some(self.resolve(self.claims.text(claim)?))
    }

    #[inline]
    fn resolve(&self, span: Span) -> &str {
        span.of(&self.json, &self.unescaped)
    }

    /// The strings of a claim that is a list.
    pub(crate) fn texts<'t>(&'t self, claim: &'t Option<Strings>) -> impl Iterator<Item = &'t str> {
        let spans = claim.iter().flat_map(Strings::spans);
        spans.map(|span| self.resolve(*span))
    }

    /// Parses a claim exactly.
    pub(super) fn parse<T: FromStr>(&self, claim: Claim) -> Result<Option<T>, SessionError> {
        let value = self.text(claim).map(str::parse).transpose();
        value.map_err(|_| SessionError::claim(claim.as_str()))
    }

    pub(crate) fn members(&self) -> &Members {
        self.members.get_or_init(|| self.read_members())
    }

    fn read_members(&self) -> Members {
        let mut user = User::new(self.subject()).with_access_level(self.access_level);
        if let Some(name) = self.text(Claim::name) {
            user = user.with_name(name);
        }
        if let Some(login) = self.text(Claim::preferred_username) {
            user = user.with_login(login);
        }
        Members {
            id: self.session_id(),
            user,
            application_id: self.application().map(ApplicationId::from),
            token_id: self.text(Claim::jti).map(TokenId::from),
        }
    }

    /// `sid`, else `jti`; a `JWT` that has neither gets a UUIDv5 of `iss`, `sub`, `iat` and `exp`
    /// (RFC 9562 §5.5), so that equal tokens are one session.
    fn session_id(&self) -> SessionId {
        let claims = &self.claims;
        if let Some(id) = self.text(Claim::sid).or_else(|| self.text(Claim::jti)) {
            return id.into();
        }
        let seconds = |date: Option<NumericDate>| {
            date.map_or_else(String::new, |date| date.seconds().to_string())
        };
        let name = [
            self.issuer().unwrap_or_default(),
            self.subject(),
            &seconds(claims.iat),
            &seconds(claims.exp),
        ]
        .join("\n");
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
    }

    /// `client_id`; a `JWT` may name the application in `azp` instead.
    pub(crate) fn application(&self) -> Option<&str> {
        let azp = || {
            self.text(Claim::azp)
                .filter(|_| self.token_type == TokenType::Jwt)
        };
        self.text(Claim::client_id).or_else(azp)
    }

    /// The client's cultures, offset and zone by the token's claims.
    ///
    /// An ill-formed value is an error in a token of this profile's types, and counts as absent in
    /// another issuer's. A zone that the database lacks counts as absent in both, since databases
    /// age.
    pub(crate) fn client_hints(&self) -> Result<ClientHints, SessionError> {
        let claims = &self.claims;
        let is_ours = self.token_type.is_ours();
        let culture = |claim| {
            if is_ours {
                return self.parse(claim);
            }
            Ok(self.text(claim).and_then(Culture::parse_lenient))
        };
        let utc_offset = claims.utc_offset.map(client::offset_from_minutes);
        if is_ours && utc_offset == Some(None) {
            return Err(SessionError::claim("utc_offset"));
        }
        let zone = self.text(Claim::zoneinfo);
        if is_ours && !zone.is_none_or(client::is_zone_name) {
            return Err(SessionError::claim("zoneinfo"));
        }
        Ok(ClientHints {
            utc_offset: utc_offset.flatten(),
            time_zone: zone.and_then(|name| name.parse().ok()),
            culture: culture(Claim::locale)?,
            ui_culture: culture(Claim::ui_locale)?,
        })
    }

    pub(crate) fn client_kind(&self) -> ClientKind {
        self.client_kind
    }

    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.claims.act.as_deref()
    }

    /// An upper bound of the heap memory in bytes. It assumes that members, cultures and actors hold
    /// a copy of each string of the payload.
    pub(crate) fn heap_bytes(&self) -> usize {
        /// Reference counts in front of a string, and unused capacity behind it.
        const AROUND: usize = 3 * size_of::<usize>();
        /// Four identifiers, name and login.
        const TEXTS: usize = 6;
        const OF_ACTOR: usize = size_of::<Actor>() + 3 * AROUND;

        let claims = &self.claims;
        let actors = self.actor().into_iter().flat_map(Actor::chain).count();
        // Without `sid`, `jti` is the ID of both token and session.
        let again = claims
            .text(Claim::jti)
            .filter(|_| claims.text(Claim::sid).is_none());
        let lists = [&claims.aud, &claims.scope, &claims.roles];
        let lists = lists.into_iter().flatten().map(Strings::heap_bytes);
        let cultures = [Claim::locale, Claim::ui_locale].into_iter();
        let cultures = cultures.filter_map(|claim| claims.text(claim));
        let cultures = cultures.map(|tag| Culture::heap_bytes(tag.len()));
        let text = self
            .json
            .capacity()
            .saturating_add(self.unescaped.capacity());
        let parts = [
            text,
            text,
            again.map_or(0, Span::len),
            TEXTS * AROUND,
            actors.saturating_mul(OF_ACTOR),
        ];
        parts.into_iter().chain(lists).chain(cultures).sum()
    }

    /// The instant that a revocation "before an instant" is compared with.
    ///
    /// It is the earlier of `auth_time` and `iat` in a token of this profile's types, which may be
    /// a renewed or nested one. Another issuer may give a new token, and with it a new session, for
    /// an old authentication, so that `iat` alone counts.
    pub(crate) fn began_at(&self) -> Option<NumericDate> {
        let claims = &self.claims;
        let authenticated_at = claims.auth_time.filter(|_| self.token_type.is_ours());
        claims.iat.min(authenticated_at.or(claims.iat))
    }

    /// The instant at which an actor's session began, if it is known: in another issuer's token,
    /// `auth_time` says nothing of it (see [`began_at`](Self::began_at)).
    pub(crate) fn actor_began_at(&self, actor: &Actor) -> Option<NumericDate> {
        actor.authenticated_at.filter(|_| self.token_type.is_ours())
    }

    #[expect(clippy::expect_used, reason = "every token type requires `sub`")]
    fn subject(&self) -> &str {
        let sub = self.text(Claim::sub);
        sub.expect("`ClaimRules` requires `sub`")
    }

    #[expect(clippy::expect_used, reason = "every token type requires `exp`")]
    fn expiry(&self) -> NumericDate {
        self.claims.exp.expect("`ClaimRules` requires `exp`")
    }

    /// The JSON of the claims set, byte for byte as in the signing input.
    pub(crate) fn json(&self) -> &str {
        &self.json
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
        self.text(Claim::iss)
    }

    /// The services that the token is for: the claim `aud` (RFC 7519 §4.1.3).
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.texts(&self.claims.aud)
    }

    /// The instant when the token was issued: the claim `iat` (RFC 7519 §4.1.6). A token of type
    /// `JWT` may lack it.
    #[must_use]
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.claims.iat.map(NumericDate::to_date_time)
    }

    /// The instant when the user authenticated: the claim `auth_time` (OpenID Connect Core §2). A
    /// nested token inherits its parent's.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<DateTime<Utc>> {
        self.claims.auth_time.map(NumericDate::to_date_time)
    }

    /// The instant from which on the token is valid: the claim `nbf` (RFC 7519 §4.1.5).
    #[must_use]
    pub fn not_before(&self) -> Option<DateTime<Utc>> {
        self.claims.nbf.map(NumericDate::to_date_time)
    }

    /// The instant from which on the token is expired: the claim `exp` (RFC 7519 §4.1.4). A verifier
    /// adds its [leeway](crate::SessionVerifierBuilder::leeway).
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expiry().to_date_time()
    }

    /// The scope tokens of the claim `scope` (RFC 8693 §4.2), in its order.
    pub fn scope(&self) -> impl Iterator<Item = &str> {
        // The items of an array have been split where they had to be.
        let is_text = matches!(self.claims.scope, Some(Strings::One(_)));
        let items = self.texts(&self.claims.scope);
        let words = items.flat_map(move |item| item.split(move |char| is_text && char == ' '));
        words.filter(|word| !word.is_empty())
    }

    /// The roles of the user: the claim `roles` (RFC 9068 §2.2.3.1), in its order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.texts(&self.claims.roles)
    }

    pub(crate) fn server_code(&self) -> Option<&str> {
        self.text(Claim::server)
    }

    pub(crate) fn instance_name(&self) -> Option<&str> {
        self.text(Claim::instance)
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
        struct Claim<'n, T>(&'n str, PhantomData<T>);

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
            .deserialize_map(Claim(name, PhantomData))
            .map_err(|_| MISTYPED)
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
        serde_json::from_str(self.json()).map_err(|_| MISTYPED)
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

const MISTYPED: TokenError = TokenError::new(
    TokenErrorKind::ClaimInvalid,
    "it is not of the requested type",
);

// The type and the instants: every other claim is the user's.
partial_debug! {
    SessionToken(token) {
        token_type: token.token_type(),
        issued_at: token.issued_at(),
        expires_at: token.expires_at(),
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
