//! Cultures, offsets, zones and `Accept-Language`, read a second time.

use std::sync::LazyLock;

use icu_locale::{LanguageIdentifier, Locale, LocaleCanonicalizer, LocaleExpander};
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};
use tower_session_token::{ClientTimeZone, Culture};

/// The canonical form of a well-formed tag (profile §3; UTS 35 §3.2; RFC 5646 §2.1).
///
/// Extensions have a grammar of their own for each letter. A tag that has one is left to the
/// crate's parser, which the target `client` holds to what it prints.
pub fn canonical(tag: &str) -> Option<String> {
    const GRANDFATHERED: [&str; 5] = [
        "art-lojban",
        "cel-gaulish",
        "zh-guoyu",
        "zh-hakka",
        "zh-xiang",
    ];
    if tag.is_empty() {
        return Some("und".to_owned());
    }
    if tag.split('-').any(|subtag| subtag.len() == 1) {
        return tag.parse().ok().map(|it: Culture| it.to_string());
    }
    let lower = tag.to_ascii_lowercase();
    let mut subtags = lower.split('-').peekable();
    let mut canonical = subtags
        .next()
        .filter(|value| matches!(value.len(), 2 | 3) && is_alpha(value))?
        .to_owned();
    if let Some(script) = subtags.next_if(|value| value.len() == 4 && is_alpha(value)) {
        let (first, rest) = script.split_at(1);
        canonical += &format!("-{}{rest}", first.to_ascii_uppercase());
    }
    let is_region = |it: &&str| (it.len() == 2 && is_alpha(it)) || (it.len() == 3 && is_digits(it));
    if let Some(region) = subtags.next_if(is_region) {
        canonical += &format!("-{}", region.to_ascii_uppercase());
    }
    let mut variants: Vec<_> = subtags.collect();
    variants.sort_unstable();
    let distinct = variants.windows(2).all(|pair| pair[0] != pair[1]);
    if !distinct || !variants.iter().all(|value| is_variant(value)) {
        return None;
    }
    for variant in variants {
        canonical += &format!("-{variant}");
    }
    let fits = tag.len() <= 255 && !GRANDFATHERED.contains(&&*canonical);
    fits.then_some(canonical)
}

fn is_alpha(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_variant(subtag: &str) -> bool {
    let alphanumeric = subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let starts_with_digit = subtag.starts_with(|it: char| it.is_ascii_digit());
    alphanumeric && (matches!(subtag.len(), 5..=8) || (subtag.len() == 4 && starts_with_digit))
}

/// The supported culture that serves a tag or range, those of `rejected` ranges left out: RFC 4647
/// §3.4 with deprecated codes replaced or not, else the first of the same language and script.
/// Without a list, the first truncation that is a culture.
pub fn lookup(range: &str, supported: &[&str], rejected: &[&str]) -> Option<String> {
    let is_rejected = |tag: &str| rejected.iter().any(|range| range.eq_ignore_ascii_case(tag));
    if supported.is_empty() {
        let short = truncations(range).into_iter().filter(|tag| tag.len() <= 64);
        let culture = short.filter(|tag| !tag.is_empty()).find_map(canonical)?;
        return (!is_rejected(&culture)).then_some(culture);
    }
    let current = current(range);
    let mut wanted = vec![range];
    wanted.extend(current.iter().flat_map(|(tag, _)| truncations(tag)));
    wanted.extend(truncations(range));
    for tag in wanted {
        let own = |culture: &&&str| culture.eq_ignore_ascii_case(tag);
        let replaced = |culture: &&&str| {
            let current = self::current(culture);
            current.is_some_and(|(current, _)| current.eq_ignore_ascii_case(tag))
        };
        let mut members = supported.iter();
        let member = members
            .find(own)
            .or_else(|| supported.iter().find(replaced));
        if let Some(member) = member.filter(|member| !is_rejected(member)) {
            return Some((*member).to_owned());
        }
    }
    let kind = language_and_script(&current?.1)?;
    let near = |culture: &&&str| {
        let known = current_id(culture).and_then(|id| language_and_script(&id));
        let any_rejected = truncations(culture).into_iter().any(is_rejected);
        known.as_ref() == Some(&kind) && !any_rejected
    };
    supported
        .iter()
        .find(near)
        .map(|culture| (*culture).to_owned())
}

fn truncations(range: &str) -> Vec<&str> {
    let mut tags = vec![range];
    let mut rest = range;
    while let Some((shorter, _)) = rest.rsplit_once('-') {
        rest = shorter;
        if rest.rsplit('-').next().is_some_and(|last| last.len() != 1) || !rest.contains('-') {
            tags.push(rest);
        }
    }
    tags
}

/// The tag with deprecated codes replaced, and its language, script, region and variants.
fn current(range: &str) -> Option<(String, LanguageIdentifier)> {
    let mut subtags: Vec<_> = range.split('-').collect();
    let has_prefix = matches!(subtags[0].len(), 2 | 3) || subtags[0].eq_ignore_ascii_case("i");
    if subtags.len() > 1 && subtags[1].len() == 3 && is_alpha(subtags[1]) && has_prefix {
        subtags.remove(0);
    }
    let lens = (1..=subtags.len().min(8)).rev();
    let (len, mut locale) = lens.into_iter().find_map(|len| {
        let id: LanguageIdentifier = subtags[..len].join("-").parse().ok()?;
        Some((len, Locale::from(id)))
    })?;
    LocaleCanonicalizer::new_extended().canonicalize(&mut locale);
    let first = locale.id.to_string();
    let rest = subtags[len..].iter().copied();
    let tag = std::iter::once(&*first).chain(rest).collect::<Vec<_>>();
    Some((tag.join("-"), locale.id))
}

fn current_id(range: &str) -> Option<LanguageIdentifier> {
    current(range).map(|(_, id)| id)
}

fn language_and_script(id: &LanguageIdentifier) -> Option<(String, Option<String>)> {
    let language = match id.language.as_str() {
        "und" => return None,
        "no" => "nb",
        language => language,
    };
    let likely = || LocaleExpander::new_extended().get_likely_script(id);
    let script = id.script.or_else(likely).map(|script| script.to_string());
    Some((language.to_owned(), script))
}

/// What `Accept-Language` (RFC 9110 §12.5.4) chooses, its fields joined by commas.
pub fn accepted_language(field: &[u8], supported: &[&str]) -> Option<String> {
    if field.len() > 500 {
        return None;
    }
    let mut ranges: Vec<(u16, String)> = field
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
        .take(10)
        .filter_map(|member| language_range(std::str::from_utf8(member).ok()?))
        .collect();
    ranges.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let rejected: Vec<_> = ranges
        .iter()
        .filter(|(weight, _)| *weight == 0)
        .map(|(_, tag)| &**tag)
        .collect();
    ranges
        .iter()
        .filter(|(weight, _)| *weight > 0)
        .find_map(|(_, tag)| lookup(tag, supported, &rejected))
}

fn language_range(member: &str) -> Option<(u16, String)> {
    let is_ows = |it: char| matches!(it, ' ' | '\t');
    let (tag, weight) = match member.split_once(';') {
        None => (member, 1000),
        Some((tag, weight)) => {
            let weight = weight.trim_start_matches(is_ows);
            let value = weight
                .strip_prefix("q=")
                .or_else(|| weight.strip_prefix("Q="))?;
            (tag.trim_end_matches(is_ows), thousandths(value)?)
        }
    };
    let tag = tag.replace('_', "-");
    let mut subtags = tag.split('-');
    let fits = |subtag: &str| matches!(subtag.len(), 1..=8);
    let is_range = subtags
        .next()
        .is_some_and(|value| fits(value) && is_alpha(value))
        && subtags
            .all(|value| fits(value) && value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    is_range.then_some((weight, tag))
}

/// A `qvalue` (RFC 9110 §12.4.2).
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !is_digits(decimals) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

/// Minutes east of UTC: `time-offset` of RFC 3339 §5.6, within ±14:00. `-00:00` says nothing.
pub fn offset(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text[1..].split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && is_digits(text);
        is_number.then(|| text.parse::<i32>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= 840 && text != "-00:00").then_some(sign * total)
}

/// Whether a text has the form of a zone's name: RFC 9557 §4.1, 64 bytes at most (profile §3).
pub fn is_zone_name(text: &str) -> bool {
    let is_initial = |it: char| it.is_ascii_alphabetic() || "._".contains(it);
    text.len() <= 64
        && text.split('/').all(|part| {
            part.starts_with(is_initial)
                && part != "."
                && part != ".."
                && part.chars().all(|value| {
                    is_initial(value) || value.is_ascii_digit() || "-+".contains(value)
                })
        })
}

/// A zone of the database that the crate says it uses.
pub struct Zone {
    pub name: String,
    zone: TimeZone,
}

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(|| {
    if ClientTimeZone::database().ends_with("bundled") {
        TimeZoneDatabase::bundled()
    } else {
        TimeZoneDatabase::from_env()
    }
});

impl Zone {
    /// Seconds east of UTC at an instant in seconds after 1970.
    pub fn offset_at(&self, seconds: i64) -> i32 {
        let instant = Timestamp::from_second(seconds).expect("it is in range");
        self.zone.to_offset(instant).seconds()
    }
}

pub fn zone(text: &str) -> Option<Zone> {
    const NONE: [&str; 4] = ["localtime", "posixrules", "Factory", "Etc/Unknown"];
    if !is_zone_name(text) || NONE.iter().any(|none| none.eq_ignore_ascii_case(text)) {
        return None;
    }
    let zone = DATABASE.get(text).ok()?;
    let name = zone.iana_name()?.to_owned();
    Some(Zone { name, zone })
}
