//! Compares the cost of several cases: for each sample that criterion takes of one of them, all others
//! run too.

use std::time::Duration;

use criterion::Criterion;

use super::sample::{Case, report, turns};

/// Short runs suffice, since each also runs the cases that it is compared with.
pub(crate) fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
}

/// Measures the cases, and prints each as a multiple of the first one. The case that `less_of` names
/// for a case, if any, is subtracted: the same call without the part that is measured.
pub(crate) fn compare(
    c: &mut Criterion,
    title: &str,
    mut cases: Vec<Case<'_>>,
    less_of: impl Fn(&str) -> Option<&'static str>,
) {
    cases.iter_mut().for_each(Case::calibrate);
    let mut group = c.benchmark_group(title);
    for at in 0..cases.len() {
        let name = cases[at].name.clone();
        group.bench_function(&name, |b| {
            b.iter_custom(|times| {
                let rounds = times.div_ceil(cases[at].per_turn);
                let mut took = Duration::ZERO;
                for round in 0..rounds {
                    took += turns(&mut cases, round)[at];
                }
                scale(took, times, rounds * cases[at].per_turn)
            });
        });
    }
    group.finish();
    report(title, &cases, less_of);
}

#[expect(clippy::as_conversions, reason = "precision is not at stake")]
fn scale(took: Duration, wanted: u64, ran: u64) -> Duration {
    took.mul_f64(wanted as f64 / ran as f64)
}
