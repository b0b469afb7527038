//! Comparison in constant time.

use std::hint::black_box;

/// Whether both are equal, in a time that depends on their lengths alone.
#[inline]
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    // The folds visit every byte, eight at once.
    let ((words, rest), (other_words, other_rest)) = (a.as_chunks(), b.as_chunks());
    let words = words.iter().zip(other_words).fold(0, |seen, (a, b)| {
        seen | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b))
    });
    let rest = rest
        .iter()
        .zip(other_rest)
        .fold(0, |seen, (a, b)| seen | (a ^ b));
    a.len() == b.len() && black_box(words | u64::from(rest)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_any_bit_is_found() {
        for len in 0..100 {
            let a: Vec<u8> = (0..len).collect();
            assert!(is_same(&a, &a.clone()));
            for at in 0..a.len() {
                for bit in 0..8 {
                    let mut b = a.clone();
                    b[at] ^= 1 << bit;
                    assert!(!is_same(&a, &b), "bit {bit} of byte {at} of {len}");
                }
            }
            let longer = [&a[..], &[0]].concat();
            assert!(!is_same(&a, &longer) && !is_same(&longer, &a));
        }
    }
}
