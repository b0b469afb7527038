//! A token becomes a session: each algorithm, against the bare signature check and against
//! jsonwebtoken's `decode` of the same claims.
//!
//! ```text
//! cargo bench --bench verify
//! ```

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{DecodingKey, Validation, decode, jwk::Jwk};
use serde::Deserialize;
use sha2::Sha256;
use tower_session_token::Algorithm;

mod support;
use support::{AUDIENCE, ISSUER, assert_session, jwk, token, verifier};

/// What a user of jsonwebtoken would read the same claims into.
#[derive(Deserialize)]
#[allow(dead_code, reason = "only read from the token")]
struct Claims {
    iss: String,
    aud: String,
    sub: uuid::Uuid,
    exp: i64,
    iat: i64,
    jti: uuid::Uuid,
    sid: uuid::Uuid,
    client_id: uuid::Uuid,
    name: String,
    locale: String,
    ui_locale: String,
    utc_offset: i64,
    server: String,
    instance: String,
}

fn verify(c: &mut Criterion) {
    for algorithm in [
        Algorithm::HS256,
        Algorithm::EdDSA,
        Algorithm::ES256,
        Algorithm::RS256,
    ] {
        let mut group = c.benchmark_group(format!("verify/{algorithm}"));
        let (token, verifier) = (token(algorithm), verifier(algorithm));
        assert_session(&verifier.verify(token.as_bytes()).expect("it is accepted"));
        group.bench_function("session", |b| {
            b.iter(|| verifier.verify(black_box(token.as_bytes())).is_ok());
        });

        let jwk: Jwk = serde_json::from_str(&jwk(algorithm, "public")).expect("a key");
        let key = DecodingKey::from_jwk(&jwk).expect("a key");
        let mut validation = Validation::new(algorithm.as_str().parse().expect("it knows it"));
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        assert!(decode::<Claims>(&token, &key, &validation).is_ok());
        group.bench_function("jsonwebtoken", |b| {
            b.iter(|| decode::<Claims>(black_box(&token), &key, &validation).is_ok());
        });

        if algorithm == Algorithm::HS256 {
            let (input, signature) = token.rsplit_once('.').expect("three parts");
            let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature);
            let signature = signature.expect("base64url");
            let key = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("a key");
            let raw = || {
                let mac = key.clone().chain_update(black_box(input.as_bytes()));
                mac.verify_slice(&signature).is_ok()
            };
            assert!(raw());
            group.bench_function("raw", |b| b.iter(raw));
        }
    }
}

criterion_group!(benches, verify);
criterion_main!(benches);
