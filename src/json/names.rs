//! Detection of a member name that occurs twice in one object.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::{cursor::Name, reader::Reader, span::Span};

/// The names of an object's members, or of those that are not in its [`Table`](super::Table).
///
/// Up to 16 names are compared with each other. Of more, all are hashed, and the hashes sorted at
/// the end: equal hashes count as a duplicate, with a false-positive rate of about 2^-64 for each
/// pair.
#[derive(Default)]
pub(crate) struct Names {
    first: [Option<Name>; 16],
    hashes: Vec<u64>,
    random: Option<RandomState>,
}

impl Names {
    pub(crate) fn is_empty(&self) -> bool {
        self.first[0].is_none()
    }

    /// Adds a name; `None` if it is one of up to 16 before.
    #[inline(never)]
    pub(crate) fn add(&mut self, name: Name, reader: &mut Reader<'_>) -> Option<()> {
        let is_same = |known: Name, reader: &Reader<'_>| {
            known.word == name.word && reader.text(known.span) == reader.text(name.span)
        };
        if self.hashes.is_empty() {
            for place in &mut self.first {
                match *place {
                    Some(known) if is_same(known, reader) => {
                        return reader.fail(Reader::DUPLICATE);
                    }
                    Some(_) => {}
                    None => {
                        *place = Some(name);
                        return Some(());
                    }
                }
            }
        }
        self.add_hash(name.span, reader);
        Some(())
    }

    #[cold]
    fn add_hash(&mut self, name: Span, reader: &Reader<'_>) {
        let random = self.random.get_or_insert_default();
        if self.hashes.is_empty() {
            let first = self.first.iter().flatten();
            self.hashes
                .extend(first.map(|first| random.hash_one(reader.text(first.span))));
        }
        reader.push(&mut self.hashes, random.hash_one(reader.text(name)));
    }

    /// `None` if two of the hashed names are equal.
    pub(crate) fn check(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.hashes.sort_unstable();
        if self.hashes.is_sorted_by(|a, b| a < b) {
            Some(())
        } else {
            reader.fail(Reader::DUPLICATE)
        }
    }
}
