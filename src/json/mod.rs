//! Strict, zero-copy reading of JSON objects, with a fast path for plain spellings. Knows no claim.

mod cursor;
mod names;
mod reader;
mod span;
mod table;

pub(crate) use cursor::{Cursor, word};
pub(crate) use names::Names;
pub(crate) use reader::{Member, Reader, Value, WrongType};
pub(crate) use span::Span;
pub(crate) use table::Table;
