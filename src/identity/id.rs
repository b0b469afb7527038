//! Identifiers of sessions, users, applications and tokens: a UUID in 16 bytes, or a string.

use std::{convert::Infallible, fmt, str::FromStr};

use smol_str::SmolStr;
use uuid::Uuid;

use crate::serde_text::serde_as_text;

/// A string, held as a [`Uuid`] exactly if it is the canonical spelling of one. Equal strings are
/// equal identifiers, and no others.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Id {
    Uuid(Uuid),
    Text(SmolStr),
}

impl Id {
    fn new(text: &str) -> Self {
        match Uuid::try_parse_ascii(text.as_bytes()) {
            // The parser accepts other spellings too, which are other identifiers.
            Ok(uuid) if is_printed_as(uuid, text) => Self::Uuid(uuid),
            _ => Self::Text(SmolStr::new(text)),
        }
    }

    fn is(&self, text: &str) -> bool {
        match self {
            Self::Uuid(uuid) => is_printed_as(*uuid, text),
            Self::Text(own) => own == text,
        }
    }
}

/// Whether `text` is the UUID in lower case with hyphens (RFC 9562 §4).
fn is_printed_as(uuid: Uuid, text: &str) -> bool {
    let mut buffer = Uuid::encode_buffer();
    uuid.as_hyphenated().encode_lower(&mut buffer) == text
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(uuid) => uuid.as_hyphenated().fmt(f),
            Self::Text(text) => f.pad(text),
        }
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Any string, usually a UUID: in lower case with hyphens (RFC 9562 §4) it takes 16 bytes.
        /// Identifiers are equal exactly if their strings are, and are printed as they were read.
        /// A verifier rejects a token whose identifier is above
        /// [`claim_bytes`](crate::Limits::claim_bytes).
        ///
        /// # Examples
        ///
        /// ```
        #[doc = concat!("use tower_session_token::", stringify!($name), ";")]
        ///
        #[doc = concat!("let id = ", stringify!($name), "::from(\"0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77\");")]
        /// assert!(id.as_uuid().is_some());
        #[doc = concat!("let id = ", stringify!($name), "::from(\"auth0|5f7c\");")]
        /// assert!(id.as_uuid().is_none());
        /// assert_eq!(id, "auth0|5f7c");
        /// ```
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Id);

        impl $name {
            /// The identifier as a UUID; `None` if it is not one in lower case with hyphens.
            #[must_use]
            pub fn as_uuid(&self) -> Option<Uuid> {
                match self.0 {
                    Id::Uuid(uuid) => Some(uuid),
                    Id::Text(_) => None,
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(Id::Uuid(uuid))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Id::new(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Id::new(&text))
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(Id::new(text)))
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, text: &str) -> bool {
                self.0.is(text)
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, text: &&str) -> bool {
                self.0.is(text)
            }
        }

        serde_as_text!($name);
    };
}

identifier! {
    /// The identifier of a session: the claim `sid` (OpenID Connect), or the claim used instead.
    SessionId
}

identifier! {
    /// The identifier of a user: the claim `sub` (RFC 7519 §4.1.2).
    UserId
}

identifier! {
    /// The identifier of the application that opened the session: the claim `client_id` (RFC 8693
    /// §4.3).
    ApplicationId
}

identifier! {
    /// The identifier of one token: the claim `jti` (RFC 7519 §4.1.7).
    TokenId
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77";

    #[test]
    fn only_the_canonical_spelling_is_a_uuid() {
        for (text, is_uuid) in [
            (UUID, true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("0B5A6AE1-9F3C-4A55-8D3A-5C4A2F1B9E77", false),
            ("0b5a6ae19f3c4a558d3a5c4a2f1b9e77", false),
            ("{0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77}", false),
            ("0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e7g", false),
            ("0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e7\u{e9}", false),
            ("", false),
        ] {
            let id = SessionId::from(text);
            assert_eq!(id.as_uuid().is_some(), is_uuid, "{text}");
            assert_eq!(id.to_string(), text, "printed as it was read");
        }
    }

    #[test]
    fn only_lower_case_digits_are_part_of_a_uuid() {
        for at in (0..36).filter(|at| ![8, 13, 18, 23].contains(at)) {
            for byte in 0..=0x7f_u8 {
                let mut text = UUID.to_owned();
                text.replace_range(at..=at, &char::from(byte).to_string());
                let want = Uuid::parse_str(&text).ok();
                let want = want.filter(|_| !byte.is_ascii_uppercase());
                assert_eq!(SessionId::from(text.as_str()).as_uuid(), want, "{text}");
            }
        }
        for at in [8, 13, 18, 23] {
            let mut text = UUID.to_owned();
            text.replace_range(at..=at, "0");
            assert!(SessionId::from(text.as_str()).as_uuid().is_none(), "{text}");
        }
    }

    #[test]
    fn identifiers_are_equal_if_their_strings_are() {
        assert_eq!(
            UserId::from(UUID),
            UserId::from(Uuid::parse_str(UUID).unwrap())
        );
        assert_ne!(UserId::from(UUID), UserId::from(UUID.to_uppercase()));
    }

    #[test]
    fn an_identifier_serializes_as_its_string() {
        for text in [UUID, "auth0|5f7c", ""] {
            let id = ApplicationId::from(text);
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<ApplicationId>(&json).unwrap(), id);
        }
    }
}
