//! From token bytes to a session and back, with no HTTP in it.
//!
//! What a token goes through, in this order, in [`SessionVerifier::verify`], unless the `cache` has
//! its session: split
//! (`wire::compact`) → JOSE header (`wire::header`) → key (`crate::key`) → signature → claims
//! (`wire::claims`) → rules of the token's type (`form`) → time, issuer, audience (`verifier`).

mod builder;
mod cache;
mod form;
mod issuer;
mod limits;
mod revocation;
mod session_token;
mod time;
mod token_type;
mod verifier;
mod verifier_builder;
mod wire;

pub use builder::SessionTokenBuilder;
pub(crate) use builder::is_scope_word;
pub use cache::CacheStats;
pub use issuer::SessionIssuer;
pub use limits::Limits;
pub use revocation::{RevocationCheck, RevocationList, RevocationStatus};
pub use session_token::SessionToken;
pub(crate) use time::now;
pub use token_type::TokenType;
pub use verifier::SessionVerifier;
pub use verifier_builder::SessionVerifierBuilder;
