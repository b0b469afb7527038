//! Sessions that are refused before their tokens expire.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::{BuildHasher, Hash},
    sync::{
        Arc, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};

use crate::{
    identity::{Actor, SessionId, TokenId, UserId},
    session::Session,
    time::{Clock, MAX_LEEWAY, NumericDate},
};

/// Whether a session was revoked, asked at every request.
///
/// It is asked synchronously and has to answer from memory. A store elsewhere keeps a copy here
/// and answers [`Unknown`](RevocationStatus::Unknown) where the copy is too old to tell.
///
/// # Examples
///
/// ```
/// use tower_session_token::{RevocationCheck, RevocationStatus, Session};
///
/// /// Refuses one application altogether.
/// struct NoLegacyClient;
///
/// impl RevocationCheck for NoLegacyClient {
///     fn check(&self, session: &Session) -> RevocationStatus {
///         match session.application_id() {
///             Some(id) if *id == "legacy".into() => RevocationStatus::Revoked,
///             _ => RevocationStatus::Valid,
///         }
///     }
/// }
/// ```
pub trait RevocationCheck: Send + Sync {
    /// Whether `session`, whose token is verified, was revoked.
    fn check(&self, session: &Session) -> RevocationStatus;
}

impl<T: RevocationCheck + ?Sized> RevocationCheck for Arc<T> {
    fn check(&self, session: &Session) -> RevocationStatus {
        (**self).check(session)
    }
}

/// The answer of a [`RevocationCheck`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RevocationStatus {
    /// It was not revoked.
    Valid,
    /// It was revoked: the request is refused.
    Revoked,
    /// It is not known: the layer refuses with 503, or accepts, as it was configured.
    Unknown,
}

/// A list in memory of what was revoked: sessions, tokens, and all that a user was issued before
/// some moment, each of one issuer.
///
/// A clone is the same list: one goes to the layer and one stays where users log out. From the
/// return of a `revoke_…` call on, what it names is refused. An entry can be removed five minutes
/// (the largest leeway) after its tokens have expired, and is removed as the list grows, so the list
/// is about as long as what was revoked lately. Issuers are never removed: each takes some 15 KiB
/// from its first entry on.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use chrono::Utc;
/// use tower_session_token::{RevocationList, SessionId};
///
/// let list = RevocationList::new();
/// let logged_out = SessionId::from("0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77");
/// // Tokens of this issuer last an hour at most.
/// list.revoke_session("https://id.example.com", &logged_out, Utc::now() + Duration::from_secs(3600));
/// assert_eq!(list.len(), 1);
/// ```
#[derive(Clone)]
pub struct RevocationList {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    /// Issuers are few and stay; each has its tables.
    issuers: ArcSwap<HashMap<Box<str>, Arc<Tables>>>,
}

#[derive(Default)]
struct Tables {
    sessions: Table<SessionId, ()>,
    tokens: Table<TokenId, ()>,
    /// Revoked is what was issued before this moment.
    users: Table<UserId, NumericDate>,
}

impl Default for RevocationList {
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationList {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Clock::System)
    }

    /// An empty list that forgets entries by another clock than the system's; see
    /// [`SessionVerifierBuilder::clock`](crate::SessionVerifierBuilder::clock).
    #[must_use]
    pub fn with_clock(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self::with(Clock::Custom(Arc::new(now)))
    }

    fn with(clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                issuers: ArcSwap::default(),
            }),
        }
    }

    /// Revokes a session of `issuer` with all its tokens, and with the sessions that are nested in
    /// it; the last of them expires at `until` or before.
    ///
    /// A token without `iss`, which
    /// [`any_issuer`](crate::SessionVerifierBuilder::any_issuer) accepts, is looked up under the
    /// issuer `""`, here and in the methods below.
    pub fn revoke_session(&self, issuer: &str, id: &SessionId, until: DateTime<Utc>) {
        let tables = self.tables(issuer);
        tables.sessions.insert(id, until, self.now(), ());
    }

    /// Revokes one token of `issuer`, which expires at `until`; not the sessions that are nested in
    /// its session, since their tokens do not name it.
    pub fn revoke_token(&self, issuer: &str, id: &TokenId, until: DateTime<Utc>) {
        let tables = self.tables(issuer);
        tables.tokens.insert(id, until, self.now(), ());
    }

    /// Revokes what `issuer` issued before `before` to a user, and to others where that user acts in
    /// a nested session; the last of these tokens expires at `until` or before.
    ///
    /// An actor carries no time, so a nested token counts by its own `iat`. One that was issued
    /// later, in a session of that user that began before, stays valid until
    /// [`revoke_session`](Self::revoke_session) ends that session.
    ///
    /// A token that does not say when it was issued counts as issued before. Issuers write whole
    /// seconds: what is issued within the second of `before` is older than it unless `before` is
    /// a whole second too.
    pub fn revoke_user_before(
        &self,
        issuer: &str,
        id: &UserId,
        before: DateTime<Utc>,
        until: DateTime<Utc>,
    ) {
        let before = NumericDate::from(before);
        let tables = self.tables(issuer);
        tables.users.insert(id, until, self.now(), before);
    }

    /// How many entries are remembered. It looks at all of them.
    #[must_use]
    pub fn len(&self) -> usize {
        let now = self.now();
        let issuers = self.shared.issuers.load();
        issuers
            .values()
            .flat_map(|it| [it.sessions.len(now), it.tokens.len(now), it.users.len(now)])
            .sum()
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn now(&self) -> NumericDate {
        self.shared.clock.now()
    }

    fn tables(&self, issuer: &str) -> Arc<Tables> {
        if let Some(tables) = self.shared.issuers.load().get(issuer) {
            return Arc::clone(tables);
        }
        let new = Arc::<Tables>::default();
        self.shared.issuers.rcu(|had| {
            let mut issuers = HashMap::clone(had);
            issuers
                .entry(issuer.into())
                .or_insert_with(|| Arc::clone(&new));
            issuers
        });
        let issuers = self.shared.issuers.load();
        issuers.get(issuer).map_or(new, Arc::clone)
    }
}

impl RevocationCheck for RevocationList {
    fn check(&self, session: &Session) -> RevocationStatus {
        let Some(token) = session.token() else {
            return RevocationStatus::Valid;
        };
        let issuers = self.shared.issuers.load();
        let Some(tables) = issuers.get(token.issuer().unwrap_or_default()) else {
            return RevocationStatus::Valid;
        };
        let issued_at = token.issued_at_date();
        let is_revoked_session = |id| tables.sessions.get(id).is_some();
        let is_revoked_user = |id| {
            let before = tables.users.get(id);
            before.is_some_and(|before| issued_at.is_none_or(|iat| iat < before))
        };
        // A session ends with those that it is nested in, which began before it.
        let mut outer = session.actor().into_iter().flat_map(Actor::chain);
        let revoked = is_revoked_session(session.id())
            || is_revoked_user(session.user().id())
            || token.id().is_some_and(|id| tables.tokens.get(id).is_some())
            || outer.any(|actor| {
                actor.session_id().is_some_and(is_revoked_session)
                    || is_revoked_user(actor.user_id())
            });
        match revoked {
            true => RevocationStatus::Revoked,
            false => RevocationStatus::Valid,
        }
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not how many there are: counting locks and sweeps.
        f.debug_struct("RevocationList").finish_non_exhaustive()
    }
}

/// A map that forgets. It is split, so that a growing part holds up few readers, and an empty one
/// costs a reader one load.
struct Table<K, V> {
    len: AtomicUsize,
    hasher: RandomState,
    shards: [RwLock<Shard<K, V>>; 64],
}

struct Shard<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// How long the shard may become before it is looked through for what has expired.
    sweep_at: usize,
}

struct Entry<V> {
    value: V,
    until: NumericDate,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            len: AtomicUsize::new(0),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| {
                RwLock::new(Shard {
                    entries: HashMap::new(),
                    sweep_at: 64,
                })
            }),
        }
    }
}

impl<K: Clone + Eq + Hash, V: Copy + Ord> Table<K, V> {
    fn shard(&self, key: &K) -> &RwLock<Shard<K, V>> {
        let hash = self.hasher.hash_one(key);
        let at = usize::try_from(hash % 64).unwrap_or_default();
        self.shards.get(at).unwrap_or(&self.shards[0])
    }

    fn get(&self, key: &K) -> Option<V> {
        if self.len.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let shard = self
            .shard(key)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        shard.entries.get(key).map(|entry| entry.value)
    }

    /// Adds an entry, or lets the one that is there revoke more and last longer.
    fn insert(&self, key: &K, until: DateTime<Utc>, now: NumericDate, value: V) {
        let until = NumericDate::from(until).saturating_add(MAX_LEEWAY);
        let mut shard = self.write(self.shard(key));
        if shard.entries.len() >= shard.sweep_at {
            self.sweep(&mut shard, now);
            shard.sweep_at = shard.entries.len().saturating_mul(2).max(64);
        }
        match shard.entries.get_mut(key) {
            Some(entry) => {
                entry.value = entry.value.max(value);
                entry.until = entry.until.max(until);
            }
            None => {
                shard.entries.insert(key.clone(), Entry { value, until });
                self.len.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn len(&self, now: NumericDate) -> usize {
        for shard in &self.shards {
            self.sweep(&mut self.write(shard), now);
        }
        self.len.load(Ordering::SeqCst)
    }

    fn sweep(&self, shard: &mut Shard<K, V>, now: NumericDate) {
        let before = shard.entries.len();
        shard.entries.retain(|_, entry| now < entry.until);
        let gone = before.saturating_sub(shard.entries.len());
        self.len.fetch_sub(gone, Ordering::SeqCst);
    }

    fn write<'a>(&self, shard: &'a RwLock<Shard<K, V>>) -> RwLockWriteGuard<'a, Shard<K, V>> {
        shard.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_never_counted_forgets_too() {
        let table = Table::<u64, ()>::default();
        let moment = |at| DateTime::from_timestamp(1_768_478_400 + at, 0).unwrap();
        // Each entry is needed for ten moments and five minutes, and the table is only added to.
        for number in 0..200_000_i64 {
            let (now, until) = (moment(number), moment(number + 10));
            table.insert(&number.unsigned_abs(), until, NumericDate::from(now), ());
        }
        // Not `Table::len`, which sweeps.
        let held = table.len.load(Ordering::SeqCst);
        assert!((310..=64 * 64).contains(&held), "{held}");
    }

    #[test]
    fn entries_are_in_all_shards() {
        let table = Table::<u64, ()>::default();
        let shards = (0..10_000).map(|key| std::ptr::from_ref(table.shard(&key)));
        assert_eq!(shards.collect::<std::collections::HashSet<_>>().len(), 64);
    }

    #[test]
    fn a_shard_is_swept_again_when_it_has_twice_what_was_left() {
        let table = Table::<u64, ()>::default();
        let moment = |at: i64| DateTime::from_timestamp(1_768_478_400 + at, 0).unwrap();
        let of_one_shard = |key: &u64| std::ptr::eq(table.shard(key), &table.shards[0]);
        let mut keys = (0..).filter(of_one_shard);
        let mut insert = |now| {
            let key = keys.next().unwrap();
            table.insert(&key, moment(0), NumericDate::from(moment(now)), ());
            table.len.load(Ordering::SeqCst)
        };
        let expired = 301;
        // The 65th looks through the shard, and finds nothing that has expired.
        let held: Vec<_> = (0..65).map(|_| insert(0)).collect();
        assert!(held.into_iter().eq(1..=65));
        // They have expired since, and stay until there are 128.
        let held: Vec<_> = (0..64).map(|_| insert(expired)).collect();
        assert!(held.into_iter().eq((66..=128).chain([1])));
    }
}
