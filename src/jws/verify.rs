//! Verification of a token's form, type and signature.

use super::{
    compact::{self, Compact},
    header::{JoseHeader, check_length, with_header},
    key_store::CurrentKeys,
    token_type::TokenType,
};
use crate::{
    error::{SessionError, SessionErrorKind},
    key::{KeySet, SelectError, VerifyingKey},
    limits::Limits,
};

/// Verifies size, form, JOSE header, key, type and signature, but no claim. Returns the type and the
/// encoded payload.
pub(crate) fn verify<'t>(
    keys: &CurrentKeys,
    accepted: &[TokenType],
    limits: &Limits,
    token: &'t [u8],
) -> Result<(TokenType, &'t [u8]), SessionError> {
    if token.len() > limits.token_bytes() {
        return Err(SessionError::malformed("the token is too long"));
    }
    let parts = Compact::split(token)?;
    check_length(parts.header, limits)?;
    if let Some(known) = keys.known_headers().find(parts.header) {
        let token_type = accept_type(accepted, Some(known.token_type))?;
        verify_signature(&known.key, &parts)?;
        return Ok((token_type, parts.payload));
    }
    with_header(parts.header, limits, |header, is_plain| {
        let key = select_key(keys.set(), header)?;
        let token_type = accept_type(accepted, TokenType::of_typ(header.typ))?;
        verify_signature(key, &parts)?;
        if is_plain {
            keys.known_headers().remember(parts.header, key, token_type);
        }
        Ok((token_type, parts.payload))
    })
}

fn accept_type(
    accepted: &[TokenType],
    token_type: Option<TokenType>,
) -> Result<TokenType, SessionError> {
    token_type
        .filter(|token_type| accepted.contains(token_type))
        .ok_or_else(|| SessionError::unacceptable("its type (`typ`) is not accepted here"))
}

/// The key that `kid` and `alg` of the header select (RFC 7517 §4.5, RFC 8725 §3.1).
fn select_key<'k>(
    keys: &'k KeySet,
    header: &JoseHeader<'_>,
) -> Result<&'k VerifyingKey, SessionError> {
    keys.select(header.kid, header.alg).map_err(|error| {
        SessionError::unacceptable(match error {
            SelectError::KidMissing => "it names no key (`kid`), and this service has several",
            SelectError::KidUnknown => "its key (`kid`) is not one of this service's",
            SelectError::AlgorithmMismatch => "its algorithm (`alg`) is not that of the key",
        })
    })
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
    use super::*;
    use crate::jws::KeyStore;

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
        assert!(keys.known_headers().find(header.as_bytes()).is_none());
    }
}
