//! Cultures: BCP 47 language tags.

use std::{error::Error, fmt, iter, str::FromStr};

use icu_locale_core::Locale;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smol_str::SmolStr;

/// A culture: a language, perhaps a script, a region and more, as one language tag (BCP 47,
/// RFC 5646, in the syntax of Unicode locale identifiers, UTS 35 §3.1); or the invariant culture.
///
/// It is held in canonical case. Grandfathered tags and extended language subtags are ill-formed.
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
/// assert!("en_US".parse::<Culture>().is_err());
/// # Ok::<(), tower_session_token::ParseCultureError>(())
/// ```
#[doc(alias = "locale")]
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Culture(SmolStr);

const INVARIANT: &str = "und";

impl Culture {
    /// The invariant culture, which belongs to no language: the tag `und` (RFC 5646 §4.1), or
    /// empty text.
    pub const INVARIANT: Self = Self(SmolStr::new_static(INVARIANT));

    /// Whether this is the invariant culture.
    #[must_use]
    pub fn is_invariant(&self) -> bool {
        self.0 == INVARIANT
    }

    /// The tag in canonical case, such as `zh-Hans-CN`; that of the invariant culture is `und`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language subtag, two or three letters (RFC 5646 §2.2.1), such as `zh`.
    #[must_use]
    pub fn language(&self) -> &str {
        self.subtags().next().unwrap_or(INVARIANT)
    }

    /// The script subtag, four letters (RFC 5646 §2.2.3), such as `Hans`.
    #[must_use]
    pub fn script(&self) -> Option<&str> {
        self.subtags().nth(1).filter(|subtag| is_script(subtag))
    }

    /// The region subtag, two letters or three digits (RFC 5646 §2.2.4), such as `CN` or `419`.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.subtags()
            .skip(1)
            .find(|subtag| !is_script(subtag))
            .filter(|subtag| match subtag.len() {
                2 => subtag.bytes().all(|byte| byte.is_ascii_alphabetic()),
                3 => subtag.bytes().all(|byte| byte.is_ascii_digit()),
                _ => false,
            })
    }

    /// The more general cultures, nearest first: subtags are taken away from the end
    /// (RFC 4647 §3.4), and last of all comes the invariant culture.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::Culture;
    ///
    /// let culture: Culture = "zh-Hans-CN".parse()?;
    /// let parents: Vec<_> = culture.parents().map(|it| it.to_string()).collect();
    /// assert_eq!(parents, ["zh-Hans", "zh", "und"]);
    /// # Ok::<(), tower_session_token::ParseCultureError>(())
    /// ```
    pub fn parents(&self) -> impl Iterator<Item = Self> {
        let invariant = (!self.is_invariant()).then_some(Self::INVARIANT);
        iter::successors(shorter(self.as_str()), |tag| shorter(tag))
            .filter(|tag| *tag != INVARIANT)
            .map(|tag| Self(SmolStr::new(tag)))
            .chain(invariant)
    }

    fn subtags(&self) -> impl Iterator<Item = &str> {
        self.0.split('-')
    }

    /// Reads what others mint, where `_` stands for `-`.
    pub(crate) fn parse_lenient(text: &str) -> Option<Self> {
        match text.contains('_') {
            true => text.replace('_', "-").parse().ok(),
            false => text.parse().ok(),
        }
    }
}

fn is_script(subtag: &str) -> bool {
    subtag.len() == 4 && subtag.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The tag without its last subtag, and without a single letter or digit that would then be last:
/// it only introduces what follows it (RFC 4647 §3.4).
pub(super) fn shorter(tag: &str) -> Option<&str> {
    let (mut tag, _) = tag.rsplit_once('-')?;
    while let Some((rest, last)) = tag.rsplit_once('-')
        && last.len() == 1
    {
        tag = rest;
    }
    Some(tag)
}

/// The invariant culture.
impl Default for Culture {
    fn default() -> Self {
        Self::INVARIANT
    }
}

impl FromStr for Culture {
    type Err = ParseCultureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_plain(text.as_bytes()) {
            return Ok(Self(SmolStr::new(text)));
        }
        if text.is_empty() {
            return Ok(Self::INVARIANT);
        }
        // The parser takes `_` too, which BCP 47 does not.
        match Locale::try_from_str(text) {
            Ok(locale) if !text.contains('_') => Ok(Self(SmolStr::new(locale.to_string()))),
            _ => Err(ParseCultureError(())),
        }
    }
}

/// Whether the text is `ll`, `lll`, `ll-RR` or `lll-RR`, in canonical case: nearly every tag is,
/// and needs no parser.
fn is_plain(text: &[u8]) -> bool {
    let (language, region) = match text {
        [language @ .., b'-', a, b] => (language, Some([a, b])),
        language => (language, None),
    };
    matches!(language.len(), 2 | 3)
        && language.iter().all(u8::is_ascii_lowercase)
        && region.is_none_or(|it| it.into_iter().all(u8::is_ascii_uppercase))
}

impl fmt::Display for Culture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Culture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Culture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The text is no well-formed culture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParseCultureError(());

impl fmt::Display for ParseCultureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no well-formed BCP 47 language tag")
    }
}

impl Error for ParseCultureError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_are_kept_in_canonical_case() {
        for (text, want) in [
            ("en", Some("en")),
            ("EN", Some("en")),
            ("en-us", Some("en-US")),
            ("es-419", Some("es-419")),
            ("zh-hans-cn", Some("zh-Hans-CN")),
            ("sr-LATN", Some("sr-Latn")),
            ("de-ch-1996", Some("de-CH-1996")),
            ("ar-EG-u-NU-latn", Some("ar-EG-u-nu-latn")),
            ("en-x-OURS", Some("en-x-ours")),
            ("", Some("und")),
            ("und", Some("und")),
            ("UND", Some("und")),
            ("en_US", None),
            ("en-", None),
            ("-en", None),
            ("en--US", None),
            ("e", None),
            ("i-klingon", None),
            ("zh-cmn", None),
            ("en-US-", None),
            ("en US", None),
            ("en-US-u", None),
            ("\u{443}\u{43a}", None),
            ("*", None),
        ] {
            let got = text.parse::<Culture>().ok();
            assert_eq!(got.as_ref().map(Culture::as_str), want, "{text:?}");
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
            ("de-1996", "de", None, None),
            ("en-u-ca-buddhist", "en", None, None),
            ("und", "und", None, None),
        ] {
            let culture: Culture = tag.parse().unwrap();
            let got = (culture.language(), culture.script(), culture.region());
            assert_eq!(got, (language, script, region), "{tag}");
        }
    }

    #[test]
    fn parents_end_with_the_invariant_culture() {
        for (tag, want) in [
            ("en", vec!["und"]),
            ("en-US", vec!["en", "und"]),
            (
                "en-US-x-ours-too",
                vec!["en-US-x-ours", "en-US", "en", "und"],
            ),
            ("und-US", vec!["und"]),
            ("und", vec![]),
        ] {
            let culture: Culture = tag.parse().unwrap();
            let got: Vec<_> = culture.parents().map(|it| it.to_string()).collect();
            assert_eq!(got, want, "{tag}");
        }
    }

    #[test]
    fn what_others_mint_may_have_underscores() {
        assert_eq!(Culture::parse_lenient("en_US").unwrap().as_str(), "en-US");
        assert!(Culture::parse_lenient("en__US").is_none());
    }

    #[test]
    fn every_plain_tag_is_what_the_parser_makes_of_it() {
        let letters = || b'a'..=b'z';
        for a in letters() {
            for b in letters() {
                for tag in [vec![a, b], vec![a, b, b'-', a ^ 0x20, b ^ 0x20]] {
                    let tag = String::from_utf8(tag).unwrap();
                    assert!(is_plain(tag.as_bytes()));
                    assert_eq!(Locale::try_from_str(&tag).unwrap().to_string(), tag);
                }
                for c in letters() {
                    let tag = String::from_utf8(vec![a, b, c]).unwrap();
                    assert_eq!(Locale::try_from_str(&tag).unwrap().to_string(), tag);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn print_then_parse_is_the_identity(text in "[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8}){0,5}") {
            if let Ok(culture) = text.parse::<Culture>() {
                prop_assert_eq!(&culture.to_string().parse::<Culture>().unwrap(), &culture);
                prop_assert!(culture.as_str().eq_ignore_ascii_case(&text) || text.contains("-"));
            }
        }

        #[test]
        fn no_text_panics(text in ".*") {
            if let Ok(culture) = text.parse::<Culture>() {
                let _ = (culture.language(), culture.script(), culture.region());
                prop_assert!(culture.parents().count() <= text.len());
            }
        }
    }
}
