//! The handle of the keys of an issuer.

use std::{sync::Arc, time::Duration};

use tokio::time;

use super::{
    driver::Shared,
    snapshot::KeySnapshot,
    status::{FetchErrorKind, RemoteKeysState, RemoteKeysStatus},
};
use crate::{debug::partial_debug, jws::KeyStore};

/// The keys of an issuer, fetched from its JWK Set and kept up to date by a task.
///
/// A verifier gets them by [`SessionVerifierBuilder::keys`](crate::SessionVerifierBuilder::keys).
/// Verification then costs what it costs with keys that never change, and the provider is asked
/// rarely:
///
/// - **By schedule**, at a random 70 to 90 % of the lifetime of the set, so that the processes of a
///   fleet do not read at once. The lifetime is the `max-age` of the response, or else the time from its
///   `Date` to its `Expires`, raised or lowered to between 5 minutes and an hour; without one it is 10
///   minutes.
/// - **On demand**, for a token with an unknown key: at once, and 1 and 3 seconds later while the key
///   is not there. All requests share these reads. Two demands may follow each other at once, and
///   after them one every 5 seconds, or every 30 under a flood of invented keys. A
///   token that would be rejected whatever its key (by type, issuer, audience, time) causes no read.
///
/// With [`SessionLayer::wait_for_keys`](crate::SessionLayer::wait_for_keys) a request with an unknown
/// key waits for the read, so that a provider that signs with a new key at once costs no client its
/// session. Other layers answer 503 with `Retry-After` meanwhile.
///
/// While the provider fails, known keys stay in force for
/// [24 hours](crate::RemoteKeysBuilder::max_stale); reads are repeated with growing pauses, and `Retry-After`
/// is obeyed. A token whose key has not been looked up is answered 503
/// ([`KeysUnavailable`](crate::SessionErrorKind::KeysUnavailable)), and never 401: so are tokens with new
/// keys while strangers use up the reads with invented ones.
///
/// A clone is a handle to the same keys. The task ends with the last handle and verifier. It belongs
/// to the tokio runtime in which the keys were started: when that ends, no key is trusted.
///
/// # Security
///
/// Whoever controls the provider's set controls who can sign in, and so does whoever controls its
/// metadata, or its DNS name and a trusted certificate authority. Addresses come from the
/// configuration and the issuer's metadata, and never from a token. Of a set
/// the public keys among its first 64 are used. A response in which an object has a member twice is a
/// failed read. A client of your own should not follow redirects.
///
/// # Examples
///
/// In a service, with the client of the feature `https`:
///
/// ```no_run
/// # #[cfg(feature = "https")]
/// # async fn start() -> Result<(), tower_session_token::ConfigError> {
/// use tower_session_token::{Algorithm, RemoteKeys, SessionLayer, SessionVerifier, TokenType};
///
/// let keys = RemoteKeys::discover("https://id.example.com/realms/shop")
///     .algorithm(Algorithm::RS256) // for keys that name none
///     .start()?;
/// let verifier = SessionVerifier::builder()
///     .keys(&keys)
///     .issuer("https://id.example.com/realms/shop")
///     .audience("orders")
///     .accept_type(TokenType::Jwt)
///     .build()?;
/// let layer = SessionLayer::new(verifier).wait_for_keys();
/// # Ok(())
/// # }
/// ```
///
/// With a client of your own, here one that needs no network:
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::service_fn;
/// use tower_session_token::{Algorithm, KeySet, RemoteKeys, SigningKey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(Algorithm::ES256)?.with_id("2026-01");
/// let jwks = KeySet::new([key.verifying_key()])?.to_jwks();
/// let client = service_fn(move |_: Request<Full<&[u8]>>| {
///     let response = Response::new(Full::<bytes::Bytes>::from(jwks.clone()));
///     async { Ok::<_, std::io::Error>(response) }
/// });
///
/// let keys = RemoteKeys::at("https://id.example.com/jwks").client(client).start()?;
/// keys.ready().await;
/// assert_eq!(keys.status().keys, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RemoteKeys {
    store: KeyStore,
    shared: Arc<Shared>,
    origin: Arc<str>,
}

impl RemoteKeys {
    pub(super) fn new(store: KeyStore, shared: Arc<Shared>, origin: String) -> Self {
        Self {
            store,
            shared,
            origin: origin.into(),
        }
    }

    /// Whether there are keys to verify with, fresh or stale: for the readiness probe of a service.
    ///
    /// It stays true while a provider is down and its keys are still trusted, so that an outage of
    /// the provider takes no service out of rotation.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(
            self.state(),
            RemoteKeysState::Fresh | RemoteKeysState::Stale
        )
    }

    fn state(&self) -> RemoteKeysState {
        self.shared.with(|state, now| state.state(now))
    }

    /// The state of the keys and the results of the reads, for a status page or metrics.
    #[must_use]
    pub fn status(&self) -> RemoteKeysStatus {
        let set = self.store.current();
        self.shared.with(|state, now| {
            let (reads, failed_reads, demands) = state.machine.counts();
            RemoteKeysStatus {
                state: state.state(now),
                keys: set.len(),
                skipped: set.skipped().to_vec(),
                generation: self.store.generation(),
                next_read_in: state.machine.next_read_at(now).saturating_sub(now),
                last_failure: state.last_failure(),
                failures_in_a_row: state.machine.failures(),
                reads,
                failed_reads,
                demands,
            }
        })
    }

    /// Waits until [`is_ready`](Self::is_ready): until the first successful read, however long it
    /// takes. It returns too if the keys have [stopped](RemoteKeysState::Stopped).
    pub async fn ready(&self) {
        loop {
            let done = self.shared.read_done();
            if self.is_ready() || self.status().state == RemoteKeysState::Stopped {
                return;
            }
            done.await;
        }
    }

    /// Waits for the first successful read, for a service that should not start without keys.
    pub(super) async fn load(&self, patience: Duration) -> Result<(), FetchErrorKind> {
        let load = async {
            loop {
                let done = self.shared.read_done();
                if self.is_ready() {
                    return Ok(());
                }
                match self.status().last_failure {
                    Some(failure) if failure.is_permanent() => return Err(failure),
                    _ => done.await,
                }
            }
        };
        let loaded = time::timeout(patience, load).await;
        loaded.unwrap_or_else(|_| {
            Err(self
                .status()
                .last_failure
                .unwrap_or(FetchErrorKind::Timeout))
        })
    }

    /// Reads the set now, or joins the read that is under way, and waits for its end.
    ///
    /// It is for operators; unknown keys need no call. A pause that the provider asked for by
    /// `Retry-After` is kept.
    ///
    /// # Errors
    ///
    /// The reason why the read failed, or the last one if the provider asked for a pause.
    pub async fn refresh(&self) -> Result<(), FetchErrorKind> {
        let read = self.shared.with(|state, now| state.machine.refresh(now));
        self.shared.wake();
        loop {
            let done = self.shared.read_done();
            let (is_over, failure) = self.shared.with(|state, _| {
                let is_over = read.is_none_or(|read| state.machine.is_done(read));
                (is_over || state.is_stopped, state.last_failure())
            });
            if is_over {
                return failure.map_or(Ok(()), Err);
            }
            done.await;
        }
    }

    /// The keys in force with their age, for
    /// [`RemoteKeysBuilder::seed`](crate::RemoteKeysBuilder::seed) after a restart; `None` if there are
    /// none.
    #[must_use]
    pub fn snapshot(&self) -> Option<KeySnapshot> {
        let age = self.shared.with(|state, now| state.machine.age(now))?;
        let keys = self.store.current();
        let origin = self.origin.to_string();
        (!keys.is_empty()).then(|| KeySnapshot::new(origin, keys, age))
    }
}

/// A store of these keys, for [`SessionVerifierBuilder::keys`](crate::SessionVerifierBuilder::keys).
impl From<&RemoteKeys> for KeyStore {
    fn from(keys: &RemoteKeys) -> Self {
        keys.store.clone()
    }
}

partial_debug! {
    RemoteKeys(keys) {
        origin: keys.origin,
        keys: keys.store,
        state: keys.state(),
    }
}
