//! Identity: identifiers, user and access level, and the actors of a nested session. Knows no token.

mod actor;
mod id;
mod members;
mod user;

pub use actor::Actor;
pub use id::{ApplicationId, SessionId, TokenId, UserId};
pub(crate) use members::Members;
pub use user::{AccessLevel, User};
