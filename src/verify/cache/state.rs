//! What the tables of all threads share.

use std::{
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use foldhash::fast::RandomState;

/// How many characters at the end of a token its place is found by: 192 bits of the signature,
/// which nobody without the key can choose.
const TAIL: usize = 32;

pub(super) struct CacheState {
    pub(super) max_bytes: usize,
    pub(super) random: RandomState,
    pub(super) bytes: AtomicUsize,
    pub(super) sessions: AtomicUsize,
    /// The verifier is gone.
    pub(super) closed: AtomicBool,
    pub(super) threads: Mutex<Threads>,
    /// How many share the bytes: those that saw a token twice.
    pub(super) thread_count: AtomicUsize,
}

#[derive(Default)]
pub(super) struct Threads {
    pub(super) living: Vec<Arc<Counters>>,
    /// What threads counted that have ended.
    pub(super) ended: Counters,
}

/// Written by one thread alone; aligned so that no other thread's are in the same cache line.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Counters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) evictions: AtomicU64,
}

impl CacheState {
    pub(super) fn new(max_bytes: usize) -> Self {
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
    pub(super) fn hash(&self, token: &[u8]) -> Option<u64> {
        let tail: &[u8; TAIL] = token.last_chunk()?;
        Some(self.random.hash_one(tail))
    }

    /// Takes so many bytes, if all threads together then have `most`.
    pub(super) fn take_bytes(&self, bytes: usize, most: usize) -> bool {
        let more = |had: usize| had.checked_add(bytes).filter(|it| *it <= most);
        let relaxed = Ordering::Relaxed;
        self.bytes.fetch_update(relaxed, relaxed, more).is_ok()
    }

    pub(super) fn give_bytes(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
