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
    /// A basic language range (RFC 4647 §2.1), which need not be a well-formed [`Culture`]; `*` is
    /// none.
    tag: SmolStr,
    /// In thousandths: 0 to 1000.
    weight: u16,
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
        let members = field.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let members = members.filter(|member| !member.is_empty());
        let parsed: Vec<_> = members.take(MAX_RANGES).map(Range::parse).collect();
        if !parsed.is_empty() && parsed.iter().all(Option::is_none) {
            return None;
        }
        let mut ranges: Vec<_> = parsed.into_iter().flatten().collect();
        // The sort is stable.
        ranges.sort_by_key(|range| Reverse(range.weight));
        Some(Self(ranges))
    }

    /// The supported culture of the range with the highest weight that has one. A culture whose own
    /// range has weight 0 is not acceptable, but more specific cultures are.
    pub(super) fn choose(&self, supported: &Supported) -> Option<Culture> {
        // The weights descend.
        let accepted = self.0.partition_point(|range| range.weight > 0);
        let (accepted, rejected) = self.0.split_at(accepted);
        let rejected: Vec<_> = rejected.iter().map(|range| range.tag.as_str()).collect();
        let mut tags = accepted.iter().map(|range| &range.tag);
        tags.find_map(|tag| supported.lookup_range(tag, &rejected))
    }
}

impl Range {
    /// Parses a member such as `de;q=0.8`; `None` if it is ill-formed.
    fn parse(member: &[u8]) -> Option<Self> {
        // Optional white space (RFC 9110 §5.6.3).
        const OWS: [char; 2] = [' ', '\t'];
        let member = str::from_utf8(member).ok()?;
        let (tag, weight) = match member.split_once(';') {
            Some((tag, parameter)) => {
                let parameter = parameter.trim_start_matches(OWS);
                let qvalue = parameter.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
                (tag.trim_end_matches(OWS), parse_weight(qvalue)?)
            }
            None => (member, 1000),
        };
        let hyphenated = |c| if c == '_' { '-' } else { c };
        let tag: SmolStr = tag.chars().map(hyphenated).collect();
        (tag == "*" || is_range(&tag)).then_some(Self { tag, weight })
    }
}

/// Whether `tag` is a basic language range (RFC 4647 §2.1) other than `*`.
fn is_range(tag: &str) -> bool {
    let language = tag.split('-').next().unwrap_or_default();
    language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && tag.split('-').all(|subtag| {
            let mut bytes = subtag.bytes();
            matches!(subtag.len(), 1..=8) && bytes.all(|byte| byte.is_ascii_alphanumeric())
        })
}

/// Parses a `qvalue` (RFC 9110 §12.4.2) into thousandths: `0` or `1` with up to three decimals, at
/// most 1.
fn parse_weight(qvalue: &str) -> Option<u16> {
    let (whole, decimals) = qvalue.split_once('.').unwrap_or((qvalue, ""));
    let mut digits = decimals.bytes();
    let is_decimal = decimals.len() <= 3 && digits.all(|byte| byte.is_ascii_digit());
    if !is_decimal || !matches!(whole, "0" | "1") {
        return None;
    }
    let thousandths = format!("{whole}{decimals:0<3}").parse().ok();
    thousandths.filter(|weight| *weight <= 1000)
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
            assert_eq!(parse_weight(&text), Some(thousandths), "{text}");
        }
        for text in [
            "", ".", ".5", "00", "01", "1.1", "1.0000", "2", "0.5 ", "0.a", "\u{661}",
        ] {
            assert_eq!(parse_weight(text), None, "{text:?}");
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
