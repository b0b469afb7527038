//! Makes a token to be signed.

use std::{fmt, time::Duration};

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;

use super::{
    claim_rules::ClaimRules,
    claims::{Claim, ELEVATED},
    new_claims::NewClaims,
    payload::Payload,
    session_token::SessionToken,
};
use crate::{
    client::{ClientKind, ClientTimeZone, Culture},
    error::{SessionError, TokenError, TokenErrorKind},
    identity::{Actor, ApplicationId, SessionId, TokenId, User},
    jws::TokenType,
    limits::Limits,
    time::NumericDate,
};

impl SessionToken {
    /// Begins a token for `user`, of the type [`TokenType::Session`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the user is usually made for it"
    )]
    pub fn builder(user: User) -> SessionTokenBuilder {
        SessionTokenBuilder::new(&user)
    }
}

/// Makes a [`SessionToken`]; see [`SessionToken::builder`].
///
/// Issuer, audience, application and expiry have to be set. The ids of the token and of the session
/// are random UUIDs unless set, and the token is issued now. `iat` and `nbf` are written with
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
/// assert!(token.has_scope("orders.read"));
/// # Ok::<(), tower_session_token::TokenError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder makes nothing before `build`"]
pub struct SessionTokenBuilder {
    token_type: TokenType,
    claims: NewClaims,
    rules: ClaimRules,
    issued_at: Option<DateTime<Utc>>,
    end: Option<End>,
    invalid: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum End {
    At(DateTime<Utc>),
    After(Duration),
}

impl SessionTokenBuilder {
    pub(crate) fn new(user: &User) -> Self {
        let claims = NewClaims {
            sub: user.id().to_string(),
            name: user.name().map(str::to_owned),
            preferred_username: user.login().map(str::to_owned),
            access_level: user.access_level().as_str(),
            ..NewClaims::default()
        };
        Self {
            token_type: TokenType::Session,
            claims,
            rules: ClaimRules::default(),
            issued_at: None,
            end: None,
            invalid: None,
        }
    }

    /// Sets the type: `typ` of the JOSE header.
    pub fn token_type(mut self, token_type: TokenType) -> Self {
        self.token_type = token_type;
        self
    }

    /// Sets the issuer: `iss`.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.claims.iss = Some(issuer.into());
        self
    }

    /// Adds a service that the token is for: `aud`; may be repeated.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.claims.aud.push(audience.into());
        self
    }

    /// Sets when the token is issued: `iat`, in milliseconds; now by default.
    pub fn issued_at(mut self, issued_at: DateTime<Utc>) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// Sets when the user authenticated: `auth_time` (OpenID Connect Core §2), in milliseconds. A
    /// token that renews another one keeps the other's, so that revoking all that began before an
    /// instant ends the renewed session too.
    pub fn authenticated_at(mut self, authenticated_at: DateTime<Utc>) -> Self {
        self.claims.auth_time = Some(NumericDate::from(authenticated_at).to_millis());
        self
    }

    /// Sets the instant before which the token is not valid: `nbf`, in milliseconds.
    pub fn not_before(mut self, not_before: DateTime<Utc>) -> Self {
        self.claims.nbf = Some(NumericDate::from(not_before).to_millis());
        self
    }

    /// Sets the instant from which on the token is not valid: `exp`, in whole seconds.
    pub fn expires_at(mut self, expires_at: DateTime<Utc>) -> Self {
        self.end = Some(End::At(expires_at));
        self
    }

    /// Sets how long after its issue the token expires: `exp`, in whole seconds.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.end = Some(End::After(lifetime));
        self
    }

    /// Sets the identifier of the token: `jti`.
    pub fn id(mut self, id: impl Into<TokenId>) -> Self {
        self.claims.jti = Some(id.into().to_string());
        self
    }

    /// Sets the identifier of the session: `sid`.
    pub fn session_id(mut self, session_id: impl Into<SessionId>) -> Self {
        self.claims.sid = Some(session_id.into().to_string());
        self
    }

    /// Sets the application that opens the session: `client_id`.
    pub fn application_id(mut self, application_id: impl Into<ApplicationId>) -> Self {
        self.claims.client_id = Some(application_id.into().to_string());
        self
    }

    /// Sets the kind of client: `client_kind`.
    pub fn client_kind(mut self, client_kind: ClientKind) -> Self {
        self.claims.client_kind = Some(client_kind.as_str());
        self
    }

    /// Sets the client's culture: `locale`. A tag such as `"de-CH"` is parsed.
    pub fn culture(mut self, culture: impl TryInto<Culture>) -> Self {
        match culture.try_into() {
            Ok(culture) => self.claims.locale = Some(culture.to_string()),
            Err(_) => self.invalid = Some("`locale` is not a BCP 47 language tag"),
        }
        self
    }

    /// Sets the client's culture of texts: `ui_locale`; the culture when none is set.
    pub fn ui_culture(mut self, ui_culture: impl TryInto<Culture>) -> Self {
        match ui_culture.try_into() {
            Ok(culture) => self.claims.ui_locale = Some(culture.to_string()),
            Err(_) => self.invalid = Some("`ui_locale` is not a BCP 47 language tag"),
        }
        self
    }

    /// Sets the client's offset from UTC, in whole minutes within ±14:00, positive east of
    /// Greenwich: `utc_offset`.
    pub fn utc_offset(mut self, utc_offset: FixedOffset) -> Self {
        let seconds = utc_offset.local_minus_utc();
        if seconds % 60 != 0 {
            self.invalid = Some("`utc_offset` is not in whole minutes");
        }
        self.claims.utc_offset = Some(seconds / 60);
        self
    }

    /// Sets the client's time zone: `zoneinfo`. A name such as `"Europe/Berlin"` is looked up.
    pub fn time_zone(mut self, time_zone: impl TryInto<ClientTimeZone>) -> Self {
        match time_zone.try_into() {
            Ok(zone) => self.claims.zoneinfo = Some(zone.name().to_owned()),
            Err(_) => self.invalid = Some("`zoneinfo` is not a known time zone"),
        }
        self
    }

    /// Sets the code of the server that the session is for: `server`.
    pub fn server_code(mut self, server_code: impl Into<String>) -> Self {
        self.claims.server = Some(server_code.into());
        self
    }

    /// Sets the name of the server's instance that the session is for: `instance`.
    pub fn instance_name(mut self, instance_name: impl Into<String>) -> Self {
        self.claims.instance = Some(instance_name.into());
        self
    }

    /// Adds what the token allows: space-separated words of `scope` (RFC 8693 §4.2).
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        self.scopes(scope.as_ref().split(' '))
    }

    /// Adds what the token allows, word by word: `scope` (RFC 8693 §4.2).
    pub fn scopes(mut self, words: impl IntoIterator<Item: AsRef<str>>) -> Self {
        for word in words {
            let word = word.as_ref();
            if !is_scope_word(word) {
                self.invalid = Some("`scope` is not made of words with single spaces between them");
            }
            let scope = self.claims.scope.get_or_insert_default();
            if !scope.is_empty() {
                scope.push(' ');
            }
            scope.push_str(word);
        }
        self
    }

    /// Adds roles of the user: `roles` (RFC 9068 §2.2.3.1), 64 at most of at most 256 bytes.
    pub fn roles(mut self, roles: impl IntoIterator<Item: Into<String>>) -> Self {
        self.claims.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Sets a claim of the application's own. [`build`](Self::build) fails for a name that the
    /// profile gives a meaning, and for a value that has no JSON.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        match serde_json::to_value(value) {
            _ if Claim::is_name(&name) => {
                self.invalid = Some("`claim` sets a claim that has a setter of its own");
            }
            Ok(value) => {
                self.claims.others.insert(name, value);
            }
            Err(_) => self.invalid = Some("a claim of the application's own has no JSON"),
        }
        self
    }

    /// Lets `iss` or `aud` be absent, as in a parent that a service accepts from any issuer or for any audience.
    pub(crate) fn without_origin(mut self, issuer: bool, audience: bool) -> Self {
        self.rules.any_issuer = issuer;
        self.rules.any_audience = audience;
        self
    }

    pub(crate) fn elevated(mut self) -> Self {
        self.claims.others.insert(ELEVATED.to_owned(), true.into());
        self
    }

    pub(crate) fn actor(mut self, actor: &Actor) -> Self {
        self.claims.act = Some(actor.into());
        self
    }

    /// Makes the token.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if a claim that its type needs is missing, or one is too long or out of
    /// range. How long the token lasts and how large it is are the receiving service's concern:
    /// see [`max_lifetime`](crate::SessionVerifierBuilder::max_lifetime) and
    /// [`Limits`](crate::Limits).
    pub fn build(self) -> Result<SessionToken, TokenError> {
        let invalid = |detail| TokenError::new(TokenErrorKind::ClaimInvalid, detail);
        if let Some(detail) = self.invalid {
            return Err(invalid(detail));
        }
        let claims = &self.claims;
        let needs_application = self.token_type != TokenType::Jwt;
        for (is_missing, detail) in [
            (
                claims.iss.is_none() && !self.rules.any_issuer,
                "no issuer: call `issuer`",
            ),
            (
                claims.aud.is_empty() && !self.rules.any_audience,
                "no audience: call `audience`",
            ),
            (
                claims.client_id.is_none() && needs_application,
                "no application: call `application_id`",
            ),
        ] {
            if is_missing {
                return Err(invalid(detail));
            }
        }
        let issued_at = NumericDate::from(self.issued_at.unwrap_or_else(Utc::now)).to_millis();
        let expires_at = match self.end {
            None => return Err(invalid("no expiry: call `lifetime` or `expires_at`")),
            Some(End::At(instant)) => instant.into(),
            Some(End::After(lifetime)) => issued_at.saturating_add(lifetime),
        };
        // Drawn here and not before: a builder may be a template that is cloned.
        let jti = self.claims.jti.clone();
        let sid = self.claims.sid.clone();
        let claims = NewClaims {
            jti: jti.or_else(|| Some(TokenId::random().to_string())),
            sid: sid.or_else(|| Some(SessionId::random().to_string())),
            iat: issued_at,
            exp: expires_at.seconds(),
            ..self.claims
        };
        let json = serde_json::to_string(&claims)
            .map_err(|_| invalid("a claim of the application's own has no JSON"))?;
        // What is made here is read like what comes from elsewhere: one set of rules.
        let reject = |error: SessionError| invalid(error.detail());
        let is_ours = self.token_type.is_ours();
        let payload = Payload::parse(json, is_ours, &Limits::default()).map_err(reject)?;
        let (token, _) = self.rules.check(self.token_type, payload).map_err(reject)?;
        Ok(token)
    }
}

/// RFC 6749 §3.3 `scope-token`.
pub(crate) fn is_scope_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl fmt::Debug for SessionTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokenBuilder")
            .field("token_type", &self.token_type)
            .finish_non_exhaustive()
    }
}
