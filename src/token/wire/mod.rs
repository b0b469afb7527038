//! The token as it travels: compact form, JOSE header, claims. The only place that knows the
//! names on the wire.

pub(super) mod claims;
pub(super) mod compact;
mod flat;
pub(super) mod header;
mod json;
mod scanner;
pub(super) mod text;
