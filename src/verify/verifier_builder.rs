//! Configures a verifier: every mistake is found here, before the first request.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, FixedOffset, Utc};

use super::{
    cache::TokenCache,
    revocation::RevocationCheck,
    verifier::{Rules, SessionVerifier},
};
use crate::{
    client::{ClientDefaults, ClientKind, ClientTimeZone, Culture},
    error::ConfigError,
    identity::ApplicationId,
    jws::{KeyStore, TokenType},
    key::{KeySet, VerifyingKey},
    limits::Limits,
    time::{Clock, MAX_LEEWAY},
    token::ClaimRules,
};

const CACHE_BYTES: usize = 64 << 20;

impl SessionVerifier {
    /// Begins a verifier; a key, an issuer and an audience have to be set.
    pub fn builder() -> SessionVerifierBuilder {
        SessionVerifierBuilder::default()
    }
}

/// Makes a [`SessionVerifier`].
///
/// A key, an issuer and an audience have to be set; everything else has a default.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{
///     ClientKind, SessionVerifier, TokenType, VerifyingKey,
/// };
///
/// let verifier = SessionVerifier::builder()
///     .key(VerifyingKey::hs256([7; 32])?)
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .accept_type(TokenType::Session)
///     .accept_type(TokenType::NestedSession)
///     .leeway(Duration::from_secs(5))
///     .application_kind("web-shop", ClientKind::Web)
///     .supported_culture("ru-RU")
///     .supported_culture("en")
///     .default_culture("en")
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder makes nothing before `build`"]
pub struct SessionVerifierBuilder {
    keys: Vec<VerifyingKey>,
    key_store: Option<Result<KeyStore, ConfigError>>,
    accepted: Vec<TokenType>,
    form: ClaimRules,
    issuers: Vec<String>,
    audiences: Vec<String>,
    server_code: Option<String>,
    instance_name: Option<String>,
    leeway: Duration,
    max_lifetime: Option<Duration>,
    limits: Limits,
    clock: Clock,
    clients: ClientDefaults,
    invalid: Option<ConfigError>,
    cache_bytes: usize,
    revocation: Option<Arc<dyn RevocationCheck>>,
    accept_unknown_revocation: bool,
}

impl Default for SessionVerifierBuilder {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            key_store: None,
            accepted: Vec::new(),
            form: ClaimRules::default(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            server_code: None,
            instance_name: None,
            leeway: Duration::from_secs(60),
            max_lifetime: None,
            limits: Limits::default(),
            clock: Clock::System,
            clients: ClientDefaults::default(),
            invalid: None,
            cache_bytes: CACHE_BYTES,
            revocation: None,
            accept_unknown_revocation: false,
        }
    }
}

impl SessionVerifierBuilder {
    /// Adds a key; may be repeated, and then each key needs an id.
    pub fn key(mut self, key: VerifyingKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Sets all keys: a [`KeySet`], a list of keys, or a [`KeyStore`] whose set is replaced while
    /// requests run.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{KeySet, KeyStore, SessionVerifier, VerifyingKey};
    ///
    /// let old = VerifyingKey::hs256([1; 32])?.with_id("2026-01");
    /// let new = VerifyingKey::hs256([2; 32])?.with_id("2026-02");
    /// let builder = SessionVerifier::builder().keys([old, new.clone()]);
    ///
    /// let store = KeyStore::new(KeySet::new([new])?);
    /// let builder = SessionVerifier::builder().keys(store.clone());
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn keys(mut self, keys: impl TryInto<KeyStore, Error: Into<ConfigError>>) -> Self {
        self.key_store = Some(keys.try_into().map_err(Into::into));
        self
    }

    /// Accepts tokens of this issuer alone: the claim `iss`, compared exactly. A verifier trusts one
    /// issuer: a second one is an error of [`build`](Self::build).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Accepts tokens of any issuer, including tokens that name none.
    ///
    /// # Security
    ///
    /// Whoever has a key can then issue in any issuer's name. Where the keys are one issuer's own,
    /// this only gives up the check that would help if they leaked into another system.
    pub fn any_issuer(mut self) -> Self {
        self.form.any_issuer = true;
        self
    }

    /// Accepts tokens for this audience: one of the claim `aud`, compared exactly; may be
    /// repeated.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Accepts tokens for any audience, including tokens that name none.
    ///
    /// # Security
    ///
    /// A token that a user gives to another service of the same issuer then opens this one too.
    pub fn any_audience(mut self) -> Self {
        self.form.any_audience = true;
        self
    }

    /// Accepts tokens of this type; the first use replaces the default, [`TokenType::Session`]
    /// alone, and further uses add to it.
    pub fn accept_type(mut self, token_type: TokenType) -> Self {
        self.accepted.push(token_type);
        self
    }

    /// Sets the code of this server; a token that names another is refused.
    pub fn server_code(mut self, server_code: impl Into<String>) -> Self {
        self.server_code = Some(server_code.into());
        self
    }

    /// Sets the name of this server's instance; a token that names another is refused.
    pub fn instance_name(mut self, instance_name: impl Into<String>) -> Self {
        self.instance_name = Some(instance_name.into());
        self
    }

    /// Sets how far the issuer's clock may be from ours, for `exp`, `nbf` and `iat`: 60 seconds
    /// by default, 300 at most.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets how long a token may last from `iat` to `exp`, whatever its type.
    ///
    /// By default seven days for `session+jwt` and `nested-session+jwt`, and no limit for the
    /// others; [`Duration::MAX`] is no limit for any.
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.max_lifetime = Some(max_lifetime);
        self
    }

    /// Sets how large a token may be.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Says what kind of client an application is, for issuers that do not write `client_kind`;
    /// may be repeated.
    pub fn application_kind(mut self, id: impl Into<ApplicationId>, kind: ClientKind) -> Self {
        self.form.application_kinds.insert(id.into(), kind);
        self
    }

    /// Appends a culture that the service supports; may be repeated, the preferred one first.
    ///
    /// A client is then served by the culture that it asks for or the nearest of its parents in
    /// the list (RFC 4647 §3.4). With the feature `cldr`, deprecated codes are replaced (`iw` by
    /// `he`), and where no parent is in the list, the first culture of the same language and script
    /// serves: `de-DE` for `de-AT`, `zh-Hant` for `zh-TW`. Without a list, every well-formed culture
    /// is taken as it is.
    pub fn supported_culture(mut self, culture: impl TryInto<Culture>) -> Self {
        if let Some(culture) = self.parse("supported_culture", culture) {
            self.clients.support(culture);
        }
        self
    }

    /// Sets the culture of clients that say none: the invariant one by default.
    pub fn default_culture(mut self, culture: impl TryInto<Culture>) -> Self {
        self.clients.defaults.culture = self.parse("default_culture", culture);
        self
    }

    /// Sets the UI culture of clients that say neither it nor a culture: the default culture by
    /// default.
    pub fn default_ui_culture(mut self, culture: impl TryInto<Culture>) -> Self {
        self.clients.defaults.ui_culture = self.parse("default_ui_culture", culture);
        self
    }

    /// Sets the offset from UTC of clients that say neither offset nor zone, positive east of
    /// Greenwich: +00:00 by default.
    pub fn default_utc_offset(mut self, utc_offset: FixedOffset) -> Self {
        self.clients.defaults.utc_offset = Some(utc_offset);
        self
    }

    /// Sets the time zone of clients that say neither offset nor zone: none by default.
    pub fn default_time_zone(mut self, time_zone: impl TryInto<ClientTimeZone>) -> Self {
        self.clients.defaults.time_zone = self.parse("default_time_zone", time_zone);
        self
    }

    /// The value, or `None` for one that makes [`build`](Self::build) fail.
    fn parse<T>(&mut self, option: &'static str, value: impl TryInto<T>) -> Option<T> {
        let value = value.try_into().ok();
        if value.is_none() {
            self.invalid = Some(ConfigError::new(option, "is ill-formed or unknown"));
        }
        value
    }

    /// Sets the memory budget of the verified-token cache, in bytes: 64 MiB by default, some 25,000
    /// sessions; 0 turns the cache off.
    ///
    /// Each thread has a table of its own, so that no thread waits for another: it verifies a token
    /// the first two times, and finds its session from the third time on. The whole token has to be
    /// the same; its times, the generation of the key set and [revocation](Self::revocation) are
    /// checked at each hit.
    ///
    /// The budget is for this verifier, and is divided equally among as many threads as
    /// [`available_parallelism`](std::thread::available_parallelism) reports at `build`. A thread
    /// takes its part when it first verifies a token, and keeps it until it ends; beyond that number,
    /// a thread verifies every token until another ends. Up to 1/64 of each part filters tokens
    /// seen once.
    ///
    /// When its part is used up, a thread evicts sessions that were not hit lately, for one new
    /// session in eight. An expired session takes memory until its token is looked up, the search for
    /// one to evict meets it, or the keys change. The sessions of a dropped verifier take memory in
    /// each thread until it uses the cache of any other verifier, or ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionVerifier, VerifyingKey};
    ///
    /// let verifier = SessionVerifier::builder()
    ///     .key(VerifyingKey::hs256([7; 32])?)
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .cache_bytes(8 << 20)
    ///     .build()?;
    /// assert_eq!(verifier.cache_stats().bytes, 0);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn cache_bytes(mut self, cache_bytes: usize) -> Self {
        self.cache_bytes = cache_bytes;
        self
    }

    /// Sets the clock: by default the system's, on Linux as it was at the last tick, some
    /// milliseconds ago. Tokens [nested](crate::Session::nested) in the verifier's sessions are
    /// issued by it too. With a [`leeway`](Self::leeway) of 0, a token that another program issued
    /// at this very instant may be rejected as not yet valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{DateTime, Utc};
    /// use tower_session_token::SessionVerifier;
    ///
    /// let then: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    /// let builder = SessionVerifier::builder().clock(move || then);
    /// ```
    pub fn clock(mut self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        self.clock = Clock::Custom(Arc::new(now));
        self
    }

    /// Sets the check that is asked at each verification whether the session was revoked; none by
    /// default.
    ///
    /// Where it answers [`Unknown`](crate::RevocationStatus::Unknown) the token is rejected with
    /// [`RevocationUnavailable`](crate::SessionErrorKind::RevocationUnavailable) (503), unless
    /// [`accept_unknown_revocation`](Self::accept_unknown_revocation) is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{RevocationList, SessionVerifier};
    ///
    /// let list = RevocationList::new(); // keep a clone where users log out
    /// let builder = SessionVerifier::builder().revocation(list.clone());
    /// ```
    pub fn revocation(mut self, check: impl RevocationCheck + 'static) -> Self {
        self.revocation = Some(Arc::new(check));
        self
    }

    /// Accepts a session whose revocation status is unknown.
    ///
    /// # Security
    ///
    /// This fails open: while the store of revocations is out of reach, revoked sessions pass.
    pub fn accept_unknown_revocation(mut self) -> Self {
        self.accept_unknown_revocation = true;
        self
    }

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the option that is missing, contradicts another or is out of range.
    pub fn build(mut self) -> Result<SessionVerifier, ConfigError> {
        if let Some(error) = self.invalid {
            return Err(error);
        }
        let has_keys = !self.keys.is_empty();
        let (any_issuer, any_audience) = (self.form.any_issuer, self.form.any_audience);
        for (is_wrong, option, reason) in [
            (
                !has_keys && self.key_store.is_none(),
                "key",
                "none is set; call `key`",
            ),
            (
                has_keys && self.key_store.is_some(),
                "key",
                "`keys` is set too; give it all the keys",
            ),
            (
                self.issuers.is_empty() && !any_issuer,
                "issuer",
                "none is set; call `issuer`, or `any_issuer` to accept every issuer",
            ),
            (
                self.issuers.len() > 1,
                "issuer",
                "is set twice; a verifier trusts one issuer",
            ),
            (
                !self.issuers.is_empty() && any_issuer,
                "issuer",
                "contradicts `any_issuer`",
            ),
            (
                self.audiences.is_empty() && !any_audience,
                "audience",
                "none is set; call `audience`, or `any_audience` to accept every audience",
            ),
            (
                !self.audiences.is_empty() && any_audience,
                "audience",
                "contradicts `any_audience`",
            ),
            (
                self.issuers.iter().any(String::is_empty),
                "issuer",
                "is empty",
            ),
            (
                self.audiences.iter().any(String::is_empty),
                "audience",
                "is empty",
            ),
            (
                !self.clients.has_plain_default_offset(),
                "default_utc_offset",
                "is not in whole minutes within ±14:00",
            ),
            (self.leeway > MAX_LEEWAY, "leeway", "is above 300 seconds"),
            (
                self.max_lifetime.is_some_and(|lifetime| lifetime.is_zero()),
                "max_lifetime",
                "0 would reject every token",
            ),
        ] {
            if is_wrong {
                return Err(ConfigError::new(option, reason));
            }
        }
        let keys = match self.key_store {
            Some(store) => store?,
            None => KeyStore::new(KeySet::new(self.keys)?),
        };
        // The database is read here, not at the first request that names a zone.
        let _ = ClientTimeZone::database();
        self.limits.check()?;
        if self.accepted.is_empty() {
            self.accepted.push(TokenType::Session);
        }
        Ok(SessionVerifier::new(Rules {
            keys,
            accepted: self.accepted,
            form: self.form,
            issuer: self.issuers.pop(),
            audiences: self.audiences,
            server_code: self.server_code,
            instance_name: self.instance_name,
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
            limits: self.limits,
            clock: self.clock,
            clients: self.clients,
            revocation: self.revocation,
            accept_unknown_revocation: self.accept_unknown_revocation,
            cache: (self.cache_bytes > 0).then(|| TokenCache::new(self.cache_bytes)),
        }))
    }
}

impl fmt::Debug for SessionVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionVerifierBuilder")
            .field("accepted", &self.accepted)
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}
