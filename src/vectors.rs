//! Published vectors: hostile and unusual tokens, the examples of the RFCs, Wycheproof.
//!
//! A case is verified by the whole layer, as a request. Cases that cannot become a session (no `sub`,
//! a payload that is not a claims set) are verified by the jws floor alone.

use std::{collections::BTreeMap, convert::Infallible, fs, path::Path};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body_util::Empty;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    Algorithm, ConfigError, KeySet, KeyStore, Limits, Session, SessionError, SessionErrorKind,
    SessionLayer, SessionVerifier, TokenType,
    jws::{self, compact},
};

/// Cases of level `should` with another result, with the reason.
const DEVIATIONS: &[(&str, &str)] = &[(
    "typ-expected/match",
    "an `at+jwt` needs `client_id` (RFC 9068 §2.2), which these tokens of registered claims lack",
)];

/// Rejections at another stage than the vector's, with the reason.
const OTHER_STAGES: &[(&str, SessionErrorKind, &str)] = &[(
    "sig-header-changed/kid-added",
    SessionErrorKind::TokenUnacceptable,
    "the added `kid` names no key, which is checked before the signature",
)];

#[derive(Deserialize)]
struct File<C> {
    #[serde(default)]
    keys: BTreeMap<String, Value>,
    cases: Vec<C>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    level: Level,
    algorithm: String,
    keys: Vec<String>,
    config: Config,
    now: i64,
    token: Option<String>,
    token_b64: Option<String>,
    headers: Option<Vec<(String, String)>>,
    expected: Expected,
    claims: Option<Value>,
    stage: Option<String>,
    #[serde(default)]
    profile: Profile,
}

#[derive(Deserialize)]
struct Config {
    algorithms: Vec<String>,
    issuer: Option<String>,
    audience: Option<String>,
    leeway_seconds: u64,
    typ: Option<String>,
    max_token_bytes: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Accept,
    Reject,
    Either,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Level {
    Must,
    Should,
    May,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Profile {
    #[default]
    Jwt,
    Jws,
}

/// The result of a case: the claims of the token, or the kind of rejection.
type Outcome = Result<Value, SessionErrorKind>;

#[test]
fn hostile_and_unusual_tokens_are_decided_as_expected() {
    let mut run = Run::default();
    let file: File<Case> = read("jws-visible.json");
    for case in &file.cases {
        run.case(case, &file.keys);
    }
    run.finish(285, 0);
}

#[test]
fn examples_of_the_rfcs_are_decided_as_expected() {
    let mut run = Run::default();
    let file: File<Case> = read("rfc-examples.json");
    for case in &file.cases {
        run.case(case, &file.keys);
    }
    run.finish(42, 8);
}

/// Counts cases and collects failures, so that no failure hides another and no case is skipped.
#[derive(Default)]
struct Run {
    verified: usize,
    unsupported: usize,
    failures: Vec<String>,
}

impl Run {
    fn case(&mut self, case: &Case, keys: &BTreeMap<String, Value>) {
        if case.algorithm.parse::<Algorithm>().is_err() {
            assert_eq!(case.algorithm, "ES512", "{}", case.name);
            self.unsupported += 1;
            return;
        }
        self.verified += 1;
        let outcome = case.outcome(keys);
        assert_eq!(outcome, case.outcome(keys), "{} is stable", case.name);
        let deviates = DEVIATIONS.iter().any(|(name, _)| *name == case.name);
        if case.level == Level::May {
            return;
        }
        let problem = match (case.expected, &outcome) {
            (Expected::Accept, Ok(claims)) => case.compare(claims),
            (Expected::Reject, Err(kind)) => case.compare_reason(*kind),
            (Expected::Either, _) => None,
            (expected, outcome) => Some(format!("{expected:?} expected, but {outcome:?}")),
        };
        match (problem, deviates) {
            (Some(problem), false) => self.failures.push(format!("{}: {problem}", case.name)),
            (None, true) => self
                .failures
                .push(format!("{}: deviates no more", case.name)),
            (Some(_), true) => assert_eq!(case.level, Level::Should, "{}", case.name),
            (None, false) => {}
        }
    }

    fn finish(self, verified: usize, unsupported: usize) {
        assert!(self.failures.is_empty(), "{:#?}", self.failures);
        assert_eq!((self.verified, self.unsupported), (verified, unsupported));
    }
}

impl Case {
    fn outcome(&self, keys: &BTreeMap<String, Value>) -> Outcome {
        let verifier = match self.verifier(keys) {
            Ok(verifier) => verifier,
            Err(error) => panic!("{}: {error}", self.name),
        };
        let token = match (&self.token, &self.token_b64) {
            (Some(token), None) => Some(token.clone().into_bytes()),
            (None, Some(token)) => Some(base64(token)),
            (None, None) => None,
            (Some(_), Some(_)) => panic!("{}: two tokens", self.name),
        };
        let accepted_without_subject = self.expected == Expected::Accept
            && self
                .claims
                .as_ref()
                .is_some_and(|claims| claims.get("sub").is_none());
        let floor_alone = self.profile == Profile::Jws || accepted_without_subject;
        match token {
            Some(token) if floor_alone => self
                .signed_payload(keys, &token)
                .map(|payload| match self.profile {
                    Profile::Jws => Value::Null,
                    Profile::Jwt => serde_json::from_slice(&payload).unwrap(),
                })
                .map_err(|error| error.kind()),
            Some(token) => {
                let direct = verifier
                    .verify(&token)
                    .map(|session| claims(&session))
                    .map_err(|error| error.kind());
                let mut headers = HeaderMap::new();
                let value = [b"Bearer ", &token[..]].concat();
                // Leading spaces are part of the header syntax (RFC 6750 §2.1: one or more).
                if !token.starts_with(b" ")
                    && let Ok(value) = HeaderValue::from_bytes(&value)
                {
                    headers.insert(AUTHORIZATION, value);
                    let by_request = request(verifier, headers);
                    assert_eq!(by_request.is_ok(), direct.is_ok(), "{}", self.name);
                }
                direct
            }
            None => {
                let mut headers = HeaderMap::new();
                for (name, value) in self.headers.as_deref().unwrap() {
                    let name: HeaderName = name.parse().unwrap();
                    match HeaderValue::from_bytes(&base64(value)) {
                        Ok(value) => headers.append(name, value),
                        // A server rejects such a field.
                        Err(_) => return Err(SessionErrorKind::RequestInvalid),
                    };
                }
                request(verifier, headers)
            }
        }
    }

    fn key_set(&self, keys: &BTreeMap<String, Value>) -> Result<KeySet, ConfigError> {
        let keys: Vec<_> = self.keys.iter().map(|id| &keys[id]).collect();
        let algorithms = self.config.algorithms.iter();
        let algorithms: Vec<Algorithm> = algorithms.map(|name| name.parse().unwrap()).collect();
        KeySet::from_jwks_with_algorithms(json!({ "keys": keys }).to_string(), &algorithms)
    }

    fn limits(&self) -> Limits {
        Limits::default().with_token_bytes(self.config.max_token_bytes)
    }

    fn token_type(&self) -> TokenType {
        let typ = self.config.typ.as_deref();
        typ.map_or(TokenType::Jwt, |typ| typ.parse().unwrap())
    }

    fn signed_payload(
        &self,
        keys: &BTreeMap<String, Value>,
        token: &[u8],
    ) -> Result<Vec<u8>, SessionError> {
        let keys = KeyStore::new(self.key_set(keys).unwrap());
        signed_payload(&keys, self.token_type(), &self.limits(), token)
    }

    fn verifier(&self, keys: &BTreeMap<String, Value>) -> Result<SessionVerifier, ConfigError> {
        let now = DateTime::<Utc>::from_timestamp(self.now, 0).unwrap();
        let mut builder = SessionVerifier::builder()
            .keys(self.key_set(keys)?)
            .accept_type(self.token_type())
            .leeway(std::time::Duration::from_secs(self.config.leeway_seconds))
            .limits(self.limits())
            .clock(move || now);
        builder = match &self.config.issuer {
            Some(issuer) => builder.issuer(issuer),
            None => builder.any_issuer(),
        };
        builder = match &self.config.audience {
            Some(audience) => builder.audience(audience),
            None => builder.any_audience(),
        };
        builder.build()
    }

    fn source_is_rfc(&self) -> bool {
        self.name.starts_with("rfc")
    }

    fn compare(&self, got: &Value) -> Option<String> {
        let want = self.claims.as_ref()?;
        let differs = |(name, value): (&String, &Value)| got.get(name) != Some(value);
        let differs = want.as_object()?.iter().any(differs);
        differs.then(|| format!("the claims {want} are expected, but there are {got}"))
    }

    /// Compares the kind of rejection with the stage at which a strict verifier stops.
    fn compare_reason(&self, got: SessionErrorKind) -> Option<String> {
        use SessionErrorKind as Kind;
        let elsewhere = |(name, kind, _): &(&str, Kind, &str)| *name == self.name && *kind == got;
        if OTHER_STAGES.iter().any(elsewhere) {
            return None;
        }
        let stage = self.stage.as_deref()?;
        let want: &[Kind] = match stage {
            "structure" | "base64" | "header-json" | "header-param" | "crit" | "size"
            | "payload-json" => &[Kind::TokenMalformed],
            // `alg` is absent or of the wrong type, or not the key's.
            "alg" => &[Kind::TokenMalformed, Kind::TokenUnacceptable],
            "key" | "typ" => &[Kind::TokenUnacceptable],
            "signature" => &[Kind::SignatureInvalid],
            "missing-claim" | "exp-type" | "nbf-type" | "iat-type" | "iss-type" | "aud-type"
            | "sub-type" => &[Kind::ClaimInvalid],
            // An instant before 1970 is out of range.
            "exp" => &[Kind::TokenExpired, Kind::ClaimInvalid],
            "nbf" => &[Kind::TokenNotYetValid],
            // The examples of RFC 7515 have no `sub`, which is checked first.
            "iss" if self.source_is_rfc() => &[Kind::ClaimInvalid],
            "iss" => &[Kind::IssuerInvalid],
            "aud" => &[Kind::AudienceInvalid],
            // Another scheme counts as no token.
            "http" => &[Kind::RequestInvalid, Kind::TokenMissing],
            "http-missing" => &[Kind::TokenMissing],
            "http-repeated" => &[Kind::RequestInvalid],
            stage => panic!("{}: the stage {stage} is new", self.name),
        };
        (!want.contains(&got)).then(|| format!("{want:?} is expected at {stage}, but {got:?}"))
    }
}

/// Sends a request through the layer.
fn request(verifier: SessionVerifier, headers: HeaderMap) -> Outcome {
    let service = SessionLayer::new(verifier).layer(service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<Session>().unwrap();
        let mut response = Response::new(Empty::<Bytes>::new());
        response.extensions_mut().insert(claims(session));
        Ok::<_, Infallible>(response)
    }));
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let response = futures_executor::block_on(service.oneshot(request)).unwrap();
    match response.extensions().get::<SessionError>() {
        Some(error) => {
            assert_eq!(response.status(), error.status());
            Err(error.kind())
        }
        None => Ok(response.extensions().get::<Value>().unwrap().clone()),
    }
}

fn claims(session: &Session) -> Value {
    session.token().unwrap().claims().unwrap()
}

#[derive(Deserialize)]
struct Wycheproof {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    comment: String,
    algorithms: Vec<String>,
    key: Value,
    cases: Vec<JwsCase>,
}

#[derive(Deserialize)]
struct JwsCase {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    jws: String,
    expected: Expected,
}

#[test]
fn wycheproof_jws_are_decided_as_expected() {
    let file: Wycheproof = read("wycheproof-jws.json");
    let mut run = Run::default();
    for group in &file.groups {
        for case in &group.cases {
            let algorithms: Vec<Algorithm> = group
                .algorithms
                .iter()
                .filter_map(|name| name.parse().ok())
                .collect();
            if algorithms.is_empty() {
                assert_eq!(group.algorithms, ["ES512"]);
                run.unsupported += 1;
                continue;
            }
            run.verified += 1;
            // An unusable key rejects every token.
            let accepted = KeySet::from_jwks_with_algorithms(
                json!({ "keys": [group.key] }).to_string(),
                &algorithms,
            )
            .is_ok_and(|keys| {
                let (keys, token) = (KeyStore::new(keys), case.jws.as_bytes());
                signed_payload(&keys, TokenType::Jwt, &Limits::default(), token).is_ok()
            });
            let as_expected = match case.expected {
                Expected::Accept => accepted,
                Expected::Reject => !accepted,
                Expected::Either => true,
            };
            if !as_expected {
                run.failures.push(format!(
                    "{} {} ({}): {:?} is expected",
                    case.id, case.comment, group.comment, case.expected
                ));
            }
        }
    }
    run.finish(393, 2);
}

/// The payload of a token with a valid signature, with any content, for vectors of signatures.
fn signed_payload(
    keys: &KeyStore,
    accepted: TokenType,
    limits: &Limits,
    token: &[u8],
) -> Result<Vec<u8>, SessionError> {
    let (_, payload) = jws::verify(&keys.load(), &[accepted], limits, token)?;
    compact::with_decoded(payload, <[u8]>::to_vec)
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn base64(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}
