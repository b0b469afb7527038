//! Reads JSON of one level, byte by byte, and gives up on what is not plain.

use super::span::Span;

/// The name of a member.
pub(crate) struct Name<'a> {
    pub(crate) text: &'a [u8],
    /// Its first eight letters as a number, by which names are told apart fast.
    pub(crate) word: u64,
}

impl Name<'_> {
    /// Words may be the same where names are not: of longer ones, and of such as end with NUL.
    #[inline(always)]
    pub(crate) fn is<const N: usize>(&self, name: &[u8; N]) -> bool {
        *self.text == *name
    }
}

/// The number that stands for a name, and for others that begin with the same eight letters.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "it is a constant"
)]
pub(crate) const fn word(name: &str) -> u64 {
    let (mut bytes, mut at) = ([0; 8], 0);
    while at < name.len() && at < 8 {
        bytes[at] = name.as_bytes()[at];
        at += 1;
    }
    u64::from_le_bytes(bytes)
}

/// A text, and how far it was read.
pub(crate) struct Scanner<'a> {
    json: &'a [u8],
    at: usize,
}

/// All of it is inlined, so that it is in registers while a set is read.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "`at` is within the text, or one word beyond it, and digits are numbers"
)]
impl<'a> Scanner<'a> {
    pub(crate) fn new(json: &'a str) -> Self {
        Self {
            json: json.as_bytes(),
            at: 0,
        }
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    #[inline(always)]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Takes this byte, after white space.
    #[inline(always)]
    pub(crate) fn skip(&mut self, wanted: u8) -> Option<()> {
        if self.peek() != Some(wanted) {
            self.skip_space();
        }
        (self.next()? == wanted).then_some(())
    }

    /// The name of a member; what follows next is its value. One that the profile does not know
    /// may still have escapes in it.
    #[inline(always)]
    pub(crate) fn name(&mut self) -> Option<Name<'a>> {
        self.skip(b'"')?;
        let rest = self.json.get(self.at..)?;
        let name = match rest.first_chunk().and_then(short_name) {
            Some((len, word)) => Name {
                text: rest.get(..len)?,
                word,
            },
            None => long_name(rest)?,
        };
        self.at += name.text.len() + 1;
        self.skip(b':')?;
        self.skip_space();
        Some(name)
    }

    /// Whether the object ends after this member, and the text with it.
    #[inline(always)]
    pub(crate) fn is_last(&mut self) -> Option<bool> {
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

    #[inline(always)]
    fn skip_space(&mut self) {
        // Most issuers write none.
        if self.peek().is_some_and(|byte| byte > b' ') {
            return;
        }
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// A text without escapes (RFC 8259 §7).
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Option<Span> {
        self.skip(b'"')?;
        let start = self.at;
        let len = find_special(self.json.get(start..)?)?;
        self.at += len;
        (self.next()? == b'"').then(|| Span::new(start, len))
    }

    /// A text of at most so many bytes.
    #[inline(always)]
    pub(crate) fn text_of(&mut self, max: usize) -> Option<Span> {
        self.text().filter(|it| it.len() <= max)
    }

    /// A number without sign, fraction and exponent (RFC 8259 §6).
    #[inline(always)]
    pub(crate) fn natural(&mut self) -> Option<u64> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.json.get(start..self.at)?;
        let is_plain = !matches!(digits, [] | [b'0', _, ..]) && digits.len() < 20;
        (is_plain && !matches!(self.peek(), Some(b'.' | b'e' | b'E'))).then_some(number)
    }

    pub(crate) fn integer(&mut self) -> Option<i64> {
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
    pub(crate) fn skip_scalar(&mut self) -> Option<()> {
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

/// The length and the word of a name that ends within these bytes.
#[inline(always)]
fn short_name(next: &[u8; 16]) -> Option<(usize, u64)> {
    let ([low, high], []) = next.as_chunks() else {
        return None;
    };
    let (low, high) = (u64::from_le_bytes(*low), u64::from_le_bytes(*high));
    match (zeros(low ^ QUOTES), zeros(high ^ QUOTES)) {
        (0, 0) => None,
        (0, quote) => Some((first_byte(quote) | 8, low)),
        // Of the word only what is before the quote belongs to the name.
        (quote, _) => Some((
            first_byte(quote),
            low & ((quote & quote.wrapping_neg()) >> 7).wrapping_sub(1),
        )),
    }
}

/// A name that is long, or near the end.
#[cold]
fn long_name(rest: &[u8]) -> Option<Name<'_>> {
    let text = rest.get(..find_special(rest)?)?;
    let mut first = [0; 8];
    first
        .iter_mut()
        .zip(text)
        .for_each(|(to, byte)| *to = *byte);
    // What ended it may be no quote.
    (rest.get(text.len()) == Some(&b'"')).then(|| Name {
        text,
        word: u64::from_le_bytes(first),
    })
}

pub(crate) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte >= 0x20 && *byte != b'\\')
}

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
const QUOTES: u64 = LOW * 0x22;

/// Has the high bit of each zero byte set, and of none below the first zero byte.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Which byte of a word the first bit is in.
#[inline(always)]
fn first_byte(bits: u64) -> usize {
    usize::try_from(bits.trailing_zeros() / 8).unwrap_or_default()
}

/// Where the first byte is that ends a plain text, or does not belong in one: a quote, a
/// backslash, a control character.
#[expect(clippy::arithmetic_side_effects, reason = "`at` is within the text")]
#[inline(always)]
fn find_special(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        let backslashes = zeros(word ^ (LOW * 0x5c));
        let controls = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let special = zeros(word ^ QUOTES) | backslashes | controls;
        if special != 0 {
            return Some(at + first_byte(special));
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
    use super::*;

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
}
