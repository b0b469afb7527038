//! The claims that the profile defines: one row each.

use crate::{
    identity::Actor,
    json::{self, Name, Span},
    time::NumericDate,
};

/// Makes the struct of the claims, their names, and the reader's `match`, from one row for each:
/// name, type, and how it is read (a function of `claims_reader`, and the limit on its bytes).
macro_rules! claims {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $read:ident($($limit:ident)?);)*) => {
        /// The claims of a token, each of its type and within its size limit.
        /// [`ClaimRules`](super::claim_rules::ClaimRules) decides which of them are required.
        #[derive(Clone, Default)]
        #[cfg_attr(test, derive(Debug, PartialEq))]
        pub(crate) struct Claims {
            $($(#[$doc])* pub(crate) $name: Option<$type>,)*
        }

        /// The name of a claim.
        #[expect(non_camel_case_types, reason = "the variants are the names on the wire")]
        #[derive(Clone, Copy)]
        pub(crate) enum Claim {
            $($name,)*
        }

        impl Claim {
            const ALL: &[Self] = &[$(Self::$name,)*];

            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }

        /// Reads the value of `$claim` into `$claims`.
        macro_rules! read_claim {
            ($claims:expr, $claim:expr, $reader:expr, $limits:expr) => {
                match $claim {
                    $(Claim::$name => {
                        let wrong = SessionError::claim(stringify!($name));
                        $claims.$name = $reader.$read(wrong $(, $limits.$limit())?)?;
                    })*
                }
            };
        }
        pub(super) use read_claim;
    };
}

claims! {
    // RFC 7519 §4.1.
    iss: Span = string(claim_bytes);
    aud: Strings = audience(claim_bytes);
    sub: Span = string(claim_bytes);
    exp: NumericDate = date();
    nbf: NumericDate = date();
    iat: NumericDate = date();
    jti: Span = string(claim_bytes);
    // OpenID Connect: Front-Channel Logout §3, Core §2 and §5.1.
    sid: Span = string(claim_bytes);
    azp: Span = string(claim_bytes);
    auth_time: NumericDate = date();
    name: Span = display_name(claim_bytes);
    preferred_username: Span = display_name(claim_bytes);
    locale: Span = display(locale_bytes);
    zoneinfo: Span = zone();
    // RFC 8693 §4, RFC 9068 §2.2.3.1, RFC 7800.
    client_id: Span = string(claim_bytes);
    scope: Strings = scope(scope_bytes);
    roles: Strings = roles();
    act: Box<Actor> = actor();
    /// Present or not: the value is not parsed.
    cnf: () = presence();
    // The profile's own.
    client_kind: Span = string(claim_bytes);
    access_level: Span = string(claim_bytes);
    ui_locale: Span = display(locale_bytes);
    utc_offset: i64 = display_integer();
    server: Span = string(claim_bytes);
    instance: Span = string(claim_bytes);
}

impl Claim {
    /// Finds the claim of this name; `text` returns the whole name.
    #[inline(always)]
    pub(super) fn find<'a>(name: Name, text: impl FnOnce() -> &'a str) -> Option<Self> {
        let slot = TABLE.get(slot(name.word, MULTIPLIER))?;
        let claim = (*slot)?;
        let own = claim.as_str();
        let is_same = name.span.len() == own.len()
            && json::word(own) == name.word
            && (own.len() <= 8 || text() == own);
        is_same.then_some(claim)
    }

    pub(super) fn is_name(name: &str) -> bool {
        name == ELEVATED || Self::ALL.iter().any(|claim| claim.as_str() == name)
    }

    pub(super) fn bit(self) -> u32 {
        1 << u32::from(self.index())
    }

    #[expect(clippy::as_conversions, reason = "it has no fields")]
    const fn index(self) -> u8 {
        self as u8
    }
}

const SLOTS: usize = 64;

/// The claims by the first eight bytes of their names.
const TABLE: [Option<Claim>; SLOTS] = table(MULTIPLIER);

/// The first odd number of a sequence under which no two claims have the same slot.
const MULTIPLIER: u64 = {
    let mut multiplier = 0x9e37_79b9_7f4a_7c15_u64;
    while !is_perfect(multiplier) {
        multiplier = multiplier
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814e)
            | 1;
    }
    multiplier
};

#[expect(clippy::as_conversions, reason = "six bits are left")]
const fn slot(word: u64, multiplier: u64) -> usize {
    (word.wrapping_mul(multiplier) >> 58) as usize
}

#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "it is evaluated when the crate is compiled"
)]
const fn table(multiplier: u64) -> [Option<Claim>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut at = 0;
    while at < Claim::ALL.len() {
        let claim = Claim::ALL[at];
        table[slot(json::word(claim.as_str()), multiplier)] = Some(claim);
        at += 1;
    }
    table
}

#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "it is evaluated when the crate is compiled"
)]
const fn is_perfect(multiplier: u64) -> bool {
    let mut taken = 0_u64;
    let mut at = 0;
    while at < Claim::ALL.len() {
        let bit = 1 << slot(json::word(Claim::ALL[at].as_str()), multiplier);
        if taken & bit != 0 {
            return false;
        }
        taken |= bit;
        at += 1;
    }
    true
}

/// Records that a nested session has a higher access level than its parent.
pub(super) const ELEVATED: &str = "elevated";

/// `sub` is 1 to 255 bytes long.
pub(super) fn is_subject(sub: &str) -> bool {
    (1..=255).contains(&sub.len())
}

/// A list of strings, such as `aud`, which usually has one.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Strings {
    first: Option<Span>,
    more: Vec<Span>,
}

impl Strings {
    pub(super) fn one(span: Span) -> Self {
        let first = Some(span);
        Self {
            first,
            more: Vec::new(),
        }
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        self.first.iter().chain(&self.more).copied()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.more.capacity().saturating_mul(size_of::<Span>())
    }
}

impl From<Vec<Span>> for Strings {
    fn from(spans: Vec<Span>) -> Self {
        let mut spans = spans.into_iter();
        Self {
            first: spans.next(),
            more: spans.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_bit_of_a_word() {
        assert!(Claim::ALL.len() <= 32);
        for (at, claim) in Claim::ALL.iter().enumerate() {
            assert_eq!(claim.bit(), 1 << at);
        }
    }
}
