//! Models of the state that the crate's threads share, which loom runs in every order that the memory
//! model allows.
//!
//! ```text
//! cargo test -p tower-session-token-models
//! ```
//!
//! They are models, written after the code line by line, and not the code itself: an `ArcSwap` does
//! not run under loom. An atomic number that identifies its value stands in for it, read with
//! `Acquire` and written with `AcqRel`, the weakest orderings that it promises. A change of the protocol in
//! `src/jws/key_store.rs`, `src/verify/verifier.rs`, `src/verify/cache/table.rs`,
//! `src/verify/revocation/list.rs`, `mirror.rs` or `table.rs` there, or in `src/remote/driver.rs` is a
//! change here too. Each model also runs with a mistake in it, and must fail then.

#[cfg(test)]
mod waiting;

#[cfg(test)]
mod tests {
    use loom::{
        model,
        sync::{
            Arc, Mutex, RwLock,
            atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        },
        thread,
    };

    /// Protocol between the key store and the verifier's cache.
    #[derive(Clone, Copy)]
    struct Protocol {
        writers_take_turns: bool,
        keys_come_first: bool,
        /// An entry has the generation of the set that verified it, not the one that was read
        /// before.
        stamp_is_the_set_s: bool,
        cache_looks_at_generations: bool,
    }

    const OURS: Protocol = Protocol {
        writers_take_turns: true,
        keys_come_first: true,
        stamp_is_the_set_s: true,
        cache_looks_at_generations: true,
    };

    /// `KeyStore`. A set consists of its generation and one key.
    struct Store {
        protocol: Protocol,
        current: AtomicU64,
        generation: AtomicU64,
        writing: Mutex<()>,
    }

    const OLD: u64 = 1;
    const NEW: u64 = 2;
    const NEWER: u64 = 3;

    fn set(generation: u64, key: u64) -> u64 {
        generation << 8 | key
    }

    impl Store {
        fn new(protocol: Protocol) -> Self {
            Self {
                protocol,
                current: AtomicU64::new(set(1, OLD)),
                generation: AtomicU64::new(1),
                writing: Mutex::new(()),
            }
        }

        fn replace(&self, key: u64) -> u64 {
            let writing = self.protocol.writers_take_turns;
            let _writing = writing.then(|| self.writing.lock().unwrap());
            let generation = self.generation() + 1;
            let publish = || self.generation.store(generation, Ordering::SeqCst);
            if !self.protocol.keys_come_first {
                publish();
            }
            self.current.swap(set(generation, key), Ordering::AcqRel);
            if self.protocol.keys_come_first {
                publish();
            }
            generation
        }

        fn generation(&self) -> u64 {
            self.generation.load(Ordering::SeqCst)
        }
    }

    /// One thread's table, with a slot for one token.
    #[derive(Default)]
    struct Cache {
        generation: u64,
        has_entry: bool,
    }

    /// `SessionVerifier::verify` of a token of this key.
    fn verify(store: &Store, cache: &mut Cache, key: u64) -> bool {
        let generation = store.generation();
        if store.protocol.cache_looks_at_generations && cache.generation != generation {
            *cache = Cache {
                generation,
                has_entry: false,
            };
        }
        if cache.has_entry {
            return true;
        }
        let current = store.current.load(Ordering::Acquire);
        if current & 0xff != key {
            return false;
        }
        cache.generation = if store.protocol.stamp_is_the_set_s {
            current >> 8
        } else {
            generation
        };
        cache.has_entry = true;
        true
    }

    /// One swap, and two verifications on one of two other threads.
    fn swap_while_verifying(protocol: Protocol) {
        model(move || {
            let store = Arc::new(Store::new(protocol));
            let (begun, done) = (
                Arc::new(AtomicBool::new(false)),
                Arc::new(AtomicBool::new(false)),
            );
            let reader = {
                let (store, begun, done) = (store.clone(), begun.clone(), done.clone());
                thread::spawn(move || {
                    let mut cache = Cache::default();
                    for _ in 0..2 {
                        let after = done.load(Ordering::Acquire);
                        let accepted = verify(&store, &mut cache, OLD);
                        let before = !begun.load(Ordering::Acquire);
                        assert!(!(after && accepted), "a withdrawn key was accepted");
                        assert!(!before || accepted, "a good key was rejected");
                    }
                })
            };
            begun.store(true, Ordering::Release);
            store.replace(NEW);
            done.store(true, Ordering::Release);
            let mut cache = Cache::default();
            assert!(!verify(&store, &mut cache, OLD));
            assert!(verify(&store, &mut cache, NEW));
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_withdrawn_key_is_rejected_from_the_swap_s_return_on() {
        swap_while_verifying(OURS);
    }

    /// Entries have the generation of the set that verified them, so either order of the two stores
    /// is correct.
    #[test]
    fn either_order_of_keys_and_generation_will_do() {
        swap_while_verifying(Protocol {
            keys_come_first: false,
            ..OURS
        });
    }

    #[test]
    #[should_panic(expected = "a withdrawn key was accepted")]
    fn both_mistakes_together_would_not_do() {
        swap_while_verifying(Protocol {
            keys_come_first: false,
            stamp_is_the_set_s: false,
            ..OURS
        });
    }

    #[test]
    #[should_panic(expected = "a withdrawn key was accepted")]
    fn a_cache_that_looks_at_no_generation_would_not_do() {
        swap_while_verifying(Protocol {
            cache_looks_at_generations: false,
            ..OURS
        });
    }

    fn two_writers(protocol: Protocol) {
        model(move || {
            let store = Arc::new(Store::new(protocol));
            let writer = {
                let store = store.clone();
                thread::spawn(move || store.replace(NEW))
            };
            let mine = store.replace(NEWER);
            // A key that an earlier swap withdrew does not come back, whichever set is in force.
            assert!(!verify(&store, &mut Cache::default(), OLD));
            let theirs = writer.join().unwrap();
            assert_eq!(mine + theirs, 5, "two swaps have the same generation");
            let last = if mine > theirs { NEWER } else { NEW };
            assert_eq!(store.current.load(Ordering::Acquire), set(3, last));
            assert_eq!(store.generation(), 3);
        });
    }

    #[test]
    fn writers_take_turns() {
        two_writers(OURS);
    }

    #[test]
    #[should_panic(expected = "two swaps have the same generation")]
    fn writers_without_a_lock_would_not_do() {
        two_writers(Protocol {
            writers_take_turns: false,
            ..OURS
        });
    }

    /// The `Seat` of a cache's table, and one of its counters, which only the thread that has the seat
    /// adds to: by a load and a store.
    fn take_seat(released_with: Ordering) {
        model(move || {
            let is_taken = Arc::new(AtomicBool::new(false));
            let hits = Arc::new(AtomicU64::new(0));
            let work = |is_taken: Arc<AtomicBool>, hits: Arc<AtomicU64>| {
                move || {
                    let has_seat = !is_taken.load(Ordering::Relaxed)
                        && !is_taken.swap(true, Ordering::Acquire);
                    if has_seat {
                        hits.store(hits.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                        is_taken.store(false, released_with);
                    }
                    has_seat
                }
            };
            let other = thread::spawn(work(is_taken.clone(), hits.clone()));
            let mine = work(is_taken, hits.clone())();
            let theirs = other.join().unwrap();
            let counted = hits.load(Ordering::Relaxed);
            assert!(mine || theirs, "the seat was lost");
            assert_eq!(
                counted,
                u64::from(mine) + u64::from(theirs),
                "a hit was lost"
            );
        });
    }

    #[test]
    fn the_next_table_of_a_seat_adds_to_what_the_last_one_counted() {
        take_seat(Ordering::Release);
    }

    #[test]
    #[should_panic(expected = "a hit was lost")]
    fn a_seat_released_without_order_loses_counts() {
        take_seat(Ordering::Relaxed);
    }

    /// `RevocationList` with one issuer, whose tables are one of these, or none, which is 0.
    struct List {
        issuer: AtomicUsize,
        tables: [Table; 2],
        looks_again: bool,
    }

    impl List {
        /// `own` is the table that this thread creates if there is none.
        fn tables(&self, own: usize) -> &Table {
            let there = self.issuer.load(Ordering::Acquire);
            if there != 0 {
                return &self.tables[there - 1];
            }
            // `rcu`: the second thread keeps the existing value.
            let _ = self
                .issuer
                .compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire);
            if self.looks_again {
                &self.tables[self.issuer.load(Ordering::Acquire) - 1]
            } else {
                &self.tables[own - 1]
            }
        }

        fn revoke(&self, own: usize, session: usize) {
            self.tables(own).insert(session, LATER);
        }

        fn is_revoked(&self, session: usize) -> bool {
            match self.issuer.load(Ordering::Acquire) {
                0 => false,
                there => self.tables[there - 1].get(session),
            }
        }
    }

    /// How entries are counted.
    #[derive(Clone, Copy)]
    struct Counting {
        is_atomic: bool,
        is_under_the_lock: bool,
    }

    const OUR_COUNTING: Counting = Counting {
        is_atomic: true,
        is_under_the_lock: true,
    };

    /// `Table`, with two of its shards and the count of all.
    struct Table {
        counting: Counting,
        len: AtomicUsize,
        shards: [RwLock<Shard>; 2],
    }

    /// Sessions, each with the instant until which it is needed.
    struct Shard {
        entries: Vec<(usize, u64)>,
        sweep_at: usize,
    }

    const NOW: u64 = 1;
    const LATER: u64 = 2;
    /// Shards in the model; the table has 64.
    const LEAST_SWEEP: usize = 1;

    impl Table {
        fn new(counting: Counting) -> Self {
            let shard = || {
                RwLock::new(Shard {
                    entries: Vec::new(),
                    sweep_at: LEAST_SWEEP,
                })
            };
            Self {
                counting,
                len: AtomicUsize::new(0),
                shards: [shard(), shard()],
            }
        }

        fn get(&self, session: usize) -> bool {
            if self.len.load(Ordering::SeqCst) == 0 {
                return false;
            }
            let shard = self.shards[session % 2].read().unwrap();
            shard.entries.iter().any(|(it, _)| *it == session)
        }

        fn insert(&self, session: usize, until: u64) {
            let mut shard = self.shards[session % 2].write().unwrap();
            if shard.entries.len() >= shard.sweep_at {
                self.sweep(&mut shard);
                shard.sweep_at = (2 * shard.entries.len()).max(LEAST_SWEEP);
            }
            if let Some(entry) = shard.entries.iter_mut().find(|entry| entry.0 == session) {
                entry.1 = entry.1.max(until);
                return;
            }
            shard.entries.push((session, until));
            if !self.counting.is_under_the_lock {
                drop(shard);
            }
            self.count(1);
        }

        fn len(&self) -> usize {
            for shard in &self.shards {
                self.sweep(&mut shard.write().unwrap());
            }
            self.len.load(Ordering::SeqCst)
        }

        fn sweep(&self, shard: &mut Shard) {
            let before = shard.entries.len();
            shard.entries.retain(|(_, until)| NOW < *until);
            let gone = before - shard.entries.len();
            self.count(0_usize.wrapping_sub(gone));
        }

        /// `fetch_add`; a decrement wraps around.
        fn count(&self, change: usize) {
            if self.counting.is_atomic {
                self.len.fetch_add(change, Ordering::SeqCst);
            } else {
                let len = self.len.load(Ordering::SeqCst);
                self.len.store(len.wrapping_add(change), Ordering::SeqCst);
            }
        }

        /// Expects no concurrent insertions or sweeps.
        fn assert_counted(&self) {
            let [one, other] = [0, 1].map(|at| self.shards[at].read().unwrap());
            let there = one.entries.len() + other.entries.len();
            let counted = self.len.load(Ordering::SeqCst);
            assert!(counted >= there, "the count is below the number of entries");
        }
    }

    fn revoke_first(looks_again: bool) {
        model(move || {
            let list = Arc::new(List {
                issuer: AtomicUsize::new(0),
                tables: [Table::new(OUR_COUNTING), Table::new(OUR_COUNTING)],
                looks_again,
            });
            let other = {
                let list = list.clone();
                thread::spawn(move || {
                    list.revoke(1, 10);
                    assert!(list.is_revoked(10), "a revocation was lost");
                })
            };
            list.revoke(2, 20);
            assert!(list.is_revoked(20), "a revocation was lost");
            other.join().unwrap();
            assert!(
                list.is_revoked(10) && list.is_revoked(20),
                "a revocation was lost"
            );
        });
    }

    #[test]
    fn a_revoked_session_is_rejected_from_the_call_s_return_on() {
        revoke_first(true);
    }

    #[test]
    #[should_panic(expected = "a revocation was lost")]
    fn tables_of_its_own_would_not_do() {
        revoke_first(false);
    }

    const REVOKED: usize = 10;
    const EXPIRED: usize = 1;
    const ANOTHER: usize = 3;

    /// One thread revokes, while another sweeps expired entries from a shard, in one of two ways.
    fn insert_against(counting: Counting, sweep: fn(&Table)) {
        model(move || {
            let table = Arc::new(Table::new(counting));
            table.insert(EXPIRED, NOW);
            let done = Arc::new(AtomicBool::new(false));
            let other = {
                let (table, done) = (table.clone(), done.clone());
                thread::spawn(move || {
                    table.insert(REVOKED, LATER);
                    done.store(true, Ordering::Release);
                    assert!(table.get(REVOKED), "a revocation was lost");
                })
            };
            sweep(&table);
            let after = done.load(Ordering::Acquire);
            assert!(!after || table.get(REVOKED), "a revocation was lost");
            other.join().unwrap();
            assert!(table.get(REVOKED), "a revocation was lost");
            assert!(!table.get(EXPIRED), "an expired entry was not swept");
            table.assert_counted();
        });
    }

    fn count(table: &Table) {
        table.len();
    }

    /// The shard is full, and is swept first.
    fn insert(table: &Table) {
        table.insert(ANOTHER, LATER);
        table.assert_counted();
        assert!(table.get(ANOTHER), "a revocation was lost");
    }

    #[test]
    fn what_is_revoked_is_found_whatever_is_swept() {
        insert_against(OUR_COUNTING, count);
        insert_against(OUR_COUNTING, insert);
    }

    #[test]
    #[should_panic(expected = "a revocation was lost")]
    fn a_count_that_is_loaded_and_stored_would_not_do() {
        let counting = Counting {
            is_atomic: false,
            ..OUR_COUNTING
        };
        insert_against(counting, count);
    }

    #[test]
    #[should_panic(expected = "the count is below the number of entries")]
    fn a_count_after_the_lock_would_not_do() {
        let counting = Counting {
            is_under_the_lock: false,
            ..OUR_COUNTING
        };
        insert_against(counting, insert);
    }

    /// `MirroredRevocations`, of which one session is revoked in the store.
    struct Mirror {
        is_revoked: AtomicBool,
        /// When the last complete read was asked for, by each clock.
        asked_at: [AtomicU64; 2],
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Order {
        FreshnessFirst,
        ListFirst,
    }

    const STALE: u64 = 1;
    const FRESH: u64 = 2;

    impl Mirror {
        fn read(&self) {
            self.is_revoked.store(true, Ordering::SeqCst);
            for asked_at in self.asked_at.iter().rev() {
                asked_at.store(FRESH, Ordering::SeqCst);
            }
        }

        fn is_fresh(&self) -> bool {
            let asked_at = self.asked_at.iter().map(|at| at.load(Ordering::SeqCst));
            asked_at.min() == Some(FRESH)
        }

        fn accepts(&self, order: Order) -> bool {
            let is_fresh = order == Order::FreshnessFirst && self.is_fresh();
            let is_revoked = self.is_revoked.load(Ordering::SeqCst);
            !is_revoked && (is_fresh || order == Order::ListFirst && self.is_fresh())
        }
    }

    /// A process was cut off when the session was revoked, and reads that while a request is checked.
    fn check_against_a_read(order: Order) {
        model(move || {
            let mirror = Arc::new(Mirror {
                is_revoked: AtomicBool::new(false),
                asked_at: [AtomicU64::new(STALE), AtomicU64::new(STALE)],
            });
            let other = {
                let mirror = mirror.clone();
                thread::spawn(move || mirror.read())
            };
            assert!(!mirror.accepts(order), "a revocation was missed");
            other.join().unwrap();
            assert!(!mirror.accepts(order), "a revocation was missed");
        });
    }

    #[test]
    fn a_mirror_accepts_no_revoked_session_while_it_becomes_fresh() {
        check_against_a_read(Order::FreshnessFirst);
    }

    #[test]
    #[should_panic(expected = "a revocation was missed")]
    fn searching_the_list_first_would_not_do() {
        check_against_a_read(Order::ListFirst);
    }
}
