//! The claims of a token: parsed, validated by the rules of its type, built and signed. No HTTP, and
//! no session.

mod claim_names;
mod claim_rules;
mod claims;
mod claims_reader;
mod issuer;
mod session_token;
mod session_token_builder;

pub use claim_names::{ClaimNames, ClaimPath};
pub(crate) use claim_rules::ClaimRules;
pub(crate) use claims::{Claim, Claims};
pub(crate) use claims_reader::unverified_issuer;
pub use issuer::SessionIssuer;
#[cfg(feature = "testing")]
pub(crate) use issuer::sign;
pub use session_token::SessionToken;
pub use session_token_builder::SessionTokenBuilder;
pub(crate) use session_token_builder::is_scope_word;
