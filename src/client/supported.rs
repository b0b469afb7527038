//! The supported cultures of a service, and their lookup by a language range.

use super::{
    cldr::{Codes, Likely},
    culture::{Culture, truncations},
};

/// The longest culture of a service that supports any, in bytes: that of claims and headers, so that
/// a nested token can carry it.
const MAX_BYTES: usize = 64;

/// The supported cultures in order of preference; an empty list supports any culture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Supported(Vec<SupportedCulture>);

#[derive(Clone, Debug, PartialEq)]
struct SupportedCulture {
    culture: Culture,
    /// The tag with deprecated codes replaced.
    current: Option<String>,
    /// The language and script.
    likely: Option<Likely>,
}

impl Supported {
    /// Appends a culture, unless the list has it.
    pub(super) fn insert(&mut self, culture: Culture) {
        if self.0.iter().all(|entry| entry.culture != culture) {
            let codes = Codes::of(culture.as_str());
            self.0.push(SupportedCulture {
                current: codes.as_ref().map(Codes::tag),
                likely: codes.and_then(|codes| codes.likely()),
                culture,
            });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The best supported culture for `culture`; without a list, `culture` itself.
    #[inline]
    pub(super) fn lookup(&self, culture: Culture) -> Option<Culture> {
        if self.is_empty() {
            return Some(culture);
        }
        self.lookup_range(culture.as_str(), &[])
    }

    /// The best supported culture for a basic language range (RFC 4647 §2.1), except those of the
    /// `rejected` ranges.
    ///
    /// In this order: the range or its longest truncation in the list (RFC 4647 §3.4), with
    /// deprecated codes replaced and then as written; the first culture of the same language and
    /// script. Without a list, the range or its longest truncation that is a culture.
    pub(super) fn lookup_range(&self, range: &str, rejected: &[&str]) -> Option<Culture> {
        let is_rejected = |tag: &str| rejected.iter().any(|range| range.eq_ignore_ascii_case(tag));
        if self.is_empty() {
            return truncations(range)
                .filter(|tag| tag.len() <= MAX_BYTES)
                .find_map(|tag| tag.parse().ok())
                .filter(|culture: &Culture| !is_rejected(culture.as_str()));
        }
        let get = |tag: &str| {
            let culture = self.get(tag)?;
            (!is_rejected(culture.as_str())).then(|| culture.clone())
        };
        // Most ranges are in the list as written, and need no CLDR data.
        get(range).or_else(|| {
            let codes = Codes::of(range);
            let current = codes.as_ref().map(Codes::tag);
            let mut tags = current
                .iter()
                .flat_map(|tag| truncations(tag))
                .chain(truncations(range));
            tags.find_map(get).or_else(|| {
                let likely = codes?.likely()?;
                let mut entries = self.0.iter();
                let entry = entries.find(|entry| {
                    let mut tags = truncations(entry.culture.as_str());
                    entry.likely == Some(likely) && !tags.any(is_rejected)
                });
                entry.map(|entry| entry.culture.clone())
            })
        })
    }

    fn get(&self, tag: &str) -> Option<&Culture> {
        let is_tag = |text: &str| text.eq_ignore_ascii_case(tag);
        let own = self.0.iter().find(|entry| is_tag(entry.culture.as_str()));
        let entry = own.or_else(|| {
            let mut entries = self.0.iter();
            entries.find(|entry| entry.current.as_deref().is_some_and(is_tag))
        })?;
        Some(&entry.culture)
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
    fn lookup_truncates_until_a_culture_is_supported() {
        let list = supported(&["zh-Hant", "en", "ru-RU", "de-CH", "en", "de-u-co-phonebk"]);
        for (name, asked, want) in [
            ("itself", "en", Some("en")),
            ("in other case", "RU-ru", Some("ru-RU")),
            ("without its region", "en-GB", Some("en")),
            ("without its variant", "de-CH-1901", Some("de-CH")),
            ("without its extension", "en-GB-u-ca-roc", Some("en")),
            (
                "the example of RFC 4647",
                "zh-Hant-CN-x-private1-private2",
                Some("zh-Hant"),
            ),
            (
                "with an extension",
                "de-u-co-phonebk",
                Some("de-u-co-phonebk"),
            ),
            ("more general than the list", "zh", None),
            ("other script", "zh-Hans-CN", None),
            ("only the same letters in front", "enq", None),
            ("not there", "fr", None),
            ("invariant", "und", None),
        ] {
            let got = list.lookup(culture(asked));
            assert_eq!(text(got.as_ref()), want, "{name}");
            let any = Supported::default().lookup(culture(asked));
            assert_eq!(any, Some(culture(asked)), "{name}, without a list");
        }
    }

    #[test]
    fn a_range_that_is_not_a_culture_is_truncated() {
        let long = format!("en-x{}", "-abcdefgh".repeat(40));
        for (range, list, want, of_any) in [
            ("zh-cmn-Hant-HK", &["zh", "en"][..], Some("zh"), Some("zh")),
            ("zh-yue-HK", &["zh", "en"], Some("zh"), Some("zh")),
            ("ar-arz", &["ar"], Some("ar"), Some("ar")),
            ("EN-us", &["en"], Some("en"), Some("en-US")),
            ("en-us-us", &["en"], Some("en"), Some("en-US")),
            ("x-ours", &["en", "und"], None, None),
            ("i-mingo", &["en"], None, None),
            ("abcdefgh", &["en"], None, None),
            ("en-abcd1234-x", &["en"], Some("en"), Some("en-abcd1234")),
            (
                &long,
                &["en"],
                Some("en"),
                Some("en-x-abcdefgh-abcdefgh-abcdefgh-abcdefgh-abcdefgh-abcdefgh"),
            ),
        ] {
            let got = supported(list).lookup_range(range, &[]);
            assert_eq!(text(got.as_ref()), want, "{range}");
            let got = Supported::default().lookup_range(range, &[]);
            assert_eq!(text(got.as_ref()), of_any, "{range}, without a list");
        }
    }

    #[cfg(not(feature = "cldr"))]
    #[test]
    fn without_cldr_data_only_truncations_match() {
        for (range, list) in [("de-AT", &["de-DE"][..]), ("iw", &["he"]), ("no", &["nb"])] {
            assert_eq!(supported(list).lookup_range(range, &[]), None, "{range}");
        }
    }

    #[cfg(feature = "cldr")]
    #[test]
    fn the_first_culture_of_the_same_language_and_script_matches() {
        for (range, list, want) in [
            ("de-AT", &["de-DE", "en-GB"][..], Some("de-DE")),
            ("de", &["de-CH", "de-DE"], Some("de-CH")),
            ("de-AT", &["de-CH", "de-DE"], Some("de-CH")),
            ("de-AT", &["de-DE", "de"], Some("de")),
            ("es-419", &["es-ES", "es-MX"], Some("es-ES")),
            ("es-MX", &["es-419"], Some("es-419")),
            ("pt", &["pt-BR"], Some("pt-BR")),
            ("pt-PT", &["pt-BR"], Some("pt-BR")),
            ("en-u-nu-thai", &["en-GB"], Some("en-GB")),
            ("en-AU-x-ours", &["en-GB"], Some("en-GB")),
            ("zh-TW", &["zh-Hans", "zh-Hant"], Some("zh-Hant")),
            ("zh-HK", &["zh-CN", "zh-TW"], Some("zh-TW")),
            ("zh-SG", &["zh-TW", "zh-CN"], Some("zh-CN")),
            ("zh", &["zh-Hant", "zh-Hans"], Some("zh-Hans")),
            ("zh-Hant", &["zh-TW"], Some("zh-TW")),
            ("zh-cmn-Hant-HK", &["zh-Hans", "zh-Hant"], Some("zh-Hant")),
            ("sr-Latn", &["sr-Cyrl", "sr-Latn-RS"], Some("sr-Latn-RS")),
            ("sr", &["sr-Latn", "sr-Cyrl"], Some("sr-Cyrl")),
            ("sr-ME", &["sr-Cyrl", "sr-Latn"], Some("sr-Latn")),
            ("no", &["nn", "nb"], Some("nb")),
            ("nb-NO", &["no"], Some("no")),
            ("no-NO", &["nb-NO"], Some("nb-NO")),
            // Never another script or language, however near.
            ("zh-TW", &["zh-CN"], None),
            ("sr-Latn", &["sr-Cyrl", "sr-RS"], None),
            ("sr", &["sr-Latn"], None),
            ("pa-PK", &["pa-IN"], None),
            ("uz-AF", &["uz-UZ"], None),
            ("nn", &["nb"], None),
            ("yue", &["zh-Hant"], None),
            ("gsw", &["de-CH"], None),
            ("und", &["en-US"], None),
            ("und-DE", &["de-DE"], None),
            ("en", &["und"], None),
            ("x-de", &["de-DE"], None),
            // An unknown language has no likely script.
            ("qq-DE", &["qq-AT"], Some("qq-AT")),
            ("qq", &["qq-Latn"], None),
        ] {
            let got = supported(list).lookup_range(range, &[]);
            assert_eq!(text(got.as_ref()), want, "{range} of {list:?}");
        }
    }

    #[cfg(feature = "cldr")]
    #[test]
    fn deprecated_codes_are_replaced_on_both_sides() {
        for (range, list, want) in [
            ("iw-IL", &["he"][..], Some("he")),
            ("iw", &["en", "he-IL"], Some("he-IL")),
            ("IW-x-ours", &["he"], Some("he")),
            ("he", &["iw"], Some("iw")),
            ("he-IL", &["iw", "en"], Some("iw")),
            ("iw", &["iw", "he"], Some("iw")),
            ("he", &["iw", "he"], Some("he")),
            ("in-ID", &["id"], Some("id")),
            ("ji", &["yi"], Some("yi")),
            ("jw", &["jv"], Some("jv")),
            ("mo", &["ro"], Some("ro")),
            ("tl-PH", &["fil"], Some("fil")),
            ("sh", &["sr", "sr-Latn"], Some("sr-Latn")),
            ("cmn-Hant", &["zh-Hant"], Some("zh-Hant")),
            ("zh-yue-HK", &["zh", "yue"], Some("yue")),
            ("deu", &["de"], Some("de")),
            ("en-UK", &["en", "en-GB"], Some("en-GB")),
            ("hy-arevela", &["hy"], Some("hy")),
            ("i-ami", &["ami"], Some("ami")),
        ] {
            let got = supported(list).lookup_range(range, &[]);
            assert_eq!(text(got.as_ref()), want, "{range} of {list:?}");
        }
    }

    #[cfg(feature = "cldr")]
    #[test]
    fn a_rejected_culture_does_not_match() {
        for (range, rejected, list, want) in [
            (
                "de-AT",
                &["de-DE"][..],
                &["de-DE", "de-CH"][..],
                Some("de-CH"),
            ),
            ("de-AT", &["de"], &["de-DE"], None),
            ("de-AT", &["de-A"], &["de-DE"], Some("de-DE")),
            ("iw", &["he"], &["he"], None),
        ] {
            let got = supported(list).lookup_range(range, rejected);
            assert_eq!(text(got.as_ref()), want, "{range} of {list:?}");
        }
    }

    fn tags() -> impl Strategy<Value = Vec<Culture>> {
        let tag = "(en|de|zh|iw|he|no|nb)(-(Hans|Latn))?(-(US|CH))?(-x-[a-c])?";
        proptest::collection::vec(tag.prop_map(|tag| culture(&tag)), 1..6)
    }

    proptest! {
        #[test]
        fn a_lookup_gives_a_truncation_or_one_of_the_same_language(
            list in tags(),
            ranges in tags(),
        ) {
            let mut supported = Supported::default();
            list.iter().cloned().for_each(|culture| supported.insert(culture));
            let current = |culture: &Culture| match culture.language() {
                "iw" => "he".to_owned(),
                "no" => "nb".to_owned(),
                language => language.to_owned(),
            };
            for range in ranges {
                let got = supported.lookup(range.clone());
                let mut truncations = truncations(range.as_str());
                let truncated = truncations.find(|tag| list.iter().any(|culture| culture == tag));
                if let Some(got) = &got {
                    prop_assert!(list.contains(got));
                    prop_assert_eq!(current(got), current(&range));
                }
                if truncated.is_some() && !matches!(range.language(), "iw" | "he") {
                    prop_assert_eq!(text(got.as_ref()), truncated);
                }
                if cfg!(not(feature = "cldr")) {
                    prop_assert_eq!(text(got.as_ref()), truncated);
                }
            }
        }

        #[test]
        fn a_match_for_any_range_is_supported(range in "[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8}){0,60}", list in tags()) {
            let mut supported = Supported::default();
            list.iter().cloned().for_each(|culture| supported.insert(culture));
            if let Some(got) = supported.lookup_range(&range, &[]) {
                prop_assert!(list.contains(&got));
            }
        }
    }
}
