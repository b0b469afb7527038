//! The crypto backend: asymmetric keys, parsed once.
//!
//! Both have the same two types: `PublicKey` with `new` and `verify`, and `PrivateKey` with `new`,
//! `sign` and `public`.

#[cfg(feature = "aws_lc_rs")]
mod aws_lc_rs;
#[cfg(feature = "aws_lc_rs")]
pub(super) use aws_lc_rs::{PrivateKey, PublicKey};

#[cfg(not(feature = "aws_lc_rs"))]
mod rust_crypto;
#[cfg(not(feature = "aws_lc_rs"))]
pub(super) use rust_crypto::{PrivateKey, PublicKey};
