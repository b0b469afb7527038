//! Cost of the layer per request: accepted, rejected, without a token. The unit is the bare check of
//! the same signature with a prepared key; the cost of the same call without a layer is subtracted.
//!
//! ```text
//! cargo bench -p benches --bench layer
//! ```

use criterion::{Criterion, criterion_group, criterion_main};
use http::StatusCode;
use tower::{Layer, Service, service_fn};
use tower_session_token::{Algorithm, Session, SessionLayer};

mod support {
    pub(crate) mod compare;
    pub(crate) mod raw;
    pub(crate) mod sample;
    pub(crate) mod service;
    pub(crate) mod tokens;
}
use support::{
    compare::compare,
    raw::raw_check,
    sample::case,
    service::{idle, looking, request, run},
    tokens::{assert_session, token, verifier},
};

const CACHE_BYTES: usize = 1 << 20;

fn layer(c: &mut Criterion) {
    let algorithm = Algorithm::HS256;
    let good = token(algorithm);
    let mut forged = good.clone().into_bytes();
    let middle = forged.len() - 20;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("text");
    let bearer = |token: &str| format!("Bearer {token}");
    let (with_token, malformed) = (bearer(&good), bearer("AAAAAAAAAAAAAA.AAAAAAAA.AAAAAAAAAA"));
    let forged = bearer(&forged);

    let mut raw = raw_check(algorithm, &good);
    assert!(raw());
    let mut cases = vec![
        case("raw", || (), move |()| raw()),
        case(
            "no layer",
            || request(Some(&with_token)),
            |request| run(idle(request)),
        ),
        case(
            "no layer, no token",
            || request(None),
            |request| run(idle(request)),
        ),
    ];
    for (name, cache_bytes, authorization, status) in [
        ("uncached", 0, Some(&with_token), StatusCode::OK),
        ("cached", CACHE_BYTES, Some(&with_token), StatusCode::OK),
        (
            "forged, header known",
            CACHE_BYTES,
            Some(&forged),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "malformed",
            CACHE_BYTES,
            Some(&malformed),
            StatusCode::UNAUTHORIZED,
        ),
        ("absent", CACHE_BYTES, None, StatusCode::UNAUTHORIZED),
    ] {
        let verifier = verifier(algorithm, cache_bytes);
        let layer = SessionLayer::new(verifier.clone());
        // A service has seen the header of its issuer's tokens before a forged one comes.
        assert_session(&verifier.verify(&good).expect("it is accepted"));
        let make = move || request(authorization.map(String::as_str));
        let response = run(layer.layer(service_fn(looking)).call(make()));
        assert_eq!(response.status(), status, "{name}");
        let session = response.extensions().get::<Session>();
        assert_eq!(session.is_some(), status == StatusCode::OK, "{name}");
        session.into_iter().for_each(assert_session);
        let mut service = layer.layer(service_fn(idle));
        for _ in 0..2 {
            run(service.call(make()));
        }
        let hits = if name == "cached" { 2 } else { 0 };
        assert_eq!(verifier.cache_stats().hits, hits);
        cases.push(case(name, make, move |request| run(service.call(request))));
    }
    compare(c, "layer/HS256", cases, |name| match name {
        "raw" => None,
        "absent" => Some("no layer, no token"),
        _ => Some("no layer"),
    });
}

criterion_group! {
    name = benches;
    config = support::compare::config();
    targets = layer
}
criterion_main!(benches);
