//! Lookup of the names that an object is known to have.

/// A hash table of names, by the first four bytes of the name and its closing quote.
pub(crate) struct Table<T> {
    slots: [Slot<T>; SLOTS],
}

const SLOTS: usize = 64;

#[derive(Clone, Copy)]
pub(super) struct Slot<T> {
    /// The name with its closing quote and its colon; of a longer one, the first 16 bytes.
    start: Start,
    /// The bits of those bytes.
    mask: Start,
    pub(super) name: &'static str,
    pub(super) value: T,
}

/// 16 bytes of JSON from a name's first byte on, as two numbers.
pub(super) type Start = [u64; 2];

impl<T: Copy> Table<T> {
    /// Creates a table of names, each of at least three bytes that need no escapes, with the values at
    /// the same positions.
    ///
    /// # Panics
    ///
    /// Panics if a name is shorter, or if its place and the neighbor are taken, so that a constant does not
    /// compile.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::indexing_slicing,
        reason = "a constant that panics does not compile"
    )]
    pub(crate) const fn new(names: &[&'static str], values: &[T]) -> Self {
        let none = Slot {
            // No name has these bytes.
            start: [u64::MAX; 2],
            mask: [u64::MAX; 2],
            name: "",
            value: values[0],
        };
        let (mut slots, mut at) = ([none; SLOTS], 0);
        while at < names.len() {
            assert!(names[at].len() >= 3, "a name is too short");
            let (start, mask) = start_and_mask(names[at]);
            let mut place = place(start[0] as u32);
            if !slots[place].name.is_empty() {
                place ^= 1;
            }
            assert!(slots[place].name.is_empty(), "another multiplier is needed");
            slots[place] = Slot {
                start,
                mask,
                name: names[at],
                value: values[at],
            };
            at += 1;
        }
        Self { slots }
    }

    /// Finds the name that starts with these bytes. Of a name longer than 14 bytes, the caller compares
    /// the rest.
    #[inline(always)]
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the first four bytes"
    )]
    pub(super) fn find(&self, start: Start) -> Option<&Slot<T>> {
        self.find_by(start[0] as u32, |slot| slot.matches(start))
    }

    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<T> {
        let first = match *name.as_bytes() {
            [a, b, c] => [a, b, c, b'"'],
            [a, b, c, d, ..] => [a, b, c, d],
            _ => return None,
        };
        let slot = self.find_by(u32::from_le_bytes(first), |slot| slot.name == name)?;
        Some(slot.value)
    }

    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "a place is below the number of slots"
    )]
    fn find_by(&self, first: u32, is_it: impl Fn(&Slot<T>) -> bool) -> Option<&Slot<T>> {
        let place = place(first);
        let slot = &self.slots[place];
        if is_it(slot) {
            return Some(slot);
        }
        let slot = &self.slots[place ^ 1];
        is_it(slot).then_some(slot)
    }
}

impl<T> Slot<T> {
    #[inline(always)]
    fn matches(&self, start: Start) -> bool {
        let ([a, b], [own_a, own_b], [mask_a, mask_b]) = (start, self.start, self.mask);
        ((a ^ own_a) & mask_a) | ((b ^ own_b) & mask_b) == 0
    }
}

#[inline(always)]
#[expect(clippy::as_conversions, reason = "six bits")]
const fn place(first: u32) -> usize {
    (first.wrapping_mul(0x9e37_79b1) >> 26) as usize
}

/// The [`Slot::start`] and [`Slot::mask`] of a name.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "`at` is below both lengths"
)]
const fn start_and_mask(name: &str) -> (Start, Start) {
    let name = name.as_bytes();
    let (mut start, mut mask, mut at) = ([[0; 8]; 2], [[0; 8]; 2], 0);
    while at < 16 && at < name.len() + 2 {
        start[at / 8][at % 8] = if at < name.len() {
            name[at]
        } else {
            b"\":"[at - name.len()]
        };
        mask[at / 8][at % 8] = 0xff;
        at += 1;
    }
    (from_bytes(start), from_bytes(mask))
}

const fn from_bytes([first, second]: [[u8; 8]; 2]) -> Start {
    [u64::from_le_bytes(first), u64::from_le_bytes(second)]
}
