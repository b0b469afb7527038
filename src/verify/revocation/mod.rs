//! Revocation: sessions that are rejected before their tokens expire.

mod check;
mod list;
mod table;
mod value;

pub use check::{RevocationCheck, RevocationStatus};
pub use list::RevocationList;
pub use value::Revocation;
