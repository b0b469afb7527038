//! Encodings of keys, independent of the backend, and the rejection of weak keys.

use super::{Algorithm, algorithm::Family, der, ed25519};

/// A public key in the one encoding of its family.
#[derive(Clone, Eq, PartialEq)]
pub(super) enum EncodedPublicKey {
    /// An uncompressed point (SEC 1 §2.3.3).
    Ec(Vec<u8>),
    /// A compressed point (RFC 8032 §5.1.5).
    Ed25519([u8; 32]),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// A private key in the encodings that the backends parse.
pub(super) enum EncodedPrivateKey<'a> {
    /// `PrivateKeyInfo` (RFC 5208) of an EC or Ed25519 key, DER.
    Pkcs8(&'a [u8]),
    /// `ECPrivateKey` (RFC 5915), DER.
    Sec1(&'a [u8]),
    /// A scalar and its public point.
    Ec {
        d: &'a [u8],
        point: &'a [u8],
    },
    /// A seed and its public key.
    Ed25519 {
        seed: &'a [u8],
        public: &'a [u8],
    },
    Rsa(RsaComponents<'a>),
}

/// Components of a key of two primes, big-endian, in the order of RFC 8017 §A.1.2: n, e, d, p, q,
/// dp, dq, qi.
pub(super) type RsaComponents<'a> = [&'a [u8]; 8];

pub(super) const UNFIT: &str = "the key does not fit the algorithm";
pub(super) const INVALID: &str = "the key is invalid";

impl EncodedPublicKey {
    /// Decodes the DER of a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    pub(super) fn from_spki(algorithm: Algorithm, der: &[u8]) -> Result<Self, &'static str> {
        let (identifier, key) = der::public_info(der).ok_or(INVALID)?;
        check_identifier(identifier, algorithm.family())?;
        Self::from_bits(algorithm, key)
    }

    /// Decodes the `subjectPublicKey` of the algorithm's family: a point, a raw Ed25519 key, or the
    /// DER of an `RSAPublicKey` (RFC 8017 §A.1.1).
    pub(super) fn from_bits(algorithm: Algorithm, key: &[u8]) -> Result<Self, &'static str> {
        let family = algorithm.family();
        match (family, key) {
            (Family::P256 | Family::P384, [4, coordinates @ ..]) => {
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                let is_point = [x.len(), y.len()] == [family.coordinate_len(); 2];
                is_point.then(|| Self::Ec(key.into())).ok_or(INVALID)
            }
            (Family::P256 | Family::P384, [2 | 3, ..]) => {
                Err("a compressed point is not supported")
            }
            (Family::P256 | Family::P384, _) => Err(INVALID),
            (Family::Ed25519, _) => match key.try_into() {
                Ok(point) if ed25519::is_small_order(point) => {
                    Err("the Ed25519 point is of small order")
                }
                Ok(point) => Ok(Self::Ed25519(*point)),
                Err(_) => Err(INVALID),
            },
            (Family::RsaPkcs1 | Family::RsaPss, _) => {
                let [n, e] = der::integers(key).ok_or(INVALID)?;
                Self::rsa(n, e)
            }
            (Family::Hmac, _) => Err(UNFIT),
        }
    }

    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, &'static str> {
        check_rsa(n, e)?;
        Ok(Self::Rsa {
            n: without_zeros(n).into(),
            e: without_zeros(e).into(),
        })
    }
}

impl<'a> EncodedPrivateKey<'a> {
    /// Decodes the DER of a `PrivateKeyInfo`.
    pub(super) fn from_pkcs8(algorithm: Algorithm, der: &'a [u8]) -> Result<Self, &'static str> {
        let (identifier, key) = der::private_info(der).ok_or(INVALID)?;
        check_identifier(identifier, algorithm.family())?;
        if algorithm.family().is_rsa() {
            Self::from_pkcs1(algorithm, key)
        } else {
            Ok(Self::Pkcs8(der))
        }
    }

    /// Decodes the DER of an `RSAPrivateKey` (RFC 8017 §A.1.2).
    pub(super) fn from_pkcs1(algorithm: Algorithm, der: &'a [u8]) -> Result<Self, &'static str> {
        if !algorithm.family().is_rsa() {
            return Err(UNFIT);
        }
        // Version 0 is a key of two primes.
        match der::integers(der).ok_or(INVALID)? {
            [[], n, e, d, p, q, dp, dq, qi] => Self::rsa([n, e, d, p, q, dp, dq, qi]),
            _ => Err(INVALID),
        }
    }

    pub(super) fn rsa(components: RsaComponents<'a>) -> Result<Self, &'static str> {
        let [n, e, ..] = components;
        check_rsa(n, e)?;
        Ok(Self::Rsa(components.map(without_zeros)))
    }

    /// Decodes the DER of an `ECPrivateKey`.
    pub(super) fn from_sec1(algorithm: Algorithm, der: &'a [u8]) -> Result<Self, &'static str> {
        let family = algorithm.family();
        if !matches!(family, Family::P256 | Family::P384) {
            return Err(UNFIT);
        }
        let scalar = der::ec_private(der).ok_or(INVALID)?;
        let is_of_curve = scalar.len() == family.coordinate_len();
        is_of_curve.then_some(Self::Sec1(der)).ok_or(UNFIT)
    }
}

/// Rejects an `AlgorithmIdentifier` of another family.
fn check_identifier(identifier: &[u8], family: Family) -> Result<(), &'static str> {
    let expected = match family {
        Family::P256 => alg_id::ECDSA_P256,
        Family::P384 => alg_id::ECDSA_P384,
        Family::Ed25519 => alg_id::ED25519,
        // The identifier of PSS, which binds a key to a hash, is not accepted.
        Family::RsaPkcs1 | Family::RsaPss => alg_id::RSA_ENCRYPTION,
        Family::Hmac => return Err(UNFIT),
    };
    (identifier == expected).then_some(()).ok_or(UNFIT)
}

/// Contents of `AlgorithmIdentifier`s (RFC 5480 §2.1.1, RFC 8410 §3, RFC 8017 §A.1), DER.
#[rustfmt::skip]
mod alg_id {
    pub(super) const ECDSA_P256: &[u8] = &[
        6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
    ];
    pub(super) const ECDSA_P384: &[u8] = &[
        6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22,
    ];
    pub(super) const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];
    pub(super) const RSA_ENCRYPTION: &[u8] = &[
        6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0,
    ];
}

/// Rejects a weak or invalid RSA key: under 2,048 or over 8,192 bits, an even modulus, or an
/// exponent that is even, under 3 or over 32 bits.
fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), &'static str> {
    let (n, e) = (without_zeros(n), without_zeros(e));
    let is_even = |number: &[u8]| number.last().is_none_or(|last| last % 2 == 0);
    match e {
        _ if n.len() < 256 || (n.len() == 256 && n.first() < Some(&0x80)) => {
            Err("the RSA key is under 2,048 bits")
        }
        _ if n.len() > 1024 => Err("the RSA key is over 8,192 bits"),
        _ if is_even(n) => Err("the RSA modulus is even"),
        [] | [1] => Err("the RSA exponent is under 3"),
        _ if is_even(e) => Err("the RSA exponent is even"),
        _ if e.len() > 4 => Err("the RSA exponent is over 32 bits"),
        _ => Ok(()),
    }
}

/// A big-endian number without its leading zeros.
fn without_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_must_be_uncompressed_and_of_its_curve() {
        let from_bits =
            |algorithm, point: &[u8]| EncodedPublicKey::from_bits(algorithm, point).err();
        let point = |form: u8, len: usize| [&[form][..], &vec![7; len]].concat();
        let (es256, es384) = (Algorithm::ES256, Algorithm::ES384);
        assert_eq!(from_bits(es256, &point(4, 64)), None);
        assert_eq!(from_bits(es384, &point(4, 96)), None);
        for len in [0, 32, 63, 65, 96] {
            assert_eq!(from_bits(es256, &point(4, len)), Some(INVALID), "{len}");
        }
        for form in [2, 3] {
            let reason = Some("a compressed point is not supported");
            assert_eq!(from_bits(es256, &point(form, 32)), reason);
        }
        for form in [0, 1, 5, 6] {
            assert_eq!(from_bits(es256, &point(form, 64)), Some(INVALID), "{form}");
        }
        assert_eq!(from_bits(es256, &[]), Some(INVALID));
    }

    #[test]
    fn the_size_of_an_rsa_key_is_counted_in_bits() {
        let modulus = |first: u8, len: usize| [&[first][..], &vec![1; len - 1]].concat();
        for (n, reason) in [
            (modulus(0x80, 256), None),
            (modulus(0x7f, 256), Some("the RSA key is under 2,048 bits")),
            (modulus(1, 257), None),
            ([&[0], &*modulus(0x80, 256)].concat(), None),
            (
                [&[0], &*modulus(0x7f, 256)].concat(),
                Some("the RSA key is under 2,048 bits"),
            ),
            (modulus(0xff, 1024), None),
            (modulus(1, 1025), Some("the RSA key is over 8,192 bits")),
            (Vec::new(), Some("the RSA key is under 2,048 bits")),
        ] {
            assert_eq!(
                EncodedPublicKey::rsa(&n, &[1, 0, 1]).err(),
                reason,
                "{}",
                n.len()
            );
        }
        for (e, reason) in [
            (&[3][..], None),
            (&[0, 3], None),
            (&[0xff; 4], None),
            (&[1, 0, 0, 0, 1], Some("the RSA exponent is over 32 bits")),
            (&[2], Some("the RSA exponent is even")),
            (&[1], Some("the RSA exponent is under 3")),
            (&[0], Some("the RSA exponent is under 3")),
            (&[], Some("the RSA exponent is under 3")),
        ] {
            assert_eq!(
                EncodedPublicKey::rsa(&modulus(0x80, 256), e).err(),
                reason,
                "{e:?}"
            );
        }
    }
}
