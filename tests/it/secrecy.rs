//! All that can be printed while every vector and some good tokens go through verifier and layer,
//! searched for tokens, keys and claims.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::{self, Debug, Write as _},
    fs,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::DateTime;
use futures_executor::block_on;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_session_token::{
    AccessLevel, Algorithm, CallHeaders, ClientContext, KeySet, KeyStore, Limits, Refusal,
    RequireAccessLevel, RevocationList, Session, SessionContext, SessionIssuer, SessionLayer,
    SessionToken, SessionVerifier, SigningKey, TokenSource, TokenType, User, VerifyingKey,
};

use crate::support::{
    AUDIENCE, Body, ISSUER, base64, builder, claims, now, session, sign, signing_key, verifier,
};

/// Shorter texts are found by chance.
const LEAST: usize = 8;

/// Claims that a `ClientContext` shows, and words that are closed: see each type's `Debug`.
const SHOWN_CLAIMS: [&str; 6] = [
    "locale",
    "ui_locale",
    "zoneinfo",
    "utc_offset",
    "client_kind",
    "access_level",
];

/// What was printed, each text once.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<BTreeSet<String>>>);

impl Printed {
    fn text(&self, text: impl fmt::Display) {
        self.0.lock().unwrap().insert(text.to_string());
    }

    fn debug(&self, value: &(impl Debug + ?Sized)) {
        self.text(format_args!("{value:?}\n{value:#?}"));
    }

    /// With its `Display`, and with all that it came from.
    fn error(&self, error: &(impl Error + 'static)) {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            self.text(format_args!("{error}\n{error:#}"));
            self.debug(error);
            next = error.source();
        }
    }

    /// Of a session everything that is no plain text of the user's own.
    fn session(&self, session: &Session) {
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

    fn assert_holds_none_of(&self, secrets: &BTreeSet<String>, name: &str) {
        let printed = self.0.lock().unwrap();
        assert!(!printed.is_empty(), "{name}");
        for (text, secret) in printed
            .iter()
            .flat_map(|text| secrets.iter().map(move |it| (text, it)))
        {
            assert!(
                !text.contains(secret.as_str()),
                "{name}: {secret} in {text}"
            );
        }
    }
}

/// A token, its parts, and what is in them.
fn add_token(secrets: &mut BTreeSet<String>, token: &[u8]) {
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
        Value::Array(items) => items.iter().for_each(|it| add_texts(secrets, it)),
        Value::Object(members) => members.values().for_each(|it| add_texts(secrets, it)),
        _ => {}
    }
}

/// The members of a JWK that make the key, public ones too, in all spellings.
fn add_jwk(secrets: &mut BTreeSet<String>, jwk: &Value) {
    for member in ["k", "d", "p", "q", "dp", "dq", "qi", "n", "x", "y"] {
        if let Some(text) = jwk.get(member).and_then(Value::as_str) {
            secrets.insert(text.to_owned());
            if let Ok(bytes) = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text) {
                add_bytes(secrets, &bytes);
            }
        }
    }
}

fn add_bytes(secrets: &mut BTreeSet<String>, bytes: &[u8]) {
    let start = &bytes[..bytes.len().min(12)];
    let hex = |lower: bool| {
        start.iter().fold(String::new(), |mut hex, byte| {
            match lower {
                true => write!(hex, "{byte:02x}").unwrap(),
                false => write!(hex, "{byte:02X}").unwrap(),
            }
            hex
        })
    };
    // As `Debug` writes bytes, on one line and on many.
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

/// Less what is short, and what the service was configured with itself.
fn only_secret(secrets: &mut BTreeSet<String>, configured: &[&str]) {
    secrets.retain(|secret| {
        secret.len() >= LEAST && !configured.iter().any(|it| it.contains(secret.as_str()))
    });
}

/// Puts requests with the token through the layer, and prints all that there is to print on the
/// way: one with the token in each place alone, and one with it in all of them.
fn print_requests(printed: &Printed, verifier: &SessionVerifier, token: &[u8]) {
    let mut requests = everywhere(token);
    let all = requests.pop().unwrap();
    for headers in requests {
        print_answer(printed, &layer(verifier), &headers);
    }
    print_answers(printed, verifier, &all);
}

/// In all three forms of refusal, as gRPC, and where a token is optional.
fn print_answers(printed: &Printed, verifier: &SessionVerifier, headers: &HeaderMap) {
    print_answer(printed, &layer(verifier), headers);
    print_answer(printed, &layer(verifier).optional(), headers);
    print_answer(printed, &layer(verifier).problem_details(), headers);
    let printed_too = printed.clone();
    let own = layer(verifier).on_reject(move |head, error| {
        printed_too.debug(&head);
        printed_too.error(error);
        head.map(|()| Body::default())
    });
    print_answer(printed, &own, headers);
    let mut grpc = headers.clone();
    grpc.insert("content-type", HeaderValue::from_static("application/grpc"));
    print_answer(printed, &layer(verifier), &grpc);
}

fn layer(verifier: &SessionVerifier) -> SessionLayer {
    SessionLayer::new(verifier.clone())
        .token_sources(sources())
        .client_context(CallHeaders::all())
        .revocation(RevocationList::new())
}

fn sources() -> [TokenSource; 4] {
    [
        TokenSource::bearer(),
        TokenSource::header("x-token").unwrap(),
        TokenSource::cookie("session").unwrap(),
        TokenSource::websocket_protocol("bearer.").unwrap(),
    ]
}

fn print_answer<R>(printed: &Printed, layer: &SessionLayer<R>, headers: &HeaderMap)
where
    R: Refusal<Body> + Debug,
{
    printed.debug(layer);
    let print = printed.clone();
    let handler = service_fn(move |request: Request<()>| {
        // What a handler, or a layer inside, may log.
        print.debug(&request);
        print.debug(request.headers());
        print.debug(request.extensions());
        print.debug(&request.extensions().get::<ClientContext>());
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
    // As gRPC is.
    let mut request = Request::post("/").body(()).unwrap();
    *request.headers_mut() = headers.clone();
    let future = guarded.call(request);
    printed.debug(&future);
    let response = block_on(future).unwrap();
    let by_guard = response.status() == StatusCode::FORBIDDEN;
    print_response(printed, response);
    if by_guard {
        // Without the guard, so that it comes to the handler.
        let mut request = Request::new(());
        *request.headers_mut() = headers.clone();
        let service = layer.layer(guarded.into_inner().into_inner());
        print_response(printed, block_on(service.oneshot(request)).unwrap());
    }
}

/// A service that says what it is called, as `service_fn` does not.
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

fn print_verifier(printed: &Printed, verifier: &SessionVerifier, token: &[u8]) {
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
fn everywhere(token: &[u8]) -> Vec<HeaderMap> {
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
        // What cannot be in a field does not arrive.
        if let Ok(value) = value {
            let name = HeaderName::from_static(name);
            all.insert(name.clone(), value.clone());
            each.push(HeaderMap::from_iter([(name, value)]));
        }
    }
    each.push(all);
    each
}

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn standard_base64(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}

#[test]
fn nothing_of_the_hostile_and_odd_tokens_is_shown() {
    let judged = ["jws-visible.json", "rfc-examples.json"].map(|file| {
        let file = read(file);
        let cases = file["cases"].as_array().unwrap();
        cases
            .iter()
            .filter(|case| is_safe(case, &file["keys"]))
            .count()
    });
    assert_eq!(judged, [285, 42]);
}

/// Panics if something is shown; `false` if the algorithm is not supported.
fn is_safe(case: &Value, keys: &Value) -> bool {
    let name = case["name"].as_str().unwrap();
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let algorithms = case["config"]["algorithms"].as_array().unwrap();
    let algorithms: Vec<Algorithm> = algorithms
        .iter()
        .filter_map(|it| it.as_str().unwrap().parse().ok())
        .collect();
    if algorithms.is_empty() {
        return false;
    }
    let keys: Vec<_> = case["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| &keys[id.as_str().unwrap()])
        .collect();
    let config = &case["config"];
    let (issuer, audience) = (text(&config["issuer"]), text(&config["audience"]));
    let at = case["now"].as_i64().unwrap();
    let set = json!({ "keys": keys }).to_string();
    let set = KeySet::from_jwks_with_algorithms(set, &algorithms).unwrap();
    let printed = Printed::default();
    printed.debug(&set);
    let store = KeyStore::new(set);
    printed.debug(&store);
    let mut builder = SessionVerifier::builder()
        .key_store(store)
        .leeway(Duration::from_secs(
            config["leeway_seconds"].as_u64().unwrap(),
        ))
        .limits(Limits::default().with_token_bytes(
            usize::try_from(config["max_token_bytes"].as_u64().unwrap()).unwrap(),
        ))
        .accept_type(match config["typ"].as_str() {
            Some(typ) => typ.parse().unwrap(),
            None => TokenType::Jwt,
        })
        .clock(move || DateTime::from_timestamp(at, 0).unwrap());
    builder = match &issuer {
        Some(issuer) => builder.issuer(issuer),
        None => builder.any_issuer(),
    };
    builder = match &audience {
        Some(audience) => builder.audience(audience),
        None => builder.any_audience(),
    };
    printed.debug(&builder);
    let verifier = builder.build().unwrap();

    let mut secrets = BTreeSet::new();
    keys.iter().for_each(|key| add_jwk(&mut secrets, key));
    let token = match (case["token"].as_str(), case["token_b64"].as_str()) {
        (Some(token), _) => Some(token.as_bytes().to_vec()),
        (_, Some(token)) => Some(standard_base64(token)),
        _ => None,
    };
    match token {
        Some(token) => {
            add_token(&mut secrets, &token);
            print_verifier(&printed, &verifier, &token);
            print_requests(&printed, &verifier, &token);
        }
        None => {
            let mut headers = HeaderMap::new();
            for field in case["headers"].as_array().unwrap() {
                let value = standard_base64(field[1].as_str().unwrap());
                if field[0]
                    .as_str()
                    .unwrap()
                    .eq_ignore_ascii_case("authorization")
                {
                    let words = value.split(|byte| matches!(byte, b' ' | b','));
                    words.for_each(|word| add_token(&mut secrets, word));
                }
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    let field: HeaderName = field[0].as_str().unwrap().parse().unwrap();
                    headers.append(field, value);
                }
            }
            print_answers(&printed, &verifier, &headers);
        }
    }
    let ids = keys.iter().filter_map(|key| key["kid"].as_str());
    let configured: Vec<_> = ids
        .chain(issuer.as_deref())
        .chain(audience.as_deref())
        .chain(["authorization", "Basic", "Bearer"])
        .collect();
    only_secret(&mut secrets, &configured);
    printed.assert_holds_none_of(&secrets, name);
    true
}

#[test]
fn nothing_of_wycheproof_s_tokens_and_keys_is_shown() {
    let mut tokens = 0;
    let signatures = read("wycheproof-jws.json");
    for group in signatures["groups"].as_array().unwrap() {
        let algorithms = group["algorithms"].as_array().unwrap();
        for case in group["cases"].as_array().unwrap() {
            let name = format!("wycheproof-jws {}", case["tcId"]);
            let keys = std::slice::from_ref(&group["key"]);
            print_wycheproof(&name, keys, algorithms, &case["jws"]);
            tokens += 1;
        }
    }
    for case in read("wycheproof-jwk.json")["cases"].as_array().unwrap() {
        let name = format!("wycheproof-jwk {}", case["tcId"]);
        print_wycheproof(&name, case["keys"].as_array().unwrap(), &[], &case["jws"]);
        tokens += 1;
    }
    assert!(tokens > 400, "{tokens}");
}

fn print_wycheproof(name: &str, keys: &[Value], algorithms: &[Value], token: &Value) {
    let algorithms: Vec<Algorithm> = algorithms
        .iter()
        .filter_map(|it| it.as_str()?.parse().ok())
        .collect();
    let token = token.as_str().unwrap().as_bytes();
    let (mut secrets, printed) = (BTreeSet::new(), Printed::default());
    add_token(&mut secrets, token);
    for key in keys {
        add_jwk(&mut secrets, key);
        match VerifyingKey::from_jwk(key.to_string()) {
            Ok(key) => printed.debug(&key),
            Err(error) => printed.error(&error),
        }
        match SigningKey::from_jwk(key.to_string()) {
            Ok(key) => printed.debug(&key),
            Err(error) => printed.error(&error),
        }
    }
    match KeySet::from_jwks_with_algorithms(json!({ "keys": keys }).to_string(), &algorithms) {
        Ok(set) => {
            printed.debug(&set);
            let verifier = SessionVerifier::builder()
                .key_store(set)
                .any_issuer()
                .any_audience()
                .accept_type(TokenType::Jwt)
                .build()
                .unwrap();
            print_verifier(&printed, &verifier, token);
            let headers = everywhere(token).pop().unwrap();
            print_answer(&printed, &layer(&verifier), &headers);
        }
        Err(error) => printed.error(&error),
    }
    let ids: Vec<_> = keys.iter().filter_map(|key| key["kid"].as_str()).collect();
    only_secret(&mut secrets, &ids);
    printed.assert_holds_none_of(&secrets, name);
}

/// A text that is found nowhere by chance, and is good as any claim.
fn marker(name: &str) -> String {
    format!("Marker-of-{name}")
}

fn marked_claims(more: &Value) -> Value {
    let mut marked = serde_json::Map::new();
    for name in [
        "sub",
        "sid",
        "jti",
        "client_id",
        "name",
        "preferred_username",
        "server",
        "instance",
        "scope",
        "x",
        "azp",
    ] {
        marked.insert(name.to_owned(), json!(marker(name)));
    }
    marked.insert("email".to_owned(), json!([{ "deep": marker("email") }]));
    let mut claims = claims(&marked.into());
    crate::support::change(&mut claims, more);
    claims
}

/// Good tokens, and such as are refused for each reason that is found after the signature.
#[test]
fn nothing_of_a_signed_token_is_shown() {
    let past = json!({ "exp": crate::support::NOW - 3600, "iat": crate::support::NOW - 7200 });
    for (name, typ, more) in [
        ("good", "session+jwt", json!({})),
        (
            "nested",
            "nested-session+jwt",
            json!({
                "act": { "sub": marker("actor"), "sid": marker("actor-sid"), "client_id": marker("actor-app"),
                    "act": { "sub": marker("innermost") } },
            }),
        ),
        ("of others", "JWT", json!({ "sid": null, "jti": null })),
        ("expired", "session+jwt", past),
        (
            "early",
            "session+jwt",
            json!({ "nbf": crate::support::NOW + 3600 }),
        ),
        (
            "another issuer",
            "session+jwt",
            json!({ "iss": marker("iss") }),
        ),
        (
            "another audience",
            "session+jwt",
            json!({ "aud": [marker("aud"), marker("aud-2")] }),
        ),
        (
            "a wrong type",
            "session+jwt",
            json!({ "exp": marker("exp") }),
        ),
        (
            "a wrong offset",
            "session+jwt",
            json!({ "utc_offset": marker("utc_offset") }),
        ),
        (
            "a wrong actor",
            "nested-session+jwt",
            json!({ "act": marker("act") }),
        ),
        (
            "a wrong kind",
            "session+jwt",
            json!({ "client_kind": marker("client_kind") }),
        ),
        (
            "a wrong level",
            "session+jwt",
            json!({ "access_level": marker("access_level") }),
        ),
        (
            "a wrong culture",
            "session+jwt",
            json!({ "locale": marker("locale!") }),
        ),
        (
            "a wrong zone",
            "session+jwt",
            json!({ "zoneinfo": marker("zone info") }),
        ),
        (
            "bound",
            "session+jwt",
            json!({ "cnf": { "jkt": marker("cnf") } }),
        ),
        ("another type", &marker("typ"), json!({})),
    ] {
        let header = json!({ "alg": "HS256", "typ": typ, "x5u": marker("x5u") });
        let claims = marked_claims(&more);
        let token = sign(&header, &claims.to_string());
        let printed = Printed::default();
        let builder = [TokenType::Session, TokenType::NestedSession, TokenType::Jwt]
            .into_iter()
            .fold(builder(), |it, typ| it.accept_type(typ));
        printed.debug(&builder);
        let verifier = builder.build().unwrap();
        print_verifier(&printed, &verifier, token.as_bytes());
        for headers in everywhere(token.as_bytes()) {
            print_answers(&printed, &verifier, &headers);
        }
        // One letter of the signature, and a text that follows.
        let mut broken = token.clone();
        broken.replace_range(token.len() - 2.., "AA");
        print_verifier(&printed, &verifier, broken.as_bytes());
        print_verifier(
            &printed,
            &verifier,
            format!("{token}.{}", marker("more")).as_bytes(),
        );

        let mut secrets = BTreeSet::from(["Marker-of".to_owned()]);
        add_token(&mut secrets, token.as_bytes());
        add_token(&mut secrets, broken.as_bytes());
        add_bytes(&mut secrets, &crate::support::SECRET);
        only_secret(&mut secrets, &[ISSUER, AUDIENCE, "Иван Петров"]);
        printed.assert_holds_none_of(&secrets, name);
    }
}

#[test]
fn nothing_of_a_key_that_signs_is_shown() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    for name in ["ed25519", "p256", "p384", "rsa"] {
        let jwk = fs::read(keys.join(format!("{name}.private.jwk.json"))).unwrap();
        let pem = fs::read_to_string(keys.join(format!("{name}.private.pem"))).unwrap();
        let jwk: Value = serde_json::from_slice(&jwk).unwrap();
        let (mut secrets, printed) = (BTreeSet::new(), Printed::default());
        add_jwk(&mut secrets, &jwk);
        let lines = pem.lines().filter(|it| !it.starts_with("---"));
        secrets.extend(lines.map(ToOwned::to_owned));

        let key = SigningKey::from_jwk(jwk.to_string()).unwrap();
        printed.debug(&key);
        printed.debug(&key.verifying_key());
        let issuer = SessionIssuer::new(key.clone());
        printed.debug(&issuer);
        let builder = SessionToken::builder(User::new(marker("sub")).with_name(marker("name")))
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .application_id(marker("client_id"))
            .claim("x", marker("x"))
            .issued_at(now())
            .lifetime(Duration::from_secs(600));
        printed.debug(&builder);
        let token = builder.build().unwrap();
        printed.debug(&token);
        let text = issuer.issue(&token).unwrap();
        let verifier = SessionVerifier::builder()
            .key(key.verifying_key())
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .clock(now)
            .build()
            .unwrap();
        print_verifier(&printed, &verifier, text.as_bytes());
        add_token(&mut secrets, text.as_bytes());

        for broken in broken_jwks(&jwk) {
            for error in [
                SigningKey::from_jwk(&broken).err(),
                VerifyingKey::from_jwk(&broken).err(),
                KeySet::from_jwks(&broken).err(),
                KeySet::from_jwks(format!("{{\"keys\":[{broken}]}}")).err(),
            ] {
                error.iter().for_each(|it| printed.error(it));
            }
        }
        for pem in [
            pem.replacen('M', "!", 3),
            pem[..pem.len() / 2].to_owned(),
            pem.replace("PRIVATE", "PUBLIC"),
        ] {
            for error in [
                SigningKey::es256_pem(&pem).err(),
                SigningKey::ed25519_pem(&pem).err(),
                SigningKey::rs256_pem(&pem).err(),
                VerifyingKey::rs256_pem(&pem).err(),
                VerifyingKey::es256_pem(&pem).err(),
                VerifyingKey::hs256(&pem).err(),
            ] {
                error.iter().for_each(|it| printed.error(it));
            }
        }
        only_secret(&mut secrets, &[ISSUER, AUDIENCE]);
        printed.assert_holds_none_of(&secrets, name);
    }
}

/// A key with each member of another type, cut short, and the text cut off.
fn broken_jwks(jwk: &Value) -> Vec<String> {
    let mut broken = vec![jwk.to_string()[1..].to_owned()];
    broken.push(json!([jwk]).to_string());
    for (name, value) in jwk.as_object().unwrap() {
        let text = value.as_str().unwrap();
        for instead in [
            json!([text]),
            json!({ text: text }),
            json!(format!("{text}!")),
            json!(&text[..text.len() - 1]),
            Value::Null,
        ] {
            let mut jwk = jwk.clone();
            jwk[name] = instead;
            broken.push(jwk.to_string());
        }
        broken.push(value.to_string());
    }
    broken
}

#[test]
fn a_field_that_holds_a_token_is_marked_sensitive() {
    let token = crate::support::good_token();
    for headers in everywhere(token.as_bytes()) {
        let layer = SessionLayer::new(verifier()).token_sources(sources());
        let mut request = Request::new(());
        *request.headers_mut() = headers;
        let seen = crate::support::see(&layer, request, |it| it.headers().clone()).unwrap();
        for (name, value) in &seen {
            let holds = value
                .as_bytes()
                .windows(token.len())
                .any(|it| it == token.as_bytes());
            assert!(!holds || value.is_sensitive(), "{name}");
        }
        // Browsers' WebSocket has the one field from which the token is taken.
        if let Some(protocols) = seen.get("sec-websocket-protocol") {
            assert_eq!(protocols, "chat, superchat");
        }
    }
}

/// What is not there logs nothing: neither in the tree, less what only tests need, nor in `src`.
#[test]
fn nothing_can_log() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tree = Command::new(env!("CARGO"))
        .current_dir(folder)
        .args(["tree", "--offline", "--all-features", "-e", "normal"])
        .args(["--prefix", "none", "--format", "{lib}"])
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.lines().any(|it| it == "serde_json"), "{tree}");
    for name in tree.lines() {
        assert!(
            !["log", "tracing", "tracing_core", "slog", "defmt"].contains(&name),
            "{name}"
        );
    }
    let mut folders = vec![folder.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|it| !it.trim_start().starts_with("//"));
            for line in code {
                for word in ["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!("] {
                    assert!(!line.contains(word), "{}: {line}", path.display());
                }
            }
        }
    }
}

#[test]
fn debug_shows_no_secret_and_no_claim() {
    let marker = "secretmarker";
    let secret = format!("{marker}{marker}{marker}");
    let key = VerifyingKey::hs256(&secret).unwrap();
    let session = session(&json!({
        "name": marker, "preferred_username": marker, "sid": marker, "jti": marker,
        "sub": marker, "client_id": marker, "server": marker, "instance": marker,
        "scope": marker, "x": marker,
    }));
    let token = session.token().unwrap();
    let list = RevocationList::new();
    list.revoke_session(marker, session.id(), chrono::Utc::now());
    let shown = [
        format!("{key:?}"),
        format!("{:?}", KeySet::new([key.clone()]).unwrap()),
        format!("{:?}", KeyStore::new(KeySet::new([key.clone()]).unwrap())),
        format!("{:?}", builder()),
        format!("{:?}", verifier()),
        format!(
            "{:?}",
            SessionLayer::new(verifier()).revocation(list.clone())
        ),
        format!("{:?}", SessionIssuer::new(signing_key())),
        format!("{list:?}"),
        format!("{session:?}"),
        format!("{token:?}"),
        format!(
            "{:?}",
            SessionToken::builder(User::new(marker)).claim(marker, marker)
        ),
        format!(
            "{:?}",
            session
                .nested(User::new(marker).with_name(marker))
                .scope(marker)
        ),
        format!("{:?}", SessionContext::scope(session.clone(), async {})),
        format!(
            "{:?}",
            User::new(marker).with_name(marker).with_login(marker)
        ),
        format!("{:?}", session.client_context()),
        format!("{:?}", Session::system(User::new(marker))),
    ];
    for text in shown {
        assert!(!text.contains(marker), "{text}");
        assert!(!text.contains("7, 7, 7"), "{text}");
    }
}

#[test]
fn errors_have_words_of_ours_alone() {
    let marker = "secretmarker";
    for changes in [
        json!({ "exp": marker }),
        json!({ "iss": marker }),
        json!({ "locale": marker }),
        json!({ "client_kind": marker }),
        json!({ "act": { marker: marker } }),
    ] {
        let token = crate::support::token(&changes);
        let error = verifier().verify(token.as_bytes()).unwrap_err();
        assert!(Error::source(&error).is_none());
        assert!(!format!("{error} {error:?}").contains(marker), "{error:?}");
    }
    let error = session(&json!({ "x": marker }))
        .token()
        .unwrap()
        .claim::<u8>("x")
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains(marker), "{error:?}");
    let error = VerifyingKey::hs256(marker).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(marker), "{error:?}");
}
