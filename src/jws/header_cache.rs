//! Cache of JOSE headers: a token with the same encoded header as a verified one skips parsing.

use std::sync::OnceLock;

use super::token_type::TokenType;
use crate::key::VerifyingKey;

/// The first four headers that a set of keys verified. They are never evicted, since an issuer has
/// few. Headers with members other than `alg`, `kid` and `typ` are not cached.
#[derive(Default)]
pub(crate) struct KnownHeaders([OnceLock<KnownHeader>; 4]);

/// A cached header: its encoding, and the key and type that it selects.
pub(crate) struct KnownHeader {
    encoded: Box<[u8]>,
    pub(crate) key: VerifyingKey,
    pub(crate) token_type: TokenType,
}

impl KnownHeaders {
    /// The longest cached header, in encoded bytes.
    const MAX_BYTES: usize = 256;

    pub(crate) fn find(&self, encoded: &[u8]) -> Option<&KnownHeader> {
        let mut known = self.0.iter().map_while(OnceLock::get);
        known.find(|header| *header.encoded == *encoded)
    }

    /// Caches a header that a signature of `key` covers.
    pub(crate) fn remember(&self, encoded: &[u8], key: &VerifyingKey, token_type: TokenType) {
        if encoded.len() > Self::MAX_BYTES {
            return;
        }
        for slot in &self.0 {
            // Another thread may fill the slot first, perhaps with the same header.
            let known = slot.get_or_init(|| KnownHeader {
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
    fn a_header_that_several_threads_cache_takes_one_slot() {
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
            let taken = known.0.iter().filter(|slot| slot.get().is_some());
            assert_eq!(taken.count(), 1);
        }
    }

    #[test]
    fn the_first_four_headers_are_cached_once_each() {
        let known = KnownHeaders::default();
        let key = |id: &str| VerifyingKey::hs256([7; 32]).unwrap().with_id(id);
        for header in ["a", "b", "a", "c", "d", "e"] {
            known.remember(header.as_bytes(), &key(header), TokenType::Jwt);
        }
        let id = |header: &str| Some(known.find(header.as_bytes())?.key.id().unwrap());
        for header in ["a", "b", "c", "d"] {
            assert_eq!(id(header), Some(header));
        }
        assert_eq!(id("e"), None);
        assert_eq!(id(""), None);
    }

    #[test]
    fn a_long_header_is_not_cached() {
        let known = KnownHeaders::default();
        let key = VerifyingKey::hs256([7; 32]).unwrap();
        for (len, kept) in [(256, true), (257, false)] {
            let header = vec![b'a'; len];
            known.remember(&header, &key, TokenType::Jwt);
            assert_eq!(known.find(&header).is_some(), kept, "{len}");
        }
    }
}
