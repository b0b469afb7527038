//! Keys that are fetched from a provider, in virtual time. The provider is a service in this process.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_executor::block_on;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    runtime,
    time::{self, Instant},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_session_token::{
    Algorithm, FetchErrorKind, KeyEvent, KeySet, KeySnapshot, RemoteKeys, RemoteKeysBuilder,
    RemoteKeysState as State, SessionContext, SessionErrorKind as Kind, SessionLayer,
    SessionVerifier, SigningKey, TokenType, User, WaitingLayer, testing::TestIssuer,
};

use crate::support::{AUDIENCE, Body, bearer, error_of, now};

const ISSUER: &str = "https://id.example.com/realms/shop";
const JWKS_URI: &str = "https://keys.example.com/shop";
const DATE: (&str, &str) = ("date", "Thu, 15 Jan 2026 12:00:00 GMT");

/// A provider whose responses a test sets.
#[derive(Clone)]
struct Provider(Arc<Mutex<Script>>);

struct Script {
    /// The response to a request for the set.
    set: Answer,
    /// The response to a request for the metadata at the first place.
    metadata: Answer,
    latency: Duration,
    /// The path of each request.
    log: Vec<String>,
    headers: HeaderMap,
}

#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Bytes,
    /// The size of a frame and the time before each; the time before a failure.
    chunks: Option<(usize, Duration)>,
}

fn ok(body: impl Into<Bytes>) -> Answer {
    Answer {
        status: 200,
        headers: Vec::new(),
        body: body.into(),
        chunks: None,
    }
}

fn status(status: u16) -> Answer {
    Answer { status, ..ok("{}") }
}

/// Never ends: before the header with a status of 0, else in the body.
fn silence(status: u16) -> Answer {
    Answer {
        status,
        chunks: Some((1, seconds(3600))),
        ..ok("{}")
    }
}

impl Answer {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A body whose frames come one after the other.
struct Chunks {
    rest: Bytes,
    len: usize,
    pause: Duration,
    next: std::pin::Pin<Box<time::Sleep>>,
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        std::task::ready!(self.next.as_mut().poll(cx));
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let len = self.len.min(self.rest.len());
        let data = self.rest.split_to(len);
        let pause = self.pause;
        self.next.as_mut().reset(Instant::now() + pause);
        Poll::Ready(Some(Ok(http_body::Frame::data(data))))
    }
}

impl Provider {
    fn new(keys: &[&SigningKey]) -> Self {
        let provider = Self(Arc::new(Mutex::new(Script {
            set: ok(""),
            metadata: ok(json!({ "issuer": ISSUER, "jwks_uri": JWKS_URI, "x": 1 }).to_string()),
            latency: Duration::from_millis(20),
            log: Vec::new(),
            headers: HeaderMap::new(),
        })));
        provider.publish(keys);
        provider
    }

    fn publish(&self, keys: &[&SigningKey]) {
        let keys = keys.iter().map(|key| key.verifying_key());
        self.answer(ok(KeySet::new(keys).unwrap().to_jwks()));
    }

    fn answer(&self, answer: Answer) {
        self.0.lock().unwrap().set = answer;
    }

    fn slow(&self, latency: Duration) {
        self.0.lock().unwrap().latency = latency;
    }

    /// The requests for the set since the last call.
    fn reads(&self) -> usize {
        let mut script = self.0.lock().unwrap();
        script.log.drain(..).filter(|path| path == "/shop").count()
    }

    async fn respond(self, request: Request<Body>) -> Result<Response<Chunks>, &'static str> {
        let (answer, latency) = {
            let mut script = self.0.lock().unwrap();
            let path = request.uri().path().to_owned();
            script.headers = request.headers().clone();
            let answer = match &*path {
                "/shop" => script.set.clone(),
                "/realms/shop/.well-known/openid-configuration" => script.metadata.clone(),
                _ => status(404),
            };
            script.log.push(path);
            (answer, script.latency)
        };
        let (len, pause) = answer.chunks.unwrap_or((usize::MAX, Duration::ZERO));
        time::sleep(latency).await;
        if answer.status == 0 {
            time::sleep(pause).await;
            return Err("the network is down");
        }
        let mut response = Response::builder().status(answer.status);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        let body = Chunks {
            rest: answer.body,
            len,
            pause,
            next: Box::pin(time::sleep(pause)),
        };
        Ok(response.body(body).unwrap())
    }

    fn client(
        &self,
    ) -> impl Service<Request<Body>, Response = Response<Chunks>, Error = &'static str, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static {
        let provider = self.clone();
        service_fn(move |request| provider.clone().respond(request))
    }

    fn discover(&self) -> RemoteKeysBuilder {
        RemoteKeys::discover(ISSUER).client(self.client())
    }

    fn at(&self) -> RemoteKeysBuilder {
        RemoteKeys::at(JWKS_URI).client(self.client())
    }
}

fn key(id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).unwrap().with_id(id)
}

fn issuer(key: &SigningKey) -> TestIssuer {
    let issuer = TestIssuer::with_key(key.clone())
        .issuer(ISSUER)
        .audience(AUDIENCE);
    issuer.clock().set(now());
    issuer
}

fn token(key: &SigningKey) -> String {
    issuer(key).token(User::new("ann")).issue()
}

fn verifier(keys: &RemoteKeys) -> SessionVerifier {
    SessionVerifier::builder()
        .keys(keys)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .clock(now)
        .build()
        .unwrap()
}

fn waiting(keys: &RemoteKeys) -> WaitingLayer {
    SessionLayer::new(verifier(keys)).wait_for_keys()
}

/// Sends a token through the layer, and returns the status and the error.
async fn send<L>(layer: &L, token: &str) -> (u16, Option<Kind>)
where
    L: Layer<Inner>,
    L::Service: Service<Request<()>, Response = Response<Body>, Error = Infallible>,
{
    let response = layer.layer(Inner).oneshot(bearer(token)).await.unwrap();
    let error = response
        .extensions()
        .get::<tower_session_token::SessionError>();
    (response.status().as_u16(), error.map(|error| error.kind()))
}

#[derive(Clone)]
struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert_eq!(SessionContext::current().unwrap().user().id(), "ann");
        std::future::ready(Ok(Response::default()))
    }
}

/// A limit of concurrency, whose permit is held from `poll_ready` on.
struct Limited {
    permits: Arc<AtomicUsize>,
    has_permit: bool,
}

impl Limited {
    fn new(permits: usize) -> Self {
        Self {
            permits: Arc::new(permits.into()),
            has_permit: false,
        }
    }
}

impl Clone for Limited {
    fn clone(&self) -> Self {
        Self {
            permits: Arc::clone(&self.permits),
            has_permit: false,
        }
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.permits
            .fetch_add(self.has_permit.into(), Ordering::SeqCst);
    }
}

impl Service<Request<()>> for Limited {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if !self.has_permit {
            let left = self.permits.fetch_sub(1, Ordering::SeqCst);
            assert!(left > 0, "the permits are held");
            self.has_permit = true;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.has_permit), "it was not ready");
        self.permits.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(Response::default()))
    }
}

/// Runs a test in virtual time.
fn virtually<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_keys_of_an_issuer_are_found_by_its_metadata() {
    virtually(async {
        let key = key("a");
        let provider = Provider::new(&[&key]);
        let keys = provider.discover().start().unwrap();
        assert!(!keys.is_ready());
        assert_eq!(send(&waiting(&keys), &token(&key)).await, (200, None));
        assert!(keys.is_ready());
        let script = provider.0.lock().unwrap();
        let places = ["/realms/shop/.well-known/openid-configuration", "/shop"];
        assert_eq!(script.log, places);
        assert_eq!(
            script.headers["accept"],
            "application/jwk-set+json, application/json"
        );
        assert!(!script.headers.contains_key("accept-encoding"));
    });
}

#[test]
fn metadata_are_looked_for_in_further_places_and_must_be_the_issuer_s() {
    let metadata = |issuer: &str, jwks_uri: &str| {
        ok(json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string())
    };
    let with = |members: &str| ok(format!(r#"{{"issuer":"{ISSUER}"{members}}}"#));
    let uri = format!(r#","jwks_uri":"{JWKS_URI}""#);
    for (answer, want) in [
        (status(404), FetchErrorKind::Status(StatusCode::NOT_FOUND)),
        (
            status(302).with("location", JWKS_URI),
            FetchErrorKind::Status(StatusCode::FOUND),
        ),
        (status(0), FetchErrorKind::Client),
        (ok(" ".repeat((256 << 10) + 1)), FetchErrorKind::TooLarge),
        (ok("<html>"), FetchErrorKind::NotMetadata),
        (ok("{}"), FetchErrorKind::NotMetadata),
        (with(""), FetchErrorKind::NotMetadata),
        (with(r#","jwks_uri":[]"#), FetchErrorKind::NotMetadata),
        (with(&format!("{uri}{uri}")), FetchErrorKind::NotMetadata),
        (
            with(&format!(r#"{uri},"issuer":"{ISSUER}""#)),
            FetchErrorKind::NotMetadata,
        ),
        (
            with(&format!(r#"{uri},"x":[{{"y":1,"\u0079":1}}]"#)),
            FetchErrorKind::NotMetadata,
        ),
        (
            metadata("https://id.example.com/realms/shop/", JWKS_URI),
            FetchErrorKind::IssuerMismatch,
        ),
        (
            metadata("https://login.example.com/{tenantid}/v2.0", JWKS_URI),
            FetchErrorKind::IssuerMismatch,
        ),
    ] {
        virtually(async {
            let provider = Provider::new(&[&key("a")]);
            provider.0.lock().unwrap().metadata = answer;
            let keys = provider.discover().start().unwrap();
            time::sleep(Duration::from_millis(500)).await;
            let state = keys.status();
            assert_eq!(
                (state.state, state.last_failure),
                (State::Loading, Some(want))
            );
            assert_eq!(provider.0.lock().unwrap().log.len(), 3);
        });
    }
    for (jwks_uri, want) in [
        ("http://keys.example.com/shop", FetchErrorKind::InsecureUri),
        ("/shop", FetchErrorKind::InsecureUri),
    ] {
        virtually(async {
            let provider = Provider::new(&[&key("a")]);
            provider.0.lock().unwrap().metadata = metadata(ISSUER, jwks_uri);
            let keys = RemoteKeys::discover(ISSUER).client(provider.client());
            let error = keys.load().await.unwrap_err();
            assert_eq!(
                (error.option(), error.reason()),
                ("load", &*want.to_string())
            );
        });
    }
}

#[test]
fn a_set_that_has_moved_is_found_again() {
    virtually(async {
        let (old, new) = (key("a"), key("b"));
        let provider = Provider::new(&[&old]);
        let keys = provider.discover().load().await.unwrap();
        let moved = json!({ "issuer": ISSUER, "jwks_uri": "https://new.example.com/keys" });
        provider.0.lock().unwrap().metadata = ok(moved.to_string());
        provider.answer(status(410));
        time::sleep(seconds(700)).await;
        let log = provider.0.lock().unwrap().log.clone();
        assert!(log.iter().any(|path| path == "/keys"), "{log:?}");
        // The metadata fail too: the set is asked for where it was.
        provider.0.lock().unwrap().metadata = status(0);
        provider.publish(&[&new]);
        let moved = json!({ "issuer": ISSUER, "jwks_uri": JWKS_URI });
        provider.0.lock().unwrap().metadata = ok(moved.to_string());
        time::sleep(seconds(900)).await;
        assert_eq!(verifier(&keys).verify(token(&new)).err(), None);
    });
}

#[test]
fn each_failure_of_a_read_has_its_reason_and_keeps_the_keys() {
    let jwk = |members: Value| json!({ "keys": [members] }).to_string();
    let large = format!(r#"{{"keys":[]}}{}"#, " ".repeat(256 << 10));
    let nested = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let slow = |body: String| Answer {
        chunks: Some((1, seconds(1))),
        ..ok(body)
    };
    let endless = Answer {
        chunks: Some((4096, Duration::from_millis(1))),
        ..ok(vec![b' '; 1 << 20])
    };
    let of = |status: u16| FetchErrorKind::Status(StatusCode::from_u16(status).unwrap());
    let unusable = FetchErrorKind::NoUsableKey;
    // A set with a usable key, but for these members of the key and of the set.
    let good = key("b").verifying_key().to_jwk().unwrap();
    let good = good.strip_suffix('}').unwrap();
    let set = |of_key: &str, of_set: &str| ok(format!(r#"{{"keys":[{good}{of_key}}}]{of_set}}}"#));
    assert!(KeySet::from_jwks(set("", "").body).is_ok());
    for (name, answer, want) in [
        ("no connection", status(0), FetchErrorKind::Client),
        ("silence", silence(0), FetchErrorKind::Timeout),
        (
            "silence after the header",
            silence(200),
            FetchErrorKind::Timeout,
        ),
        ("no body", ok(""), unusable),
        (
            "a byte a second",
            slow("{\"keys\":[]}".to_owned()),
            FetchErrorKind::Timeout,
        ),
        ("without end", endless, FetchErrorKind::TooLarge),
        ("too large", ok(large), FetchErrorKind::TooLarge),
        (
            "500 with max-age",
            status(500).with("cache-control", "max-age=86400"),
            of(500),
        ),
        ("404", status(404), of(404)),
        ("429", status(429).with("retry-after", "1"), of(429)),
        (
            "redirect",
            status(301).with("location", "http://example.com"),
            of(301),
        ),
        (
            "redirect",
            status(302).with("location", "https://example.com"),
            of(302),
        ),
        ("no content", status(204), of(204)),
        ("not modified", status(304), of(304)),
        ("HTML", ok("<html>"), unusable),
        ("no members", ok("{}"), unusable),
        ("a list", ok("[]"), unusable),
        ("keys as an object", ok(r#"{"keys":{}}"#), unusable),
        ("no key", ok(r#"{"keys":[]}"#), unusable),
        (
            "gzip",
            ok(&b"\x1f\x8b\x08\x00"[..]).with("content-encoding", "gzip"),
            unusable,
        ),
        ("nested", ok(nested.clone()), unusable),
        (
            "nested in a key",
            set(&format!(r#","x5c":{nested}"#), ""),
            unusable,
        ),
        (
            "nested beside the keys",
            set("", &format!(r#","x":{nested}"#)),
            unusable,
        ),
        ("keys twice", set("", r#","keys":[]"#), unusable),
        (
            "a member of a key twice",
            set(r#","kid":"b""#, ""),
            unusable,
        ),
        (
            "a member twice, once in escapes",
            set(r#","\u006bid":"b""#, ""),
            unusable,
        ),
        (
            "an unknown member twice",
            set("", r#","a":1,"a":1"#),
            unusable,
        ),
        (
            "a member twice in an unknown one",
            set(r#","x":[{"a":{"b":1,"b":1}}]"#, ""),
            unusable,
        ),
        ("more than JSON", set("", "}{"), unusable),
        ("no UTF-8", ok(&b"{\"keys\":[],\"\xff\":1}"[..]), unusable),
        (
            "10,000 keys",
            ok(format!(r#"{{"keys":[{{}}{}]}}"#, ",{}".repeat(9_999))),
            unusable,
        ),
        (
            "a key ID of 1 MiB",
            ok(jwk(json!({ "kid": "k".repeat(1 << 20) }))),
            FetchErrorKind::TooLarge,
        ),
        (
            "a key ID that is no string",
            ok(jwk(json!({ "kty": "OKP", "crv": "Ed25519", "kid": 1, "x":
                "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }))),
            unusable,
        ),
        (
            "for encryption",
            set(r#","key_ops":["wrapKey"]"#, ""),
            unusable,
        ),
        (
            "AKP",
            ok(jwk(
                json!({ "kty": "AKP", "alg": "ML-DSA-65", "pub": "AA" }),
            )),
            unusable,
        ),
        (
            "X25519",
            ok(jwk(json!({ "kty": "OKP", "crv": "X25519", "x": "AA" }))),
            unusable,
        ),
        (
            "a secret",
            ok(jwk(
                json!({ "kty": "oct", "alg": "HS256", "k": "A".repeat(43) }),
            )),
            unusable,
        ),
        (
            "a private key",
            ok(jwk(json!({
                "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            }))),
            unusable,
        ),
        (
            "weak",
            ok(jwk(
                json!({ "kty": "RSA", "alg": "RS256", "n": "AQAB", "e": "AQAB" }),
            )),
            unusable,
        ),
    ] {
        virtually(async {
            let key = key("a");
            let provider = Provider::new(&[&key]);
            let keys = provider.at().load().await.unwrap();
            provider.answer(answer);
            assert_eq!(keys.refresh().await, Err(want), "{name}");
            let now = keys.status();
            assert_eq!(
                (now.state, now.keys, now.failures_in_a_row),
                (State::Fresh, 1, 1),
                "{name}"
            );
            assert!(now.next_read_in <= seconds(6), "{name}");
            assert_eq!(
                send(&waiting(&keys), &token(&key)).await,
                (200, None),
                "{name}"
            );
            // And without keys.
            let keys = provider.at().start().unwrap();
            time::sleep(seconds(6)).await;
            let now = keys.status();
            assert_eq!(
                (now.state, now.last_failure),
                (State::Loading, Some(want)),
                "{name}"
            );
            assert!(!keys.is_ready(), "{name}");
            let error = verifier(&keys).verify(token(&key)).unwrap_err();
            assert_eq!(error.kind(), Kind::KeysUnavailable, "{name}");
        });
    }
}

#[test]
fn usable_keys_are_read_beside_unusable_ones() {
    virtually(async {
        let (key, secret) = (key("a"), "A".repeat(43));
        let provider = Provider::new(&[&key]);
        let mut keys: Vec<Value> = vec![
            json!({ "kty": "oct", "alg": "HS256", "kid": "secret", "k": secret }),
            json!({ "kty": "AKP", "alg": "ML-DSA-65", "kid": "later", "pub": "AA" }),
            json!({ "kty": "EC", "crv": "P-256", "kid": "x".repeat(1 << 16), "x": "A", "y": "A" }),
        ];
        let jwk = key.verifying_key().to_jwk().unwrap();
        keys.push(serde_json::from_str(&jwk).unwrap());
        keys.push(serde_json::from_str(&jwk).unwrap());
        provider.answer(ok(json!({ "keys": keys }).to_string()));
        let remote = provider.at().load().await.unwrap();
        let status = remote.status();
        assert_eq!((status.keys, status.skipped.len()), (1, 4));
        assert_eq!(
            status.skipped[0].reason(),
            "it is private, and was published"
        );
        assert_eq!(verifier(&remote).verify(token(&key)).err(), None);
        // The published secret verifies nothing.
        let forged = TestIssuer::with_key(SigningKey::hs256([0; 32]).unwrap().with_id("secret"))
            .issuer(ISSUER)
            .audience(AUDIENCE);
        forged.clock().set(now());
        let forged = forged.token(User::new("ann")).issue();
        let error = verifier(&remote).verify(forged).unwrap_err();
        assert_eq!(error.kind(), Kind::TokenUnacceptable);
    });
}

#[test]
fn the_first_64_keys_of_a_set_are_taken() {
    virtually(async {
        let (known, beyond) = (key("a"), key("b"));
        let jwk = |key: &SigningKey| key.verifying_key().to_jwk().unwrap();
        let mut keys = vec![r#"{"kty":"AKP"}"#.to_owned(); 10_000];
        (keys[63], keys[64]) = (jwk(&known), jwk(&beyond));
        let provider = Provider::new(&[&known]);
        provider.answer(ok(format!(r#"{{"keys":[{}]}}"#, keys.join(","))));
        let remote = provider.at().load().await.unwrap();
        let status = remote.status();
        assert_eq!((status.keys, status.skipped.len()), (1, 64));
        let last = &status.skipped[63];
        assert_eq!(
            (last.position(), last.reason()),
            (65, "no more than 64 keys of a set are used")
        );
        assert_eq!(verifier(&remote).verify(token(&known)).err(), None);
        assert_eq!(send(&waiting(&remote), &token(&beyond)).await.0, 401);
    });
}

#[test]
fn requests_with_a_new_key_wait_for_one_read() {
    for (lag, reads) in [(0, 1), (500, 2), (2000, 3), (2900, 3)] {
        virtually(async {
            let (old, new) = (key("a"), key("b"));
            let provider = Provider::new(&[&old]);
            let keys = provider.at().load().await.unwrap();
            let (layer, token) = (waiting(&keys), token(&new));
            provider.reads();
            let publish = async {
                time::sleep(Duration::from_millis(lag)).await;
                provider.publish(&[&old, &new]);
            };
            let mut requests = tokio::task::JoinSet::new();
            for _ in 0..1000 {
                let (layer, token) = (layer.clone(), token.clone());
                requests.spawn(async move { send(&layer, &token).await });
            }
            let (answers, ()) = tokio::join!(requests.join_all(), publish);
            assert!(answers.iter().all(|answer| *answer == (200, None)), "{lag}");
            assert_eq!(provider.reads(), reads, "{lag}");
        });
    }
}

#[test]
fn a_layer_that_does_not_wait_answers_503_while_a_read_can_help() {
    virtually(async {
        let (old, new) = (key("a"), key("b"));
        let provider = Provider::new(&[&old]);
        let keys = provider.at().load().await.unwrap();
        provider.publish(&[&new]);
        let layer = SessionLayer::new(verifier(&keys));
        let response = layer
            .layer(Inner)
            .oneshot(bearer(&token(&new)))
            .await
            .unwrap();
        assert_eq!(
            (response.status().as_u16(), error_of(&response).code()),
            (503, "keys_unavailable")
        );
        assert_eq!(response.headers()["retry-after"], "1");
        time::sleep(seconds(1)).await;
        assert_eq!(send(&layer, &token(&new)).await, (200, None));
        // The old key is withdrawn, from the cache too.
        assert_eq!(
            send(&layer, &token(&old)).await,
            (503, Some(Kind::KeysUnavailable))
        );
        time::sleep(seconds(4)).await;
        assert_eq!(
            send(&layer, &token(&old)).await,
            (401, Some(Kind::TokenUnacceptable))
        );
    });
}

#[test]
fn a_hopeless_token_causes_no_read_and_does_not_wait() {
    virtually(async {
        let (ours, other) = (key("a"), key("b"));
        let provider = Provider::new(&[&ours]);
        let keys = provider.at().load().await.unwrap();
        let layer = waiting(&keys);
        provider.reads();
        let unknown = || issuer(&other).token(User::new("ann"));
        let secret = TestIssuer::with_key(SigningKey::hs256([1; 32]).unwrap().with_id("b"))
            .issuer(ISSUER)
            .audience(AUDIENCE);
        secret.clock().set(now());
        let claims = json!({ "iss": ISSUER }).to_string();
        let before = Instant::now();
        for (name, token) in [
            (
                "issuer",
                issuer(&other)
                    .issuer("https://example.org")
                    .token(User::new("ann"))
                    .issue(),
            ),
            ("audience", unknown().with("aud", "stock").issue()),
            (
                "expired",
                unknown().with("exp", now().timestamp() - 61).issue(),
            ),
            (
                "early",
                unknown().with("nbf", now().timestamp() + 61).issue(),
            ),
            ("type", unknown().token_type(TokenType::AccessToken).issue()),
            ("claims", unknown().without("sub").issue()),
            ("HMAC", secret.token(User::new("ann")).issue()),
            (
                "none",
                issuer(&other).sign_raw(r#"{"alg":"none","kid":"b"}"#, &claims),
            ),
            ("other alg of a known key", {
                let key = SigningKey::generate(Algorithm::EdDSA).unwrap().with_id("a");
                token(&key)
            }),
        ] {
            let (status, kind) = send(&layer, &token).await;
            assert_eq!(
                (status, kind),
                (401, Some(Kind::TokenUnacceptable)),
                "{name}"
            );
        }
        assert_eq!(
            send(&layer, "a.b.c").await,
            (401, Some(Kind::TokenMalformed))
        );
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(provider.reads(), 0);
        // Nor while there are no keys.
        provider.answer(status(500));
        let keys = provider.at().start().unwrap();
        let token = unknown().with("aud", "stock").issue();
        assert_eq!(send(&waiting(&keys), &token).await.0, 401);
    });
}

#[test]
fn an_unknown_key_is_rejected_after_three_reads() {
    virtually(async {
        let provider = Provider::new(&[&key("a")]);
        let keys = provider.at().load().await.unwrap();
        provider.reads();
        let before = Instant::now();
        let answer = send(&waiting(&keys), &token(&key("b"))).await;
        assert_eq!(answer, (401, Some(Kind::TokenUnacceptable)));
        assert_eq!(provider.reads(), 3);
        assert!(before.elapsed() < Duration::from_millis(3100));
    });
}

#[test]
fn a_new_key_without_an_id_is_found() {
    virtually(async {
        let generate = || SigningKey::generate(Algorithm::ES256).unwrap();
        let (old, new) = (generate(), generate());
        let provider = Provider::new(&[&old]);
        let keys = provider.at().load().await.unwrap();
        assert_eq!(send(&waiting(&keys), &token(&old)).await, (200, None));
        provider.publish(&[&new]);
        assert_eq!(send(&waiting(&keys), &token(&new)).await, (200, None));
    });
}

#[test]
fn another_key_under_a_known_id_is_read_soon() {
    virtually(async {
        let (old, new) = (key("a"), key("a"));
        let provider = Provider::new(&[&old]);
        let keys = provider.at().load().await.unwrap();
        provider.publish(&[&new]);
        let layer = waiting(&keys);
        assert_eq!(
            send(&layer, &token(&new)).await,
            (401, Some(Kind::SignatureInvalid))
        );
        time::sleep(seconds(1)).await;
        assert_eq!(send(&layer, &token(&new)).await, (200, None));
    });
}

#[test]
fn a_waiting_request_ends_in_time_and_holds_no_permit() {
    virtually(async {
        let (known, unknown) = (key("a"), key("b"));
        let provider = Provider::new(&[&known]);
        let keys = provider.at().load().await.unwrap();
        provider.slow(seconds(60));
        let layer = waiting(&keys);
        let service = layer.layer(Limited::new(1));
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..1000 {
            requests.spawn(service.clone().oneshot(bearer(&token(&unknown))));
        }
        time::sleep(seconds(1)).await;
        // All of them wait, and others pass.
        let before = Instant::now();
        let response = service
            .clone()
            .oneshot(bearer(&token(&known)))
            .await
            .unwrap();
        assert_eq!(
            (response.status().as_u16(), before.elapsed()),
            (200, Duration::ZERO)
        );
        while let Some(response) = requests.join_next().await {
            let response = response.unwrap().unwrap();
            assert_eq!(error_of(&response).kind(), Kind::KeysUnavailable);
        }
        assert!(
            before.elapsed() <= Duration::from_millis(4100),
            "{:?}",
            before.elapsed()
        );
    });
}

/// As a buffer's worker does.
#[test]
fn a_caller_that_keeps_the_service_keeps_no_permit_from_a_waiting_request() {
    virtually(async {
        let (old, new) = (key("a"), key("b"));
        let provider = Provider::new(&[&old]);
        let keys = provider.at().load().await.unwrap();
        provider.publish(&[&old, &new]);
        let mut service = waiting(&keys).layer(Limited::new(1));
        let ready = ServiceExt::<Request<()>>::ready(&mut service)
            .await
            .unwrap();
        let response = ready.call(bearer(&token(&new))).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
    });
}

#[test]
fn a_provider_that_hangs_delays_no_token_of_another_issuer() {
    const STAFF: &str = "https://id.example.com/realms/staff";
    virtually(async {
        // The key IDs are the same.
        let (hanging, unknown) = (key("a"), key("b"));
        let (old, new) = (key("a"), key("b"));
        let token_of_staff = |key: &SigningKey| {
            let issuer = issuer(key).issuer(STAFF);
            issuer.token(User::new("ann")).issue()
        };
        for has_keys in [true, false] {
            let (staff, shop) = (Provider::new(&[&hanging]), Provider::new(&[&old]));
            let staff_keys = staff.at().start().unwrap();
            if has_keys {
                staff_keys.ready().await;
            }
            staff.answer(silence(0));
            let shop_keys = shop.at().load().await.unwrap();
            let of_staff = SessionVerifier::builder()
                .keys(&staff_keys)
                .issuer(STAFF)
                .audience(AUDIENCE)
                .clock(now)
                .build()
                .unwrap();
            let both = SessionVerifier::of_issuers([of_staff, verifier(&shop_keys)]).unwrap();
            let layer = SessionLayer::new(both).wait_for_keys();

            // More requests wait for the provider that hangs than may wait for one.
            let mut waiting = tokio::task::JoinSet::new();
            for _ in 0..1100 {
                let (layer, token) = (layer.clone(), token_of_staff(&unknown));
                waiting.spawn(async move { send(&layer, &token).await });
            }
            time::sleep(seconds(1)).await;
            let before = Instant::now();
            assert_eq!(send(&layer, &token(&old)).await, (200, None));
            if has_keys {
                let known = token_of_staff(&hanging);
                assert_eq!(send(&layer, &known).await, (200, None));
            }
            assert_eq!(before.elapsed(), Duration::ZERO);
            shop.publish(&[&old, &new]);
            assert_eq!(send(&layer, &token(&new)).await, (200, None));
            assert!(before.elapsed() < Duration::from_millis(30));
            // Not with a key of the other issuer, under the same ID.
            let (status, error) = send(&layer, &token(&hanging)).await;
            assert_eq!((status, error), (401, Some(Kind::SignatureInvalid)));
            for answer in waiting.join_all().await {
                assert_eq!(answer, (503, Some(Kind::KeysUnavailable)));
            }
            assert!(before.elapsed() <= Duration::from_millis(4100));
        }
    });
}

#[test]
fn no_more_than_1024_requests_wait() {
    virtually(async {
        let provider = Provider::new(&[&key("a")]);
        let keys = provider.at().load().await.unwrap();
        provider.slow(seconds(60));
        let (layer, token) = (waiting(&keys), token(&key("b")));
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..1024 {
            let (layer, token) = (layer.clone(), token.clone());
            requests.spawn(async move { send(&layer, &token).await });
        }
        time::sleep(Duration::from_millis(1)).await;
        let before = Instant::now();
        assert_eq!(
            send(&layer, &token).await,
            (503, Some(Kind::KeysUnavailable))
        );
        assert_eq!(before.elapsed(), Duration::ZERO);
        // One that is dropped makes room.
        requests.abort_all();
        while requests.join_next().await.is_some() {}
        assert_eq!(
            send(&layer, &token).await,
            (503, Some(Kind::KeysUnavailable))
        );
        assert!(before.elapsed() >= seconds(4));
    });
}

#[test]
fn the_inner_service_is_made_ready_before_it_is_called() {
    /// Panics unless it is ready, which it is on the second poll.
    #[derive(Default)]
    struct Careful(usize);

    impl Clone for Careful {
        fn clone(&self) -> Self {
            Self::default()
        }
    }

    impl Service<Request<()>> for Careful {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.0 += 1;
            if self.0 < 2 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            assert!(self.0 >= 2, "it was not ready");
            self.0 = 0;
            std::future::ready(Ok(Response::default()))
        }
    }

    virtually(async {
        let (old, new) = (key("a"), key("b"));
        let provider = Provider::new(&[&old]);
        let keys = provider.at().load().await.unwrap();
        provider.publish(&[&old, &new]);
        let service = waiting(&keys).layer(Careful::default());
        for key in [&old, &new, &old] {
            let response = service.clone().oneshot(bearer(&token(key))).await.unwrap();
            assert_eq!(response.status(), 200);
        }
    });
}

#[test]
fn a_verifier_waits_without_http() {
    virtually(async {
        let (old, new) = (key("a"), key("b"));
        let provider = Provider::new(&[&old]);
        let keys = provider.at().load().await.unwrap();
        provider.publish(&[&old, &new]);
        let verifier = verifier(&keys);
        let error = verifier.verify(token(&new)).unwrap_err();
        assert_eq!(error.kind(), Kind::KeysUnavailable);
        assert_eq!(
            verifier
                .verify_or_wait(token(&new))
                .await
                .unwrap()
                .user()
                .id(),
            "ann"
        );
        let error = verifier.verify_or_wait(token(&key("c"))).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TokenUnacceptable);
    });
}

#[test]
fn outside_of_a_runtime_nothing_waits() {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let old = key("a");
    let provider = Provider::new(&[&old]);
    let keys = runtime.block_on(provider.at().load()).unwrap();
    let (layer, verifier) = (waiting(&keys), verifier(&keys));
    assert_eq!(block_on(send(&layer, &token(&old))), (200, None));
    assert_eq!(block_on(send(&layer, &token(&key("b")))).0, 503);
    let error = block_on(verifier.verify_or_wait(token(&key("b")))).unwrap_err();
    assert_eq!(error.kind(), Kind::KeysUnavailable);
}

#[test]
fn keys_whose_runtime_has_ended_are_not_trusted() {
    let key = key("a");
    let provider = Provider::new(&[&key]);
    let keys = virtually(provider.at().load()).unwrap();
    assert!(!keys.is_ready());
    let status = keys.status();
    assert_eq!((status.state, status.keys), (State::Stopped, 0));
    virtually(async {
        let before = Instant::now();
        assert_eq!(
            send(&waiting(&keys), &token(&key)).await,
            (503, Some(Kind::KeysUnavailable))
        );
        assert_eq!(keys.refresh().await, Err(FetchErrorKind::Stopped));
        assert_eq!(before.elapsed(), Duration::ZERO);
    });
}

#[test]
fn requests_that_wait_are_released_when_the_runtime_of_the_keys_ends() {
    let (runtime, old) = (runtime::Runtime::new().unwrap(), key("a"));
    let provider = Provider::new(&[&old]);
    let keys = runtime.block_on(provider.at().load()).unwrap();
    provider.slow(seconds(60));
    virtually(async {
        let (layer, token) = (waiting(&keys), token(&key("b")));
        let mut request = Box::pin(send(&layer, &token));
        assert!(futures_poll(&mut request).await.is_none(), "it waits");
        runtime.shutdown_background();
        assert_eq!(request.await, (503, Some(Kind::KeysUnavailable)));
    });
}

/// Polls once.
async fn futures_poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    std::future::poll_fn(|cx| {
        Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

#[test]
fn the_task_ends_with_the_last_handle_even_in_a_read() {
    virtually(async {
        let provider = Provider::new(&[&key("a")]);
        let keys = provider.at().load().await.unwrap();
        let (verifier, clone) = (verifier(&keys), keys.clone());
        provider.slow(seconds(60));
        let _ = time::timeout(seconds(1), keys.refresh()).await;
        let is_used = |provider: &Provider| Arc::strong_count(&provider.0) > 1;
        drop((keys, clone));
        time::sleep(Duration::from_millis(1)).await;
        assert!(is_used(&provider), "a verifier has the keys");
        drop(verifier);
        time::sleep(Duration::from_millis(1)).await;
        assert!(!is_used(&provider));
    });
}

#[test]
fn a_provider_that_is_down_stops_no_start_and_fails_a_load() {
    virtually(async {
        let key = key("a");
        let provider = Provider::new(&[&key]);
        provider.answer(status(503));
        let before = Instant::now();
        let error = provider.at().load().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "load: the provider responded with 503 Service Unavailable"
        );
        assert_eq!(before.elapsed().as_secs(), 30);

        assert!(provider.at().start().is_ok());
    });
}

#[test]
fn a_provider_that_is_down_at_start_costs_no_plausible_token_a_401() {
    for has_traffic in [true, false] {
        virtually(async {
            let key = key("a");
            let provider = Provider::new(&[&key]);
            provider.answer(status(0));
            let (start, keys) = (Instant::now(), provider.at().start().unwrap());
            let waiting = waiting(&keys);
            let at_once = SessionLayer::new(verifier(&keys));
            let mut other = 0;
            while has_traffic && start.elapsed() < seconds(600) {
                other += 1;
                let unknown = key.clone().with_id(format!("unknown-{other}"));
                for token in [token(&key), token(&unknown)] {
                    let by_waiting = waiting.layer(Inner).oneshot(bearer(&token));
                    let by_other = at_once.layer(Inner).oneshot(bearer(&token));
                    let (waited, other) = tokio::join!(by_waiting, by_other);
                    for response in [waited.unwrap(), other.unwrap()] {
                        assert_eq!(response.status().as_u16(), 503);
                        assert_eq!(error_of(&response).kind(), Kind::KeysUnavailable);
                        assert_eq!(response.headers()["retry-after"], "1");
                    }
                }
                time::sleep(Duration::from_millis(500)).await;
            }
            time::sleep_until(start + seconds(600)).await;
            assert!(!keys.is_ready());
            provider.publish(&[&key]);
            let back_at = Instant::now();
            keys.ready().await;
            // Pauses are 30 s at most, and 20 % more; the read takes 20 ms.
            assert!(back_at.elapsed() <= Duration::from_millis(36_030));
            assert_eq!(send(&waiting, &token(&key)).await, (200, None));
        });
    }
}

#[test]
fn known_keys_outlive_a_day_without_the_provider_and_no_more() {
    virtually(async {
        let key = key("a");
        let provider = Provider::new(&[&key]);
        let keys = provider.at().load().await.unwrap();
        let read_at = Instant::now();
        provider.answer(status(0));
        let (verifier, token) = (verifier(&keys), token(&key));
        let layer = SessionLayer::new(verifier.clone()).wait_for_keys();
        // Each minute for 23 h 59 min.
        for minute in 0..24 * 60 {
            time::sleep_until(read_at + seconds(60 * minute)).await;
            let asked_at = Instant::now();
            assert_eq!(send(&layer, &token).await, (200, None), "{minute}");
            assert_eq!(asked_at.elapsed(), Duration::ZERO, "{minute}");
        }
        // And for the lifetime of the set more.
        time::sleep_until(read_at + seconds(24 * 3600 + 599)).await;
        assert_eq!((keys.is_ready(), keys.status().state), (true, State::Stale));
        let hits = verifier.cache_stats().hits;
        assert_eq!(send(&layer, &token).await, (200, None));
        assert_eq!(verifier.cache_stats().hits, hits + 1);
        time::sleep_until(read_at + seconds(24 * 3600 + 601)).await;
        assert_eq!(
            (keys.is_ready(), keys.status().state),
            (false, State::Expired)
        );
        for _ in 0..100 {
            assert_eq!(
                send(&layer, &token).await,
                (503, Some(Kind::KeysUnavailable))
            );
        }
    });
}

#[test]
fn a_withdrawn_key_is_accepted_for_ten_minutes_at_most_and_for_an_hour_by_header() {
    for (max_age, most) in [
        (None, 600),
        (Some("max-age=3600"), 3600),
        (Some("max-age=86400"), 3600),
    ] {
        virtually(async {
            let (old, new) = (key("a"), key("b"));
            let provider = Provider::new(&[&old, &new]);
            let with_header = |keys: &[&SigningKey]| {
                provider.publish(keys);
                let answer = provider.0.lock().unwrap().set.clone();
                let header = max_age.map(|value| answer.clone().with("cache-control", value));
                provider.answer(header.unwrap_or(answer));
            };
            with_header(&[&old, &new]);
            let keys = provider.at().load().await.unwrap();
            let (verifier, token) = (verifier(&keys), token(&old));
            let layer = SessionLayer::new(verifier.clone());
            with_header(&[&new]);
            let (withdrawn_at, mut accepted_at) = (Instant::now(), Duration::ZERO);
            while send(&layer, &token).await == (200, None) {
                accepted_at = withdrawn_at.elapsed();
                assert!(accepted_at <= seconds(most), "{max_age:?}");
                time::sleep(seconds(1)).await;
            }
            assert!(accepted_at >= seconds(most) / 2, "{accepted_at:?}");
            // It was in the cache until then, and is not accepted from there.
            assert!(verifier.cache_stats().hits > 0);
            for _ in 0..100 {
                assert_ne!(send(&layer, &token).await.0, 200);
                time::sleep(seconds(1)).await;
            }
        });
    }
}

#[test]
fn a_flood_of_hopeless_tokens_causes_no_read_and_one_of_plausible_ones_nine_in_a_minute() {
    virtually(async {
        let known = key("a");
        let provider = Provider::new(&[&known]);
        let keys = provider.at().load().await.unwrap();
        let layer = waiting(&keys);
        provider.reads();
        let stranger = key("b");
        let payload = |audience: &str| {
            let issued = issuer(&stranger)
                .token(User::new("eve"))
                .with("aud", audience);
            issued.issue().split_once('.').unwrap().1.to_owned()
        };
        let (plausible, hopeless) = (payload(AUDIENCE), payload("stock"));
        let with_id = |id: u64, payload: &str| {
            let header = json!({ "alg": "ES256", "typ": "session+jwt", "kid": id.to_string() });
            let header = base64_simd::URL_SAFE_NO_PAD.encode_to_string(header.to_string());
            format!("{header}.{payload}")
        };
        let start = Instant::now();
        let mut id = 0;
        while start.elapsed() < seconds(60) {
            for _ in 0..5 {
                id += 1;
                let answer = send(&layer, &with_id(id, &hopeless)).await;
                assert_eq!(answer, (401, Some(Kind::TokenUnacceptable)));
            }
            time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(provider.reads(), 0);

        let (start, mut requests) = (Instant::now(), tokio::task::JoinSet::new());
        while start.elapsed() < seconds(60) {
            for _ in 0..20 {
                id += 1;
                let (layer, token) = (layer.clone(), with_id(id, &plausible));
                requests.spawn(async move { send(&layer, &token).await });
            }
            time::sleep(Duration::from_millis(100)).await;
            let asked_at = Instant::now();
            assert_eq!(send(&layer, &token(&known)).await, (200, None));
            assert_eq!(asked_at.elapsed(), Duration::ZERO);
        }
        let reads = provider.reads();
        assert!((1..=9).contains(&reads), "{reads}");
        for answer in requests.join_all().await {
            assert!(matches!(
                answer,
                (401, Some(Kind::TokenUnacceptable)) | (503, Some(Kind::KeysUnavailable))
            ));
        }
    });
}

#[test]
fn a_snapshot_starts_a_service_without_its_provider() {
    virtually(async {
        let key = key("a");
        let provider = Provider::new(&[&key]);
        let keys = provider.at().start().unwrap();
        assert_eq!(keys.snapshot(), None);
        keys.ready().await;
        let json = keys.snapshot().unwrap().to_json();
        let snapshot = KeySnapshot::from_json(&json).unwrap();
        provider.answer(status(0));
        let keys = provider.at().seed(snapshot.clone()).start().unwrap();
        assert_eq!((keys.is_ready(), keys.status().state), (true, State::Stale));
        assert_eq!(send(&waiting(&keys), &token(&key)).await, (200, None));

        let error = provider.discover().seed(snapshot).start().unwrap_err();
        assert_eq!(error.option(), "seed");
        // One that is too old is left out.
        let old: Value = serde_json::from_str(&json).unwrap();
        let old = json!({ "origin": old["origin"], "keys": old["keys"], "read_at": 1_000_000_000 });
        let old = KeySnapshot::from_json(old.to_string()).unwrap();
        let keys = provider.at().seed(old).start().unwrap();
        assert!(!keys.is_ready());
        for (text, option) in [
            (&json[1..], "seed"),
            ("{}", "seed"),
            (
                r#"{"origin":"a","origin":"a","read_at":1,"keys":""}"#,
                "seed",
            ),
            (r#"{"origin":"a","read_at":1,"keys":{}}"#, "jwks"),
        ] {
            assert_eq!(
                KeySnapshot::from_json(text).unwrap_err().option(),
                option,
                "{text}"
            );
        }
    });
}

#[test]
fn an_application_learns_of_each_read() {
    virtually(async {
        let provider = Provider::new(&[&key("a")]);
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let keys = provider
            .at()
            .on_event(move |event| seen.lock().unwrap().push(*event));
        let keys = keys.load().await.unwrap();
        keys.refresh().await.unwrap();
        provider.answer(status(500));
        keys.refresh().await.unwrap_err();
        let events = events.lock().unwrap();
        let changes: Vec<_> = events
            .iter()
            .map(|event| match event {
                KeyEvent::Read {
                    keys: 1,
                    skipped: 0,
                    changed,
                    ..
                } => Ok(*changed),
                KeyEvent::Failed(kind) => Err(*kind),
                other => panic!("{other:?}"),
            })
            .collect();
        let failure = FetchErrorKind::Status(StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(changes, [Ok(true), Ok(false), Err(failure)]);
        let status = keys.status();
        assert_eq!(
            (status.reads, status.failed_reads, status.demands),
            (3, 1, 0)
        );
    });
}

#[test]
fn a_panic_of_the_application_does_not_end_the_reads() {
    virtually(async {
        let key = key("a");
        let provider = Provider::new(&[&key]);
        let keys = provider.at().on_event(|_| panic!("in `on_event`"));
        let keys = keys.load().await.unwrap();
        keys.refresh().await.unwrap();
        assert_eq!(
            (keys.status().state, keys.status().reads),
            (State::Fresh, 2)
        );

        let panics = Arc::new(AtomicBool::new(false));
        let client = {
            let (panics, provider) = (Arc::clone(&panics), provider.clone());
            service_fn(move |request| {
                assert!(!panics.load(Ordering::SeqCst), "in the client");
                provider.clone().respond(request)
            })
        };
        let keys = RemoteKeys::at(JWKS_URI)
            .client(client)
            .load()
            .await
            .unwrap();
        panics.store(true, Ordering::SeqCst);
        assert_eq!(keys.refresh().await, Err(FetchErrorKind::Client));
        panics.store(false, Ordering::SeqCst);
        assert_eq!(send(&waiting(&keys), &token(&key)).await, (200, None));
        keys.refresh().await.unwrap();
        assert_eq!((keys.status().reads, keys.status().failed_reads), (3, 1));
    });
}

#[test]
fn an_unchanged_set_costs_no_hit() {
    virtually(async {
        let key = key("a");
        let provider = Provider::new(&[&key]);
        let keys = provider.at().load().await.unwrap();
        let (verifier, token) = (verifier(&keys), token(&key));
        for _ in 0..3 {
            verifier.verify(&token).unwrap();
        }
        keys.refresh().await.unwrap();
        let before = verifier.cache_stats();
        verifier.verify(&token).unwrap();
        assert_eq!(verifier.cache_stats().hits, before.hits + 1);
        assert_eq!(keys.status().generation, 2);
    });
}

#[test]
fn headers_of_the_response_set_the_lifetime() {
    for (headers, least, most) in [
        (&[][..], 420, 540),
        (&[("cache-control", "no-cache")], 420, 540),
        (
            &[("cache-control", "public, max-age=1200, must-revalidate")],
            840,
            1080,
        ),
        (
            &[("cache-control", "Max-Age=\"1200\""), ("age", "200")],
            700,
            900,
        ),
        (&[("cache-control", "max-age=15")], 210, 270),
        (&[("cache-control", "max-age=86400")], 2520, 3240),
        (&[("cache-control", "max-age=-1")], 420, 540),
        (&[("cache-control", "max-age=+1200")], 420, 540),
        (
            &[DATE, ("expires", "Thu, 15 Jan 2026 12:20:00 GMT")],
            840,
            1080,
        ),
        (
            &[DATE, ("expires", "Thu, 15 Jan 2026 11:59:59 GMT")],
            210,
            270,
        ),
        (&[DATE, ("expires", "0")], 210, 270),
        (
            &[
                DATE,
                ("cache-control", "max-age=600"),
                ("expires", "Thu, 15 Jan 2026 12:20:00 GMT"),
            ],
            420,
            540,
        ),
        (&[("cache-control", "s-maxage=1200")], 420, 540),
        (
            &[("cache-control", "max-age=99999999999999999999")],
            420,
            540,
        ),
    ] {
        virtually(async {
            let provider = Provider::new(&[&key("a")]);
            let mut answer = provider.0.lock().unwrap().set.clone();
            answer.headers = headers.to_vec();
            provider.answer(answer);
            let keys = provider.at().load().await.unwrap();
            let next = keys.status().next_read_in;
            assert!(
                next >= seconds(least - 1) && next <= seconds(most),
                "{headers:?}: {next:?}"
            );
        });
    }
}

#[test]
fn the_pause_that_a_provider_asks_for_is_kept() {
    for (fields, least, most) in [
        (&[("retry-after", "100")][..], 100, 100),
        (&[("retry-after", "86400")], 300, 300),
        (
            &[DATE, ("retry-after", "Thu, 15 Jan 2026 12:02:00 GMT")],
            120,
            120,
        ),
        // None: by the failure alone.
        (
            &[DATE, ("retry-after", "Thu, 15 Jan 2026 11:00:00 GMT")],
            4,
            6,
        ),
        (&[("retry-after", "Thu, 15 Jan 2026 12:02:00 GMT")], 4, 6),
        (&[("retry-after", "-1")], 4, 6),
        (&[("cache-control", "max-age=3600")], 4, 6),
    ] {
        virtually(async {
            let provider = Provider::new(&[&key("a")]);
            let keys = provider.at().load().await.unwrap();
            let mut answer = status(503);
            answer.headers = fields.to_vec();
            provider.answer(answer);
            keys.refresh().await.unwrap_err();
            let next = keys.status().next_read_in;
            assert!(
                next >= seconds(least) && next <= seconds(most),
                "{fields:?}: {next:?}"
            );
        });
    }
}

#[test]
fn wrong_options_are_reported_by_name() {
    let provider = Provider::new(&[&key("a")]);
    let client = provider.client();
    let at = |uri: &str| RemoteKeys::at(uri).client(client.clone());
    let discover = |issuer: &str| RemoteKeys::discover(issuer).client(client.clone());
    assert_eq!(at(JWKS_URI).start().unwrap_err().option(), "start");
    virtually(async {
        for (builder, option) in [
            (at("http://keys.example.com"), "at"),
            (at("keys.example.com"), "at"),
            (at("https://a:b@keys.example.com"), "at"),
            (discover("http://id.example.com"), "discover"),
            (discover("https://id.example.com?a"), "discover"),
            (discover("https://id.example.com#a"), "discover"),
            (at(JWKS_URI).fetch_timeout(seconds(31)), "fetch_timeout"),
            (at(JWKS_URI).fetch_timeout(seconds(0)), "fetch_timeout"),
            (at(JWKS_URI).longest_wait(seconds(31)), "longest_wait"),
            (
                at(JWKS_URI).refresh_interval(seconds(9)),
                "refresh_interval",
            ),
        ] {
            assert_eq!(builder.start().unwrap_err().option(), option);
        }
        assert!(at("http://keys.example.com").allow_http().start().is_ok());
        assert!(at("http://127.0.0.1:1/keys").start().is_ok());
    });
}

#[test]
fn nothing_of_the_network_is_printed() {
    virtually(async {
        let provider = Provider::new(&[&key("a")]);
        let keys = provider.at().load().await.unwrap();
        provider.answer(ok("a secret of the network").with("x", "secret"));
        keys.refresh().await.unwrap_err();
        let printed = format!("{keys:?} {:?} {:?}", keys.status(), keys.snapshot());
        assert!(!printed.contains("secret"), "{printed}");
        assert!(
            printed.contains("Fresh") && printed.contains("NoUsableKey"),
            "{printed}"
        );
    });
}
