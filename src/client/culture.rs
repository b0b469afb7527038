//! Cultures, as BCP 47 language tags.

use std::{cmp::Ordering, iter, num::NonZeroU8, str::FromStr, sync::Arc};

use icu_locale_core::Locale;

use crate::{error::ParseError, serde_text::text_value};

/// The longest accepted tag, in bytes. RFC 5646 §4.4.1 requires 35 or more.
const MAX_BYTES: usize = 255;

/// The longest tag that is stored inline, in bytes.
const SHORT_BYTES: usize = 15;

const INVARIANT: &str = "und";

/// The grandfathered tags (RFC 5646 §2.2.8) that the parser accepts, since they look like a language
/// with a variant.
const GRANDFATHERED: [&str; 5] = [
    "art-lojban",
    "cel-gaulish",
    "zh-guoyu",
    "zh-hakka",
    "zh-xiang",
];

/// A culture: a language with optional script, region, variants and extensions, as a BCP 47 language
/// tag (RFC 5646).
///
/// The tag is a Unicode BCP 47 locale identifier (UTS 35 §3.2) of at most 255 bytes: subtags
/// joined by `-`, the first a language of two or three letters. Grandfathered tags (`i-klingon`),
/// extended language subtags (`zh-cmn`) and `_` are ill-formed. A well-formed tag can name a
/// language that does not exist.
///
/// The tag is kept in canonical form: case as in `zh-Hans-CN`, variants and extensions in
/// alphabetical order, no type `true` in a `-u-` extension. Deprecated codes (`iw`) are kept.
/// Equality and order are those of the string, and a printed culture parses to an equal one.
///
/// The invariant culture belongs to no language. Its tag is `und` (RFC 5646 §4.1); the empty
/// string, its name in .NET, parses to it too. A clone does not allocate.
///
/// # Examples
///
/// ```
/// use tower_session_token::Culture;
///
/// let culture: Culture = "zh-hans-cn".parse()?;
/// assert_eq!(culture.to_string(), "zh-Hans-CN");
/// assert_eq!(culture.language(), "zh");
/// assert_eq!(culture.region(), Some("CN"));
/// assert_eq!(culture, "zh-Hans-CN");
/// assert!(Culture::try_from("zh_CN").is_err());
/// # Ok::<(), tower_session_token::ParseError>(())
/// ```
#[doc(alias = "locale")]
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Culture(Tag);

#[derive(Clone, Eq, Hash, PartialEq)]
enum Tag {
    /// The bytes of a tag, as nearly all are, and zeros.
    Short {
        len: NonZeroU8,
        bytes: [u8; SHORT_BYTES],
    },
    /// One word, unlike `Arc<str>`.
    Long(Arc<String>),
}

impl Culture {
    /// The invariant culture, `und`.
    pub const INVARIANT: Self = Self(Tag::Short {
        len: NonZeroU8::new(3).unwrap(),
        bytes: *b"und\0\0\0\0\0\0\0\0\0\0\0\0",
    });

    /// Whether this is the invariant culture, without a region or more, as `und-US` has.
    #[must_use]
    pub fn is_invariant(&self) -> bool {
        self == INVARIANT
    }

    /// The tag in canonical form, such as `zh-Hans-CN`, or `und` for the invariant culture.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a short tag is a string"
    )]
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Tag::Short { len, bytes } => {
                let tag = bytes.get(..len.get().into()).map(str::from_utf8);
                tag.and_then(Result::ok).expect("it is of a string")
            }
            Tag::Long(tag) => tag,
        }
    }

    /// A culture of a tag in canonical form, if that is short.
    #[inline(always)]
    fn of_short(tag: &str) -> Option<Self> {
        let mut bytes = [0; SHORT_BYTES];
        bytes.get_mut(..tag.len())?.copy_from_slice(tag.as_bytes());
        let len = NonZeroU8::new(u8::try_from(tag.len()).ok()?)?;
        Some(Self(Tag::Short { len, bytes }))
    }

    /// An upper bound of the heap memory around the tag of a culture that was parsed from `len` bytes.
    pub(crate) fn heap_bytes(len: usize) -> usize {
        /// Two counts, and the pointer, capacity and length of the string.
        const OF_LONG: usize = 5 * size_of::<usize>();

        if len > SHORT_BYTES { OF_LONG } else { 0 }
    }

    /// The language subtag (RFC 5646 §2.2.1), two or three letters in lower case, such as `zh`;
    /// `und` if there is none.
    #[must_use]
    pub fn language(&self) -> &str {
        self.subtags().next().unwrap_or(INVARIANT)
    }

    /// The script subtag (RFC 5646 §2.2.3), a capital and three small letters, such as `Hans`.
    #[must_use]
    pub fn script(&self) -> Option<&str> {
        self.subtags().nth(1).filter(|subtag| is_script(subtag))
    }

    /// The region subtag (RFC 5646 §2.2.4), two capitals or three digits, such as `CN` or `419`.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        let mut subtags = self.subtags().skip(1);
        let subtag = subtags.find(|subtag| !is_script(subtag));
        subtag.filter(|subtag| is_region(subtag))
    }

    /// The more general cultures, most specific first and the invariant culture last; the invariant
    /// culture has none.
    ///
    /// They are the truncations of the tag (RFC 4647 §3.4) that are well-formed: subtags are removed
    /// from the end, a single letter or digit together with the subtag after it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::Culture;
    ///
    /// let culture: Culture = "zh-Hans-CN".parse()?;
    /// let parents: Vec<_> = culture.parents().map(|parent| parent.to_string()).collect();
    /// assert_eq!(parents, ["zh-Hans", "zh", "und"]);
    /// # Ok::<(), tower_session_token::ParseError>(())
    /// ```
    pub fn parents(&self) -> impl Iterator<Item = Self> {
        truncations(self.as_str())
            .skip(1)
            .filter(|tag| *tag != INVARIANT)
            .filter_map(|tag| tag.parse().ok())
            .chain((!self.is_invariant()).then_some(Self::INVARIANT))
    }

    /// The entry of `list` that is this culture, or else its most specific
    /// [parent](Self::parents): the best catalogue of an application for this culture.
    ///
    /// Entries are compared without case. `None` if the list has neither this culture nor a parent;
    /// the entry `und` is a parent of all cultures.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::Culture;
    ///
    /// let catalogues = ["en", "de", "zh-Hans"];
    /// let culture: Culture = "zh-Hans-CN".parse()?;
    /// assert_eq!(culture.or_parent_in(&catalogues), Some(&"zh-Hans"));
    /// let culture: Culture = "fr".parse()?;
    /// assert_eq!(culture.or_parent_in(&catalogues).unwrap_or(&"en"), &"en");
    /// # Ok::<(), tower_session_token::ParseError>(())
    /// ```
    pub fn or_parent_in<'a, T: AsRef<str>>(&self, list: &'a [T]) -> Option<&'a T> {
        let mut tags = truncations(self.as_str()).chain([INVARIANT]);
        tags.find_map(|tag| {
            let mut entries = list.iter();
            entries.find(|entry| entry.as_ref().eq_ignore_ascii_case(tag))
        })
    }

    fn subtags(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('-')
    }

    /// Parses a culture from a client or another issuer: `_` is treated as `-`, as in `en_US`, and the
    /// empty string is `None`.
    pub(crate) fn parse_lenient(text: &str) -> Option<Self> {
        if text.is_empty() {
            None
        } else if text.len() <= MAX_BYTES && text.contains('_') {
            text.replace('_', "-").parse().ok()
        } else {
            text.parse().ok()
        }
    }
}

/// The tag or range and its truncations (RFC 4647 §3.4), down to one subtag.
pub(super) fn truncations(tag: &str) -> impl Iterator<Item = &str> {
    iter::successors(Some(tag), |tag| {
        let (mut rest, _) = tag.rsplit_once('-')?;
        while let Some((shorter, last)) = rest.rsplit_once('-')
            && last.len() == 1
        {
            rest = shorter;
        }
        Some(rest)
    })
}

fn is_script(subtag: &str) -> bool {
    subtag.len() == 4 && subtag.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_region(subtag: &str) -> bool {
    match subtag.len() {
        2 => subtag.bytes().all(|byte| byte.is_ascii_alphabetic()),
        3 => subtag.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

/// Whether the tag is `ll`, `lll`, `ll-RR` or `lll-RR` in canonical case: nearly every tag is, and
/// needs no parser.
fn is_plain(text: &[u8]) -> bool {
    let language = match text {
        [language @ .., b'-', b'A'..=b'Z', b'A'..=b'Z'] => language,
        language => language,
    };
    matches!(language.len(), 2 | 3) && language.iter().all(u8::is_ascii_lowercase)
}

/// The invariant culture.
impl Default for Culture {
    fn default() -> Self {
        Self::INVARIANT
    }
}

/// Parses a tag in any case; the empty string is the invariant culture.
impl FromStr for Culture {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ILL_FORMED: ParseError = ParseError::new("not a well-formed BCP 47 language tag");

        if is_plain(text.as_bytes()) {
            return Self::of_short(text).ok_or(ILL_FORMED);
        }
        if text.is_empty() {
            return Ok(Self::INVARIANT);
        }
        // The length is bounded, since the parser is not linear in the number of subtags.
        let tag = (text.len() <= MAX_BYTES).then(|| Locale::normalize(text).ok());
        match tag.flatten() {
            Some(tag) if !GRANDFATHERED.contains(&&*tag) => {
                let long = || Self(Tag::Long(Arc::new(String::from(&*tag))));
                Ok(Self::of_short(&tag).unwrap_or_else(long))
            }
            _ => Err(ILL_FORMED),
        }
    }
}

/// The order of the tags.
impl Ord for Culture {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Culture {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The tag in canonical form.
impl AsRef<str> for Culture {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Compares with a tag in canonical form.
impl PartialEq<str> for Culture {
    fn eq(&self, tag: &str) -> bool {
        self.as_str() == tag
    }
}

/// Compares with a tag in canonical form.
impl PartialEq<&str> for Culture {
    fn eq(&self, tag: &&str) -> bool {
        self.as_str() == *tag
    }
}

text_value!(Culture, as_str);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn culture(tag: &str) -> Culture {
        tag.parse().unwrap()
    }

    #[test]
    fn tags_are_parsed_into_canonical_form() {
        for (name, text, want) in [
            ("language", "en", Some("en")),
            ("language of three letters", "fil", Some("fil")),
            ("language in capitals", "EN", Some("en")),
            ("region", "en-us", Some("en-US")),
            ("mixed case", "eN-uS", Some("en-US")),
            ("region of three digits", "es-419", Some("es-419")),
            ("script", "sr-LATN", Some("sr-Latn")),
            ("script and region", "zh-hans-cn", Some("zh-Hans-CN")),
            ("variant", "de-CH-1901", Some("de-CH-1901")),
            ("variants", "sl-rozaj-biske", Some("sl-biske-rozaj")),
            ("keyword", "ar-EG-u-NU-latn", Some("ar-EG-u-nu-latn")),
            (
                "keywords",
                "en-u-nu-thai-ca-gregory",
                Some("en-u-ca-gregory-nu-thai"),
            ),
            ("keyword that is true", "en-u-kn-true", Some("en-u-kn")),
            (
                "extensions",
                "en-u-ca-buddhist-t-DE",
                Some("en-t-de-u-ca-buddhist"),
            ),
            ("private use", "en-x-OURS-a", Some("en-x-ours-a")),
            ("unknown language", "qq-ZZ", Some("qq-ZZ")),
            ("no language", "und-US", Some("und-US")),
            ("invariant", "und", Some("und")),
            ("invariant in capitals", "UND", Some("und")),
            ("invariant of .NET", "", Some("und")),
            ("underscore", "en_US", None),
            ("POSIX", "en_US.UTF-8", None),
            ("C", "C", None),
            ("one letter", "e", None),
            ("four letters", "engl", None),
            ("a word", "english", None),
            ("digits", "12", None),
            ("extended language", "zh-cmn-Hans", None),
            ("private use alone", "x-ours", None),
            ("empty subtag at the end", "en-", None),
            ("empty subtag at the start", "-en", None),
            ("empty subtag inside", "en--US", None),
            ("only a hyphen", "-", None),
            ("subtag of nine", "en-abcdefghi", None),
            ("two regions", "en-US-GB", None),
            ("one variant twice", "de-1901-1901", None),
            ("one extension twice", "en-u-ca-roc-u-nu-thai", None),
            ("extension with nothing in it", "en-US-u", None),
            ("private use with nothing in it", "en-x", None),
            ("space", "en US", None),
            ("space around", " en ", None),
            ("line feed", "en\n", None),
            ("NUL", "en\0", None),
            ("wildcard", "*", None),
            ("wildcard subtag", "en-*", None),
            ("Cyrillic", "\u{435}\u{43d}", None),
            ("full width", "\u{ff45}\u{ff4e}", None),
            ("long s", "e\u{17f}", None),
        ] {
            let got = text.parse::<Culture>().ok();
            assert_eq!(got.as_ref().map(Culture::as_str), want, "{name}");
        }
    }

    #[test]
    fn grandfathered_tags_are_ill_formed() {
        for tag in [
            "art-lojban",
            "cel-gaulish",
            "en-GB-oed",
            "i-ami",
            "i-bnn",
            "i-default",
            "i-enochian",
            "i-hak",
            "i-klingon",
            "i-lux",
            "i-mingo",
            "i-navajo",
            "i-pwn",
            "i-tao",
            "i-tay",
            "i-tsu",
            "no-bok",
            "no-nyn",
            "sgn-BE-FR",
            "sgn-BE-NL",
            "sgn-CH-DE",
            "zh-guoyu",
            "zh-hakka",
            "zh-min",
            "zh-min-nan",
            "zh-xiang",
        ] {
            assert!(tag.parse::<Culture>().is_err(), "{tag}");
            assert!(tag.to_uppercase().parse::<Culture>().is_err(), "{tag}");
        }
    }

    #[test]
    fn a_long_tag_is_rejected_before_parsing() {
        let tag = |bytes: usize| format!("en-x{}", "-a".repeat((bytes - 4) / 2));
        assert_eq!(tag(254).parse::<Culture>().unwrap().as_str(), tag(254));
        assert!(tag(256).parse::<Culture>().is_err());
        let variants: String = (0..8_000).map(|i| format!("-1{i:07}")).collect();
        for text in [
            "-".repeat(65_536),
            "a".repeat(65_536),
            "_".repeat(65_536),
            "a_".repeat(32_768),
            format!("en{variants}"),
        ] {
            assert!(text.parse::<Culture>().is_err());
            assert!(Culture::parse_lenient(&text).is_none());
        }
    }

    #[test]
    fn subtags_are_found() {
        for (tag, language, script, region) in [
            ("en", "en", None, None),
            ("en-US", "en", None, Some("US")),
            ("zh-Hans-CN", "zh", Some("Hans"), Some("CN")),
            ("sr-Latn", "sr", Some("Latn"), None),
            ("es-419", "es", None, Some("419")),
            ("de-1901", "de", None, None),
            ("de-DE-1901", "de", None, Some("DE")),
            ("sl-rozaj", "sl", None, None),
            ("en-u-ca-buddhist", "en", None, None),
            ("en-t-de-Latn-DE", "en", None, None),
            ("en-x-us", "en", None, None),
            ("und-US", "und", None, Some("US")),
            ("und", "und", None, None),
        ] {
            let culture = culture(tag);
            let got = (culture.language(), culture.script(), culture.region());
            assert_eq!(got, (language, script, region), "{tag}");
        }
    }

    #[test]
    fn parents_end_with_the_invariant_culture() {
        for (tag, want) in [
            ("en", &["und"][..]),
            ("en-US", &["en", "und"]),
            ("zh-Hans-CN", &["zh-Hans", "zh", "und"]),
            ("en-US-x-ours-too", &["en-US-x-ours", "en-US", "en", "und"]),
            ("en-x-a-b-c", &["en", "und"]),
            ("de-u-co-phonebk", &["de-u-co", "de", "und"]),
            // `en-t-de-m0`, a field without a value, is ill-formed.
            ("en-t-de-m0-true", &["en-t-de", "en", "und"]),
            ("und-Latn-US", &["und-Latn", "und"]),
            ("und", &[]),
        ] {
            let got: Vec<_> = culture(tag)
                .parents()
                .map(|parent| parent.to_string())
                .collect();
            assert_eq!(got, want, "{tag}");
        }
    }

    #[test]
    fn a_culture_or_its_nearest_parent_is_found_in_a_list() {
        for (tag, list, want) in [
            ("de-CH", &["de", "DE-ch", "en"][..], Some("DE-ch")),
            ("de-CH-1901", &["en", "de"], Some("de")),
            ("de", &["de-CH"], None),
            ("fr", &["de", "und"], Some("und")),
            ("und", &["de", "und"], Some("und")),
            ("und", &["de"], None),
            ("fr", &[], None),
        ] {
            assert_eq!(culture(tag).or_parent_in(list).copied(), want, "{tag}");
        }
        let cultures = [culture("en"), culture("de")];
        assert_eq!(culture("de-AT").or_parent_in(&cultures), Some(&cultures[1]));
    }

    #[test]
    fn a_culture_converts_from_and_compares_with_strings() {
        assert_eq!(Culture::try_from("DE-ch").unwrap(), "de-CH");
        assert_eq!(culture("de-CH"), *"de-CH");
        assert_eq!(AsRef::<str>::as_ref(&culture("de-CH")), "de-CH");
        assert!(Culture::try_from("de_CH").is_err());
    }

    #[test]
    fn lenient_parsing_accepts_underscores() {
        for (text, want) in [
            ("en_US", Some("en-US")),
            ("zh_hans-cn", Some("zh-Hans-CN")),
            ("en-US", Some("en-US")),
            ("", None),
            ("en__US", None),
            ("_", None),
            ("en_US.UTF-8", None),
        ] {
            let got = Culture::parse_lenient(text);
            assert_eq!(got.as_ref().map(Culture::as_str), want, "{text:?}");
        }
    }

    #[test]
    fn short_tags_are_stored_inline() {
        for tag in ["", "en", "fil", "ru-RU", "zh-Hans-CN", "ar-EG-u-nu-latn"] {
            assert!(matches!(culture(tag).0, Tag::Short { .. }), "{tag:?}");
        }
        assert_eq!(size_of::<Culture>(), 16);
        assert!(size_of::<Option<Culture>>() <= 24);
    }

    #[test]
    fn a_culture_serializes_as_its_tag() {
        let json = "\"zh-hans-cn\"";
        let read: Culture = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"zh-Hans-CN\"");
        let escaped: Culture = serde_json::from_str("\"\\u0065n\"").unwrap();
        assert_eq!(escaped, culture("en"));
        for json in ["null", "1033", "[]", "\"en_US\""] {
            let error = serde_json::from_str::<Culture>(json).unwrap_err();
            assert!(!error.to_string().contains("en_US"), "{error}");
        }
    }

    #[test]
    fn the_invariant_culture_is_one_value() {
        for text in ["", "und", "UND"] {
            assert_eq!(culture(text), Culture::INVARIANT, "{text:?}");
            assert!(culture(text).is_invariant(), "{text:?}");
        }
        assert_eq!(Culture::default(), Culture::INVARIANT);
        assert_eq!(format!("{:?}", culture("")), "Culture(\"und\")");
        assert!(!culture("und-US").is_invariant());
    }

    /// The result of the parser alone.
    fn parsed(text: &str) -> Option<String> {
        Some(Locale::try_from_str(text).ok()?.to_string())
    }

    /// The fast path must equal the parser, for every tag that takes it.
    #[test]
    fn every_plain_tag_is_canonical() {
        let letters = || (b'a'..=b'z').map(char::from);
        let mut count = 0;
        for (a, b) in letters().flat_map(|a| letters().map(move |b| (a, b))) {
            let region = format!("{a}{b}").to_uppercase();
            let languages = letters().map(|c| format!("{a}{b}{c}"));
            for language in languages.chain([format!("{a}{b}")]) {
                for tag in [format!("{language}-{region}"), language] {
                    assert!(is_plain(tag.as_bytes()), "{tag}");
                    assert_eq!(parsed(&tag).as_deref(), Some(tag.as_str()));
                    count += 1;
                }
            }
        }
        assert_eq!(count, 26 * 26 * 27 * 2);
    }

    /// Strings of two or three ASCII bytes, on the fast path or not.
    #[test]
    fn every_short_string_is_parsed_as_by_the_parser() {
        let bytes = || (0..128_u8).map(char::from);
        for (a, b) in bytes().flat_map(|a| bytes().map(move |b| (a, b))) {
            for text in [format!("{a}{b}"), format!("{a}{b}e"), format!("e{a}{b}")] {
                let got = text.parse::<Culture>().ok();
                assert_eq!(
                    got.as_ref().map(Culture::as_str),
                    parsed(&text).as_deref(),
                    "{text:?}"
                );
            }
        }
    }

    /// Strings near the grammar of tags, including extensions.
    fn tag() -> impl Strategy<Value = String> {
        "[a-zA-Z]{1,4}(-[a-zA-Z]{4})?(-([a-zA-Z]{2}|[0-9]{3}))?(-([a-z0-9]{5,8}|[0-9][a-z]{3})){0,2}\
         (-[a-uA-U0-9](-[a-zA-Z0-9]{1,8}){0,4}){0,2}(-[tT](-[a-z]{2,3})?(-[a-z][0-9]-(true|[a-z0-9]{3,8}))?)?\
         (-[uU](-[a-z]{3,8})?(-[a-z0-9][a-z](-(true|[a-z0-9]{3,8})){0,2}){0,3})?(-[xX](-[a-zA-Z0-9]{1,8}){0,3})?"
    }

    proptest! {
        #[test]
        fn a_printed_culture_parses_to_itself(text in tag()) {
            if let Ok(culture) = text.parse::<Culture>() {
                prop_assert_eq!(culture.to_string().parse::<Culture>().unwrap(), culture);
            }
        }

        #[test]
        fn the_fast_path_equals_the_parser(text in "[a-zA-Z]{1,4}(-[a-zA-Z0-9]{1,4}){0,2}") {
            let got = text.parse::<Culture>().ok();
            prop_assert_eq!(got.map(|culture| culture.to_string()), parsed(&text));
        }

        #[test]
        fn parents_are_cultures_of_fewer_subtags(text in tag()) {
            if let Ok(culture) = text.parse::<Culture>() {
                let mut last = culture.clone();
                for parent in culture.parents() {
                    prop_assert_eq!(&parent.to_string().parse::<Culture>().unwrap(), &parent);
                    prop_assert!(parent.subtags().count() < last.subtags().count() || parent.is_invariant());
                    last = parent;
                }
                prop_assert!(last.is_invariant());
            }
        }

        #[test]
        fn any_string_is_rejected_or_parsed(text in ".*|[a-zA-Z0-9_-]{0,300}") {
            let _ = Culture::parse_lenient(&text);
            if let Ok(culture) = text.parse::<Culture>() {
                let _ = (culture.language(), culture.script(), culture.region());
                prop_assert!(culture.as_str().len() <= text.len().max(3));
            }
        }
    }
}
