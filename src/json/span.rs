//! Positions of strings in a JSON text, which make copies unnecessary.

use std::num::NonZeroU32;

/// The position of a string: its byte offset and length in the JSON text followed by the strings
/// that [`Reader`](super::Reader) has unescaped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    // Never zero, since a quote precedes each string: `Option<Span>` is no larger.
    start: NonZeroU32,
    len: u32,
}

impl Span {
    /// The longest text that can be read, in bytes: together with its unescaped strings, offsets fit
    /// 32 bits.
    pub(crate) const MAX: usize = 1 << 31;

    #[expect(
        clippy::as_conversions,
        clippy::expect_used,
        reason = "neither the text nor what is unescaped is longer than `MAX`"
    )]
    #[inline(always)]
    pub(super) fn new(start: usize, len: usize) -> Self {
        let start = NonZeroU32::new(start as u32);
        Self {
            start: start.expect("a quote precedes each string"),
            len: len as u32,
        }
    }

    #[expect(
        clippy::as_conversions,
        reason = "a `usize` has at least 32 bits on every target with `std`"
    )]
    pub(crate) fn len(self) -> usize {
        self.len as usize
    }

    /// The span of `len` bytes from `start` on in this one.
    #[expect(
        clippy::as_conversions,
        clippy::arithmetic_side_effects,
        reason = "a part is within the span"
    )]
    pub(super) fn part(self, start: usize, len: usize) -> Self {
        Self::new(self.start.get() as usize + start, len)
    }

    /// Resolves the span in `json` followed by `unescaped`.
    #[expect(
        clippy::as_conversions,
        clippy::arithmetic_side_effects,
        clippy::string_slice,
        reason = "a span is resolved in the text that it is from"
    )]
    #[inline]
    pub(crate) fn of<'a>(self, json: &'a str, unescaped: &'a str) -> &'a str {
        let start = self.start.get() as usize;
        match start.checked_sub(json.len()) {
            None => &json[start..start + self.len()],
            Some(start) => &unescaped[start..start + self.len()],
        }
    }
}
