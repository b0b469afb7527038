//! Sessions of tokens that were verified already, so that the second request with a token costs
//! no signature.
//!
//! Each thread has tables of its own, one for each verifier, and so takes no lock and shares no
//! reference count with other threads. Only what was verified enters. A hit is a session of the
//! very same token (all of it is compared, in constant time), of the very same set of keys, at a
//! moment when the token is valid; everything else is a miss, and the token is judged anew.

mod table;

use std::{
    cell::RefCell,
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use foldhash::fast::RandomState;

use self::table::Table;
use super::{
    time::{NumericDate, Validity},
    verifier::Verified,
};
use crate::session::Session;

thread_local! {
    static TABLES: RefCell<Vec<Table>> = const { RefCell::new(Vec::new()) };
}

/// How many characters at the end of a token its place is found by: 192 bits of the signature,
/// which nobody without the key can choose.
const TAIL: usize = 32;

/// How often a verifier's cache of verified tokens was of use, and how large it is; from
/// [`SessionVerifier::cache_stats`](crate::SessionVerifier::cache_stats).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Tokens whose session was there.
    pub hits: u64,
    /// Tokens that were verified and accepted, since their session was not there; without those
    /// of threads for which there is no room at all.
    pub misses: u64,
    /// Sessions that went to make room for others.
    pub evictions: u64,
    /// Sessions that are there now; one that several threads have counts for each.
    pub sessions: usize,
    /// Bytes that all threads together use now, counted generously.
    pub bytes: usize,
}

/// The cache of one verifier, in all threads.
pub(super) struct TokenCache {
    shared: Arc<Shared>,
}

struct Shared {
    max_bytes: usize,
    random: RandomState,
    bytes: AtomicUsize,
    sessions: AtomicUsize,
    /// The verifier is gone.
    closed: AtomicBool,
    threads: Mutex<Threads>,
    /// How many share the bytes: those that saw a token twice.
    thread_count: AtomicUsize,
}

#[derive(Default)]
struct Threads {
    living: Vec<Arc<Counters>>,
    /// What threads counted that have ended.
    ended: Counters,
}

/// Written by one thread alone; aligned so that no other thread's are in the same cache line.
#[derive(Default)]
#[repr(align(128))]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
}

impl TokenCache {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            shared: Arc::new(Shared::new(max_bytes)),
        }
    }

    /// The session of this token, if it is there, was verified with this `generation` of keys and
    /// `is_valid` says that it still holds `now`.
    pub(super) fn get(
        &self,
        token: &[u8],
        generation: u64,
        now: impl FnOnce() -> NumericDate,
        is_valid: impl FnOnce(&Session, &Validity, NumericDate) -> bool,
    ) -> Option<Session> {
        let hash = self.shared.hash(token)?;
        self.shared
            .with_own_table(|table| table.get(hash, token, generation, now, is_valid))?
    }

    /// Notes that this token was verified; the second time, keeps its session. Most tokens of a
    /// flood are seen once.
    pub(super) fn note(&self, token: &[u8], verified: &Verified) {
        if let Some(hash) = self.shared.hash(token) {
            self.shared.with_table(|table| {
                if table.note(hash, verified.generation, verified.at) {
                    table.insert(hash, token, verified);
                }
            });
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        let shared = &*self.shared;
        let threads = shared.threads();
        let mut stats = CacheStats {
            sessions: shared.sessions.load(Ordering::Relaxed),
            bytes: shared.bytes.load(Ordering::Relaxed),
            ..CacheStats::default()
        };
        for counters in threads
            .living
            .iter()
            .map(|it| &**it)
            .chain([&threads.ended])
        {
            add(&mut stats.hits, &counters.hits);
            add(&mut stats.misses, &counters.misses);
            add(&mut stats.evictions, &counters.evictions);
        }
        stats
    }
}

/// The tables go at the next occasion that their threads have.
impl Drop for TokenCache {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            random: RandomState::default(),
            bytes: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            threads: Mutex::default(),
            thread_count: AtomicUsize::new(0),
        }
    }

    /// Where a token belongs; `None` for one that is too short to be signed.
    fn hash(&self, token: &[u8]) -> Option<u64> {
        let tail: &[u8; TAIL] = token.last_chunk()?;
        Some(self.random.hash_one(tail))
    }

    /// Takes so many bytes, if all threads together then have `most`.
    fn take_bytes(&self, bytes: usize, most: usize) -> bool {
        let more = |had: usize| had.checked_add(bytes).filter(|it| *it <= most);
        let relaxed = Ordering::Relaxed;
        self.bytes.fetch_update(relaxed, relaxed, more).is_ok()
    }

    fn give_bytes(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands this thread's table to `f`, if it has one.
    fn with_own_table<T>(self: &Arc<Self>, f: impl FnOnce(&mut Table) -> T) -> Option<T> {
        let visit = |tables: &RefCell<Vec<Table>>| {
            let mut tables = tables.try_borrow_mut().ok()?;
            let own = tables.iter_mut().find(|it| Arc::ptr_eq(&it.shared, self));
            own.map(f)
        };
        TABLES.try_with(visit).ok().flatten()
    }

    /// As [`with_own_table`](Self::with_own_table), and makes a table where there is none.
    fn with_table(self: &Arc<Self>, f: impl FnOnce(&mut Table)) {
        // Not in a thread that is being torn down.
        let _ = TABLES.try_with(|tables| {
            let Ok(mut tables) = tables.try_borrow_mut() else {
                return;
            };
            tables.retain(|it| !it.shared.closed.load(Ordering::Relaxed));
            if let Some(own) = tables.iter_mut().find(|it| Arc::ptr_eq(&it.shared, self)) {
                return f(own);
            }
            if let Some(mut table) = Table::new(self) {
                f(&mut table);
                tables.reserve_exact(1);
                tables.push(table);
            }
        });
    }
}

fn add(sum: &mut u64, counter: &AtomicU64) {
    *sum = sum.saturating_add(counter.load(Ordering::Relaxed));
}
