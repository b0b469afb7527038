//! JWS: compact form, JOSE header, token type, signature, and the keys in force. Knows no claim.

pub(crate) mod compact;
mod header;
mod header_cache;
mod key_store;
mod token_type;
mod verify;

pub(crate) use key_store::CurrentKeys;
pub use key_store::KeyStore;
pub use token_type::TokenType;
pub(crate) use token_type::is_typ;
pub(crate) use verify::{verify, verify_other};
