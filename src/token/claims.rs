//! The claims that the profile knows (RFC 7519 §4, OpenID Connect Core §5.1, RFC 8693 §4, and its own).

use crate::{identity::Actor, json::Span, time::NumericDate};

/// What a payload says, each claim of its type and within its size; whether the claims that are
/// there make a session is decided in `form`. Texts are where they stand in the payload.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Claims {
    pub(crate) iss: Option<Span>,
    pub(crate) aud: Option<Audience>,
    pub(crate) sub: Option<Span>,
    pub(crate) exp: Option<NumericDate>,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: Option<NumericDate>,
    pub(crate) jti: Option<Span>,
    pub(crate) sid: Option<Span>,
    pub(crate) client_id: Option<Span>,
    pub(crate) azp: Option<Span>,
    pub(crate) client_kind: Option<Span>,
    pub(crate) name: Option<Span>,
    pub(crate) preferred_username: Option<Span>,
    pub(crate) access_level: Option<Span>,
    pub(crate) locale: Option<Span>,
    pub(crate) ui_locale: Option<Span>,
    pub(crate) utc_offset: Option<i64>,
    pub(crate) zoneinfo: Option<Span>,
    pub(crate) server: Option<Span>,
    pub(crate) instance: Option<Span>,
    pub(crate) scope: Option<Span>,
    pub(crate) act: Option<Box<Actor>>,
    /// Whether there is a `cnf`, whatever it is.
    pub(crate) cnf: Option<()>,
}

/// The claim `aud`: none, one or several.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Audience {
    first: Option<Span>,
    /// Those after it, which tokens seldom have.
    more: Vec<Span>,
}

impl Audience {
    pub(crate) fn one(span: Span) -> Self {
        Self {
            first: Some(span),
            more: Vec::new(),
        }
    }

    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> {
        self.first.iter().chain(&self.more).copied()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
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

/// The names that the profile gives a meaning.
pub(crate) const NAMES: [&str; 24] = [
    "iss",
    "aud",
    "sub",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "client_id",
    "azp",
    "client_kind",
    "name",
    "preferred_username",
    "access_level",
    "locale",
    "ui_locale",
    "utc_offset",
    "zoneinfo",
    "server",
    "instance",
    "scope",
    "act",
    "cnf",
    ELEVATED,
];

/// Records that a nested session has a higher access level than its parent.
pub(crate) const ELEVATED: &str = "elevated";

/// `sub` is 1 to 255 bytes long.
pub(crate) fn is_subject(sub: &str) -> bool {
    (1..=255).contains(&sub.len())
}
