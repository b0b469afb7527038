//! What keys are made of, before a backend prepares them.

use rustls_pki_types::alg_id;
use zeroize::Zeroizing;

use super::{Algorithm, algorithm::Family, der};

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
    pub(super) n: Zeroizing<Vec<u8>>,
    pub(super) e: Zeroizing<Vec<u8>>,
    pub(super) d: Zeroizing<Vec<u8>>,
    pub(super) p: Zeroizing<Vec<u8>>,
    pub(super) q: Zeroizing<Vec<u8>>,
    pub(super) dp: Zeroizing<Vec<u8>>,
    pub(super) dq: Zeroizing<Vec<u8>>,
    pub(super) qi: Zeroizing<Vec<u8>>,
}

pub(super) const UNFIT: &str = "the key does not fit the algorithm";
pub(super) const INVALID: &str = "the key is invalid";

impl PublicMaterial<'_> {
    /// The point of an Ed25519 key.
    pub(super) fn ed25519_point(&self) -> Option<&[u8; 32]> {
        let bytes = match self {
            Self::Spki(der) => der::public_info(der)?.key,
            Self::Ed25519(bytes) => bytes,
            _ => return None,
        };
        bytes.try_into().ok()
    }

    /// Refuses a key of another kind than the algorithm's, and an RSA key that is too weak.
    pub(super) fn check(&self, algorithm: Algorithm) -> Result<(), &'static str> {
        match (self, algorithm.family()) {
            (Self::Spki(der), family) => {
                let info = der::public_info(der).ok_or(INVALID)?;
                check_identifier(info.algorithm, family)?;
                match family.is_rsa() {
                    true => check_rsa(der::rsa_public(info.key)),
                    false => Ok(()),
                }
            }
            (Self::Pkcs1(der), family) if family.is_rsa() => check_rsa(der::rsa_public(der)),
            (Self::Rsa { n, e }, family) if family.is_rsa() => check_rsa(Some((n, e))),
            (Self::Point(_), Family::P256 | Family::P384) | (Self::Ed25519(_), Family::Ed25519) => {
                Ok(())
            }
            _ => Err(UNFIT),
        }
    }
}

impl PrivateMaterial<'_> {
    /// As [`PublicMaterial::check`].
    pub(super) fn check(&self, algorithm: Algorithm) -> Result<(), &'static str> {
        match (self, algorithm.family()) {
            (Self::Pkcs8(der), family) => {
                let info = der::private_info(der).ok_or(INVALID)?;
                check_identifier(info.algorithm, family)?;
                match family.is_rsa() {
                    true => check_rsa(der::rsa_private(info.key)),
                    false => Ok(()),
                }
            }
            (Self::Pkcs1(der), family) if family.is_rsa() => check_rsa(der::rsa_private(der)),
            (Self::Rsa(parts), family) if family.is_rsa() => check_rsa(Some((&parts.n, &parts.e))),
            (Self::Sec1(der), family @ (Family::P256 | Family::P384)) => {
                let scalar = der::ec_private(der).ok_or(INVALID)?;
                match scalar.len() == family.coordinate_len() {
                    true => Ok(()),
                    false => Err(UNFIT),
                }
            }
            (Self::Ec { .. }, Family::P256 | Family::P384)
            | (Self::Ed25519 { .. }, Family::Ed25519) => Ok(()),
            _ => Err(UNFIT),
        }
    }
}

/// Whether an `AlgorithmIdentifier` is the one of this family's keys.
fn check_identifier(identifier: &[u8], family: Family) -> Result<(), &'static str> {
    let expected = match family {
        Family::P256 => alg_id::ECDSA_P256,
        Family::P384 => alg_id::ECDSA_P384,
        Family::Ed25519 => alg_id::ED25519,
        // Not the identifier of PSS alone, which binds a key to a hash.
        Family::RsaPkcs1 | Family::RsaPss => alg_id::RSA_ENCRYPTION,
        Family::Hmac => return Err(UNFIT),
    };
    match identifier == expected.as_ref() {
        true => Ok(()),
        false => Err(UNFIT),
    }
}

/// Refuses an RSA key that is too weak or too odd to use: under 2,048 or over 8,192 bits, an
/// even modulus, an exponent that is even or under 3.
fn check_rsa(key: Option<(&[u8], &[u8])>) -> Result<(), &'static str> {
    let (n, e) = key.ok_or(INVALID)?;
    let (n, e) = (without_zeros(n), without_zeros(e));
    let leading = n.first().map_or(0, |byte| byte.leading_zeros());
    let bits = n.len().saturating_mul(8);
    let bits = bits.saturating_sub(usize::try_from(leading).unwrap_or_default());
    match e {
        _ if bits < 2048 => Err("the RSA key is under 2,048 bits"),
        _ if bits > 8192 => Err("the RSA key is over 8,192 bits"),
        _ if n.last().is_some_and(|last| last % 2 == 0) => Err("the RSA modulus is even"),
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
