//! Token bytes to a [`Session`](crate::Session), with no HTTP: signature, claims, time, issuer and
//! audience, revocation, and the cache of verified tokens.

mod cache;
mod revocation;
#[cfg(feature = "remote_keys")]
mod unknown_key;
mod verifier;
mod verifier_builder;

pub use cache::CacheStats;
pub use revocation::{
    Asked, MirroredRevocations, Revocation, RevocationCheck, RevocationFeed, RevocationList,
    RevocationStatus,
};
#[cfg(feature = "remote_keys")]
pub(crate) use unknown_key::KEYS_AWAITED;
pub use verifier::SessionVerifier;
pub use verifier_builder::SessionVerifierBuilder;
