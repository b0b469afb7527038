//! Rejection of Ed25519 points of small order.
//!
//! By the equation of RFC 8032 §5.1.7, such a point as a key verifies a signature for any message,
//! and as R makes a signature that is valid for several keys. ed25519-dalek rejects these points in
//! strict mode, AWS-LC accepts them.

/// Whether a point's order divides 8, for either sign of its x coordinate.
pub(super) fn is_small_order(point: &[u8; 32]) -> bool {
    let [low @ .., last] = point;
    SMALL_ORDER
        .iter()
        .any(|[same @ .., top]| same == low && *top == last & 0x7f)
}

/// Their y coordinates: 0, 1, two of order 8, −1, and the non-canonical encodings of 0 and 1.
#[rustfmt::skip]
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
        0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
        0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    PRIME_PLUS[0], PRIME_PLUS[1], PRIME_PLUS[2],
];

/// The prime p = 2^255 − 19, as p − 1, p and p + 1.
const PRIME_PLUS: [[u8; 32]; 3] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    let mut numbers = [prime; 3];
    numbers[0][0] = 0xec;
    numbers[2][0] = 0xee;
    numbers
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Algorithm, VerifyingKey, encoded_key::EncodedPublicKey};

    #[test]
    fn a_point_of_small_order_is_rejected_as_a_key() {
        for point in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut point = point;
                point[31] |= sign;
                assert!(is_small_order(&point));
                let encoded = EncodedPublicKey::from_bits(Algorithm::EdDSA, &point);
                assert_eq!(encoded.err(), Some("the Ed25519 point is of small order"));
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
