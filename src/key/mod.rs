//! Keys: one algorithm each, in sets that are replaced as a whole.
//!
//! The only place that names a crypto backend. HMAC is the same with both of them.

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

/// Why a key is rejected. It names members and lengths, never a value.
type Reason = Cow<'static, str>;
