//! Tokens that the keys in force do not verify.

use super::{
    compact::Compact,
    header::{JoseHeader, with_header},
    key_store::CurrentKeys,
    token_type::TokenType,
    verify::accept_type,
};
use crate::{
    key::{Algorithm, SelectError},
    limits::Limits,
};

/// A token that the keys in force do not verify; nothing of it is verified.
pub(crate) struct UnverifiedToken<'t> {
    pub(crate) token_type: TokenType,
    /// Encoded.
    pub(crate) payload: &'t [u8],
    /// Whether the set has no key that it names. Otherwise that key does not verify it.
    pub(crate) is_key_unknown: bool,
}

/// Reads a token of valid size that the `keys` do not verify, and passes it to `read` with the key ID
/// that it names. `None` if no other keys would verify it either.
pub(crate) fn read_unverified<T>(
    keys: &CurrentKeys,
    accepted: &[TokenType],
    limits: &Limits,
    token: &[u8],
    read: impl FnOnce(UnverifiedToken<'_>, Option<&str>) -> Option<T>,
) -> Option<T> {
    let parts = Compact::split(token).ok()?;
    let read_header = |header: &JoseHeader<'_>, _| {
        let is_public = |algorithm: Algorithm| algorithm.is_public();
        let token_type = accept_type(accepted, TokenType::of_typ(header.typ))?;
        if !header.alg.parse().is_ok_and(is_public) {
            return Ok(None);
        }
        let is_key_unknown = match keys.set.select(header.kid, header.alg) {
            _ if keys.set.is_empty() => true,
            // A key without an ID stands for the next one without an ID.
            Ok(key) => key.id().is_none(),
            Err(SelectError::KidUnknown) => true,
            // The issuer may have given the ID to another key.
            Err(SelectError::AlgorithmMismatch) => false,
            Err(SelectError::KidMissing) => return Ok(None),
        };
        let token = UnverifiedToken {
            token_type,
            payload: parts.payload,
            is_key_unknown,
        };
        Ok(read(token, header.kid))
    };
    with_header(parts.header, limits, read_header).ok()?
}
