//! JWS: compact form, JOSE header, token type, signature, and the keys in force. Knows no claim.

pub(crate) mod compact;
mod header;
mod header_cache;
#[cfg(feature = "remote_keys")]
mod key_source;
mod key_store;
mod token_type;
#[cfg(feature = "remote_keys")]
mod unverified;
mod verify;

#[cfg(feature = "remote_keys")]
pub(crate) use key_source::{KeyAnswer, KeySource, KeyWait};
pub(crate) use key_store::CurrentKeys;
pub use key_store::KeyStore;
#[cfg(feature = "remote_keys")]
pub(crate) use key_store::WeakKeyStore;
pub use token_type::TokenType;
pub(crate) use token_type::is_typ;
#[cfg(feature = "remote_keys")]
pub(crate) use unverified::{UnverifiedToken, read_unverified};
pub(crate) use verify::{payload, verify, verify_other};
