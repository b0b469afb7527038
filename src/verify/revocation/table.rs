//! A concurrent map whose entries expire.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    sync::{
        OnceLock, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use foldhash::quality::RandomState;

use crate::time::{MAX_LEEWAY, NumericDate};

/// One for each value of a byte. With a million entries a shard moves three thousand as it grows.
const SHARDS: usize = 256;
/// The length at which a shard is swept first.
const FIRST_SWEEP: usize = 16;

/// A map whose entries expire. It is sharded, so that a growing shard blocks few readers, and those not
/// for long. A lookup in an empty map is one atomic load.
pub(super) struct Table<K, V> {
    len: AtomicUsize,
    hasher: RandomState,
    /// Made with the first entry, and so before `len` says that there is one.
    shards: OnceLock<Box<Shards<K, V>>>,
}

type Shards<K, V> = [RwLock<Shard<K, V>>; SHARDS];

struct Shard<K, V> {
    entries: HashMap<K, Entry<V>, RandomState>,
    /// The length at which expired entries are swept.
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
            hasher: RandomState::default(),
            shards: OnceLock::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V: Copy + Ord> Table<K, V> {
    fn shards(&self) -> &Shards<K, V> {
        self.shards.get_or_init(|| {
            Box::new(std::array::from_fn(|_| {
                RwLock::new(Shard {
                    entries: HashMap::default(),
                    sweep_at: FIRST_SWEEP,
                })
            }))
        })
    }

    #[expect(clippy::indexing_slicing, reason = "a byte is the index of a shard")]
    fn shard<'a>(&self, shards: &'a Shards<K, V>, key: &K) -> &'a RwLock<Shard<K, V>> {
        let [byte, ..] = self.hasher.hash_one(key).to_le_bytes();
        &shards[usize::from(byte)]
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        if self.len.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let shards = self.shards.get()?;
        let shard = self
            .shard(shards, key)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        shard.entries.get(key).map(|entry| entry.value)
    }

    /// Adds an entry, or raises value and expiry of the entry of this key to those given. Returns
    /// whether the map has changed.
    pub(super) fn insert(&self, key: &K, until: NumericDate, now: NumericDate, value: V) -> bool {
        let mut shard = self.write(self.shard(self.shards(), key));
        if shard.entries.len() >= shard.sweep_at {
            self.sweep(&mut shard, now);
            shard.sweep_at = shard.entries.len().saturating_mul(2).max(FIRST_SWEEP);
        }
        match shard.entries.get_mut(key) {
            Some(entry) => {
                let is_new = entry.value < value || entry.until < until;
                entry.value = entry.value.max(value);
                entry.until = entry.until.max(until);
                is_new
            }
            None => {
                shard.entries.insert(key.clone(), Entry { value, until });
                self.len.fetch_add(1, Ordering::SeqCst);
                true
            }
        }
    }

    /// None before the first entry.
    fn made_shards(&self) -> impl Iterator<Item = &RwLock<Shard<K, V>>> {
        self.shards.get().into_iter().flat_map(|shards| &**shards)
    }

    /// Calls `f` with key, value and expiry of each entry, without a lock held.
    pub(super) fn for_each(&self, mut f: impl FnMut(K, V, NumericDate)) {
        for shard in self.made_shards() {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            let entries = shard.entries.iter();
            let entries: Vec<_> = entries
                .map(|(key, entry)| (key.clone(), entry.value, entry.until))
                .collect();
            drop(shard);
            for (key, value, until) in entries {
                f(key, value, until);
            }
        }
    }

    pub(super) fn len(&self, now: NumericDate) -> usize {
        for shard in self.made_shards() {
            self.sweep(&mut self.write(shard), now);
        }
        self.len.load(Ordering::SeqCst)
    }

    fn sweep(&self, shard: &mut Shard<K, V>, now: NumericDate) {
        let before = shard.entries.len();
        // A verifier may accept a token for the largest leeway after its expiry.
        let forget = now.saturating_sub(MAX_LEEWAY);
        shard.entries.retain(|_, entry| forget < entry.until);
        let dropped = before.saturating_sub(shard.entries.len());
        self.len.fetch_sub(dropped, Ordering::SeqCst);
    }

    fn write<'a>(&self, shard: &'a RwLock<Shard<K, V>>) -> RwLockWriteGuard<'a, Shard<K, V>> {
        shard.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insertion_alone_sweeps_expired_entries() {
        let table = Table::<u64, ()>::default();
        let instant =
            |at: i64| NumericDate::new(u64::try_from(1_768_478_400 + at).unwrap(), 0).unwrap();
        // Each entry expires after ten seconds, and is dropped five minutes later.
        for number in 0..200_000_i64 {
            let (now, until) = (instant(number), instant(number + 10));
            table.insert(&number.unsigned_abs(), until, now, ());
        }
        // `Table::len` would sweep.
        let held = table.len.load(Ordering::SeqCst);
        assert!((310..=SHARDS * FIRST_SWEEP).contains(&held), "{held}");
    }

    #[test]
    fn keys_spread_over_all_shards() {
        let table = Table::<u64, ()>::default();
        let shards = (0..10_000).map(|key| std::ptr::from_ref(table.shard(table.shards(), &key)));
        assert_eq!(
            shards.collect::<std::collections::HashSet<_>>().len(),
            SHARDS
        );
    }

    #[test]
    fn a_shard_is_swept_again_at_twice_its_length_after_the_last_sweep() {
        let table = Table::<u64, ()>::default();
        let instant =
            |at: i64| NumericDate::new(u64::try_from(1_768_478_400 + at).unwrap(), 0).unwrap();
        let of_one_shard =
            |key: &u64| std::ptr::eq(table.shard(table.shards(), key), &table.shards()[0]);
        let mut keys = (0..).filter(of_one_shard);
        let mut insert = |now| {
            let key = keys.next().unwrap();
            table.insert(&key, instant(0), instant(now), ());
            table.len.load(Ordering::SeqCst)
        };
        let expired = 301;
        // The 17th insertion sweeps the shard, and no entry has expired.
        let held: Vec<_> = (0..17).map(|_| insert(0)).collect();
        assert!(held.into_iter().eq(1..=17));
        // All have expired by now, and stay until the shard has 32 entries.
        let held: Vec<_> = (0..16).map(|_| insert(expired)).collect();
        assert!(held.into_iter().eq((18..=32).chain([1])));
    }
}
