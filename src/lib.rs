//! Tower middleware that turns a signed token into a session.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(any(feature = "aws_lc_rs", feature = "rust_crypto")))]
compile_error!(
    "tower-session-token needs a crypto backend: turn on its feature `aws_lc_rs` (the default) \
     or `rust_crypto` (pure Rust)"
);

#[cfg(feature = "axum")]
mod axum;
mod client;
mod error;
mod key;
mod layer;
mod session;
mod token;
#[cfg(test)]
mod vectors;

#[cfg(feature = "axum")]
pub use axum::SessionRejection;
pub use client::{
    ClientContext, ClientKind, ClientSource, Culture, ParseClientKindError, ParseCultureError,
    ParseTimeZoneError, TimeZone,
};
pub use error::{ConfigError, SessionError, SessionErrorKind, TokenError, TokenErrorKind};
pub use key::{Algorithm, KeySet, KeyStore, LeftOutKey, SigningKey, VerifyingKey};
pub use layer::{
    CallHeaders, Challenge, GuardService, OnReject, ProblemDetails, Refusal, RequireAccessLevel,
    RequireClientKind, RequireScope, ResponseFuture, SessionLayer, SessionService, TokenSource,
};
pub use session::{
    AccessLevel, Actor, ApplicationId, NestedTokenBuilder, Session, SessionContext, SessionId,
    SessionScope, SessionType, TokenId, User, UserId,
};
pub use token::{
    Limits, RevocationCheck, RevocationList, RevocationStatus, SessionIssuer, SessionToken,
    SessionTokenBuilder, SessionVerifier, SessionVerifierBuilder, TokenType,
};
