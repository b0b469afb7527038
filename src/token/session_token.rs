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
    /// Read when they are asked for.
    members: OnceLock<Members>,
}

impl SessionToken {
    /// A token whose claims are yet to be checked.
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
        let id = get(claims.sub).unwrap_or_default();
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
            get(claims.sub).unwrap_or_default(),
            &seconds(claims.iat),
            &seconds(claims.exp),
        ]
        .join("\n");
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
    }

    /// `client_id`; a `JWT` may name the application in `azp` instead.
    pub(super) fn application(&self) -> Option<&str> {
        let claims = &self.payload.claims;
        let azp = claims.azp.filter(|_| self.token_type == TokenType::Jwt);
        self.payload.get(claims.client_id.or(azp))
    }

    /// What the token says of the client's culture, offset and zone. In a token of ours an
    /// ill-formed value is an error, in another issuer's it counts as absent. A zone that the
    /// database lacks counts as absent everywhere, since databases age.
    pub(crate) fn client_hints(&self) -> Result<ClientHints, SessionError> {
        let claims = &self.payload.claims;
        let is_ours = self.token_type.is_ours();
        let get = |claim| self.payload.get(claim);
        let or_absent = |is_good: bool, name| {
            if is_good || !is_ours {
                Ok(())
            } else {
                Err(SessionError::claim(name))
            }
        };
        let culture = |claim, name| -> Result<Option<Culture>, SessionError> {
            let Some(tag) = get(claim) else {
                return Ok(None);
            };
            let culture = if is_ours {
                tag.parse().ok()
            } else {
                Culture::parse_lenient(tag)
            };
            or_absent(culture.is_some(), name)?;
            Ok(culture)
        };
        let utc_offset = claims.utc_offset.map(client::offset_from_minutes);
        or_absent(utc_offset != Some(None), "utc_offset")?;
        let zone = get(claims.zoneinfo);
        or_absent(zone.is_none_or(client::is_zone_name), "zoneinfo")?;
        Ok(ClientHints {
            culture: culture(claims.locale, "locale")?,
            ui_culture: culture(claims.ui_locale, "ui_locale")?,
            utc_offset: utc_offset.flatten(),
            time_zone: zone.and_then(|name| name.parse().ok()),
        })
    }

    pub(crate) fn client_kind(&self) -> ClientKind {
        self.client_kind
    }

    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.payload.claims.act.as_deref()
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

    /// When the session began, as far as a revocation "before an instant" goes: the earlier of
    /// `auth_time` and `iat` in a token of ours, which may be a renewed or nested one. Another
    /// issuer may give a new token, and with it a new session, for an old authentication.
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

    /// The payload as it was signed, or is to be.
    pub(crate) fn json(&self) -> &str {
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
        self.payload.list(&self.payload.claims.aud)
    }

    /// When the token was issued: the claim `iat` (RFC 7519 §4.1.6). A `JWT` may lack it.
    #[must_use]
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.payload.claims.iat.map(NumericDate::to_date_time)
    }

    /// When the user authenticated: the claim `auth_time` (OpenID Connect Core §2). A nested token
    /// inherits its parent's.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<DateTime<Utc>> {
        self.payload.claims.auth_time.map(NumericDate::to_date_time)
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
