//! Store of the keys in force, which can be replaced at any time.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwap, Guard};

use super::header_cache::KnownHeaders;
#[cfg(feature = "remote_keys")]
use super::key_source::KeySource;
use crate::key::KeySet;

/// A store of the keys in force, which can be replaced as a whole while requests are served.
///
/// A clone is a handle to the same store: give one to the verifier, and rotate keys with another.
/// Verification takes no lock. A token whose verification begins after [`replace`](Self::replace) has
/// returned is verified with the new set.
///
/// # Examples
///
/// ```
/// use tower_session_token::{KeySet, KeyStore, SessionVerifier, VerifyingKey};
///
/// let old = VerifyingKey::hs256([1; 32])?.with_id("old");
/// let new = VerifyingKey::hs256([2; 32])?.with_id("new");
/// let store = KeyStore::new(KeySet::new([old.clone()])?);
/// let verifier = SessionVerifier::builder()
///     .keys(store.clone())
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .build()?;
///
/// // First both, until all tokens of the old key have expired; then the new one alone.
/// store.replace(KeySet::new([old, new.clone()])?);
/// store.replace(KeySet::new([new])?);
/// assert_eq!(store.generation(), 3);
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct KeyStore {
    inner: Arc<KeyStoreInner>,
}

struct KeyStoreInner {
    current: ArcSwap<CurrentKeys>,
    /// The generation of `current`, or the previous one during a swap.
    generation: AtomicU64,
    /// Held by writers, so that generations are consecutive.
    writing: Mutex<()>,
    /// `None` where only the application replaces the keys.
    #[cfg(feature = "remote_keys")]
    source: Option<Arc<dyn KeySource>>,
}

/// A store that is dropped with its last [`KeyStore`].
#[cfg(feature = "remote_keys")]
pub(crate) struct WeakKeyStore(std::sync::Weak<KeyStoreInner>);

#[cfg(feature = "remote_keys")]
impl WeakKeyStore {
    pub(crate) fn upgrade(&self) -> Option<KeyStore> {
        self.0.upgrade().map(|inner| KeyStore { inner })
    }
}

/// A set with its generation and the headers of tokens that it verified.
pub(crate) struct CurrentKeys {
    pub(super) set: KeySet,
    pub(crate) generation: u64,
    pub(super) known_headers: KnownHeaders,
}

impl CurrentKeys {
    fn new(set: KeySet, generation: u64) -> Self {
        Self {
            set,
            generation,
            known_headers: KnownHeaders::default(),
        }
    }

    /// Whether a signature of one of these keys covered this encoded JOSE header.
    pub(crate) fn has_verified(&self, header: &[u8]) -> bool {
        self.known_headers.find(header).is_some()
    }
}

impl KeyStore {
    /// Creates a store of this set, which has generation 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{KeySet, KeyStore, VerifyingKey};
    ///
    /// let store = KeyStore::new(KeySet::new([VerifyingKey::hs256([1; 32])?])?);
    /// assert_eq!(store.generation(), 1);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn new(set: KeySet) -> Self {
        Self {
            inner: Arc::new(KeyStoreInner {
                current: ArcSwap::from_pointee(CurrentKeys::new(set, 1)),
                generation: AtomicU64::new(1),
                writing: Mutex::new(()),
                #[cfg(feature = "remote_keys")]
                source: None,
            }),
        }
    }

    /// Creates a store of no key, which `source` fills.
    #[cfg(feature = "remote_keys")]
    #[expect(clippy::expect_used, reason = "the store was made here")]
    pub(crate) fn of_source(source: Arc<dyn KeySource>) -> Self {
        let mut store = Self::new(KeySet::none());
        let inner = Arc::get_mut(&mut store.inner).expect("no other handle");
        inner.source = Some(source);
        store
    }

    #[cfg(feature = "remote_keys")]
    pub(crate) fn source(&self) -> Option<&dyn KeySource> {
        self.inner.source.as_deref()
    }

    #[cfg(feature = "remote_keys")]
    pub(crate) fn downgrade(&self) -> WeakKeyStore {
        WeakKeyStore(Arc::downgrade(&self.inner))
    }

    /// The set in force. The call increments two reference counts.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{KeySet, KeyStore, VerifyingKey};
    ///
    /// let keys = KeySet::new([VerifyingKey::hs256([1; 32])?])?;
    /// let store = KeyStore::new(keys.clone());
    /// assert_eq!(store.current(), keys);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn current(&self) -> KeySet {
        self.load().set.clone()
    }

    /// Replaces the set in force by `set`, and returns the generation in force.
    ///
    /// This invalidates the token caches of all verifiers with this store: each token is verified
    /// again. A set equal to the one in force changes nothing, not even
    /// [`skipped`](KeySet::skipped), so keys can be polled at any interval.
    ///
    /// A request in the middle of verification may still use the previous set.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{KeySet, KeyStore, VerifyingKey};
    ///
    /// let set = |secret| KeySet::new([VerifyingKey::hs256(secret)?]);
    /// let store = KeyStore::new(set([1; 32])?);
    /// assert_eq!(store.replace(set([2; 32])?), 2);
    /// assert_eq!(store.replace(set([2; 32])?), 2);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn replace(&self, set: KeySet) -> u64 {
        let writing = self.inner.writing.lock();
        let _writing = writing.unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation();
        if self.load().set == set {
            return generation;
        }
        let generation = generation.wrapping_add(1);
        let current = Arc::new(CurrentKeys::new(set, generation));
        self.inner.current.store(current);
        // From here on, no cache returns a session of the previous set.
        self.inner.generation.store(generation, Ordering::SeqCst);
        generation
    }

    /// The generation of the set in force: 1 at first, incremented by each
    /// [`replace`](Self::replace) with a different set.
    #[must_use]
    #[inline]
    pub fn generation(&self) -> u64 {
        self.inner.generation.load(Ordering::SeqCst)
    }

    pub(crate) fn load(&self) -> Guard<Arc<CurrentKeys>> {
        self.inner.current.load()
    }
}

impl From<KeySet> for KeyStore {
    fn from(set: KeySet) -> Self {
        Self::new(set)
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.load();
        f.debug_struct("KeyStore")
            .field("generation", &current.generation)
            .field("keys", &current.set)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::key::VerifyingKey;

    #[test]
    fn no_reader_sees_the_previous_set_after_replace_has_returned() {
        let numbered = |number: u64| {
            let key = VerifyingKey::hs256([1; 32]).unwrap();
            KeySet::new([key.with_id(number.to_string())]).unwrap()
        };
        let store = KeyStore::new(numbered(1));
        let swapped = AtomicU64::new(1);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let least = swapped.load(Ordering::SeqCst);
                        let current = store.load();
                        let id = current.set.select(None, "HS256").unwrap().id().unwrap();
                        assert!(id.parse::<u64>().unwrap() >= least);
                        if least == 1000 {
                            break;
                        }
                    }
                });
            }
            for number in 2..=1000 {
                assert_eq!(store.replace(numbered(number)), number);
                swapped.store(number, Ordering::SeqCst);
            }
        });
        assert_eq!(store.generation(), 1000);
    }

    #[test]
    fn replacing_a_set_by_an_equal_one_changes_nothing() {
        let key = |byte, id: &str| VerifyingKey::hs256([byte; 32]).unwrap().with_id(id);
        let set = |keys: &[(u8, &str)]| {
            KeySet::new(keys.iter().map(|(byte, id)| key(*byte, id))).unwrap()
        };
        let store = KeyStore::new(set(&[(1, "a"), (2, "b")]));
        let before = std::ptr::from_ref(&**store.load());
        assert_eq!(store.replace(set(&[(2, "b"), (1, "a")])), 1);
        assert_eq!(
            (store.generation(), std::ptr::from_ref(&**store.load())),
            (1, before)
        );
        for (generation, keys) in [
            (2, &[(1, "a")][..]),
            (3, &[(2, "a")]),
            (4, &[(2, "b")]),
            (5, &[(1, "a"), (2, "b")]),
        ] {
            assert_eq!(store.replace(set(keys)), generation);
            assert_eq!(store.replace(set(keys)), generation);
            assert_eq!(
                (store.generation(), store.current()),
                (generation, set(keys))
            );
        }
    }
}
