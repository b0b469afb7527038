//! HMAC (RFC 2104) for the HS algorithms, with a prepared secret.

use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use memchr::memmem;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{Algorithm, Reason};
use crate::constant_time;

/// A prepared secret: the midstates of the hash. They are as sensitive as the secret, and zeroed on
/// drop.
pub(super) enum HmacKey {
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

type Prepare = fn(&[u8]) -> Result<HmacKey, InvalidLength>;

impl HmacKey {
    pub(super) fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Reason> {
        let (needed, prepare): (usize, Prepare) = match algorithm {
            Algorithm::HS256 => (32, |secret| Hmac::new_from_slice(secret).map(Self::Sha256)),
            Algorithm::HS384 => (48, |secret| Hmac::new_from_slice(secret).map(Self::Sha384)),
            Algorithm::HS512 => (64, |secret| Hmac::new_from_slice(secret).map(Self::Sha512)),
            _ => return Err("not an HMAC algorithm".into()),
        };
        if looks_like_key(secret) {
            return Err("the secret is the text of a key; a public key is not a secret".into());
        }
        if secret.len() < needed {
            let len = secret.len();
            return Err(format!(
                "the secret is shorter than the hash (RFC 7518 §3.2): {len} bytes, but {algorithm} \
                 needs {needed} or more"
            )
            .into());
        }
        prepare(secret).or(Err("the secret is invalid".into()))
    }

    /// Verifies in a time that depends on the lengths alone.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.with_tag(message, |tag| constant_time::is_same(tag, signature))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.with_tag(message, <[u8]>::to_vec)
    }

    fn with_tag<T>(&self, message: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
        fn tag<M: Mac + Clone>(key: &M, message: &[u8]) -> impl AsRef<[u8]> + use<M> {
            key.clone().chain_update(message).finalize().into_bytes()
        }
        match self {
            Self::Sha256(key) => read(tag(key, message).as_ref()),
            Self::Sha384(key) => read(tag(key, message).as_ref()),
            Self::Sha512(key) => read(tag(key, message).as_ref()),
        }
    }
}

/// Compares in constant time, by the tags of one message, since the midstates are not accessible.
impl PartialEq for HmacKey {
    fn eq(&self, other: &Self) -> bool {
        self.verify(b"", &other.sign(b""))
    }
}

/// Whether a secret contains an encoded key: PEM, SSH or JWK. A public key used as an HMAC secret
/// lets anyone sign (RFC 8725 §2.1).
fn looks_like_key(secret: &[u8]) -> bool {
    // Ignores the zeros of UTF-16 and C strings, white space, and the escapes of quoted JSON.
    let is_kept = |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, 0 | b'\\');
    let mut text = Zeroizing::new(Vec::with_capacity(secret.len()));
    text.extend(secret.iter().copied().filter(is_kept));
    let has = |mark: &[u8]| memmem::find(&text, mark).is_some();
    let is_pem = has(b"-----BEGIN") || has(b"----BEGIN");
    // The key type, and the base64 of its length.
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
        fn tags_equal_those_of_another_implementation(
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
    fn a_short_secret_and_an_encoded_key_are_rejected() {
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
            assert!(HmacKey::new(algorithm, &long("{")).is_ok(), "not JSON");
        }
        assert!(HmacKey::new(Algorithm::ES256, &[0; 64]).is_err());
    }
}
