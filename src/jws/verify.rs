//! Verification of a token's form, type and signature.

use super::{
    compact::{self, Compact},
    header::with_header,
    key_store::CurrentKeys,
    token_type::TokenType,
};
use crate::{
    error::{SessionError, SessionErrorKind},
    key::{SelectError, VerifyingKey},
    limits::Limits,
};

/// Verifies size, JOSE header, key, type and signature, but no claim. Returns the type and the encoded
/// payload, whose form shows when it is decoded.
pub(crate) fn verify<'t>(
    keys: &CurrentKeys,
    accepted: &[TokenType],
    limits: &Limits,
    token: &'t [u8],
) -> Result<(TokenType, &'t [u8]), SessionError> {
    let parts = split(token, limits)?;
    let token_type = verify_parts(keys, accepted, limits, &parts);
    let token_type = token_type.map_err(|error| parts.rejection(error))?;
    Ok((token_type, parts.payload))
}

fn verify_parts(
    keys: &CurrentKeys,
    accepted: &[TokenType],
    limits: &Limits,
    parts: &Compact<'_>,
) -> Result<TokenType, SessionError> {
    if let Some(known) = keys.known_headers.find(parts.header) {
        let token_type = accept_type(accepted, Some(known.token_type))?;
        verify_signature(&known.key, parts)?;
        return Ok(token_type);
    }
    with_header(parts.header, limits, |header, is_plain| {
        let key = keys.set.select(header.kid, header.alg)?;
        let token_type = accept_type(accepted, TokenType::of_typ(header.typ))?;
        verify_signature(key, parts)?;
        if is_plain {
            keys.known_headers.remember(parts.header, key, token_type);
        }
        Ok(token_type)
    })
}

/// The encoded payload of a token that is not verified.
pub(crate) fn payload<'t>(token: &'t [u8], limits: &Limits) -> Result<&'t [u8], SessionError> {
    Ok(split(token, limits)?.payload)
}

/// As [`verify`], for a token that is no session's: `is_accepted` is passed its `typ`.
pub(crate) fn verify_other<'t>(
    keys: &CurrentKeys,
    is_accepted: impl FnOnce(Option<&str>) -> bool,
    limits: &Limits,
    token: &'t [u8],
) -> Result<&'t [u8], SessionError> {
    let parts = split(token, limits)?;
    let verified = with_header(parts.header, limits, |header, _| {
        let key = keys.set.select(header.kid, header.alg)?;
        if !is_accepted(header.typ) {
            return Err(TYPE);
        }
        verify_signature(key, &parts)
    });
    verified.map_err(|error| parts.rejection(error))?;
    Ok(parts.payload)
}

fn split<'t>(token: &'t [u8], limits: &Limits) -> Result<Compact<'t>, SessionError> {
    if token.len() > limits.token_bytes() {
        return Err(SessionError::malformed("the token is too long"));
    }
    let parts = Compact::split(token)?;
    if compact::decoded_len(parts.header.len()) > limits.header_bytes() {
        return Err(SessionError::malformed("the JOSE header is too long"));
    }
    Ok(parts)
}

const TYPE: SessionError = SessionError::unacceptable("its type (`typ`) is not accepted here");

pub(super) fn accept_type(
    accepted: &[TokenType],
    token_type: Option<TokenType>,
) -> Result<TokenType, SessionError> {
    token_type
        .filter(|token_type| accepted.contains(token_type))
        .ok_or(TYPE)
}

impl From<SelectError> for SessionError {
    fn from(error: SelectError) -> Self {
        Self::unacceptable(match error {
            SelectError::KidMissing => "it names no key (`kid`), and this service has several",
            SelectError::KidUnknown => "its key (`kid`) is not one of this service's",
            SelectError::AlgorithmMismatch => "its algorithm (`alg`) is not that of the key",
        })
    }
}

fn verify_signature(key: &VerifyingKey, parts: &Compact<'_>) -> Result<(), SessionError> {
    let verified = compact::with_decoded(parts.signature, |signature| {
        key.verify(parts.signing_input, signature)
    });
    if verified? {
        Ok(())
    } else {
        let kind = SessionErrorKind::SignatureInvalid;
        Err(SessionError::new(kind, "signature mismatch"))
    }
}

#[cfg(test)]
mod tests {
    use base64_simd::URL_SAFE_NO_PAD;

    use super::*;
    use crate::{jws::KeyStore, key::KeySet};

    #[test]
    fn the_header_of_a_forged_token_is_not_cached() {
        let key = VerifyingKey::hs256([7; 32]).unwrap();
        let keys = KeyStore::new(KeySet::new([key]).unwrap()).load();
        // {"alg":"HS256","typ":"session+jwt"}
        let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6InNlc3Npb24rand0In0";
        let forged = format!("{header}.e30.{}", "A".repeat(43));
        let accepted = [TokenType::Session];
        let error = verify(&keys, &accepted, &Limits::default(), forged.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::SignatureInvalid);
        assert!(keys.known_headers.find(header.as_bytes()).is_none());
    }

    #[test]
    fn a_token_of_another_form_is_malformed_whatever_else_it_is() {
        let key = VerifyingKey::hs256([7; 32]).unwrap();
        let keys = KeyStore::new(KeySet::new([key]).unwrap()).load();
        let signature = "A".repeat(43);
        for header in [
            r#"{"alg":"HS256","typ":"session+jwt"}"#,
            r#"{"alg":"HS512","typ":"session+jwt"}"#,
            r#"{"alg":"HS256","typ":"other"}"#,
            r#"{"alg":"HS256","typ":"session+jwt","kid":"unknown"}"#,
        ] {
            let header = URL_SAFE_NO_PAD.encode_to_string(header);
            for (token, want) in [
                (header.clone(), "there are not three parts"),
                (format!("{header}.e30"), "there are not three parts"),
                (
                    format!("{header}.e30.e30.{signature}"),
                    "there are not three parts",
                ),
                (
                    format!("{header}.e30..{signature}"),
                    "there are not three parts",
                ),
                (
                    format!("{header}.e30.e30.e30.{signature}"),
                    "there are not three parts",
                ),
                (
                    format!("{header}.e!30.{signature}"),
                    "a part is not base64url",
                ),
                (
                    format!("{header}.e30.{signature}!"),
                    "a part is not base64url",
                ),
            ] {
                let (accepted, limits) = ([TokenType::Session], Limits::default());
                let session = verify(&keys, &accepted, &limits, token.as_bytes());
                let other = verify_other(&keys, |_| true, &limits, token.as_bytes());
                let want = SessionError::malformed(want);
                assert_eq!(
                    (session.err(), other.err()),
                    (Some(want), Some(want)),
                    "{token}"
                );
            }
        }
    }

    #[test]
    fn the_limit_of_a_header_applies_to_decoded_bytes() {
        let key = VerifyingKey::hs256([7; 32]).unwrap();
        let keys = KeyStore::new(KeySet::new([key]).unwrap()).load();
        for (limits, len, detail) in [
            (Limits::default(), 4096, "a part is not a JSON object"),
            (Limits::default(), 4097, "the JOSE header is too long"),
            (
                Limits::default().with_header_bytes(2000),
                2000,
                "a part is not a JSON object",
            ),
            (
                Limits::default().with_header_bytes(2000),
                2001,
                "the JOSE header is too long",
            ),
        ] {
            let header = URL_SAFE_NO_PAD.encode_to_string(vec![b' '; len]);
            let token = format!("{header}.e30.");
            let error = verify(&keys, &[], &limits, token.as_bytes()).unwrap_err();
            assert_eq!(error.detail(), detail, "{len}");
        }
    }
}
