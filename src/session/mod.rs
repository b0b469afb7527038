//! The [`Session`] of a request, and the ambient [`SessionContext`] for code without access to the
//! request.

mod context;
mod nested;
#[expect(
    clippy::module_inception,
    reason = "the file of `Session` is named after it"
)]
mod session;

pub(crate) use context::Entered;
pub use context::{SessionContext, SessionScope};
pub use nested::NestedTokenBuilder;
pub use session::{Session, SessionType};
pub(crate) use session::{SessionInner, VerifiedBy};
