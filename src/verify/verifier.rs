//! Token bytes to a session.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    cache::{CacheStats, TokenCache},
    revocation::{RevocationCheck, RevocationStatus},
};
use crate::{
    client::{ClientContext, ClientDefaults, ClientHints},
    error::{SessionError, SessionErrorKind},
    jws::{self, KeyStore, TokenType, compact},
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
    rules: Arc<Rules>,
}

/// What a verifier was configured with, checked.
pub(super) struct Rules {
    pub(super) keys: KeyStore,
    pub(super) accepted: Vec<TokenType>,
    pub(super) form: ClaimRules,
    /// `None`: any issuer.
    pub(super) issuer: Option<String>,
    /// Empty: any audience.
    pub(super) audiences: Vec<String>,
    pub(super) server_code: Option<String>,
    pub(super) instance_name: Option<String>,
    pub(super) leeway: Duration,
    /// `None`: as the type of the token says.
    pub(super) max_lifetime: Option<Duration>,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) clients: ClientDefaults,
    /// `None`: nothing is asked.
    pub(super) revocation: Option<Arc<dyn RevocationCheck>>,
    pub(super) accept_unknown_revocation: bool,
    /// `None`: it is turned off.
    pub(super) cache: Option<TokenCache>,
}

impl SessionVerifier {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules: Arc::new(rules),
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
        self.rules.check_revocation(&session)?;
        Ok(session)
    }

    fn verify_token(&self, token: &[u8]) -> Result<Session, SessionError> {
        let rules = &*self.rules;
        let now = rules.clock.now();
        let Some(cache) = &rules.cache else {
            return Ok(rules.verify(token, now)?.0);
        };
        if let Some(session) = cache.get(token, rules.keys.generation(), now) {
            return Ok(session);
        }
        let (session, generation) = rules.verify(token, now)?;
        cache.note(token, &session, generation, now);
        Ok(session)
    }

    /// Hit, miss and eviction counts of the cache of verified tokens, and its current size; all 0 if it
    /// is [turned off](crate::SessionVerifierBuilder::cache_bytes).
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        let cache = self.rules.cache.as_ref();
        cache.map_or_else(CacheStats::default, TokenCache::stats)
    }

    /// The context of a call that carries no token.
    pub(crate) fn default_context(&self) -> ClientContext {
        let rules = &*self.rules;
        rules
            .clients
            .resolve_token(&ClientHints::default(), || rules.clock.now().to_date_time())
    }

    pub(crate) fn clients(&self) -> &ClientDefaults {
        &self.rules.clients
    }

    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.rules.clock.now().to_date_time()
    }
}

impl Rules {
    /// The session, and the generation of the key set that verified it.
    #[expect(clippy::expect_used, reason = "a new `Arc` has one owner")]
    fn verify(&self, token: &[u8], now: NumericDate) -> Result<(Session, u64), SessionError> {
        let keys = self.keys.load();
        let (token_type, payload) = jws::verify(&keys, &self.accepted, &self.limits, token)?;
        let json = compact::decode_text(payload)?;
        // It is read inside its final allocation, so that nothing large is moved.
        let token = SessionToken::unread(token_type, json);
        let mut inner = Arc::new(SessionInner::new(token, self.clock.clone()));
        let session = Arc::get_mut(&mut inner).expect("it is new, so that nobody else has it");
        let hints = self.form.read(&mut session.token, &self.limits)?;
        self.check_time(token_type, &session.token.claims, now)?;
        self.check_origin(&session.token)?;
        session.context = self.clients.resolve_token(&hints, || now.to_date_time());
        session.validity = self.validity(token_type, &session.token.claims);
        session.valid_until = session.validity.until;
        // The session is another one from the next change of the offset on, and was before the last.
        if let Some(zone) = self.clients.zone_of_offset(&hints) {
            session.validity.from = session.validity.from.max(now);
            if let Some(change) = zone.next_change(now) {
                session.validity.until = session.valid_until.min(change);
            }
        }
        Ok((Session::from_inner(inner), keys.generation()))
    }

    fn check_time(
        &self,
        token_type: TokenType,
        claims: &Claims,
        now: NumericDate,
    ) -> Result<(), SessionError> {
        let expires_at = claims.exp.unwrap_or_default();
        if now >= expires_at.saturating_add(self.leeway) {
            return Err(SessionError::new(SessionErrorKind::TokenExpired, "exp"));
        }
        let latest = now.saturating_add(self.leeway);
        for (starts_at, name) in [(claims.nbf, "nbf"), (claims.iat, "iat")] {
            let is_early = |now: NumericDate| {
                starts_at.is_some_and(|starts_at| now.saturating_add(self.leeway) < starts_at)
            };
            // A token of this very millisecond is early for the last tick of the clock only.
            if is_early(now) && is_early(self.clock.exactly_now()) {
                return Err(SessionError::new(SessionErrorKind::TokenNotYetValid, name));
            }
        }
        // A token that does not say when it was issued was issued by now at the latest.
        let issued_at = claims.iat.unwrap_or(latest);
        match self.max_lifetime_of(token_type) {
            Some(max) if expires_at.saturating_since(issued_at) > max => {
                Err(SessionError::unacceptable("its lifetime is too long"))
            }
            _ => Ok(()),
        }
    }

    /// The instants at which [`check_time`](Self::check_time) accepts the token.
    fn validity(&self, token_type: TokenType, claims: &Claims) -> Validity {
        let expires_at = claims.exp.unwrap_or_default();
        let longest = self.max_lifetime_of(token_type);
        let issued_at = match (claims.iat, longest) {
            (Some(issued_at), _) => issued_at,
            (None, Some(longest)) => expires_at.saturating_sub(longest),
            (None, None) => NumericDate::default(),
        };
        Validity {
            from: issued_at
                .max(claims.nbf.unwrap_or_default())
                .saturating_sub(self.leeway),
            until: expires_at.saturating_add(self.leeway),
        }
    }

    fn max_lifetime_of(&self, token_type: TokenType) -> Option<Duration> {
        self.max_lifetime
            .or_else(|| token_type.default_max_lifetime())
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
        if self.issuer.is_some() && token.text(claims.iss) != self.issuer.as_deref() {
            return reject(SessionErrorKind::IssuerInvalid, "iss");
        }
        let ours = |audience: &str| self.audiences.iter().any(|value| value == audience);
        if !self.audiences.is_empty() && !token.texts(&claims.aud).any(ours) {
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

impl fmt::Debug for SessionVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = &*self.rules;
        f.debug_struct("SessionVerifier")
            .field("keys", &rules.keys)
            .field("accepted", &rules.accepted)
            .field("issuer", &rules.issuer)
            .field("audiences", &rules.audiences)
            .field("leeway", &rules.leeway)
            .field("limits", &rules.limits)
            .field("clock", &rules.clock)
            .finish_non_exhaustive()
    }
}
