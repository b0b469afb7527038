//! What a client accepts, against what a service speaks.

use super::{Culture, culture::shorter};

/// The longest `Accept-Language` that is read, in bytes.
const MAX_BYTES: usize = 500;
/// How many of its ranges are read.
const MAX_RANGES: usize = 10;

/// The cultures that a service speaks; empty if it takes any.
#[derive(Clone, Debug, Default)]
pub(super) struct Supported(Vec<Culture>);

impl Supported {
    pub(super) fn push(&mut self, culture: Culture) {
        self.0.push(culture);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nearest supported culture (RFC 4647 §3.4), or any where there is no list.
    pub(super) fn lookup(&self, wanted: &Culture) -> Option<Culture> {
        if self.is_empty() {
            return Some(wanted.clone());
        }
        std::iter::successors(Some(wanted.as_str()), |tag| shorter(tag)).find_map(|tag| {
            let mut supported = self.0.iter();
            supported.find(|it| it.as_str() == tag).cloned()
        })
    }
}

/// The ranges of `Accept-Language` (RFC 9110 §12.5.4), best first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AcceptLanguage {
    wanted: Vec<Culture>,
    /// Those with a weight of 0.
    unwanted: Vec<Culture>,
}

impl AcceptLanguage {
    /// Reads a field; `None` if it is longer than 500 bytes or has no range in it.
    ///
    /// Ranges after the tenth are not read. `*` says nothing that a service could answer with,
    /// and what is ill-formed is passed over.
    pub(crate) fn parse(field: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(field).ok();
        let text = text.filter(|text| text.len() <= MAX_BYTES)?;
        let mut ranges: Vec<_> = text
            .split(',')
            .map(str::trim_ascii)
            .filter(|range| !range.is_empty())
            .take(MAX_RANGES)
            .filter_map(|range| range_and_weight(range))
            .collect();
        if ranges.is_empty() {
            return None;
        }
        // Stable: what is named first is wanted more.
        ranges.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        let (unwanted, wanted): (Vec<_>, Vec<_>) =
            ranges.into_iter().partition(|(_, weight)| *weight == 0);
        let tags = |ranges: Vec<(&str, u32)>| {
            let tags = ranges.into_iter().filter(|(range, _)| !range.is_empty());
            tags.filter_map(|(range, _)| range.parse().ok()).collect()
        };
        Some(Self {
            wanted: tags(wanted),
            unwanted: tags(unwanted),
        })
    }

    /// The best culture that the service speaks.
    pub(super) fn pick(&self, supported: &Supported) -> Option<Culture> {
        self.wanted
            .iter()
            .filter_map(|wanted| supported.lookup(wanted))
            .find(|culture| !self.unwanted.contains(culture))
    }
}

/// Splits `de;q=0.8` into the range and its weight in thousandths; `None` if it is ill-formed.
fn range_and_weight(range: &str) -> Option<(&str, u32)> {
    let Some((range, parameter)) = range.split_once(';') else {
        return Some((range, 1000));
    };
    let weight = parameter.trim_ascii();
    let weight = weight.strip_prefix("q=").or(weight.strip_prefix("Q="))?;
    Some((range.trim_ascii(), parse_weight(weight)?))
}

/// RFC 9110 §12.4.2 `qvalue`, in thousandths.
fn parse_weight(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", _) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn supported(tags: &[&str]) -> Supported {
        Supported(tags.iter().map(|tag| tag.parse().unwrap()).collect())
    }

    #[test]
    fn lookup_goes_from_the_special_to_the_general() {
        let list = supported(&["en", "zh-Hant", "de-CH", "ru-RU"]);
        for (wanted, want) in [
            ("en", Some("en")),
            ("en-GB", Some("en")),
            ("zh-Hant-CN-x-private1-private2", Some("zh-Hant")),
            ("zh", None),
            ("de", None),
            ("de-CH-1996", Some("de-CH")),
            ("ru", None),
            ("und", None),
        ] {
            let got = list.lookup(&wanted.parse().unwrap());
            assert_eq!(got.as_ref().map(Culture::as_str), want, "{wanted}");
        }
    }

    #[test]
    fn the_heaviest_range_wins() {
        let list = supported(&["en", "de", "fr"]);
        let any = Supported::default();
        for (field, of_list, of_any) in [
            ("de", Some("de"), Some("de")),
            ("it, de", Some("de"), Some("it")),
            ("de;q=0.5, fr;q=0.8", Some("fr"), Some("fr")),
            ("de;q=0.5, fr;q=0.5", Some("de"), Some("de")),
            ("de ; q=0.5 , fr ; q=1.000", Some("fr"), Some("fr")),
            ("de;q=0, de-AT", None, Some("de-AT")),
            ("de;q=0", None, None),
            ("*", None, None),
            ("*, fr;q=0.1", Some("fr"), Some("fr")),
            ("de;q=2, fr", Some("fr"), Some("fr")),
            ("de;q=0.1234, fr;q=0.1", Some("fr"), Some("fr")),
            ("de;level=1, fr", Some("fr"), Some("fr")),
            ("not a tag, fr", Some("fr"), Some("fr")),
            (",, fr ,", Some("fr"), Some("fr")),
        ] {
            let accept = AcceptLanguage::parse(field.as_bytes()).unwrap();
            assert_eq!(
                accept.pick(&list).as_ref().map(Culture::as_str),
                of_list,
                "{field}"
            );
            assert_eq!(
                accept.pick(&any).as_ref().map(Culture::as_str),
                of_any,
                "{field}"
            );
        }
    }

    #[test]
    fn a_field_is_bounded() {
        let field = |ranges: usize, last: &str| format!("{}{last}", "it,".repeat(ranges));
        let list = supported(&["fr"]);
        let pick = |field: String| AcceptLanguage::parse(field.as_bytes())?.pick(&list);
        assert!(pick(field(9, "fr")).is_some());
        assert!(pick(field(10, "fr")).is_none(), "the eleventh is not read");
        assert!(AcceptLanguage::parse(&[b'a'; 500]).is_some());
        assert!(AcceptLanguage::parse(&[b'a'; 501]).is_none());
        for field in [&b""[..], b" , ,", b"\xff", b"de;q=x"] {
            assert_eq!(AcceptLanguage::parse(field), None, "{field:?}");
        }
    }

    proptest! {
        #[test]
        fn no_field_panics_and_every_pick_is_supported(field in proptest::collection::vec(any::<u8>(), 0..600)) {
            let list = supported(&["en", "de-CH"]);
            if let Some(picked) = AcceptLanguage::parse(&field).and_then(|it| it.pick(&list)) {
                prop_assert!(list.0.contains(&picked));
            }
        }
    }
}
