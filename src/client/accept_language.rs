//! The header field `Accept-Language`.

use std::cmp::Reverse;

use smol_str::SmolStr;

use super::{culture::Culture, supported::Supported};

/// The maximum number of ranges; later ones are ignored.
const MAX_RANGES: usize = 10;

/// The ranges of `Accept-Language` (RFC 9110 §12.5.4): at most ten.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AcceptLanguage(
    /// By descending weight; ranges of equal weight in the order of the field.
    Vec<Range>,
);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Range {
    /// A basic language range (RFC 4647 §2.1), which need not be a well-formed [`Culture`].
    tag: SmolStr,
    weight: Weight,
}

impl AcceptLanguage {
    /// The longest accepted field, in bytes.
    pub(crate) const MAX_BYTES: usize = 500;

    /// Parses the value of the field, or of several fields joined by commas.
    ///
    /// `None` if the value is longer than 500 bytes, or if it has ranges but none is well-formed.
    /// Otherwise ill-formed ranges, and ranges after the tenth, are skipped. `_` is treated as `-`.
    /// `*` is well-formed but selects no culture.
    pub(crate) fn parse(field: &[u8]) -> Option<Self> {
        if field.len() > Self::MAX_BYTES {
            return None;
        }
        let members = field
            .split(|byte| *byte == b',')
            .map(trim_ows)
            .filter(|member| !member.is_empty())
            .take(MAX_RANGES);
        let mut ranges = Vec::new();
        let (mut is_empty, mut is_valid) = (true, false);
        for member in members {
            is_empty = false;
            let Some((tag, weight)) = tag_and_weight(member) else {
                continue;
            };
            let hyphenated = |c| if c == '_' { '-' } else { c };
            let tag: SmolStr = tag.chars().map(hyphenated).collect();
            let is_language = is_range(&tag);
            is_valid |= is_language || tag == "*";
            if is_language {
                ranges.push(Range { tag, weight });
            }
        }
        // The sort is stable.
        ranges.sort_by_key(|range| Reverse(range.weight));
        (is_empty || is_valid).then_some(Self(ranges))
    }

    /// The supported culture of the range with the highest weight that has one. A culture whose own
    /// range has weight 0 is not acceptable, but more specific cultures are.
    pub(super) fn choose(&self, supported: &Supported) -> Option<Culture> {
        let of_weight = |zero: bool| {
            let ranges = self.0.iter();
            ranges.filter(move |range| (range.weight == Weight::ZERO) == zero)
        };
        let rejected: Vec<_> = of_weight(true).map(|range| range.tag.as_str()).collect();
        of_weight(false).find_map(|range| supported.lookup_range(&range.tag, &rejected))
    }
}

/// Whether `tag` is a basic language range (RFC 4647 §2.1) other than `*`.
fn is_range(tag: &str) -> bool {
    let mut subtags = tag.split('-').map(str::as_bytes);
    let fits = |subtag: &[u8], is_char: fn(&u8) -> bool| {
        matches!(subtag.len(), 1..=8) && subtag.iter().all(is_char)
    };
    subtags
        .next()
        .is_some_and(|subtag| fits(subtag, u8::is_ascii_alphabetic))
        && subtags.all(|subtag| fits(subtag, u8::is_ascii_alphanumeric))
}

/// Parses a member such as `de;q=0.8`; `None` if it is ill-formed.
fn tag_and_weight(member: &[u8]) -> Option<(&str, Weight)> {
    let member = str::from_utf8(member).ok()?;
    let Some((tag, weight)) = member.split_once(';') else {
        return Some((member, Weight::ONE));
    };
    let weight = weight.trim_start_matches(is_ows);
    let qvalue = weight.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    Some((
        tag.trim_end_matches(is_ows),
        Weight::parse(qvalue.as_bytes())?,
    ))
}

/// Whether `c` is optional white space (RFC 9110 §5.6.3).
fn is_ows(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn trim_ows(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// A weight in thousandths (RFC 9110 §12.4.2), 0 to 1000.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Weight(u16);

impl Weight {
    const ZERO: Self = Self(0);
    const ONE: Self = Self(1000);

    /// Parses a `qvalue`: `0` or `1` with up to three decimals, at most 1.
    fn parse(qvalue: &[u8]) -> Option<Self> {
        let (whole, decimals) = match qvalue {
            [whole] => (whole, &[][..]),
            [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
            _ => return None,
        };
        let whole: u16 = match whole {
            b'0' => 0,
            b'1' => 1000,
            _ => return None,
        };
        let weights = [100, 10, 1].into_iter();
        #[expect(clippy::arithmetic_side_effects, reason = "999 at most")]
        let fraction = weights.zip(decimals).try_fold(0, |sum, (weight, digit)| {
            let digit = char::from(*digit).to_digit(10)?;
            Some(weight * u16::try_from(digit).ok()? + sum)
        })?;
        let weight = Self(whole.saturating_add(fraction));
        (weight <= Self::ONE).then_some(weight)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn culture(tag: &str) -> Culture {
        tag.parse().unwrap()
    }

    fn supported(tags: &[&str]) -> Supported {
        let mut list = Supported::default();
        for tag in tags {
            list.insert(culture(tag));
        }
        list
    }

    fn text(culture: Option<&Culture>) -> Option<&str> {
        culture.map(Culture::as_str)
    }

    #[test]
    fn the_range_of_highest_weight_is_chosen() {
        let list = supported(&["en", "en-GB", "de", "fr"]);
        let any = Supported::default();
        for (name, field, of_list, of_any) in [
            ("one", "de", Some("de"), Some("de")),
            ("other case", "DE", Some("de"), Some("de")),
            ("region", "de-AT", Some("de"), Some("de-AT")),
            ("the first", "fr, de", Some("fr"), Some("fr")),
            ("the first that is there", "it, de", Some("de"), Some("it")),
            ("by weight", "de;q=0.5, fr;q=0.8", Some("fr"), Some("fr")),
            ("in order", "de;q=0.5, fr;q=0.5", Some("de"), Some("de")),
            ("no weight is 1", "de;q=0.999, fr", Some("fr"), Some("fr")),
            (
                "white space",
                " de ; q=0.5\t, fr ;\tq=1.000 ",
                Some("fr"),
                Some("fr"),
            ),
            ("Q", "de;Q=0.1,fr;Q=0.2", Some("fr"), Some("fr")),
            ("no decimals", "de;q=0.,fr;q=1.", Some("fr"), Some("fr")),
            (
                "short decimals",
                "de;q=0.09,fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            (
                "of a browser",
                "de-CH,de;q=0.9,en-US;q=0.8,en;q=0.7",
                Some("de"),
                Some("de-CH"),
            ),
            ("0 alone", "de;q=0", None, None),
            ("0.000", "de;q=0.000", None, None),
            ("0 asks for nothing", "de-AT;q=0", None, None),
            ("0 and the same", "de, de;q=0", None, None),
            ("0 and more specific", "de-AT, de;q=0", None, Some("de-AT")),
            (
                "0 and more general",
                "en-GB-oxendict, en-GB;q=0",
                Some("en"),
                Some("en-GB-oxendict"),
            ),
            ("0 and another", "de;q=0, fr;q=0.1", Some("fr"), Some("fr")),
            ("wildcard", "*", None, None),
            (
                "wildcard and another",
                "*, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            ("wildcard weighed 0", "*;q=0, fr", Some("fr"), Some("fr")),
            ("weight above 1", "de;q=2, fr;q=0.1", Some("fr"), Some("fr")),
            (
                "weight of 1.001",
                "de;q=1.001, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            (
                "weight below 0",
                "de;q=-1, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            (
                "four decimals",
                "de;q=0.1234, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            ("no number", "de;q=., fr;q=0.1", Some("fr"), Some("fr")),
            ("no value", "de;q=, fr;q=0.1", Some("fr"), Some("fr")),
            (
                "comma of decimals",
                "de;q=0,9, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            (
                "space at the equals sign",
                "de;q =1, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            (
                "two weights",
                "de;q=1;q=1, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            (
                "other parameter",
                "de;level=1, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            ("no parameter", "de;, fr;q=0.1", Some("fr"), Some("fr")),
            ("no tag", ";q=1, fr;q=0.1", Some("fr"), Some("fr")),
            ("underscore", "de_DE, fr;q=0.1", Some("de"), Some("de-DE")),
            ("ill-formed tag", "de--DE, fr;q=0.1", Some("fr"), Some("fr")),
            ("POSIX", "de_DE.UTF-8, fr;q=0.1", Some("fr"), Some("fr")),
            (
                "extended language",
                "de-gsg, fr;q=0.4",
                Some("de"),
                Some("de"),
            ),
            ("extended range", "de-*, fr;q=0.1", Some("fr"), Some("fr")),
            (
                "not UTF-8 to be",
                "d\u{e9}, fr;q=0.1",
                Some("fr"),
                Some("fr"),
            ),
            ("empty members", ",, ,fr ,", Some("fr"), Some("fr")),
            ("nothing", "", None, None),
            ("only commas", " , ,", None, None),
        ] {
            let accept = AcceptLanguage::parse(field.as_bytes()).unwrap();
            assert_eq!(text(accept.choose(&list).as_ref()), of_list, "{name}");
            assert_eq!(text(accept.choose(&any).as_ref()), of_any, "{name}");
        }
    }

    #[test]
    fn an_ill_formed_range_is_skipped() {
        let accept = AcceptLanguage::parse(b"\xff\xfe, fr").unwrap();
        let chosen = accept.choose(&supported(&["fr"]));
        assert_eq!(text(chosen.as_ref()), Some("fr"));
    }

    #[test]
    fn a_field_of_ill_formed_ranges_is_rejected() {
        for (name, field, ok) in [
            ("one good range of two", &b"de--DE, fr"[..], true),
            ("wildcard", b"*", true),
            ("weight 0", b"de;q=0", true),
            ("nothing", b"", true),
            ("only bad ranges", b"de--DE, 12", false),
            ("bad weight", b"de;q=x", false),
            ("not UTF-8", b"\xff", false),
            ("no list", b"<script>", false),
        ] {
            assert_eq!(AcceptLanguage::parse(field).is_some(), ok, "{name}");
        }
    }

    #[test]
    fn long_fields_and_ranges_after_the_tenth_are_ignored() {
        let list = supported(&["fr"]);
        for (name, field, want) in [
            ("ten ranges", format!("{}fr", "it,".repeat(9)), Some("fr")),
            ("eleven ranges", format!("{}fr", "it,".repeat(10)), None),
            ("ten bad ranges", format!("{}fr", "?,".repeat(10)), None),
            ("500 bytes", format!("{}fr", ",".repeat(498)), Some("fr")),
            ("501 bytes", format!("{}fr", ",".repeat(499)), None),
            ("65,536 bytes", "fr,;q=".repeat(65_536 / 6), None),
        ] {
            let accept = AcceptLanguage::parse(field.as_bytes());
            let chosen = accept.and_then(|accept| accept.choose(&list));
            assert_eq!(text(chosen.as_ref()), want, "{name}");
        }
        let fields = |bytes| AcceptLanguage::parse(&vec![b','; bytes]).is_some();
        assert!(fields(500) && !fields(501));
    }

    #[test]
    fn weights_are_parsed_exactly() {
        for thousandths in 0..=1000_u16 {
            let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
            let weight = Weight::parse(text.as_bytes());
            assert_eq!(weight, Some(Weight(thousandths)), "{text}");
        }
        for text in [
            "", ".", ".5", "00", "01", "1.1", "1.0000", "2", "0.5 ", "0.a", "\u{661}",
        ] {
            assert_eq!(Weight::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    fn tags() -> impl Strategy<Value = Vec<Culture>> {
        let tag = "(en|de|zh)(-(Hans|Latn))?(-(US|CH))?(-x-[a-c])?";
        proptest::collection::vec(tag.prop_map(|tag| culture(&tag)), 1..6)
    }

    proptest! {
        #[test]
        fn a_choice_from_any_field_is_supported(
            field in proptest::collection::vec(any::<u8>(), 0..600),
            near in "([*a-zA-Z0-9-]{0,8}[ \t]?(;[ \t]?[qQ]=[01]?[.]?[0-9]{0,4})?,?){0,12}",
            list in tags(),
        ) {
            let mut supported = Supported::default();
            list.iter().cloned().for_each(|culture| supported.insert(culture));
            for field in [&field[..], near.as_bytes()] {
                if let Some(accept) = AcceptLanguage::parse(field) {
                    prop_assert!(accept.0.len() <= MAX_RANGES);
                    prop_assert!(accept.0.is_sorted_by_key(|range| Reverse(range.weight)));
                    if let Some(chosen) = accept.choose(&supported) {
                        prop_assert!(list.contains(&chosen));
                    }
                }
            }
        }
    }
}
