//! Finds a member name that occurs twice in one object.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::{reader::Reader, span::Span};

/// The names of an object's members that have no place of their own.
///
/// The first few are compared with each other. Of more, hashes are kept and sorted at the end:
/// equal hashes count as a duplicate, with a false-positive rate of about 2^-64 for each pair.
#[derive(Default)]
pub(crate) struct Names {
    first: [Option<Span>; 8],
    len: usize,
    hashes: Vec<u64>,
    random: Option<RandomState>,
}

impl Names {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a name; `None` if it is among the first few already.
    #[inline]
    pub(crate) fn add(&mut self, name: Span, reader: &mut Reader<'_>) -> Option<()> {
        let text = reader.text(name);
        let mut known = self.first.iter().map_while(|first| *first);
        if known.any(|known| reader.text(known) == text) {
            return reader.fail(Reader::DUPLICATE);
        }
        match self.first.get_mut(self.len) {
            Some(place) => {
                *place = Some(name);
                self.len = self.len.saturating_add(1);
            }
            None => self.add_hash(text, reader),
        }
        Some(())
    }

    #[cold]
    fn add_hash(&mut self, name: &str, reader: &Reader<'_>) {
        let random = self.random.get_or_insert_default();
        reader.push(&mut self.hashes, random.hash_one(name));
    }

    /// `None` if two of the names are the same.
    pub(crate) fn check(mut self, reader: &mut Reader<'_>) -> Option<()> {
        // The first few were compared with the others when these were added.
        self.hashes.sort_unstable();
        let is_twice = self
            .hashes
            .windows(2)
            .any(|pair| pair.first() == pair.last());
        if is_twice {
            return reader.fail(Reader::DUPLICATE);
        }
        Some(())
    }
}
