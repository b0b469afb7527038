//! What was right and what was not, how long it took, and the server's memory.

use std::{collections::BTreeMap, time::Duration};

use crate::server::Effort;

/// Times are counted to the microsecond up to a second; of what is longer, the longest is told.
const LONGEST: usize = 1_000_000;
/// How many wrong answers are shown.
const SHOWN: usize = 20;
/// Seconds after the warm-up, from which on the memory is judged.
const ENOUGH: usize = 55;
/// Of the memory; or so many KiB.
const GROWTH: (f64, u64) = (0.05, 2048);

#[derive(Default)]
pub struct Report {
    counts: BTreeMap<&'static str, u64>,
    good: Times,
    hostile: Times,
    wrong: u64,
    /// The server's sockets before, at most, and after.
    pub sockets: [usize; 3],
    pub effort: Effort,
    shown: Vec<String>,
    /// Whose session ended while they were under way.
    pub either: u64,
    pub hindrances: u64,
    pub swaps: u64,
    /// Of each second after the warm-up, in KiB.
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

    pub fn wrong(&mut self, kind: &str, how: String) {
        self.wrong += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(format!("{kind}: {how}"));
        }
    }

    /// Whether all is as it has to be.
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
            "{} more could be accepted or refused, since their sessions ended meanwhile",
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
            let shares = [0.5, 0.9, 0.99, 0.999, 1.0].map(|it| times.share(it));
            let columns: Vec<_> = shares.iter().map(|it| format!("{it:>8}")).collect();
            println!("  {name:<16} {}", columns.join(" "));
        }
        let is_flat = self.print_memory();
        let [before, most, after] = self.sockets;
        println!("the server's sockets: {before} before, {most} at most, {after} after");
        println!("{} answers were wrong", self.wrong);
        self.shown.iter().for_each(|it| println!("  {it}"));
        let has_run = self.good.count > 0 && hostile > 0 && self.hindrances > 0;
        self.wrong == 0 && is_flat && after <= before && has_run
    }

    /// Whether the last third is as the one before.
    fn print_memory(&self) -> bool {
        let third = self.memory.len() / 3;
        if self.memory.len() < ENOUGH {
            println!("memory: the run is too short to tell whether it is flat");
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

    /// How long this share of all took at most, in microseconds.
    fn share(&self, share: f64) -> usize {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let is_enough = |count: &u32| {
            seen += u64::from(*count);
            seen >= wanted.max(1)
        };
        let share = self.counts.iter().position(is_enough).unwrap_or(LONGEST);
        match share < LONGEST {
            true => share,
            false => self.longest,
        }
    }
}
