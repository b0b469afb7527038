//! The plain spelling of JSON, without escapes and exponents: nearly all of a token.

use super::span::Span;

/// A position in a JSON text.
///
/// Each method takes one token in its plain spelling and advances, or returns `None` and stays;
/// then [`Reader`](super::Reader) reads any spelling. All methods are inlined, and out-of-line code
/// takes a cursor by value, so that it stays in registers.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    json: &'a [u8],
    at: usize,
}

/// The name of a member.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub(crate) span: Span,
    /// The first eight bytes as a number, zero-padded; see [`word`]. Names of up to eight bytes are
    /// equal if their lengths and words are.
    pub(crate) word: u64,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a position is at most one word past the end, and digits are small"
)]
impl<'a> Cursor<'a> {
    pub(super) fn new(json: &'a str) -> Self {
        let json = json.as_bytes();
        Self { json, at: 0 }
    }

    pub(super) fn at(self) -> usize {
        self.at
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.json.get(self.at..).unwrap_or(&[])
    }

    #[inline(always)]
    pub(super) fn peek(self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    pub(crate) fn is_array(self) -> bool {
        self.peek() == Some(b'[')
    }

    pub(crate) fn is_string(self) -> bool {
        self.peek() == Some(b'"')
    }

    pub(crate) fn is_object(self) -> bool {
        self.peek() == Some(b'{')
    }

    #[inline(always)]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes `byte` and the white space before it.
    #[inline(always)]
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        if self.peek() != Some(byte) {
            self.skip_space();
        }
        self.take_exactly(byte)
    }

    /// Takes a name without escapes, its colon and the white space after that.
    #[inline(always)]
    pub(super) fn name(&mut self) -> Option<Name> {
        let mut ahead = *self;
        ahead.take(b'"')?;
        let rest = ahead.json.get(ahead.at..)?;
        let (len, word) = match rest.first_chunk().and_then(short_name) {
            Some(name) => name,
            None => long_name(rest)?,
        };
        let span = Span::new(ahead.at, len);
        ahead.at += len;
        ahead.take_exactly(b'"')?;
        ahead.take(b':')?;
        ahead.skip_space();
        *self = ahead;
        Some(Name { span, word })
    }

    /// Takes a string without escapes (RFC 8259 §7).
    #[inline(always)]
    pub(super) fn string(&mut self) -> Option<Span> {
        let mut ahead = *self;
        ahead.take(b'"')?;
        let len = plain_len(ahead.json.get(ahead.at..)?)?;
        let span = Span::new(ahead.at, len);
        ahead.at += len;
        ahead.take_exactly(b'"')?;
        *self = ahead;
        Some(span)
    }

    /// Takes a number without sign, fraction and exponent (RFC 8259 §6) of at most 19 digits.
    #[inline(always)]
    pub(super) fn natural(&mut self) -> Option<u64> {
        self.decimal(0).map(|(number, _)| number)
    }

    /// Takes a number without sign and exponent: its integer of at most 19 digits, and its fraction
    /// of at most `max_fraction` digits (9 or fewer), in billionths.
    #[inline(always)]
    pub(super) fn decimal(&mut self, max_fraction: usize) -> Option<(u64, u32)> {
        let mut ahead = *self;
        let (whole, digits) = ahead.digits()?;
        if digits > 19 || (digits > 1 && self.peek() == Some(b'0')) {
            return None;
        }
        let mut billionths = 0;
        if ahead.take_exactly(b'.').is_some() {
            let (fraction, digits) = ahead.digits()?;
            if digits > max_fraction {
                return None;
            }
            let exponent = u32::try_from(9 - digits).ok()?;
            billionths = u32::try_from(fraction).ok()? * 10_u32.pow(exponent);
        }
        if matches!(ahead.peek(), Some(b'e' | b'E')) {
            return None;
        }
        *self = ahead;
        Some((whole, billionths))
    }

    /// Takes one digit or more: their value, which wraps after 19 digits, and their count.
    #[inline(always)]
    fn digits(&mut self) -> Option<(u64, usize)> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        (self.at > start).then(|| (number, self.at - start))
    }

    /// Takes one digit or more.
    pub(super) fn skip_digits(&mut self) -> Option<()> {
        self.digits().map(|_| ())
    }

    /// Takes `byte`, without white space before it.
    #[inline(always)]
    pub(super) fn take_exactly(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// Takes one of `bytes` if it comes next, and returns whether it did.
    pub(super) fn take_any(&mut self, bytes: &[u8]) -> bool {
        let is_next = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes a string, a non-negative integer or a boolean.
    #[inline(always)]
    pub(super) fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            _ => self.natural().map(|_| ()),
        }
    }

    pub(super) fn word(&mut self, word: &[u8]) -> Option<()> {
        let is_there = self.rest().starts_with(word);
        is_there.then(|| self.at += word.len())
    }

    /// Takes the end of the text and the white space before it.
    pub(crate) fn end(&mut self) -> Option<()> {
        self.skip_space();
        (self.at == self.json.len()).then_some(())
    }
}

/// The [`Name::word`] of a name.
pub(crate) const fn word(name: &str) -> u64 {
    word_of(name.as_bytes(), name.len())
}

/// The first eight of the first `len` bytes as a number.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "`len` is within `name`, and `at` within both arrays"
)]
const fn word_of(name: &[u8], len: usize) -> u64 {
    let (mut first, mut at) = ([0; 8], 0);
    while at < len && at < 8 {
        first[at] = name[at];
        at += 1;
    }
    u64::from_le_bytes(first)
}

/// Length and word of a name that ends within `next`.
#[inline(always)]
fn short_name(next: &[u8; 16]) -> Option<(usize, u64)> {
    let ([low, high], []) = next.as_chunks() else {
        return None;
    };
    let (low, high) = (u64::from_le_bytes(*low), u64::from_le_bytes(*high));
    match (specials(low), specials(high)) {
        (0, 0) => None,
        (0, end) => Some((first_byte(end) | 8, low)),
        // The mask keeps the bytes before the end.
        (end, _) => Some((
            first_byte(end),
            low & ((end & end.wrapping_neg()) >> 7).wrapping_sub(1),
        )),
    }
}

/// Length and word of a long name, or of one near the end of the text.
#[cold]
fn long_name(rest: &[u8]) -> Option<(usize, u64)> {
    let len = plain_len(rest)?;
    Some((len, word_of(rest, len)))
}

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Sets the high bit of the lowest zero byte of `word`, and no lower bit.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Sets the high bit of the first byte that ends a plain string (a quote) or is not part of one (a
/// backslash, a control character), and no lower bit.
#[inline(always)]
const fn specials(word: u64) -> u64 {
    let quotes = zeros(word ^ LOW.wrapping_mul(0x22));
    let backslashes = zeros(word ^ LOW.wrapping_mul(0x5c));
    let controls = word.wrapping_sub(LOW.wrapping_mul(0x20)) & !word & HIGH;
    quotes | backslashes | controls
}

/// The index of the byte that holds the lowest set bit.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "the index is at most 8")]
fn first_byte(bits: u64) -> usize {
    (bits.trailing_zeros() / 8) as usize
}

/// The number of bytes before the first quote, backslash or control character.
#[expect(clippy::arithmetic_side_effects, reason = "`at` is at most the length")]
#[inline(always)]
pub(super) fn plain_len(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let specials = specials(u64::from_le_bytes(*word));
        if specials != 0 {
            return Some(at + first_byte(specials));
        }
        at += 8;
    }
    let tail = text.get(at..)?.iter();
    let tail = tail.take_while(|byte| !matches!(byte, 0..0x20 | b'"' | b'\\'));
    let end = at + tail.count();
    (end < text.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_string_ends_at_its_first_special_byte(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let want = text.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'));
            prop_assert_eq!(plain_len(&text), want);
        }

        #[test]
        fn a_name_has_the_word_of_its_first_eight_bytes(name in "[a-z\0é]{0,20}", behind in "[ -~]{0,20}") {
            let json = format!("{{\"{name}\":{behind}");
            let mut cursor = Cursor::new(&json);
            cursor.take(b'{').unwrap();
            let read = cursor.name();
            if name.contains('\0') {
                prop_assert!(read.is_none());
            } else {
                let read = read.unwrap();
                prop_assert_eq!(read.span.of(&json, ""), &name);
                let mut first = [0; 8];
                first.iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte);
                prop_assert_eq!(read.word, u64::from_le_bytes(first));
                prop_assert_eq!(read.word, word(&name));
            }
        }
    }
}
