//! Lookup of the names that an object is known to have.

/// A hash table of names, hashed by their first four bytes; a name of three counts with its closing
/// quote.
pub(crate) struct Table<T> {
    slots: [Slot<T>; SLOTS],
}

const SLOTS: usize = 64;

#[derive(Clone, Copy)]
struct Slot<T> {
    /// The name with its closing quote and its colon; of a longer one, the first 16 bytes.
    start: u128,
    /// Ones for those bytes.
    mask: u128,
    name: &'static str,
    value: T,
}

impl<T: Copy> Table<T> {
    /// Creates a table of names that need no escapes, with the values at the same positions.
    ///
    /// # Panics
    ///
    /// Panics, so that a constant does not compile, if a name is shorter than three bytes or both of its
    /// slots are taken.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::indexing_slicing,
        reason = "the first four bytes; a constant that panics does not compile"
    )]
    pub(crate) const fn new(names: &[&'static str], values: &[T]) -> Self {
        let none = Slot {
            // No name has these bytes.
            start: u128::MAX,
            mask: u128::MAX,
            name: "",
            value: values[0],
        };
        let (mut slots, mut at) = ([none; SLOTS], 0);
        while at < names.len() {
            assert!(names[at].len() >= 3, "a name is too short");
            let (start, mask) = start_and_mask(names[at]);
            let mut slot = slot(start as u32);
            if !slots[slot].name.is_empty() {
                slot ^= 1;
            }
            assert!(slots[slot].name.is_empty(), "another multiplier is needed");
            slots[slot] = Slot {
                start,
                mask,
                name: names[at],
                value: values[at],
            };
            at += 1;
        }
        Self { slots }
    }

    /// Finds the name that the text starts with, together with its closing quote and a colon. Returns its
    /// value, and the length of all three.
    #[inline(always)]
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "names are short; the first four bytes"
    )]
    pub(super) fn find(&self, text: &[u8]) -> Option<(T, usize)> {
        let start = u128::from_le_bytes(*text.first_chunk()?);
        let slot = self.find_by(start as u32, |slot| (start ^ slot.start) & slot.mask == 0)?;
        let len = slot.name.len() + 2;
        if len > size_of_val(&start) {
            let behind = text.strip_prefix(slot.name.as_bytes())?;
            behind.strip_prefix(b"\":")?;
        }
        Some((slot.value, len))
    }

    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<T> {
        let first = match *name.as_bytes() {
            [a, b, c] => [a, b, c, b'"'],
            [a, b, c, d, ..] => [a, b, c, d],
            _ => return None,
        };
        let slot = self.find_by(u32::from_le_bytes(first), |slot| slot.name == name)?;
        Some(slot.value)
    }

    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "a slot is below their number")]
    fn find_by(&self, first_bytes: u32, matches: impl Fn(&Slot<T>) -> bool) -> Option<&Slot<T>> {
        let at = slot(first_bytes);
        let first = &self.slots[at];
        if matches(first) {
            return Some(first);
        }
        let second = &self.slots[at ^ 1];
        matches(second).then_some(second)
    }
}

/// The first slot of a name with these bytes. The index of the second differs in its last bit.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "six bits")]
const fn slot(first_bytes: u32) -> usize {
    (first_bytes.wrapping_mul(0x9e37_79b1) >> 26) as usize
}

/// The [`Slot::start`] and [`Slot::mask`] of a name.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "`at` is below both lengths"
)]
const fn start_and_mask(name: &str) -> (u128, u128) {
    let name = name.as_bytes();
    let (mut start, mut mask, mut at) = ([0; 16], [0; 16], 0);
    while at < start.len() && at < name.len() + 2 {
        start[at] = if at < name.len() {
            name[at]
        } else {
            b"\":"[at - name.len()]
        };
        mask[at] = 0xff;
        at += 1;
    }
    (u128::from_le_bytes(start), u128::from_le_bytes(mask))
}
