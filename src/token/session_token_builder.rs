//! The builder of a token to be signed.

use std::{iter, mem, time::Duration};

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    claim_rules::ClaimRules,
    claims::{Claim, ELEVATED},
    session_token::SessionToken,
};
use crate::{
    client::{ClientKind, ClientTimeZone, Culture},
    debug::partial_debug,
    error::{TokenError, TokenErrorKind},
    identity::{AccessLevel, Actor, ApplicationId, SessionId, TokenId, User},
    jws::TokenType,
    limits::Limits,
    time::NumericDate,
};

impl SessionToken {
    /// Begins a token for `user`, of the type [`TokenType::Session`].
    pub fn builder(user: User) -> SessionTokenBuilder {
        SessionTokenBuilder::new().user(user)
    }
}

/// A builder of a [`SessionToken`]; see [`SessionToken::builder`].
///
/// Issuer, audience, application and expiry have to be set. The IDs of the token and of the session
/// are random UUIDs (version 4) unless set, and `iat` is the current time. `iat` and `nbf` are written with
/// milliseconds, `exp` in whole seconds.
///
/// Setters do not fail: a value that is ill-formed or too long makes [`build`](Self::build) fail.
/// `sub` has at most 255 bytes, `scope` 4,096, cultures 64, and other strings 256.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{ClientKind, SessionToken, User};
///
/// let token = SessionToken::builder(User::new("ann").with_name("Ann"))
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .application_id("web-shop")
///     .client_kind(ClientKind::Web)
///     .culture("de-CH")
///     .scope("orders.read orders.write")
///     .roles(["buyer"])
///     .claim("tenant", "north")
///     .lifetime(Duration::from_secs(8 * 3600))
///     .build()?;
/// assert!(token.scope().eq(["orders.read", "orders.write"]));
/// # Ok::<(), tower_session_token::TokenError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder makes nothing before `build`"]
pub struct SessionTokenBuilder {
    token_type: TokenType,
    claims: Map<String, Value>,
    /// With single spaces between the scope tokens.
    scope: String,
    rules: ClaimRules,
    issued_at: Option<DateTime<Utc>>,
    /// In place of `exp`.
    lifetime: Option<Duration>,
    invalid: Option<&'static str>,
}

impl SessionTokenBuilder {
    /// Begins a token that has no user yet.
    pub(super) fn new() -> Self {
        Self {
            token_type: TokenType::Session,
            claims: Map::new(),
            scope: String::new(),
            rules: ClaimRules::default(),
            issued_at: None,
            lifetime: None,
            invalid: None,
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "the user is usually made for it"
    )]
    pub(super) fn user(self, user: User) -> Self {
        self.set(Claim::sub, user.id().to_string())
            .access_level(user.access_level(), false)
            .or(Claim::name, user.name())
            .or(Claim::preferred_username, user.login())
    }

    /// Whether the claim is set.
    pub(crate) fn has(&self, claim: Claim) -> bool {
        self.claims.contains_key(claim.as_str())
    }

    /// Sets a claim that is not set yet to `value`, if there is one.
    pub(crate) fn or(self, claim: Claim, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) if !self.has(claim) => self.set(claim, value),
            _ => self,
        }
    }

    fn set(mut self, claim: Claim, value: impl Into<Value>) -> Self {
        self.claims.insert(claim.as_str().to_owned(), value.into());
        self
    }

    /// Sets a claim to a value of `T`, if `value` is one.
    fn set_parsed<T: ToString>(self, claim: Claim, value: impl TryInto<T>) -> Self {
        match value.try_into() {
            Ok(value) => self.set(claim, value.to_string()),
            Err(_) => self.reject(claim.as_str()),
        }
    }

    /// Makes [`build`](Self::build) fail.
    fn reject(mut self, detail: &'static str) -> Self {
        self.invalid = Some(detail);
        self
    }

    /// Adds strings to a claim that is a list.
    fn extend(mut self, claim: Claim, items: impl Iterator<Item: Into<Value>>) -> Self {
        let list = self
            .claims
            .entry(claim.as_str())
            .or_insert(Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.extend(items.map(Into::into));
        }
        self
    }

    /// Sets the type, `typ` of the JOSE header (RFC 7515 §4.1.9); [`TokenType::Session`] by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{SessionToken, TokenType, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .token_type(TokenType::AccessToken)
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(token.token_type().as_str(), "at+jwt");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn token_type(mut self, token_type: TokenType) -> Self {
        self.token_type = token_type;
        self
    }

    /// Sets the issuer: the claim `iss` (RFC 7519 §4.1.1).
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.set(Claim::iss, issuer.into())
    }

    /// Adds a service that the token is for: the claim `aud` (RFC 7519 §4.1.3); may be repeated.
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
    ///     .audience("billing")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert!(token.audience().eq(["orders", "billing"]));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.extend(Claim::aud, iter::once(audience.into()))
    }

    /// Sets the instant of issue: the claim `iat` (RFC 7519 §4.1.6), cut to milliseconds; the
    /// current time by default.
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
    ///     .issued_at("2026-01-01T00:00:00Z".parse().unwrap())
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(token.expires_at().to_rfc3339(), "2026-01-01T00:10:00+00:00");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn issued_at(mut self, issued_at: DateTime<Utc>) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// Sets the instant when the user authenticated: the claim `auth_time` (OpenID Connect Core §2),
    /// cut to milliseconds.
    ///
    /// A token that renews another one takes over the other's, so that a
    /// [revocation](crate::Revocation::user_before) of all sessions that began before an instant
    /// ends the renewed session too.
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
    ///     .authenticated_at("2026-01-01T00:00:00Z".parse().unwrap())
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert!(token.authenticated_at() < token.issued_at());
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn authenticated_at(self, authenticated_at: DateTime<Utc>) -> Self {
        self.set(
            Claim::auth_time,
            NumericDate::from(authenticated_at).to_millis(),
        )
    }

    /// Sets the instant before which the token is not valid: the claim `nbf` (RFC 7519 §4.1.5), cut
    /// to milliseconds; none by default.
    pub fn not_before(self, not_before: DateTime<Utc>) -> Self {
        self.set(Claim::nbf, NumericDate::from(not_before).to_millis())
    }

    /// Sets the instant from which on the token is expired: the claim `exp` (RFC 7519 §4.1.4), cut to
    /// whole seconds. The last of this and [`lifetime`](Self::lifetime) applies.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .expires_at("2026-01-01T12:00:00.9Z".parse().unwrap())
    ///     .build()?;
    /// assert_eq!(token.expires_at().to_rfc3339(), "2026-01-01T12:00:00+00:00");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn expires_at(mut self, expires_at: DateTime<Utc>) -> Self {
        self.lifetime = None;
        self.set(Claim::exp, NumericDate::from(expires_at).seconds())
    }

    /// Sets the duration from issue to expiry, of which the claim `exp` (RFC 7519 §4.1.4) has whole
    /// seconds. The last of this and [`expires_at`](Self::expires_at) applies.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets the ID of the token: the claim `jti` (RFC 7519 §4.1.7); a random UUID by default.
    pub fn id(self, id: impl Into<TokenId>) -> Self {
        self.set(Claim::jti, id.into().to_string())
    }

    /// Sets the ID of the session: the claim `sid`; a random UUID by default.
    ///
    /// A token that renews another one takes over the other's, so that the session stays the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .session_id("0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(Session::in_process(token).id(), "0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn session_id(self, session_id: impl Into<SessionId>) -> Self {
        self.set(Claim::sid, session_id.into().to_string())
    }

    /// Sets the application that opens the session: the claim `client_id` (RFC 8693 §4.3).
    pub fn application_id(self, application_id: impl Into<ApplicationId>) -> Self {
        self.set(Claim::client_id, application_id.into().to_string())
    }

    /// Sets the kind of client: the claim `client_kind`. Without it, the verifier's
    /// [table of applications](crate::SessionVerifierBuilder::application_kind) decides.
    pub fn client_kind(self, client_kind: ClientKind) -> Self {
        self.set(Claim::client_kind, client_kind.as_str())
    }

    /// Sets the client's culture: the claim `locale` (OpenID Connect Core §5.1), a [`Culture`] or a
    /// BCP 47 tag such as `"de-CH"`. An ill-formed tag makes [`build`](Self::build) fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .culture("de-CH")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(Session::in_process(token).client_culture().as_str(), "de-CH");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn culture(self, culture: impl TryInto<Culture>) -> Self {
        self.set_parsed::<Culture>(Claim::locale, culture)
    }

    /// Sets the culture of the texts that the client shows: the claim `ui_locale`. Without it, the
    /// [culture](Self::culture) serves for texts too.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .culture("de-CH")
    ///     .ui_culture("en")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// let session = Session::in_process(token);
    /// assert_eq!(session.client_culture().as_str(), "de-CH");
    /// assert_eq!(session.client_ui_culture().as_str(), "en");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn ui_culture(self, ui_culture: impl TryInto<Culture>) -> Self {
        self.set_parsed::<Culture>(Claim::ui_locale, ui_culture)
    }

    /// Sets the client's offset from UTC: the claim `utc_offset`, in whole minutes within ±14:00,
    /// positive east of Greenwich (RFC 3339 §4.2). Another offset makes [`build`](Self::build) fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::FixedOffset;
    /// use std::time::Duration;
    /// use tower_session_token::{SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .utc_offset(FixedOffset::east_opt(330 * 60).unwrap())
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(token.claim("utc_offset")?, Some(330));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn utc_offset(self, utc_offset: FixedOffset) -> Self {
        let seconds = utc_offset.local_minus_utc();
        if seconds % 60 != 0 {
            return self.reject("`utc_offset` is not in whole minutes");
        }
        self.set(Claim::utc_offset, seconds / 60)
    }

    /// Sets the client's time zone: the claim `zoneinfo` (OpenID Connect Core §5.1), a
    /// [`ClientTimeZone`] or an IANA name such as `"Europe/Berlin"`. An unknown name makes
    /// [`build`](Self::build) fail.
    pub fn time_zone(self, time_zone: impl TryInto<ClientTimeZone>) -> Self {
        self.set_parsed::<ClientTimeZone>(Claim::zoneinfo, time_zone)
    }

    /// Sets the code of the server that the session is for: the claim `server`.
    pub fn server_code(self, server_code: impl Into<String>) -> Self {
        self.set(Claim::server, server_code.into())
    }

    /// Sets the name of the server's instance that the session is for: the claim `instance`.
    pub fn instance_name(self, instance_name: impl Into<String>) -> Self {
        self.set(Claim::instance, instance_name.into())
    }

    /// Adds scope tokens, separated by single spaces (RFC 6749 §3.3): the claim `scope` (RFC 8693
    /// §4.2). Two spaces in a row make [`build`](Self::build) fail.
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
    ///     .scope("orders.read")
    ///     .scope("orders.write stock.read")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert!(token.scope().eq(["orders.read", "orders.write", "stock.read"]));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        self.scopes(scope.as_ref().split(' '))
    }

    /// Adds a list of scope tokens (RFC 6749 §3.3): the claim `scope` (RFC 8693 §4.2). An empty list
    /// adds nothing.
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
    ///     .scopes(["orders.read", "stock.read"])
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(token.claim::<String>("scope")?.as_deref(), Some("orders.read stock.read"));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn scopes(mut self, words: impl IntoIterator<Item: AsRef<str>>) -> Self {
        for word in words {
            let word = word.as_ref();
            if !is_scope_word(word) {
                return self.reject("`scope` is not made of words with single spaces between them");
            }
            if !self.scope.is_empty() {
                self.scope.push(' ');
            }
            self.scope.push_str(word);
        }
        self
    }

    /// Adds roles of the user: the claim `roles` (RFC 9068 §2.2.3.1), at most 64 of at most 256 bytes
    /// each.
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
    ///     .roles(["buyer"])
    ///     .roles(["approver"])
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert!(token.roles().eq(["buyer", "approver"]));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn roles(self, roles: impl IntoIterator<Item: Into<String>>) -> Self {
        self.extend(Claim::roles, roles.into_iter().map(Into::into))
    }

    /// Sets a claim of the application's own to any value that serde serializes.
    ///
    /// [`build`](Self::build) fails for the name of a claim that the profile defines, and for a value
    /// that JSON cannot represent.
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
    ///     .claim("cart", [17, 4])
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(token.claim("cart")?, Some(vec![17, 4]));
    ///
    /// let again = SessionToken::builder(User::new("ann")).claim("exp", 0);
    /// assert!(again.build().is_err(), "`exp` has a setter");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        if Claim::is_name(&name) {
            return self.reject("`claim` sets a claim that has a setter of its own");
        }
        let Ok(value) = serde_json::to_value(value) else {
            return self.reject("a claim of the application's own has no JSON");
        };
        self.claims.insert(name, value);
        self
    }

    /// Allows `iss` or `aud` to be absent, as in the parent of a nested token.
    pub(crate) fn without_origin(mut self, issuer: bool, audience: bool) -> Self {
        self.rules.any_issuer = issuer;
        self.rules.any_audience = audience;
        self
    }

    /// Sets the access level, and whether the token records that it exceeds the parent's.
    pub(crate) fn access_level(mut self, access_level: AccessLevel, exceeds: bool) -> Self {
        if exceeds {
            self.claims.insert(ELEVATED.to_owned(), true.into());
        }
        self.set(Claim::access_level, access_level.as_str())
    }

    pub(crate) fn actor(self, actor: &Actor) -> Self {
        self.set(Claim::act, claim_of(actor))
    }

    /// Makes the token.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if a claim that the type requires is missing, or a claim is ill-formed, too
    /// long or out of range. The lifetime and the total size are not limited here: the verifier's
    /// [`max_lifetime`](crate::SessionVerifierBuilder::max_lifetime) and
    /// [`limits`](crate::SessionVerifierBuilder::limits) apply.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionToken, TokenErrorKind, User};
    ///
    /// let error = SessionToken::builder(User::new("ann")).build().unwrap_err();
    /// assert_eq!(error.kind(), TokenErrorKind::ClaimInvalid);
    /// ```
    pub fn build(mut self) -> Result<SessionToken, TokenError> {
        let invalid = |detail| TokenError::new(TokenErrorKind::ClaimInvalid, detail);
        if let Some(detail) = self.invalid {
            return Err(invalid(detail));
        }
        if let Some(Value::Array(audience)) = self.claims.get_mut(Claim::aud.as_str())
            && let [only] = &mut **audience
        {
            // RFC 7519 §4.1.3: one audience may be a string.
            let only = only.take();
            self = self.set(Claim::aud, only);
        }
        if !self.scope.is_empty() {
            let scope = mem::take(&mut self.scope);
            self = self.set(Claim::scope, scope);
        }
        let issued_at = NumericDate::from(self.issued_at.unwrap_or_else(Utc::now)).to_millis();
        self = self.set(Claim::iat, issued_at);
        if let Some(lifetime) = self.lifetime {
            self = self.set(Claim::exp, issued_at.saturating_add(lifetime).seconds());
        }
        // Not made before: each token of a builder that is cloned has its own.
        for claim in [Claim::jti, Claim::sid] {
            let random = || Uuid::new_v4().to_string().into();
            self.claims.entry(claim.as_str()).or_insert_with(random);
        }
        // A token that is built is validated by the rules of a token that is received.
        let json = serde_json::to_string(&self.claims);
        let json = json.map_err(|_| invalid("a claim of the application's own has no JSON"))?;
        let mut token = SessionToken::empty();
        let read = self
            .rules
            .read(&mut token, self.token_type, json, &Limits::default());
        read.map_err(|error| invalid(error.detail()))?;
        Ok(token)
    }
}

/// The claim `act` (RFC 8693 §4.1).
fn claim_of(actor: &Actor) -> Value {
    let claims = SessionTokenBuilder::new()
        .set(Claim::sub, actor.user_id.to_string())
        .or(Claim::sid, actor.session_id().map(ToString::to_string))
        .or(
            Claim::client_id,
            actor.application_id().map(ToString::to_string),
        )
        .or(Claim::auth_time, actor.authenticated_at)
        .or(Claim::act, actor.actor().map(claim_of))
        .claims;
    Value::Object(claims)
}

/// RFC 6749 §3.3 `scope-token`.
pub(crate) fn is_scope_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

partial_debug! { SessionTokenBuilder(builder) { token_type: builder.token_type } }
