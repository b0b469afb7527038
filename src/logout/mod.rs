//! OpenID Connect Back-Channel Logout 1.0: logout tokens to revocations, with no HTTP and as a service.

mod claims;
mod service;
mod verifier;

pub use service::LogoutService;
pub use verifier::{LogoutVerifier, LogoutVerifierBuilder};
