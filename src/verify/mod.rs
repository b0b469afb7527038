//! Token bytes to a [`Session`](crate::Session), with no HTTP: signature, claims, time, issuer and
//! audience, revocation, and the cache of verified tokens.

mod cache;
mod revocation;
mod verifier;
mod verifier_builder;

pub use cache::CacheStats;
pub use revocation::{
    Asked, MirroredRevocations, Revocation, RevocationCheck, RevocationFeed, RevocationList,
    RevocationStatus,
};
pub use verifier::SessionVerifier;
pub use verifier_builder::SessionVerifierBuilder;
