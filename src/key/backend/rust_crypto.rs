//! Keys of the RustCrypto crates, in pure Rust.

use ed25519_dalek::{SigningKey as Ed25519Signing, VerifyingKey as Ed25519Verifying};
use getrandom::SysRng;
use p256::ecdsa::signature::{Signer, Verifier};
use rsa::{
    BoxedUint, Generate, Pkcs1v15Sign, PrivateKey as RsaPrivateKey, Pss, PublicKey as RsaPublicKey,
    traits::{PrivateKeyParts, PublicKeyParts},
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::key::{
    Algorithm,
    algorithm::Family,
    encoded_key::{EncodedPrivateKey, EncodedPublicKey, INVALID, RsaComponents, UNFIT},
};

pub(in crate::key) enum PublicKey {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Ed25519(Ed25519Verifying),
    Rsa(RsaPublicKey, Algorithm),
}

impl PublicKey {
    pub(in crate::key) fn new(
        algorithm: Algorithm,
        encoded: &EncodedPublicKey,
    ) -> Result<Self, &'static str> {
        use EncodedPublicKey as Encoded;

        let key = match (algorithm.family(), encoded) {
            (Family::P256, Encoded::Ec(point)) => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(Self::P256)
                .ok(),
            (Family::P384, Encoded::Ec(point)) => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(Self::P384)
                .ok(),
            (Family::Ed25519, Encoded::Ed25519(point)) => {
                Ed25519Verifying::from_bytes(point).map(Self::Ed25519).ok()
            }
            (Family::RsaPkcs1 | Family::RsaPss, Encoded::Rsa { n, e }) => {
                let [n, e] = [n, e].map(|number| BoxedUint::from_be_slice_vartime(number));
                let key = RsaPublicKey::new_with_size_limits(n, e, 2048..=8192);
                key.map(|key| Self::Rsa(key, algorithm)).ok()
            }
            _ => return Err(UNFIT),
        };
        key.ok_or(INVALID)
    }

    pub(in crate::key) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::Rsa(key, algorithm) => {
                // RFC 8017 §5.2.2 rejects a number that is not below the modulus.
                let is_below_modulus = BoxedUint::from_be_slice_vartime(signature) < **key.n();
                is_below_modulus && verify_rsa(key, *algorithm, message, signature)
            }
        }
    }
}

/// Evaluates `$call` with the padding scheme of an RSA algorithm and the message's digest. The salt
/// of PSS is as long as the hash (RFC 7518 §3.5).
macro_rules! with_rsa_scheme {
    ($algorithm:expr, $message:expr, |$scheme:ident, $digest:ident| $call:expr) => {
        match $algorithm {
            Algorithm::RS256 => with_rsa_scheme!(@ Pkcs1v15Sign Sha256 $message, $scheme, $digest, $call),
            Algorithm::RS384 => with_rsa_scheme!(@ Pkcs1v15Sign Sha384 $message, $scheme, $digest, $call),
            Algorithm::RS512 => with_rsa_scheme!(@ Pkcs1v15Sign Sha512 $message, $scheme, $digest, $call),
            Algorithm::PS256 => with_rsa_scheme!(@ Pss Sha256 $message, $scheme, $digest, $call),
            Algorithm::PS384 => with_rsa_scheme!(@ Pss Sha384 $message, $scheme, $digest, $call),
            _ => with_rsa_scheme!(@ Pss Sha512 $message, $scheme, $digest, $call),
        }
    };
    (@ Pkcs1v15Sign $hash:ident $message:expr, $scheme:ident, $digest:ident, $call:expr) => {{
        let ($scheme, $digest) = (Pkcs1v15Sign::new::<$hash>(), $hash::digest($message));
        $call
    }};
    (@ Pss $hash:ident $message:expr, $scheme:ident, $digest:ident, $call:expr) => {{
        let ($scheme, $digest) = (Pss::<$hash>::new(), $hash::digest($message));
        $call
    }};
}

fn verify_rsa(key: &RsaPublicKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    with_rsa_scheme!(algorithm, message, |scheme, digest| {
        key.verify(scheme, &digest, signature).is_ok()
    })
}

/// A prepared private key. Each variant zeroes itself on drop.
pub(in crate::key) enum PrivateKey {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(Box<Ed25519Signing>),
    Rsa(Box<RsaPrivateKey>, Algorithm),
}

/// An ECDSA key of `$curve` from any of its encodings.
macro_rules! ec_key {
    ($curve:ident, $encoded:expr) => {{
        use $curve::{SecretKey, ecdsa::SigningKey, pkcs8::DecodePrivateKey};

        let (key, expected) = match $encoded {
            EncodedPrivateKey::Pkcs8(der) => (SecretKey::from_pkcs8_der(der).ok(), None),
            EncodedPrivateKey::Sec1(der) => (SecretKey::from_sec1_der(der).ok(), None),
            EncodedPrivateKey::Ec { d, point } => (SecretKey::from_slice(d).ok(), Some(*point)),
            _ => return Err(UNFIT),
        };
        let key = SigningKey::from(key.ok_or(INVALID)?);
        let point = key.verifying_key().to_sec1_point(false);
        if expected.is_some_and(|expected| expected != point.as_bytes()) {
            return Err(INVALID);
        }
        key
    }};
}

impl PrivateKey {
    pub(in crate::key) fn new(
        algorithm: Algorithm,
        encoded: &EncodedPrivateKey<'_>,
    ) -> Result<Self, &'static str> {
        use EncodedPrivateKey as Encoded;

        Ok(match (algorithm.family(), encoded) {
            (Family::P256, encoded) => Self::P256(ec_key!(p256, encoded)),
            (Family::P384, encoded) => Self::P384(ec_key!(p384, encoded)),
            (Family::Ed25519, Encoded::Pkcs8(der)) => {
                let key = ed25519_dalek::pkcs8::DecodePrivateKey::from_pkcs8_der(der);
                Self::Ed25519(Box::new(key.or(Err(INVALID))?))
            }
            (Family::Ed25519, Encoded::Ed25519 { seed, public }) => {
                let key = Ed25519Signing::try_from(*seed).or(Err(INVALID))?;
                if key.verifying_key().as_bytes() != *public {
                    return Err(INVALID);
                }
                Self::Ed25519(Box::new(key))
            }
            (Family::RsaPkcs1 | Family::RsaPss, Encoded::Rsa(components)) => {
                Self::Rsa(Box::new(rsa_key(components).ok_or(INVALID)?), algorithm)
            }
            _ => return Err(UNFIT),
        })
    }

    pub(in crate::key) fn generate(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm.family() {
            Family::P256 => Self::P256(Generate::try_generate_from_rng(&mut SysRng).ok()?),
            Family::P384 => Self::P384(Generate::try_generate_from_rng(&mut SysRng).ok()?),
            Family::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                fill_random(&mut *seed)?;
                Self::Ed25519(Box::new(Ed25519Signing::from_bytes(&seed)))
            }
            Family::RsaPkcs1 | Family::RsaPss => {
                let key = RsaPrivateKey::new(&mut SysRng, 2048).ok()?;
                Self::Rsa(Box::new(key), algorithm)
            }
            Family::Hmac => return None,
        })
    }

    pub(in crate::key) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(message).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.try_sign(message).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            Self::Ed25519(key) => Some(key.try_sign(message).ok()?.to_bytes().to_vec()),
            // The random numbers are for blinding.
            Self::Rsa(key, algorithm) => with_rsa_scheme!(*algorithm, message, |scheme, digest| {
                key.sign_with_rng(&mut SysRng, scheme, &digest).ok()
            }),
        }
    }

    /// The public key of this private key.
    pub(in crate::key) fn public(&self, algorithm: Algorithm) -> Option<EncodedPublicKey> {
        let bits = match self {
            Self::P256(key) => key.verifying_key().to_sec1_bytes(),
            Self::P384(key) => key.verifying_key().to_sec1_bytes(),
            Self::Ed25519(key) => key.verifying_key().to_bytes().into(),
            Self::Rsa(key, _) => return EncodedPublicKey::rsa(&key.n_bytes(), &key.e_bytes()).ok(),
        };
        EncodedPublicKey::from_bits(algorithm, &bits).ok()
    }
}

fn rsa_key(components: &RsaComponents<'_>) -> Option<RsaPrivateKey> {
    let [n, e, d, p, q, dp, dq, qi] =
        components.map(|number| Zeroizing::new(BoxedUint::from_be_slice_vartime(number)));
    let primes = vec![(*p).clone(), (*q).clone()];
    let key =
        RsaPrivateKey::from_components((*n).clone(), (*e).clone(), (*d).clone(), primes).ok()?;
    // The crate derives these itself; the given numbers must be equal.
    let agree = key.dp() == Some(&dp)
        && key.dq() == Some(&dq)
        && key.crt_coefficient() == Some((*qi).clone());
    agree.then_some(key)
}

/// Fills `bytes` with random data of the system.
pub(in crate::key) fn fill_random(bytes: &mut [u8]) -> Option<()> {
    getrandom::fill(bytes).ok()
}
