//! What the benchmarks share.

pub(crate) mod compare;
pub(crate) mod raw;
pub(crate) mod service;
pub(crate) mod tokens;
