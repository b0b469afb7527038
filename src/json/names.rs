//! Detection of a member name that occurs twice in one object.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::{reader::Reader, span::Span};

/// The names of an object's unknown members.
///
/// Each name is compared with the first eight. Names after these are hashed, and the hashes sorted
/// at the end: equal hashes count as a duplicate, with a false-positive rate of about 2^-64 for
/// each pair.
#[derive(Default)]
pub(crate) struct Names {
    first: [Option<Span>; 8],
    hashes: Vec<u64>,
    random: Option<RandomState>,
}

impl Names {
    pub(crate) fn is_empty(&self) -> bool {
        self.first[0].is_none()
    }

    /// Adds a name; `None` if it is one of the first eight.
    #[inline]
    pub(crate) fn add(&mut self, name: Span, reader: &mut Reader<'_>) -> Option<()> {
        let text = reader.text(name);
        for known in &mut self.first {
            match known {
                Some(known) if reader.text(*known) == text => {
                    return reader.fail(Reader::DUPLICATE);
                }
                Some(_) => {}
                None => {
                    *known = Some(name);
                    return Some(());
                }
            }
        }
        self.add_hash(text, reader);
        Some(())
    }

    #[cold]
    fn add_hash(&mut self, name: &str, reader: &Reader<'_>) {
        let random = self.random.get_or_insert_default();
        reader.push(&mut self.hashes, random.hash_one(name));
    }

    /// `None` if two of the hashed names are equal.
    pub(crate) fn check(mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.hashes.sort_unstable();
        if self.hashes.is_sorted_by(|a, b| a < b) {
            Some(())
        } else {
            reader.fail(Reader::DUPLICATE)
        }
    }
}
