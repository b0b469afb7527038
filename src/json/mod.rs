//! JSON objects, read strictly: no member twice, bounded nesting. Knows no claim.

pub(crate) mod reader;
pub(crate) mod scanner;
mod span;

pub(crate) use span::Span;
