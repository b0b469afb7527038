//! What Unicode's CLDR knows of language codes: the only place that names its crate.

use icu_locale::{
    LanguageIdentifier, Locale, LocaleCanonicalizer, LocaleExpander,
    subtags::{Language, Script, language},
};

use super::culture::truncations;

/// Language and script, by likely subtags.
pub(super) type Likely = (Language, Option<Script>);

/// More subtags than a language, script, region and variants in use have.
const MAX_SUBTAGS: usize = 8;

/// The language, script, region and variants of a tag or range, with deprecated codes replaced
/// (RFC 5646 §4.5), and the subtags after them.
pub(super) struct Codes<'a> {
    id: LanguageIdentifier,
    rest: &'a str,
}

impl<'a> Codes<'a> {
    /// `None` where the range does not begin with a language.
    pub(super) fn of(range: &'a str) -> Option<Self> {
        let range = without_prefix(range);
        // So that the parser below has little to do, whatever the range is.
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

    /// The whole tag.
    pub(super) fn tag(&self) -> String {
        format!("{}{}", self.id, self.rest)
    }

    /// `None` where no language is named.
    pub(super) fn likely(&self) -> Option<Likely> {
        if self.id.language.is_unknown() {
            return None;
        }
        let mut id = self.id.clone();
        LocaleExpander::new_extended().maximize(&mut id);
        // In CLDR `nb` inherits from `no`, but both mean the same written language.
        let is_norwegian = id.language == language!("no");
        let language = if is_norwegian {
            language!("nb")
        } else {
            id.language
        };
        Some((language, id.script))
    }
}

/// Drops the prefix of an extended language subtag, since that is a language of its own (`cmn` of
/// `zh-cmn-Hant`), and `i` of grandfathered tags (`ami` of `i-ami`).
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
