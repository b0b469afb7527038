//! Strict, zero-copy reading of JSON objects, with a fast path for plain spellings. Knows no claim.

mod cursor;
mod names;
mod reader;
mod span;

pub(crate) use cursor::{Cursor, Name, word};
pub(crate) use names::Names;
pub(crate) use reader::{Reader, Value, WrongType};
pub(crate) use span::Span;
