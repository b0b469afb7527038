//! Encodings of keys, independent of the backend, and the rejection of weak keys.
//!
//! A public key is a point (SEC 1 §2.3.3), a raw Ed25519 key (RFC 8032 §5.1.5), or the DER of an
//! `RSAPublicKey` (RFC 8017 §A.1.1). A private key is the DER of an `ECPrivateKey` (RFC 5915), of the
//! `PrivateKeyInfo` of an Ed25519 key (RFC 8410 §7), or of an `RSAPrivateKey` (RFC 8017 §A.1.2).

use super::{Algorithm, algorithm::Family, der, ed25519};

pub(super) const UNFIT: &str = "the key does not fit the algorithm";
pub(super) const INVALID: &str = "the key is invalid";

/// The public key of a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7), DER.
pub(super) fn public_of_spki(algorithm: Algorithm, der: &[u8]) -> Result<&[u8], &'static str> {
    let (identifier, key) = der::public_info(der).ok_or(INVALID)?;
    check_identifier(identifier, algorithm.family())?;
    Ok(key)
}

/// The private key of a `PrivateKeyInfo` (RFC 5208), DER.
pub(super) fn private_of_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<&[u8], &'static str> {
    let (identifier, key) = der::private_info(der).ok_or(INVALID)?;
    check_identifier(identifier, algorithm.family())?;
    // That of Ed25519 may hold the public key beside the private one, which the backends compare.
    let is_ed25519 = algorithm.family() == Family::Ed25519;
    Ok(if is_ed25519 { der } else { key })
}

/// Rejects a public key that is weak or not of the algorithm's family.
pub(super) fn check_public(algorithm: Algorithm, key: &[u8]) -> Result<(), &'static str> {
    match (algorithm.family(), key) {
        (Family::P256, [4, coordinates @ ..]) if coordinates.len() == 64 => Ok(()),
        (Family::P384, [4, coordinates @ ..]) if coordinates.len() == 96 => Ok(()),
        (Family::P256 | Family::P384, [2 | 3, ..]) => Err("a compressed point is not supported"),
        (Family::P256 | Family::P384, _) => Err(INVALID),
        (Family::Ed25519, _) => match key.try_into() {
            Ok(point) if ed25519::is_small_order(point) => {
                Err("the Ed25519 point is of small order")
            }
            Ok(_) => Ok(()),
            Err(_) => Err(INVALID),
        },
        (Family::Rsa, _) => {
            let [n, e] = der::integers(key).ok_or(INVALID)?;
            check_rsa(n, e)
        }
        (Family::Hmac, _) => Err(UNFIT),
    }
}

/// Rejects a private key that is weak or not of the algorithm's family. The backends compare its
/// public part, if it has one.
pub(super) fn check_private(algorithm: Algorithm, der: &[u8]) -> Result<(), &'static str> {
    let family = algorithm.family();
    match family {
        Family::P256 | Family::P384 => {
            let scalar = der::ec_private(der).ok_or(INVALID)?;
            let is_of_curve = Some(scalar.len()) == family.coordinate_len();
            is_of_curve.then_some(()).ok_or(UNFIT)
        }
        // Version 0 is a key of two primes: n, e, d, p, q, dp, dq, qi.
        Family::Rsa => match der::integers(der).ok_or(INVALID)? {
            [[], n, e, _, _, _, _, _, _] => check_rsa(n, e),
            _ => Err(INVALID),
        },
        Family::Ed25519 => Ok(()),
        Family::Hmac => Err(UNFIT),
    }
}

/// Rejects the content of an `AlgorithmIdentifier` (RFC 5480 §2.1.1, RFC 8410 §3, RFC 8017 §A.1) of
/// another family.
fn check_identifier(identifier: &[u8], family: Family) -> Result<(), &'static str> {
    let expected: &[u8] = match family {
        Family::P256 => &[
            6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
        ],
        Family::P384 => &[
            6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22,
        ],
        Family::Ed25519 => &[6, 3, 0x2b, 0x65, 0x70],
        // The identifier of PSS, which binds a key to a hash, is not accepted.
        Family::Rsa => &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0],
        Family::Hmac => return Err(UNFIT),
    };
    (identifier == expected).then_some(()).ok_or(UNFIT)
}

/// Rejects a weak or invalid RSA key: under 2,048 or over 8,192 bits, an even modulus, or an
/// exponent that is even, under 3 or over 32 bits.
fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), &'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_must_be_uncompressed_and_of_its_curve() {
        let from_bits = |algorithm, point: &[u8]| check_public(algorithm, point).err();
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
        let check_jwk = |n: &[u8], e: &[u8]| {
            let key = der::of_integers([n, e]).unwrap();
            check_public(Algorithm::RS256, &key)
        };
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
            assert_eq!(check_jwk(&n, &[1, 0, 1]).err(), reason, "{}", n.len());
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
            assert_eq!(check_jwk(&modulus(0x80, 256), e).err(), reason, "{e:?}");
        }
    }
}
