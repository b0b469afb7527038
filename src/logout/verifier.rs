//! Logout tokens to revocations.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::claims::LogoutClaims;
use crate::{
    debug::partial_debug,
    error::{ConfigError, SessionError, SessionErrorKind},
    identity::{SessionId, UserId},
    jws::{self, KeyStore, compact, is_typ},
    limits::Limits,
    time::{Clock, NumericDate},
    verify::Revocation,
};

const LEEWAY: Duration = Duration::from_secs(60);
/// The age up to which a token without `exp` is accepted, where such tokens are.
const MAX_AGE: Duration = Duration::from_secs(120);
const SECOND: Duration = Duration::from_secs(1);

/// Verifies the logout tokens of an identity provider (OpenID Connect Back-Channel Logout 1.0), and
/// returns what they revoke.
///
/// It keeps no list of the tokens that it has seen: a token that is sent again revokes the same again.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{LogoutVerifier, SessionErrorKind};
/// # use tower_session_token::{KeySet, VerifyingKey};
/// # let keys = KeySet::new([VerifyingKey::hs256([7; 32])?])?;
///
/// let verifier = LogoutVerifier::builder()
///     .keys(keys)
///     .issuer("https://id.example.com")
///     .client_id("orders")
///     .longest_session(Duration::from_secs(8 * 3600))
///     .build()?;
/// let error = verifier.verify("not a token").unwrap_err();
/// assert_eq!(error.kind(), SessionErrorKind::TokenMalformed);
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct LogoutVerifier {
    inner: Arc<(KeyStore, Rules)>,
}

/// A builder of a [`LogoutVerifier`]. Keys, issuer, client ID and longest session have to be set.
#[derive(Default)]
#[must_use = "a builder makes nothing before `build`"]
pub struct LogoutVerifierBuilder {
    keys: Option<KeyStore>,
    rules: Rules,
}

#[derive(Default)]
struct Rules {
    issuer: String,
    client_id: String,
    longest_session: Duration,
    revokes_all_sessions: bool,
    accepts_missing_exp: bool,
    accepts_untyped: bool,
    clock: Clock,
}

impl LogoutVerifier {
    /// Begins a verifier. Keys, issuer, client ID and longest session have to be set.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::LogoutVerifier;
    ///
    /// let error = LogoutVerifier::builder().build().unwrap_err();
    /// assert_eq!(error.option(), "keys");
    /// ```
    pub fn builder() -> LogoutVerifierBuilder {
        LogoutVerifierBuilder::default()
    }

    /// Verifies a logout token, and returns what it revokes.
    ///
    /// `sid` revokes that session. `sub` alone revokes the user's sessions that were issued before the
    /// second after `iat`, so also one that is opened again within that second. Both end when the last
    /// token of the [longest session](LogoutVerifierBuilder::longest_session) does.
    ///
    /// # Errors
    ///
    /// [`SessionError`] for a token that is malformed, of another type, key, issuer or client, has a
    /// wrong signature, is expired or from the future, lacks `iss`, `aud`, `iat`, `exp`, `jti`, the event
    /// in `events`, or both `sub` and `sid`, or has a `nonce` (§2.4, §2.6).
    pub fn verify(&self, token: impl AsRef<[u8]>) -> Result<Vec<Revocation>, SessionError> {
        let (keys, rules) = &*self.inner;
        let limits = Limits::default();
        let accepts = |typ: Option<&str>| rules.accepts_type(typ);
        let payload = jws::verify_other(&keys.load(), accepts, &limits, token.as_ref())?;
        let claims = LogoutClaims::read(&compact::decode_text(payload)?, &limits)?;
        rules.revocations(&claims)
    }
}

impl Rules {
    fn accepts_type(&self, typ: Option<&str>) -> bool {
        let is = |name| typ.is_some_and(|typ| is_typ(typ, name));
        is("logout+jwt") || self.accepts_untyped && (typ.is_none() || is("JWT"))
    }

    fn revocations(&self, claims: &LogoutClaims) -> Result<Vec<Revocation>, SessionError> {
        let iat = self.check(claims)?;
        let until = iat.saturating_add(self.longest_session).to_date_time();
        let before = iat.saturating_add(SECOND).to_seconds().to_date_time();
        let session = claims.sid.as_deref().map(|sid| {
            let id = SessionId::from(sid);
            Revocation::session(&self.issuer, &id, until)
        });
        let is_for_user = session.is_none() || self.revokes_all_sessions;
        let user = claims.sub.as_deref().filter(|_| is_for_user).map(|sub| {
            let id = UserId::from(sub);
            Revocation::user_before(&self.issuer, &id, before, until)
        });
        let revocations: Vec<_> = session.into_iter().chain(user).collect();
        if revocations.is_empty() {
            return Err(SessionError::claim("sub"));
        }
        Ok(revocations)
    }

    /// Checks all claims but `sub` and `sid`, and returns `iat`.
    fn check(&self, claims: &LogoutClaims) -> Result<NumericDate, SessionError> {
        let now = self.clock.exactly_now();
        let iat = claims.iat.ok_or(SessionError::claim("iat"))?;
        if now.saturating_add(LEEWAY) < iat {
            return Err(SessionError::new(SessionErrorKind::TokenNotYetValid, "iat"));
        }
        let (end, name) = match claims.exp {
            Some(exp) => (exp.saturating_add(LEEWAY), "exp"),
            None if self.accepts_missing_exp => (iat.saturating_add(MAX_AGE), "iat"),
            None => return Err(SessionError::claim("exp")),
        };
        if end <= now {
            return Err(SessionError::new(SessionErrorKind::TokenExpired, name));
        }
        if claims.iss.as_ref() != Some(&self.issuer) {
            return Err(SessionError::new(SessionErrorKind::IssuerInvalid, "iss"));
        }
        if !claims.aud.contains(&self.client_id) {
            return Err(SessionError::new(SessionErrorKind::AudienceInvalid, "aud"));
        }
        for (is_right, name) in [
            (claims.jti.is_some(), "jti"),
            (claims.has_event, "events"),
            (!claims.has_nonce, "nonce"),
        ] {
            if !is_right {
                return Err(SessionError::claim(name));
            }
        }
        Ok(iat)
    }
}

impl LogoutVerifierBuilder {
    /// Sets the provider's keys: a [`KeySet`](crate::KeySet), or a [`KeyStore`] that others share.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{KeySet, KeyStore, LogoutVerifier, VerifyingKey};
    ///
    /// let keys = KeyStore::new(KeySet::new([VerifyingKey::hs256([7; 32])?])?);
    /// let builder = LogoutVerifier::builder().keys(keys.clone());
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn keys(mut self, keys: impl Into<KeyStore>) -> Self {
        self.keys = Some(keys.into());
        self
    }

    /// Sets the provider, which `iss` has to name exactly.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token::LogoutVerifier;
    /// let builder = LogoutVerifier::builder().issuer("https://id.example.com");
    /// ```
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.rules.issuer = issuer.into();
        self
    }

    /// Sets the client ID of this service at the provider, which `aud` has to contain.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token::LogoutVerifier;
    /// let builder = LogoutVerifier::builder().client_id("orders");
    /// ```
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.rules.client_id = client_id.into();
        self
    }

    /// Sets the longest time between the issue of an access token and its expiry: how long a revocation
    /// is kept, counted from `iat`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token::LogoutVerifier;
    /// let builder = LogoutVerifier::builder().longest_session(std::time::Duration::from_secs(3600));
    /// ```
    pub fn longest_session(mut self, longest: Duration) -> Self {
        self.rules.longest_session = longest;
        self
    }

    /// Revokes all sessions of the user where the token names a session too.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token::LogoutVerifier;
    /// let builder = LogoutVerifier::builder().all_sessions();
    /// ```
    pub fn all_sessions(mut self) -> Self {
        self.rules.revokes_all_sessions = true;
        self
    }

    /// Accepts tokens without `exp`, which older providers send, for two minutes after `iat`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token::LogoutVerifier;
    /// let builder = LogoutVerifier::builder().accept_missing_exp();
    /// ```
    pub fn accept_missing_exp(mut self) -> Self {
        self.rules.accepts_missing_exp = true;
        self
    }

    /// Accepts tokens without `typ`, or with `JWT`, besides `logout+jwt` (§2.4 recommends that type).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token::LogoutVerifier;
    /// let builder = LogoutVerifier::builder().accept_untyped();
    /// ```
    pub fn accept_untyped(mut self) -> Self {
        self.rules.accepts_untyped = true;
        self
    }

    /// Uses another clock than the system's.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{DateTime, Utc};
    /// # use tower_session_token::LogoutVerifier;
    ///
    /// let then: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    /// let builder = LogoutVerifier::builder().clock(move || then);
    /// ```
    pub fn clock(mut self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        self.rules.clock = Clock::Custom(Arc::new(now));
        self
    }

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `keys`, `issuer`, `client_id` or `longest_session` is missing or empty.
    pub fn build(self) -> Result<LogoutVerifier, ConfigError> {
        let Self { keys, rules } = self;
        let keys = keys.ok_or_else(|| ConfigError::new("keys", "none are set"))?;
        for (is_missing, option) in [
            (rules.issuer.is_empty(), "issuer"),
            (rules.client_id.is_empty(), "client_id"),
            (rules.longest_session.is_zero(), "longest_session"),
        ] {
            if is_missing {
                return Err(ConfigError::new(option, "is not set"));
            }
        }
        let inner = Arc::new((keys, rules));
        Ok(LogoutVerifier { inner })
    }
}

partial_debug! {
    LogoutVerifier(verifier) { issuer: verifier.inner.1.issuer, client_id: verifier.inner.1.client_id }
}

partial_debug! {
    LogoutVerifierBuilder(builder) { issuer: builder.rules.issuer, client_id: builder.rules.client_id }
}
