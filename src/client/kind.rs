//! The kind of client that opened a session.

use std::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The kind of client that opened a session: the claim `client_kind`.
///
/// It is no OAuth client type (RFC 6749 §2.1), which is about secrets.
///
/// # Examples
///
/// ```
/// use tower_session_token::ClientKind;
///
/// assert_eq!("web".parse(), Ok(ClientKind::Web));
/// assert!("Web".parse::<ClientKind>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[expect(
    clippy::exhaustive_enums,
    reason = "each session is of exactly one of these three"
)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// A program on the user's machine, a console tool, an integration service.
    Desktop,
    /// The web client, or a program through the web API.
    Web,
    /// Neither: a background task, another application.
    Other,
}

impl ClientKind {
    /// The kind as the claim spells it: `desktop`, `web` or `other`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Web => "web",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ClientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ClientKind {
    type Err = ParseClientKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Desktop, Self::Web, Self::Other]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(ParseClientKindError(()))
    }
}

/// The text is none of `desktop`, `web` and `other`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParseClientKindError(());

impl fmt::Display for ParseClientKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none of desktop, web and other")
    }
}

impl Error for ParseClientKindError {}
