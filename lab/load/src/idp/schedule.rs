//! When the provider rotates, and when it is broken.

use std::time::{Duration, Instant};

/// The provider is broken twice in this time, for [`BROKEN`] each.
const PERIOD: u64 = 20_000;
/// Milliseconds of the period: one before a rotation, one across it.
const BROKEN: [(u64, u64); 2] = [(4000, 6000), (9000, 11_000)];
const ROTATION: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Healthy,
    /// Each response has a fault.
    Faulty,
    /// No connection is accepted.
    Down,
}

#[derive(Clone, Copy)]
pub struct Schedule {
    pub start: Instant,
}

impl Schedule {
    pub fn phase(self) -> Phase {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (period, within) = (millis / PERIOD, millis % PERIOD);
        let mut broken = (2 * period..).zip(BROKEN);
        match broken.find(|(_, (from, to))| (*from..*to).contains(&within)) {
            None => Phase::Healthy,
            // Every third time.
            Some((number, _)) if number % 3 == 2 => Phase::Down,
            Some(_) => Phase::Faulty,
        }
    }

    /// The rotation after this one.
    pub fn rotation(self, number: u32) -> Instant {
        self.start + ROTATION * number
    }
}
