//! What handlers read: the [`Session`], and the ambient [`SessionContext`] that carries it where
//! no request is at hand.

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
pub(crate) use session::SessionInner;
pub use session::{Session, SessionType};
