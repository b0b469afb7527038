//! Token bytes to a session.

use std::{sync::Arc, time::Duration};

use super::{
    cache::{CacheStats, TokenCache},
    revocation::{RevocationCheck, RevocationStatus},
};
use crate::{
    client::{ClientContext, ClientDefaults, ClientHints},
    debug::partial_debug,
    error::{SessionError, SessionErrorKind},
    jws::{self, CurrentKeys, KeyStore, TokenType, compact},
    limits::Limits,
    session::{Session, SessionInner},
    time::{Clock, NumericDate, Validity},
    token::{ClaimRules, Claims, SessionToken},
};

/// Verifies tokens and reads them into sessions, with no HTTP in it.
///
/// It trusts one issuer, with all its keys. A clone costs a reference count.
///
/// # Examples
///
/// ```
/// use tower_session_token::{SessionVerifier, VerifyingKey};
///
/// # let secret = [7; 32];
/// let verifier = SessionVerifier::builder()
///     .key(VerifyingKey::hs256(secret)?)
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .build()?;
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SessionVerifier {
    pub(super) inner: Arc<VerifierInner>,
}

pub(super) struct VerifierInner {
    pub(super) rules: Rules,
    pub(super) keys: KeyStore,
    /// `None`: it is turned off.
    cache: Option<TokenCache>,
}

/// What the builder sets and checks.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) accepted: Vec<TokenType>,
    pub(super) form: ClaimRules,
    /// One, or none for any issuer.
    pub(super) issuers: Vec<String>,
    /// Empty: any audience.
    pub(super) audiences: Vec<String>,
    pub(super) server_code: Option<String>,
    pub(super) instance_name: Option<String>,
    /// `None`: [`DEFAULT_LEEWAY`].
    pub(super) leeway: Option<Duration>,
    /// `None`: as the type of the token says.
    pub(super) max_lifetime: Option<Duration>,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) clients: ClientDefaults,
    /// `None`: nothing is asked.
    pub(super) revocation: Option<Arc<dyn RevocationCheck>>,
    pub(super) accept_unknown_revocation: bool,
}

const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

impl SessionVerifier {
    pub(super) fn new(rules: Rules, keys: KeyStore, cache: Option<TokenCache>) -> Self {
        let inner = VerifierInner { rules, keys, cache };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Verifies a token in compact form and reads its session.
    ///
    /// The steps are, and the first that fails decides the error: size and form, JOSE header, key
    /// and algorithm, signature, form of the claims, `exp`, `nbf`, `iat`, `iss`, `aud`, `server`,
    /// `instance`, [revocation](crate::SessionVerifierBuilder::revocation). No claim is read before the
    /// signature is verified.
    ///
    /// The session of a token that this thread has verified twice comes from a
    /// [cache](crate::SessionVerifierBuilder::cache_bytes) while the entry is there, the key set is the
    /// same and the token is valid.
    ///
    /// # Errors
    ///
    /// [`SessionError`] with the reason of the rejection.
    pub fn verify(&self, token: impl AsRef<[u8]>) -> Result<Session, SessionError> {
        let session = self.verify_token(token.as_ref())?;
        self.inner.rules.check_revocation(&session)?;
        Ok(session)
    }

    fn verify_token(&self, token: &[u8]) -> Result<Session, SessionError> {
        let VerifierInner { rules, keys, cache } = &*self.inner;
        let now = rules.clock.now();
        let Some(cache) = cache else {
            return self.read(token, &keys.load(), now);
        };
        if let Some(session) = cache.get(token, keys.generation(), now) {
            return Ok(session);
        }
        let keys = keys.load();
        let session = self.read(token, &keys, now)?;
        cache.note(token, &session, keys.generation, now);
        Ok(session)
    }

    /// The session of a token that is not in the cache.
    #[inline]
    fn read(
        &self,
        token: &[u8],
        keys: &CurrentKeys,
        now: NumericDate,
    ) -> Result<Session, SessionError> {
        let read = self.inner.rules.verify(token, keys, now);
        #[cfg(feature = "remote_keys")]
        let read = read.map_err(|error| self.ask_for_key(token, keys, now, error));
        read
    }

    /// Hit, miss and eviction counts of the cache of verified tokens, and its current size; all 0 if it
    /// is [turned off](crate::SessionVerifierBuilder::cache_bytes).
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        let cache = self.inner.cache.as_ref();
        cache.map_or_else(CacheStats::default, TokenCache::stats)
    }

    /// The context of a call that carries no token.
    pub(crate) fn default_context(&self) -> ClientContext {
        let rules = &self.inner.rules;
        rules
            .clients
            .resolve_token(&ClientHints::default(), || rules.clock.now().to_date_time())
    }

    pub(crate) fn clients(&self) -> &ClientDefaults {
        &self.inner.rules.clients
    }

    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.inner.rules.clock.now().to_date_time()
    }
}

impl Rules {
    fn verify(
        &self,
        token: &[u8],
        keys: &CurrentKeys,
        now: NumericDate,
    ) -> Result<Session, SessionError> {
        let (token_type, payload) = jws::verify(keys, &self.accepted, &self.limits, token)?;
        self.validate(token_type, payload, now)
    }

    /// The session of a token whose signature is verified.
    #[inline]
    #[expect(clippy::expect_used, reason = "a new `Arc` has one owner")]
    pub(super) fn validate(
        &self,
        token_type: TokenType,
        payload: &[u8],
        now: NumericDate,
    ) -> Result<Session, SessionError> {
        let json = compact::decode_text(payload)?;
        // It is read inside its final allocation, so that nothing large is moved.
        let token = SessionToken::unread(token_type, json);
        let mut inner = Arc::new(SessionInner::new(token, self.clock.clone()));
        let session = Arc::get_mut(&mut inner).expect("it is new, so that nobody else has it");
        let hints = self.form.read(&mut session.token, &self.limits)?;
        session.validity = self.check_time(token_type, &session.token.claims, now)?;
        session.valid_until = session.validity.until;
        self.check_origin(&session.token)?;
        session.context = self.clients.resolve_token(&hints, || now.to_date_time());
        // The session is another one from the next change of the offset on, and was before the last.
        if let Some(zone) = self.clients.zone_of_offset(&hints) {
            session.validity.from = session.validity.from.max(now);
            if let Some(change) = zone.next_change(now) {
                session.validity.until = session.valid_until.min(change);
            }
        }
        Ok(Session::from_inner(inner))
    }

    /// Checks `exp`, `nbf`, `iat` and the lifetime, and returns the instants at which they are valid.
    fn check_time(
        &self,
        token_type: TokenType,
        claims: &Claims,
        now: NumericDate,
    ) -> Result<Validity, SessionError> {
        let leeway = self.leeway.unwrap_or(DEFAULT_LEEWAY);
        let expires_at = claims.exp.ok_or(SessionError::claim("exp"))?;
        let until = expires_at.saturating_add(leeway);
        if now >= until {
            return Err(SessionError::new(SessionErrorKind::TokenExpired, "exp"));
        }
        let latest = now.saturating_add(leeway);
        for (starts_at, name) in [(claims.nbf, "nbf"), (claims.iat, "iat")] {
            // A token of this very millisecond is early for the last tick of the clock only.
            if let Some(starts_at) = starts_at
                && latest < starts_at
                && self.clock.exactly_now().saturating_add(leeway) < starts_at
            {
                return Err(SessionError::new(SessionErrorKind::TokenNotYetValid, name));
            }
        }
        let max_lifetime = self
            .max_lifetime
            .or_else(|| token_type.default_max_lifetime());
        // A token that does not say when it was issued was issued by now at the latest.
        let lifetime = expires_at.saturating_since(claims.iat.unwrap_or(latest));
        if max_lifetime.is_some_and(|max| lifetime > max) {
            return Err(SessionError::unacceptable("its lifetime is too long"));
        }
        let earliest = max_lifetime.map(|max| expires_at.saturating_sub(max));
        let starts_at = [claims.iat.or(earliest), claims.nbf].into_iter().flatten();
        let starts_at = starts_at.max().unwrap_or_default();
        Ok(Validity {
            from: starts_at.saturating_sub(leeway),
            until,
        })
    }

    fn check_revocation(&self, session: &Session) -> Result<(), SessionError> {
        let Some(check) = &self.revocation else {
            return Ok(());
        };
        match check.check(session) {
            RevocationStatus::Valid => Ok(()),
            RevocationStatus::Unknown if self.accept_unknown_revocation => Ok(()),
            RevocationStatus::Unknown => Err(SessionError::new(
                SessionErrorKind::RevocationUnavailable,
                "revocation status unknown",
            )),
            RevocationStatus::Revoked => Err(SessionError::new(
                SessionErrorKind::SessionRevoked,
                "listed as revoked",
            )),
        }
    }

    /// Whether the token is from our issuer and for us.
    fn check_origin(&self, token: &SessionToken) -> Result<(), SessionError> {
        let claims = &token.claims;
        let reject = |kind, name| Err(SessionError::new(kind, name));
        let accepts = |ours: &[String], theirs: &str| ours.iter().any(|value| value == theirs);
        let mut issuer = token.issuer().into_iter();
        if !self.issuers.is_empty() && !issuer.any(|value| accepts(&self.issuers, value)) {
            return reject(SessionErrorKind::IssuerInvalid, "iss");
        }
        let mut audience = token.texts(&claims.aud);
        if !self.audiences.is_empty() && !audience.any(|value| accepts(&self.audiences, value)) {
            return reject(SessionErrorKind::AudienceInvalid, "aud");
        }
        for (ours, theirs, name) in [
            (&self.server_code, token.text(claims.server), "server"),
            (&self.instance_name, token.text(claims.instance), "instance"),
        ] {
            if let (Some(ours), Some(theirs)) = (ours, theirs)
                && ours != theirs
            {
                return reject(SessionErrorKind::ServerMismatch, name);
            }
        }
        Ok(())
    }
}

partial_debug! {
    SessionVerifier(verifier) { keys: verifier.inner.keys, rules: verifier.inner.rules }
}

partial_debug! {
    Rules(rules) {
        accepted: rules.accepted,
        issuers: rules.issuers,
        audiences: rules.audiences,
        leeway: rules.leeway,
        limits: rules.limits,
        clock: rules.clock,
    }
}
