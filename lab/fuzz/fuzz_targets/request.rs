//! Header fields into the layer: nothing panics, each request is judged as the profile says, and
//! a rejection is word for word what its code says, so that it holds nothing of the request.
//!
//! An input is one byte, which picks the layer, and then lines: one letter for the field, and its
//! value. The bytes 1 to 8, which no value may have, stand for tokens.

#![no_main]

use std::{cell::LazyCell, convert::Infallible, future};

use bytes::Bytes;
use futures_executor::block_on;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_session_token::{
    ClientContext, ClientHeaders, RejectionBody, RevocationCheck, RevocationStatus, Session,
    SessionContext, SessionError, SessionId, SessionLayer, SessionVerifier, TokenSource,
};
use tower_session_token_fuzz::setup::{AUDIENCE, CONFIGS, ISSUER, NOW, sign};

type Body = Full<Bytes>;

thread_local! {
    static WORLD: LazyCell<World> = const { LazyCell::new(World::new) };
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, lines)) = data.split_first() else {
        return;
    };
    WORLD.with(|world| {
        let request = world.request(lines);
        world.layers[usize::from(*choice) % world.layers.len()].judge(world, request);
    });
});

struct World {
    /// It does not ask whether a session is revoked.
    verifier: SessionVerifier,
    tokens: [String; 8],
    layers: Vec<Layered>,
}

/// A layer, and how it was made.
struct Layered {
    optional: bool,
    everywhere: bool,
    form: Form,
    send: Box<dyn Fn(Request<()>) -> Response<Body>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    EmptyBody,
    ProblemDetails,
    OnReject,
}

/// The sessions of these ids.
struct ByName;

impl RevocationCheck for ByName {
    fn check(&self, session: &Session) -> RevocationStatus {
        match &*session.id().to_string() {
            "revoked" => RevocationStatus::Revoked,
            "unknown" => RevocationStatus::Unknown,
            _ => RevocationStatus::Valid,
        }
    }
}

impl World {
    fn new() -> Self {
        let verifier = CONFIGS[1].builder().revocation(ByName).build();
        let verifier = verifier.expect("it is a configuration");
        let token = |sid: &str, exp: i64, locale: &str| {
            let claims = json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": exp, "iat": NOW - 60, "jti": "t",
                "sid": sid, "client_id": "c", "locale": locale, "zoneinfo": "Europe/Berlin",
            });
            let header = br#"{"alg":"HS256","typ":"session+jwt","kid":"v-hs256"}"#;
            sign(0, header, claims.to_string().as_bytes())
        };
        let good = token("good", NOW + 600, "de");
        let tokens = [
            good.clone(),
            token("other", NOW + 600, "fr"),
            token("old", NOW - 30, "de"),
            token("revoked", NOW + 600, "de"),
            token("unknown", NOW + 600, "de"),
            good[..good.len() - 1].to_owned(),
            good.replace('.', "=."),
            String::from("a.b"),
        ];
        let mut layers = Vec::new();
        for optional in [false, true] {
            for everywhere in [false, true] {
                let mut layer = SessionLayer::new(verifier.clone());
                if optional {
                    layer = layer.optional();
                }
                if everywhere {
                    let sources = [
                        Ok(TokenSource::header(HeaderName::from_static(
                            "x-session-token",
                        ))),
                        TokenSource::cookie("session"),
                        TokenSource::websocket_protocol("bearer."),
                    ];
                    for source in sources {
                        layer = layer.token_source(source.expect("it is a source"));
                    }
                    layer = layer.client_headers(ClientHeaders::all());
                }
                let respond = |_: &Parts, head: Response<()>, error: &SessionError| {
                    head.map(|()| Body::from(format!("rejected: {}", error.code())))
                };
                let sends = [
                    (Form::EmptyBody, sender(layer.clone())),
                    (
                        Form::ProblemDetails,
                        sender(layer.clone().problem_details()),
                    ),
                    (Form::OnReject, sender(layer.on_reject(respond))),
                ];
                layers.extend(sends.map(|(form, send)| Layered {
                    optional,
                    everywhere,
                    form,
                    send,
                }));
            }
        }
        Self {
            verifier,
            tokens,
            layers,
        }
    }

    fn request(&self, lines: &[u8]) -> Request<()> {
        let mut request = Request::new(());
        for line in lines.split(|byte| *byte == b'\n') {
            let Some((letter, value)) = line.split_first() else {
                continue;
            };
            let name = match letter {
                b'a' => "authorization",
                b'h' => "x-session-token",
                b'c' => "cookie",
                b'w' => "sec-websocket-protocol",
                b'l' => "accept-language",
                b't' => "content-type",
                b'1' => "client-culture",
                b'2' => "client-ui-culture",
                b'3' => "client-utc-offset",
                b'4' => "client-time-zone",
                b'p' => {
                    *request.method_mut() = Method::POST;
                    continue;
                }
                _ => continue,
            };
            let mut bytes = Vec::new();
            for byte in value {
                match byte {
                    1..=8 => bytes.extend(self.tokens[usize::from(*byte) - 1].bytes()),
                    byte => bytes.push(*byte),
                }
            }
            // An invalid header value does not reach a service.
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                request.headers_mut().append(name, value);
            }
        }
        request
    }
}

/// Sends requests through `layer` to a handler that answers with what it was handed.
fn sender<R>(layer: SessionLayer<R>) -> Box<dyn Fn(Request<()>) -> Response<Body>>
where
    R: RejectionBody<Body> + 'static,
{
    let handler = service_fn(|request: Request<()>| {
        let mut response = Response::new(Body::default());
        let ambient = SessionContext::current().map(|value| value.id().clone());
        let session = request.extensions().get::<Session>();
        assert_eq!(session.map(|value| value.id().clone()), ambient);
        response.extensions_mut().insert(Handed(request));
        future::ready(Ok::<_, Infallible>(response))
    });
    let service = layer.layer(handler);
    Box::new(move |request| {
        let response = block_on(service.clone().oneshot(request));
        response.unwrap_or_else(|never| match never {})
    })
}

/// What the handler sees of a request that passes.
#[derive(Debug, Default)]
struct Expected {
    session: Option<SessionId>,
    error: Option<&'static str>,
    /// The field that `Vary` names for the token.
    field: Option<&'static str>,
}

/// The request as the handler had it.
#[derive(Clone)]
struct Handed(Request<()>);

impl Layered {
    fn judge(&self, world: &World, mut request: Request<()>) {
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let expected = self.expected(world, &headers);
        // From a proxy, say.
        let forged = Session::system(tower_session_token::User::new("forged"));
        request.extensions_mut().insert(forged);
        let response = (self.send)(request);
        assert!(SessionContext::current().is_none());
        match (expected, response.extensions().get::<Handed>()) {
            (Ok(expected), Some(Handed(request))) => {
                let session = request.extensions().get::<Session>();
                assert_eq!(
                    session.map(|session| session.id().clone()),
                    expected.session
                );
                let error = request.extensions().get::<SessionError>();
                assert_eq!(error.map(SessionError::code), expected.error);
                self.check_handed(request);
                self.check_negotiation(request, response.headers(), expected.field);
            }
            (Err(code), None) => {
                let grpc_type = grpc_type(&method, &headers);
                self.check_rejection(code, grpc_type, response);
            }
            (expected, handed) => panic!("{expected:?}, but handed on: {}", handed.is_some()),
        }
    }

    /// Section 4 of the profile: what the handler sees, or the code of the rejection.
    fn expected(&self, world: &World, headers: &HeaderMap) -> Result<Expected, &'static str> {
        let verify = |token: &Vec<u8>| {
            let session = world.verifier.verify(token);
            session.map_err(|error| error.code())
        };
        let mut explicit: Vec<(Vec<u8>, Option<&str>)> = Vec::new();
        explicit.extend(authorization(headers)?.map(|token| (token, None)));
        let mut cookies: Vec<Vec<u8>> = Vec::new();
        if self.everywhere {
            let all = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
            let own = all("x-session-token");
            explicit.extend(own.map(|token| (token.to_vec(), Some("x-session-token"))));
            let members =
                all("sec-websocket-protocol").flat_map(|field| field.split(|b| *b == b','));
            let members = members.filter_map(|member| member.trim_ascii().strip_prefix(b"bearer."));
            explicit.extend(members.map(|token| (token.to_vec(), None)));
            let pairs = all("cookie").flat_map(|field| field.split(|byte| *byte == b';'));
            for value in pairs.filter_map(cookie) {
                if !value.is_empty() && !cookies.contains(&value) {
                    cookies.push(value);
                }
            }
        }
        explicit.retain(|(token, _)| !token.trim_ascii().is_empty());
        if let Some((token, _)) = explicit.first() {
            if explicit.iter().any(|(other, _)| other != token) {
                return Err("request_invalid");
            }
            let session = Some(verify(token)?.id().clone());
            return Ok(Expected {
                session,
                error: None,
                field: explicit.iter().find_map(|(_, field)| *field),
            });
        }
        let verified: Vec<_> = cookies.iter().map(verify).collect();
        let unavailable = verified.iter().any(|one| {
            one.as_ref()
                .is_err_and(|code| *code == "revocation_unavailable")
        });
        let mut sessions = verified.iter().flatten();
        let error = match (cookies.len(), sessions.next(), sessions.next()) {
            (5.., _, _) | (_, _, Some(_)) => "request_invalid",
            (_, Some(session), None) => {
                let session = Some(session.id().clone());
                return Ok(Expected {
                    session,
                    error: None,
                    field: Some("cookie"),
                });
            }
            _ if unavailable => return Err("revocation_unavailable"),
            (0, ..) if self.optional => return Ok(Expected::default()),
            (0, ..) => return Err("token_missing"),
            _ => verified[0].as_ref().expect_err("none verifies"),
        };
        if self.optional {
            Ok(Expected {
                error: Some(error),
                ..Expected::default()
            })
        } else {
            Err(error)
        }
    }

    /// The answer of the table in section 4, and nothing else.
    fn check_rejection(&self, code: &str, grpc_type: Option<&str>, response: Response<Body>) {
        let error = response.extensions().get::<SessionError>().copied();
        assert_eq!(error.as_ref().map(SessionError::code), Some(code));
        let (head, body) = response.into_parts();
        let body = block_on(body.collect()).map(|value| value.to_bytes());
        let body = body.unwrap_or_else(|never| match never {});
        let (status, title, grpc) = match code {
            "request_invalid" => (400, "Bad Request", "16"),
            "revocation_unavailable" => (503, "Service Unavailable", "14"),
            _ => (401, "Unauthorized", "16"),
        };
        let challenge = match code {
            "request_invalid" => r#"Bearer realm="session", error="invalid_request""#,
            "token_missing" => r#"Bearer realm="session""#,
            _ => r#"Bearer realm="session", error="invalid_token""#,
        };
        let mut expected: Vec<(&str, &str)> = match code {
            "revocation_unavailable" => vec![("retry-after", "1")],
            _ => vec![("www-authenticate", challenge)],
        };
        let mut expected_body = match self.form {
            Form::EmptyBody => String::new(),
            Form::ProblemDetails => {
                expected.push(("content-type", "application/problem+json"));
                let detail = error.map(|error| error.to_string());
                json!({ "type": "about:blank", "title": title, "status": status, "code": code, "detail": detail })
                    .to_string()
            }
            Form::OnReject => format!("rejected: {code}"),
        };
        let mut message = None;
        if let Some(content_type) = grpc_type {
            assert_eq!(head.status, 200);
            expected = vec![("content-type", content_type), ("grpc-status", grpc)];
            message = head.headers.get("grpc-message");
            if self.form != Form::OnReject {
                expected_body = String::new();
            }
            assert!(message.is_some_and(|value| TITLES.iter().any(|title| value == title)));
        } else {
            assert_eq!(head.status, status);
        }
        for (name, value) in &expected {
            let values: Vec<_> = head.headers.get_all(*name).iter().collect();
            assert_eq!(values, [value], "{name}");
        }
        assert_eq!(head.headers.len(), expected.len() + message.iter().count());
        assert_eq!(body, expected_body.as_bytes());
    }

    /// No token is there to be printed or echoed.
    fn check_handed(&self, request: &Request<()>) {
        let headers = request.headers();
        let mut hidden = vec!["authorization"];
        if self.everywhere {
            hidden.extend(["cookie", "x-session-token"]);
            let mut protocols = headers.get_all("sec-websocket-protocol").iter();
            let is_token = |field: &HeaderValue| {
                let mut members = field.as_bytes().split(|byte| *byte == b',');
                members.any(|value| value.trim_ascii().starts_with(b"bearer."))
            };
            assert!(!protocols.any(is_token));
        }
        for name in hidden {
            let mut fields = headers.get_all(name).iter();
            assert!(fields.all(HeaderValue::is_sensitive), "{name}");
        }
    }

    fn check_negotiation(&self, request: &Request<()>, response: &HeaderMap, field: Option<&str>) {
        let context = ClientContext::of(request.extensions());
        let context = context.expect("each request that is let pass has one");
        let default = CONFIGS[1].default_culture;
        for culture in [context.culture(), context.ui_culture()] {
            let culture = culture.as_str();
            assert!(culture == default || CONFIGS[1].supported.contains(&culture));
        }
        let language = response.get("content-language");
        assert_eq!(
            language.and_then(|value| value.to_str().ok()),
            Some(context.ui_culture().as_str())
        );
        let vary = "client-culture, client-ui-culture, client-utc-offset, client-time-zone, \
                    accept-language";
        let names: Vec<_> = self
            .everywhere
            .then_some(vary)
            .into_iter()
            .chain(field)
            .collect();
        let vary = response.get("vary").map(|vary| vary.to_str().ok());
        assert_eq!(
            vary,
            (!names.is_empty())
                .then(|| Some(names.join(", ")))
                .as_ref()
                .map(Option::as_deref)
        );
    }
}

/// The messages of rejections that this target meets.
const TITLES: [&str; 10] = [
    "the request carries no session token",
    "the request does not carry exactly one session token",
    "the session token is malformed",
    "this kind of session token is not accepted here",
    "the signature of the session token is invalid",
    "the session token has expired",
    "the session token is not valid yet",
    "a claim of the session token is missing or invalid",
    "the session is revoked",
    "whether the session is revoked cannot be determined",
];

/// RFC 6750 §2.1, strictly.
fn authorization(headers: &HeaderMap) -> Result<Option<Vec<u8>>, &'static str> {
    let mut fields: Vec<_> = headers
        .get_all("authorization")
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    fields.retain(|field| !field.trim_ascii().is_empty());
    let field = match fields[..] {
        [] => return Ok(None),
        [field] => field,
        _ => return Err("request_invalid"),
    };
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = field.iter().position(|byte| !is_token(byte));
    let (scheme, rest) = field.split_at(end.unwrap_or(field.len()));
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    let start = rest.iter().position(|byte| *byte != b' ');
    let token = &rest[start.unwrap_or(rest.len())..];
    let end = token.iter().rposition(|byte| *byte != b'=');
    let letters = &token[..end.map_or(0, |end| end + 1)];
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let is_separated = start.is_some_and(|start| start > 0);
    if is_separated && !letters.is_empty() && letters.iter().all(is_letter) {
        Ok(Some(token.to_vec()))
    } else {
        Err("request_invalid")
    }
}

/// The value of a cookie `session` (RFC 6265 §4.2).
fn cookie(pair: &[u8]) -> Option<Vec<u8>> {
    let at = pair.iter().position(|byte| *byte == b'=')?;
    let value = pair[at + 1..].trim_ascii();
    let unquoted = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    let is_ours = pair[..at].trim_ascii() == b"session";
    is_ours.then(|| unquoted.unwrap_or(value).to_vec())
}

fn grpc_type(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let asked = headers.get(HeaderName::from_static("content-type"))?;
    let asked = asked.as_bytes().to_ascii_lowercase();
    let asked = asked.split(|byte| b" \t;+".contains(byte)).next()?;
    let types = [
        "application/grpc-web-text",
        "application/grpc-web",
        "application/grpc",
    ];
    let found = types.into_iter().find(|value| asked == value.as_bytes());
    found.filter(|_| method == "POST")
}
