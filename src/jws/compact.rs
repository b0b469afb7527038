//! The compact form (RFC 7515 §7.1) and its base64url (RFC 7515 §2).

use base64_simd::{AsOut, URL_SAFE_NO_PAD};
use memchr::{memchr, memrchr};

use crate::{error::SessionError, key::SigningKey};

const BASE64: SessionError = SessionError::malformed("a part is not base64url");
const PARTS: SessionError = SessionError::malformed("there are not three parts");

/// A token's three parts, still encoded.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// What the signature covers: the first two parts and the dot between (RFC 7515 §5.2).
    pub(crate) signing_input: &'a [u8],
}

impl<'a> Compact<'a> {
    /// Splits at the two dots. The parts are base64url; the header is only where it is decoded.
    pub(crate) fn split(token: &'a [u8]) -> Result<Self, SessionError> {
        // The long part is in the middle, so the dots are looked for from both ends.
        let (header, rest) = split_at_dot(token, memchr(b'.', token)).ok_or(PARTS)?;
        let (payload, signature) = split_at_dot(rest, memrchr(b'.', rest)).ok_or(PARTS)?;
        if memchr(b'.', payload).is_some() {
            return Err(PARTS);
        }
        for part in [payload, signature] {
            URL_SAFE_NO_PAD.check(part).or(Err(BASE64))?;
        }
        let behind = signature.len().checked_add(1);
        let signed = behind.and_then(|behind| token.len().checked_sub(behind));
        let signing_input = token.get(..signed.unwrap_or_default()).unwrap_or_default();
        Ok(Self {
            header,
            payload,
            signature,
            signing_input,
        })
    }
}

fn split_at_dot(text: &[u8], dot: Option<usize>) -> Option<(&[u8], &[u8])> {
    let (before, from) = text.split_at_checked(dot?)?;
    Some((before, from.get(1..)?))
}

/// How many bytes base64url text of this length decodes to, at most.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "it is never more than `encoded`"
)]
pub(crate) const fn decoded_len(encoded: usize) -> usize {
    encoded / 4 * 3 + encoded % 4 * 3 / 4
}

/// Decodes into `buffer`, which has room for it; see [`decoded_len`].
///
/// Strict: no padding, no white space, no bits left over at the end (RFC 4648 §3.5), so that one
/// value has one spelling.
pub(crate) fn decode<'b>(encoded: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], SessionError> {
    URL_SAFE_NO_PAD
        .decode(encoded, buffer.as_out())
        .map(|decoded| &*decoded)
        .map_err(|_| BASE64)
}

/// Decodes a part, and hands it to `read`: it is on the stack, unless it is very long.
pub(crate) fn with_decoded<T>(
    encoded: &[u8],
    read: impl FnOnce(&[u8]) -> T,
) -> Result<T, SessionError> {
    let len = decoded_len(encoded.len());
    // The small one is for most, since what is on the stack is first filled with zeros.
    let (mut small, mut medium, mut large, mut huge);
    let buffer: &mut [u8] = if len <= 64 {
        small = [0; 64];
        &mut small
    } else if len <= 1024 {
        medium = [0; 1024];
        &mut medium
    } else if len <= 4096 {
        large = [0; 4096];
        &mut large
    } else {
        huge = vec![0; len];
        &mut huge
    };
    decode(encoded, buffer).map(read)
}

/// Decodes text, in one allocation of its size.
pub(crate) fn decode_text(encoded: &[u8]) -> Result<String, SessionError> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(encoded).map_err(|_| BASE64)?;
    String::from_utf8(bytes).map_err(|_| SessionError::malformed("a part is not UTF-8"))
}

/// Appends `bytes` as base64url.
pub(super) fn encode(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_append(bytes, out);
}

/// Signs a JOSE header and a payload, whatever they are; `None` if the key fails.
pub(crate) fn sign(key: &SigningKey, header: &[u8], payload: &[u8]) -> Option<String> {
    let mut text = String::new();
    encode(header, &mut text);
    text.push('.');
    encode(payload, &mut text);
    let signature = key.sign(text.as_bytes()).ok()?;
    text.push('.');
    encode(&signature, &mut text);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        let mut buffer = [0; 16];
        for (text, want) in [
            ("", Some(&b""[..])),
            ("Zg", Some(b"f")),
            ("Zm8", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("_-8", Some(b"\xff\xef")),
            ("Zh", None),
            ("Zm9", None),
            ("Zg==", None),
            ("Zm9v\n", None),
            (" Zm9v", None),
            ("Z", None),
            ("Zm9vY", None),
            ("/+8", None),
            ("Zm9\u{e9}", None),
        ] {
            assert_eq!(decode(text.as_bytes(), &mut buffer).ok(), want, "{text:?}");
            assert_eq!(
                URL_SAFE_NO_PAD.decode_to_vec(text).ok().as_deref(),
                want,
                "{text:?}"
            );
        }
    }

    #[test]
    fn long_text_is_as_strict_as_short() {
        // The vectorised code takes another way from some length on.
        for len in 1..200_usize {
            let bytes = vec![0xff; len];
            let text = URL_SAFE_NO_PAD.encode_to_string(&bytes);
            let mut buffer = vec![0; decoded_len(text.len())];
            assert_eq!(decode(text.as_bytes(), &mut buffer).unwrap(), bytes);
            for at in 0..text.len() {
                for wrong in [b'=', b'+', b'/', b' ', b'\n', b'.', 0, 0x80, 0xff] {
                    let mut text = text.clone().into_bytes();
                    text[at] = wrong;
                    assert!(
                        decode(&text, &mut buffer).is_err(),
                        "{wrong} at {at} of {len}"
                    );
                }
            }
            if len % 3 != 0 {
                // The last character has bits that mean nothing: they have to be zero.
                let mut text = text.into_bytes();
                let last = text.len() - 1;
                text[last] = b'_';
                assert!(
                    decode(&text, &mut buffer).is_err(),
                    "left-over bits at {len}"
                );
            }
        }
    }

    #[test]
    fn a_part_of_any_length_is_decoded() {
        for len in [0, 1, 64, 65, 1024, 1025, 5000] {
            let bytes = vec![0xa5; len];
            let text = URL_SAFE_NO_PAD.encode_to_string(&bytes);
            let same = with_decoded(text.as_bytes(), |it| it == bytes);
            assert_eq!(same, Ok(true), "{len}");
        }
    }

    #[test]
    fn there_are_three_parts() {
        for (text, ok) in [
            ("", false),
            ("YQ", false),
            ("YQ.YQ", false),
            ("YQ.YQ.YQ", true),
            ("..", true),
            (".", false),
            ("YQ.YQ.YQ.", false),
            ("YQ.YQ.YQ.YQ", false),
            ("....", false),
            ("YQ.Y!.YQ", false),
            ("YQ.YQ.Y Q", false),
        ] {
            assert_eq!(Compact::split(text.as_bytes()).is_ok(), ok, "{text:?}");
        }
    }
}
