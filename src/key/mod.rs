//! Keys: one algorithm each, in sets that are swapped as a whole.
//!
//! The only place that names a crypto backend. HMAC is the same with both of them.

mod algorithm;
mod backend;
mod macros;
mod der;
mod ed25519;
mod hmac;
mod jwk;
mod known_headers;
mod encoded_key;
mod pem;
mod set;
mod signing;
mod store;
mod verifying;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;

pub use algorithm::Algorithm;
pub use set::{KeySet, LeftOutKey};
pub use signing::SigningKey;
pub(crate) use store::CurrentKeys;
pub use store::KeyStore;
pub use verifying::VerifyingKey;
