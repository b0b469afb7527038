//! The table of one thread: a hash table of bounded size with CLOCK eviction.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "indices are taken modulo a length that is a power of two; sizes are below the quota"
)]

use std::{
    iter, mem,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use zeroize::Zeroizing;

use crate::{
    constant_time,
    session::{Session, SessionInner, VerifiedBy},
    time::NumericDate,
};

/// Slots of a set.
const WAYS: usize = 4;

/// When the table is full, one insertion in eight is admitted. Otherwise a working set larger than
/// the cache thrashes.
const INSERTIONS_PER_ADMISSION: usize = 8;

/// Maximum slots that the hand passes for one insertion.
const MAX_STEPS: usize = 128;

/// The place of one thread's table in the cache of a verifier, and what it counts; no other thread
/// writes to its cache lines. The counts stay when the thread ends, and the next table adds to them.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Seat {
    is_taken: AtomicBool,
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) evictions: AtomicU64,
    pub(super) sessions: AtomicUsize,
    pub(super) bytes: AtomicUsize,
}

/// What one thread caches for one verifier. A token is in the set that its hash says, or in the
/// neighbor; these two are a pair.
pub(super) struct Table {
    seat: Arc<Seat>,
    quota: usize,
    /// For each issuer, the generation of the key set that verified its entries.
    generations: Box<[u64]>,
    /// The admission filter, a Bloom filter of the tokens seen once: two bits for each.
    seen: Box<[u64]>,
    seen_len: usize,
    /// At least a pair.
    sets: Vec<Set>,
    /// The slot that the CLOCK hand passed last.
    hand: usize,
    /// Insertions that found the quota used up.
    full_insertions: usize,
}

/// Aligned so that a lookup that follows no pointer reads one pair of cache lines.
#[derive(Default)]
#[repr(align(128))]
struct Set {
    /// The hash of each entry; 0 marks an empty slot.
    hashes: [u32; WAYS],
    entries: [Option<Entry>; WAYS],
    /// CLOCK reference bits: hit since the hand last passed.
    referenced: [bool; WAYS],
}

const _: () = assert!(size_of::<Set>() == 128);

struct Entry {
    token: Zeroizing<Box<[u8]>>,
    session: Arc<SessionInner>,
}

impl Entry {
    /// Bytes of the entry of this token.
    fn bytes(token: &[u8], session: &SessionInner) -> usize {
        token.len() + session.heap_bytes()
    }
}

impl Table {
    /// A table for sessions of this many issuers; `None` if the quota has no room for an empty table,
    /// or all seats are taken.
    pub(super) fn new(quota: usize, issuers: usize, seats: &[Arc<Seat>]) -> Option<Self> {
        // At most 1/64 of the quota, but between 64 bytes and 64 KiB.
        let words = (quota / 1024).clamp(8, 8192).next_power_of_two();
        let bytes = Self::empty_bytes(words, issuers);
        if bytes > quota {
            return None;
        }
        let is_free = |flag: &AtomicBool| !flag.load(Relaxed) && !flag.swap(true, Acquire);
        let seat = seats.iter().find(|seat| is_free(&seat.is_taken))?;
        seat.bytes.store(bytes, Relaxed);
        Some(Self {
            seat: Arc::clone(seat),
            quota,
            generations: vec![0; issuers].into(),
            seen: vec![0; words].into(),
            seen_len: 0,
            sets: empty_sets(2),
            hand: 0,
            full_insertions: 0,
        })
    }

    /// Four tables, since that many are allocated for the first.
    fn empty_bytes(words: usize, issuers: usize) -> usize {
        let (table, seat) = (size_of::<Self>(), size_of::<Seat>());
        4 * table + 2 * seat + 2 * size_of::<Set>() + 8 * (words + issuers)
    }

    /// Removes the sessions of an issuer that another key set verified.
    fn keep_generation(&mut self, kept: VerifiedBy) {
        let VerifiedBy { issuer, generation } = kept;
        if self.generations[issuer] == generation {
            return;
        }
        self.generations[issuer] = generation;
        for at in 0..self.sets.len() * WAYS {
            let (set, way) = (at / WAYS, at % WAYS);
            let entry = self.sets[set].entries[way].as_ref();
            let verified_by = entry.map(|entry| entry.session.verified_by);
            if verified_by.is_some_and(|by| by.issuer == issuer && by != kept) {
                self.remove(set, way);
            }
        }
    }

    /// The session of a token; `generation` is that of the current key set of an issuer.
    #[inline]
    pub(super) fn get(
        &mut self,
        hash: u64,
        token: &[u8],
        now: NumericDate,
        generation: impl Fn(usize) -> u64,
    ) -> Option<Session> {
        let hash = fold(hash);
        let (set, way) = self.find(hash, |set, way| set.hashes[way] == hash)?;
        let entry = self.sets[set].entries[way].as_ref()?;
        if !entry.session.validity.contains(now) {
            self.remove(set, way);
            return None;
        }
        let VerifiedBy { issuer, .. } = entry.session.verified_by;
        let current = VerifiedBy {
            issuer,
            generation: generation(issuer),
        };
        if entry.session.verified_by != current {
            self.keep_generation(current);
            return None;
        }
        if !constant_time::is_same(&entry.token, token) {
            return None;
        }
        let session = Session::from_inner(Arc::clone(&entry.session));
        self.sets[set].referenced[way] = true;
        // No other thread adds to it, so that a load and a store lose nothing.
        let hits = &self.seat.hits;
        hits.store(hits.load(Relaxed) + 1, Relaxed);
        Some(session)
    }

    /// Notes a verified token, and inserts it the second time.
    pub(super) fn note(&mut self, hash: u64, token: &[u8], session: &Session, now: NumericDate) {
        self.keep_generation(session.inner().verified_by);
        self.seat.misses.fetch_add(1, Relaxed);
        if self.see(hash) {
            self.insert(fold(hash), token, session.inner(), now);
        }
    }

    /// Adds a token to the filter, and returns whether it was there. The filter is emptied when an
    /// eighth of its bits are set: until then at most one unknown token in 64 passes.
    fn see(&mut self, hash: u64) -> bool {
        if self.seen_len >= 4 * self.seen.len() {
            self.seen.fill(0);
            self.seen_len = 0;
        }
        let mut is_known = true;
        for hash in [hash, hash >> 32] {
            let word = (hash as usize / 64) & (self.seen.len() - 1);
            let bit = 1 << (hash % 64);
            is_known &= self.seen[word] & bit != 0;
            self.seen[word] |= bit;
        }
        self.seen_len += usize::from(!is_known);
        is_known
    }

    fn insert(&mut self, hash: u32, token: &[u8], session: &Arc<SessionInner>, now: NumericDate) {
        self.grow();
        let bytes = Entry::bytes(token, session);
        if self.make_room(bytes, now) {
            let entry = Entry {
                token: Zeroizing::new(token.into()),
                session: Arc::clone(session),
            };
            self.place(hash, entry);
            self.seat.sessions.fetch_add(1, Relaxed);
            self.seat.bytes.fetch_add(bytes, Relaxed);
        }
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.sets.len() - 1)
    }

    /// The first slot of the pair of `hash` that is accepted.
    fn find(&self, hash: u32, accepts: impl Fn(&Set, usize) -> bool) -> Option<(usize, usize)> {
        let in_set = |set: usize| {
            let way = (0..WAYS).find(|way| accepts(&self.sets[set], *way))?;
            Some((set, way))
        };
        in_set(self.home(hash)).or_else(|| in_set(self.home(hash) ^ 1))
    }

    /// Puts an entry into a free slot of its pair, or evicts one of the same hash or the first
    /// unreferenced one.
    fn place(&mut self, hash: u32, entry: Entry) {
        let slot = self
            .find(hash, |set, way| [0, hash].contains(&set.hashes[way]))
            .or_else(|| self.find(hash, |set, way| !set.referenced[way]));
        let (set, way) = slot.unwrap_or((self.home(hash), 0));
        if self.sets[set].hashes[way] != 0 {
            self.evict(set, way);
        }
        let set = &mut self.sets[set];
        (set.hashes[way], set.entries[way]) = (hash, Some(entry));
    }

    /// Doubles the sets if they are half full and the quota has room.
    fn grow(&mut self) {
        let (len, more) = (self.sets.len(), size_of_val(&*self.sets));
        if self.seat.sessions.load(Relaxed) * 2 < len * WAYS || !self.has_room(more) {
            return;
        }
        self.seat.bytes.fetch_add(more, Relaxed);
        // The entries of one pair go to two pairs that no other entries go to: all find a slot.
        for set in mem::replace(&mut self.sets, empty_sets(2 * len)) {
            for (hash, entry) in set.hashes.into_iter().zip(set.entries) {
                if let Some(entry) = entry {
                    self.place(hash, entry);
                }
            }
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.seat.bytes.load(Relaxed) + bytes <= self.quota
    }

    /// Whether the quota has room, after evictions for one insertion in eight. The hand evicts entries
    /// that were not hit since it last passed, removes expired ones, and stops at a valid one.
    fn make_room(&mut self, bytes: usize, now: NumericDate) -> bool {
        if self.has_room(bytes) {
            return true;
        }
        self.full_insertions += 1;
        let is_admitted = self
            .full_insertions
            .is_multiple_of(INSERTIONS_PER_ADMISSION);
        if !is_admitted {
            return false;
        }
        for _ in 0..MAX_STEPS {
            self.hand = (self.hand + 1) % (self.sets.len() * WAYS);
            let (at, way) = (self.hand / WAYS, self.hand % WAYS);
            let has_room = self.has_room(bytes);
            let set = &mut self.sets[at];
            match &set.entries[way] {
                Some(entry) if entry.session.validity.is_over(now) => self.remove(at, way),
                Some(_) if has_room => break,
                Some(_) if !mem::take(&mut set.referenced[way]) => self.evict(at, way),
                _ => {}
            }
        }
        self.has_room(bytes)
    }

    fn evict(&mut self, set: usize, way: usize) {
        self.remove(set, way);
        self.seat.evictions.fetch_add(1, Relaxed);
    }

    fn remove(&mut self, set: usize, way: usize) {
        let set = &mut self.sets[set];
        set.hashes[way] = 0;
        set.referenced[way] = false;
        if let Some(entry) = set.entries[way].take() {
            self.seat.sessions.fetch_sub(1, Relaxed);
            let bytes = Entry::bytes(&entry.token, &entry.session);
            self.seat.bytes.fetch_sub(bytes, Relaxed);
        }
    }
}

/// The thread has ended, or the verifier was dropped.
impl Drop for Table {
    fn drop(&mut self) {
        self.sets = Vec::new();
        self.seat.sessions.store(0, Relaxed);
        self.seat.bytes.store(0, Relaxed);
        self.seat.is_taken.store(false, Release);
    }
}

fn empty_sets(len: usize) -> Vec<Set> {
    iter::repeat_with(Set::default).take(len).collect()
}

/// Both halves of a hash in one; never 0.
#[inline]
fn fold(hash: u64) -> u32 {
    ((hash ^ hash >> 32) as u32).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{identity::User, time::Validity, token::SessionToken};

    const QUOTA: usize = 1 << 20;
    const NOW: u64 = 1_768_478_400;

    fn at(seconds: u64) -> NumericDate {
        NumericDate::new(seconds, 0).unwrap()
    }

    fn table(quota: usize) -> Table {
        Table::new(quota, 1, &[Arc::default()]).unwrap()
    }

    fn session(until: u64) -> Session {
        let token = SessionToken::builder(User::new("ann"))
            .issuer("https://id.example.com")
            .audience("orders")
            .application_id("web-shop")
            .issued_at(at(NOW).to_date_time())
            .lifetime(Duration::from_secs(600));
        let (from, until) = (at(0), at(until));
        Session::from_inner(Arc::new(SessionInner {
            validity: Validity { from, until },
            valid_until: until,
            token: token.build().unwrap(),
            ..SessionInner::default()
        }))
    }

    /// An entry of 10,000 bytes and a session.
    fn entry(until: u64) -> Entry {
        Entry {
            token: Zeroizing::new(vec![7; 10_000].into()),
            session: Arc::clone(session(until).inner()),
        }
    }

    fn bytes(entry: &Entry) -> usize {
        Entry::bytes(&entry.token, &entry.session)
    }

    fn insert(table: &mut Table, hash: u32) {
        let entry = entry(NOW + 60);
        table.insert(hash, &entry.token, &entry.session, at(NOW));
    }

    /// Inserts without growth and without a bound.
    fn put(table: &mut Table, hash: u32) {
        let entry = entry(NOW + 60);
        table.seat.sessions.fetch_add(1, Relaxed);
        table.seat.bytes.fetch_add(bytes(&entry), Relaxed);
        table.place(hash, entry);
    }

    fn has(table: &mut Table, hash: u32) -> bool {
        let token = [7; 10_000];
        table.get(hash.into(), &token, at(NOW), |_| 0).is_some()
    }

    /// Looks without setting a reference bit.
    fn hashes(table: &Table) -> Vec<u32> {
        let hashes = table.sets.iter().flat_map(|set| set.hashes);
        let mut hashes: Vec<_> = hashes.filter(|hash| *hash != 0).collect();
        hashes.sort_unstable();
        hashes
    }

    fn evictions(table: &Table) -> u64 {
        table.seat.evictions.load(Relaxed)
    }

    #[test]
    fn a_full_pair_evicts_its_first_unreferenced_entry() {
        let mut table = table(QUOTA);
        // All of them belong to the first set, and half of them are in its neighbor.
        let full = [2, 4, 6, 8, 10, 12, 14, 16];
        for hash in full {
            put(&mut table, hash);
        }
        assert_eq!(hashes(&table), full);
        assert!([2, 4, 8, 10].iter().all(|hash| has(&mut table, *hash)));
        put(&mut table, 18);
        assert_eq!(hashes(&table), [2, 4, 8, 10, 12, 14, 16, 18]);
        // With every entry referenced, one has to go, and then the one that took its slot.
        assert!([12, 14, 16, 18].iter().all(|hash| has(&mut table, *hash)));
        put(&mut table, 20);
        assert_eq!(hashes(&table), [4, 8, 10, 12, 14, 16, 18, 20]);
        put(&mut table, 22);
        assert_eq!(hashes(&table), [4, 8, 10, 12, 14, 16, 18, 22]);
        assert_eq!(
            (evictions(&table), table.seat.sessions.load(Relaxed)),
            (3, 8)
        );
    }

    #[test]
    fn tokens_of_one_hash_replace_each_other() {
        let mut table = table(QUOTA);
        put(&mut table, 2);
        put(&mut table, 2);
        assert_eq!((hashes(&table), evictions(&table)), (vec![2], 1));
        assert!(table.get(2, &[8; 10_000], at(NOW), |_| 0).is_none());
        assert!(has(&mut table, 2));
    }

    #[test]
    fn the_sets_double_when_half_full_and_keep_their_entries() {
        let mut table = table(1 << 30);
        let mut inserted = Vec::new();
        for number in 1..=300_u32 {
            let hash = number.wrapping_mul(0x9e37_79b9);
            insert(&mut table, hash);
            inserted.push(hash);
            assert!((inserted.len() - 1) * 2 < table.sets.len() * WAYS);
        }
        assert_eq!(table.sets.len(), 256);
        inserted.sort_unstable();
        assert_eq!(hashes(&table), inserted);
        let fixed = Table::empty_bytes(table.seen.len(), 1) + 254 * size_of::<Set>();
        let counted = table.seat.bytes.load(Relaxed);
        assert_eq!(counted, fixed + 300 * bytes(&entry(NOW)));
    }

    #[test]
    fn one_insertion_in_eight_is_admitted_when_the_quota_is_used_up() {
        let mut table = table(100_000);
        let mut admitted = Vec::new();
        for hash in 1..=80 {
            insert(&mut table, hash);
            if hashes(&table).contains(&hash) {
                admitted.push(hash);
            }
            assert!(table.seat.bytes.load(Relaxed) <= 100_000);
        }
        let first_rejected = admitted
            .iter()
            .zip(1..)
            .find(|(hash, number)| *hash != number);
        let (first_admitted, fit) = first_rejected.unwrap();
        assert_eq!(*first_admitted, fit + 7);
        assert!(
            admitted[fit as usize..]
                .iter()
                .all(|hash| (hash - fit) % 8 == 7)
        );
    }

    #[test]
    fn a_referenced_entry_is_evicted_on_the_second_pass() {
        let mut table = table(QUOTA);
        for hash in [1, 2, 3] {
            put(&mut table, hash);
        }
        assert!([1, 3].iter().all(|hash| has(&mut table, *hash)));
        table.quota = table.seat.bytes.load(Relaxed);
        let mut evict_one = || {
            table.full_insertions = INSERTIONS_PER_ADMISSION - 1;
            let is_admitted = table.make_room(1, at(NOW));
            table.quota = table.seat.bytes.load(Relaxed);
            (is_admitted, hashes(&table))
        };
        assert_eq!(evict_one(), (true, vec![1, 3]));
        assert_eq!(evict_one().1.len(), 1);
        assert_eq!(evict_one(), (true, vec![]));
        assert_eq!(evict_one(), (false, vec![]));
        assert_eq!(evictions(&table), 3);
    }

    #[test]
    fn the_hand_removes_expired_entries_whether_referenced_or_not() {
        let mut table = table(QUOTA);
        for hash in [1, 2, 3] {
            put(&mut table, hash);
        }
        assert!([1, 2, 3].iter().all(|hash| has(&mut table, *hash)));
        table.quota = table.seat.bytes.load(Relaxed);
        table.full_insertions = INSERTIONS_PER_ADMISSION - 1;
        assert!(table.make_room(1, at(NOW + 60)));
        assert!(hashes(&table).is_empty());
        assert_eq!(evictions(&table), 0);
    }

    #[test]
    fn a_token_is_inserted_when_it_is_noted_the_second_time() {
        let mut table = table(QUOTA);
        let (token, session) = ([7; 40], session(NOW + 60));
        for sessions in [0, 1] {
            assert!(table.get(9, &token, at(NOW), |_| 0).is_none());
            table.note(9, &token, &session, at(NOW));
            assert_eq!(table.seat.sessions.load(Relaxed), sessions);
        }
        assert!(table.get(9, &token, at(NOW + 59), |_| 0).is_some());
        assert!(table.get(9, &token, at(NOW + 60), |_| 0).is_none());
        assert_eq!(table.seat.sessions.load(Relaxed), 0);
    }

    #[test]
    fn the_filter_forgets_after_as_many_tokens_as_it_has_half_bytes() {
        let mut table = table(QUOTA);
        let words = u64::try_from(table.seen.len()).unwrap();
        assert_eq!(words, 1024);
        let hash = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut number = 0;
        while table.seen_len < 4096 {
            number += 1;
            table.see(hash(number));
        }
        // Those that are taken for known are few.
        assert!((4096..4096 + 4096 / 64).contains(&number), "{number}");
        table.seen_len -= 1;
        assert!((1..=number).all(|number| table.see(hash(number))));
        table.seen_len += 1;
        assert!(!table.see(hash(1)) && table.see(hash(1)));
    }

    #[test]
    fn a_thread_gets_a_table_when_another_thread_s_is_dropped() {
        let seats = [Arc::default(), Arc::default()];
        let mut first = Table::new(QUOTA, 1, &seats).unwrap();
        put(&mut first, 1);
        assert!(has(&mut first, 1));
        let _second = Table::new(QUOTA, 1, &seats).unwrap();
        assert!(Table::new(QUOTA, 1, &seats).is_none());
        drop(first);
        let third = Table::new(QUOTA, 1, &seats).unwrap();
        let counters = &third.seat;
        assert_eq!(counters.hits.load(Relaxed), 1);
        assert_eq!(
            (
                counters.sessions.load(Relaxed),
                counters.bytes.load(Relaxed)
            ),
            (0, Table::empty_bytes(third.seen.len(), 1))
        );
    }

    #[test]
    fn a_quota_below_an_empty_table_has_none_and_takes_no_seat() {
        let least = Table::empty_bytes(8, 1);
        let seats = [Arc::default()];
        assert!(Table::new(least - 1, 1, &seats).is_none());
        let mut table = Table::new(least, 1, &seats).unwrap();
        for hash in 1..100 {
            insert(&mut table, hash);
        }
        assert!(hashes(&table).is_empty());
    }

    #[test]
    fn a_hash_has_both_halves_and_is_never_0() {
        for (hash, want) in [
            (0, 1),
            (5, 5),
            (5 << 32, 5),
            (5 << 32 | 5, 1),
            (u64::MAX - 1, 1),
        ] {
            assert_eq!(fold(hash), want, "{hash:x}");
        }
    }
}
