//! Where the strings of a JSON text stand in it, so that none of them is copied.

use std::num::NonZeroU32;

/// A string of a JSON text, in bytes from its start.
///
/// A string that is written with escapes stands in a second text behind the first one, in which
/// [`Reader`](super::Reader) collects such strings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    // In front of each string there is at least a quote, so that `Option<Span>` is as small.
    start: NonZeroU32,
    len: u32,
}

impl Span {
    /// The longest text that is read, in bytes; with the unescaped strings behind it, it is less
    /// than twice as long.
    pub(crate) const MAX: usize = 1 << 31;

    #[expect(
        clippy::expect_used,
        reason = "no text is longer than `MAX`, and none begins with a string"
    )]
    pub(super) fn new(start: usize, len: usize) -> Self {
        let in_range = "a span is within a text and its unescaped strings";
        let start = u32::try_from(start).ok().and_then(NonZeroU32::new);
        Self {
            start: start.expect(in_range),
            len: u32::try_from(len).expect(in_range),
        }
    }

    #[expect(
        clippy::as_conversions,
        reason = "a `usize` has at least 32 bits on every target with `std`"
    )]
    pub(crate) fn len(self) -> usize {
        self.len as usize
    }

    /// The string, given the text that was read and its unescaped strings.
    #[expect(
        clippy::as_conversions,
        clippy::arithmetic_side_effects,
        clippy::string_slice,
        reason = "a span is used with the text that it was made from"
    )]
    pub(crate) fn of<'a>(self, json: &'a str, unescaped: &'a str) -> &'a str {
        let start = self.start.get() as usize;
        match start.checked_sub(json.len()) {
            None => &json[start..start + self.len()],
            Some(start) => &unescaped[start..start + self.len()],
        }
    }
}
