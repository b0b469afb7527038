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
    pub(crate) mod shape;
    pub(crate) mod tokens;
}
use support::{
    compare::{compare, config},
    raw::raw_check,
    sample::case,
    shape::Shape,
    tokens::{AUDIENCE, ISSUER, assert_session, jwk, new_token, signing_key, token, verifier},
};

/// The claims as a user of jsonwebtoken would declare them.
#[derive(Deserialize)]
#[allow(dead_code, reason = "only read from the token")]
struct Claims {
    iss: String,
    /// A string or a list.
    aud: serde_json::Value,
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

        let (key, validation) = jsonwebtoken_rules(algorithm);
        assert!(decode::<Claims>(&token, &key, &validation).is_ok());

        let cases = vec![
            case("raw", || (), move |()| raw()),
            case(
                "uncached",
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

fn jsonwebtoken_rules(algorithm: Algorithm) -> (DecodingKey, Validation) {
    let jwk: Jwk = serde_json::from_str(&jwk(algorithm, "public")).expect("a key");
    let mut validation = Validation::new(algorithm.as_str().parse().expect("it knows it"));
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    (DecodingKey::from_jwk(&jwk).expect("a key"), validation)
}

/// Tokens in the shape of a provider's, each beside a plain one of its length.
fn shapes(c: &mut Criterion) {
    let uncached = verifier(Algorithm::HS256, 0);
    let (key, validation) = jsonwebtoken_rules(Algorithm::HS256);
    let issue = |shape: Shape, filler: usize| {
        let token = shape.add_to(new_token(signing_key(Algorithm::HS256)));
        match filler {
            0 => token.issue(),
            // `,"note":""` is ten bytes long.
            _ => token
                .with("note", "x".repeat(filler.saturating_sub(10)))
                .issue(),
        }
    };
    for shape in Shape::PROVIDERS {
        let shaped = issue(shape, 0);
        let missing = shaped.len() - issue(Shape::Plain, 0).len();
        let plain = issue(Shape::Plain, missing * 3 / 4);
        assert!(plain.len().abs_diff(shaped.len()) < 4);
        let mut raw = raw_check(Algorithm::HS256, &plain);
        assert!(raw());
        let mut cases = vec![case("raw", || (), move |()| raw())];
        for (name, token) in [("plain", &plain), (shape.name(), &shaped)] {
            assert_session(&uncached.verify(token).expect("it is accepted"));
            assert!(decode::<Claims>(token, &key, &validation).is_ok());
            cases.push(case(
                name,
                move || token,
                |token| uncached.verify(token.as_bytes()),
            ));
            cases.push(case(
                &format!("jsonwebtoken, {name}"),
                move || token,
                |token| decode::<Claims>(token, &key, &validation),
            ));
        }
        compare(c, &format!("shapes/{}", shape.name()), cases, |_| None);
    }
}

criterion_group! {
    name = benches;
    config = config();
    targets = verify, shapes
}
criterion_main!(benches);
