//! Cultures, offsets, zones and `Accept-Language`, read a second time.

use tower_session_token::Culture;

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
        .filter(|it| matches!(it.len(), 2 | 3) && is_alpha(it))?
        .to_owned();
    if let Some(script) = subtags.next_if(|it| it.len() == 4 && is_alpha(it)) {
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
    if !distinct || !variants.iter().all(|it| is_variant(it)) {
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

/// The nearest of the supported cultures (RFC 4647 §3.4), `refused` ones left out; all are
/// supported where there is no list.
pub fn lookup(canonical: &str, supported: &[&str], refused: &[&str]) -> Option<String> {
    let mut range = canonical;
    loop {
        let known = supported.is_empty() || supported.contains(&range);
        if known && !refused.contains(&range) {
            return Some(range.to_owned());
        }
        if supported.is_empty() {
            return None;
        }
        range = range.rsplit_once('-')?.0;
        while let Some((shorter, last)) = range.rsplit_once('-')
            && last.len() == 1
        {
            range = shorter;
        }
    }
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
    let refused: Vec<_> = ranges
        .iter()
        .filter(|(weight, _)| *weight == 0)
        .map(|(_, tag)| &**tag)
        .collect();
    ranges
        .iter()
        .filter(|(weight, _)| *weight > 0)
        .find_map(|(_, tag)| lookup(tag, supported, &refused))
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
    match tag {
        "" | "*" => None,
        tag if tag.len() > 64 => None,
        tag => Some((weight, canonical(tag)?)),
    }
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
    let number = |it: &str| match it.len() == 2 && is_digits(it) {
        true => it.parse::<i32>().ok(),
        false => None,
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
                && part
                    .chars()
                    .all(|it| is_initial(it) || it.is_ascii_digit() || "-+".contains(it))
        })
}

/// A zone that the table has.
pub fn zone(text: &str) -> Option<chrono_tz::Tz> {
    is_zone_name(text).then(|| text.parse().ok())?
}
