//! The compact form (RFC 7515 §7.1) and its base64url (RFC 7515 §2).

use base64_simd::{AsOut, URL_SAFE_NO_PAD};
use memchr::{memchr, memrchr};

use crate::{error::SessionError, key::SigningKey};

const BASE64: SessionError = SessionError::malformed("a part is not base64url");
const PARTS: SessionError = SessionError::malformed("there are not three parts");

/// The three encoded parts of a token.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    pub(crate) header: &'a [u8],
    /// May contain a dot until it is decoded.
    pub(crate) payload: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// The bytes that the signature covers: header, dot and payload (RFC 7515 §5.2).
    pub(crate) signing_input: &'a [u8],
}

impl<'a> Compact<'a> {
    /// Splits at the first dot and the last. Another dot, or a part that is not base64url, shows when the
    /// part is decoded.
    pub(crate) fn split(token: &'a [u8]) -> Result<Self, SessionError> {
        // The payload is the longest part, so the dots are searched from both ends.
        let (header, rest) = split_at_dot(token, memchr(b'.', token)).ok_or(PARTS)?;
        let (payload, signature) = split_at_dot(rest, memrchr(b'.', rest)).ok_or(PARTS)?;
        #[expect(
            clippy::arithmetic_side_effects,
            clippy::indexing_slicing,
            reason = "header, dot and payload are a prefix of the token"
        )]
        let signing_input = &token[..header.len() + 1 + payload.len()];
        Ok(Self {
            header,
            payload,
            signature,
            signing_input,
        })
    }

    /// The error of a token that is rejected before all parts are decoded: the form of payload and
    /// signature comes first.
    pub(crate) fn rejection(&self, error: SessionError) -> SessionError {
        let mut parts = [self.payload, self.signature].into_iter();
        let is_encoded = parts.all(|part| URL_SAFE_NO_PAD.check(part).is_ok());
        if is_encoded {
            error
        } else {
            ill_formed(self.payload)
        }
    }
}

/// The encoded JOSE header of a token, whatever its other parts are.
pub(crate) fn header(token: &[u8]) -> Option<&[u8]> {
    let (header, _) = split_at_dot(token, memchr(b'.', token))?;
    Some(header)
}

fn split_at_dot(text: &[u8], dot: Option<usize>) -> Option<(&[u8], &[u8])> {
    let (before, from) = text.split_at_checked(dot?)?;
    Some((before, from.get(1..)?))
}

/// The maximum number of bytes that `encoded` bytes of base64url decode to.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the result is at most `encoded`"
)]
pub(crate) const fn decoded_len(encoded: usize) -> usize {
    encoded / 4 * 3 + encoded % 4 * 3 / 4
}

/// Decodes a part and passes it to `read`. Up to 4,096 bytes are decoded on the stack.
///
/// Padding, white space and non-zero trailing bits (RFC 4648 §3.5) are rejected, so that each value
/// has one encoding.
pub(crate) fn with_decoded<T>(
    encoded: &[u8],
    read: impl FnOnce(&[u8]) -> T,
) -> Result<T, SessionError> {
    let len = decoded_len(encoded.len());
    // Several sizes, since a buffer on the stack is zeroed first.
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
    let decoded = URL_SAFE_NO_PAD.decode(encoded, buffer.as_out());
    Ok(read(decoded.or(Err(BASE64))?))
}

/// The error of a payload that is not base64url. A dot in it is that of a further part.
fn ill_formed(payload: &[u8]) -> SessionError {
    if payload.contains(&b'.') {
        PARTS
    } else {
        BASE64
    }
}

/// Decodes UTF-8, in one allocation of the decoded size.
pub(crate) fn decode_text(encoded: &[u8]) -> Result<String, SessionError> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(encoded);
    let bytes = bytes.map_err(|_| ill_formed(encoded))?;
    String::from_utf8(bytes).map_err(|_| SessionError::malformed("a part is not UTF-8"))
}

/// Signs a JOSE header and a payload, whatever they are; `None` if the key fails.
pub(crate) fn sign(key: &SigningKey, header: &[u8], payload: &[u8]) -> Option<String> {
    let mut token = URL_SAFE_NO_PAD.encode_to_string(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_append(payload, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_append(&signature, &mut token);
    Some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_encoding() {
        let decode = |text: &[u8]| with_decoded(text, <[u8]>::to_vec).ok();
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
            assert_eq!(decode(text.as_bytes()).as_deref(), want, "{text:?}");
            assert_eq!(
                URL_SAFE_NO_PAD.decode_to_vec(text).ok().as_deref(),
                want,
                "{text:?}"
            );
        }
    }

    #[test]
    fn long_parts_are_decoded_as_strictly_as_short_ones() {
        // The vectorised code handles short and long input differently.
        for len in 1..200_usize {
            let bytes = vec![0xff; len];
            let text = URL_SAFE_NO_PAD.encode_to_string(&bytes);
            let decode = |text: &[u8]| with_decoded(text, <[u8]>::to_vec);
            assert_eq!(decode(text.as_bytes()).unwrap(), bytes);
            for at in 0..text.len() {
                for wrong in [b'=', b'+', b'/', b' ', b'\n', b'.', 0, 0x80, 0xff] {
                    let mut text = text.clone().into_bytes();
                    text[at] = wrong;
                    assert!(decode(&text).is_err(), "{wrong} at {at} of {len}");
                }
            }
            if len % 3 != 0 {
                // The unused bits of the last character must be zero.
                let mut text = text.into_bytes();
                let last = text.len() - 1;
                text[last] = b'_';
                assert!(decode(&text).is_err(), "trailing bits at {len}");
            }
        }
    }

    #[test]
    fn a_part_of_any_length_is_decoded() {
        for len in [0, 1, 64, 65, 1024, 1025, 5000] {
            let bytes = vec![0xa5; len];
            let text = URL_SAFE_NO_PAD.encode_to_string(&bytes);
            let same = with_decoded(text.as_bytes(), |decoded| decoded == bytes);
            assert_eq!(same, Ok(true), "{len}");
        }
    }

    #[test]
    fn a_token_has_at_least_three_parts() {
        for (text, ok) in [
            ("", false),
            ("YQ", false),
            ("YQ.YQ", false),
            ("YQ.YQ.YQ", true),
            ("..", true),
            (".", false),
            // A dot in the payload shows when it is decoded.
            ("YQ.YQ.YQ.", true),
            ("....", true),
        ] {
            assert_eq!(Compact::split(text.as_bytes()).is_ok(), ok, "{text:?}");
        }
    }

    #[test]
    fn a_part_that_is_not_base64url_is_the_reason_of_a_rejection() {
        let other = SessionError::malformed("another reason");
        for (text, want) in [
            ("YQ.YQ.YQ", other),
            ("YQ.Y!.YQ", BASE64),
            ("YQ.YQ.Y Q", BASE64),
            ("YQ.YQ.YQ.YQ", PARTS),
            ("....", PARTS),
        ] {
            let parts = Compact::split(text.as_bytes()).unwrap();
            assert_eq!(parts.rejection(other), want, "{text:?}");
        }
        assert_eq!(decode_text(b"e30.e30"), Err(PARTS));
        assert_eq!(decode_text(b"e!30"), Err(BASE64));
    }
}
