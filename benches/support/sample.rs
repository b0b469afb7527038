//! Costs of several cases, measured in turns, so that noise of the machine affects all alike.

use std::{
    fs,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Duration of one case's turn.
const TURN: Duration = Duration::from_micros(200);

/// One of the cases that are compared.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    /// Runs the case N times, and returns how long that took.
    run: Box<dyn FnMut(u64) -> Duration + 'a>,
    /// Runs per turn.
    pub(crate) per_turn: u64,
    /// Nanoseconds per run, one sample per turn.
    samples: Vec<f64>,
}

/// Inputs that are made at once: few, so that they are in the processor's cache as a real request is.
const BATCH: u64 = 64;

/// A case that times `f` on inputs of `make`, whose own time is not counted.
pub(crate) fn case<'a, I: 'a, T>(
    name: &str,
    make: impl FnMut() -> I + 'a,
    f: impl FnMut(I) -> T + 'a,
) -> Case<'a> {
    case_in_batches(BATCH, name, make, f)
}

/// As [`case`], with `batch` inputs made at once. The clock is read for each batch.
pub(crate) fn case_in_batches<'a, I: 'a, T>(
    batch: u64,
    name: &str,
    mut make: impl FnMut() -> I + 'a,
    mut f: impl FnMut(I) -> T + 'a,
) -> Case<'a> {
    let mut inputs = Vec::new();
    let run = move |times: u64| {
        let (mut left, mut took) = (times, Duration::ZERO);
        while left > 0 {
            let batch = left.min(batch);
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
    /// Calibrates the runs per turn.
    pub(crate) fn calibrate(&mut self) {
        machine_load();
        self.per_turn = 1;
        while (self.run)(self.per_turn) < TURN {
            self.per_turn *= 2;
        }
    }

    #[expect(clippy::as_conversions, reason = "precision is not at stake")]
    pub(crate) fn turn(&mut self) -> Duration {
        let took = (self.run)(self.per_turn);
        self.samples
            .push(took.as_nanos() as f64 / self.per_turn as f64);
        took
    }

    pub(crate) fn median(&self) -> f64 {
        let mut samples = self.samples.clone();
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    }
}

/// Runs one turn of each case, and records the times; each round begins with another case.
pub(crate) fn turns(cases: &mut [Case<'_>], round: u64) -> Vec<Duration> {
    let mut took = vec![Duration::ZERO; cases.len()];
    for turn in 0..cases.len() {
        let whose = (turn + usize::try_from(round).unwrap_or(0)) % cases.len();
        took[whose] = cases[whose].turn();
    }
    took
}

/// The load of the machine since the last call: the load average of the last minute, and the share of
/// all CPUs that other work took, which is the noise of the ratios. Zeros where they are unknown.
fn machine_load() -> (f64, f64) {
    static BEFORE: Mutex<[f64; 3]> = Mutex::new([0.0; 3]);

    let numbers = |file: &str| -> Vec<f64> {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        // The name of a process, which may contain spaces, ends with a parenthesis.
        let line = line.rsplit(')').next().unwrap_or_default();
        let words = line.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let average = numbers("/proc/loadavg").first().copied();
    // user nice system idle iowait irq softirq steal; and utime and stime of this process. The word
    // before them, its state, is no number.
    let (all, own) = (numbers("/proc/stat"), numbers("/proc/self/stat"));
    let idle: f64 = all.iter().skip(3).take(2).sum();
    let total: f64 = all.iter().take(8).sum();
    let own: f64 = own.iter().skip(10).take(2).sum();
    let now = [total, idle, own];
    let mut before = BEFORE.lock().expect("no thread panicked");
    let [total, idle, own] = std::array::from_fn(|at| now[at] - before[at]);
    *before = now;
    let others = (total - idle - own) / total.max(1.0);
    (average.unwrap_or_default(), others.max(0.0))
}

/// Prints the medians, and saves them, beside the load of the machine.
pub(crate) fn report(
    title: &str,
    cases: &[Case<'_>],
    less_of: impl Fn(&str) -> Option<&'static str>,
) {
    if cases.iter().any(|case| case.samples.len() < 50) {
        // A filter excluded them, or they ran once as a test.
        return;
    }
    let median = |name: &str| {
        cases
            .iter()
            .find(|case| case.name == name)
            .map(Case::median)
    };
    let unit = cases[0].median();
    let mut rows = serde_json::Map::new();
    let (average, others) = machine_load();
    println!(
        "\n{title}: median of {} turns; load average {average}, other work {:.0} % of the CPUs",
        cases[0].samples.len(),
        others * 100.0,
    );
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
    write_results(title, &rows.into());
    let load = serde_json::json!({ "load_average": average, "others": others });
    write_results(&format!("machine/{title}"), &load);
}

/// Saves results for `scripts/bench`.
pub(crate) fn write_results(title: &str, results: &serde_json::Value) {
    // In the target directory; cargo runs a benchmark in the folder of its package.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("comparisons");
    fs::create_dir_all(&folder).expect("a folder for results");
    let file = folder.join(format!("{}.json", title.replace(['/', ' '], "-")));
    fs::write(&file, results.to_string()).expect("a file for results");
}
