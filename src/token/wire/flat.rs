//! A fast way to read the objects that session tokens consist of: plain texts and numbers.
//!
//! It gives up on anything else (escapes, nesting, fractions, `null`, a member twice, a text too
//! long, any error), and then the strict readers in `header` and `claims` decide. So it has no
//! errors of its own, and what it reads is what they would read; the tests below hold them
//! together.

use super::{
    claims::Claims,
    header::JoseHeader,
    json::{Text, Texts},
};
use crate::token::{Limits, time::NumericDate};

/// How many claims that the profile does not know are compared with each other.
const MAX_OTHERS: usize = 8;

/// Reads a JOSE header of `alg`, `kid` and `typ`, and of no other member.
pub(super) fn scan_header(json: &str) -> Option<JoseHeader<'_>> {
    let mut scanner = Scanner { rest: json };
    let (mut alg, mut kid, mut typ) = (None, None, None);
    scanner.skip(b'{')?;
    loop {
        let place = match scanner.name()? {
            "alg" => &mut alg,
            "kid" => &mut kid,
            "typ" => &mut typ,
            _ => return None,
        };
        if place.replace(Text::Borrowed(scanner.text()?)).is_some() {
            return None;
        }
        if scanner.is_last()? {
            break;
        }
    }
    let alg = alg?;
    Some(JoseHeader { alg, kid, typ })
}

/// Reads a claims set.
pub(super) fn scan_claims<'a>(json: &'a str, limits: &Limits) -> Option<Claims<'a>> {
    let mut scanner = Scanner { rest: json };
    let mut claims = Claims::default();
    let mut others = [""; MAX_OTHERS];
    let mut other = others.iter_mut();

    scanner.skip(b'{')?;
    loop {
        let name = scanner.name()?;
        macro_rules! text {
            ($place:ident, $max:expr) => {{
                let text = scanner.text()?;
                if claims.$place.is_some() || text.len() > $max {
                    return None;
                }
                claims.$place = Some(Text::Borrowed(text));
            }};
            ($place:ident) => {
                text!($place, limits.claim_bytes())
            };
        }
        macro_rules! moment {
            ($place:ident) => {{
                let moment = NumericDate::from_seconds(scanner.natural()?)?;
                if claims.$place.replace(moment).is_some() {
                    return None;
                }
            }};
        }
        match name {
            "iss" => text!(iss),
            "aud" => {
                let text = scanner.text()?;
                if claims.aud.is_some() || text.len() > limits.claim_bytes() {
                    return None;
                }
                claims.aud = Some(Texts::One(Text::Borrowed(text)));
            }
            "sub" => text!(sub),
            "exp" => moment!(exp),
            "nbf" => moment!(nbf),
            "iat" => moment!(iat),
            "jti" => text!(jti),
            "sid" => text!(sid),
            "client_id" => text!(client_id),
            "azp" => text!(azp),
            "client_kind" => text!(client_kind),
            "name" => text!(name),
            "preferred_username" => text!(preferred_username),
            "access_level" => text!(access_level),
            "locale" => text!(locale, limits.locale_bytes()),
            "ui_locale" => text!(ui_locale, limits.locale_bytes()),
            "utc_offset" => {
                let minutes = scanner.integer()?;
                if claims.utc_offset.replace(minutes).is_some() {
                    return None;
                }
            }
            "zoneinfo" => text!(zoneinfo, usize::MAX),
            "server" => text!(server),
            "instance" => text!(instance),
            "scope" => text!(scope, limits.scope_bytes()),
            "act" | "cnf" => return None,
            name => {
                scanner.skip_scalar()?;
                *other.next()? = name;
            }
        }
        if scanner.is_last()? {
            break;
        }
    }
    let unread = other.len();
    let others = others.get(..MAX_OTHERS - unread)?;
    let distinct = others
        .iter()
        .enumerate()
        .all(|(at, name)| others.iter().skip(at + 1).all(|it| it != name));
    distinct.then_some(claims)
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Takes the next byte, which has to be ASCII.
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.rest = self.rest.get(1..)?;
        Some(byte)
    }

    /// Takes this byte, after white space.
    fn skip(&mut self, wanted: u8) -> Option<()> {
        self.skip_space();
        (self.next()? == wanted).then_some(())
    }

    /// The name of a member; what follows next is its value.
    fn name(&mut self) -> Option<&'a str> {
        let name = self.text()?;
        self.skip(b':')?;
        self.skip_space();
        Some(name)
    }

    /// Whether the object ends after this member, and the text with it.
    fn is_last(&mut self) -> Option<bool> {
        self.skip_space();
        match self.next()? {
            b',' => Some(false),
            b'}' => {
                self.skip_space();
                self.rest.is_empty().then_some(true)
            }
            _ => None,
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// A text without escapes (RFC 8259 §7).
    fn text(&mut self) -> Option<&'a str> {
        self.skip(b'"')?;
        let end = find_special(self.rest.as_bytes())?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix('"')?;
        Some(text)
    }

    /// A number without sign, fraction and exponent (RFC 8259 §6).
    fn natural(&mut self) -> Option<u64> {
        let end = self.rest.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.rest.split_at_checked(end)?;
        if digits.len() > 18 || (digits.len() > 1 && digits.starts_with('0')) {
            return None;
        }
        if matches!(rest.as_bytes().first(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.rest = rest;
        digits.parse().ok()
    }

    fn integer(&mut self) -> Option<i64> {
        match self.peek()? {
            b'-' => {
                self.next()?;
                let number = i64::try_from(self.natural()?).ok()?;
                // serde_json takes -0 for a fraction.
                (number != 0).then_some(-number)
            }
            _ => i64::try_from(self.natural()?).ok(),
        }
    }

    /// A text, an integer or a truth value.
    fn skip_scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.text().map(|_| ()),
            b't' => self.skip_word("true"),
            b'f' => self.skip_word("false"),
            _ => self.integer().map(|_| ()),
        }
    }

    fn skip_word(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }
}

/// Where the first byte is that ends a plain text, or does not belong in one: a quote, a
/// backslash, a control character.
fn find_special(text: &[u8]) -> Option<usize> {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    /// Has the high bit of each zero byte set, and of none below the first zero byte.
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(LOW) & !word & HIGH
    }

    let (words, tail) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (LOW * 0x22));
        let backslashes = zeros(word ^ (LOW * 0x5c));
        let controls = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let special = quotes | backslashes | controls;
        if special != 0 {
            return Some(at * 8 + usize::try_from(special.trailing_zeros() / 8).ok()?);
        }
    }
    let at = tail
        .iter()
        .position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))?;
    Some(text.len() - tail.len() + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"iss":"https://id.example.com","aud":"orders","sub":"ann","exp":1768482000,
        "iat":1768478400,"jti":"t","sid":"s","client_id":"web-shop","name":"Иван Петров","locale":"ru-RU",
        "utc_offset":-210,"server":"main","x":1,"y":"z","z":true}"#;

    /// What is read fast is what is read strictly; nothing is read fast that strictly is refused.
    fn agrees(json: &str) -> bool {
        let limits = Limits::default();
        let claims = match scan_claims(json, &limits) {
            Some(fast) => Claims::parse_strictly(json, &limits).is_ok_and(|it| it == fast),
            None => true,
        };
        let header = match scan_header(json) {
            Some(fast) => JoseHeader::parse_strictly(json, &limits).is_ok_and(|it| it == fast),
            None => true,
        };
        claims && header
    }

    #[test]
    fn plain_headers_are_read_and_odd_ones_are_left() {
        for (json, plain) in [
            (r#"{"alg":"HS256"}"#, true),
            (r#" { "typ" : "a" , "kid" : "b" , "alg" : "c" } "#, true),
            (r#"{"typ":"JWT"}"#, false),
            (r#"{"alg":"HS256","alg":"HS256"}"#, false),
            (r#"{"alg":"HS256","x":1}"#, false),
            (r#"{"alg":"HS256","crit":[]}"#, false),
            (r#"{"alg":"HS\u0032\u0035\u0036"}"#, false),
            (r#"{"alg":"HS256"}x"#, false),
            (r#"{"alg":"HS256","#, false),
            (r#"{"alg":1}"#, false),
            ("{}", false),
        ] {
            assert_eq!(scan_header(json).is_some(), plain, "{json}");
            assert!(agrees(json), "{json}");
        }
    }

    #[test]
    fn plain_sets_are_read_and_odd_ones_are_left() {
        let limits = Limits::default();
        assert!(scan_claims(GOOD, &limits).is_some() && agrees(GOOD));
        for (from, to) in [
            ("Иван", r"\u0418"),
            ("1768482000", "1768482000.5"),
            ("1768482000", "1768482e3"),
            ("1768482000", "01768482000"),
            ("1768482000", "-1"),
            ("1768482000", "\"1\""),
            ("1768482000", "null"),
            ("1768482000", "99999999999999999999"),
            ("-210", "-0"),
            ("-210", "-"),
            ("-210", "2.0"),
            ("\"orders\"", "[\"orders\"]"),
            ("\"x\":1", "\"x\":{}"),
            ("\"x\":1", "\"x\":[]"),
            ("\"x\":1", "\"x\":tru"),
            ("\"x\":1", "\"y\":1"),
            ("\"x\":1", "\"sub\":\"b\""),
            ("\"x\":1", "\"exp\":1"),
            ("\"x\":1", "\"act\":{\"sub\":\"a\"}"),
            ("\"x\":1", "\"cnf\":1"),
            ("Иван", "\u{1}"),
            ("Иван", "\n"),
            ("true}", "true,}"),
            ("true}", "true}x"),
            ("true}", "true"),
            ("true}", "true]"),
            (",", ";"),
            (":", "="),
        ] {
            let json = GOOD.replacen(from, to, 1);
            assert!(scan_claims(&json, &limits).is_none(), "{json}");
        }
        let long = GOOD.replace("ann", &"a".repeat(257));
        assert!(scan_claims(&long, &limits).is_none());
        let many: String = (0..=MAX_OTHERS).map(|it| format!("\"o{it}\":1,")).collect();
        assert!(scan_claims(&GOOD.replacen('{', &format!("{{{many}"), 1), &limits).is_none());
        for json in [
            "", "{", "{}", "[]", "null", "\"", "{\"", "{\"a", "{\"a\"", "{\"a\":",
        ] {
            assert!(scan_claims(json, &limits).is_none(), "{json}");
        }
    }

    #[test]
    fn every_byte_ends_a_text_or_does_not_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut text = [b'a'; 24];
                text[at] = byte;
                text[at + 1] = 0x01;
                let special = byte < 0x20 || byte == b'"' || byte == b'\\';
                let want = if special { at } else { at + 1 };
                assert_eq!(find_special(&text), Some(want), "{byte:#x} at {at}");
            }
        }
        assert_eq!(find_special(&[0xff; 20]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_changed_set_is_read_alike(at in 0..GOOD.len(), with in ".{0,3}|[\"\\\\{}\\[\\],:0-9eE.+-]{0,4}", cut in 0..4_usize) {
            let start = GOOD.floor_char_boundary(at);
            let end = GOOD.floor_char_boundary((start + cut).min(GOOD.len()));
            let mut json = GOOD.to_owned();
            json.replace_range(start..end.max(start), &with);
            prop_assert!(agrees(&json), "{json}");
        }

        #[test]
        fn pieces_in_any_order_are_read_alike(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "{", "}", "[", "]", ",", ":", " ", "\"exp\"", "\"sub\"", "\"alg\"", "\"alg\":\"a\"", "\"kid\":\"b\",", "\"aud\"", "\"x\"", "\"\"",
                "\"utc_offset\"", "\"locale\"", "\"act\"", "1", "-1", "0", "-0", "1.5", "1e2", "true",
                "false", "null", "\"\\u0061\"", "\"\\ud800\"", "\"exp\":1", "\"sub\":\"a\"", "\"x\":1,",
            ]), 0..14),
        ) {
            let json = pieces.concat();
            prop_assert!(agrees(&json), "{json}");
            let json = format!("{{{json}}}");
            prop_assert!(agrees(&json), "{json}");
        }
    }
}
