//! Types of tokens: the header parameter `typ`.

use std::{fmt, str::FromStr, time::Duration};

use crate::{error::ParseError, serde_text::named_enum};

named_enum! {
    /// The type of a token, which decides which claims it must have (RFC 8725 §3.11).
    ///
    /// A verifier accepts [`Session`](Self::Session) alone unless
    /// [`accept_type`](crate::SessionVerifierBuilder::accept_type) says otherwise, and never treats
    /// one type as another. Parsing ignores case and the prefix `application/`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::TokenType;
    ///
    /// assert_eq!("application/AT+JWT".parse(), Ok(TokenType::AccessToken));
    /// assert_eq!(TokenType::AccessToken.as_str(), "at+jwt");
    /// assert!("".parse::<TokenType>().is_err());
    /// ```
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    #[non_exhaustive]
    pub enum TokenType {
        /// `session+jwt`: a session token.
        Session = "session+jwt",
        /// `nested-session+jwt`: a session token minted inside a session for another user.
        NestedSession = "nested-session+jwt",
        /// `at+jwt`: an OAuth access token (RFC 9068).
        AccessToken = "at+jwt",
        /// `JWT`, or no `typ`: the type of most identity providers.
        Jwt = "JWT",
    }
    /// The type as `typ` spells it (RFC 7515 §4.1.9).
    as_str
}

impl TokenType {
    /// Parses `typ`: a media type in any case, with or without `application/` (RFC 7515 §4.1.9).
    pub(crate) fn of_typ(typ: Option<&str>) -> Option<Self> {
        let Some(typ) = typ else {
            return Some(Self::Jwt);
        };
        let mut types = Self::ALL.iter().copied();
        types.find(|token_type| is_typ(typ, token_type.as_str()))
    }

    /// The longest lifetime unless the service sets one: seven days, or `None` for any.
    pub(crate) fn default_max_lifetime(self) -> Option<Duration> {
        const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
        self.is_ours().then_some(WEEK)
    }

    /// Whether this crate mints the type, so that its claims must be complete and exact.
    pub(crate) const fn is_ours(self) -> bool {
        matches!(self, Self::Session | Self::NestedSession)
    }
}

/// Whether `typ` is the type `name`, in any case, with or without `application/` (RFC 7515 §4.1.9).
pub(crate) fn is_typ(typ: &str, name: &str) -> bool {
    const PREFIX: &str = "application/";
    let short = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, short)) if prefix.eq_ignore_ascii_case(PREFIX) => short,
        _ => typ,
    };
    short.eq_ignore_ascii_case(name)
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TokenType {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::of_typ(Some(text)).ok_or(ParseError::new(
            "not one of session+jwt, nested-session+jwt, at+jwt and JWT",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_printed_and_parsed_as_its_typ() {
        for (token_type, typ) in [
            (TokenType::Session, "session+jwt"),
            (TokenType::NestedSession, "nested-session+jwt"),
            (TokenType::AccessToken, "at+jwt"),
            (TokenType::Jwt, "JWT"),
        ] {
            assert_eq!(token_type.to_string(), typ);
            assert_eq!(typ.parse::<TokenType>().unwrap(), token_type);
        }
    }

    #[test]
    fn typ_is_parsed_as_a_media_type() {
        for (typ, want) in [
            (Some("session+jwt"), Some(TokenType::Session)),
            (Some("Application/Session+JWT"), Some(TokenType::Session)),
            (Some("nested-session+jwt"), Some(TokenType::NestedSession)),
            (Some("application/at+jwt"), Some(TokenType::AccessToken)),
            (Some("jwt"), Some(TokenType::Jwt)),
            (None, Some(TokenType::Jwt)),
            (Some(""), None),
            (Some("application/"), None),
            (Some("application/application/jwt"), None),
            (Some("session+jwt "), None),
            (Some("text/jwt"), None),
            (Some("\u{e4}pplication/jwt"), None),
        ] {
            assert_eq!(TokenType::of_typ(typ), want, "{typ:?}");
        }
    }
}
