//! A cache of verified tokens, so that the third request with a token costs no signature.
//!
//! Each thread has one table for each verifier, and so takes no lock and shares no reference count
//! with other threads. Only verified tokens enter. A hit is a session of the same token (all of it is
//! compared, in constant time) and the same key set, at an instant at which the verifier would make
//! the same session; everything else is a miss, and the token is verified.

mod table;

use std::{
    cell::RefCell,
    hash::BuildHasher,
    num::NonZero,
    ptr,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    thread,
};

use foldhash::fast::RandomState;

use self::table::{Seat, Table};
use crate::{session::Session, time::NumericDate};

thread_local! {
    static TABLES: RefCell<Vec<(Weak<TokenCache>, Table)>> = const { RefCell::new(Vec::new()) };
}

/// Hit, miss and eviction counts of a verifier's token cache, and its current size; from
/// [`SessionVerifier::cache_stats`](crate::SessionVerifier::cache_stats).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Lookups that found a session.
    pub hits: u64,
    /// Lookups that missed and whose token was then verified and accepted. Those of threads without a
    /// table are not counted.
    pub misses: u64,
    /// Sessions that were removed to make room for others.
    pub evictions: u64,
    /// Cached sessions, expired ones included until they are removed. A session cached by several
    /// threads counts once for each.
    pub sessions: usize,
    /// Bytes of memory that the tables of all threads take, estimated from above.
    pub bytes: usize,
}

/// The cache of one verifier, in all threads.
pub(super) struct TokenCache {
    /// Bytes for the table of one thread.
    quota: usize,
    issuers: usize,
    hasher: RandomState,
    /// One for each thread that may have a table.
    seats: Box<[Arc<Seat>]>,
}

impl TokenCache {
    /// A cache of `max_bytes` for the sessions of this many issuers, divided among as many threads as
    /// the machine runs at once.
    pub(super) fn new(max_bytes: usize, issuers: usize) -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Self {
            quota: max_bytes / threads,
            issuers,
            hasher: RandomState::default(),
            seats: (0..threads.get()).map(|_| Arc::default()).collect(),
        }
    }

    /// The session of this token, if the current keys of its issuer verified it and the verifier would
    /// make the same one `now`. `generation` is that of an issuer's current key set.
    pub(super) fn get(
        self: &Arc<Self>,
        token: &[u8],
        now: NumericDate,
        generation: impl Fn(usize) -> u64,
    ) -> Option<Session> {
        self.with_table(token, |table, hash| table.get(hash, token, now, generation))?
    }

    /// Notes that this token was verified, and caches its session the second time.
    pub(super) fn note(self: &Arc<Self>, token: &[u8], session: &Session, now: NumericDate) {
        self.with_table(token, |table, hash| table.note(hash, token, session, now));
    }

    /// Calls `f` with this thread's table, which it makes if there is none, and the hash of `token`.
    /// `None` for a token that is too short to be signed, and in a thread that gets no table.
    #[inline]
    fn with_table<T>(
        self: &Arc<Self>,
        token: &[u8],
        f: impl FnOnce(&mut Table, u64) -> T,
    ) -> Option<T> {
        // 96 bits of the signature, which nobody without the key can choose.
        let tail = u128::from_ne_bytes(*token.last_chunk()?);
        let hash = self.hasher.hash_one(tail);
        let visit = |tables: &RefCell<Vec<(Weak<Self>, Table)>>| {
            let mut tables = tables.try_borrow_mut().ok()?;
            let is_own = |owner: &Weak<Self>| ptr::eq(owner.as_ptr(), &**self);
            if let [(owner, table)] = &mut **tables
                && is_own(owner)
            {
                return Some(f(table, hash));
            }
            // Frees the tables of dropped verifiers.
            tables.retain(|(owner, _)| owner.strong_count() > 0);
            if !tables.iter().any(|(owner, _)| is_own(owner)) {
                let table = Table::new(self.quota, self.issuers, &self.seats)?;
                tables.push((Arc::downgrade(self), table));
            }
            let (_, table) = tables.iter_mut().find(|(owner, _)| is_own(owner))?;
            Some(f(table, hash))
        };
        TABLES.try_with(visit).ok()?
    }

    #[expect(clippy::arithmetic_side_effects, reason = "no sum reaches 2^64")]
    pub(super) fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        for seat in &self.seats {
            stats.hits += seat.hits.load(Relaxed);
            stats.misses += seat.misses.load(Relaxed);
            stats.evictions += seat.evictions.load(Relaxed);
            stats.sessions += seat.sessions.load(Relaxed);
            stats.bytes += seat.bytes.load(Relaxed);
        }
        stats
    }
}
