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

    pub(super) fn len(self) -> usize {
        usize::try_from(self.len).unwrap_or_default()
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
    more: Box<[Span]>,
}

impl Audience {
    pub(super) fn one(span: Span) -> Self {
        Self {
            first: Some(span),
            more: Box::default(),
        }
    }

    pub(in crate::token) fn spans(&self) -> impl Iterator<Item = Span> {
        self.first.iter().chain(&self.more).copied()
    }

    pub(in crate::token) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.more)
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

/// A payload's JSON, followed by the texts that stand there only with escapes.
#[derive(Clone)]
pub(in crate::token) struct PayloadText {
    text: Box<str>,
    json_len: usize,
}

impl PayloadText {
    /// The longest JSON, in bytes; with what is written there with escapes, it is less than twice
    /// as long.
    pub(super) const MAX: usize = 1 << 31;

    pub(super) fn new(json: String, unescaped: &str) -> Self {
        let json_len = json.len();
        let mut text = json;
        text.push_str(unescaped);
        Self {
            text: text.into_boxed_str(),
            json_len,
        }
    }

    pub(in crate::token) fn json(&self) -> &str {
        self.text.get(..self.json_len).unwrap_or_default()
    }

    pub(in crate::token) fn get(&self, span: Span) -> &str {
        span.of(&self.text)
    }

    pub(in crate::token) fn heap_bytes(&self) -> usize {
        self.text.len()
    }
}
