//! Token bytes to a session.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    cache::{CacheStats, TokenCache},
    revocation::{RevocationCheck, RevocationStatus},
};
use crate::{
    client::{ClientContext, ClientDefaults, ClientHints},
    debug::partial_debug,
    error::{ConfigError, SessionError, SessionErrorKind},
    jws::{self, CurrentKeys, KeyStore, TokenType, compact},
    limits::Limits,
    session::{Session, SessionInner, VerifiedBy},
    time::{Clock, NumericDate, Validity},
    token::{self, Claim, ClaimRules, Claims, SessionToken},
};

/// Verifies tokens and reads them into sessions, with no HTTP in it.
///
/// It trusts one issuer, with all its keys, or [several](Self::of_issuers). A clone costs a reference
/// count.
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
    inner: Arc<VerifierInner>,
}

struct VerifierInner {
    /// At least one, each with another `iss`.
    issuers: Vec<Arc<TrustedIssuer>>,
    /// A copy of the clock that all issuers share, read at each lookup.
    clock: Clock,
    cache_bytes: usize,
    /// `None`: it is turned off.
    cache: Option<Arc<TokenCache>>,
}

/// An issuer with its keys, and the rules for its tokens.
pub(super) struct TrustedIssuer {
    pub(super) rules: Rules,
    pub(super) keys: KeyStore,
}

/// What the builder sets and checks.
#[derive(Clone, Default)]
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
    #[expect(clippy::indexing_slicing, reason = "there is at least one")]
    pub(super) fn new(issuers: Vec<Arc<TrustedIssuer>>, cache_bytes: usize) -> Self {
        let cache =
            (cache_bytes > 0).then(|| Arc::new(TokenCache::new(cache_bytes, issuers.len())));
        let clock = issuers[0].rules.clock.clone();
        Self {
            inner: Arc::new(VerifierInner {
                issuers,
                clock,
                cache_bytes,
                cache,
            }),
        }
    }

    /// Creates a verifier that trusts the issuers of all these verifiers.
    ///
    /// The claim `iss` of a token chooses the verifier by exact comparison, before the signature is
    /// verified, and decides nothing else. The keys, types, audiences, leeway, claim names and
    /// revocation check of that verifier alone apply, and `iss` is compared again after the signature.
    /// A token of any other issuer is rejected before a key is looked up. Keys of two issuers may have
    /// the same ID. New keys of one issuer do not remove cached sessions of the others.
    ///
    /// A user is the pair of issuer and user ID. The clock is that of the first verifier, and the
    /// cache has the most bytes that one of them has.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no verifier, one has
    /// [`any_issuer`](crate::SessionVerifierBuilder::any_issuer), two have the same issuer, or their
    /// limits or cultures differ.
    ///
    /// # Examples
    ///
    /// The shop's own login cookie, and bearer tokens of its staff's provider:
    ///
    /// ```
    /// use tower_session_token::{ConfigError, KeyStore, SessionVerifier, TokenType, VerifyingKey};
    ///
    /// fn verifier(own: VerifyingKey, provider: KeyStore) -> Result<SessionVerifier, ConfigError> {
    ///     let own = SessionVerifier::builder()
    ///         .key(own)
    ///         .issuer("https://shop.example.com")
    ///         .audience("shop")
    ///         .build()?;
    ///     let staff = SessionVerifier::builder()
    ///         .keys(provider)
    ///         .issuer("https://id.example.com/realms/staff")
    ///         .audience("shop")
    ///         .accept_type(TokenType::AccessToken)
    ///         .build()?;
    ///     SessionVerifier::of_issuers([own, staff])
    /// }
    /// ```
    pub fn of_issuers(verifiers: impl IntoIterator<Item = Self>) -> Result<Self, ConfigError> {
        let wrong = |reason: &'static str| Err(ConfigError::new("of_issuers", reason));
        let verifiers: Vec<_> = verifiers.into_iter().collect();
        let issuers = verifiers
            .iter()
            .flat_map(|verifier| &verifier.inner.issuers);
        let issuers: Vec<_> = issuers.cloned().collect();
        let Some(first) = issuers.first() else {
            return wrong("there is none");
        };
        let mut names = HashSet::new();
        for TrustedIssuer { rules, .. } in issuers.iter().map(|issuer| &**issuer) {
            let Some(name) = rules.issuers.first() else {
                return wrong("`any_issuer` cannot be one of several");
            };
            if !names.insert(name) {
                return wrong("two verifiers trust the same issuer");
            }
            if rules.limits != first.rules.limits || rules.clients != first.rules.clients {
                return wrong("their limits or cultures differ");
            }
        }
        let with_clock = |issuer: &Arc<TrustedIssuer>| TrustedIssuer {
            rules: Rules {
                clock: first.rules.clock.clone(),
                ..issuer.rules.clone()
            },
            keys: issuer.keys.clone(),
        };
        let issuers = issuers.iter().map(with_clock).map(Arc::new).collect();
        let bytes = verifiers.iter().map(|verifier| verifier.inner.cache_bytes);
        let cache_bytes = bytes.max().unwrap_or_default();
        Ok(Self::new(issuers, cache_bytes))
    }

    /// Verifies a token in compact form and reads its session.
    ///
    /// The steps are, and the first that fails decides the error: size and form, JOSE header, key
    /// and algorithm, signature, form of the claims, `exp`, `nbf`, `iat`, `iss`, `aud`, `server`,
    /// `instance`, [revocation](crate::SessionVerifierBuilder::revocation). No claim is trusted before
    /// the signature is verified. For a verifier [of several issuers](Self::of_issuers), `iss` comes
    /// before the JOSE header, since it chooses the keys.
    ///
    /// The session of a token that this thread has verified twice comes from a
    /// [cache](crate::SessionVerifierBuilder::cache_bytes) while the entry is there, the key set is the
    /// same and the token is valid.
    ///
    /// # Errors
    ///
    /// [`SessionError`] with the reason of the rejection.
    #[inline]
    pub fn verify(&self, token: impl AsRef<[u8]>) -> Result<Session, SessionError> {
        let session = self.verify_token(token.as_ref())?;
        let VerifiedBy { issuer, .. } = session.inner().verified_by;
        self.issuer(issuer).rules.check_revocation(&session)?;
        Ok(session)
    }

    #[inline(always)]
    fn verify_token(&self, token: &[u8]) -> Result<Session, SessionError> {
        let cache = self.inner.cache.as_ref();
        let now = self.inner.clock.now();
        let generation = |issuer| self.issuer(issuer).keys.generation();
        match cache.and_then(|cache| cache.get(token, now, generation)) {
            Some(session) => Ok(session),
            None => self.verify_uncached(token, now),
        }
    }

    /// Out of line, so that a hit saves few registers.
    #[inline(never)]
    fn verify_uncached(&self, token: &[u8], now: NumericDate) -> Result<Session, SessionError> {
        let session = match &*self.inner.issuers {
            [issuer] => issuer.verify(token, now, 0),
            _ => self.verify_of_several(token, now),
        }?;
        if let Some(cache) = &self.inner.cache {
            cache.note(token, &session, now);
        }
        Ok(session)
    }

    /// The result of the issuer that the token names, which is tried first if it is the likely one. At
    /// worst two signatures are checked.
    fn verify_of_several(&self, token: &[u8], now: NumericDate) -> Result<Session, SessionError> {
        let likely = self.likely_issuer(token);
        let at = likely.map_or_else(|| self.choose(token), Ok)?;
        let result = self.issuer(at).verify(token, now, at);
        if result.is_ok() || likely.is_none() {
            return result;
        }
        match self.choose(token)? {
            chosen if chosen == at => result,
            chosen => self.issuer(chosen).verify(token, now, chosen),
        }
    }

    /// The position of the one of several issuers whose keys alone have verified a token with this JOSE
    /// header. If they verify this one too and it names that issuer, then its payload is read once.
    fn likely_issuer(&self, token: &[u8]) -> Option<usize> {
        let header = compact::header(token)?;
        let mut issuers = self.inner.issuers.iter();
        let has_verified = |issuer: &Arc<TrustedIssuer>| issuer.keys.load().has_verified(header);
        let at = issuers.position(has_verified)?;
        (!issuers.any(has_verified)).then_some(at)
    }

    /// The position of the issuer that the token names. With one issuer, the token is not read.
    fn choose(&self, token: &[u8]) -> Result<usize, SessionError> {
        let issuers = &self.inner.issuers;
        if issuers.len() == 1 {
            return Ok(0);
        }
        let limits = &self.issuer(0).rules.limits;
        let json = compact::decode_text(jws::payload(token, limits)?)?;
        let name = token::unverified_issuer(&json, limits)?;
        let is_named = |issuer: &Arc<TrustedIssuer>| issuer.rules.issuers.contains(&name);
        let unknown = SessionError::new(SessionErrorKind::IssuerInvalid, "iss");
        issuers.iter().position(is_named).ok_or(unknown)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is at least one, and positions are of this verifier"
    )]
    fn issuer(&self, at: usize) -> &TrustedIssuer {
        &self.inner.issuers[at]
    }

    /// The issuer that a token names.
    #[cfg(feature = "remote_keys")]
    pub(super) fn issuer_of(&self, token: &[u8]) -> Option<&TrustedIssuer> {
        Some(self.issuer(self.choose(token).ok()?))
    }

    /// Hit, miss and eviction counts of the cache of verified tokens, and its current size; all 0 if it
    /// is [turned off](crate::SessionVerifierBuilder::cache_bytes).
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        let cache = self.inner.cache.as_ref();
        cache.map_or_else(CacheStats::default, |cache| cache.stats())
    }

    /// The context of a call that carries no token.
    pub(crate) fn default_context(&self) -> ClientContext {
        self.clients()
            .resolve_token(ClientHints::default(), || self.now())
    }

    pub(crate) fn clients(&self) -> &ClientDefaults {
        &self.issuer(0).rules.clients
    }

    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.inner.clock.now().to_date_time()
    }
}

impl TrustedIssuer {
    fn verify(&self, token: &[u8], now: NumericDate, at: usize) -> Result<Session, SessionError> {
        let keys = self.keys.load();
        let verified_by = VerifiedBy {
            issuer: at,
            generation: keys.generation,
        };
        let session = self.rules.verify(token, &keys, verified_by, now);
        #[cfg(feature = "remote_keys")]
        let session = session.map_err(|error| self.ask_for_key(token, &keys, now, error));
        session
    }
}

impl Rules {
    fn verify(
        &self,
        token: &[u8],
        keys: &CurrentKeys,
        verified_by: VerifiedBy,
        now: NumericDate,
    ) -> Result<Session, SessionError> {
        let (token_type, payload) = jws::verify(keys, &self.accepted, &self.limits, token)?;
        self.validate(token_type, payload, verified_by, now)
    }

    /// The session of this payload; the caller verifies the signature.
    #[inline]
    #[expect(clippy::expect_used, reason = "a new `Arc` has one owner")]
    pub(super) fn validate(
        &self,
        token_type: TokenType,
        payload: &[u8],
        verified_by: VerifiedBy,
        now: NumericDate,
    ) -> Result<Session, SessionError> {
        let json = compact::decode_text(payload)?;
        // The claims are read into the session's allocation, so that nothing large is moved.
        let mut inner = Arc::<SessionInner>::default();
        let session = Arc::get_mut(&mut inner).expect("it is new, so that nobody else has it");
        session.clock = self.clock.clone();
        let hints = self
            .form
            .read(&mut session.token, token_type, json, &self.limits)?;
        session.validity = self.check_time(token_type, &session.token.claims, now)?;
        session.verified_by = verified_by;
        session.valid_until = session.validity.until;
        self.check_origin(&session.token)?;
        let zone = self.clients.zone_of_offset(&hints);
        session.context = self.clients.resolve_token(hints, || now.to_date_time());
        // A change of the zone's offset makes another session of the token: this one is valid from now
        // until the next change.
        if let Some(zone) = zone {
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
            // The coarse clock may be some milliseconds behind a token issued just now: the exact time
            // decides.
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
        // Without `iat`, the token counts as issued at the latest instant that the leeway allows.
        let lifetime = expires_at.saturating_since(claims.iat.unwrap_or(latest));
        if max_lifetime.is_some_and(|max| lifetime > max) {
            return Err(SessionError::unacceptable("its lifetime is too long"));
        }
        let earliest = || Some(expires_at.saturating_sub(max_lifetime?));
        let starts_at = claims
            .iat
            .or_else(earliest)
            .max(claims.nbf)
            .unwrap_or_default();
        Ok(Validity {
            from: starts_at.saturating_sub(leeway),
            until,
        })
    }

    #[inline]
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
            (&self.server_code, token.text(Claim::server), "server"),
            (&self.instance_name, token.text(Claim::instance), "instance"),
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
    SessionVerifier(verifier) { issuers: verifier.inner.issuers }
}

partial_debug! { TrustedIssuer(issuer) { keys: issuer.keys, rules: issuer.rules } }

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
