//! Where the strings of a JSON text stand in it, so that none of them is copied.

/// A part of a text, in bytes.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// The longest text whose parts have a span, and a second one as long behind it, in bytes.
    pub(crate) const MAX: usize = 1 << 31;

    /// Of a text that is no longer than [`Span::MAX`]; of a longer one it is empty.
    pub(crate) fn new(start: usize, len: usize) -> Self {
        match (u32::try_from(start), u32::try_from(len)) {
            (Ok(start), Ok(len)) => Self { start, len },
            _ => Self { start: 0, len: 0 },
        }
    }

    pub(crate) fn len(self) -> usize {
        usize::try_from(self.len).unwrap_or_default()
    }

    /// Of the first text, or of the second where that goes on.
    pub(crate) fn of_two<'a>(self, first: &'a str, second: &'a str) -> &'a str {
        let start = usize::try_from(self.start).unwrap_or_default();
        let (text, start) = match start.checked_sub(first.len()) {
            None => (first, start),
            Some(start) => (second, start),
        };
        let end = start.saturating_add(self.len());
        text.get(start..end).unwrap_or_default()
    }

    pub(crate) fn of(self, text: &str) -> &str {
        let start = usize::try_from(self.start).unwrap_or_default();
        let end = start.saturating_add(self.len());
        text.get(start..end).unwrap_or_default()
    }
}
