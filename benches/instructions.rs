//! Instruction counts of the layer and the verifier: a limit that noise does not move.
//!
//! ```text
//! cargo install gungraun-runner --version 0.20.0
//! cargo bench -p benches --bench instructions
//! ```
//!
//! It needs valgrind, which knows no SHA extensions: SHA-256 runs in software there, so `hmac` counts
//! the bare check of the signature, and `uncached` less `hmac` is what the layer adds to it. By time,
//! signatures are measured in `layer` and `verify`. `no_layer` counts the call and the drop of the
//! request, which are part of every count of `layer`. Keys that are given or fetched verify EdDSA: its
//! count depends on the token, and on AVX2, which aws-lc uses where valgrind has it.
//!
//! A limit is the count with Rust 1.95 and glibc 2.36 on x86-64, plus 3 % of what is not SHA-256.
#![allow(missing_docs, unused_qualifications, reason = "the macros write them")]

use std::{convert::Infallible, future::ready, hint::black_box, time::Duration};

use bytes::Bytes;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, Service, service_fn};
use tower_session_token::{
    Algorithm, ClientHeaders, KeySet, KeyStore, Limits, RemoteKeys, Session, SessionLayer,
    SessionService, SessionToken, SessionTokenBuilder, SessionVerifier, TokenSource, User,
    VerifyingKey, testing::TestIssuer,
};

mod support {
    pub(crate) mod raw;
    pub(crate) mod service;
    pub(crate) mod shape;
    pub(crate) mod tokens;
}
use support::{
    raw::raw_check,
    service::{Answer, idle, looking, request, run},
    shape::Shape,
    tokens::{AUDIENCE, ISSUER, assert_session, jwk, new_token, signing_key, token, verifier},
};

const CACHE_BYTES: usize = 1 << 20;

type Idle = SessionService<tower::util::ServiceFn<fn(Request<()>) -> Answer>>;

/// Instructions of `hmac`.
const HMAC: u64 = 37_006;

fn at_most(counted: u64) -> LibraryBenchmarkConfig {
    at_most_beside(0, counted)
}

fn at_most_beside(sha: u64, counted: u64) -> LibraryBenchmarkConfig {
    limit(counted + (counted - sha) * 3 / 100)
}

/// For a key that is fetched, beside the count of the same with a key that is given.
fn within_1_percent(of_given: u64) -> LibraryBenchmarkConfig {
    limit(of_given + of_given / 100)
}

fn limit(limit: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, limit)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// A service, and a request that it answers with this status, warmed up by such requests.
fn prepared(
    cache_bytes: usize,
    authorization: Option<&str>,
    status: StatusCode,
) -> (Idle, Request<()>) {
    let layer = SessionLayer::new(verifier(Algorithm::HS256, cache_bytes));
    let make = || request(authorization);
    let mut looking = layer.layer(service_fn(looking));
    for _ in 0..3 {
        let response = run(looking.call(make()));
        assert_eq!(response.status(), status);
        let session = response.extensions().get::<Session>();
        assert_eq!(session.is_some(), status == StatusCode::OK);
        session.into_iter().for_each(assert_session);
    }
    let handler: fn(Request<()>) -> Answer = idle;
    (layer.layer(service_fn(handler)), make())
}

fn accepted(cache_bytes: usize) -> (Idle, Request<()>) {
    let bearer = format!("Bearer {}", token(Algorithm::HS256));
    prepared(cache_bytes, Some(&bearer), StatusCode::OK)
}

fn rejected(token: &str) -> (Idle, Request<()>) {
    let bearer = format!("Bearer {token}");
    prepared(CACHE_BYTES, Some(&bearer), StatusCode::UNAUTHORIZED)
}

/// A good token with another header.
fn rejected_with(header: &str) -> (Idle, Request<()>) {
    let token = token(Algorithm::HS256);
    let (_, rest) = token.split_once('.').expect("three parts");
    let header = base64_simd::URL_SAFE_NO_PAD.encode_to_string(header);
    rejected(&format!("{header}.{rest}"))
}

fn absent() -> (Idle, Request<()>) {
    prepared(CACHE_BYTES, None, StatusCode::UNAUTHORIZED)
}

#[library_benchmark]
#[bench::cached(args = [CACHE_BYTES], setup = accepted, config = at_most(2_992))]
#[bench::uncached(args = [0], setup = accepted, config = at_most_beside(HMAC, 46_347))]
#[bench::absent(args = [], setup = absent, config = at_most(1_770))]
#[bench::malformed(args = ["AAAAAAAAAAAAAA.AAAAAAAA.AAAAAAAAAA"], setup = rejected, config = at_most(3_293))]
#[bench::alg_none(args = [r#"{"alg":"none"}"#], setup = rejected_with, config = at_most(3_957))]
#[bench::unknown_kid(args = [r#"{"alg":"HS256","kid":"k2"}"#], setup = rejected_with, config = at_most(4_190))]
fn layer((mut service, request): (Idle, Request<()>)) -> (Idle, Response<()>) {
    let response = run(black_box(&mut service).call(black_box(request)));
    // What is returned is dropped uncounted.
    (service, response)
}

fn request_alone(has_token: bool) -> Request<()> {
    let (_, request) = if has_token {
        accepted(CACHE_BYTES)
    } else {
        absent()
    };
    request
}

#[library_benchmark]
#[bench::token(args = [true], setup = request_alone, config = at_most(1_071))]
#[bench::no_token(args = [false], setup = request_alone, config = at_most(912))]
fn no_layer(request: Request<()>) -> Response<()> {
    run(idle(black_box(request)))
}

fn raw() -> Box<dyn FnMut() -> bool> {
    raw_check(Algorithm::HS256, &token(Algorithm::HS256))
}

#[library_benchmark]
#[bench::hs256(args = [], setup = raw, config = at_most(HMAC))]
fn hmac(mut check: Box<dyn FnMut() -> bool>) -> (Box<dyn FnMut() -> bool>, bool) {
    let is_good = check();
    (check, is_good)
}

fn remembered() -> (SessionVerifier, String) {
    let (verifier, token) = (
        verifier(Algorithm::HS256, CACHE_BYTES),
        token(Algorithm::HS256),
    );
    for _ in 0..3 {
        assert!(verifier.verify(token.as_bytes()).is_ok());
    }
    assert_eq!(verifier.cache_stats().hits, 1);
    (verifier, token)
}

/// As [`of_issuers`], where the keys of another issuer have verified the same JOSE header.
fn of_one_header(count: usize, cache_bytes: usize) -> (SessionVerifier, String) {
    let (verifier, token) = of_issuers(count, cache_bytes);
    let others = new_token(signing_key(Algorithm::HS256)).with("iss", "https://1.example.com");
    assert!(verifier.verify(others.issue()).is_ok());
    (verifier, token)
}

/// A verifier of this number of issuers, of which the last one issues the token.
fn of_issuers(count: usize, cache_bytes: usize) -> (SessionVerifier, String) {
    let others = (1..count).map(|number| {
        let key = VerifyingKey::from_jwk(jwk(Algorithm::HS256, "public")).expect("a test key");
        SessionVerifier::builder()
            .key(key)
            .issuer(format!("https://{number}.example.com"))
            .audience(AUDIENCE)
            .cache_bytes(cache_bytes)
            .build()
            .expect("a verifier")
    });
    let last = verifier(Algorithm::HS256, cache_bytes);
    let verifier = SessionVerifier::of_issuers(others.chain([last])).expect("several issuers");
    warmed_up(verifier, token(Algorithm::HS256))
}

/// By then everything that is created once exists, and the cache has its entry.
fn warmed_up(verifier: SessionVerifier, token: String) -> (SessionVerifier, String) {
    for _ in 0..3 {
        assert!(verifier.verify(token.as_bytes()).is_ok());
    }
    (verifier, token)
}

/// A verifier of a provider's token: its key is given, or fetched.
fn of_provider(is_fetched: bool, cache_bytes: usize) -> (SessionVerifier, String) {
    let key = signing_key(Algorithm::EdDSA);
    let set = KeySet::new([key.verifying_key()]).expect("a set");
    let store = if is_fetched {
        let jwks = set.to_jwks();
        let client = service_fn(move |_: Request<String>| {
            let body = Full::new(Bytes::from(jwks.clone()));
            ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().expect("a runtime");
        let keys = RemoteKeys::at("https://id.example.com/jwks").client(client);
        let keys = runtime.block_on(keys.load()).expect("keys");
        // The keys are in force as long as their runtime is there.
        std::mem::forget(runtime);
        KeyStore::from(&keys)
    } else {
        set.into()
    };
    let verifier = SessionVerifier::builder()
        .keys(store)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .max_lifetime(Duration::MAX)
        .cache_bytes(cache_bytes)
        .build()
        .expect("a verifier");
    // Always the same, since the time of the check of its signature depends on that.
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": 1_700_000_000, "exp": 4_000_000_000_u64,
        "sub": "a7c9d3a4-5d0a-4c5c-8a58-3f2b8d0e7f11", "name": "Иван Петров",
        "sid": "0d9c8b7a-6f5e-4d3c-9b2a-1f0e9d8c7b6a", "jti": "11111111-2222-4333-8444-555555555555",
        "client_id": "99999999-8888-4777-8666-555555555555", "locale": "ru-RU", "ui_locale": "en-US",
        "utc_offset": 180, "server": "main", "instance": "default",
    });
    let header = json!({ "alg": "EdDSA", "typ": "session+jwt", "kid": "ed25519" });
    let token = TestIssuer::with_key(key).sign_raw(header.to_string(), claims.to_string());
    warmed_up(verifier, token)
}

#[library_benchmark]
#[bench::cached(args = [], setup = remembered, config = at_most(540))]
#[bench::cached_of_8_issuers(args = [8, CACHE_BYTES], setup = of_issuers, config = at_most(540))]
#[bench::uncached(args = [1, 0], setup = of_issuers, config = at_most_beside(HMAC, 43_661))]
#[bench::uncached_of_8_issuers(args = [8, 0], setup = of_issuers, config = at_most_beside(HMAC, 44_466))]
#[bench::uncached_of_one_header(args = [8, 0], setup = of_one_header, config = at_most_beside(HMAC, 49_074))]
#[bench::given_key_cached(args = [false, CACHE_BYTES], setup = of_provider, config = at_most(539))]
#[bench::fetched_key_cached(args = [true, CACHE_BYTES], setup = of_provider, config = within_1_percent(539))]
#[bench::given_key(args = [false, 0], setup = of_provider, config = at_most(497_485))]
#[bench::fetched_key(args = [true, 0], setup = of_provider, config = within_1_percent(497_485))]
fn verify((verifier, token): (SessionVerifier, String)) -> (SessionVerifier, String, Session) {
    let session = black_box(&verifier).verify(black_box(token.as_bytes()));
    (verifier, token, session.expect("it is accepted"))
}

/// A verifier without a cache, and a token in the shape of a provider's.
fn shaped(shape: Shape) -> (SessionVerifier, String) {
    let verifier = verifier(Algorithm::HS256, 0);
    let token = shape.add_to(new_token(signing_key(Algorithm::HS256)));
    let token = token.issue();
    assert_session(&verifier.verify(&token).expect("it is accepted"));
    (verifier, token)
}

// The bare check of the signature is the first number of each limit.
#[library_benchmark]
#[bench::plain(args = [Shape::Plain], setup = shaped, config = at_most_beside(HMAC, 43_653))]
#[bench::keycloak(args = [Shape::Keycloak], setup = shaped, config = at_most_beside(66_994, 80_026))]
#[bench::entra(args = [Shape::Entra], setup = shaped, config = at_most_beside(73_658, 88_542))]
#[bench::auth0(args = [Shape::Auth0], setup = shaped, config = at_most_beside(60_330, 72_015))]
fn shapes((verifier, token): (SessionVerifier, String)) -> (SessionVerifier, String, Session) {
    let session = black_box(&verifier).verify(black_box(token.as_bytes()));
    (verifier, token, session.expect("it is accepted"))
}

fn builder() -> SessionTokenBuilder {
    let offset = chrono::FixedOffset::east_opt(3 * 3600).expect("an offset");
    let uuid = uuid::Uuid::new_v4;
    SessionToken::builder(User::new(uuid()).with_name("Иван Петров"))
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .application_id(uuid())
        .culture("ru-RU")
        .ui_culture("en-US")
        .utc_offset(offset)
        .server_code("main")
        .instance_name("default")
        .lifetime(Duration::from_secs(3600))
}

// Building a token writes its claims and reads them again.
#[library_benchmark]
#[bench::claims(args = [], setup = builder, config = at_most(21_440))]
fn build(builder: SessionTokenBuilder) -> SessionToken {
    black_box(builder).build().expect("a token")
}

const LENGTH: usize = 64 * 1024;

/// A service whose limits allow 64 KiB, and that reads every field it can be configured to read.
fn patient() -> Idle {
    let limits = Limits::default()
        .with_token_bytes(LENGTH)
        .with_header_bytes(LENGTH);
    let key = VerifyingKey::from_jwk(jwk(Algorithm::HS256, "public")).expect("a test key");
    let verifier = SessionVerifier::builder()
        .key(key)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .limits(limits)
        .build()
        .expect("a verifier");
    let layer = SessionLayer::new(verifier)
        .token_sources([
            TokenSource::bearer(),
            TokenSource::header(http::HeaderName::from_static("x-token")),
            TokenSource::cookie("session").expect("a name"),
            TokenSource::websocket_protocol("bearer.").expect("a prefix"),
        ])
        .client_headers(ClientHeaders::all());
    let handler: fn(Request<()>) -> Answer = idle;
    layer.layer(service_fn(handler))
}

/// A JOSE header of 64 KiB of members in random order; it is read before the signature.
fn many_members() -> (Idle, Request<()>) {
    let mut header = String::from(r#"{"alg":"HS256""#);
    let mut name = 1_u16;
    while header.len() < LENGTH / 4 * 3 - 40 {
        name = name.wrapping_mul(40_501).wrapping_add(1);
        header += &format!(",\"{name:x}\":1");
    }
    header.push('}');
    let header = base64_simd::URL_SAFE_NO_PAD.encode_to_string(header);
    let bearer = format!("Bearer {header}.e30.AA");
    (patient(), request(Some(&bearer)))
}

/// A request with a cached token, and these fields around it.
fn around_a_good_token(name: &'static str, value: &'static str) -> (Idle, Request<()>) {
    let mut service = patient();
    let bearer = format!("Bearer {}", token(Algorithm::HS256));
    for _ in 0..3 {
        assert_eq!(run(service.call(request(Some(&bearer)))).status(), 200);
    }
    let mut request = request(Some(&bearer));
    for _ in 0..(LENGTH - 1024) / (name.len() + value.len() + 4) {
        request
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    (service, request)
}

// The slowest known inputs of 64 KiB, none of which may take a millisecond: the first, by far the
// slowest, takes 0.4 ms where `layer` and `verify` are measured.
#[library_benchmark]
#[bench::members(args = [], setup = many_members, config = at_most(2_470_063))]
#[bench::cookies(args = ["cookie", ""], setup = around_a_good_token, config = at_most(506_376))]
#[bench::cultures(args = ["client-culture", ""], setup = around_a_good_token, config = at_most(412_062))]
fn worst((mut service, request): (Idle, Request<()>)) -> (Idle, Response<()>) {
    let response = run(black_box(&mut service).call(black_box(request)));
    (service, response)
}

library_benchmark_group!(name = counts; benchmarks = layer, no_layer, hmac, verify, shapes, build, worst);
main!(library_benchmark_groups = counts);
