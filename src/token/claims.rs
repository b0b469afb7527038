//! The claims that the profile defines: one row each.

use std::slice;

use crate::{
    identity::Actor,
    json::{Span, Table},
    jws::TokenType::{self, AccessToken, NestedSession, Session},
    time::NumericDate,
};

/// Makes the struct of the claims, their names, the reader's `match` and the required claims, from
/// one row for each claim: its name, how it is read, and the types of tokens that must have it. A string
/// has its kind; another value has its type and a function of `claims_reader`, with the limit on its
/// bytes.
macro_rules! claims {
    (
        texts { $($text:ident: $kind:ident $(, in [$text_types:pat])?;)* }
        values { $($name:ident: $type:ty = $read:ident($($limit:ident)?) $(, in [$types:pat])?;)* }
    ) => {
        /// The claims of a token, each of its type and within its size limit.
        /// [`ClaimRules`](super::claim_rules::ClaimRules) decides which of them are required.
        #[derive(Clone)]
        pub(crate) struct Claims {
            texts: [Option<Span>; Claim::TEXTS.len()],
            $(pub(crate) $name: Option<$type>,)*
            /// The claims that the token has, as bits, even if their values count as absent.
            pub(super) present: u32,
        }

        impl Claims {
            pub(super) const fn none() -> Self {
                Self {
                    texts: [None; Claim::TEXTS.len()],
                    $($name: None,)*
                    present: 0,
                }
            }
        }

        /// The name of a claim. Strings come first.
        #[expect(non_camel_case_types, reason = "the variants are the names on the wire")]
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Claim {
            $($text,)*
            $($name,)*
        }

        impl Claim {
            const ALL: &[Self] = &[$(Self::$text,)* $(Self::$name,)*];
            const TEXTS: [Text; [$(Text::$kind),*].len()] = [$(Text::$kind,)*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$text => stringify!($text),)*
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The claims that a token of this type must have, as bits.
            pub(super) const fn required_in(token_type: TokenType) -> u32 {
                let mut bits = 0;
                $($(
                    if matches!(token_type, $text_types) {
                        bits |= Self::$text.bit();
                    }
                )?)*
                $($(
                    if matches!(token_type, $types) {
                        bits |= Self::$name.bit();
                    }
                )?)*
                bits
            }
        }

        /// The names of the claims, for the reader.
        pub(super) static NAMES: Table<Claim> = Table::new(
            &[$(stringify!($text),)* $(stringify!($name),)*],
            Claim::ALL,
        );

        /// Reads the value of `$claim` at `$cursor` into `$claims`. Each claim of `values` has its own copy of
        /// the cursor, since out-of-line code is passed its address.
        macro_rules! read_claim {
            ($claims:expr, $claim:expr, $values:expr, $cursor:expr) => {
                match $claim {
                    $(Claim::$name => {
                        let wrong = SessionError::claim(stringify!($name));
                        let mut ahead = *$cursor;
                        let value = $values.$read(&mut ahead, wrong $(, $values.limits.$limit())?)?;
                        $claims.$name = value;
                        *$cursor = ahead;
                    })*
                    text => {
                        let (kind, place) = $claims.text_mut(text);
                        *place = $values.text(text, kind, $cursor)?;
                    }
                }
            };
        }
        pub(super) use read_claim;
    };
}

/// The kind of a string claim.
#[derive(Clone, Copy)]
pub(super) enum Text {
    Plain,
    /// A name that is only displayed.
    Name,
    Culture,
    Zone,
}

claims! {
    texts {
        // RFC 7519 §4.1.
        iss: Plain, in [_];
        sub: Plain, in [_];
        jti: Plain, in [Session | NestedSession | AccessToken];
        // OpenID Connect: Front-Channel Logout §3, Core §2 and §5.1.
        sid: Plain, in [Session | NestedSession];
        azp: Plain;
        name: Name;
        preferred_username: Name;
        locale: Culture;
        zoneinfo: Zone;
        // RFC 8693 §4.
        client_id: Plain, in [Session | NestedSession | AccessToken];
        // The profile's own.
        client_kind: Plain;
        access_level: Plain;
        ui_locale: Culture;
        server: Plain;
        instance: Plain;
    }
    values {
        // RFC 7519 §4.1.
        aud: Strings = audience(claim_bytes), in [_];
        exp: NumericDate = date(), in [_];
        nbf: NumericDate = date();
        iat: NumericDate = date(), in [Session | NestedSession | AccessToken];
        // OpenID Connect Core §2.
        auth_time: NumericDate = date();
        // RFC 8693 §4, RFC 9068 §2.2.3.1, RFC 7800.
        scope: Strings = scope(scope_bytes);
        roles: Strings = roles();
        act: Box<Actor> = actor(), in [NestedSession];
        cnf: () = presence();
        // The profile's own.
        utc_offset: i64 = display_integer();
    }
}

impl Claims {
    pub(super) fn has(&self, claim: Claim) -> bool {
        self.present & claim.bit() != 0
    }

    /// A string claim.
    #[expect(
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "it is one of the first claims"
    )]
    #[inline]
    pub(super) fn text(&self, claim: Claim) -> Option<Span> {
        self.texts[claim as usize]
    }

    /// The kind of a string claim, and where it goes.
    #[expect(
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "it is one of the first claims"
    )]
    #[inline(always)]
    pub(super) fn text_mut(&mut self, claim: Claim) -> (Text, &mut Option<Span>) {
        let at = claim as usize;
        (Claim::TEXTS[at], &mut self.texts[at])
    }
}

impl Claim {
    pub(super) fn is_name(name: &str) -> bool {
        name == ELEVATED || NAMES.get(name).is_some()
    }

    /// The first claim of these bits, in the order of the table.
    pub(super) fn first_of(bits: u32) -> Option<Self> {
        let first = usize::try_from(bits.trailing_zeros()).ok()?;
        Self::ALL.get(first).copied()
    }

    #[expect(clippy::as_conversions, reason = "it has no fields")]
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Records that a nested session has a higher access level than its parent.
pub(super) const ELEVATED: &str = "elevated";

/// `sub` is 1 to 255 bytes long.
pub(super) fn is_subject(sub: &str) -> bool {
    (1..=255).contains(&sub.len())
}

/// A claim that is a string or a list of strings, such as `aud`.
#[derive(Clone)]
pub(crate) enum Strings {
    One(Span),
    Many(Vec<Span>),
}

impl Strings {
    pub(super) fn spans(&self) -> &[Span] {
        match self {
            Self::One(span) => slice::from_ref(span),
            Self::Many(spans) => spans,
        }
    }

    /// The strings of both, in this order.
    pub(super) fn joined(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(first), Some(second)) => {
                Some(Self::Many([first.spans(), second.spans()].concat()))
            }
            (first, second) => first.or(second),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Many(spans) => spans.capacity().saturating_mul(size_of::<Span>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Member, Reader};

    #[test]
    fn a_claim_is_a_bit_of_a_word() {
        assert!(Claim::ALL.len() <= 32);
        for (at, claim) in Claim::ALL.iter().enumerate() {
            assert_eq!(claim.bit(), 1 << at);
        }
    }

    #[test]
    fn each_claim_is_found_by_its_name() {
        for claim in Claim::ALL {
            let name = claim.as_str();
            // Most names of the last spelling are too near to the end of the text for the fast path.
            for json in [
                format!(r#"{{"{name}":"{name} and more"}}"#),
                format!(r#"{{"{name}": 1, "x": "{name} and more"}}"#),
                format!("{{\n\"{name}\" :1}}"),
                format!(
                    r#"{{"\u{:04x}{}":1}}"#,
                    u32::from(name.as_bytes()[0]),
                    &name[1..]
                ),
                format!(r#"{{"{name}":1}}"#),
            ] {
                let (mut reader, _) = Reader::new(&json, 1).unwrap();
                let mut cursor = reader.cursor();
                let found = reader.next_member(&mut cursor, b'{', &NAMES);
                let found = match found.unwrap() {
                    Member::Known(found) => found.as_str(),
                    Member::Other(_) | Member::End => "none",
                };
                assert_eq!(found, name, "{json}");
            }
        }
    }

    #[test]
    fn other_names_are_no_claims() {
        for claim in Claim::ALL {
            let name = claim.as_str();
            for other in [
                format!("{name}s"),
                name[1..].to_owned(),
                name[..name.len() - 1].to_owned(),
                name.to_uppercase(),
                format!("{name}\\u0000"),
                format!("{name}\\\":"),
            ] {
                let json = format!(r#"{{"{other}":"{name} and more"}}"#);
                let (mut reader, _) = Reader::new(&json, 1).unwrap();
                let mut cursor = reader.cursor();
                let found = reader.next_member(&mut cursor, b'{', &NAMES);
                assert!(matches!(found, Some(Member::Other(_))), "{json}");
            }
        }
    }
}
