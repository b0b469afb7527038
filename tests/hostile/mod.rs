//! Worst-case inputs of 64 KiB, for the test of their allocations and the benchmark of their time.

use std::{
    convert::Infallible,
    fmt::Write as _,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use chrono::DateTime;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::Service;
use tower_session_token::{
    ClientHeaders, Limits, SessionError, SessionErrorKind as Kind, SessionLayer, SessionVerifier,
    SigningKey, TokenSource, TokenType, VerifyingKey, testing::TestIssuer,
};

pub(crate) const LENGTH: usize = 64 * 1024;
const SECRET: [u8; 32] = [7; 32];
const NOW: i64 = 1_768_478_400;

/// Maximum length of JSON in a token of at most `LENGTH` bytes.
const JSON: usize = LENGTH / 4 * 3 - 150;

const HEADER: &str = r#"{"alg":"HS256","typ":"session+jwt"}"#;
/// Without the enclosing brackets.
const CLAIMS: &str = r#""iss":"https://id.example.com","aud":"orders","sub":"ann","exp":1768482000,"iat":1768478340,"jti":"t","sid":"s","client_id":"web-shop""#;

fn base64(text: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(text)
}

fn sign(header: &str, payload: &str) -> String {
    let key = SigningKey::hs256(SECRET).unwrap();
    TestIssuer::with_key(key).sign_raw(header, payload)
}

/// As many of `item(0)`, `item(1)`, … as fit, separated by commas.
fn list(room: usize, item: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for at in 0.. {
        let item = item(at);
        if text.len() + item.len() >= room {
            break;
        }
        if at > 0 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text
}

/// Short names, all different: `a`, `b`, … `aa`, …
fn name(at: usize) -> String {
    const DIGITS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&()*+-./:;<=>?@[]^_`{|}~";
    let (mut left, mut name) = (at + 1, String::new());
    while left > 0 {
        left -= 1;
        name.push(char::from(DIGITS[left % DIGITS.len()]));
        left /= DIGITS.len();
    }
    name
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "\\u{byte:04x}").unwrap();
        out
    })
}

/// Values that fill the available length.
fn values(room: usize) -> Vec<(&'static str, String)> {
    let text = |filling: &str| format!("\"{}\"", filling.repeat((room - 2) / filling.len()));
    let array = |item: &str| format!("[{}]", list(room - 2, |_| item.to_owned()));
    let deep = |open: &str, close: &str, levels: usize| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    };
    vec![
        ("a long text", text("a")),
        ("a text of escapes", text("\\u0061")),
        ("a text of short escapes", text("\\n")),
        ("a text of surrogate pairs", text("\\ud83d\\ude00")),
        ("a text of what is shown escaped", text("\u{7f}")),
        ("a text of combining characters", text("\u{300}")),
        ("a text with no end", format!("\"{}", "a".repeat(room - 1))),
        ("words", text("a ")),
        ("digits", "1".repeat(room)),
        ("a long fraction", format!("0.{}1", "0".repeat(room - 3))),
        ("a long exponent", format!("1e{}", "9".repeat(room - 2))),
        ("a small exponent", format!("1e-{}", "9".repeat(room - 3))),
        (
            "digits with an exponent",
            format!("{}e-{}", "1".repeat(room - 8), room - 9),
        ),
        ("nesting", deep("[", "]", room / 2 - 1)),
        ("nesting that is allowed", deep("[", "]", 90)),
        ("nested objects", deep("{\"\":", "}", room / 5 - 1)),
        ("nested actors", actors(room / 28 - 1, "")),
        (
            "as many actors as are allowed",
            actors(95, &"s".repeat(room / 95 - 40)),
        ),
        ("an open array", "[".repeat(room)),
        ("an array of texts", array("\"\"")),
        ("an array of escapes", array("\"\\n\"")),
        ("an array of arrays", array("[]")),
        ("an array of objects", array("{}")),
        ("an array of fractions", array("1e9")),
        (
            "an object of many members",
            format!("{{\"sub\":\"a\",{}}}", members(room - 12)),
        ),
        (
            "an object of escaped names",
            format!("{{{}}}", escaped_members(room - 2)),
        ),
        ("white space", format!("{}1", " ".repeat(room - 1))),
    ]
}

/// An actor in an actor in an actor.
fn actors(levels: usize, session: &str) -> String {
    let outer = format!("{{\"sub\":\"a\",\"sid\":\"{session}\",\"act\":");
    format!(
        "{}{{\"sub\":\"a\"}}{}",
        outer.repeat(levels),
        "}".repeat(levels)
    )
}

fn members(room: usize) -> String {
    list(room, |at| format!("\"{}\":1", name(at)))
}

fn escaped_members(room: usize) -> String {
    list(room, |at| format!("\"{}\":1", escaped(&name(at))))
}

/// What may stand in an object instead of, or after, its usual members.
fn objects(usual: &str, names: &[&str]) -> Vec<(String, String)> {
    let room = JSON - usual.len() - 20;
    let mut objects: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, more: String| {
        objects.push((name.to_owned(), format!("{{{usual},{more}}}")));
    };
    add("many members", members(room));
    add(
        "many members with texts",
        list(room, |at| format!("\"{}\":\"\"", name(at))),
    );
    add("one name all the time", list(room, |_| "\"\":1".to_owned()));
    add("many members, the last twice", {
        let members = members(room - 10);
        let last = members.rsplit_once(',').unwrap().1.to_owned();
        format!("{members},{last}")
    });
    add("many members of escapes", escaped_members(room));
    add(
        "names with one escape",
        list(room, |at| format!("\"\\n{}\":1", name(at))),
    );
    add("long names that begin alike", {
        let common = "n".repeat(room / 120);
        list(room, |at| format!("\"{common}{at}\":1"))
    });
    add("a long name", format!("\"{}\":1", "n".repeat(room - 5)));
    add(
        "a long name of escapes",
        format!("\"{}\":1", "\\n".repeat(room / 2 - 5)),
    );
    add("commas", ",".repeat(room));
    add("colons", format!("\"x\":\"{}\"", ":".repeat(room - 6)));
    add("white space", format!("\"x\":1{}", "\t".repeat(room - 6)));
    add("lines", format!("\"x\":1{}x", "\n".repeat(room - 6)));
    add("no end", format!("\"x\":\"{}", "x".repeat(room - 6)));
    for member in names {
        for (what, value) in values(room - member.len() - 4) {
            // In front, so that it is there before the usual one is.
            let usual = usual
                .split(',')
                .filter(|member_text| !member_text.starts_with(&format!("\"{member}\"")))
                .collect::<Vec<_>>()
                .join(",");
            objects.push((
                format!("`{member}` is {what}"),
                format!("{{{usual},\"{member}\":{value}}}"),
            ));
        }
    }
    objects.push((
        "space in front".to_owned(),
        format!("{}{{{usual}}}", " ".repeat(room)),
    ));
    objects.push((
        "space behind".to_owned(),
        format!("{{{usual}}}{}", " ".repeat(room)),
    ));
    objects.push(("no object".to_owned(), " ".repeat(room)));
    objects.push(("brackets".to_owned(), "{".repeat(room)));
    objects
}

const HEADER_NAMES: [&str; 5] = ["alg", "kid", "typ", "x", "jwk"];
/// One for each way of reading.
const CLAIM_NAMES: [&str; 13] = [
    "iss",
    "aud",
    "sub",
    "exp",
    "sid",
    "name",
    "locale",
    "utc_offset",
    "zoneinfo",
    "scope",
    "act",
    "x",
    "$serde_json::private::Number",
];

/// Texts that are no tokens.
pub(crate) fn garbage() -> Vec<(String, String)> {
    let fill = |pattern: &str| pattern.repeat(LENGTH / pattern.len());
    let third = "A".repeat(LENGTH / 3 - 1);
    [
        ("dots", fill(".")),
        ("parts of one letter", fill("a.")),
        ("parts of three", fill("YWE.")),
        ("parts that are not base64url", fill("a~.")),
        ("letters", fill("A")),
        ("two parts", format!("{}.{}", fill("A"), fill("A"))),
        ("three parts", format!("{third}.{third}.{third}")),
        (
            "a long header part",
            format!("{}.e30.AA", "A".repeat(LENGTH - 7)),
        ),
        (
            "a long payload",
            format!("e30.{}.AA", "A".repeat(LENGTH - 7)),
        ),
        (
            "a long signature",
            format!("{}.e30.{}", base64(HEADER), "A".repeat(LENGTH - 60)),
        ),
        ("padding", format!("a{}", "=".repeat(LENGTH - 1))),
        ("tildes", fill("~")),
        ("spaces", fill(" ")),
        ("spaces between", fill("a ")),
        ("commas", fill(",")),
        ("quotes", fill("\"")),
        ("bearer, again and again", fill("Bearer ")),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text[..text.len().min(LENGTH)].to_owned()))
    .collect()
}

/// Tokens whose JOSE header is hostile, with nothing signed.
pub(crate) fn unsigned() -> Vec<(String, String)> {
    objects(r#""alg":"HS256","typ":"session+jwt""#, &HEADER_NAMES)
        .into_iter()
        .map(|(name, json)| {
            (
                format!("JOSE header: {name}"),
                format!("{}.e30.AA", base64(json)),
            )
        })
        .collect()
}

/// Tokens whose claims are hostile, signed as the service's own issuer would.
pub(crate) fn signed() -> Vec<(String, String)> {
    let mut signed = Vec::new();
    for (name, json) in objects(CLAIMS, &CLAIM_NAMES) {
        // In the type that allows it.
        let header = if name.starts_with("`act`") {
            r#"{"alg":"HS256","typ":"nested-session+jwt"}"#
        } else {
            HEADER
        };
        signed.push((format!("claims: {name}"), sign(header, &json)));
    }
    signed
}

/// `raised` raises the limits, so that 64 KiB reach the last step they can.
pub(crate) fn verifier(raised: bool, cache_bytes: usize) -> SessionVerifier {
    let limits = if raised {
        Limits::default()
            .with_token_bytes(LENGTH)
            .with_header_bytes(LENGTH)
            .with_nesting(100)
            .with_claim_bytes(LENGTH)
            .with_locale_bytes(LENGTH)
            .with_scope_bytes(LENGTH)
            .with_actors(100)
    } else {
        Limits::default()
    };
    let types = [TokenType::Session, TokenType::NestedSession, TokenType::Jwt];
    types
        .into_iter()
        .fold(SessionVerifier::builder(), |builder, it| {
            builder.accept_type(it)
        })
        .key(VerifyingKey::hs256(SECRET).unwrap())
        .any_issuer()
        .any_audience()
        .supported_culture("ru-RU")
        .supported_culture("en")
        .limits(limits)
        .cache_bytes(cache_bytes)
        .clock(|| DateTime::from_timestamp(NOW, 0).unwrap())
        .build()
        .unwrap()
}

pub(crate) fn verifiers() -> [(&'static str, SessionVerifier); 2] {
    [
        ("default limits", verifier(false, 0)),
        ("raised limits", verifier(true, 0)),
    ]
}

pub(crate) fn good_token() -> String {
    sign(HEADER, &format!("{{{CLAIMS}}}"))
}

/// As long as the fields are in HTTP/1.1.
pub(crate) fn length(headers: &HeaderMap) -> usize {
    let lengths = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    lengths.sum()
}

/// Requests of 64 KiB of fields, with a good token and without.
pub(crate) fn requests() -> Vec<(String, HeaderMap)> {
    const FIELDS: [&str; 12] = [
        "authorization",
        "x-token",
        "cookie",
        "sec-websocket-protocol",
        "accept-language",
        "client-culture",
        "client-ui-culture",
        "client-utc-offset",
        "client-time-zone",
        "content-type",
        "x-other",
        "vary",
    ];
    let good = good_token();
    let values = [
        "",
        ",",
        ";",
        "a",
        "a,",
        "a;",
        "a=b;",
        "a=b; ",
        "session=x;",
        "session=\"x\"; ",
        "bearer.",
        "bearer.x,",
        "bearer.x, chat, ",
        "Bearer x",
        "Bearer ",
        "Basic x",
        "Basic ",
        "en, ",
        "en;q=0.1,",
        "de-DE-1996-x-a-b-c-d,",
        "*,",
        "en-",
        "+05:30",
        "Europe/Berlin",
        "application/grpc",
        "\u{e9}",
        "x.y.z",
        " ",
        "=",
    ];
    let mut requests = Vec::new();
    for field in FIELDS {
        for value in values {
            for (times, how) in [
                (1, "one field"),
                (8, "eight fields"),
                (usize::MAX, "many fields"),
            ] {
                for with_token in [false, true] {
                    let Some(headers) = hostile(field, value, times, with_token.then_some(&good))
                    else {
                        continue;
                    };
                    let good = if with_token { ", and a good token" } else { "" };
                    requests.push((format!("{how} `{field}` of {value:?}{good}"), headers));
                }
            }
        }
    }
    // The good token where others are.
    let room = LENGTH - good.len() - 100;
    for (field, front, filling) in [
        ("cookie", "session=", "; a=b"),
        ("cookie", "session=", ";"),
        ("sec-websocket-protocol", "bearer.", ",a"),
        ("sec-websocket-protocol", "bearer.", ","),
        ("sec-websocket-protocol", "bearer.", ", chat"),
    ] {
        let value = format!("{front}{good}{}", filling.repeat(room / filling.len()));
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(field), value.parse().unwrap());
        requests.push((
            format!("a good token in `{field}`, and {filling:?}"),
            headers,
        ));
    }
    let mut different = HeaderMap::new();
    for at in 0..LENGTH / 14 {
        let name = format!("x-{at:06}");
        different.insert(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_static(""),
        );
    }
    requests.push(("fields of many names".to_owned(), different));
    requests
}

/// `None` if a field cannot hold the value.
fn hostile(
    field: &'static str,
    value: &str,
    times: usize,
    good: Option<&String>,
) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(good) = good {
        let (name, value) = match field {
            "authorization" => ("x-token", good.clone()),
            _ => ("authorization", format!("Bearer {good}")),
        };
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    let room = LENGTH - length(&headers);
    let each = (room / times).max(field.len() + value.len() + 4) - field.len() - 4;
    let value = match times {
        usize::MAX => value.to_owned(),
        _ if value.is_empty() => return None,
        _ => value.repeat(each / value.len()),
    };
    let value = HeaderValue::from_bytes(value.trim().as_bytes()).ok()?;
    let one = field.len() + value.len() + 4;
    for _ in 0..times.min((LENGTH - length(&headers)) / one) {
        headers.append(HeaderName::from_static(field), value.clone());
    }
    Some(headers)
}

pub(crate) fn layer(verifier: SessionVerifier) -> SessionLayer {
    SessionLayer::new(verifier)
        .token_sources([
            TokenSource::bearer(),
            TokenSource::header(HeaderName::from_static("x-token")),
            TokenSource::cookie("session").unwrap(),
            TokenSource::websocket_protocol("bearer.").unwrap(),
        ])
        .client_headers(ClientHeaders::all())
}

/// Sends a request through the layer, and returns why it was rejected.
pub(crate) fn send<S>(service: &mut S, headers: HeaderMap) -> Option<Kind>
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    // gRPC requests are POST requests.
    let mut request = Request::post("/").body(()).unwrap();
    *request.headers_mut() = headers;
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(service.call(request)).poll(&mut cx) {
        Poll::Ready(Ok(response)) => {
            let error = response.extensions().get::<SessionError>();
            error.map(|error| error.kind())
        }
        _ => unreachable!("it is ready"),
    }
}
