//! Pseudo-random choices.

/// A pseudo-random sequence (xorshift64*).
pub struct Random(u64);

impl Random {
    /// Mixes the seed, so that similar seeds give different sequences.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or_default() % end
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len().max(1)))
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// A random base64url string of `len` bytes.
    pub fn text(&mut self, len: usize) -> String {
        let bytes: Vec<_> = (0..len).map(|_| self.byte()).collect();
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
    }
}
