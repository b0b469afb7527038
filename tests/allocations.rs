//! How many allocations a request costs, exactly.
#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, service_fn};
use tower_session_token::{
    ClientContext, ClientHeaders, KeySet, KeyStore, Revocation, RevocationList, Session, SessionId,
    SessionIssuer, SessionLayer, SessionToken, SessionVerifier, SigningKey, TokenSource, TokenType,
    User, testing::TestIssuer,
};

fn key() -> SigningKey {
    SigningKey::hs256([7; 32]).unwrap()
}

/// The `cache_bytes` that give each thread N `bytes`.
fn bytes_per_thread(bytes: usize) -> usize {
    bytes * thread::available_parallelism().unwrap().get()
}

/// A verifier with a cache of `cache_bytes` bytes; 0 turns the cache off.
fn verifier(cache_bytes: usize) -> SessionVerifier {
    SessionVerifier::builder()
        .cache_bytes(cache_bytes)
        .key(key().verifying_key())
        .issuer("https://id.example.com")
        .audience("orders")
        .build()
        .unwrap()
}

fn token() -> String {
    TestIssuer::with_key(key())
        .issuer("https://id.example.com")
        .audience("orders")
        .token(User::new(uuid::Uuid::new_v4()).with_name("Иван Петров"))
        .with("client_id", uuid::Uuid::new_v4())
        .with("locale", "ru-RU")
        .with("server", "main")
        .issue()
}

/// The token with another signature.
fn forged(mut token: String) -> String {
    let last = if token.ends_with('A') { "E" } else { "A" };
    token.replace_range(token.len() - 1.., last);
    token
}

/// By then everything that is created once exists, and the cache has its entry.
fn allocations_at_the_third_time(mut f: impl FnMut()) -> u64 {
    f();
    f();
    allocation_counter::measure(f).count_total
}

#[test]
fn a_session_costs_a_buffer_and_a_reference_count() {
    let (verifier, token) = (verifier(0), token());
    let count = allocations_at_the_third_time(|| {
        verifier.verify(token.as_bytes()).unwrap();
    });
    assert_eq!(count, 2);
}

#[test]
fn a_session_is_as_large_as_its_text_and_its_members() {
    let (verifier, token) = (verifier(0), token());
    verifier.verify(token.as_bytes()).unwrap();
    let mut session = None;
    let held = allocation_counter::measure(|| {
        session = Some(verifier.verify(token.as_bytes()).unwrap());
    });
    assert!(session.is_some());
    // For scripts/bench.
    println!("a session takes {} bytes", held.bytes_current);
    assert!((500..1500).contains(&held.bytes_current), "{held:?}");
}

/// The size that a verifier reports is no less than what it has allocated.
#[test]
fn the_cache_reports_at_least_the_bytes_it_uses() {
    let used = |max_bytes: usize, tokens: &[String], times: usize, threads: usize| {
        let cached = verifier(max_bytes);
        // Not barriers, at which all would wait for one that panics.
        let (measured, all) = mpsc::channel();
        let end = Mutex::new(());
        thread::scope(|scope| {
            let held = end.lock();
            let work = |measured: mpsc::Sender<i64>| {
                // What a thread has once, whatever verifies there.
                verifier(0).verify(tokens[0].as_bytes()).unwrap();
                let used = allocation_counter::measure(|| {
                    for token in tokens.iter().cycle().take(times * tokens.len()) {
                        cached.verify(token.as_bytes()).unwrap();
                    }
                });
                measured.send(used.bytes_current).unwrap();
                drop(measured);
                drop(end.lock());
            };
            for _ in 0..threads {
                let measured = measured.clone();
                scope.spawn(move || work(measured));
            }
            drop(measured);
            let used: Vec<_> = all.iter().take(threads).collect();
            assert_eq!(used.len(), threads);
            let said = cached.cache_stats().bytes;
            drop(held);
            (usize::try_from(used.iter().sum::<i64>()).unwrap(), said)
        })
    };
    let tokens: Vec<_> = (0..1000).map(|_| token()).collect();
    for (max_bytes, count, times, threads) in [
        (1, 1, 3, 100),
        (1 << 16, 1, 3, 100),
        // What is seen once is not kept: that is what an empty cache uses.
        (1 << 20, 1, 1, 100),
        (1 << 20, 1, 3, 100),
        (1 << 20, 1, 3, 1),
        (1 << 20, 5, 3, 1),
        (1 << 22, 1000, 3, 1),
        (1 << 22, 200, 3, 8),
    ] {
        let (used, said) = used(max_bytes, &tokens[..count], times, threads);
        // The key set caches one header.
        let is_reported = used <= said + 64 && said <= max_bytes;
        assert!(
            is_reported,
            "{used} bytes, {said} reported, {max_bytes} allowed"
        );
    }
}

/// Without `sid`, `jti` is two identifiers; they are read after the session was kept.
#[test]
fn strings_that_a_cached_session_allocates_later_are_counted() {
    const MAX_BYTES: usize = 4 << 20;
    let issuer = TestIssuer::with_key(key());
    let token = |at: usize| {
        let claims = serde_json::json!({
            "sub": "a", "exp": 4_000_000_000_u64, "jti": format!("{at:04}{}", "x".repeat(240)),
        });
        issuer.sign_raw(r#"{"alg":"HS256","typ":"JWT"}"#, claims.to_string())
    };
    let verifier = SessionVerifier::builder()
        .key(key().verifying_key())
        .any_issuer()
        .any_audience()
        .accept_type(TokenType::Jwt)
        .cache_bytes(MAX_BYTES)
        .build()
        .unwrap();
    let tokens: Vec<_> = (0..4000).map(token).collect();
    let held = allocation_counter::measure(|| {
        for token in &tokens {
            for _ in 0..3 {
                let session = verifier.verify(token.as_bytes()).unwrap();
                assert_eq!(session.id().to_string().len(), 244);
            }
        }
    });
    let stats = verifier.cache_stats();
    assert!(stats.evictions > 0, "{stats:?}");
    let held = usize::try_from(held.bytes_current).unwrap();
    assert!(
        held <= stats.bytes && stats.bytes <= MAX_BYTES,
        "{held}, {stats:?}"
    );
}

/// As many fields as a map holds before it doubles.
fn full_map(mut request: Request<()>) -> Request<()> {
    let headers = request.headers_mut();
    for at in headers.len()..6144 {
        let name: http::HeaderName = format!("x{at:x}").parse().unwrap();
        headers.insert(name, http::HeaderValue::from_static(""));
    }
    request
}

#[test]
fn a_map_of_many_fields_is_not_copied() {
    use axum_core::extract::FromRequestParts;

    let source = TokenSource::websocket_protocol("bearer.").unwrap();
    let layer = SessionLayer::new(verifier(0)).token_sources([source]);
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(())))
    }));
    let offered = format!("chat, bearer.{}", token());
    let request = Request::get("/").header("sec-websocket-protocol", offered);
    let mut request = Some(full_map(request.body(()).unwrap()));
    let of_layer = allocation_counter::measure(|| {
        let future = service.call(request.take().unwrap());
        let ready = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Ok(it)) if it.status() == StatusCode::OK));
    });
    assert!(of_layer.bytes_total < 4096, "{of_layer:?}");

    // As after an optional layer, without a token.
    let (mut parts, ()) = full_map(Request::new(())).into_parts();
    parts.extensions.insert(ClientContext::default());
    let of_extractor = allocation_counter::measure(|| {
        let session = pin!(<Session as FromRequestParts<()>>::from_request_parts(
            &mut parts,
            &()
        ));
        let ready = session.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Err(_))));
    });
    assert!(of_extractor.bytes_total < 4096, "{of_extractor:?}");
}

#[test]
fn long_lists_of_languages_are_rejected_before_they_are_joined() {
    let layer = SessionLayer::new(verifier(0)).client_headers(ClientHeaders::all());
    let mut service = layer.layer(service_fn(|request: Request<()>| {
        assert_eq!(
            ClientContext::of(request.extensions())
                .unwrap()
                .ignored_values(),
            1
        );
        ready(Ok::<_, Infallible>(Response::new(())))
    }));
    let long = "a".repeat(100_000);
    let request = Request::get("/")
        .header("authorization", format!("Bearer {}", token()))
        .header("accept-language", &long)
        .header("accept-language", &long);
    let mut request = Some(request.body(()).unwrap());
    let allocated = allocation_counter::measure(|| {
        let future = service.call(request.take().unwrap());
        let ready = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Ok(_))));
    });
    assert!(allocated.bytes_total < 16_384, "{allocated:?}");
}

#[test]
fn the_sessions_of_a_dropped_verifier_are_freed_at_the_next_use_of_any_cache() {
    let (other, mine) = (verifier(1 << 20), token());
    for _ in 0..2 {
        other.verify(mine.as_bytes()).unwrap();
    }
    let tokens: Vec<_> = (0..100).map(|_| token()).collect();
    let left = allocation_counter::measure(|| {
        let gone = verifier(bytes_per_thread(1 << 20));
        for token in tokens.iter().chain(&tokens) {
            gone.verify(token.as_bytes()).unwrap();
        }
        // A pair of sets may fill up: where tokens go is random.
        assert!(gone.cache_stats().sessions > 80);
        drop(gone);
        // Even by a hit.
        let hits = other.cache_stats().hits;
        other.verify(mine.as_bytes()).unwrap();
        assert_eq!(other.cache_stats().hits, hits + 1);
    });
    assert!(left.bytes_current < 10_000, "{left:?}");
    assert!(left.bytes_max > 100_000, "{left:?}");
}

/// The payload of a token is read once, by the issuer whose keys verified its header before.
#[test]
fn several_issuers_cost_no_allocation_more() {
    let own = SigningKey::hs256([7; 32]).unwrap().with_id("own");
    let other = |number: u8| {
        let key = SigningKey::hs256([number; 32]).unwrap();
        let key = key.with_id(format!("k{number}"));
        let builder = SessionVerifier::builder().audience("orders").cache_bytes(0);
        let builder = builder.issuer(format!("https://{number}.example.com"));
        builder.key(key.verifying_key()).build().unwrap()
    };
    let ours = SessionVerifier::builder()
        .key(own.verifying_key())
        .issuer("https://id.example.com")
        .audience("orders")
        .cache_bytes(0)
        .build()
        .unwrap();
    let issuer = TestIssuer::with_key(own).issuer("https://id.example.com");
    let token = issuer.audience("orders").token(User::new("ann")).issue();
    let verifiers = (1..=7).map(other).chain([ours.clone()]);
    for verifier in [SessionVerifier::of_issuers(verifiers).unwrap(), ours] {
        let count = allocations_at_the_third_time(|| {
            verifier.verify(token.as_bytes()).unwrap();
        });
        assert_eq!(count, 2);
    }
}

#[test]
fn a_rejected_token_allocates_nothing() {
    let (verifier, token) = (verifier(0), forged(token()));
    // Over a limit, and of the alphabet.
    let long_token = "A".repeat(8193);
    let long_header = format!("{}.AAAA.AAAA", "A".repeat(1368));
    for token in [
        token.as_str(),
        "a.b.c",
        "",
        "not a token",
        &long_token,
        &long_header,
    ] {
        let count = allocations_at_the_third_time(|| {
            verifier.verify(token.as_bytes()).unwrap_err();
        });
        assert_eq!(count, 0, "{token}");
    }
}

#[test]
fn a_hit_allocates_nothing() {
    let (verifier, token) = (verifier(bytes_per_thread(1 << 20)), token());
    let count = allocations_at_the_third_time(|| {
        verifier.verify(token.as_bytes()).unwrap();
    });
    assert_eq!(verifier.cache_stats().hits, 1);
    assert_eq!(count, 0);
}

/// A map, its table, and a box for the `Session`.
const EXTENSIONS: u64 = 3;

#[test]
fn the_layer_allocates_for_the_extensions_alone() {
    for (cache_bytes, own) in [(0, 2), (bytes_per_thread(1 << 20), 0)] {
        let verifier = verifier(cache_bytes);
        let layer = SessionLayer::new(verifier);
        let mut service = layer.layer(service_fn(|request: Request<()>| {
            assert!(request.extensions().get::<Session>().is_some());
            ready(Ok::<_, Infallible>(Response::new(())))
        }));
        let value = format!("Bearer {}", token());
        let make = || {
            let request = Request::get("/").header("authorization", &value);
            request.body(()).unwrap()
        };
        let mut requests = vec![make(), make(), make()];
        let count = allocations_at_the_third_time(|| {
            let future = service.call(requests.pop().unwrap());
            let mut cx = Context::from_waker(Waker::noop());
            match pin!(future).poll(&mut cx) {
                Poll::Ready(Ok(response)) => assert_eq!(response.status(), StatusCode::OK),
                _ => unreachable!("it is ready"),
            }
        });
        assert_eq!(count, own + EXTENSIONS);
    }
}

/// Minutes in each of which keys are swapped, and sessions begin, are revoked and expire.
#[test]
fn memory_does_not_grow_with_requests() {
    const MINUTES: usize = 400;
    const SESSIONS: usize = 20;
    const LIFETIME: u16 = 300;

    let time = Arc::new(AtomicI64::new(1_768_478_400));
    let seconds = Arc::clone(&time);
    let now = move || -> DateTime<Utc> {
        DateTime::from_timestamp(seconds.load(Ordering::Relaxed), 0).unwrap()
    };
    let new_key = |minute: usize| {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&minute.to_le_bytes());
        SigningKey::hs256(secret)
            .unwrap()
            .with_id(format!("k-{minute}"))
    };
    let set = |key: &SigningKey| KeySet::new([key.verifying_key()]).unwrap();
    let store = KeyStore::new(set(&key()));
    let revoked = RevocationList::with_clock(now.clone());
    let verifier = SessionVerifier::builder()
        .keys(store.clone())
        .revocation(revoked.clone())
        .issuer("https://id.example.com")
        .audience("orders")
        .cache_bytes(bytes_per_thread(1 << 13))
        .clock(now.clone())
        .build()
        .unwrap();
    let layer = SessionLayer::new(verifier.clone());
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(())))
    }));
    let mut status = |token: &str| {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let future = service.call(request.body(()).unwrap());
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) => response.status(),
            _ => unreachable!("it is ready"),
        }
    };

    let mut minute = |number: usize| {
        time.fetch_add(60, Ordering::Relaxed);
        let key = new_key(number);
        store.replace(set(&key));
        let issuer = SessionIssuer::new(key);
        for session in 0..SESSIONS {
            let id = format!("s-{number}-{session}");
            let token = SessionToken::builder(User::new(format!("u-{number}-{session}")))
                .issuer("https://id.example.com")
                .audience("orders")
                .application_id("web-shop")
                .session_id(id.as_str())
                .issued_at(now())
                .lifetime(Duration::from_secs(LIFETIME.into()))
                .build()
                .unwrap();
            let token = issuer.issue(&token).unwrap();
            for _ in 0..3 {
                assert_eq!(status(&token), StatusCode::OK);
            }
            let until = now() + TimeDelta::seconds(LIFETIME.into());
            revoked.revoke(&Revocation::session(
                "https://id.example.com",
                &SessionId::from(id),
                until,
            ));
            assert_eq!(status(&token), StatusCode::UNAUTHORIZED);
            assert_eq!(status(&forged(token)), StatusCode::UNAUTHORIZED);
        }
    };
    // Until what forgets has as much as it lets lie.
    (0..MINUTES).for_each(&mut minute);
    let left = allocation_counter::measure(|| (MINUTES..2 * MINUTES).for_each(&mut minute));
    println!("{left:?} {:?}", verifier.cache_stats());
    // Mostly 0; a table may have become larger, which is far from a few bytes for each session.
    assert!(left.count_current < 10, "{left:?}");
    assert!(left.bytes_current < 32_000, "{left:?}");
    assert!(verifier.cache_stats().evictions > 0);
}

#[cfg(feature = "remote_keys")]
#[test]
fn keys_that_are_fetched_cost_no_allocation_more() {
    use http_body_util::Full;
    use tower_session_token::{Algorithm, RemoteKeys};

    let key = SigningKey::generate(Algorithm::ES256).unwrap().with_id("a");
    let set = KeySet::new([key.verifying_key()]).unwrap();
    let jwks = set.to_jwks();
    let client = service_fn(move |_: Request<String>| {
        ready(Ok::<_, Infallible>(Response::new(Full::new(
            bytes::Bytes::from(jwks.clone()),
        ))))
    });
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    let keys = RemoteKeys::at("https://id.example.com/jwks").client(client);
    let keys = runtime.block_on(keys.load()).unwrap();
    let token = TestIssuer::with_key(key).token(User::new("ann")).issue();
    for cache_bytes in [0, bytes_per_thread(1 << 20)] {
        let count = |store: KeyStore, waits: bool| {
            let verifier = SessionVerifier::builder()
                .keys(store)
                .any_issuer()
                .any_audience()
                .cache_bytes(cache_bytes)
                .build()
                .unwrap();
            let inner = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(()))));
            let layer = SessionLayer::new(verifier);
            let request = || {
                let request = Request::get("/").header("authorization", format!("Bearer {token}"));
                request.body(()).unwrap()
            };
            let requests = Mutex::new(vec![request(), request(), request()]);
            let next = || requests.lock().unwrap().pop().unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            if waits {
                let mut service = layer.wait_for_keys().layer(inner);
                allocations_at_the_third_time(|| {
                    let response = pin!(service.call(next())).poll(&mut cx);
                    assert!(
                        matches!(response, Poll::Ready(Ok(response)) if response.status() == 200)
                    );
                })
            } else {
                let mut service = layer.layer(inner);
                allocations_at_the_third_time(|| {
                    let response = pin!(service.call(next())).poll(&mut cx);
                    assert!(
                        matches!(response, Poll::Ready(Ok(response)) if response.status() == 200)
                    );
                })
            }
        };
        let fixed = count(KeyStore::new(set.clone()), false);
        assert_eq!(count(KeyStore::from(&keys), false), fixed, "{cache_bytes}");
        assert_eq!(count(KeyStore::from(&keys), true), fixed, "{cache_bytes}");
    }
}
