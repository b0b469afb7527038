//! As much DER (X.690) as it takes to see what kind of key a text holds.
//!
//! Whether all of it is well-formed is for the backend to say.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// What a `SubjectPublicKeyInfo` or `PrivateKeyInfo` says of its key, and the key.
pub(super) struct Info<'a> {
    /// The content of the `AlgorithmIdentifier`.
    pub(super) algorithm: &'a [u8],
    pub(super) key: &'a [u8],
}

/// `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
pub(super) fn public_info(der: &[u8]) -> Option<Info<'_>> {
    let (algorithm, rest) = value(SEQUENCE, whole(der)?)?;
    let (bits, rest) = value(BIT_STRING, rest)?;
    // The first octet counts the bits that are not used.
    let key = bits.strip_prefix(&[0])?;
    rest.is_empty().then_some(Info { algorithm, key })
}

/// `PrivateKeyInfo` (RFC 5208), or `OneAsymmetricKey` (RFC 5958).
pub(super) fn private_info(der: &[u8]) -> Option<Info<'_>> {
    let (_version, rest) = value(INTEGER, whole(der)?)?;
    let (algorithm, rest) = value(SEQUENCE, rest)?;
    let (key, _) = value(OCTET_STRING, rest)?;
    Some(Info { algorithm, key })
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 §A.1.1).
pub(super) fn rsa_public(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (n, rest) = value(INTEGER, whole(der)?)?;
    let (e, rest) = value(INTEGER, rest)?;
    rest.is_empty().then_some((n, e))
}

/// Modulus and exponent of an `RSAPrivateKey` (RFC 8017 §A.1.2).
pub(super) fn rsa_private(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_version, rest) = value(INTEGER, whole(der)?)?;
    let (n, rest) = value(INTEGER, rest)?;
    let (e, _) = value(INTEGER, rest)?;
    Some((n, e))
}

/// The scalar of an `ECPrivateKey` (RFC 5915), which is as long as a coordinate of its curve.
pub(super) fn ec_private(der: &[u8]) -> Option<&[u8]> {
    let (_version, rest) = value(INTEGER, whole(der)?)?;
    let (scalar, _) = value(OCTET_STRING, rest)?;
    Some(scalar)
}

/// The content of the one sequence that this is.
fn whole(der: &[u8]) -> Option<&[u8]> {
    let (content, rest) = value(SEQUENCE, der)?;
    rest.is_empty().then_some(content)
}

/// The content of a value with this tag, and what follows it.
fn value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, len], rest) = der.split_first_chunk::<2>()?;
    let (len, rest) = match len {
        0..0x80 => (usize::from(len), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
            let len = digits.iter().try_fold(0_usize, |len, digit| {
                len.checked_mul(256)?.checked_add(usize::from(*digit))
            })?;
            (len, rest)
        }
    };
    (found == tag).then(|| rest.split_at_checked(len))?
}
