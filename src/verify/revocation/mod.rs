//! Revocation: sessions that are rejected before their tokens expire.

mod check;
mod list;
mod mirror;
#[cfg(test)]
mod schedules;
mod table;
mod value;

pub use check::{RevocationCheck, RevocationStatus};
pub use list::RevocationList;
pub use mirror::{Asked, MirroredRevocations, RevocationFeed};
pub use value::Revocation;
