//! Keys, tokens and services that the tests share.

use std::{convert::Infallible, sync::mpsc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_executor::block_on;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_session_token::{
    RevocationCheck, RevocationStatus, Session, SessionError, SessionErrorKind, SessionLayer,
    SessionVerifier, SessionVerifierBuilder, SigningKey, VerifyingKey, testing::TestIssuer,
};

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "orders";
pub(crate) const SECRET: [u8; 32] = [7; 32];
/// The clock of every test: 2026-01-15T12:00:00Z.
pub(crate) const NOW: i64 = 1_768_478_400;

pub(crate) type Body = Full<Bytes>;

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

/// The `cache_bytes` that give each thread N `bytes`.
pub(crate) fn bytes_per_thread(bytes: usize) -> usize {
    bytes * std::thread::available_parallelism().unwrap().get()
}

pub(crate) fn builder() -> SessionVerifierBuilder {
    SessionVerifier::builder()
        .key(VerifyingKey::hs256(SECRET).unwrap())
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .clock(now)
}

pub(crate) fn verifier() -> SessionVerifier {
    builder().build().unwrap()
}

/// The claims of a valid session token. `null` removes a claim.
pub(crate) fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "3f2b8a54-9d0c-4d5e-8f6a-7b1c2d3e4f50",
        "exp": NOW + 3600, "iat": NOW - 60, "jti": "b6f2c7de-1a2b-4c3d-9e8f-0a1b2c3d4e5f",
        "sid": "0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77", "client_id": "web-shop",
        "client_kind": "web", "name": "Иван Петров", "locale": "ru-RU", "ui_locale": "en-US",
        "utc_offset": 180, "server": "main", "instance": "default",
    });
    change(&mut claims, changes);
    claims
}

pub(crate) fn change(object: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => object.as_object_mut().unwrap().remove(name),
            value => object
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
}

/// Signs any bytes, as a foreign issuer might.
pub(crate) fn sign(header: &Value, payload: &str) -> String {
    sign_raw(&header.to_string(), payload.as_bytes())
}

pub(crate) fn sign_raw(header: &str, payload: &[u8]) -> String {
    TestIssuer::with_key(signing_key()).sign_raw(header, payload)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(crate) fn header() -> Value {
    json!({ "alg": "HS256", "typ": "session+jwt" })
}

/// A token of the type `session+jwt` with these changes to its claims.
pub(crate) fn token(changes: &Value) -> String {
    sign(&header(), &claims(changes).to_string())
}

pub(crate) fn good_token() -> String {
    token(&json!({}))
}

pub(crate) fn signing_key() -> SigningKey {
    SigningKey::hs256(SECRET).unwrap()
}

pub(crate) fn session(changes: &Value) -> Session {
    verifier().verify(token(changes).as_bytes()).unwrap()
}

/// Why a verifier rejects a token.
pub(crate) fn rejection(verifier: &SessionVerifier, token: &str) -> Option<SessionErrorKind> {
    verifier
        .verify(token.as_bytes())
        .err()
        .map(|error| error.kind())
}

pub(crate) fn bearer(token: &str) -> Request<()> {
    request(&[("authorization", &format!("Bearer {token}"))])
}

pub(crate) fn request(headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

/// A revocation check that returns one status.
pub(crate) struct Says(pub(crate) RevocationStatus);

impl RevocationCheck for Says {
    fn check(&self, _: &Session) -> RevocationStatus {
        self.0
    }
}

/// A service that answers with what `look` sees of the request.
pub(crate) fn looking<T>(
    look: impl Fn(&Request<()>) -> T + Clone,
) -> impl Service<Request<()>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone
where
    T: Clone + Send + Sync + 'static,
{
    service_fn(move |request: Request<()>| {
        let mut response = Response::new(Body::default());
        response.extensions_mut().insert(look(&request));
        std::future::ready(Ok(response))
    })
}

/// What the handler behind `layer` sees of a request, or the response of its rejection.
pub(crate) fn see<T, R>(
    layer: &SessionLayer<R>,
    request: Request<()>,
    look: impl Fn(&Request<()>) -> T + Clone,
) -> Result<T, Response<Body>>
where
    T: Clone + Send + Sync + 'static,
    R: tower_session_token::RejectionBody<Body>,
{
    let response = block_on(layer.layer(looking(look)).oneshot(request)).unwrap();
    match response.extensions().get::<T>() {
        Some(seen) => Ok(seen.clone()),
        None => Err(response),
    }
}

/// The session that the handler behind `layer` sees.
pub(crate) fn see_session(
    layer: &SessionLayer,
    request: Request<()>,
) -> Result<Option<Session>, SessionErrorKind> {
    see(layer, request, |request| {
        request.extensions().get::<Session>().cloned()
    })
    .map_err(|response| error_of(&response).kind())
}

pub(crate) fn error_of<B>(response: &Response<B>) -> SessionError {
    *response.extensions().get::<SessionError>().unwrap()
}

/// Sends a request through `layer` to a handler that answers 200.
pub(crate) fn send<L>(layer: &L, request: Request<()>) -> Answer
where
    L: Layer<tower::util::BoxCloneService<Request<()>, Response<Body>, Infallible>>,
    L::Service: Service<Request<()>, Response = Response<Body>, Error = Infallible>,
{
    let inner = looking(|_| ());
    let service = layer.layer(tower::util::BoxCloneService::new(inner));
    answer(block_on(service.oneshot(request)).unwrap())
}

pub(crate) fn answer(response: Response<Body>) -> Answer {
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        error: head.extensions.get().copied(),
        body: block_on(body.collect()).unwrap().to_bytes(),
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) error: Option<SessionError>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }
}

/// Where the threads of a test wait for each other. At a barrier all would wait for ever for one
/// that panics; here those that are left panic too.
pub(crate) fn meeting(guests: usize) -> (Host, Vec<Guest>) {
    let (mut host, mut places) = (Host(Vec::new()), Vec::new());
    for _ in 0..guests {
        let ((came, comes), (go, goes)) = (mpsc::channel(), mpsc::channel());
        host.0.push((comes, go));
        places.push(Guest(came, goes));
    }
    (host, places)
}

/// Held by the thread that starts the others; created within their scope, so that a panic drops it.
pub(crate) struct Host(Vec<(mpsc::Receiver<()>, mpsc::Sender<()>)>);

pub(crate) struct Guest(mpsc::Sender<()>, mpsc::Receiver<()>);

impl Host {
    /// Until all guests wait.
    pub(crate) fn wait(&self) {
        let has_come = |(comes, _): &(mpsc::Receiver<()>, _)| comes.recv().is_ok();
        assert!(self.0.iter().all(has_come), "a thread has panicked");
        for (_, go) in &self.0 {
            go.send(()).unwrap();
        }
    }
}

impl Guest {
    /// Until all guests and the host wait.
    pub(crate) fn wait(&self) {
        self.0.send(()).unwrap();
        self.1.recv().expect("no other thread has panicked");
    }
}
