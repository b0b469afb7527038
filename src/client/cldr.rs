//! Language data of Unicode's CLDR. No other module names its crate.

use icu_locale::{
    LanguageIdentifier, Locale, LocaleCanonicalizer, LocaleExpander,
    subtags::{Language, Script, language},
};

use super::culture::truncations;

/// A language and its script by likely subtags (UTS 35).
pub(super) type Likely = (Language, Option<Script>);

/// More subtags than any language, script, region and variants in use.
const MAX_SUBTAGS: usize = 8;

/// The language, script, region and variants of a tag or range, with deprecated codes replaced
/// (RFC 5646 §4.5), and the subtags after them.
pub(super) struct Codes<'a> {
    id: LanguageIdentifier,
    rest: &'a str,
}

impl<'a> Codes<'a> {
    /// Parses a tag or range; `None` if it does not begin with a language.
    pub(super) fn of(range: &'a str) -> Option<Self> {
        let range = without_prefix(range);
        // Bounds the work of the parser.
        let mut hyphens = range.match_indices('-').skip(MAX_SUBTAGS);
        let start = range.get(..hyphens.next().map_or(range.len(), |(at, _)| at))?;
        let (start, id) = truncations(start)
            .find_map(|tag| Some((tag, LanguageIdentifier::try_from_str(tag).ok()?)))?;
        let mut locale = Locale::from(id);
        LocaleCanonicalizer::new_extended().canonicalize(&mut locale);
        Some(Self {
            id: locale.id,
            rest: range.get(start.len()..)?,
        })
    }

    /// The tag, with deprecated codes replaced.
    pub(super) fn tag(&self) -> String {
        format!("{}{}", self.id, self.rest)
    }

    /// The language and script; `None` if the language is `und`.
    pub(super) fn likely(&self) -> Option<Likely> {
        if self.id.language.is_unknown() {
            return None;
        }
        let mut id = self.id.clone();
        LocaleExpander::new_extended().maximize(&mut id);
        // `nb` and `no` are the same written language, though `nb` inherits from `no` in CLDR.
        if id.language == language!("no") {
            id.language = language!("nb");
        }
        Some((id.language, id.script))
    }
}

/// Removes the prefix of an extended language subtag, which is a language itself (`cmn` in
/// `zh-cmn-Hant`), and the `i` of grandfathered tags (`i-ami`).
fn without_prefix(range: &str) -> &str {
    let Some((prefix, rest)) = range.split_once('-') else {
        return range;
    };
    let second = rest.split('-').next().unwrap_or(rest);
    let is_extlang = second.len() == 3 && second.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_extlang && (matches!(prefix.len(), 2 | 3) || prefix.eq_ignore_ascii_case("i")) {
        rest
    } else {
        range
    }
}
