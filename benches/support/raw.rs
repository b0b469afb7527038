//! The bare check of a signature with a prepared key, as fast as possible: the baseline of a session.

use std::hint::black_box;

use tower_session_token::Algorithm;

use super::tokens::{HS256_SECRET, test_key};

/// Verifies the signature of `token`, and nothing else.
pub(crate) fn raw_check(algorithm: Algorithm, token: &str) -> Box<dyn FnMut() -> bool> {
    let (input, signature) = token.rsplit_once('.').expect("three parts");
    let input = input.as_bytes().to_vec();
    let signature = base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(signature)
        .expect("base64url");
    match algorithm {
        Algorithm::HS256 => {
            let key = Midstates::new(&HS256_SECRET);
            Box::new(move || key.verify(black_box(&input), black_box(&signature)))
        }
        _ => backend::check(algorithm, &public_der(algorithm), input, &signature),
    }
}

/// The public key as SubjectPublicKeyInfo.
fn public_der(algorithm: Algorithm) -> Vec<u8> {
    let pem = String::from_utf8(test_key(algorithm, "public.pem")).expect("a test key");
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let content: String = lines.collect();
    base64_simd::STANDARD
        .decode_to_vec(content)
        .expect("base64")
}

/// HMAC-SHA256 (RFC 2104) that continues from the midstates after the padded key.
struct Midstates {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Midstates {
    fn new(secret: &[u8]) -> Self {
        let state = |pad: u8| {
            let mut block = [pad; 64];
            for (byte, key) in block.iter_mut().zip(secret) {
                *byte ^= key;
            }
            let mut state = [
                0x6a09_e667,
                0xbb67_ae85,
                0x3c6e_f372,
                0xa54f_f53a,
                0x510e_527f,
                0x9b05_688c,
                0x1f83_d9ab,
                0x5be0_cd19,
            ];
            sha2::block_api::compress256(&mut state, &[block]);
            state
        };
        Self {
            inner: state(0x36),
            outer: state(0x5c),
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let inner = finish(self.inner, message);
        let tag = finish(self.outer, &inner);
        let differing = tag
            .iter()
            .zip(signature)
            .fold(0, |seen, (a, b)| seen | (a ^ b));
        signature.len() == tag.len() && black_box(differing) == 0
    }
}

/// Hashes `message` after the one block that `state` has processed (FIPS 180-4 §5.1.1).
#[expect(clippy::as_conversions, reason = "lengths are small")]
fn finish(mut state: [u32; 8], message: &[u8]) -> [u8; 32] {
    let (blocks, rest) = message.as_chunks::<64>();
    sha2::block_api::compress256(&mut state, blocks);
    let mut last = [[0; 64]; 2];
    last.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
    last.as_flattened_mut()[rest.len()] = 0x80;
    let count = if rest.len() < 56 { 1 } else { 2 };
    let bits = (64 + message.len() as u64) * 8;
    last[count - 1][56..].copy_from_slice(&bits.to_be_bytes());
    sha2::block_api::compress256(&mut state, &last[..count]);
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(feature = "aws_lc_rs")]
mod backend {
    use super::{Algorithm, black_box};
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        VerificationAlgorithm,
    };

    pub(super) fn check(
        algorithm: Algorithm,
        der: &[u8],
        input: Vec<u8>,
        signature: &[u8],
    ) -> Box<dyn FnMut() -> bool> {
        let signature = signature.to_vec();
        let verification: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::EdDSA => &ED25519,
            Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
            _ => panic!("no benchmark has {algorithm}"),
        };
        let key = ParsedPublicKey::new(verification, der).expect("a key");
        Box::new(move || {
            key.verify_sig(black_box(&input), black_box(&signature))
                .is_ok()
        })
    }
}

#[cfg(not(feature = "aws_lc_rs"))]
mod backend {
    use super::{Algorithm, black_box};
    use rsa::pkcs1v15;

    pub(super) fn check(
        algorithm: Algorithm,
        der: &[u8],
        input: Vec<u8>,
        signature: &[u8],
    ) -> Box<dyn FnMut() -> bool> {
        match algorithm {
            Algorithm::EdDSA => {
                use ed25519_dalek::pkcs8::DecodePublicKey;

                let key = ed25519_dalek::VerifyingKey::from_public_key_der(der).expect("a key");
                let signature = ed25519_dalek::Signature::from_slice(signature).expect("one");
                Box::new(move || key.verify_strict(black_box(&input), &signature).is_ok())
            }
            Algorithm::ES256 => {
                use p256::{ecdsa::signature::Verifier, pkcs8::DecodePublicKey};

                let key = p256::ecdsa::VerifyingKey::from_public_key_der(der).expect("a key");
                let signature = p256::ecdsa::Signature::from_slice(signature).expect("one");
                Box::new(move || key.verify(black_box(&input), &signature).is_ok())
            }
            Algorithm::RS256 => {
                use rsa::{BoxedUint, signature::Verifier};

                let jwk = super::test_key(algorithm, "public.jwk.json");
                let jwk: serde_json::Value = serde_json::from_slice(&jwk).expect("a test key");
                let [n, e] = ["n", "e"].map(|member| {
                    let text = jwk[member].as_str().expect("text");
                    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text);
                    BoxedUint::from_be_slice_vartime(&bytes.expect("base64url"))
                });
                let key = rsa::PublicKey::new(n, e).expect("a key");
                let key = pkcs1v15::VerifyingKey::<sha2::Sha256>::new(key);
                let signature = pkcs1v15::Signature::try_from(signature).expect("one");
                Box::new(move || key.verify(black_box(&input), &signature).is_ok())
            }
            _ => panic!("no benchmark has {algorithm}"),
        }
    }
}
