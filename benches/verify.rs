//! Cost of turning a token into a session, by algorithm: against the bare check of the same signature
//! with a prepared key, and against jsonwebtoken's `decode` of the same claims.
//!
//! ```text
//! cargo bench -p benches --bench verify
//! ```

use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{DecodingKey, Validation, decode, jwk::Jwk};
use serde::Deserialize;
use tower_session_token::Algorithm;

mod support {
    pub(crate) mod compare;
    pub(crate) mod raw;
    pub(crate) mod sample;
    pub(crate) mod tokens;
}
use support::{
    compare::{compare, config},
    raw::raw_check,
    sample::case,
    tokens::{AUDIENCE, ISSUER, assert_session, jwk, token, verifier},
};

/// The claims as a user of jsonwebtoken would declare them.
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
        let token = token(algorithm);
        let mut raw = raw_check(algorithm, &token);
        assert!(raw());

        let uncached = verifier(algorithm, 0);
        assert_session(&uncached.verify(token.as_bytes()).expect("it is accepted"));
        let cached = verifier(algorithm, 1 << 20);
        for _ in 0..3 {
            assert_session(&cached.verify(token.as_bytes()).expect("it is accepted"));
        }
        assert_eq!(cached.cache_stats().hits, 1);

        let jwk: Jwk = serde_json::from_str(&jwk(algorithm, "public")).expect("a key");
        let key = DecodingKey::from_jwk(&jwk).expect("a key");
        let mut validation = Validation::new(algorithm.as_str().parse().expect("it knows it"));
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        assert!(decode::<Claims>(&token, &key, &validation).is_ok());

        let cases = vec![
            case("raw", || (), move |()| raw()),
            case(
                "session",
                || &token,
                |token| uncached.verify(token.as_bytes()),
            ),
            case("cached", || &token, |token| cached.verify(token.as_bytes())),
            case(
                "jsonwebtoken",
                || &token,
                |token| decode::<Claims>(token, &key, &validation),
            ),
        ];
        compare(c, &format!("verify/{algorithm}"), cases, |_| None);
    }
}

criterion_group! {
    name = benches;
    config = config();
    targets = verify
}
criterion_main!(benches);
