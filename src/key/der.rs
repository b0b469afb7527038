//! Minimal DER (X.690): the key structures that the backends do not parse.

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

/// The scalar of an `ECPrivateKey` (RFC 5915), as long as a coordinate of its curve.
pub(super) fn ec_private(der: &[u8]) -> Option<&[u8]> {
    let (_version, rest) = value(INTEGER, whole(der)?)?;
    let (scalar, _) = value(OCTET_STRING, rest)?;
    Some(scalar)
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
}
