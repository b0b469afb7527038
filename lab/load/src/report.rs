//! Right and wrong answers, their latencies, and the memory of the server.

#![expect(clippy::as_conversions, reason = "counts are far below 2^52")]

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use crate::server::Effort;

/// Latencies are counted to the microsecond up to a second; above that only the longest is kept.
const LONGEST: usize = 1_000_000;
/// Maximum of wrong answers to print.
const SHOWN: usize = 20;
/// Memory samples, one a second, below which growth is not judged.
const ENOUGH: usize = 55;
/// Tolerated growth of the memory: a share, or KiB.
const GROWTH: (f64, u64) = (0.05, 2048);

#[derive(Default)]
pub struct Report {
    counts: BTreeMap<&'static str, u64>,
    good: Times,
    hostile: Times,
    wrong: u64,
    /// Sockets of the server before, at most, and after.
    pub sockets: [usize; 3],
    pub effort: Effort,
    shown: Vec<String>,
    /// Requests whose session ended while they were under way.
    pub either: u64,
    pub hindrances: u64,
    pub swaps: u64,
    /// Resident memory in KiB, each second after the warm-up.
    pub memory: Vec<u64>,
}

impl Report {
    pub fn right(&mut self, kind: &'static str, is_hostile: bool, took: Duration) {
        *self.counts.entry(kind).or_default() += 1;
        let times = if is_hostile {
            &mut self.hostile
        } else {
            &mut self.good
        };
        times.add(took);
    }

    pub fn wrong(&mut self, kind: &str, how: impl Display) {
        self.wrong += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(format!("{kind}: {how}"));
        }
    }

    /// Prints the report; returns whether the run passed.
    pub fn print(&self) -> bool {
        let hostile = self.hostile.count;
        let all = self.good.count + hostile;
        println!("{all} answers were right, {hostile} of them to hostile requests:");
        for (kind, count) in &self.counts {
            println!("  {kind:<16} {count:>10}");
        }
        println!(
            "{} slow or half-open clients, {} swaps of keys",
            self.hindrances, self.swaps
        );
        println!(
            "{} more could be accepted or rejected, since their sessions ended meanwhile",
            self.either
        );
        let Effort {
            elapsed,
            server,
            idle,
        } = self.effort;
        println!(
            "{:.0} answers a second; the server had {:.2} CPUs, and {:.2} were idle",
            all as f64 / elapsed,
            server / elapsed,
            idle / elapsed
        );
        println!("microseconds           50 %     90 %     99 %   99.9 %      all");
        for (name, times) in [("accepted", &self.good), ("hostile", &self.hostile)] {
            let shares = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| times.quantile(share));
            let columns: Vec<_> = shares.iter().map(|micros| format!("{micros:>8}")).collect();
            println!("  {name:<16} {}", columns.join(" "));
        }
        let is_flat = self.print_memory();
        let [before, most, after] = self.sockets;
        println!("the server's sockets: {before} before, {most} at most, {after} after");
        println!("{} answers were wrong", self.wrong);
        self.shown.iter().for_each(|line| println!("  {line}"));
        let has_run = self.good.count > 0 && hostile > 0 && self.hindrances > 0;
        self.wrong == 0 && is_flat && after <= before && has_run
    }

    /// Whether the median of the last third is close to that of the third before.
    fn print_memory(&self) -> bool {
        let third = self.memory.len() / 3;
        if self.memory.len() < ENOUGH {
            println!("memory: the run is too short to judge growth");
            return true;
        }
        let median = |part: &[u64]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part.get(part.len() / 2).copied().unwrap_or_default()
        };
        let (Some(middle), Some(last)) = (
            self.memory.get(third..2 * third),
            self.memory.get(2 * third..),
        ) else {
            return false;
        };
        let (middle, last) = (median(middle), median(last));
        let most = (middle as f64 * (1.0 + GROWTH.0)) as u64;
        let is_flat = last <= most.max(middle + GROWTH.1);
        let verdict = if is_flat { "flat" } else { "IT GROWS" };
        println!("memory: {middle} KiB in the middle, {last} KiB at the end: {verdict}");
        is_flat
    }
}

struct Times {
    counts: Vec<u32>,
    count: u64,
    longest: usize,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            counts: vec![0; LONGEST + 1],
            count: 0,
            longest: 0,
        }
    }
}

impl Times {
    fn add(&mut self, time: Duration) {
        let micros = usize::try_from(time.as_micros()).unwrap_or(usize::MAX);
        self.longest = self.longest.max(micros);
        self.counts[micros.min(LONGEST)] += 1;
        self.count += 1;
    }

    /// The latency that this share of all stays within, in microseconds.
    fn quantile(&self, share: f64) -> usize {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let is_enough = |count: &u32| {
            seen += u64::from(*count);
            seen >= wanted.max(1)
        };
        let micros = self.counts.iter().position(is_enough).unwrap_or(LONGEST);
        if micros < LONGEST {
            micros
        } else {
            self.longest
        }
    }
}
