//! Comparison in constant time.

use std::hint::black_box;

type Block = [u8; 32];

/// Whether both are equal, in a time that depends on their lengths alone.
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    // Each byte is visited, those of a block in vector registers.
    let mut differing = Block::default();
    let (blocks, others) = (a.as_chunks::<32>().0, b.as_chunks::<32>().0);
    for (block, other) in blocks.iter().zip(others) {
        add_differing(&mut differing, block, other);
    }
    match (a.last_chunk::<32>(), b.last_chunk::<32>()) {
        // It overlaps the block before it.
        (Some(block), Some(other)) => add_differing(&mut differing, block, other),
        _ => add_differing(&mut differing, a, b),
    }
    a.len() == b.len()
        && black_box(differing)
            .into_iter()
            .fold(0, |seen, byte| seen | byte)
            == 0
}

#[inline]
fn add_differing(differing: &mut Block, a: &[u8], b: &[u8]) {
    for ((differing, a), b) in differing.iter_mut().zip(a).zip(b) {
        *differing |= a ^ b;
    }
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
