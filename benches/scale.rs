//! Cost of a session as keys, tokens, audiences, live sessions and threads grow; and the memory of the
//! cache of verified tokens.
//!
//! ```text
//! cargo bench -p benches --bench scale
//! ```
//!
//! A word behind `--` chooses parts: `cargo bench -p benches --bench scale -- flood`. Without `--bench`, as in
//! `cargo test -p benches --bench scale`, everything is small: it only shows that the benchmark runs.

use std::{
    cell::RefCell,
    fs,
    hint::black_box,
    io::Write,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use http::{Request, Response};
use serde_json::json;
use tower::{Layer, Service, service_fn};
use tower_session_token::{
    Algorithm, CacheStats, KeySet, Session, SessionLayer, SessionVerifier, SessionVerifierBuilder,
    SigningKey,
};

mod support {
    pub(crate) mod raw;
    pub(crate) mod sample;
    pub(crate) mod service;
    pub(crate) mod tokens;
}
use support::{
    raw::raw_check,
    sample::{Case, case, case_in_batches, report, turns, write_results},
    service::{Answer, idle, looking, request, run},
    tokens::{
        AUDIENCE, HS256_SECRET, ISSUER, assert_session, new_token, signing_key, token, verifier,
    },
};

const DEFAULT_CACHE_BYTES: usize = 64 << 20;
/// Tokens that have been received: as many as a case is given at once.
const RECEIVED: usize = 64;

struct Scale {
    rounds: u64,
    keys: usize,
    sessions: usize,
    soak: usize,
}

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let scale = if full {
        Scale {
            rounds: 200,
            keys: 100_000,
            sessions: 1_000_000,
            soak: 1_000_000,
        }
    } else {
        Scale {
            rounds: 1,
            keys: 10,
            sessions: 100,
            soak: 10_000,
        }
    };
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    type Part = (&'static str, fn(&Scale));
    let parts: [Part; 8] = [
        ("keys", number_of_keys),
        ("audiences", number_of_audiences),
        ("token size", size_of_token),
        ("live sessions", live_sessions),
        ("in situ", in_situ),
        ("flood", tokens_seen_once),
        ("threads", threads_with_one_token),
        ("soak", soak),
    ];
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            part(&scale);
        }
    }
}

/// Measures the points of a curve, and prints each as a multiple of the first.
fn curve(title: &str, mut points: Vec<Case<'_>>, rounds: u64) {
    points.iter_mut().for_each(Case::calibrate);
    for round in 0..rounds {
        turns(&mut points, round);
    }
    report(title, &points, |_| None);
}

fn builder() -> SessionVerifierBuilder {
    SessionVerifier::builder().issuer(ISSUER)
}

/// A verifier with the default budget of the cache.
fn default_verifier() -> SessionVerifier {
    let key = signing_key(Algorithm::HS256).verifying_key();
    let verifier = builder().key(key).audience(AUDIENCE);
    verifier.build().expect("a verifier")
}

fn verifying<'a>(name: &str, verifier: SessionVerifier, token: String) -> Case<'a> {
    assert_session(&verifier.verify(token.as_bytes()).expect("it is accepted"));
    case(
        name,
        || (),
        move |()| verifier.verify(black_box(token.as_bytes())),
    )
}

/// Keys in the set, one of which the token names: the cost is constant.
fn number_of_keys(scale: &Scale) {
    let points = [1, 10, 1_000, 100_000]
        .into_iter()
        .filter(|keys| *keys <= scale.keys);
    let point = |keys: usize| {
        let key = |at: usize| {
            let key = SigningKey::hs256(HS256_SECRET).expect("a key");
            key.with_id(format!("key {at}"))
        };
        let set = KeySet::new((0..keys).map(|at| key(at).verifying_key())).expect("a set");
        let verifier = builder().keys(set).audience(AUDIENCE).cache_bytes(0);
        let token = new_token(key(keys - 1)).issue();
        let verifier = verifier.build().expect("a verifier");
        verifying(&keys.to_string(), verifier, token)
    };
    curve("scale/keys", points.map(point).collect(), scale.rounds);
}

/// Audiences of the service, the last of which the token names: one comparison each.
fn number_of_audiences(scale: &Scale) {
    let point = |audiences: usize| {
        let key = SigningKey::hs256(HS256_SECRET)
            .expect("a key")
            .with_id("k1");
        let mut verifier = builder().key(key.verifying_key()).cache_bytes(0);
        for at in 1..audiences {
            verifier = verifier.audience(format!("other {at}"));
        }
        let verifier = verifier.audience(AUDIENCE).build().expect("a verifier");
        verifying(&audiences.to_string(), verifier, token(Algorithm::HS256))
    };
    let points = [1, 10, 100, 1_000].into_iter().map(point);
    curve("scale/audiences", points.collect(), scale.rounds);
}

/// Size of the token: linear, since all of it is signed; beside the bare check of the same token.
fn size_of_token(scale: &Scale) {
    let mut points = Vec::new();
    for kibibytes in [1, 2, 4, 8] {
        let sized = |filler: usize| {
            let token = new_token(signing_key(Algorithm::HS256));
            token.with("note", "x".repeat(filler)).issue()
        };
        // Four characters for three bytes; the longest token is still one that is accepted.
        let room = (kibibytes * 1024 - sized(0).len()) / 4 * 3;
        let token = sized(room);
        let mut raw = raw_check(Algorithm::HS256, &token);
        assert!(raw());
        points.push(case(
            &format!("raw, {kibibytes} KiB"),
            || (),
            move |()| raw(),
        ));
        let name = format!("session, {kibibytes} KiB");
        points.push(verifying(&name, verifier(Algorithm::HS256, 0), token));
    }
    curve("scale/token size", points, scale.rounds);
}

/// Live sessions in random order, with the default cache and without a cache.
fn live_sessions(scale: &Scale) {
    let points = [1, 100, 1_000, 10_000, 100_000, 1_000_000];
    let points = points
        .into_iter()
        .filter(|sessions| *sessions <= scale.sessions);
    let (mut costs, mut sizes) = (Vec::new(), Vec::new());
    for sessions in points {
        let tokens: Vec<_> = (0..sessions).map(|_| token(Algorithm::HS256)).collect();
        let tokens: Arc<[String]> = tokens.into();
        for (series, cache_bytes) in [("cache", DEFAULT_CACHE_BYTES), ("no cache", 0)] {
            let verifier = verifier(Algorithm::HS256, cache_bytes);
            for token in tokens.iter().cycle().take(3 * sessions) {
                assert!(verifier.verify(token.as_bytes()).is_ok());
            }
            let (tokens, of_case) = (Arc::clone(&tokens), verifier.clone());
            let mut any = any_of(sessions);
            // A server has just read the token from its socket, so that its bytes are near.
            let received = [const { RefCell::new(String::new()) }; RECEIVED];
            let received = Rc::new(received);
            let (sent, mut slot) = (Rc::clone(&received), 0);
            let receive = move || {
                slot = (slot + 1) % RECEIVED;
                sent[slot].borrow_mut().clone_from(&tokens[any()]);
                slot
            };
            let mut point = case(&format!("{sessions}, {series}"), receive, move |slot| {
                of_case.verify(received[slot].borrow().as_bytes())
            });
            // One after the other: if they took turns, each would find the processor's caches
            // full of the others' tokens.
            point.calibrate();
            (0..5 * scale.rounds).for_each(|_| _ = point.turn());
            costs.push(point);
            let stats = verifier.cache_stats();
            assert!(stats.bytes <= DEFAULT_CACHE_BYTES);
            if cache_bytes > 0 {
                let CacheStats {
                    sessions: cached,
                    bytes,
                    hits,
                    misses,
                    ..
                } = stats;
                sizes.push(json!({
                    "live": sessions, "cached": cached, "bytes": bytes,
                    "hits": hits, "misses": misses,
                }));
            }
        }
    }
    report("scale/live sessions", &costs, |_| None);
    write_results("scale/cache", &json!(sizes));
}

/// Positions below `len` in random order.
fn any_of(len: usize) -> impl FnMut() -> usize {
    let mut at = 1_u64;
    move || {
        // A linear congruential generator (Knuth's).
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(at >> 33).unwrap_or_default() % len
    }
}

/// Live sessions through the layer, with a handler that reads the user, as in a server: it has just
/// read the request, and between two requests 64 KiB were written and the system called once.
fn in_situ(scale: &Scale) {
    fn reading(request: Request<()>) -> Answer {
        let session = request
            .extensions()
            .get::<Session>()
            .expect("it is accepted");
        black_box(session.user().name().map(str::len));
        idle(request)
    }

    let points = [1, 100, 1_000, 10_000, 100_000];
    let mut results = Vec::new();
    for sessions in points
        .into_iter()
        .filter(|sessions| *sessions <= scale.sessions)
    {
        let tokens: Vec<_> = (0..sessions)
            .map(|_| format!("Bearer {}", token(Algorithm::HS256)))
            .collect();
        let case = |name: &str, serve: Box<dyn FnMut(Request<()>) -> Response<()>>| {
            let (mut any, tokens) = (any_of(sessions), &tokens);
            let (mut written, mut null) = (vec![0_u8; 64 * 1024], fs::File::create("/dev/null"));
            let receive = move || {
                black_box(&mut written).fill(1);
                if let Ok(null) = &mut null {
                    null.write_all(b"x").expect("it takes all");
                }
                request(Some(&tokens[any()]))
            };
            case_in_batches(1, name, receive, serve)
        };
        let layered = |verifier: SessionVerifier| {
            let layer = SessionLayer::new(verifier);
            let mut warm = layer.layer(service_fn(looking));
            for token in tokens.iter().cycle().take(3 * sessions) {
                let response = run(warm.call(request(Some(token))));
                assert_session(response.extensions().get().expect("it is accepted"));
            }
            let mut service = layer.layer(service_fn(reading));
            Box::new(move |request| run(service.call(request)))
        };
        let mut cases = vec![
            case("no layer", Box::new(|request| run(idle(request)))),
            case("no cache", layered(verifier(Algorithm::HS256, 0))),
            case("cache", layered(default_verifier())),
        ];
        cases.iter_mut().for_each(Case::calibrate);
        (0..5 * scale.rounds).for_each(|round| _ = turns(&mut cases, round));
        let [no_layer, no_cache, cache] = [0, 1, 2].map(|at: usize| cases[at].median());
        let ratio = (cache - no_layer) / (no_cache - no_layer);
        report(&format!("scale/in situ {sessions}"), &cases, |name| {
            (name != "no layer").then_some("no layer")
        });
        println!("  with the cache / without it: {ratio:.2}");
        results.push(json!({ "live": sessions, "ratio": ratio }));
    }
    write_results("scale/in situ", &json!(results));
}

/// A flood of distinct valid tokens, against the same without a cache.
fn tokens_seen_once(scale: &Scale) {
    let tokens: Vec<_> = (0..scale.sessions.min(200_000))
        .map(|_| token(Algorithm::HS256))
        .collect();
    let point = |name: &str, cache_bytes: usize| {
        let verifier = verifier(Algorithm::HS256, cache_bytes);
        let mut tokens = tokens.iter().cycle();
        case(
            name,
            move || tokens.next().expect("there is always one more"),
            move |token| verifier.verify(token.as_bytes()),
        )
    };
    let points = vec![point("no cache", 0), point("cache", DEFAULT_CACHE_BYTES)];
    curve("scale/flood", points, scale.rounds);
}

/// Two threads with one token: each is as fast as one alone.
fn threads_with_one_token(scale: &Scale) {
    let verifier = verifier(Algorithm::HS256, DEFAULT_CACHE_BYTES);
    let token = token(Algorithm::HS256);
    let (running, ended) = (Mutex::new(()), AtomicBool::new(false));
    thread::scope(|scope| {
        let pause = running.lock().expect("it is free");
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                // Waits while the measuring thread runs alone.
                let _turn = running.lock();
                for _ in 0..1_000 {
                    black_box(verifier.verify(token.as_bytes())).expect("it is accepted");
                }
            }
        });
        let mut results = Vec::new();
        let mut pause = Some(pause);
        for round in 0..2 * scale.rounds.max(5) {
            let together = round % 2 == 1;
            pause = if together {
                None
            } else {
                pause.or_else(|| running.lock().ok())
            };
            let start = std::time::Instant::now();
            for _ in 0..10_000 {
                black_box(verifier.verify(token.as_bytes())).expect("it is accepted");
            }
            results.push((together, start.elapsed() / 10_000));
        }
        ended.store(true, Ordering::Relaxed);
        drop(pause);
        let median = |which: bool| {
            let mut times: Vec<_> = results.iter().filter(|result| result.0 == which).collect();
            times.sort();
            times[times.len() / 2].1.as_nanos()
        };
        let (alone, together) = (median(false), median(true));
        println!(
            "\nscale/threads: {alone} ns alone, {together} ns while another thread does the same"
        );
        write_results(
            "scale/threads",
            &json!({ "alone_ns": alone, "together_ns": together }),
        );
    });
}

/// Distinct tokens, each three times: memory after all of them equals memory after the first tenth.
fn soak(scale: &Scale) {
    // The cache is full after less than a tenth of them.
    let max_bytes = scale.soak * 64;
    let verifier = verifier(Algorithm::HS256, max_bytes);
    let mut early = 0;
    for at in 1..=scale.soak {
        let token = token(Algorithm::HS256);
        for _ in 0..3 {
            assert!(verifier.verify(token.as_bytes()).is_ok());
        }
        assert!(verifier.cache_stats().bytes <= max_bytes);
        if at == scale.soak / 10 {
            early = resident_bytes();
        }
    }
    let (late, stats) = (resident_bytes(), verifier.cache_stats());
    println!("\nscale/soak: {early} bytes resident early, {late} at the end; {stats:?}");
    assert!(late < early + early / 20, "it grows");
    let hits = stats.hits;
    write_results(
        "scale/soak",
        &json!({ "tokens": scale.soak, "early": early, "late": late, "hits": hits }),
    );
}

/// Resident bytes of this process; 0 where they are unknown.
fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default();
    let kibibytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse::<usize>().ok());
    kibibytes.unwrap_or_default() * 1024
}
