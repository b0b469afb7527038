//! The plain spelling of JSON: what nearly all of a token consists of.

use super::span::Span;

/// A position in a JSON text. Each step takes the plain spelling of one thing and moves on, or
/// takes nothing and stays; [`Reader`](super::Reader) then reads any spelling.
///
/// A cursor is passed by value and all of it is inlined, so that it stays in registers.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    json: &'a [u8],
    at: usize,
}

/// The name of a member.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub(crate) span: Span,
    /// The first eight bytes as a number, with zeros behind a shorter name: by word and length,
    /// names of up to eight bytes are told apart.
    pub(crate) word: u64,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a position is at most one word behind the text, and digits are numbers"
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

    pub(crate) fn is_object(self) -> bool {
        self.peek() == Some(b'{')
    }

    #[inline(always)]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes `byte`, with the white space in front of it.
    #[inline(always)]
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        if self.peek() != Some(byte) {
            self.skip_space();
        }
        self.take_exactly(byte)
    }

    /// A name without escapes, up to its colon and the white space behind it.
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

    /// A string without escapes (RFC 8259 §7).
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

    /// A number without sign, fraction and exponent (RFC 8259 §6) of at most 19 digits.
    #[inline(always)]
    pub(super) fn natural(&mut self) -> Option<u64> {
        let (number, 0) = self.decimal(0)? else {
            return None;
        };
        Some(number)
    }

    /// A number without sign and exponent, of at most 19 digits and 9 behind the point: its whole
    /// part, and its fraction in billionths.
    #[inline(always)]
    pub(super) fn decimal(&mut self, most_behind: usize) -> Option<(u64, u32)> {
        const BILLIONTHS: [u32; 10] = [
            1_000_000_000,
            100_000_000,
            10_000_000,
            1_000_000,
            100_000,
            10_000,
            1_000,
            100,
            10,
            1,
        ];
        let mut ahead = *self;
        let (whole, digits) = ahead.digits()?;
        if digits > 19 || (digits > 1 && self.peek() == Some(b'0')) {
            return None;
        }
        let mut billionths = 0;
        if ahead.take_exactly(b'.').is_some() {
            let (fraction, digits) = ahead.digits()?;
            if digits > most_behind {
                return None;
            }
            billionths = u32::try_from(fraction).ok()? * BILLIONTHS.get(digits)?;
        }
        if matches!(ahead.peek(), Some(b'e' | b'E')) {
            return None;
        }
        *self = ahead;
        Some((whole, billionths))
    }

    /// One digit or more: their number, which wraps round behind 19 of them, and how many.
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

    /// Takes digits, one at least.
    pub(super) fn skip_digits(&mut self) -> Option<()> {
        self.digits().map(|_| ())
    }

    /// Takes `byte`, and no white space in front of it.
    #[inline(always)]
    pub(super) fn take_exactly(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// A string, an integer that is not negative, or a truth value.
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

    /// The end of the object, and of the text with it.
    pub(super) fn end(&mut self) -> Option<()> {
        self.take(b'}')?;
        self.skip_space();
        (self.at == self.json.len()).then_some(())
    }
}

/// The number of a name that is known; see [`Name::word`].
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "it is evaluated when the crate is compiled"
)]
pub(crate) const fn word(name: &str) -> u64 {
    let (mut bytes, mut at) = ([0; 8], 0);
    while at < name.len() && at < 8 {
        bytes[at] = name.as_bytes()[at];
        at += 1;
    }
    u64::from_le_bytes(bytes)
}

/// Length and word of a name that ends within these bytes.
#[inline(always)]
fn short_name(next: &[u8; 16]) -> Option<(usize, u64)> {
    let ([low, high], []) = next.as_chunks() else {
        return None;
    };
    let (low, high) = (u64::from_le_bytes(*low), u64::from_le_bytes(*high));
    match (specials(low), specials(high)) {
        (0, 0) => None,
        (0, end) => Some((first_byte(end) | 8, low)),
        // Only what is in front of the end belongs to the name.
        (end, _) => Some((
            first_byte(end),
            low & ((end & end.wrapping_neg()) >> 7).wrapping_sub(1),
        )),
    }
}

/// Length and word of a name that is long, or near the end of the text.
#[cold]
fn long_name(rest: &[u8]) -> Option<(usize, u64)> {
    let len = plain_len(rest)?;
    let mut first = [0; 8];
    let name = rest.iter().take(len);
    first
        .iter_mut()
        .zip(name)
        .for_each(|(to, byte)| *to = *byte);
    Some((len, u64::from_le_bytes(first)))
}

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Has the high bit set of each byte of `word` that is zero, and of none below the first.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Has the high bit set of the first byte that ends a plain string (a quote) or does not belong
/// in one (a backslash, a control character), and of none below it.
#[inline(always)]
const fn specials(word: u64) -> u64 {
    let quotes = zeros(word ^ LOW.wrapping_mul(0x22));
    let backslashes = zeros(word ^ LOW.wrapping_mul(0x5c));
    let controls = word.wrapping_sub(LOW.wrapping_mul(0x20)) & !word & HIGH;
    quotes | backslashes | controls
}

/// The byte of a word that its lowest bit is in.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "it is at most 8")]
fn first_byte(bits: u64) -> usize {
    (bits.trailing_zeros() / 8) as usize
}

/// The number of bytes in front of the first quote, backslash or control character.
#[expect(clippy::arithmetic_side_effects, reason = "`at` is within the text")]
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
            }
        }
    }
}
