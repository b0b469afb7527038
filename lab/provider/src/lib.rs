//! Tests of the feature `https` against a provider on this machine.
//!
//! ```text
//! cargo test -p provider
//! ```
//!
//! `certificates/make` makes the certificates.
