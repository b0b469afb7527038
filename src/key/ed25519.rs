//! Rejection of Ed25519 points of small order.
//!
//! By the equation of RFC 8032 §5.1.7, such a point as a key verifies a signature for any message,
//! and as R makes a signature that is valid for several keys. ed25519-dalek rejects these points in
//! strict mode, AWS-LC accepts them.

/// Whether a point's order divides 8, for either sign of its x coordinate: whether its y coordinate is
/// 0, 1, one of the two of order 8, −1, or a non-canonical encoding of 0 or 1.
pub(super) fn is_small_order(point: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = point;
    match (first, last & 0x7f) {
        (0 | 1, 0) => *middle == [0; 30],
        (0x26, 0x05) => *middle == ORDER_8[0],
        (0xc7, 0x7a) => *middle == ORDER_8[1],
        // The prime p = 2^255 − 19, as p − 1, p and p + 1.
        (0xec..=0xee, 0x7f) => *middle == [0xff; 30],
        _ => false,
    }
}

/// The y coordinates of order 8 without their first and last byte.
const ORDER_8: [[u8; 30]; 2] = [
    [
        0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
        0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc,
    ],
    [
        0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
        0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Algorithm, VerifyingKey, encoded_key::check_public};

    /// The seven encodings, in hexadecimal, as libsodium lists them.
    const SMALL_ORDER: [&str; 7] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    fn point(hex: &str) -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn a_point_with_one_bit_changed_is_not_of_small_order() {
        let all = SMALL_ORDER.map(point);
        for known in all {
            for bit in 0..255 {
                let mut other = known;
                other[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(is_small_order(&other), all.contains(&other), "{other:x?}");
            }
        }
    }

    #[test]
    fn a_point_of_small_order_is_rejected_as_a_key() {
        for point in SMALL_ORDER.map(point) {
            for sign in [0, 0x80] {
                let mut point = point;
                point[31] |= sign;
                assert!(is_small_order(&point));
                let checked = check_public(Algorithm::EdDSA, &point);
                assert_eq!(checked, Err("the Ed25519 point is of small order"));
            }
        }
    }

    /// The signature satisfies the equation: R is the neutral point, and S the product of the hash
    /// and the private scalar.
    #[test]
    fn a_point_of_small_order_is_rejected_in_a_signature() {
        const SIGNATURE: &str = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\
                                 iIwPyFtp9Vti1GTyJ4oVes-J6JtG2YT6qIvSjqTu1Bg";
        let jwk =
            r#"{"kty":"OKP","crv":"Ed25519","x":"xZFW0qJpVyRS9X20ikrEJha07oijvqI2GsAZq4Z1244"}"#;
        let key = VerifyingKey::from_jwk(jwk).unwrap();
        let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(SIGNATURE);
        assert!(!key.verify(b"message", &signature.unwrap()));
    }
}
