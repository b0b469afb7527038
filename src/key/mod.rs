//! Keys of one algorithm each, and sets of keys.
//!
//! No other module names a crypto backend. HMAC does not depend on the backend.

use std::borrow::Cow;

mod algorithm;
mod backend;
mod der;
mod ed25519;
mod encoded_key;
mod hmac;
#[cfg(feature = "jsonwebtoken")]
mod jsonwebtoken;
mod jwk;
mod macros;
mod pem;
mod set;
mod signing;
mod verifying;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;

pub use algorithm::Algorithm;
pub(crate) use set::SelectError;
pub use set::{KeySet, SkippedKey};
pub use signing::SigningKey;
pub use verifying::VerifyingKey;

/// The reason why a key is rejected, with names and lengths but no values.
type Reason = Cow<'static, str>;
