//! Tower middleware that turns a signed token into a session.

#[cfg(not(any(feature = "aws_lc_rs", feature = "rust_crypto")))]
compile_error!(
    "tower-session-token needs a crypto backend: turn on its feature `aws_lc_rs` (the default) \
     or `rust_crypto` (pure Rust)"
);

mod client;
mod error;
mod key;

pub use client::{
    ClientContext, ClientKind, ClientSource, Culture, ParseClientKindError, ParseCultureError,
    ParseTimeZoneError, TimeZone,
};
pub use error::ConfigError;
pub use key::{Algorithm, KeySet, KeyStore, SigningKey, VerifyingKey};
