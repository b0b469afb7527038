//! Where the texts of a payload stand in it, so that none of them is copied.

/// A part of a [`PayloadText`], in bytes.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(in crate::token) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Of a text that is no longer than [`PayloadText::MAX`]; of a longer one it is empty.
    pub(super) fn new(start: usize, len: usize) -> Self {
        match (u32::try_from(start), u32::try_from(len)) {
            (Ok(start), Ok(len)) => Self { start, len },
            _ => Self { start: 0, len: 0 },
        }
    }

    pub(in crate::token) fn len(self) -> usize {
        usize::try_from(self.len).unwrap_or_default()
    }

    /// Of the first text, or of the second where that goes on.
    pub(super) fn of_two<'a>(self, first: &'a str, second: &'a str) -> &'a str {
        let start = usize::try_from(self.start).unwrap_or_default();
        let (text, start) = match start.checked_sub(first.len()) {
            None => (first, start),
            Some(start) => (second, start),
        };
        let end = start.saturating_add(self.len());
        text.get(start..end).unwrap_or_default()
    }

    pub(super) fn of(self, text: &str) -> &str {
        let start = usize::try_from(self.start).unwrap_or_default();
        let end = start.saturating_add(self.len());
        text.get(start..end).unwrap_or_default()
    }
}

/// The claim `aud`: none, one or several.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(in crate::token) struct Audience {
    first: Option<Span>,
    /// Those after it, which tokens seldom have.
    more: Vec<Span>,
}

impl Audience {
    pub(super) fn one(span: Span) -> Self {
        Self {
            first: Some(span),
            more: Vec::new(),
        }
    }

    pub(in crate::token) fn spans(&self) -> impl Iterator<Item = Span> {
        self.first.iter().chain(&self.more).copied()
    }

    pub(in crate::token) fn heap_bytes(&self) -> usize {
        self.more.capacity().saturating_mul(size_of::<Span>())
    }
}

impl From<Vec<Span>> for Audience {
    fn from(spans: Vec<Span>) -> Self {
        let mut spans = spans.into_iter();
        Self {
            first: spans.next(),
            more: spans.collect(),
        }
    }
}

/// A payload's JSON, and the texts that stand there only with escapes, which follow it.
#[derive(Clone)]
pub(in crate::token) struct PayloadText {
    json: Box<str>,
    unescaped: Box<str>,
}

impl PayloadText {
    /// The longest JSON, in bytes; with what is written there with escapes, it is less than twice
    /// as long.
    pub(super) const MAX: usize = 1 << 31;

    pub(super) fn new(json: String, unescaped: String) -> Self {
        Self {
            json: json.into_boxed_str(),
            unescaped: unescaped.into_boxed_str(),
        }
    }

    pub(in crate::token) fn json(&self) -> &str {
        &self.json
    }

    pub(in crate::token) fn get(&self, span: Span) -> &str {
        span.of_two(&self.json, &self.unescaped)
    }

    pub(in crate::token) fn heap_bytes(&self) -> usize {
        self.json.len().saturating_add(self.unescaped.len())
    }
}
