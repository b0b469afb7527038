//! Right and wrong answers, their latencies, and the memory of the server.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use crate::{memory, server::Effort, times::Times};

/// Maximum of wrong answers to print.
const SHOWN: usize = 20;

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
        self.effort.print(all);
        println!("{}", Times::HEAD);
        for (name, times) in [("accepted", &self.good), ("hostile", &self.hostile)] {
            println!("{}", times.line(name));
        }
        let is_flat = memory::print(&self.memory);
        let [before, most, after] = self.sockets;
        println!("the server's sockets: {before} before, {most} at most, {after} after");
        println!("{} answers were wrong", self.wrong);
        self.shown.iter().for_each(|line| println!("  {line}"));
        let has_run = self.good.count > 0 && hostile > 0 && self.hindrances > 0;
        self.wrong == 0 && is_flat && after <= before && has_run
    }
}
