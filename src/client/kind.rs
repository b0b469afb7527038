//! The kind of client that opened a session.

use crate::serde_text::{named_enum, text_enum};

named_enum! {
    /// The kind of client that opened a session.
    ///
    /// Exactly one of [`is_desktop`](Self::is_desktop), [`is_web`](Self::is_web) and
    /// [`is_not_web_or_desktop`](Self::is_not_web_or_desktop) is true. The kind is unrelated to the
    /// "client type" of RFC 6749 §2.1, the ability to keep a secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::ClientKind;
    ///
    /// let kind: ClientKind = "web".parse()?;
    /// assert!(kind.is_web());
    /// assert_eq!(kind.to_string(), "web");
    /// assert!("Web".parse::<ClientKind>().is_err());
    /// # Ok::<(), tower_session_token::ParseError>(())
    /// ```
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    #[expect(
        clippy::exhaustive_enums,
        reason = "a partition: the third kind is the rest"
    )]
    pub enum ClientKind {
        /// A program on the user's machine, a console tool, an integration service: `desktop`.
        Desktop = "desktop",
        /// A browser, or a program that uses the web API: `web`.
        Web = "web",
        /// Any other client, such as a background task or another application: `other`.
        Other = "other",
    }
    /// The kind as the claim `client_kind` spells it: `desktop`, `web` or `other`.
    as_str
}

impl ClientKind {
    /// Whether this is [`ClientKind::Desktop`].
    #[must_use]
    pub const fn is_desktop(self) -> bool {
        matches!(self, Self::Desktop)
    }

    /// Whether this is [`ClientKind::Web`].
    #[must_use]
    pub const fn is_web(self) -> bool {
        matches!(self, Self::Web)
    }

    /// Whether this is [`ClientKind::Other`].
    #[must_use]
    pub const fn is_not_web_or_desktop(self) -> bool {
        matches!(self, Self::Other)
    }
}

text_enum!(ClientKind, "desktop, web and other");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_predicate_is_true() {
        for (kind, want) in [
            (ClientKind::Desktop, [true, false, false]),
            (ClientKind::Web, [false, true, false]),
            (ClientKind::Other, [false, false, true]),
        ] {
            let got = [
                kind.is_desktop(),
                kind.is_web(),
                kind.is_not_web_or_desktop(),
            ];
            assert_eq!(got, want, "{kind}");
        }
    }

    #[test]
    fn only_the_exact_names_are_parsed() {
        for kind in ClientKind::ALL.iter().copied() {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<ClientKind>(&json).unwrap(), kind);
        }
        for text in ["", "Web", "WEB", " web", "web ", "we\u{431}", "mobile"] {
            assert!(text.parse::<ClientKind>().is_err(), "{text:?}");
        }
        for json in ["\"Web\"", "null", "1", "{\"web\":null}", "[\"web\"]"] {
            assert!(serde_json::from_str::<ClientKind>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_input() {
        let error = serde_json::from_str::<ClientKind>("\"s3cret\"").unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
