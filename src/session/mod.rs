//! What handlers read: the [`Session`], its user and identifiers, and the ambient
//! [`SessionContext`] that carries it where no request is at hand.

mod actor;
mod context;
mod id;
mod nested;
#[expect(
    clippy::module_inception,
    reason = "the file of `Session` is named after it"
)]
mod session;
mod user;

pub use actor::Actor;
pub(crate) use context::Entered;
pub use context::{SessionContext, SessionScope};
pub use id::{ApplicationId, SessionId, TokenId, UserId};
pub use nested::NestedTokenBuilder;
pub(crate) use session::Members;
pub use session::{Session, SessionType};
pub use user::{AccessLevel, User};
