//! A fast way to read the objects that session tokens consist of: plain texts and numbers.
//!
//! It gives up on anything else (escapes, nesting, fractions, `null`, a member twice, a text too
//! long, any error), and then the strict readers in `header` and `claims` decide. So it has no
//! errors of its own, and what it reads is what they would read; the tests below hold them
//! together.

use super::{
    claims::Claims,
    header::JoseHeader,
    json::Text,
    text::{Audience, Span},
};
use crate::token::{Limits, time::NumericDate};

/// How many claims that the profile does not know are compared with each other.
const MAX_OTHERS: usize = 8;

/// Reads a JOSE header of `alg`, `kid` and `typ`, and of no other member.
pub(super) fn scan_header(json: &str) -> Option<JoseHeader<'_>> {
    let mut scanner = Scanner::new(json);
    let (mut alg, mut kid, mut typ) = (None, None, None);
    scanner.skip(b'{')?;
    loop {
        let place = match scanner.name()? {
            b"alg" => &mut alg,
            b"kid" => &mut kid,
            b"typ" => &mut typ,
            _ => return None,
        };
        let text = Text::Borrowed(scanner.text()?.of(json));
        if place.replace(text).is_some() {
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
pub(super) fn scan_claims(json: &str, limits: &Limits) -> Option<Claims> {
    let mut scanner = Scanner::new(json);
    let mut claims = Claims::default();
    let mut others = [&[][..]; MAX_OTHERS];
    let mut other = others.iter_mut();

    scanner.skip(b'{')?;
    loop {
        let name = scanner.name()?;
        macro_rules! claim {
            ($place:ident, $value:expr) => {{
                let value = $value;
                if claims.$place.replace(value).is_some() {
                    return None;
                }
            }};
        }
        macro_rules! text {
            ($place:ident, $max:expr) => {
                claim!($place, scanner.text_of($max)?)
            };
            ($place:ident) => {
                text!($place, limits.claim_bytes())
            };
        }
        macro_rules! moment {
            ($place:ident) => {
                claim!($place, NumericDate::from_seconds(scanner.natural()?)?)
            };
        }
        match name {
            b"iss" => text!(iss),
            b"aud" => claim!(aud, Audience::one(scanner.text_of(limits.claim_bytes())?)),
            b"sub" => text!(sub),
            b"exp" => moment!(exp),
            b"nbf" => moment!(nbf),
            b"iat" => moment!(iat),
            b"jti" => text!(jti),
            b"sid" => text!(sid),
            b"client_id" => text!(client_id),
            b"azp" => text!(azp),
            b"client_kind" => text!(client_kind),
            b"name" => text!(name),
            b"preferred_username" => text!(preferred_username),
            b"access_level" => text!(access_level),
            b"locale" => text!(locale, limits.locale_bytes()),
            b"ui_locale" => text!(ui_locale, limits.locale_bytes()),
            b"utc_offset" => claim!(utc_offset, scanner.integer()?),
            b"zoneinfo" => text!(zoneinfo, usize::MAX),
            b"server" => text!(server),
            b"instance" => text!(instance),
            b"scope" => text!(scope, limits.scope_bytes()),
            b"act" | b"cnf" => return None,
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
    json: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(json: &'a str) -> Self {
        Self {
            json: json.as_bytes(),
            at: 0,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Takes this byte, after white space.
    fn skip(&mut self, wanted: u8) -> Option<()> {
        self.skip_space();
        (self.next()? == wanted).then_some(())
    }

    /// The name of a member; what follows next is its value.
    fn name(&mut self) -> Option<&'a [u8]> {
        self.skip(b'"')?;
        let start = self.at;
        let end = self.end_of_text()?;
        self.skip(b':')?;
        self.skip_space();
        self.json.get(start..end)
    }

    /// Whether the object ends after this member, and the text with it.
    fn is_last(&mut self) -> Option<bool> {
        self.skip_space();
        match self.next()? {
            b',' => Some(false),
            b'}' => {
                self.skip_space();
                (self.at == self.json.len()).then_some(true)
            }
            _ => None,
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// A text without escapes (RFC 8259 §7).
    fn text(&mut self) -> Option<Span> {
        self.skip(b'"')?;
        let start = self.at;
        let end = self.end_of_text()?;
        Some(Span::new(start, end - start))
    }

    /// A text of at most so many bytes.
    fn text_of(&mut self, max: usize) -> Option<Span> {
        self.text().filter(|it| it.len() <= max)
    }

    /// Goes behind the quote that ends a text, and says where it is.
    fn end_of_text(&mut self) -> Option<usize> {
        let end = self.at + find_special(self.json.get(self.at..)?)?;
        self.at = end;
        (self.next()? == b'"').then_some(end)
    }

    /// A number without sign, fraction and exponent (RFC 8259 §6).
    fn natural(&mut self) -> Option<u64> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let digits = self.json.get(start..self.at)?;
        let is_plain = !matches!(digits, [] | [b'0', _, ..]);
        (is_plain && !matches!(self.peek(), Some(b'.' | b'e' | b'E'))).then_some(number)
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
            b't' => self.skip_word(b"true"),
            b'f' => self.skip_word(b"false"),
            _ => self.integer().map(|_| ()),
        }
    }

    fn skip_word(&mut self, word: &[u8]) -> Option<()> {
        let is_there = self.json.get(self.at..)?.starts_with(word);
        self.at += word.len();
        is_there.then_some(())
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
            Some(fast) => Claims::parse_strictly(json, &limits)
                .is_ok_and(|(strict, unescaped)| strict == fast && unescaped.is_empty()),
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
