//! What keys are made of, before a backend prepares them.

use super::{Algorithm, algorithm::Family};

/// A public key as it was written.
pub(super) enum PublicMaterial<'a> {
    /// `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7), DER.
    Spki(&'a [u8]),
    /// `RSAPublicKey` (RFC 8017 §A.1.1), DER.
    Pkcs1(&'a [u8]),
    /// An uncompressed point (SEC 1 §2.3.3).
    Point(&'a [u8]),
    /// Modulus and exponent, big-endian.
    Rsa { n: &'a [u8], e: &'a [u8] },
    /// An Ed25519 public key (RFC 8032 §5.1.5).
    Ed25519(&'a [u8]),
}

/// A private key as it was written.
pub(super) enum PrivateMaterial<'a> {
    /// `PrivateKeyInfo` (RFC 5208), DER.
    Pkcs8(&'a [u8]),
    /// `ECPrivateKey` (RFC 5915), DER.
    Sec1(&'a [u8]),
    /// `RSAPrivateKey` (RFC 8017 §A.1.2), DER.
    Pkcs1(&'a [u8]),
    /// A scalar and the point that belongs to it.
    Ec { d: &'a [u8], point: &'a [u8] },
    /// All components of a key of two primes (RFC 7518 §6.3.2), big-endian.
    Rsa(&'a RsaComponents),
    /// A seed and the public key that belongs to it.
    Ed25519 { seed: &'a [u8], public: &'a [u8] },
}

#[derive(Default)]
pub(super) struct RsaComponents {
    pub(super) n: Vec<u8>,
    pub(super) e: Vec<u8>,
    pub(super) d: Vec<u8>,
    pub(super) p: Vec<u8>,
    pub(super) q: Vec<u8>,
    pub(super) dp: Vec<u8>,
    pub(super) dq: Vec<u8>,
    pub(super) qi: Vec<u8>,
}

pub(super) const UNFIT: &str = "the key does not fit the algorithm";
pub(super) const INVALID: &str = "the key is invalid";

impl PublicMaterial<'_> {
    /// The point of an Ed25519 key, which DER ends with (RFC 8410 §4).
    pub(super) fn ed25519_point(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Spki(bytes) | Self::Ed25519(bytes) => bytes.last_chunk(),
            _ => None,
        }
    }

    /// Whether this kind of key can be of the algorithm at all; DER tells only when it is parsed.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm.family()) {
            (_, Family::Hmac) => false,
            (Self::Spki(_), _) => true,
            (Self::Point(_), family) => matches!(family, Family::P256 | Family::P384),
            (Self::Pkcs1(_) | Self::Rsa { .. }, family) => {
                matches!(family, Family::RsaPkcs1 | Family::RsaPss)
            }
            (Self::Ed25519(_), family) => family == Family::Ed25519,
        }
    }
}

impl PrivateMaterial<'_> {
    /// As [`PublicMaterial::fits`].
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm.family()) {
            (_, Family::Hmac) => false,
            (Self::Pkcs8(_), _) => true,
            (Self::Sec1(_) | Self::Ec { .. }, family) => {
                matches!(family, Family::P256 | Family::P384)
            }
            (Self::Pkcs1(_) | Self::Rsa(_), family) => {
                matches!(family, Family::RsaPkcs1 | Family::RsaPss)
            }
            (Self::Ed25519 { .. }, family) => family == Family::Ed25519,
        }
    }
}

/// Refuses an RSA key that is too weak or too odd to use: under 2,048 or over 8,192 bits, an
/// exponent that is even or under 3.
pub(super) fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), &'static str> {
    let (n, e) = (without_zeros(n), without_zeros(e));
    let leading = n.first().map_or(0, |byte| byte.leading_zeros());
    let bits = n.len() * 8 - usize::try_from(leading).unwrap_or_default();
    match e {
        _ if bits < 2048 => Err("the RSA key is under 2,048 bits"),
        _ if bits > 8192 => Err("the RSA key is over 8,192 bits"),
        [] | [1] => Err("the RSA exponent is under 3"),
        [.., last] if last % 2 == 0 => Err("the RSA exponent is even"),
        e if e.len() > 4 => Err("the RSA exponent is over 32 bits"),
        _ => Ok(()),
    }
}

/// A big-endian number without its leading zeros.
pub(super) fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
