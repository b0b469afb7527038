//! JSON objects, read strictly and without copying: one grammar, with a fast way through its plain
//! spelling. Knows no claim.

mod cursor;
mod names;
mod reader;
mod span;

pub(crate) use cursor::{Cursor, Name, word};
pub(crate) use names::Names;
pub(crate) use reader::{Reader, WrongType};
pub(crate) use span::Span;
