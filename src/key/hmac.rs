//! HMAC (RFC 2104) for the HS algorithms, with the key set up once.

use memchr::memmem;
use sha2::{
    Digest, Sha256, Sha384, Sha512,
    block_api::{compress256, compress512},
};
use zeroize::{Zeroize, Zeroizing};

use super::Algorithm;
use crate::constant_time;

/// A secret, prepared: the states of the hash after the padded key, from which each token goes on.
pub(super) enum HmacKey {
    Sha256(Midstates256),
    Sha384(Midstates512),
    Sha512(Midstates512),
}

impl HmacKey {
    pub(super) fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self, &'static str> {
        let least = match algorithm {
            Algorithm::HS256 => 32,
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => return Err("no HMAC algorithm"),
        };
        if looks_like_public_key(secret) {
            return Err("the secret is the text of a key; a public key is no secret");
        }
        if secret.len() < least {
            return Err("the secret is shorter than the hash (RFC 7518 §3.2)");
        }
        Ok(match algorithm {
            Algorithm::HS256 => Self::Sha256(Midstates256::new::<Sha256>(SHA256, secret)),
            Algorithm::HS384 => Self::Sha384(Midstates512::new::<Sha384>(SHA384, secret)),
            _ => Self::Sha512(Midstates512::new::<Sha512>(SHA512, secret)),
        })
    }

    /// In constant time as far as the signature's content goes.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.with_tag(message, |tag| constant_time::is_same(tag, signature))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.with_tag(message, <[u8]>::to_vec)
    }

    fn with_tag<T>(&self, message: &[u8], f: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Sha256(key) => f(&key.tag::<32>(message)),
            Self::Sha384(key) => f(&key.tag::<48>(message)),
            Self::Sha512(key) => f(&key.tag::<64>(message)),
        }
    }
}

/// What the hashes begin with (FIPS 180-4 §5.3).
const SHA256: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
const SHA384: [u64; 8] = [
    0xcbbb_9d5d_c105_9ed8,
    0x629a_292a_367c_d507,
    0x9159_015a_3070_dd17,
    0x152f_ecd8_f70e_5939,
    0x6733_2667_ffc0_0b31,
    0x8eb4_4a87_6858_1511,
    0xdb0c_2e0d_64f9_8fa7,
    0x47b5_481d_befa_4fa4,
];
const SHA512: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

macro_rules! midstates {
    ($name:ident, $word:ty, $block:literal, $compress:path) => {
        pub(super) struct $name {
            inner: [$word; 8],
            outer: [$word; 8],
        }

        impl $name {
            /// RFC 2104 §2.
            fn new<D: Digest>(initial: [$word; 8], secret: &[u8]) -> Self {
                let mut key = [0; $block];
                match key.get_mut(..secret.len()) {
                    Some(start) => start.copy_from_slice(secret),
                    None => {
                        let mut digest = D::digest(secret);
                        key.iter_mut().zip(&digest).for_each(|(to, it)| *to = *it);
                        digest.as_mut_slice().zeroize();
                    }
                }
                let state = |pad: u8| {
                    let (mut state, mut padded) = (initial, [key.map(|byte| byte ^ pad)]);
                    $compress(&mut state, &padded);
                    padded.zeroize();
                    state
                };
                let (inner, outer) = (state(0x36), state(0x5c));
                key.zeroize();
                Self { inner, outer }
            }

            fn tag<const N: usize>(&self, message: &[u8]) -> [u8; N] {
                let inner: [u8; N] = Self::finish(self.inner, message);
                Self::finish(self.outer, &inner)
            }

            /// Hashes `message` after the one block that `state` has seen (FIPS 180-4 §5.1).
            #[expect(
                clippy::arithmetic_side_effects,
                clippy::indexing_slicing,
                reason = "the rest is shorter than a block; no message has 2^61 bytes"
            )]
            fn finish<const N: usize>(mut state: [$word; 8], message: &[u8]) -> [u8; N] {
                const LENGTH: usize = 2 * size_of::<$word>();

                let (blocks, rest) = message.as_chunks();
                $compress(&mut state, blocks);
                let mut last = [[0; $block]; 2];
                let (data, used) = (last.as_flattened_mut(), rest.len());
                data[..used].copy_from_slice(rest);
                data[used] = 0x80;
                let count = if used + 1 + LENGTH <= $block { 1 } else { 2 };
                let bits = u64::try_from($block + message.len()).unwrap_or_default() * 8;
                data[count * $block - 8..][..8].copy_from_slice(&bits.to_be_bytes());
                $compress(&mut state, &last[..count]);
                let mut digest = [0; N];
                let (words, _) = digest.as_chunks_mut();
                for (bytes, word) in words.iter_mut().zip(state) {
                    *bytes = word.to_be_bytes();
                }
                digest
            }
        }

        /// Who has the states can sign.
        impl Drop for $name {
            fn drop(&mut self) {
                self.inner.zeroize();
                self.outer.zeroize();
            }
        }
    };
}

midstates!(Midstates256, u32, 64, compress256);
midstates!(Midstates512, u64, 128, compress512);

/// Whether a secret is text that holds a key: PEM, SSH or JWK. Who mistakes a public key for a
/// secret lets everybody sign (the attack that RFC 8725 §2.1 tells of).
fn looks_like_public_key(secret: &[u8]) -> bool {
    // UTF-16 and C strings have zeros between and behind the letters; white space and quotes come
    // in many ways.
    let is_kept = |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, 0 | b'\\');
    let mut text = Zeroizing::new(Vec::with_capacity(secret.len()));
    text.extend(secret.iter().copied().filter(is_kept));
    let has = |mark: &[u8]| memmem::find(&text, mark).is_some();
    let is_pem = has(b"-----BEGIN") || has(b"----BEGIN");
    // The name of a kind of key, and the length of that name in base64.
    let is_ssh = has(b"AAAA") && (has(b"ssh-") || has(b"ecdsa-sha2-"));
    let is_jwk = has(b"\"kty\":") || has(b"\"keys\":");
    is_pem || is_ssh || is_jwk
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn tags_are_those_of_another_implementation(
            secret in prop::collection::vec(any::<u8>(), 64..300),
            message in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            fn tag<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Vec<u8> {
                let mac = <M as KeyInit>::new_from_slice(secret).unwrap();
                mac.chain_update(message).finalize().into_bytes().to_vec()
            }
            for (algorithm, want) in [
                (Algorithm::HS256, tag::<Hmac<Sha256>>(&secret, &message)),
                (Algorithm::HS384, tag::<Hmac<Sha384>>(&secret, &message)),
                (Algorithm::HS512, tag::<Hmac<Sha512>>(&secret, &message)),
            ] {
                let Ok(key) = HmacKey::new(algorithm, &secret) else {
                    continue;
                };
                prop_assert_eq!(key.sign(&message), &*want);
                prop_assert!(key.verify(&message, &want));
                prop_assert!(!key.verify(&message, &want[1..]));
                prop_assert!(!key.verify(&message, &[&want[..], &[0]].concat()));
            }
        }
    }

    #[test]
    fn a_secret_is_long_enough_and_no_key() {
        let long = |text: &str| format!("{text}{}", "x".repeat(64)).into_bytes();
        for (algorithm, least) in [
            (Algorithm::HS256, 32),
            (Algorithm::HS384, 48),
            (Algorithm::HS512, 64),
        ] {
            assert!(HmacKey::new(algorithm, &vec![b'x'; least]).is_ok());
            assert!(HmacKey::new(algorithm, &vec![b'x'; least - 1]).is_err());
            assert!(HmacKey::new(algorithm, b"").is_err());
            for text in [
                "-----BEGIN PUBLIC KEY-----\n",
                "\n -----BEGIN RSA PUBLIC KEY-----",
                "---- BEGIN SSH2 PUBLIC KEY ----",
                "Bag Attributes\n-----BEGIN PUBLIC KEY-----",
                "\u{feff}-----BEGIN PUBLIC KEY-----",
                "-\0-\0-\0-\0-\0B\0E\0G\0I\0N\0 \0",
                "restrict ssh-rsa AAAA",
                "ssh-rsa\tAAAA",
                "ssh-rsa  AAAA",
                "sk-ssh-ed25519@openssh.com AAAA",
                "ssh-ed25519 AAAA",
                "ecdsa-sha2-nistp256 AAAA",
            ] {
                assert!(HmacKey::new(algorithm, &long(text)).is_err(), "{text}");
            }
            let jwk = format!(" {{\"kty\":\"RSA\",\"n\":\"{}\"}}", "x".repeat(64));
            assert!(HmacKey::new(algorithm, jwk.as_bytes()).is_err());
            for jwk in [
                format!("\u{feff}{jwk}"),
                format!("{jwk}\0"),
                format!("[{jwk}]"),
                format!("{jwk},"),
                format!("{jwk}\n{jwk}"),
                format!("{{\"a\":{jwk}}}"),
                serde_json::to_string(&jwk).unwrap(),
                jwk.replace(':', "\n: "),
            ] {
                assert!(HmacKey::new(algorithm, jwk.as_bytes()).is_err(), "{jwk}");
                let units = || "\u{feff}".encode_utf16().chain(jwk.encode_utf16());
                for utf16 in [
                    units().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
                    units().flat_map(u16::to_be_bytes).collect(),
                ] {
                    assert!(HmacKey::new(algorithm, &utf16).is_err(), "{jwk}");
                }
            }
            let jwks = format!("{{\"keys\":[\"{}\"]}}", "x".repeat(64));
            assert!(HmacKey::new(algorithm, jwks.as_bytes()).is_err());
            assert!(HmacKey::new(algorithm, &long("{")).is_ok(), "it is no JSON");
        }
        assert!(HmacKey::new(Algorithm::ES256, &[0; 64]).is_err());
    }
}
