//! Right and wrong answers in front of a provider, their latencies, and what the provider was asked.

#![expect(clippy::as_conversions, reason = "counts are far below 2^52")]

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use super::{kind::Kind, provider::Log};
use crate::{memory, server::Effort, times::Times};

/// Maximum of wrong answers to print.
const SHOWN: usize = 20;
/// The most requests that wait for a key.
const MOST_WAITING: usize = 1024;

#[derive(Default)]
pub struct Report {
    counts: BTreeMap<(Kind, &'static str), u64>,
    /// Latencies of known keys, while the provider is healthy and while it is broken.
    known: [Times; 2],
    rejected: Times,
    unknown: Times,
    wrong: u64,
    shown: Vec<String>,
    pub rotations: u32,
    /// From the rotation to the first accepted token of the new key.
    pub found_after: Vec<Duration>,
    /// The most requests that were under way for four seconds at once.
    pub waiting: usize,
    /// Sockets of the server before, at most, and after.
    pub sockets: [usize; 3],
    /// Resident memory in KiB, each second after the warm-up.
    pub memory: Vec<u64>,
    pub effort: Effort,
}

impl Report {
    pub fn right(&mut self, kind: Kind, code: &'static str, is_broken: bool, took: Duration) {
        *self.counts.entry((kind, code)).or_default() += 1;
        let times = match kind {
            Kind::Known => &mut self.known[usize::from(is_broken)],
            Kind::New | Kind::Plausible | Kind::Withdrawn => &mut self.unknown,
            Kind::Hopeless | Kind::Forged => &mut self.rejected,
        };
        times.add(took);
    }

    pub fn wrong(&mut self, kind: Kind, how: impl Display) {
        self.wrong += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(format!("{kind:?}: {how}"));
        }
    }

    /// Prints the report; returns whether the run passed.
    pub fn print(&self, log: &Log) -> bool {
        let all: u64 = self.counts.values().sum();
        let of = |kinds: &[Kind]| -> u64 {
            let counts = self.counts.iter();
            counts
                .filter(|((kind, _), _)| kinds.contains(kind))
                .map(|(_, count)| count)
                .sum()
        };
        let good = of(&[Kind::Known, Kind::New]);
        println!(
            "{all} answers were right, {} of them to hostile requests:",
            all - good
        );
        for ((kind, code), count) in &self.counts {
            println!("  {:<10} {code:<18} {count:>10}", format!("{kind:?}"));
        }
        self.effort.print(all);
        println!("{}", Times::HEAD);
        for (name, times) in [
            ("known, healthy", &self.known[0]),
            ("known, broken", &self.known[1]),
            ("rejected at once", &self.rejected),
            ("unknown key", &self.unknown),
        ] {
            println!("{}", times.line(name));
        }
        let mut found_after = self.found_after.clone();
        found_after.sort_unstable();
        println!(
            "{} rotations; {} new keys were found, half of them within {:.1?} and all within {:.1?}",
            self.rotations,
            found_after.len(),
            found_after
                .get(found_after.len() / 2)
                .unwrap_or(&Duration::ZERO),
            found_after.last().unwrap_or(&Duration::ZERO)
        );
        let faults: u64 = log.faults.values().sum();
        let most = most_requests(self.effort.elapsed, faults);
        println!(
            "the provider had {} requests, at most {most} allowed; {faults} had a fault:",
            log.requests
        );
        for (name, count) in &log.faults {
            println!("  {name:<25} {count:>3}");
        }
        println!(
            "requests under way for four seconds: {} at most",
            self.waiting
        );
        let is_flat = memory::print(&self.memory);
        let [before, most_sockets, after] = self.sockets;
        println!("the server's sockets: {before} before, {most_sockets} at most, {after} after");
        println!("{} answers were wrong", self.wrong);
        self.shown.iter().for_each(|line| println!("  {line}"));
        let has_run = [
            Kind::Known,
            Kind::New,
            Kind::Plausible,
            Kind::Hopeless,
            Kind::Forged,
        ]
        .iter()
        .all(|kind| of(&[*kind]) > 0);
        has_run
            && faults > 0
            && !self.found_after.is_empty()
            && self.wrong == 0
            && is_flat
            && after <= before
            && (1..=MOST_WAITING).contains(&self.waiting)
            && log.requests <= most
    }
}

/// The most requests of one server: two demands and one more each 5 seconds, of three reads each; one
/// more read after each fault and each time that no connection is accepted; one a minute for invalid
/// signatures; and those by schedule.
fn most_requests(seconds: f64, faults: u64) -> u64 {
    let each = |pause: f64| 1.0 + seconds / pause;
    (3.0 * (1.0 + each(5.0)) + each(30.0) + each(60.0) + each(210.0)) as u64 + faults
}
