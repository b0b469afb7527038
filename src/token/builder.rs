//! Makes a token to be signed.

use std::{fmt, time::Duration};

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;

use super::{
    Limits, SessionToken, TokenType,
    form::Form,
    time::{self, NumericDate},
    wire::claims::{ELEVATED, NAMES, NewClaims, Payload},
};
use crate::{
    client::{ClientKind, ClientTimeZone, Culture},
    error::{SessionError, TokenError, TokenErrorKind},
    session::{Actor, ApplicationId, Session, SessionId, TokenId, User},
};

/// Makes a [`SessionToken`]; see [`SessionToken::builder`].
///
/// Issuer, audience, application and expiry have to be set. The id of the token and of the
/// session are random UUIDs unless set, and the moment of issue is now. Moments are written in
/// whole seconds.
#[derive(Clone)]
#[must_use = "a builder makes nothing before `build`"]
pub struct SessionTokenBuilder {
    token_type: TokenType,
    claims: NewClaims,
    form: Form,
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
            form: Form::default(),
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

    /// Sets the moment of issue: `iat`.
    pub fn issued_at(mut self, issued_at: DateTime<Utc>) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// Sets the moment before which the token is not valid: `nbf`.
    pub fn not_before(mut self, not_before: DateTime<Utc>) -> Self {
        self.claims.nbf = Some(NumericDate::from(not_before).seconds());
        self
    }

    /// Sets the moment from which on the token is not valid any more: `exp`.
    pub fn expires_at(mut self, expires_at: DateTime<Utc>) -> Self {
        self.end = Some(End::At(expires_at));
        self
    }

    /// Sets `exp` by how long after its issue the token stops being valid.
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

    /// Sets the client's culture: `locale`.
    pub fn culture(mut self, culture: &Culture) -> Self {
        self.claims.locale = Some(culture.to_string());
        self
    }

    /// Sets the client's culture of texts: `ui_locale`; the culture when none is set.
    pub fn ui_culture(mut self, ui_culture: &Culture) -> Self {
        self.claims.ui_locale = Some(ui_culture.to_string());
        self
    }

    /// Sets the client's offset from UTC, in whole minutes within ±14:00, positive east of
    /// Greenwich: `utc_offset`.
    pub fn utc_offset(mut self, utc_offset: FixedOffset) -> Self {
        let seconds = utc_offset.local_minus_utc();
        if seconds % 60 != 0 {
            self.invalid = Some("utc_offset");
        }
        self.claims.utc_offset = Some(seconds / 60);
        self
    }

    /// Sets the client's time zone: `zoneinfo`.
    pub fn time_zone(mut self, time_zone: ClientTimeZone) -> Self {
        self.claims.zoneinfo = Some(time_zone.name().to_owned());
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

    /// Sets what the token allows, word by word: `scope` (RFC 8693 §4.2).
    pub fn scope<I>(mut self, scope: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut words = String::new();
        for word in scope {
            let word = word.as_ref();
            if !is_scope_word(word) {
                self.invalid = Some("scope");
            }
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        self.claims.scope = (!words.is_empty()).then_some(words);
        self
    }

    /// Sets a claim of the application's own; [`build`](Self::build) refuses a name that the
    /// profile knows.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        match serde_json::to_value(value) {
            Ok(value) if !NAMES.contains(&name.as_str()) => {
                self.claims.others.insert(name, value);
            }
            _ => self.invalid = Some("a claim of the application's own"),
        }
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

    /// Takes from a parent session what a nested token inherits, but for offset and zone.
    pub(crate) fn inherit(mut self, session: &Session, token: &SessionToken) -> Self {
        self.form.any_issuer = token.issuer().is_none();
        self.form.any_audience = token.audience().next().is_none();
        self.claims.iss = token.issuer().map(str::to_owned);
        self.claims.aud = token.audience().map(str::to_owned).collect();
        self.claims.client_id = session.application_id().map(ToString::to_string);
        self.claims.server = session.server_code().map(str::to_owned);
        self.claims.instance = session.instance_name().map(str::to_owned);
        self.client_kind(session.client_kind())
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
        let invalid = |name| TokenError::new(TokenErrorKind::ClaimInvalid, name);
        if let Some(name) = self.invalid {
            return Err(invalid(name));
        }
        let issued_at = NumericDate::from(self.issued_at.unwrap_or_else(time::now));
        let expires_at = match self.end.ok_or(invalid("exp"))? {
            End::At(moment) => moment.into(),
            End::After(lifetime) => issued_at.saturating_add(lifetime),
        };
        // Drawn here and not before: a builder may be a template that is cloned.
        let jti = self.claims.jti.clone();
        let sid = self.claims.sid.clone();
        let claims = NewClaims {
            jti: jti.or_else(|| Some(TokenId::random().to_string())),
            sid: sid.or_else(|| Some(SessionId::random().to_string())),
            iat: issued_at.seconds(),
            exp: expires_at.seconds(),
            ..self.claims
        };
        let json = serde_json::to_string(&claims)
            .map_err(|_| invalid("a claim of the application's own"))?;
        // What is made here is read like what comes from elsewhere: one set of rules.
        let refuse = |error: SessionError| invalid(error.detail());
        let payload = Payload::parse(json, &Limits::default()).map_err(refuse)?;
        let checked = self.form.check(self.token_type, &payload).map_err(refuse)?;
        Ok(SessionToken::new(&checked, payload))
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
