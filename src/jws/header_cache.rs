//! JOSE headers of tokens whose signature held: the next token with the same header, byte for
//! byte, needs no reading of it.

use std::sync::OnceLock;

use super::token_type::TokenType;
use crate::key::VerifyingKey;

/// The first few that a set of keys met. They are never replaced: an issuer has few. One with other
/// members than `alg`, `kid` and `typ` is read each time.
#[derive(Default)]
pub(crate) struct KnownHeaders([OnceLock<KnownHeader>; 4]);

/// What a header said.
pub(crate) struct KnownHeader {
    encoded: Box<[u8]>,
    pub(crate) key: VerifyingKey,
    pub(crate) token_type: TokenType,
}

impl KnownHeaders {
    /// The longest that is remembered, in encoded bytes.
    const MAX_BYTES: usize = 256;

    pub(crate) fn find(&self, encoded: &[u8]) -> Option<&KnownHeader> {
        let mut known = self.0.iter().map_while(OnceLock::get);
        known.find(|it| *it.encoded == *encoded)
    }

    /// Remembers what a header said that a signature of `key` covered.
    pub(crate) fn remember(&self, encoded: &[u8], key: &VerifyingKey, token_type: TokenType) {
        if encoded.len() > Self::MAX_BYTES {
            return;
        }
        for place in &self.0 {
            // Another thread may be the first, and with the same.
            let known = place.get_or_init(|| KnownHeader {
                encoded: encoded.into(),
                key: key.clone(),
                token_type,
            });
            if *known.encoded == *encoded {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn one_that_several_threads_meet_first_takes_one_place() {
        let key = VerifyingKey::hs256([7; 32]).unwrap();
        for _ in 0..200 {
            let (known, start) = (KnownHeaders::default(), Barrier::new(4));
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        start.wait();
                        known.remember(b"a", &key, TokenType::Jwt);
                    });
                }
            });
            let taken = known.0.iter().filter(|it| it.get().is_some());
            assert_eq!(taken.count(), 1);
        }
    }

    #[test]
    fn the_first_few_are_remembered_once_each() {
        let known = KnownHeaders::default();
        let key = |id: &str| VerifyingKey::hs256([7; 32]).unwrap().with_id(id);
        for header in ["a", "b", "a", "c", "d", "e"] {
            known.remember(header.as_bytes(), &key(header), TokenType::Jwt);
        }
        let id = |header: &str| known.find(header.as_bytes()).map(|it| it.key.id().unwrap());
        for header in ["a", "b", "c", "d"] {
            assert_eq!(id(header), Some(header));
        }
        assert_eq!(id("e"), None);
        assert_eq!(id(""), None);
    }

    #[test]
    fn a_long_one_is_not_kept() {
        let known = KnownHeaders::default();
        let key = VerifyingKey::hs256([7; 32]).unwrap();
        for (len, kept) in [(256, true), (257, false)] {
            let header = vec![b'a'; len];
            known.remember(&header, &key, TokenType::Jwt);
            assert_eq!(known.find(&header).is_some(), kept, "{len}");
        }
    }
}
