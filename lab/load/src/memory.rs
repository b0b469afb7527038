//! Whether the memory of the server grows.

#![expect(clippy::as_conversions, reason = "sizes are far below 2^52")]

use std::time::Duration;

/// Time for the memory of the server to settle: it rises until the largest requests once coincided.
pub const WARM_UP: Duration = Duration::from_secs(60);
/// Memory samples, one a second, below which growth is not judged.
const ENOUGH: usize = 55;
/// Tolerated growth of the memory: a share, or KiB.
const GROWTH: (f64, u64) = (0.05, 2048);

/// Prints whether the median of the last third is close to that of the third before, and returns it.
pub fn print(samples: &[u64]) -> bool {
    let third = samples.len() / 3;
    if samples.len() < ENOUGH {
        println!("memory: the run is too short to judge growth");
        return true;
    }
    let median = |part: &[u64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or_default()
    };
    let (Some(middle), Some(last)) = (samples.get(third..2 * third), samples.get(2 * third..))
    else {
        return false;
    };
    let (middle, last) = (median(middle), median(last));
    let most = (middle as f64 * (1.0 + GROWTH.0)) as u64;
    let is_flat = last <= most.max(middle + GROWTH.1);
    let verdict = if is_flat { "flat" } else { "IT GROWS" };
    println!("memory: {middle} KiB in the middle, {last} KiB at the end: {verdict}");
    is_flat
}
