//! Latency of requests whose key is known, while the provider of the keys hangs and 1,024 others wait
//! for it, as a multiple of the latency while it answers.
//!
//! ```text
//! cargo bench -p benches --bench provider
//! ```
//!
//! Both are measured in turns in one process: noise of the machine affects them alike.

use std::{
    convert::Infallible,
    future::pending,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::{runtime::Builder, task::JoinSet};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_session_token::{
    Algorithm, KeySet, RemoteKeys, Session, SessionLayer, SessionVerifier, SigningKey, User,
    testing::TestIssuer,
};

mod support {
    pub(crate) mod service;
}
use support::service::{idle, looking, request, run};

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "orders";
const WAITING: usize = 1024;
const ROUNDS: usize = 60;

/// The nanoseconds of each request in one turn.
fn turn(
    requests: usize,
    mut send: impl FnMut(Request<()>) -> StatusCode,
    bearer: &str,
) -> Vec<u64> {
    let requests = (0..requests).map(|_| request(Some(bearer)));
    let took = requests.map(|request| {
        let start = Instant::now();
        let status = black_box(send(request));
        let took = start.elapsed();
        assert_eq!(status, StatusCode::OK);
        u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
    });
    took.collect()
}

/// The latency that this share of all stays within.
fn quantile(took: &mut [u64], hundredths: usize) -> u64 {
    took.sort_unstable();
    took[(took.len() - 1) * hundredths / 100]
}

#[expect(clippy::as_conversions, reason = "precision is not at stake")]
fn ratio(hanging: u64, answering: u64) -> f64 {
    hanging as f64 / answering as f64
}

/// Prints the latencies and their ratios.
fn report(name: &str, turns: &mut [[Vec<u64>; 2]]) {
    for hundredths in [50, 99] {
        let mut of_rounds: Vec<_> = turns
            .iter_mut()
            .map(|took| took.each_mut().map(|took| quantile(took, hundredths)))
            .map(|[answering, hanging]| ratio(hanging, answering))
            .collect();
        of_rounds.sort_unstable_by(f64::total_cmp);
        let all = |which: usize| turns.iter().flat_map(|took| took[which].clone()).collect();
        let [answering, hanging] =
            [all(0), all(1)].map(|mut took: Vec<u64>| quantile(&mut took, hundredths));
        println!(
            "{name}, {hundredths} %: {answering} ns while it answers, {hanging} ns while it hangs: {:.3} x; \
             median of the rounds {:.3} x",
            ratio(hanging, answering),
            of_rounds[of_rounds.len() / 2],
        );
    }
}

fn main() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let key = |id| SigningKey::generate(Algorithm::EdDSA).map(|key| key.with_id(id));
    let [key, unknown] = ["known", "unknown"].map(|id| key(id).expect("a key"));
    let set = KeySet::new([key.verifying_key()]).expect("a set");
    let set = set.to_jwks();
    let hangs = Arc::new(AtomicBool::new(false));
    let provider = {
        let hangs = hangs.clone();
        service_fn(move |_: Request<String>| {
            let (body, hangs) = (Bytes::from(set.clone()), hangs.load(Ordering::SeqCst));
            async move {
                if hangs {
                    pending::<()>().await;
                }
                Ok::<_, Infallible>(Response::new(Full::new(body)))
            }
        })
    };
    // Of keys that nobody has asked for yet.
    let layer = |cache_bytes| {
        let keys = RemoteKeys::at("https://id.example.com/jwks").client(provider.clone());
        let keys = runtime.block_on(keys.load()).expect("keys");
        let verifier = SessionVerifier::builder()
            .keys(&keys)
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .cache_bytes(cache_bytes)
            .build();
        SessionLayer::new(verifier.expect("a verifier")).wait_for_keys()
    };
    let bearer = |key: SigningKey| {
        let issuer = TestIssuer::with_key(key).issuer(ISSUER).audience(AUDIENCE);
        format!("Bearer {}", issuer.token(User::new("ann")).issue())
    };
    let (bearer, unknown) = (bearer(key), bearer(unknown));

    // `cargo test` runs each benchmark once.
    let is_measured = std::env::args().any(|word| word == "--bench");
    let rounds = if is_measured { ROUNDS } else { 1 };
    for (name, cache_bytes, requests) in [
        ("seen before", 1 << 20, 20_000),
        ("not seen before", 0, 4_000),
    ] {
        let requests = if is_measured { requests } else { 10 };
        let mut turns = Vec::new();
        for _ in 0..rounds {
            let layer = layer(cache_bytes);
            let mut service = layer.layer(service_fn(idle));
            let mut send = |request| run(service.call(request)).status();
            // What is created once exists after this, and the cache has its entry.
            let mut looking = layer.layer(service_fn(looking));
            for _ in 0..3 {
                let response = run(looking.call(request(Some(&bearer))));
                assert!(response.extensions().get::<Session>().is_some());
            }
            let answering = turn(requests, &mut send, &bearer);
            hangs.store(true, Ordering::SeqCst);
            let mut waiting = JoinSet::new();
            for _ in 0..WAITING {
                waiting.spawn(
                    layer
                        .layer(service_fn(idle))
                        .oneshot(request(Some(&unknown))),
                );
            }
            // Until each waits.
            sleep(Duration::from_millis(100));
            let hanging = turn(requests, &mut send, &bearer);
            assert!(waiting.try_join_next().is_none(), "all of them wait");
            hangs.store(false, Ordering::SeqCst);
            runtime.block_on(waiting.shutdown());
            turns.push([answering, hanging]);
        }
        report(name, &mut turns);
    }
}
