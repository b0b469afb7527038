//! Keys: one algorithm each, in sets that are swapped as a whole.
//!
//! The only place that names a crypto backend. HMAC is the same with both of them.

mod algorithm;
mod backend;
mod constructors;
mod der;
mod ed25519;
mod hmac;
mod jwk;
mod material;
mod pem;
mod set;
mod signing;
mod verifying;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;

pub use algorithm::Algorithm;
pub use set::{KeySet, LeftOutKey};
pub use signing::SigningKey;
pub use verifying::VerifyingKey;
