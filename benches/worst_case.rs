//! Time of the worst known inputs of 64 KiB: takes the median of some runs of each, prints the slowest,
//! and fails if it exceeds a limit.
//!
//! ```text
//! cargo bench -p benches --bench worst_case
//! ```
#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    future::ready,
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use http::{Request, Response};
use tower::{Layer, service_fn};

#[path = "../tests/hostile/mod.rs"]
mod hostile;
use hostile::{garbage, layer, requests, send, signed, unsigned, verifiers};

const LIMIT: Duration = Duration::from_millis(1);
const RUNS: usize = 21;
const SHOWN: usize = 10;

fn main() -> ExitCode {
    // `cargo test --benches` runs it too, and time depends on what else the machine does.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("not measured: it is for cargo bench");
        return ExitCode::SUCCESS;
    }
    let mut times = Vec::new();
    for (limits, verifier) in verifiers() {
        for (name, token) in [garbage(), unsigned(), signed()].concat() {
            let time = median(|| (), |()| verifier.verify(token.as_bytes()));
            times.push((time, format!("{limits}: {name}")));
        }
        let mut service = layer(verifier).layer(service_fn(|_: Request<()>| {
            ready(Ok::<_, Infallible>(Response::new(())))
        }));
        for (name, headers) in requests() {
            // Cloning the fields is not measured.
            let time = median(|| headers.clone(), |headers| send(&mut service, headers));
            times.push((time, format!("{limits}: {name}")));
        }
    }
    times.sort_unstable_by(|a, b| b.cmp(a));
    println!("{} inputs; the slowest:", times.len());
    for (time, name) in times.iter().take(SHOWN) {
        println!("{time:>10.1?}  {name}");
    }
    if times.first().is_some_and(|(slowest, _)| *slowest < LIMIT) {
        ExitCode::SUCCESS
    } else {
        println!("TOO SLOW: the limit is {LIMIT:?}");
        ExitCode::FAILURE
    }
}

fn median<I, O>(mut prepare: impl FnMut() -> I, mut run: impl FnMut(I) -> O) -> Duration {
    let mut times = [(); RUNS].map(|()| {
        let input = prepare();
        let start = Instant::now();
        drop(black_box(run(black_box(input))));
        start.elapsed()
    });
    times.sort_unstable();
    times[RUNS / 2]
}
