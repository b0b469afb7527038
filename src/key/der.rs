//! Minimal DER (X.690): the key structures that the backends do not parse, and those of JWKs.

use zeroize::Zeroizing;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The content of the `AlgorithmIdentifier` and the key of a `SubjectPublicKeyInfo` (RFC 5280
/// §4.1.2.7).
pub(super) fn public_info(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (algorithm, rest) = value(SEQUENCE, whole(der)?)?;
    let (bits, rest) = value(BIT_STRING, rest)?;
    // The first octet counts the unused bits.
    let key = bits.strip_prefix(&[0])?;
    rest.is_empty().then_some((algorithm, key))
}

/// The content of the `AlgorithmIdentifier` and the key of a `PrivateKeyInfo` (RFC 5208) or
/// `OneAsymmetricKey` (RFC 5958).
pub(super) fn private_info(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_version, rest) = value(INTEGER, whole(der)?)?;
    let (algorithm, rest) = value(SEQUENCE, rest)?;
    let (key, _attributes) = value(OCTET_STRING, rest)?;
    Some((algorithm, key))
}

/// The integers of a sequence of `N` non-negative integers, without leading zeros: an `RSAPublicKey`
/// or an `RSAPrivateKey` of two primes (RFC 8017 §A.1).
pub(super) fn integers<const N: usize>(der: &[u8]) -> Option<[&[u8]; N]> {
    let mut rest = whole(der)?;
    let mut integers = [der; N];
    for integer in &mut integers {
        (*integer, rest) = value(INTEGER, rest)?;
        // Non-negative, and in the shortest encoding.
        *integer = match integer {
            [0, high, ..] if *high >= 0x80 => integer.get(1..)?,
            [0] => &[],
            [1..0x80, ..] => integer,
            _ => return None,
        };
    }
    rest.is_empty().then_some(integers)
}

/// Encodes what [`integers`] decodes; leading zeros are ignored. `None` if it is over 65,535 bytes.
pub(super) fn of_integers<const N: usize>(integers: [&[u8]; N]) -> Option<Zeroizing<Vec<u8>>> {
    let mut encoded = Vec::with_capacity(N);
    for integer in integers {
        let zeros = integer.iter().take_while(|digit| **digit == 0);
        let digits = integer.get(zeros.count()..)?;
        let is_positive = digits.first().is_some_and(|high| *high < 0x80);
        let sign: &[u8] = if is_positive { &[] } else { &[0] };
        encoded.push(of_value(INTEGER, &[sign, digits])?);
    }
    let parts: Vec<&[u8]> = encoded.iter().map(|integer| integer.as_slice()).collect();
    of_value(SEQUENCE, &parts)
}

/// Encodes an `ECPrivateKey` without its optional fields.
pub(super) fn of_ec_private(scalar: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let scalar = of_value(OCTET_STRING, &[scalar])?;
    of_value(SEQUENCE, &[&[INTEGER, 1, 1], &scalar])
}

/// Encodes the `PrivateKeyInfo` of an Ed25519 seed (RFC 8410 §7).
pub(super) fn of_ed25519_private(seed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let version_and_identifier = &[INTEGER, 1, 0, SEQUENCE, 5, 6, 3, 0x2b, 0x65, 0x70];
    let seed = of_value(OCTET_STRING, &[&of_value(OCTET_STRING, &[seed])?])?;
    of_value(SEQUENCE, &[version_and_identifier, &seed])
}

/// The scalar of an `ECPrivateKey` (RFC 5915), as long as a coordinate of its curve.
pub(super) fn ec_private(der: &[u8]) -> Option<&[u8]> {
    let (_version, rest) = value(INTEGER, whole(der)?)?;
    let (scalar, _) = value(OCTET_STRING, rest)?;
    Some(scalar)
}

/// Encodes a value whose content is these parts.
fn of_value(tag: u8, parts: &[&[u8]]) -> Option<Zeroizing<Vec<u8>>> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let header: &[u8] = match u16::try_from(len).ok()?.to_be_bytes() {
        [0, low @ 0..0x80] => &[tag, low],
        [0, low] => &[tag, 0x81, low],
        [high, low] => &[tag, 0x82, high, low],
    };
    Some([&[header], parts].concat().concat().into())
}

/// The content of a sequence that spans all of `der`.
fn whole(der: &[u8]) -> Option<&[u8]> {
    let (content, rest) = value(SEQUENCE, der)?;
    rest.is_empty().then_some(content)
}

/// The content of a value with this tag, and the bytes after it.
fn value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let len = digits.iter().try_fold(0_usize, |len, digit| {
            len.checked_mul(256)?.checked_add(usize::from(*digit))
        })?;
        // DER requires the shortest form (X.690 §10.1).
        let is_shortest = len >= 0x80 && *digits.first()? != 0;
        is_shortest.then_some((len, rest))?
    };
    (found == tag).then(|| rest.split_at_checked(len))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_one_encoding() {
        let long = [&[SEQUENCE, 0x81, 0x80][..], &[9; 128]].concat();
        assert_eq!(whole(&long), Some(&[9; 128][..]));
        for der in [
            &[SEQUENCE, 0x80][..],
            &[SEQUENCE, 0x81, 1, 9],
            &[SEQUENCE, 0x82, 0, 0x80, 9],
            &[SEQUENCE, 2, 9],
            &[SEQUENCE, 1, 9, 9],
            &[SEQUENCE],
            &[OCTET_STRING, 1, 9],
            &[SEQUENCE, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(whole(der), None, "{der:?}");
        }
        assert_eq!(
            whole(&[&[SEQUENCE, 0x82, 0, 0x80][..], &[9; 128]].concat()),
            None
        );
    }

    #[test]
    fn an_integer_is_positive_and_has_one_encoding() {
        let sequence = |integer: &[u8]| {
            let len = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
            let integer = [&[INTEGER, len(integer)], integer].concat();
            [&[SEQUENCE, len(&integer)], &*integer].concat()
        };
        for (integer, value) in [
            (&[0][..], Some(&[][..])),
            (&[1], Some(&[1])),
            (&[0x7f, 0], Some(&[0x7f, 0])),
            (&[0, 0x80], Some(&[0x80])),
            (&[], None),
            (&[0x80], None),
            (&[0xff, 1], None),
            (&[0, 0x7f], None),
            (&[0, 0], None),
        ] {
            let der = sequence(integer);
            assert_eq!(integers::<1>(&der).map(|[only]| only), value, "{integer:?}");
            assert_eq!(integers::<2>(&der), None, "{integer:?}");
        }
    }
    #[test]
    fn encoded_integers_are_decoded_to_the_same() {
        for len in [0, 1, 127, 128, 129, 255, 256, 1024, 40_000] {
            for high in [1, 0x7f, 0x80, 0xff] {
                let mut number = vec![0; len];
                if let Some(first) = number.first_mut() {
                    *first = high;
                }
                let padded = [&[0, 0], &*number].concat();
                let der = of_integers([&padded, &[3]]).unwrap();
                assert_eq!(integers(&der), Some([&*number, &[3]]), "{len} {high}");
            }
        }
        assert_eq!(of_integers([&[1; 70_000]]), None);
        assert_eq!(of_integers([&[1; 40_000], &[1; 40_000]]), None);
    }

    #[test]
    fn encoded_private_keys_are_decoded_to_the_same() {
        for len in [32, 48] {
            let secret = vec![7; len];
            let der = of_ec_private(&secret).unwrap();
            assert_eq!(ec_private(&der), Some(&*secret));
        }
        let der = of_ed25519_private(&[7; 32]).unwrap();
        let (identifier, key) = private_info(&der).unwrap();
        assert_eq!(identifier, [6, 3, 0x2b, 0x65, 0x70]);
        assert_eq!(key, [&[OCTET_STRING, 32][..], &[7; 32]].concat());
    }
}
