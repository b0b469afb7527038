//! Strict reader of JSON in any spelling, with a reason for each rejection.

use memchr::memchr_iter;

use super::{
    cursor::{Cursor, Name, plain_len, word},
    span::Span,
    table::Table,
};
use crate::{error::SessionError, time::NumericDate};

/// Reads one JSON object: exactly the grammar of RFC 8259, Unicode strings, bounded nesting.
///
/// A method returns `None` if the text is rejected; [`into_reason`](Self::into_reason) then has the
/// reason. The [`Cursor`] reads plain spellings inline. All others are read here, out of line, so
/// that nothing is read twice.
pub(crate) struct Reader<'a> {
    json: &'a str,
    /// The unescaped content of strings with escapes.
    unescaped: String,
    reason: SessionError,
}

/// The treatment of a value of the wrong type.
#[derive(Clone, Copy)]
pub(crate) enum WrongType {
    Reject(SessionError),
    /// Skips the value, which may be nested so many levels deep, as if it were absent.
    Ignore(usize),
}

/// The next member of an object, without its value, or the object's end.
pub(crate) enum Member<T> {
    /// Its name is in the table.
    Known(T),
    Other(Name),
    End,
}

/// What is read of a claim: `None` if the text is rejected, `Some(None)` if the claim counts as absent.
pub(crate) type Value<T> = Option<Option<T>>;

impl<'a> Reader<'a> {
    pub(crate) const DUPLICATE: SessionError = SessionError::malformed("a member occurs twice");
    const SYNTAX: SessionError = SessionError::malformed("a part is not a JSON object");
    const NESTING: SessionError = SessionError::malformed("JSON is nested too deeply");

    /// Creates a reader of `json`, and returns it with the levels left inside its object.
    pub(crate) fn new(json: &'a str, nesting: usize) -> Result<(Self, usize), SessionError> {
        if json.len() > Span::MAX {
            return Err(SessionError::malformed("a part is too long"));
        }
        let reader = Self {
            json,
            unescaped: String::new(),
            reason: Self::SYNTAX,
        };
        let levels = nesting.checked_sub(1).ok_or(Self::NESTING)?;
        Ok((reader, levels))
    }

    pub(crate) fn cursor(&self) -> Cursor<'a> {
        Cursor::new(self.json)
    }

    /// The reason why a method returned `None`.
    pub(crate) fn into_reason(self) -> SessionError {
        self.reason
    }

    /// The unescaped strings, for [`Span::of`].
    pub(crate) fn into_unescaped(self) -> String {
        self.unescaped
    }

    pub(crate) fn text(&self, span: Span) -> &str {
        span.of(self.json, &self.unescaped)
    }

    /// The parts of a string between spaces.
    pub(crate) fn words(&self, span: Span) -> Vec<Span> {
        let mut start = 0_usize;
        let words = self.text(span).split(' ').filter_map(|word| {
            let part = span.part(start, word.len());
            start = start.saturating_add(word.len()).saturating_add(1);
            (!word.is_empty()).then_some(part)
        });
        words.collect()
    }

    pub(crate) fn fail<T>(&mut self, reason: SessionError) -> Option<T> {
        self.reason = reason;
        None
    }

    /// Appends to a list of which each item is from a string of the JSON. A list of 64 reserves
    /// room for all remaining strings at once: doubling would allocate several times as much.
    #[inline]
    pub(crate) fn push<T>(&self, list: &mut Vec<T>, item: T) {
        const LONG: usize = 64;
        if list.len() == LONG {
            list.reserve_exact(memchr_iter(b'"', self.json.as_bytes()).count() / 2);
        }
        list.push(item);
    }

    /// The levels left inside an object or array; rejects if there are none.
    pub(crate) fn deeper(&mut self, levels: usize) -> Option<usize> {
        let deeper = levels.checked_sub(1);
        deeper.or_else(|| self.fail(Self::NESTING))
    }

    /// Takes an object, calling `member` to take the value of each name.
    #[inline(always)]
    pub(crate) fn object(
        &mut self,
        cursor: &mut Cursor<'a>,
        mut member: impl FnMut(&mut Self, &mut Cursor<'a>, Name) -> Option<()>,
    ) -> Option<()> {
        let mut before = b'{';
        while let Some(name) = self.next_name(cursor, before)? {
            member(self, cursor, name)?;
            before = b',';
        }
        Some(())
    }

    /// Takes the name of an object's next member, up to the start of the value. `before` is the byte
    /// before the name: a brace at first, then a comma.
    #[inline(always)]
    pub(crate) fn next_member<T: Copy>(
        &mut self,
        cursor: &mut Cursor<'a>,
        before: u8,
        names: &Table<T>,
    ) -> Option<Member<T>> {
        if let Some((known, rest)) = cursor.known_name(before, names) {
            *cursor = rest;
            return Some(Member::Known(known));
        }
        let member = self.slowly(cursor, |reader, cursor| {
            reader.any_member(cursor, before, names)
        })?;
        // Rebuilt, so that the compiler keeps it in registers.
        Some(match member {
            Member::Known(known) => Member::Known(known),
            Member::Other(name) => Member::Other(name),
            Member::End => Member::End,
        })
    }

    #[inline(never)]
    fn any_member<T: Copy>(
        &mut self,
        cursor: &mut Cursor<'a>,
        before: u8,
        names: &Table<T>,
    ) -> Option<Member<T>> {
        let Some(name) = self.next_name(cursor, before)? else {
            return Some(Member::End);
        };
        let known = names.get(self.text(name.span));
        Some(known.map_or(Member::Other(name), Member::Known))
    }

    /// Takes the name of an object's next member, up to the start of the value; `Some(None)` at the end of
    /// the object.
    #[inline(always)]
    fn next_name(&mut self, cursor: &mut Cursor<'a>, before: u8) -> Option<Option<Name>> {
        let has_next = if before == b'{' {
            cursor.take(b'{')?;
            cursor.skip_space();
            !cursor.is_at(b'}')
        } else {
            cursor.take(b',').is_some()
        };
        if has_next {
            if let Some((name, rest)) = cursor.name() {
                *cursor = rest;
                return Some(Some(name));
            }
            return self.slowly(cursor, Self::any_name).map(Some);
        }
        cursor.take(b'}').map(|()| None)
    }

    /// Takes a token by an out-of-line step. The step is passed the address of a copy, so that `cursor`
    /// stays in registers.
    #[inline(always)]
    fn slowly<T>(
        &mut self,
        cursor: &mut Cursor<'a>,
        step: impl FnOnce(&mut Self, &mut Cursor<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut ahead = *cursor;
        let value = step(self, &mut ahead)?;
        *cursor = ahead;
        Some(value)
    }

    /// Takes a string of at most `max` bytes.
    #[inline(always)]
    pub(crate) fn string(
        &mut self,
        cursor: &mut Cursor<'a>,
        max: usize,
        wrong: WrongType,
    ) -> Value<Span> {
        if let Some((span, rest)) = cursor.string()
            && span.len() <= max
        {
            *cursor = rest;
            return Some(Some(span));
        }
        self.slowly(cursor, |reader, cursor| {
            reader.any_string_or(cursor, max, wrong)
        })
    }

    /// Takes a NumericDate (RFC 7519 §2), an integer or a fraction.
    #[inline(always)]
    pub(crate) fn date(
        &mut self,
        cursor: &mut Cursor<'a>,
        wrong: SessionError,
    ) -> Option<NumericDate> {
        if let Some((seconds, rest)) = cursor.natural()
            && let Some(date) = NumericDate::new(seconds, 0)
        {
            *cursor = rest;
            return Some(date);
        }
        self.slowly(cursor, |reader, cursor| reader.any_date(cursor, wrong))
    }

    /// Skips a value, which may be nested `levels` deep.
    #[inline(always)]
    pub(crate) fn skip(&mut self, cursor: &mut Cursor<'a>, levels: usize) -> Option<()> {
        if let Some(rest) = cursor.scalar() {
            *cursor = rest;
            return Some(());
        }
        self.slowly(cursor, |reader, cursor| reader.skip_any(cursor, levels))
    }

    // All methods below are out of line.

    /// Takes an object, and returns where the value of its member `name` is.
    pub(crate) fn find(
        &mut self,
        cursor: &mut Cursor<'a>,
        name: &str,
        levels: usize,
    ) -> Option<Option<Cursor<'a>>> {
        let (mut found, before) = (None, self.unescaped.len());
        self.object(cursor, |reader, cursor, member| {
            if reader.text(member.span) == name && found.replace(*cursor).is_some() {
                return reader.fail(Self::DUPLICATE);
            }
            reader.skip(cursor, levels)
        })?;
        self.unescaped.truncate(before);
        Some(found)
    }

    #[cold]
    #[inline(never)]
    fn any_name(&mut self, cursor: &mut Cursor<'a>) -> Option<Name> {
        cursor.skip_space();
        let span = self.any_string(cursor)?;
        cursor.take(b':')?;
        cursor.skip_space();
        let word = word(self.text(span));
        Some(Name { span, word })
    }

    #[cold]
    #[inline(never)]
    fn any_string_or(
        &mut self,
        cursor: &mut Cursor<'a>,
        max: usize,
        wrong: WrongType,
    ) -> Value<Span> {
        if !cursor.is_at(b'"') {
            return self.wrong_type(cursor, wrong).map(|()| None);
        }
        let span = self.any_string(cursor)?;
        if span.len() <= max {
            return Some(Some(span));
        }
        match wrong {
            WrongType::Reject(reason) => self.fail(reason),
            WrongType::Ignore(_) => Some(None),
        }
    }

    #[cold]
    #[inline(never)]
    fn any_date(&mut self, cursor: &mut Cursor<'a>, wrong: SessionError) -> Option<NumericDate> {
        if !matches!(cursor.peek(), Some(b'-' | b'0'..=b'9')) {
            self.wrong_type(cursor, WrongType::Reject(wrong))?;
        }
        let number = self.number(cursor)?;
        let double = || NumericDate::from_double(number.parse().ok()?);
        let date = exact_date(number).or_else(double);
        date.or_else(|| self.fail(wrong))
    }

    /// Takes an integer (no fraction, no exponent, not `-0`).
    pub(crate) fn integer(&mut self, cursor: &mut Cursor<'a>, wrong: WrongType) -> Value<i64> {
        let mut ahead = *cursor;
        let sign = ahead.take_exactly(b'-').map_or(1, |()| -1);
        if let Some((number, rest)) = ahead.natural()
            && let Ok(number) = i64::try_from(number)
            && (sign, number) != (-1, 0)
        {
            *cursor = rest;
            return Some(number.checked_mul(sign));
        }
        self.wrong_type(cursor, wrong).map(|()| None)
    }

    /// Takes a value of the wrong type. A malformed scalar is rejected for its syntax, not its type.
    #[cold]
    #[inline(never)]
    pub(crate) fn wrong_type(&mut self, cursor: &mut Cursor<'a>, wrong: WrongType) -> Option<()> {
        match wrong {
            WrongType::Reject(reason) => {
                match cursor.peek() {
                    Some(b'[' | b'{') => {}
                    Some(b'-' | b'0'..=b'9') => _ = self.number(cursor)?,
                    _ => self.skip_any(cursor, 0)?,
                }
                self.fail(reason)
            }
            WrongType::Ignore(levels) => self.skip_any(cursor, levels),
        }
    }

    #[cold]
    #[inline(never)]
    fn skip_any(&mut self, cursor: &mut Cursor<'a>, levels: usize) -> Option<()> {
        let before = self.unescaped.len();
        let mut ahead = *cursor;
        match ahead.peek()? {
            b'"' => _ = self.any_string(&mut ahead)?,
            b'{' => {
                let levels = self.deeper(levels)?;
                self.object(&mut ahead, |reader, cursor, _| reader.skip(cursor, levels))?;
            }
            b'[' => {
                let levels = self.deeper(levels)?;
                self.items(&mut ahead, |reader, cursor| reader.skip(cursor, levels))?;
            }
            b't' => ahead.word(b"true")?,
            b'f' => ahead.word(b"false")?,
            b'n' => ahead.word(b"null")?,
            _ => {
                // serde_json, which reads the application's own claims, rejects infinity too.
                let number: f64 = self.number(&mut ahead)?.parse().ok()?;
                number.is_finite().then_some(())?;
            }
        }
        *cursor = ahead;
        self.unescaped.truncate(before);
        Some(())
    }

    /// Takes an array, calling `item` to take each item.
    pub(crate) fn items(
        &mut self,
        cursor: &mut Cursor<'a>,
        mut item: impl FnMut(&mut Self, &mut Cursor<'a>) -> Option<()>,
    ) -> Option<()> {
        cursor.take(b'[')?;
        cursor.skip_space();
        if !cursor.is_at(b']') {
            loop {
                cursor.skip_space();
                item(self, cursor)?;
                if cursor.take(b',').is_none() {
                    break;
                }
            }
        }
        cursor.take(b']')
    }

    /// Takes a number (RFC 8259 §6).
    fn number(&mut self, cursor: &mut Cursor<'a>) -> Option<&'a str> {
        let start = cursor.at();
        cursor.take_any(b"-");
        if !cursor.take_any(b"0") {
            cursor.skip_digits()?;
        }
        if cursor.take_any(b".") {
            cursor.skip_digits()?;
        }
        if cursor.take_any(b"eE") {
            cursor.take_any(b"+-");
            cursor.skip_digits()?;
        }
        self.json.get(start..cursor.at())
    }

    /// Takes a string with or without escapes (RFC 8259 §7).
    fn any_string(&mut self, cursor: &mut Cursor<'a>) -> Option<Span> {
        if let Some((span, rest)) = cursor.string() {
            *cursor = rest;
            return Some(span);
        }
        cursor.take_exactly(b'"')?;
        let start = self.unescaped.len();
        loop {
            let from = cursor.at();
            cursor.advance(plain_len(cursor.rest())?)?;
            self.unescaped.push_str(self.json.get(from..cursor.at())?);
            if cursor.take_exactly(b'"').is_some() {
                break;
            }
            cursor.take_exactly(b'\\')?;
            let char = escaped(cursor)?;
            self.unescaped.push(char);
        }
        let end = self.unescaped.len();
        // So that offsets fit 32 bits.
        let len = end.checked_sub(start).filter(|_| end < Span::MAX)?;
        Some(Span::new(self.json.len().checked_add(start)?, len))
    }
}

/// The date of a number without sign and exponent, to the nanosecond.
fn exact_date(number: &str) -> Option<NumericDate> {
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let missing = 9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let nanos = fraction
        .parse::<u32>()
        .ok()?
        .checked_mul(10_u32.pow(missing))?;
    NumericDate::new(seconds.parse().ok()?, nanos)
}

/// Takes the rest of an escape after its backslash.
fn escaped(cursor: &mut Cursor<'_>) -> Option<char> {
    let byte = cursor.peek()?;
    cursor.advance(1)?;
    Some(match byte {
        b'"' | b'\\' | b'/' => char::from(byte),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = code_unit(cursor)?;
            match char::decode_utf16([first]).next()? {
                Ok(char) => char,
                Err(_) => {
                    cursor.word(b"\\u")?;
                    let pair = [first, code_unit(cursor)?];
                    char::decode_utf16(pair).next()?.ok()?
                }
            }
        }
        _ => return None,
    })
}

/// Takes four hexadecimal digits.
fn code_unit(cursor: &mut Cursor<'_>) -> Option<u16> {
    let digits: &[u8; 4] = cursor.rest().first_chunk()?;
    cursor.advance(4)?;
    digits.iter().try_fold(0, |unit: u16, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::json::Names;

    const GOOD: &str = r#"{"iss":"https://id.example.com", "aud": ["orders","x"],"sub":"ann","exp":1768482000.25,
        "iat":1768478400,"name":"Иван Петров","preferred_username":"\u0418\ud83d\ude00\n","utc_offset":-210,
        "x":{"y":[1,-0.5e3,null],"z":{}},"y":"z","z":true,"realm_access":{"roles":["a","b"]},"w":[]}"#;

    /// The members whose values are strings, and the number of other members.
    fn read(json: &str, levels: usize) -> Result<(Vec<(String, String)>, usize), SessionError> {
        let (mut reader, levels) = Reader::new(json, levels)?;
        let mut read = || {
            let mut cursor = reader.cursor();
            let (mut strings, mut others) = (Vec::new(), 0);
            let mut names = Names::default();
            reader.object(&mut cursor, |reader, cursor, name| {
                names.add(name, reader)?;
                let ignore = WrongType::Ignore(levels);
                match reader.string(cursor, usize::MAX, ignore)? {
                    Some(value) => {
                        let [name, value] =
                            [name.span, value].map(|span| reader.text(span).to_owned());
                        strings.push((name, value));
                    }
                    None => others += 1,
                }
                Some(())
            })?;
            cursor.end()?;
            names.check(&mut reader)?;
            Some((strings, others))
        };
        read().ok_or_else(|| reader.into_reason())
    }

    /// Whether no double holds a number in the value. serde_json accepts one with its feature
    /// `arbitrary_precision` only.
    fn is_infinite(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.as_f64().is_none_or(f64::is_infinite),
            Value::Array(items) => items.iter().any(is_infinite),
            Value::Object(members) => members.values().any(is_infinite),
            _ => false,
        }
    }

    /// Compares with serde_json: which texts are objects, and what their strings are.
    fn check(json: &str) {
        match (
            read(json, 32),
            serde_json::from_str::<Map<String, Value>>(json),
        ) {
            (Ok((strings, others)), Ok(map)) => {
                assert_eq!(strings.len() + others, map.len(), "{json}");
                for (name, value) in strings {
                    assert_eq!(map[&name], Value::String(value), "{json}");
                }
            }
            (Err(error), Ok(map)) => {
                let is_ours = [Reader::DUPLICATE, Reader::NESTING].contains(&error);
                assert!(is_ours || map.values().any(is_infinite), "{json}");
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) => panic!("{error}: {json}"),
        }
    }

    #[test]
    fn each_rejection_has_its_reason() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!(r#"{{"x":{open}{close}}}"#)
        };
        for (json, want) in [
            (GOOD, None),
            ("{}", None),
            (" { } ", None),
            (r#"{"a" : 1 , "b" : [ 1 , 2 ] }"#, None),
            ("", Some(Reader::SYNTAX)),
            ("[]", Some(Reader::SYNTAX)),
            ("{} x", Some(Reader::SYNTAX)),
            (r#"{"a":1,}"#, Some(Reader::SYNTAX)),
            (r#"{"a":01}"#, Some(Reader::SYNTAX)),
            (r#"{"a":1.}"#, Some(Reader::SYNTAX)),
            (r#"{"a":1e999}"#, Some(Reader::SYNTAX)),
            (r#"{"a":"\ud800"}"#, Some(Reader::SYNTAX)),
            (r#"{"a":"\ud800\u0041"}"#, Some(Reader::SYNTAX)),
            (r#"{"a":"\udc00\ud800"}"#, Some(Reader::SYNTAX)),
            ("{\"a\n\":1}", Some(Reader::SYNTAX)),
            ("{\"a\":\"\u{1}\"}", Some(Reader::SYNTAX)),
            (r#"{"a":1,"b":2,"a":1}"#, Some(Reader::DUPLICATE)),
            (r#"{"a":1,"\u0061":1}"#, Some(Reader::DUPLICATE)),
            (&nested(31), None),
            (&nested(32), Some(Reader::NESTING)),
        ] {
            assert_eq!(read(json, 32).err(), want, "{json}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_changed_object_is_read_as_serde_json_reads_it(
            at in 0..GOOD.len(),
            with in ".{0,3}|[\"\\\\{}\\[\\],:0-9eE.+-]{0,4}",
            cut in 0..4_usize,
        ) {
            let start = GOOD.floor_char_boundary(at);
            let end = GOOD.floor_char_boundary((start + cut).min(GOOD.len()));
            let mut json = GOOD.to_owned();
            json.replace_range(start..end.max(start), &with);
            check(&json);
        }

        #[test]
        fn pieces_in_any_order_are_read_as_serde_json_reads_them(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "{", "}", "[", "]", ",", ":", " ", "\n", "\"exp\"", "\"sub\"", "\"alg\0\"", "\"x\"", "\"\"",
                "\"preferred_username\"", "\"longer than sixteen bytes\"", "1", "-1", "0", "-0", "00", "1.5", "1e2",
                "true", "false", "null", "\"\\u0061\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\x\"",
                "\"exp\":1", "\"sub\":\"a\"", "\"x\":1,", "\"y\":[],", "\"z\":{},",
            ]), 0..14),
        ) {
            let json = pieces.concat();
            check(&json);
            check(&format!("{{{json}}}"));
        }
    }
}
