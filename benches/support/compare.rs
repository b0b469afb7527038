//! Compares what several things cost, interleaved: at every sample of one of them all others run
//! too, in turn, so that a noisy moment of the machine falls on all alike.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use criterion::Criterion;

/// How long one case runs before it is the turn of the next.
const TURN: Duration = Duration::from_micros(200);

/// One of the things that are compared.
pub(crate) struct Case<'a> {
    name: String,
    /// Runs it so many times, and tells how long that took.
    run: Box<dyn FnMut(u64) -> Duration + 'a>,
    /// How many times fill a turn.
    per_turn: u64,
    /// Nanoseconds, one of each turn.
    samples: Vec<f64>,
}

/// A case: `f` of what `make` makes, which is not counted.
pub(crate) fn case<'a, I: 'a, T>(
    name: &str,
    mut make: impl FnMut() -> I + 'a,
    mut f: impl FnMut(I) -> T + 'a,
) -> Case<'a> {
    /// Few, so that they are in the processor's cache as a real request is.
    const BATCH: u64 = 64;

    let mut inputs = Vec::new();
    let run = move |times: u64| {
        let (mut left, mut took) = (times, Duration::ZERO);
        while left > 0 {
            let batch = left.min(BATCH);
            inputs.extend((0..batch).map(|_| make()));
            let start = Instant::now();
            for input in inputs.drain(..) {
                std::hint::black_box(f(input));
            }
            took += start.elapsed();
            left -= batch;
        }
        took
    };
    Case {
        name: name.to_owned(),
        run: Box::new(run),
        per_turn: 0,
        samples: Vec::new(),
    }
}

impl Case<'_> {
    /// Finds how many times fill a turn.
    fn calibrate(&mut self) {
        self.per_turn = 1;
        while (self.run)(self.per_turn) < TURN {
            self.per_turn *= 2;
        }
    }

    #[expect(clippy::as_conversions, reason = "precision is not at stake")]
    fn turn(&mut self) -> Duration {
        let took = (self.run)(self.per_turn);
        self.samples
            .push(took.as_nanos() as f64 / self.per_turn as f64);
        took
    }

    fn median(&self) -> f64 {
        let mut samples = self.samples.clone();
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    }
}

/// Short runs will do, since each also runs all that it is compared with.
pub(crate) fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
}

/// Measures the cases, and tells each as a multiple of the first one. What `less_of` names for a
/// case, if anything, is taken off: the cost of the same call without what is measured.
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
                    for turn in 0..cases.len() {
                        // Each round begins with another case.
                        let whose = (turn + usize::try_from(round).unwrap_or(0)) % cases.len();
                        let this = cases[whose].turn();
                        if whose == at {
                            took += this;
                        }
                    }
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

/// Prints the medians and leaves them as JSON for `scripts/bench`.
fn report(title: &str, cases: &[Case<'_>], less_of: impl Fn(&str) -> Option<&'static str>) {
    if cases.iter().any(|case| case.samples.len() < 10) {
        // A filter left them out, or they only ran once to show that they do.
        return;
    }
    let median = |name: &str| cases.iter().find(|it| it.name == name).map(Case::median);
    let unit = cases[0].median();
    let mut rows = serde_json::Map::new();
    println!("\n{title}: median of {} turns", cases[0].samples.len());
    for case in cases {
        let gross = case.median();
        let net = gross - less_of(&case.name).and_then(median).unwrap_or(0.0);
        println!(
            "  {:32} {net:>10.1} ns net  {:>8.3} x {}",
            case.name,
            net / unit,
            cases[0].name
        );
        rows.insert(
            case.name.clone(),
            serde_json::json!({ "gross_ns": gross, "net_ns": net, "ratio": net / unit }),
        );
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let folder = target.join("comparisons");
    fs::create_dir_all(&folder).expect("a folder for results");
    let file = folder.join(format!("{}.json", title.replace('/', "-")));
    fs::write(&file, serde_json::Value::from(rows).to_string()).expect("a file for results");
}
