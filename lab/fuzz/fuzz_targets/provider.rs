//! What a provider answers: metadata, sets and cache headers, read as a second reading does.
//!
//! An input is one byte, which picks how the keys are found and the status of the set, and four parts
//! with a NUL between: `Cache-Control`, `Age` (or `Retry-After`), the metadata, and the set.

#![no_main]

use std::{
    convert::Infallible,
    future,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::service_fn;
use tower_session_token::{
    Algorithm, FetchErrorKind, KeySet, KeySnapshot, KeyStore, RemoteKeys, RemoteKeysState,
    VerifyingKey,
};
use tower_session_token_fuzz::{
    json::{Document, Json, get, has_twice},
    setup::ISSUER,
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("it needs nothing")
});

const JWKS_URI: &str = "https://keys.example/set";
const LEVELS: usize = 32;
const MAX_KEYS: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let mut parts = rest.splitn(4, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let provider = Provider {
        status: if choice & 12 == 12 { 503 } else { 200 },
        cache_control: HeaderValue::from_bytes(part()).ok(),
        age: HeaderValue::from_bytes(part()).ok(),
        metadata: Bytes::copy_from_slice(part()),
        set: Bytes::copy_from_slice(part()),
    };
    let (discovers, has_fallback) = (choice & 1 == 1, choice & 2 == 2);
    RUNTIME.block_on(check(Arc::new(provider), discovers, has_fallback));
});

struct Provider {
    status: u16,
    cache_control: Option<HeaderValue>,
    age: Option<HeaderValue>,
    metadata: Bytes,
    set: Bytes,
}

impl Provider {
    fn is_metadata(uri: &Uri) -> bool {
        let forms = ["openid-configuration", "oauth-authorization-server"];
        let is_form = |form| *uri == *format!("{ISSUER}/.well-known/{form}");
        forms.into_iter().any(is_form)
    }

    fn respond(&self, uri: &Uri) -> Response<Full<Bytes>> {
        if Self::is_metadata(uri) {
            return Response::new(Full::new(self.metadata.clone()));
        }
        let mut response = Response::new(Full::new(self.set.clone()));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("it is one");
        let fields = [
            (header::CACHE_CONTROL, &self.cache_control),
            (header::AGE, &self.age),
            (header::RETRY_AFTER, &self.age),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }
}

async fn check(provider: Arc<Provider>, discovers: bool, has_fallback: bool) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let client = {
        let (provider, log) = (provider.clone(), log.clone());
        service_fn(move |request: Request<Full<Bytes>>| {
            log.lock().expect("no panic").push(request.uri().clone());
            future::ready(Ok::<_, Infallible>(provider.respond(request.uri())))
        })
    };
    let builder = if discovers {
        RemoteKeys::discover(ISSUER)
    } else {
        RemoteKeys::at(JWKS_URI)
    };
    let builder = builder.client(client);
    let keys = if has_fallback {
        builder.algorithm(Algorithm::RS256)
    } else {
        builder
    };
    let keys = keys.start().expect("the configuration is sound");
    let result = keys.refresh().await;
    let requests = log.lock().expect("no panic").clone();
    let status = keys.status();
    assert_eq!(status.reads, 1);
    assert!(requests.len() <= 3 && requests.iter().all(|uri| uri.scheme_str() == Some("https")));

    let expected = match discovers.then(|| metadata(&provider.metadata)) {
        Some(Err(failure)) => {
            assert!(requests.iter().all(Provider::is_metadata));
            Err(failure)
        }
        Some(Ok(uri)) => match (is_secure(&uri), result) {
            (Some(false), _) | (None, Err(FetchErrorKind::InsecureUri)) => {
                Err(FetchErrorKind::InsecureUri)
            }
            _ => {
                let last = requests.last().expect("one is the set's");
                let spelled: Uri = uri.parse().expect("it was asked for");
                assert_eq!(*last, spelled);
                set(&provider, last, has_fallback)
            }
        },
        None => set(&provider, &requests[0], has_fallback),
    };
    match (result, expected) {
        (Ok(()), Ok((set, skipped))) => {
            assert_eq!(KeyStore::from(&keys).current(), set);
            assert_eq!((status.keys, status.skipped.len()), (set.len(), skipped));
            assert_eq!(
                (status.state, status.generation),
                (RemoteKeysState::Fresh, 2)
            );
            let lifetime = match requests.last() {
                Some(uri) if !Provider::is_metadata(uri) => lifetime(&provider),
                _ => Duration::from_secs(600),
            };
            let next = status.next_read_in;
            assert!(
                next >= lifetime * 7 / 10 && next <= lifetime * 9 / 10,
                "{next:?}"
            );
            // An unchanged set is not swapped, and a snapshot is the set.
            keys.refresh().await.expect("the answer is the same");
            assert_eq!(keys.status().generation, 2);
            let snapshot = keys.snapshot().expect("there are keys");
            let read = KeySnapshot::from_json(snapshot.to_json()).expect("it was printed");
            assert_eq!(read, snapshot);
        }
        (Err(failure), Err(expected)) => {
            assert_eq!((failure, status.last_failure), (expected, Some(expected)));
            assert_eq!((status.state, status.keys), (RemoteKeysState::Loading, 0));
            let pause = digits(provider.age.as_ref()).filter(|_| provider.status == 503);
            let is_asked = matches!(failure, FetchErrorKind::Status(_));
            let is_paused = is_asked && pause.is_some_and(|pause| pause > 0);
            assert_eq!(keys.refresh().await, Err(expected));
            assert_eq!(keys.status().reads, if is_paused { 1 } else { 2 });
        }
        (got, expected) => panic!("{got:?}, but {expected:?}"),
    }
}

/// A JSON object without a member that occurs twice.
fn strict(json: &[u8]) -> Option<Vec<(String, Json)>> {
    let document = Document::read(json, LEVELS);
    let is_strict = !document.is_broken && !is_loose(&Json::Object(document.members.clone()));
    is_strict.then_some(document.members)
}

fn is_loose(json: &Json) -> bool {
    match json {
        Json::Object(members) => {
            has_twice(members) || members.iter().any(|(_, value)| is_loose(value))
        }
        Json::Array(items) => items.iter().any(is_loose),
        other => other.has_huge_number(),
    }
}

fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json)
}

/// The address of the set.
fn metadata(json: &[u8]) -> Result<String, FetchErrorKind> {
    let members = strict(without_mark(json)).ok_or(FetchErrorKind::NotMetadata)?;
    let text = |name| get(&members, name).and_then(Json::text);
    match (text("issuer"), text("jwks_uri")) {
        (Some(ISSUER), Some(uri)) => Ok(uri.to_owned()),
        (Some(_), Some(_)) => Err(FetchErrorKind::IssuerMismatch),
        _ => Err(FetchErrorKind::NotMetadata),
    }
}

/// `None` for the addresses that are left to the crate.
fn is_secure(uri: &str) -> Option<bool> {
    let Some(rest) = uri.strip_prefix("https://") else {
        let is_https = uri.to_ascii_lowercase().starts_with("https://");
        return if is_https { None } else { Some(false) };
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte);
    let begins_well = rest.starts_with(|first: char| first.is_ascii_alphanumeric());
    match () {
        () if rest.contains('#') => Some(false),
        () if begins_well && rest.bytes().all(is_plain) => Some(true),
        () => None,
    }
}

/// The keys, and the number of those that are left out.
fn set(
    provider: &Provider,
    uri: &Uri,
    has_fallback: bool,
) -> Result<(KeySet, usize), FetchErrorKind> {
    let is_metadata = Provider::is_metadata(uri);
    if provider.status == 503 && !is_metadata {
        return Err(FetchErrorKind::Status(StatusCode::SERVICE_UNAVAILABLE));
    }
    let json = if is_metadata {
        &provider.metadata
    } else {
        &provider.set
    };
    let unusable = FetchErrorKind::NoUsableKey;
    let json = without_mark(json);
    strict(json).ok_or(unusable)?;
    let json: Value = serde_json::from_slice(json).expect("it is strict JSON");
    let keys = json["keys"].as_array().ok_or(unusable)?;
    let mut usable = Vec::new();
    for key in keys.iter().take(MAX_KEYS) {
        usable.extend(public_key(key, has_fallback));
    }
    let is_single = usable.len() == 1;
    let mut taken: Vec<VerifyingKey> = Vec::new();
    for key in usable {
        let name = |key: &VerifyingKey| (key.id().map(str::to_owned), key.algorithm());
        let is_new = !taken.iter().any(|taken| name(taken) == name(&key));
        if is_new && (key.id().is_some() || is_single) {
            taken.push(key);
        }
    }
    if taken.is_empty() {
        return Err(unusable);
    }
    let read = keys.len().min(MAX_KEYS + 1);
    let skipped = read - taken.len();
    Ok((KeySet::new(taken).expect("each has a name"), skipped))
}

fn public_key(key: &Value, has_fallback: bool) -> Option<VerifyingKey> {
    let mut members = key.as_object()?.clone();
    if ["d", "k"].iter().any(|name| members.contains_key(*name)) {
        return None;
    }
    let names_algorithm = members.get("alg").is_some_and(|value| !value.is_null());
    if has_fallback && members.get("kty")? == "RSA" && !names_algorithm {
        members.insert("alg".to_owned(), "RS256".into());
    }
    VerifyingKey::from_jwk(Value::Object(members).to_string()).ok()
}

/// Of the first `max-age` that has a value.
fn lifetime(provider: &Provider) -> Duration {
    let field = provider.cache_control.as_ref();
    let text = field.and_then(|value| value.to_str().ok());
    let mut ages = text.unwrap_or_default().split(',').filter_map(|directive| {
        let directive = directive.trim().to_ascii_lowercase();
        let value = directive.strip_prefix("max-age=")?.trim_matches('"');
        number(value)
    });
    let lifetime = ages.next().map_or(600, |max_age| {
        max_age.saturating_sub(digits(provider.age.as_ref()).unwrap_or(0))
    });
    Duration::from_secs(lifetime.clamp(300, 3600))
}

fn digits(value: Option<&HeaderValue>) -> Option<u64> {
    number(value?.to_str().ok()?.trim())
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}
