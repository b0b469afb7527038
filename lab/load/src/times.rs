//! Latencies of requests.

#![expect(clippy::as_conversions, reason = "counts are far below 2^52")]

use std::time::Duration;

/// Latencies are counted to the microsecond up to a second; above that only the longest is kept.
const LONGEST: usize = 1_000_000;

pub struct Times {
    counts: Vec<u32>,
    pub count: u64,
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
    pub const HEAD: &str = "microseconds           50 %     90 %     99 %   99.9 %      all";

    pub fn add(&mut self, time: Duration) {
        let micros = usize::try_from(time.as_micros()).unwrap_or(usize::MAX);
        self.longest = self.longest.max(micros);
        self.counts[micros.min(LONGEST)] += 1;
        self.count += 1;
    }

    /// A line of quantiles, under [`Times::HEAD`].
    pub fn line(&self, name: &str) -> String {
        let shares = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| self.quantile(share));
        let columns: Vec<_> = shares.iter().map(|micros| format!("{micros:>8}")).collect();
        format!("  {name:<16} {}", columns.join(" "))
    }

    /// The latency that this share of all stays within, in microseconds.
    pub fn quantile(&self, share: f64) -> usize {
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
