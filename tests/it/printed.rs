//! Everything that a verifier, a layer and a session can print, and the secrets of tokens and keys to
//! search it for.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::{self, Debug, Write as _},
    sync::{Arc, Mutex},
};

use futures_executor::block_on;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_session_token::{
    AccessLevel, ClientContext, ClientHeaders, RejectionBody, RequireAccessLevel, Session,
    SessionContext, SessionLayer, SessionVerifier, TokenSource, User,
};

use crate::support::{Body, base64};

/// Shorter strings match by chance.
const LEAST: usize = 8;

/// Claims that a `ClientContext` shows, and values of closed sets: see each type's `Debug`.
const SHOWN_CLAIMS: [&str; 6] = [
    "locale",
    "ui_locale",
    "zoneinfo",
    "utc_offset",
    "client_kind",
    "access_level",
];

/// The printed strings, without duplicates.
#[derive(Clone, Default)]
pub(crate) struct Printed(Arc<Mutex<BTreeSet<String>>>);

impl Printed {
    pub(crate) fn text(&self, text: impl fmt::Display) {
        self.0.lock().unwrap().insert(text.to_string());
    }

    pub(crate) fn debug(&self, value: &(impl Debug + ?Sized)) {
        self.text(format_args!("{value:?}\n{value:#?}"));
    }

    /// Prints an error by `Debug` and `Display`, with all its sources.
    pub(crate) fn error(&self, error: &(impl Error + 'static)) {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            self.text(format_args!("{error}\n{error:#}"));
            self.debug(error);
            next = error.source();
        }
    }

    /// Prints every part of a session except the plain strings of the user.
    pub(crate) fn session(&self, session: &Session) {
        self.debug(session);
        self.debug(session.user());
        self.debug(&session.user().access_level());
        self.debug(session.client_context());
        self.debug(&session.session_type());
        self.debug(&session.client_kind());
        self.debug(&session.actor());
        self.debug(&session.nested(User::new("nested").with_name("nested")));
        self.debug(&SessionContext::scope(session.clone(), async {}));
        self.debug(&SessionContext::propagate(std::future::pending::<()>()));
        let token = session.token().unwrap();
        self.debug(token);
        self.debug(&token.token_type());
        for name in ["sub", "exp", "aud", "x", "absent"] {
            if let Err(error) = token.claim::<[u8; 1]>(name) {
                self.error(&error);
            }
        }
        if let Err(error) = token.claims::<[u8; 1]>() {
            self.error(&error);
        }
    }

    pub(crate) fn assert_holds_none_of(&self, secrets: &BTreeSet<String>, name: &str) {
        let printed = self.0.lock().unwrap();
        assert!(!printed.is_empty(), "{name}");
        for (text, secret) in printed
            .iter()
            .flat_map(|text| secrets.iter().map(move |secret| (text, secret)))
        {
            assert!(
                !text.contains(secret.as_str()),
                "{name}: {secret} in {text}"
            );
        }
    }
}

/// Adds a token, its parts, and their contents.
pub(crate) fn add_token(secrets: &mut BTreeSet<String>, token: &[u8]) {
    let text = String::from_utf8_lossy(token);
    secrets.insert(text.clone().into_owned());
    for part in text.split('.') {
        secrets.insert(part.to_owned());
    }
    if let Some(payload) = text.split('.').nth(1)
        && let Ok(json) = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload)
    {
        match serde_json::from_slice::<Value>(&json) {
            Ok(Value::Object(members)) => {
                let secret = |name: &str| !SHOWN_CLAIMS.contains(&name);
                let members = members.iter().filter(|(name, _)| secret(name));
                members.for_each(|(_, value)| add_texts(secrets, value));
            }
            _ => {
                secrets.insert(String::from_utf8_lossy(&json).into_owned());
            }
        }
    }
}

fn add_texts(secrets: &mut BTreeSet<String>, value: &Value) {
    match value {
        Value::String(text) => {
            secrets.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| add_texts(secrets, item)),
        Value::Object(members) => members
            .values()
            .for_each(|member| add_texts(secrets, member)),
        _ => {}
    }
}

/// Adds the key material of a JWK, public members too, in all encodings.
pub(crate) fn add_jwk(secrets: &mut BTreeSet<String>, jwk: &Value) {
    for member in ["k", "d", "p", "q", "dp", "dq", "qi", "n", "x", "y"] {
        if let Some(text) = jwk.get(member).and_then(Value::as_str) {
            secrets.insert(text.to_owned());
            if let Ok(bytes) = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text) {
                add_bytes(secrets, &bytes);
            }
        }
    }
}

pub(crate) fn add_bytes(secrets: &mut BTreeSet<String>, bytes: &[u8]) {
    let start = &bytes[..bytes.len().min(12)];
    let hex = |lower: bool| {
        start.iter().fold(String::new(), |mut hex, byte| {
            if lower {
                write!(hex, "{byte:02x}").unwrap();
            } else {
                write!(hex, "{byte:02X}").unwrap();
            }
            hex
        })
    };
    // Bytes as `Debug` writes them, on one line and on many.
    let listed = format!("{start:?}");
    let lines = format!("{start:#?}");
    secrets.extend([
        hex(true),
        hex(false),
        base64(start),
        base64_simd::STANDARD.encode_to_string(start),
        base64_simd::STANDARD.encode_to_string(bytes),
        listed.trim_matches(['[', ']']).to_owned(),
        lines.trim_matches(['[', ']', '\n']).to_owned(),
    ]);
    if let Ok(text) = str::from_utf8(bytes) {
        secrets.insert(text.to_owned());
    }
}

/// Removes short strings, and those of the service's own configuration.
pub(crate) fn only_secret(secrets: &mut BTreeSet<String>, configured: &[&str]) {
    secrets.retain(|secret| {
        secret.len() >= LEAST
            && !configured
                .iter()
                .any(|value| value.contains(secret.as_str()))
    });
}

/// Puts requests with the token through the layer, and prints everything printable on the
/// way: one with the token in each place alone, and one with it in all of them.
pub(crate) fn print_requests(printed: &Printed, verifier: &SessionVerifier, token: &[u8]) {
    let mut requests = everywhere(token);
    let all = requests.pop().unwrap();
    for headers in requests {
        print_answer(printed, &layer(verifier), &headers);
    }
    print_answers(printed, verifier, &all);
}

/// Prints the responses of each form of rejection, to gRPC too, and of an optional layer.
pub(crate) fn print_answers(printed: &Printed, verifier: &SessionVerifier, headers: &HeaderMap) {
    print_answer(printed, &layer(verifier), headers);
    print_answer(printed, &layer(verifier).optional(), headers);
    print_answer(printed, &layer(verifier).problem_details(), headers);
    let printed_too = printed.clone();
    let own = layer(verifier).on_reject(move |request, head, error| {
        printed_too.debug(request);
        printed_too.debug(&head);
        printed_too.error(error);
        head.map(|()| Body::default())
    });
    print_answer(printed, &own, headers);
    let mut grpc = headers.clone();
    grpc.insert("content-type", HeaderValue::from_static("application/grpc"));
    print_answer(printed, &layer(verifier), &grpc);
}

pub(crate) fn layer(verifier: &SessionVerifier) -> SessionLayer {
    SessionLayer::new(verifier.clone())
        .token_sources(sources())
        .client_headers(ClientHeaders::all())
}

pub(crate) fn sources() -> [TokenSource; 4] {
    [
        TokenSource::bearer(),
        TokenSource::header(HeaderName::from_static("x-token")),
        TokenSource::cookie("session").unwrap(),
        TokenSource::websocket_protocol("bearer.").unwrap(),
    ]
}

pub(crate) fn print_answer<R>(printed: &Printed, layer: &SessionLayer<R>, headers: &HeaderMap)
where
    R: RejectionBody<Body> + Debug,
{
    printed.debug(layer);
    let print = printed.clone();
    let handler = service_fn(move |request: Request<()>| {
        // Values that a handler, or an inner layer, may log.
        print.debug(&request);
        print.debug(request.headers());
        print.debug(request.extensions());
        print.debug(&ClientContext::of(request.extensions()));
        print.debug(&SessionContext::current());
        if let Some(session) = request.extensions().get::<Session>() {
            print.session(session);
        }
        std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(
            Body::default(),
        )))
    });
    let guard = RequireAccessLevel::new(AccessLevel::Administrator);
    printed.debug(&guard);
    let mut guarded = layer.layer(guard.layer(Named(handler)));
    printed.debug(&guarded);
    // gRPC requests are POST requests.
    let mut request = Request::post("/").body(()).unwrap();
    *request.headers_mut() = headers.clone();
    let future = guarded.call(request);
    printed.debug(&future);
    let response = block_on(future).unwrap();
    let by_guard = response.status() == StatusCode::FORBIDDEN;
    print_response(printed, response);
    if by_guard {
        // Without the guard, so that the request reaches the handler.
        let mut request = Request::new(());
        *request.headers_mut() = headers.clone();
        let service = layer.layer(guarded.into_inner().into_inner());
        print_response(printed, block_on(service.oneshot(request)).unwrap());
    }
}

/// A service that can be printed, unlike `service_fn`.
#[derive(Clone)]
struct Named<S>(S);

impl<S> Debug for Named<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Named")
    }
}

impl<S: Service<Request<()>>> Service<Request<()>> for Named<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        self.0.call(request)
    }
}

fn print_response(printed: &Printed, response: Response<Body>) {
    printed.debug(&response);
    printed.debug(response.extensions());
    if let Some(error) = response
        .extensions()
        .get::<tower_session_token::SessionError>()
    {
        printed.error(error);
        printed.debug(&error.kind());
        printed.text(error.code());
    }
    for (name, value) in response.headers() {
        printed.text(format_args!(
            "{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        ));
    }
    let body = block_on(response.into_body().collect()).unwrap().to_bytes();
    printed.text(String::from_utf8_lossy(&body));
}

pub(crate) fn print_verifier(printed: &Printed, verifier: &SessionVerifier, token: &[u8]) {
    printed.debug(verifier);
    // The third time it comes from the cache.
    for _ in 0..3 {
        let verified = verifier.verify(token);
        printed.debug(&verifier.cache_stats());
        match verified {
            Ok(session) => printed.session(&session),
            Err(error) => return printed.error(&error),
        }
    }
    printed.debug(verifier);
}

/// The request that carries a token in every place where one may be.
pub(crate) fn everywhere(token: &[u8]) -> Vec<HeaderMap> {
    let value = |front: &[u8], back: &[u8]| HeaderValue::from_bytes(&[front, token, back].concat());
    let fields = [
        ("authorization", value(b"Bearer ", b"")),
        ("x-token", value(b"", b"")),
        ("cookie", value(b"a=b; session=", b"; c=d")),
        (
            "sec-websocket-protocol",
            value(b"chat, bearer.", b", superchat"),
        ),
    ];
    let mut all = HeaderMap::new();
    let mut each = Vec::new();
    for (name, value) in fields {
        // A value that a field cannot hold does not arrive.
        if let Ok(value) = value {
            let name = HeaderName::from_static(name);
            all.insert(name.clone(), value.clone());
            each.push(HeaderMap::from_iter([(name, value)]));
        }
    }
    each.push(all);
    each
}
