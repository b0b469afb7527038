//! What one thread keeps for one verifier, and what goes when there is no more room.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use zeroize::Zeroizing;

use super::state::{CacheState, Counters};
use crate::{
    constant_time,
    session::Session,
    time::NumericDate,
    verify::verified::{Validity, Verified},
};

/// For so many bytes that the cache may have, one token that was seen once is remembered: twice
/// as many as there may be sessions of a usual size.
const BYTES_PER_SIGHTING: usize = 1024;

/// In how many places a token may be.
const WAYS: usize = 8;

/// How many entries are looked at for expired ones when a token was verified.
const SWEEP: usize = 4;

/// A thread that only finds what it looks for gives way to others, and drops what has expired, at
/// each hit of so many.
const HITS_BETWEEN_UPKEEP: u64 = 64;

/// Where something has to go for it, only every so many tokens are let in: with more live sessions
/// than there is room for, all would push each other out before they are of use.
const PATIENCE: u8 = 8;

/// How many go at most for one that is let in: a token may be as large as many others.
const MAX_EVICTIONS: usize = 32;

/// How many places are looked at for one that goes: most may be empty, or all of use.
const LOOKS: usize = 128;

/// What one thread keeps for one verifier: sets of a few places each, and the hash says which set.
pub(super) struct Table {
    pub(super) shared: Arc<CacheState>,
    counters: Arc<Counters>,
    /// The set of keys that all entries were verified with.
    generation: u64,
    /// As many as a power of two, or none.
    sets: Vec<Set>,
    len: usize,
    /// Where the search for an entry to evict goes on.
    hand: usize,
    /// How many tokens may wait before the next is let in.
    patience: u8,
    /// Whether it is one of `thread_count`.
    has_share: bool,
    /// Where the search for expired entries goes on.
    broom: usize,
    /// The marks of tokens that were seen once, newest first, each in the set that its hash says.
    sightings: Box<[[u32; 4]]>,
    /// What this table has taken of the shared bytes.
    bytes: usize,
}

/// The places in which a token of some hash may be.
#[derive(Default)]
struct Set {
    /// Of each entry the part of its hash that tells it from the others; 0 where there is none.
    marks: [u32; WAYS],
    entries: [Option<Entry>; WAYS],
}

struct Entry {
    hash: u64,
    token: Zeroizing<Box<[u8]>>,
    session: Session,
    validity: Validity,
    bytes: usize,
    /// It was of use since the hand came by.
    used: bool,
}

impl Set {
    fn position(&self, mark: u32) -> Option<usize> {
        self.marks.iter().position(|it| *it == mark)
    }
}

impl Table {
    /// Of one that is empty: itself, what it counts, and where both are listed.
    const BYTES: usize = size_of::<Self>() + 2 * size_of::<Counters>() + 64;

    /// `None` if there is no room even for an empty one.
    pub(super) fn new(shared: &Arc<CacheState>) -> Option<Self> {
        if !shared.take_bytes(Self::BYTES, shared.max_bytes) {
            return None;
        }
        let counters = Arc::<Counters>::default();
        shared.threads().living.push(Arc::clone(&counters));
        let mut table = Self {
            shared: Arc::clone(shared),
            counters,
            generation: 0,
            sets: Vec::new(),
            len: 0,
            hand: 0,
            patience: PATIENCE,
            has_share: false,
            broom: 0,
            sightings: Box::default(),
            bytes: Self::BYTES,
        };
        table.renew_sightings();
        Some(table)
    }

    pub(super) fn get(
        &mut self,
        hash: u64,
        token: &[u8],
        generation: u64,
        now: impl FnOnce() -> NumericDate,
        is_valid: impl FnOnce(&Session, &Validity, NumericDate) -> bool,
    ) -> Option<Session> {
        if self.generation != generation {
            self.clear(generation);
            return None;
        }
        let (set, way) = self.find(hash)?;
        let places = &mut self.sets.get_mut(set)?.entries;
        let entry = places.get_mut(way)?.as_mut()?;
        if !constant_time::is_same(&entry.token, token) {
            return None;
        }
        let now = now();
        if !is_valid(&entry.session, &entry.validity, now) {
            self.remove(set, way);
            return None;
        }
        entry.used = true;
        let session = entry.session.clone();
        if count(&self.counters.hits, 1).is_multiple_of(HITS_BETWEEN_UPKEEP) {
            self.keep_up(now);
        }
        Some(session)
    }

    /// Notes a token, and says whether it was noted before.
    pub(super) fn note(&mut self, hash: u64, generation: u64, now: NumericDate) -> bool {
        count(&self.counters.misses, 1);
        if self.generation != generation {
            self.clear(generation);
        }
        self.keep_up(now);
        if self.sightings.is_empty() {
            self.renew_sightings();
        }
        let set = index(hash, self.sightings.len());
        let Some(seen) = self.sightings.get_mut(set) else {
            // Others have taken all that there is.
            self.ask_for_share();
            return false;
        };
        let is_second = seen.contains(&mark(hash));
        if !is_second {
            seen.rotate_right(1);
            seen[0] = mark(hash);
        }
        is_second
    }

    /// What is not asked for itself: others' expired entries, and others' shares.
    fn keep_up(&mut self, now: NumericDate) {
        self.sweep(now);
        self.give_way(self.share());
    }

    pub(super) fn insert(&mut self, hash: u64, token: &[u8], verified: &Verified) {
        self.ask_for_share();
        let bytes = token.len().saturating_add(verified.session.heap_bytes());
        if !self.make_room(bytes) {
            return;
        }
        if let Some((set, way)) = self.find(hash) {
            self.remove(set, way);
        }
        let Some((set, way)) = self.free_place(hash) else {
            return self.release(bytes);
        };
        if let Some((to_mark, place)) = self.place(set, way) {
            *to_mark = mark(hash);
            *place = Some(Entry {
                hash,
                token: Zeroizing::new(token.into()),
                session: verified.session.clone(),
                validity: verified.validity,
                bytes,
                used: false,
            });
            self.len = self.len.saturating_add(1);
            self.shared.sessions.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn find(&self, hash: u64) -> Option<(usize, usize)> {
        let set = index(hash, self.sets.len());
        let way = self.sets.get(set)?.position(mark(hash))?;
        Some((set, way))
    }

    /// The mark and the entry that are there.
    fn place(&mut self, set: usize, way: usize) -> Option<(&mut u32, &mut Option<Entry>)> {
        let set = self.sets.get_mut(set)?;
        Some((set.marks.get_mut(way)?, set.entries.get_mut(way)?))
    }

    /// A place where an entry of this hash may be, which is free.
    fn free_place(&mut self, hash: u64) -> Option<(usize, usize)> {
        loop {
            let set = index(hash, self.sets.len());
            let way = self.sets.get(set).and_then(|it| it.position(0));
            // A set that is full in a table that is not nearly empty: there are too few sets.
            let load = if way.is_some() { WAYS / 2 } else { WAYS / 8 };
            if self.len < self.sets.len().saturating_mul(load) || !self.grow() {
                return way.map_or_else(|| self.evict_one_of(set), |way| Some((set, way)));
            }
        }
    }

    /// Evicts from a set that is full what was of no use lately, else its first entry.
    fn evict_one_of(&mut self, set: usize) -> Option<(usize, usize)> {
        let unused = |it: &Option<Entry>| it.as_ref().is_some_and(|it| !it.used);
        let way = self.sets.get(set)?.entries.iter().position(unused);
        let way = way.unwrap_or_default();
        self.evict(set, way);
        Some((set, way))
    }

    /// Doubles the number of sets, if there is room for them.
    fn grow(&mut self) -> bool {
        let had = self.sets.len();
        let have = had.saturating_mul(2).max(1);
        let more = have.saturating_sub(had);
        if !self.take_bytes(more.saturating_mul(size_of::<Set>())) {
            return false;
        }
        self.sets.reserve_exact(more);
        self.sets.resize_with(have, Set::default);
        let (old, new) = self.sets.split_at_mut(had);
        // An entry stays in its set or goes to the same way of the new one that is split off.
        for (from, to) in old.iter_mut().zip(new) {
            let marks = from.marks.iter_mut().zip(&mut to.marks);
            let entries = from.entries.iter_mut().zip(&mut to.entries);
            for ((mark, to_mark), (entry, to_entry)) in marks.zip(entries) {
                if entry.as_ref().is_some_and(|it| index(it.hash, have) >= had) {
                    mem::swap(mark, to_mark);
                    mem::swap(entry, to_entry);
                }
            }
        }
        true
    }

    /// Takes so many bytes, and evicts what stands in the way.
    fn make_room(&mut self, bytes: usize) -> bool {
        if self.take_bytes(bytes) {
            return true;
        }
        self.patience = self.patience.saturating_sub(1);
        if self.patience > 0 {
            return false;
        }
        self.patience = PATIENCE;
        (0..MAX_EVICTIONS).any(|_| self.evict_next() && self.take_bytes(bytes))
    }

    /// Lets some entries go where this thread has more than its share, since others have come.
    fn give_way(&mut self, share: usize) {
        if self.bytes <= share {
            return;
        }
        // Places do not grow fewer, so that at some point they would be all of the share.
        let places = size_of_val(&*self.sets).saturating_add(size_of_val(&*self.sightings));
        if places > share / 2 {
            let evictions = u64::try_from(self.len).unwrap_or_default();
            count(&self.counters.evictions, evictions);
            self.clear(self.generation);
            self.renew_sightings();
        }
        for _ in 0..SWEEP {
            if self.bytes <= share || !self.evict_next() {
                break;
            }
        }
    }

    /// Forgets which tokens were seen once, and takes as much room for the next as the share allows.
    fn renew_sightings(&mut self) {
        let had = size_of_val(&*mem::take(&mut self.sightings));
        self.release(had);
        let sets = self.share() / (4 * BYTES_PER_SIGHTING);
        let sets = sets.clamp(16, 1 << 14).next_power_of_two();
        if self.take_bytes_of(
            sets.saturating_mul(size_of::<[u32; 4]>()),
            self.shared.max_bytes,
        ) {
            self.sightings = vec![[0; 4]; sets].into();
        }
    }

    /// Lets the next entry go that was of no use since it was looked at last; `false` if the next
    /// few places have none.
    fn evict_next(&mut self) -> bool {
        if self.len == 0 {
            return false;
        }
        // Twice round at most: the first time, all may have been of use.
        for _ in 0..self.sets.len().saturating_mul(2 * WAYS).min(LOOKS) {
            let (set, way) = step(&mut self.hand, self.sets.len());
            match self.place(set, way) {
                Some((_, Some(entry))) if entry.used => entry.used = false,
                Some((_, Some(_))) => {
                    self.evict(set, way);
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    fn evict(&mut self, set: usize, way: usize) {
        self.remove(set, way);
        count(&self.counters.evictions, 1);
    }

    /// Removes a few of those that have expired.
    fn sweep(&mut self, now: NumericDate) {
        if self.len == 0 {
            return;
        }
        for _ in 0..SWEEP {
            let (set, way) = step(&mut self.broom, self.sets.len());
            if let Some((_, Some(entry))) = self.place(set, way)
                && entry.validity.is_over(now)
            {
                self.remove(set, way);
            }
        }
    }

    fn remove(&mut self, set: usize, way: usize) {
        let Some((mark, entry)) = self.place(set, way) else {
            return;
        };
        *mark = 0;
        if let Some(entry) = entry.take() {
            self.len = self.len.saturating_sub(1);
            self.shared.sessions.fetch_sub(1, Ordering::Relaxed);
            self.release(entry.bytes);
        }
    }

    /// Forgets all that other keys verified, and gives back its memory.
    fn clear(&mut self, generation: u64) {
        self.generation = generation;
        self.shared.sessions.fetch_sub(self.len, Ordering::Relaxed);
        (self.sets, self.len) = (Vec::new(), 0);
        let kept = Self::BYTES.saturating_add(size_of_val(&*self.sightings));
        self.release(self.bytes.saturating_sub(kept));
    }

    /// Others that have more than theirs give way from now on.
    fn ask_for_share(&mut self) {
        if !self.has_share {
            self.has_share = true;
            self.shared.thread_count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What all threads may have, divided by their number.
    fn share(&self) -> usize {
        let threads = self.shared.thread_count.load(Ordering::Relaxed).max(1);
        let share = self.shared.max_bytes.checked_div(threads);
        share.unwrap_or_default()
    }

    /// For sessions and their places. They leave a little, so that a thread that comes finds room
    /// to ask for its share.
    fn take_bytes(&mut self, bytes: usize) -> bool {
        let max_bytes = self.shared.max_bytes;
        self.take_bytes_of(bytes, max_bytes.saturating_sub(max_bytes / 16))
    }

    fn take_bytes_of(&mut self, bytes: usize, most: usize) -> bool {
        let have = self.bytes.saturating_add(bytes);
        let taken = have <= self.share() && self.shared.take_bytes(bytes, most);
        if taken {
            self.bytes = have;
        }
        taken
    }

    fn release(&mut self, bytes: usize) {
        debug_assert!(self.bytes >= bytes, "no more is given than was taken");
        self.bytes = self.bytes.saturating_sub(bytes);
        self.shared.give_bytes(bytes);
    }
}

/// Gives back what the thread had, and leaves what it counted.
impl Drop for Table {
    fn drop(&mut self) {
        self.clear(0);
        self.release(self.bytes);
        if self.has_share {
            self.shared.thread_count.fetch_sub(1, Ordering::Relaxed);
        }
        let mut threads = self.shared.threads();
        threads.living.retain(|it| !Arc::ptr_eq(it, &self.counters));
        for (ended, this) in [
            (&threads.ended.hits, &self.counters.hits),
            (&threads.ended.misses, &self.counters.misses),
            (&threads.ended.evictions, &self.counters.evictions),
        ] {
            ended.fetch_add(this.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// Only one thread writes to it, so that nothing is lost between the two halves.
fn count(counter: &AtomicU64, more: u64) -> u64 {
    let count = counter.load(Ordering::Relaxed).wrapping_add(more);
    counter.store(count, Ordering::Relaxed);
    count
}

/// Where this hash belongs among so many: none, or a power of two. Twice as many, and it is the
/// same or so many further.
fn index(hash: u64, len: usize) -> usize {
    let low = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default();
    low & len.wrapping_sub(1)
}

/// What of the hash its place does not depend on; never 0.
fn mark(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default() | 1
}

fn step(at: &mut usize, sets: usize) -> (usize, usize) {
    let next = at.wrapping_add(1).checked_rem(sets.saturating_mul(WAYS));
    *at = next.unwrap_or_default();
    (*at / WAYS, *at % WAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_BYTES: usize = 1 << 20;
    /// Of each entry that is made here, in bytes.
    const SIZE: usize = 10_000;

    #[test]
    fn who_finds_no_room_asks_for_a_share() {
        let shared = Arc::new(CacheState::new(MAX_BYTES));
        let mut first = Table::new(&shared).unwrap();
        first.ask_for_share();
        assert_eq!(first.share(), MAX_BYTES);
        // All but what an empty table takes.
        let rest = MAX_BYTES - first.bytes - Table::BYTES;
        assert!(!first.take_bytes(rest) && first.take_bytes_of(rest, MAX_BYTES));
        let mut second = Table::new(&shared).unwrap();
        assert!(second.sightings.is_empty());
        assert_eq!(first.sightings.len() * 4 * BYTES_PER_SIGHTING, MAX_BYTES);
        let now = NumericDate::default();
        assert!(!second.note(1, 1, now) && !second.note(1, 1, now));
        assert_eq!(first.share(), MAX_BYTES / 2);
        // As soon as there is room, tokens are noted.
        first.release(MAX_BYTES / 2);
        assert!(!second.note(1, 1, now) && second.note(1, 1, now));
        drop(second);
        assert_eq!(first.share(), MAX_BYTES);
    }

    /// A table of so many sets, with entries in those places.
    fn table(sets: usize, places: impl IntoIterator<Item = (usize, usize)>) -> Table {
        let mut table = Table::new(&Arc::new(CacheState::new(MAX_BYTES))).unwrap();
        table.ask_for_share();
        while table.sets.len() < sets {
            assert!(table.grow());
        }
        for (set, way) in places {
            let hash = u64::try_from(set).unwrap() | 1 << 40;
            let entry = Entry {
                hash,
                token: Zeroizing::default(),
                session: Session::system(crate::User::new("x")),
                validity: Validity {
                    from: NumericDate::default(),
                    until: NumericDate::default(),
                    is_steady: true,
                },
                bytes: SIZE,
                used: false,
            };
            assert!(table.take_bytes(entry.bytes));
            let (to_mark, place) = table.place(set, way).unwrap();
            (*to_mark, *place) = (mark(hash), Some(entry));
            table.len += 1;
            table.shared.sessions.fetch_add(1, Ordering::Relaxed);
        }
        table
    }

    fn entry(table: &mut Table, set: usize, way: usize) -> Option<&mut Entry> {
        table.place(set, way).unwrap().1.as_mut()
    }

    #[test]
    fn of_a_full_set_one_goes_that_was_of_no_use() {
        let mut table = table(2, (0..WAYS).flat_map(|way| [(0, way), (1, way)]));
        for way in [0, 1, 2, 4] {
            entry(&mut table, 1, way).unwrap().used = true;
        }
        assert_eq!(table.evict_one_of(1), Some((1, 3)));
        assert!(entry(&mut table, 1, 3).is_none() && entry(&mut table, 0, 3).is_some());
        assert_eq!(table.len, 15);
        for way in 0..WAYS {
            entry(&mut table, 0, way).unwrap().used = true;
        }
        assert_eq!(table.evict_one_of(0), Some((0, 0)));
        assert_eq!(table.counters.evictions.load(Ordering::Relaxed), 2);
        assert_eq!(table.evict_one_of(2), None);
    }

    #[test]
    fn a_table_grows_when_it_is_half_full_or_a_set_is() {
        let mut half_full = table(2, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)]);
        assert_eq!(half_full.free_place(0), Some((0, 3)));
        assert_eq!(half_full.sets.len(), 2);
        half_full.len = 8;
        assert_eq!(half_full.free_place(0), Some((0, 3)));
        assert_eq!(half_full.sets.len(), 4);
        half_full.len = 7;

        // A set is full of sixteen that are nearly empty, so that growing would be waste.
        let mut skewed = table(16, (0..WAYS).map(|way| (0, way)));
        assert_eq!(skewed.free_place(0), Some((0, 0)));
        assert_eq!((skewed.sets.len(), skewed.len), (16, 7));
        let others = (1..10)
            .map(|set| (set, 0))
            .chain((0..WAYS).map(|way| (0, way)));
        let mut full = table(16, others);
        assert!(full.free_place(0).is_some());
        assert_eq!((full.sets.len(), full.len), (32, 17 - 1));
    }

    #[test]
    fn who_waits_is_let_in_at_last() {
        let mut table = table(1, (0..WAYS).map(|way| (0, way)));
        entry(&mut table, 0, 1).unwrap().used = true;
        let all = MAX_BYTES - MAX_BYTES / 16;
        assert!(table.take_bytes(all - table.bytes));
        for _ in 1..PATIENCE {
            assert!(!table.make_room(SIZE));
        }
        assert_eq!(table.len, WAYS);
        // It takes two of them, and the second was of use.
        assert!(table.make_room(SIZE + SIZE / 2));
        assert_eq!(table.len, WAYS - 2);
        assert!(entry(&mut table, 0, 1).is_some());
        // Patience begins anew; and what fits needs none.
        assert!(!table.make_room(SIZE) && table.make_room(SIZE / 2));
    }

    #[test]
    fn one_that_was_of_use_goes_the_second_time_round() {
        // The hand comes to this place last.
        let mut table = table(1, [(0, 0)]);
        entry(&mut table, 0, 0).unwrap().used = true;
        assert!(table.evict_next());
        assert!(!table.evict_next());
        assert_eq!(table.len, 0);
    }

    #[test]
    fn the_search_for_one_that_goes_is_bounded() {
        let mut table = table(32, [(31, 0)]);
        assert!(!table.evict_next());
        assert_eq!(table.hand, LOOKS);
        // It goes on from where it was.
        assert!(table.evict_next());
        assert_eq!((table.len, table.hand), (0, 31 * WAYS));
        assert!(!table.evict_next());
        assert_eq!(table.hand, 31 * WAYS);
    }

    #[test]
    fn who_has_more_than_a_share_gives_a_few_back() {
        let mut table = table(2, (0..WAYS).map(|way| (0, way)));
        let places = 2 * size_of::<Set>() + size_of_val(&*table.sightings) + Table::BYTES;
        assert_eq!(table.bytes, places + 8 * SIZE);
        // The share, and the entries that are left of eight.
        for (share, len) in [
            (places + 8 * SIZE, 8),
            (places + 8 * SIZE - 1, 7),
            (places + 4 * SIZE + 1, 4),
            (places + 4 * SIZE - 1, 3),
            (places + 1, 0),
        ] {
            table.give_way(share);
            assert_eq!(table.len, len, "{share}");
        }
        assert!(table.sets.is_empty() && !table.sightings.is_empty());
    }

    #[test]
    fn twice_as_many_places_are_the_same_or_so_many_further() {
        for hash in [0, 1, 1 << 32, 0x89ab_cdef, u64::MAX, 0x0123_4567_89ab_cdef] {
            for len in (0..20).map(|bits| 1 << bits) {
                let (few, many) = (index(hash, len), index(hash, 2 * len));
                assert!(few < len && (many == few || many == few + len));
            }
            assert_ne!(mark(hash), 0);
        }
        assert_eq!((step(&mut 0, 0), step(&mut 15, 2)), ((0, 0), (0, 0)));
    }
}
