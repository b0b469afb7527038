//! The builder of a verifier, which reports each mistake before the first request.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, FixedOffset, Utc};

use super::{
    revocation::RevocationCheck,
    verifier::{Rules, SessionVerifier, TrustedIssuer},
};
use crate::{
    client::{ClientKind, ClientTimeZone, Culture},
    debug::partial_debug,
    error::ConfigError,
    identity::ApplicationId,
    jws::{KeyStore, TokenType},
    key::{KeySet, VerifyingKey},
    limits::Limits,
    time::{Clock, MAX_LEEWAY},
    token::ClaimNames,
};

const DEFAULT_CACHE_BYTES: usize = 64 << 20;

impl SessionVerifier {
    /// Begins a verifier. A key, an issuer and an audience have to be set.
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
    ///     .build()?;
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn builder() -> SessionVerifierBuilder {
        SessionVerifierBuilder::default()
    }
}

/// A builder of a [`SessionVerifier`].
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
#[derive(Default)]
#[must_use = "a builder makes nothing before `build`"]
pub struct SessionVerifierBuilder {
    rules: Rules,
    keys: Vec<VerifyingKey>,
    key_store: Option<KeyStore>,
    cache_bytes: Option<usize>,
    invalid: Option<ConfigError>,
}

impl SessionVerifierBuilder {
    /// Adds a key. With several keys each needs an ID, which the tokens name in `kid` (RFC 7515
    /// §4.1.4).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionVerifier, VerifyingKey};
    ///
    /// let builder = SessionVerifier::builder()
    ///     .key(VerifyingKey::hs256([1; 32])?.with_id("2026-01"))
    ///     .key(VerifyingKey::hs256([2; 32])?.with_id("2026-02"));
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn key(mut self, key: VerifyingKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Sets all keys: a [`KeySet`], or a [`KeyStore`] whose set is replaced while requests run.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{KeySet, KeyStore, SessionVerifier, VerifyingKey};
    ///
    /// let old = VerifyingKey::hs256([1; 32])?.with_id("2026-01");
    /// let new = VerifyingKey::hs256([2; 32])?.with_id("2026-02");
    /// let builder = SessionVerifier::builder().keys(KeySet::new([old, new.clone()])?);
    ///
    /// let store = KeyStore::new(KeySet::new([new])?);
    /// let builder = SessionVerifier::builder().keys(store.clone());
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn keys(mut self, keys: impl Into<KeyStore>) -> Self {
        self.key_store = Some(keys.into());
        self
    }

    /// Accepts tokens of this issuer alone: the claim `iss` (RFC 7519 §4.1.1), compared exactly.
    ///
    /// A second call makes [`build`](Self::build) fail: for several issuers, build a verifier for each
    /// and combine them by [`SessionVerifier::of_issuers`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionVerifier, VerifyingKey};
    ///
    /// let error = SessionVerifier::builder()
    ///     .key(VerifyingKey::hs256([7; 32])?)
    ///     .issuer("https://id.example.com")
    ///     .issuer("https://login.example.com")
    ///     .audience("orders")
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(error.option(), "issuer");
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.rules.issuers.push(issuer.into());
        self
    }

    /// Accepts tokens of any issuer, including tokens that name none.
    ///
    /// # Security
    ///
    /// Any holder of a key can then issue tokens under any issuer's name. Where the keys belong to
    /// one issuer alone, this gives up a second line of defense against a leaked key.
    pub fn any_issuer(mut self) -> Self {
        self.rules.form.any_issuer = true;
        self
    }

    /// Accepts tokens for this audience: a member of the claim `aud` (RFC 7519 §4.1.3), compared
    /// exactly. With several calls, a token for any one of the audiences is accepted.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::SessionVerifier;
    ///
    /// let builder = SessionVerifier::builder().audience("orders").audience("https://orders.example.com");
    /// ```
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.rules.audiences.push(audience.into());
        self
    }

    /// Accepts tokens for any audience, including tokens that name none.
    ///
    /// # Security
    ///
    /// Another service of the same issuer can then use the tokens that it receives to call this one.
    pub fn any_audience(mut self) -> Self {
        self.rules.form.any_audience = true;
        self
    }

    /// Accepts tokens of this type: `typ` of the JOSE header (RFC 8725 §3.11).
    ///
    /// The first call replaces the default, [`TokenType::Session`] alone, and further calls add to
    /// it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionVerifier, TokenType};
    ///
    /// // Session tokens and nested ones.
    /// let builder = SessionVerifier::builder()
    ///     .accept_type(TokenType::Session)
    ///     .accept_type(TokenType::NestedSession);
    /// ```
    pub fn accept_type(mut self, token_type: TokenType) -> Self {
        self.rules.accepted.push(token_type);
        self
    }

    /// Sets the code of this server: a token whose claim `server` names another is rejected. A token
    /// without the claim is accepted.
    pub fn server_code(mut self, server_code: impl Into<String>) -> Self {
        self.rules.server_code = Some(server_code.into());
        self
    }

    /// Sets the name of this server's instance: a token whose claim `instance` names another is
    /// rejected. A token without the claim is accepted.
    pub fn instance_name(mut self, instance_name: impl Into<String>) -> Self {
        self.rules.instance_name = Some(instance_name.into());
        self
    }

    /// Sets the tolerated difference to the issuer's clock, for `exp`, `nbf` and `iat` (RFC 7519
    /// §4.1.4): 60 seconds by default, at most 300.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::SessionVerifier;
    ///
    /// let builder = SessionVerifier::builder().leeway(Duration::ZERO);
    /// ```
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.rules.leeway = Some(leeway);
        self
    }

    /// Sets the maximum duration from `iat` to `exp`, for tokens of every type.
    ///
    /// By default it is seven days for `session+jwt` and `nested-session+jwt`, and unlimited for the
    /// other types. [`Duration::MAX`] removes the limit; zero is an error of [`build`](Self::build).
    /// Where a token lacks `iat`, the duration counts from the current time plus the leeway.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::SessionVerifier;
    ///
    /// let builder = SessionVerifier::builder().max_lifetime(Duration::from_secs(12 * 3600));
    /// ```
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.rules.max_lifetime = Some(max_lifetime);
        self
    }

    /// Sets the maximum sizes of a token and its parts.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Limits, SessionVerifier};
    ///
    /// let builder = SessionVerifier::builder().limits(Limits::default().with_token_bytes(4096));
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.rules.limits = limits;
        self
    }

    /// Sets the kind of client of one application, for tokens without the claim `client_kind`.
    ///
    /// It is looked up by `client_id`, or in a token of type `JWT` by `azp`; an application without
    /// an entry is [`ClientKind::Other`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{ClientKind, SessionVerifier};
    ///
    /// let builder = SessionVerifier::builder()
    ///     .application_kind("web-shop", ClientKind::Web)
    ///     .application_kind("till", ClientKind::Desktop);
    /// ```
    pub fn application_kind(mut self, id: impl Into<ApplicationId>, kind: ClientKind) -> Self {
        self.rules.form.application_kinds.insert(id.into(), kind);
        self
    }

    /// Sets which claims of another issuer's tokens (types `at+jwt` and `JWT`) become user,
    /// application, scope, roles and IDs; see [`ClaimNames`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{ClaimNames, SessionVerifier};
    ///
    /// let names = ClaimNames::new().scope("scp").roles("groups");
    /// let builder = SessionVerifier::builder().claim_names(names);
    /// ```
    pub fn claim_names(mut self, names: ClaimNames) -> Self {
        self.rules.form.names = names;
        self
    }

    /// Appends a culture to the list of those that the service supports, the preferred one first: a
    /// [`Culture`] or a BCP 47 tag.
    ///
    /// The client's culture is then the one that it asks for or the nearest of its parents in
    /// the list (RFC 4647 §3.4). With the feature `cldr`, deprecated codes are replaced (`iw` by
    /// `he`), and where no parent is in the list, the first culture of the same language and script
    /// is used: `de-DE` for `de-AT`, `zh-Hant` for `zh-TW`. Without a list, every well-formed culture
    /// is accepted unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::SessionVerifier;
    ///
    /// let builder = SessionVerifier::builder()
    ///     .supported_culture("de")
    ///     .supported_culture("en")
    ///     .default_culture("en");
    /// ```
    pub fn supported_culture(mut self, culture: impl TryInto<Culture>) -> Self {
        if let Some(culture) = self.parse("supported_culture", culture) {
            self.rules.clients.support(culture);
        }
        self
    }

    /// Sets the culture of clients that name none: the invariant culture by default. An ill-formed tag
    /// makes [`build`](Self::build) fail.
    pub fn default_culture(mut self, culture: impl TryInto<Culture>) -> Self {
        self.rules.clients.defaults.culture = self.parse("default_culture", culture);
        self
    }

    /// Sets the UI culture of clients that name neither a UI culture nor a culture: the
    /// [default culture](Self::default_culture) by default.
    pub fn default_ui_culture(mut self, culture: impl TryInto<Culture>) -> Self {
        self.rules.clients.defaults.ui_culture = self.parse("default_ui_culture", culture);
        self
    }

    /// Sets the offset from UTC of clients that name neither offset nor zone: in whole minutes within
    /// ±14:00, positive east of Greenwich, +00:00 by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::FixedOffset;
    /// use tower_session_token::SessionVerifier;
    ///
    /// let kolkata = FixedOffset::east_opt(330 * 60).unwrap();
    /// let builder = SessionVerifier::builder().default_utc_offset(kolkata);
    /// ```
    pub fn default_utc_offset(mut self, utc_offset: FixedOffset) -> Self {
        self.rules.clients.defaults.utc_offset = Some(utc_offset);
        self
    }

    /// Sets the time zone of clients that name neither offset nor zone: none by default. A
    /// [`ClientTimeZone`] or an IANA name; an unknown name makes [`build`](Self::build) fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::SessionVerifier;
    ///
    /// let builder = SessionVerifier::builder().default_time_zone("Europe/Berlin");
    /// ```
    pub fn default_time_zone(mut self, time_zone: impl TryInto<ClientTimeZone>) -> Self {
        self.rules.clients.defaults.time_zone = self.parse("default_time_zone", time_zone);
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
        self.cache_bytes = Some(cache_bytes);
        self
    }

    /// Sets the clock: the system's by default. Tokens [nested](crate::Session::nested) in the
    /// verifier's sessions are issued by it too.
    ///
    /// On Linux the system's clock is read at the resolution of its last tick, some milliseconds ago;
    /// a token that seems to be issued in the future is checked again with the exact time.
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
        self.rules.clock = Clock::Custom(Arc::new(now));
        self
    }

    /// Sets the check for revoked sessions, which runs at each verification; none by default.
    ///
    /// Where it returns [`Unknown`](crate::RevocationStatus::Unknown) the token is rejected with
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
        self.rules.revocation = Some(Arc::new(check));
        self
    }

    /// Accepts a session whose revocation status is unknown.
    ///
    /// # Security
    ///
    /// This fails open: while the store of revocations cannot be reached, revoked sessions are
    /// accepted.
    pub fn accept_unknown_revocation(mut self) -> Self {
        self.rules.accept_unknown_revocation = true;
        self
    }

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the option that is missing, contradicts another or is out of range.
    pub fn build(mut self) -> Result<SessionVerifier, ConfigError> {
        self.check()?;
        let keys = match self.key_store {
            Some(store) => store,
            None => KeyStore::new(KeySet::new(self.keys)?),
        };
        // The database is read here, not at the first request that names a zone.
        let _ = ClientTimeZone::database();
        if self.rules.accepted.is_empty() {
            self.rules.accepted.push(TokenType::Session);
        }
        let cache_bytes = self.cache_bytes.unwrap_or(DEFAULT_CACHE_BYTES);
        let rules = self.rules;
        let issuer = Arc::new(TrustedIssuer { rules, keys });
        Ok(SessionVerifier::new(vec![issuer], cache_bytes))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let rules = &self.rules;
        let wrong = |option, reason: &'static str| Err(ConfigError::new(option, reason));
        if let Some(error) = &self.invalid {
            return Err(error.clone());
        }
        match (self.keys.is_empty(), &self.key_store) {
            (true, None) => return wrong("key", "none is set; call `key`"),
            (false, Some(_)) => return wrong("key", "`keys` is set too; give it all the keys"),
            _ => {}
        }
        if rules.issuers.len() > 1 {
            return wrong("issuer", "is set twice; a verifier trusts one issuer");
        }
        for (option, values, is_any, none_is_set, contradicts) in [
            (
                "issuer",
                &rules.issuers,
                rules.form.any_issuer,
                "none is set; call `issuer`, or `any_issuer` to accept every issuer",
                "contradicts `any_issuer`",
            ),
            (
                "audience",
                &rules.audiences,
                rules.form.any_audience,
                "none is set; call `audience`, or `any_audience` to accept every audience",
                "contradicts `any_audience`",
            ),
        ] {
            if values.is_empty() != is_any {
                return wrong(option, if is_any { contradicts } else { none_is_set });
            }
            if values.iter().any(String::is_empty) {
                return wrong(option, "is empty");
            }
        }
        if !rules.clients.has_plain_default_offset() {
            let reason = "is not in whole minutes within ±14:00";
            return wrong("default_utc_offset", reason);
        }
        if rules.leeway.is_some_and(|leeway| leeway > MAX_LEEWAY) {
            return wrong("leeway", "is above 300 seconds");
        }
        if rules.max_lifetime == Some(Duration::ZERO) {
            return wrong("max_lifetime", "0 would reject every token");
        }
        rules.limits.check()
    }
}

partial_debug! { SessionVerifierBuilder(builder) { rules: builder.rules } }
