//! Whether the time of a rejection leaks how much of a forged signature, or of a cached token, was
//! right: dudect's method (Reparaz, Balasch, Verbauwhede, 2017).
//!
//! ```text
//! cargo bench -p benches --bench constant_time
//! ```
//!
//! Two inputs, one wrong near its start and one near its end, are sent in random order, a million
//! times. Welch's t of their times has to stay under 5, with and without the slowest samples, which
//! are noise of the machine. As a control, the same verifier followed by a comparison that returns at
//! the first difference is measured in the same way, and has to be detected.

use std::{
    hash::{BuildHasher, RandomState},
    hint::black_box,
    process::ExitCode,
    time::Instant,
};

use tower_session_token::{Algorithm, SessionErrorKind};

mod support {
    pub(crate) mod tokens;
}
use support::tokens::{assert_session, token, verifier};

/// Base64url characters of an HMAC-SHA256.
const SIGNATURE: usize = 43;
const SAMPLES: usize = 1_000_000;
/// Samples dropped at the start: the first are slow, wherever the input is wrong.
const WARM_UP: usize = 10_000;
/// The largest |t| at which the two classes count as equal.
const LIMIT: f64 = 5.0;
/// Per mille of samples, fastest first, that each test uses.
const SHARES: [usize; 4] = [1000, 990, 900, 500];

fn main() -> ExitCode {
    // `cargo test --benches` runs it too, without the time for it.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("not measured: it is for cargo bench");
        return ExitCode::SUCCESS;
    }
    let results = [
        (
            "the comparison of an HMAC, then one that returns early",
            control(),
            true,
        ),
        ("the comparison of an HMAC", hmac(), false),
        ("the comparison in the cache", cache(), false),
    ];
    let mut is_fine = true;
    for (name, t, is_leaky) in results {
        let is_right = (t >= LIMIT) == is_leaky;
        is_fine &= is_right;
        let judged = if is_right { "as expected" } else { "WRONG" };
        println!("{name}: |t| = {t:.2} at {SAMPLES} samples, {judged}");
    }
    if is_fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Verifies as [`hmac`], for the same noise, then compares the signature's characters one after the
/// other.
fn control() -> f64 {
    forged(|input, right| {
        let mut letters = input.iter().zip(right).skip(right.len() - SIGNATURE);
        // Hidden from the compiler, so that it does not compare many at once.
        letters.all(|(a, b)| black_box(*a) == black_box(*b))
    })
}

fn hmac() -> f64 {
    forged(|_, _| false)
}

/// Verifies signatures with a wrong character: the first, or the last but three. `more` runs after
/// the rejection, and gets the right token.
fn forged(more: impl Fn(&[u8], &[u8]) -> bool) -> f64 {
    let token = token(Algorithm::HS256).into_bytes();
    let verifier = verifier(Algorithm::HS256, 0);
    let places = [token.len() - SIGNATURE, token.len() - 4];
    measure(&token, places, |input| {
        let rejected = verifier.verify(input).expect_err("it is forged");
        assert_eq!(rejected.kind(), SessionErrorKind::SignatureInvalid);
        !more(input, &token)
    })
}

/// Looks up tokens whose end, by which an entry is found, is right, and whose payload is wrong near
/// the start, or near the end.
fn cache() -> f64 {
    let token = token(Algorithm::HS256).into_bytes();
    let payload = token
        .iter()
        .position(|byte| *byte == b'.')
        .expect("a payload")
        + 1;
    let verifier = verifier(Algorithm::HS256, 1 << 20);
    for _ in 0..3 {
        assert_session(&verifier.verify(&token).expect("it is good"));
    }
    assert_eq!(verifier.cache_stats().hits, 1);
    let t = measure(&token, [payload + 4, token.len() - 60], |input| {
        let rejected = verifier.verify(input).expect_err("it is forged");
        assert_eq!(rejected.kind(), SessionErrorKind::SignatureInvalid);
        true
    });
    verifier.verify(&token).expect("it is good");
    assert_eq!(
        verifier.cache_stats().hits,
        2,
        "the entry was there all the time"
    );
    t
}

/// The largest |t| of all shares, where the token is wrong at one of two places.
fn measure(token: &[u8], places: [usize; 2], run: impl Fn(&[u8]) -> bool) -> f64 {
    let random = RandomState::new();
    let inputs = places.map(|at| {
        let mut input = token.to_vec();
        input[at] = if input[at] == b'A' { b'B' } else { b'A' };
        input
    });
    let (mut input, settling) = (token.to_vec(), inputs[0].clone());
    let mut samples = Vec::with_capacity(SAMPLES);
    while samples.len() < SAMPLES + WARM_UP {
        let mut bits = random.hash_one(samples.len());
        for _ in 0..64 {
            let class = usize::from(bits & 1 == 1);
            bits >>= 1;
            // Both are read from the same place, and the copy is over when the time begins.
            input.copy_from_slice(&inputs[class]);
            black_box(run(black_box(&settling)));
            let start = Instant::now();
            black_box(run(black_box(&input)));
            let nanos = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
            samples.push((nanos, class));
        }
    }
    samples.drain(..WARM_UP);
    samples.sort_unstable_by_key(|(nanos, _)| *nanos);
    SHARES
        .map(|share| welch(&samples[..samples.len() * share / 1000]))
        .into_iter()
        .fold(0.0, f64::max)
}

/// |t| of two classes of samples (Welch, 1947).
fn welch(samples: &[(u32, usize)]) -> f64 {
    let (mut count, mut mean, mut squares) = ([0.0; 2], [0.0; 2], [0.0; 2]);
    for (nanos, class) in samples {
        // Welford's sums do not lose the digits that differ.
        let class = *class;
        count[class] += 1.0;
        let distance = f64::from(*nanos) - mean[class];
        mean[class] += distance / count[class];
        squares[class] += distance * (f64::from(*nanos) - mean[class]);
    }
    let variance = |class: usize| squares[class] / (count[class] - 1.0) / count[class];
    (mean[0] - mean[1]).abs() / (variance(0) + variance(1)).sqrt()
}
