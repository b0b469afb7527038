//! The claims that the profile defines: one row each.

use std::slice;

use crate::{
    identity::Actor,
    json::{self, Name, Span},
    jws::TokenType::{self, AccessToken, NestedSession, Session},
    time::NumericDate,
};

/// Makes the struct of the claims, their names, the reader's `match` and the required claims, from
/// one row for each claim: its name, type, how it is read (a function of `claims_reader`, and the
/// limit on its bytes), and the types of tokens that must have it.
macro_rules! claims {
    ($($name:ident: $type:ty = $read:ident($($limit:ident)?) $(, in [$types:pat])?;)*) => {
        /// The claims of a token, each of its type and within its size limit.
        /// [`ClaimRules`](super::claim_rules::ClaimRules) decides which of them are required.
        #[derive(Clone, Default)]
        pub(crate) struct Claims {
            $(pub(crate) $name: Option<$type>,)*
            /// The claims that the token has, as bits, even if their values count as absent.
            pub(super) present: u32,
        }

        /// The name of a claim.
        #[expect(non_camel_case_types, reason = "the variants are the names on the wire")]
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Claim {
            $($name,)*
        }

        impl Claim {
            const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The claims that a token of this type must have, as bits.
            pub(super) const fn required_in(token_type: TokenType) -> u32 {
                let mut bits = 0;
                $($(
                    if matches!(token_type, $types) {
                        bits |= Self::$name.bit();
                    }
                )?)*
                bits
            }
        }

        /// Reads the value of `$claim` at `$cursor` into `$claims`. Each claim has its own copy of the
        /// cursor, since out-of-line code is passed its address.
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
                }
            };
        }
        pub(super) use read_claim;
    };
}

claims! {
    // RFC 7519 §4.1.
    iss: Span = string(claim_bytes), in [_];
    aud: Strings = audience(claim_bytes), in [_];
    sub: Span = string(claim_bytes), in [_];
    exp: NumericDate = date(), in [_];
    nbf: NumericDate = date();
    iat: NumericDate = date(), in [Session | NestedSession | AccessToken];
    jti: Span = string(claim_bytes), in [Session | NestedSession | AccessToken];
    // OpenID Connect: Front-Channel Logout §3, Core §2 and §5.1.
    sid: Span = string(claim_bytes), in [Session | NestedSession];
    azp: Span = string(claim_bytes);
    auth_time: NumericDate = date();
    name: Span = display_name(claim_bytes);
    preferred_username: Span = display_name(claim_bytes);
    locale: Span = display(locale_bytes);
    zoneinfo: Span = zone();
    // RFC 8693 §4, RFC 9068 §2.2.3.1, RFC 7800.
    client_id: Span = string(claim_bytes), in [Session | NestedSession | AccessToken];
    scope: Strings = scope(scope_bytes);
    roles: Strings = roles();
    act: Box<Actor> = actor(), in [NestedSession];
    cnf: () = presence();
    // The profile's own.
    client_kind: Span = string(claim_bytes);
    access_level: Span = string(claim_bytes);
    ui_locale: Span = display(locale_bytes);
    utc_offset: i64 = display_integer();
    server: Span = string(claim_bytes);
    instance: Span = string(claim_bytes);
}

impl Claims {
    pub(super) fn has(&self, claim: Claim) -> bool {
        self.present & claim.bit() != 0
    }
}

impl Claim {
    /// Finds the claim of this name; `text` returns the whole name.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "a slot is below 64")]
    pub(super) fn find<'a>(name: Name, text: impl FnOnce() -> &'a str) -> Option<Self> {
        let (word, own, claim) = SLOTS.slots[slot(name.word, SLOTS.multiplier)].as_ref()?;
        let is_same = *word == name.word && own.len() == name.span.len();
        (is_same && (own.len() <= 8 || text() == *own)).then_some(*claim)
    }

    pub(super) fn is_name(name: &str) -> bool {
        name == ELEVATED || Self::ALL.iter().any(|claim| claim.as_str() == name)
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

/// A hash table of the claims by the first eight bytes of their names, the word.
struct Slots {
    /// A multiplier by which no two claims have the same slot. Without one, as where two names begin with
    /// the same eight bytes, this does not compile.
    multiplier: u64,
    slots: [Option<(u64, &'static str, Claim)>; 64],
}

static SLOTS: Slots = {
    let mut multiplier = u64::MAX / 3;
    loop {
        if let Some(slots) = Slots::new(multiplier) {
            break slots;
        }
        multiplier = multiplier.wrapping_mul(3);
    }
};

impl Slots {
    /// `None` if two claims have the same slot.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "`at` is within the list, and a slot below 64"
    )]
    const fn new(multiplier: u64) -> Option<Self> {
        let (mut slots, mut at) = ([None; 64], 0);
        while at < Claim::ALL.len() {
            let claim = Claim::ALL[at];
            let word = json::word(claim.as_str());
            let slot = &mut slots[slot(word, multiplier)];
            if slot.replace((word, claim.as_str(), claim)).is_some() {
                return None;
            }
            at += 1;
        }
        Some(Self { multiplier, slots })
    }
}

#[expect(clippy::as_conversions, reason = "six bits fit a `usize`")]
#[inline(always)]
const fn slot(word: u64, multiplier: u64) -> usize {
    (word.wrapping_mul(multiplier) >> 58) as usize
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
            let own = claim.as_str();
            let json = format!("{{\"{own}\":1}}");
            let (mut reader, _) = json::Reader::new(&json, 1).unwrap();
            let name = reader.next_name(&mut reader.cursor(), &mut b'{').unwrap();
            let found = Claim::find(name.unwrap(), || own).map(Claim::as_str);
            assert_eq!(found, Some(own));
        }
    }
}
