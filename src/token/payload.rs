//! The payload of a token: its JSON and its claims.

use super::{
    claims::{Claims, Strings},
    claims_reader::read_claims,
};
use crate::{error::SessionError, json::Span, limits::Limits};

/// The claims of a token, and the JSON that their spans refer to.
#[derive(Clone)]
pub(crate) struct Payload {
    pub(crate) claims: Claims,
    json: Box<str>,
    /// The decoded strings that are written with escapes in the JSON.
    unescaped: Box<str>,
}

impl Payload {
    /// Parses a token's claims. With `is_ours`, every claim has to be valid; else an invalid display
    /// claim counts as absent.
    pub(crate) fn parse(
        json: String,
        is_ours: bool,
        limits: &Limits,
    ) -> Result<Self, SessionError> {
        if json.len() > Span::MAX {
            return Err(SessionError::malformed("the payload is too long"));
        }
        let (claims, unescaped) = read_claims(&json, is_ours, limits)?;
        Ok(Self {
            claims,
            json: json.into_boxed_str(),
            unescaped: unescaped.into_boxed_str(),
        })
    }

    pub(crate) fn get(&self, claim: Option<Span>) -> Option<&str> {
        claim.map(|span| span.of(&self.json, &self.unescaped))
    }

    pub(crate) fn list<'p>(&'p self, claim: &'p Option<Strings>) -> impl Iterator<Item = &'p str> {
        let spans = claim.iter().flat_map(Strings::spans);
        spans.map(|span| span.of(&self.json, &self.unescaped))
    }

    pub(crate) fn json(&self) -> &str {
        &self.json
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let Claims {
            aud, scope, roles, ..
        } = &self.claims;
        let lists = [aud, scope, roles].into_iter().flatten();
        let lists: usize = lists.map(Strings::heap_bytes).sum();
        self.json
            .len()
            .saturating_add(self.unescaped.len())
            .saturating_add(lists)
    }
}
