//! The plain spelling of JSON, without escapes and exponents: nearly all of a token.

use super::{span::Span, table::Table};

/// What is left of a JSON text.
///
/// Methods that return a cursor read a plain spelling, and return what follows it, or `None`; then
/// [`Reader`](super::Reader) reads any spelling. They are inlined, and no out-of-line code is
/// passed the address of the fast path's cursor, so that it stays in registers.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    /// The length of the whole text.
    len: usize,
}

/// The name of a member.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub(crate) span: Span,
    /// The first eight bytes as a number, zero-padded; see [`word`]. Names of up to eight bytes are
    /// equal if their lengths and words are.
    pub(crate) word: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(json: &'a str) -> Self {
        Self {
            rest: json.as_bytes(),
            len: json.len(),
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "it is a part of the text")]
    pub(super) fn at(self) -> usize {
        self.len - self.rest.len()
    }

    pub(super) fn advance(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    #[inline(always)]
    pub(super) fn peek(self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Whether `byte` comes next.
    #[inline(always)]
    pub(crate) fn is_at(self, byte: u8) -> bool {
        self.peek() == Some(byte)
    }

    /// Takes white space, which is nearly always none or one space.
    #[inline(always)]
    pub(super) fn skip_space(&mut self) {
        if let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.rest = behind_space(self.rest);
        }
    }

    /// Takes `byte` and the white space before it.
    #[inline(always)]
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        if !self.is_at(byte) {
            self.skip_space();
        }
        self.take_exactly(byte)
    }

    /// Takes `byte`, without white space before it.
    #[inline(always)]
    pub(super) fn take_exactly(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        (*first == byte).then(|| self.rest = rest)
    }

    /// Reads the byte `before` a name, at most one space, a name of the table and its colon, up to the start
    /// of the value.
    #[inline(always)]
    pub(super) fn known_name<T: Copy>(mut self, before: u8, names: &Table<T>) -> Option<(T, Self)> {
        self.take_exactly(before)?;
        if let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.take_exactly(b'"')?;
        let (value, len) = names.find(self.rest)?;
        self.advance(len)?;
        if self.peek()? <= b' ' {
            self.skip_space();
        }
        Some((value, self))
    }

    /// Reads a name without escapes, its colon and the white space around them.
    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "the shift is below 64")]
    pub(super) fn name(mut self) -> Option<(Name, Self)> {
        if !self.is_at(b'"') {
            self.skip_space();
        }
        // At least eight bytes follow, except near the end of the text.
        let first = u64::from_le_bytes(*self.rest.get(1..)?.first_chunk()?);
        let (span, mut rest) = self.string()?;
        rest.take(b':')?;
        rest.skip_space();
        let word = match span.len() {
            len @ 0..8 => first & ((1 << (8 * len)) - 1),
            _ => first,
        };
        Some((Name { span, word }, rest))
    }

    /// Reads a string without escapes (RFC 8259 §7).
    #[inline(always)]
    pub(super) fn string(mut self) -> Option<(Span, Self)> {
        self.take_exactly(b'"')?;
        let (start, len) = (self.at(), plain_len(self.rest)?);
        self.advance(len)?;
        self.take_exactly(b'"')?;
        Some((Span::new(start, len), self))
    }

    /// Reads a number without sign, fraction and exponent (RFC 8259 §6) of at most 19 digits.
    #[inline(always)]
    pub(super) fn natural(mut self) -> Option<(u64, Self)> {
        let has_zero = self.is_at(b'0');
        let (number, digits) = self.digits()?;
        let is_natural = digits <= 19
            && !(has_zero && digits > 1)
            && !matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        is_natural.then_some((number, self))
    }

    /// Reads a string, a non-negative integer or a boolean.
    #[inline(always)]
    pub(super) fn scalar(mut self) -> Option<Self> {
        match self.peek()? {
            b'"' => self.string().map(|(_, rest)| rest),
            b't' => self.word(b"true").map(|()| self),
            b'f' => self.word(b"false").map(|()| self),
            _ => self.natural().map(|(_, rest)| rest),
        }
    }

    /// Takes one digit or more: their value, which wraps after 19 digits, and their count.
    #[inline(always)]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a digit is small, and a rest is shorter"
    )]
    fn digits(&mut self) -> Option<(u64, usize)> {
        let (before, mut number) = (self.rest.len(), 0_u64);
        if let Some((bytes, rest)) = self.rest.split_first_chunk()
            && let Some(value) = eight_digits(*bytes)
        {
            (number, self.rest) = (value, rest);
        }
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest {
            number = number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            self.rest = rest;
        }
        let digits = before - self.rest.len();
        (digits > 0).then_some((number, digits))
    }

    /// Takes one digit or more.
    pub(super) fn skip_digits(&mut self) -> Option<()> {
        self.digits().map(|_| ())
    }

    /// Takes one of `bytes` if it comes next, and returns whether it did.
    pub(super) fn take_any(&mut self, bytes: &[u8]) -> bool {
        let next = self.peek().filter(|byte| bytes.contains(byte));
        next.and_then(|byte| self.take_exactly(byte)).is_some()
    }

    pub(super) fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// Whether only white space is left.
    pub(crate) fn end(mut self) -> Option<()> {
        self.skip_space();
        self.rest.is_empty().then_some(())
    }
}

#[cold]
fn behind_space(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = text {
        text = rest;
    }
    text
}

/// The [`Name::word`] of a name.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "`at` is within both arrays"
)]
pub(crate) const fn word(name: &str) -> u64 {
    let (name, mut word, mut at) = (name.as_bytes(), [0; 8], 0);
    while at < name.len() && at < 8 {
        word[at] = name[at];
        at += 1;
    }
    u64::from_le_bytes(word)
}

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Sets the high bit of the first byte that ends a plain string (a quote) or is not part of one (a
/// backslash, a control character), and no lower bit.
#[inline(always)]
const fn specials(word: u64) -> u64 {
    // A byte below 0x80 gets its high bit set if it is smaller than what is subtracted; else only by a
    // borrow, which comes from such a byte before it. Quote and space change places, so that quotes are
    // next to the control characters.
    let quotes = (word ^ LOW.wrapping_mul(0x02)).wrapping_sub(LOW.wrapping_mul(0x21));
    let backslashes = (word ^ LOW.wrapping_mul(0x5c)).wrapping_sub(LOW);
    (quotes | backslashes) & !word & HIGH
}

/// The index of the byte that holds the lowest set bit, which there is: the mask shows the compiler that
/// the index is below 8.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "the index is below 8")]
fn first_byte(bits: u64) -> usize {
    (bits.trailing_zeros() as usize / 8) & 7
}

/// The number of bytes before the first quote, backslash or control character.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the rest is a part of the text"
)]
#[inline(always)]
pub(super) fn plain_len(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let specials = specials(u64::from_le_bytes(*word));
        if specials != 0 {
            return Some(text.len() - rest.len() + first_byte(specials));
        }
        rest = behind;
    }
    let mut tail = rest.iter();
    let len = tail.position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))?;
    Some(text.len() - rest.len() + len)
}

/// The number that eight digits spell.
#[inline(always)]
fn eight_digits(digits: [u8; 8]) -> Option<u64> {
    const UPPER: u64 = LOW.wrapping_mul(0xf0);

    let word = u64::from_le_bytes(digits);
    // The upper half of a digit is 3, with 6 added too.
    let with_6 = word.wrapping_add(LOW.wrapping_mul(0x06));
    if (word & UPPER) | (with_6 & UPPER) >> 4 != LOW.wrapping_mul(0x33) {
        return None;
    }
    // The first digit is the lowest byte: two digits, four and eight are put together.
    let ones = word & LOW.wrapping_mul(0x0f);
    let twos = ones.wrapping_mul(10 << 8 | 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = twos.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
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
        fn eight_digits_are_read_at_once(digits in proptest::array::uniform8(any::<u8>()), number in 0..100_000_000_u64) {
            let all: [u8; 8] = format!("{number:08}").into_bytes().try_into().unwrap();
            prop_assert_eq!(eight_digits(all), Some(number));
            for at in 0..8 {
                let mut one_replaced = all;
                one_replaced[at] = digits[at];
                let is_number = one_replaced.iter().all(u8::is_ascii_digit);
                prop_assert_eq!(eight_digits(one_replaced).is_some(), is_number);
            }
            prop_assert_eq!(eight_digits(digits).is_some(), digits.iter().all(u8::is_ascii_digit));
        }

        #[test]
        fn a_name_has_the_word_of_its_first_eight_bytes(name in "[a-z\0é]{0,20}", behind in "[ -~]{8,20}") {
            let json = format!("{{\"{name}\":{behind}");
            let mut cursor = Cursor::new(&json);
            cursor.take(b'{').unwrap();
            let read = cursor.name().map(|(name, _)| name);
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
