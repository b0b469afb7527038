//! Crypto backends for asymmetric keys.
//!
//! Both export the same items: `PublicKey` with `new` and `verify`; `PrivateKey` with `new`,
//! `generate`, `sign` and `public`; and `fill_random`. Keys are encoded as in `encoded_key`.

#[cfg(feature = "aws_lc_rs")]
mod aws_lc_rs;
#[cfg(feature = "aws_lc_rs")]
pub(super) use aws_lc_rs::{PrivateKey, PublicKey, fill_random};

#[cfg(not(feature = "aws_lc_rs"))]
mod rust_crypto;
#[cfg(not(feature = "aws_lc_rs"))]
pub(super) use rust_crypto::{PrivateKey, PublicKey, fill_random};
