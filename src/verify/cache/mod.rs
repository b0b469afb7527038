//! Sessions of tokens that were verified already, so that the second request with a token costs
//! no signature.
//!
//! Each thread has tables of its own, one for each verifier, and so takes no lock and shares no
//! reference count with other threads. Only what was verified enters. A hit is a session of the
//! very same token (all of it is compared, in constant time), of the very same set of keys, at a
//! moment when the token is valid; everything else is a miss, and the token is judged anew.

mod state;
mod table;

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use self::{state::CacheState, table::Table};
use super::verified::{Validity, Verified};
use crate::{session::Session, time::NumericDate};

thread_local! {
    static TABLES: RefCell<Vec<Table>> = const { RefCell::new(Vec::new()) };
}

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
    shared: Arc<CacheState>,
}

impl TokenCache {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            shared: Arc::new(CacheState::new(max_bytes)),
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
        self.with_own_table(|table| table.get(hash, token, generation, now, is_valid))?
    }

    /// Notes that this token was verified; the second time, keeps its session. Most tokens of a
    /// flood are seen once.
    pub(super) fn note(&self, token: &[u8], verified: &Verified) {
        if let Some(hash) = self.shared.hash(token) {
            self.with_table(|table| {
                if table.note(hash, verified.generation, verified.at) {
                    table.insert(hash, token, verified);
                }
            });
        }
    }

    /// Hands this thread's table to `f`, if it has one.
    fn with_own_table<T>(&self, f: impl FnOnce(&mut Table) -> T) -> Option<T> {
        let visit = |tables: &RefCell<Vec<Table>>| {
            let mut tables = tables.try_borrow_mut().ok()?;
            let own = tables
                .iter_mut()
                .find(|it| Arc::ptr_eq(&it.shared, &self.shared));
            own.map(f)
        };
        TABLES.try_with(visit).ok().flatten()
    }

    /// As [`with_own_table`](Self::with_own_table), and makes a table where there is none.
    fn with_table(&self, f: impl FnOnce(&mut Table)) {
        // Not in a thread that is being torn down.
        let _ = TABLES.try_with(|tables| {
            let Ok(mut tables) = tables.try_borrow_mut() else {
                return;
            };
            tables.retain(|it| !it.shared.closed.load(Ordering::Relaxed));
            if let Some(own) = tables
                .iter_mut()
                .find(|it| Arc::ptr_eq(&it.shared, &self.shared))
            {
                return f(own);
            }
            if let Some(mut table) = Table::new(&self.shared) {
                f(&mut table);
                tables.reserve_exact(1);
                tables.push(table);
            }
        });
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

fn add(sum: &mut u64, counter: &AtomicU64) {
    *sum = sum.saturating_add(counter.load(Ordering::Relaxed));
}
