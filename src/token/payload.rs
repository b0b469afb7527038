//! A payload: its JSON, and its claims.

use super::{
    claims::{Audience, Claims},
    claims_scanner::scan_claims,
};
use crate::{error::SessionError, json::Span, limits::Limits};

/// The claims of a token, with the text that they stand in.
#[derive(Clone)]
pub(crate) struct Payload {
    pub(crate) claims: Claims,
    text: PayloadText,
}

impl Payload {
    pub(crate) fn parse(json: String, limits: &Limits) -> Result<Self, SessionError> {
        if json.len() > Span::MAX {
            return Err(SessionError::malformed("the payload is too long"));
        }
        let (claims, unescaped) = match scan_claims(&json, limits) {
            Some(claims) => (claims, String::new()),
            None => Claims::parse_strictly(&json, limits)?,
        };
        let text = PayloadText::new(json, unescaped);
        Ok(Self { claims, text })
    }

    /// The text of one of its claims.
    pub(crate) fn get(&self, claim: Option<Span>) -> Option<&str> {
        claim.map(|span| self.text.get(span))
    }

    pub(crate) fn audience(&self) -> impl Iterator<Item = &str> {
        let spans = self.claims.aud.iter().flat_map(Audience::spans);
        spans.map(|span| self.text.get(span))
    }

    pub(crate) fn json(&self) -> &str {
        self.text.json()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let audience = self.claims.aud.as_ref().map_or(0, Audience::heap_bytes);
        self.text.heap_bytes().saturating_add(audience)
    }
}

/// A payload's JSON, and the texts that stand there only with escapes, which follow it.
#[derive(Clone)]
pub(crate) struct PayloadText {
    json: Box<str>,
    unescaped: Box<str>,
}

impl PayloadText {
    pub(crate) fn new(json: String, unescaped: String) -> Self {
        Self {
            json: json.into_boxed_str(),
            unescaped: unescaped.into_boxed_str(),
        }
    }

    pub(crate) fn json(&self) -> &str {
        &self.json
    }

    pub(crate) fn get(&self, span: Span) -> &str {
        span.of_two(&self.json, &self.unescaped)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.json.len().saturating_add(self.unescaped.len())
    }
}
