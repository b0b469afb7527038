//! Token bytes to a [`Session`](crate::Session), with no HTTP: signature, claims, time, issuer and
//! audience, revocation, and the cache of verified tokens.

mod cache;
mod revocation;
mod verifier;
mod verifier_builder;

pub use cache::CacheStats;
pub use revocation::{Revocation, RevocationCheck, RevocationList, RevocationStatus};
pub use verifier::SessionVerifier;
pub use verifier_builder::SessionVerifierBuilder;
