//! Instants as tokens write them, and the clock that they are compared with.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

/// An instant, as the time since 1970-01-01T00:00:00Z (RFC 7519 §2 "NumericDate"); never earlier.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct NumericDate(Duration);

impl NumericDate {
    /// 9999-12-31T23:59:59Z, in seconds.
    const MAX_SECONDS: u64 = 253_402_300_799;

    pub(crate) const MIN: Self = Self(Duration::ZERO);
    pub(crate) const MAX: Self = Self(Duration::from_secs(Self::MAX_SECONDS));

    /// The date of `seconds` and `nanos`, up to [`MAX`](Self::MAX).
    pub(crate) fn new(seconds: u64, nanos: u32) -> Option<Self> {
        Self::of(Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos.into()))?)
    }

    pub(crate) fn from_double(seconds: f64) -> Option<Self> {
        Self::of(Duration::try_from_secs_f64(seconds).ok()?)
    }

    /// The sum, or the longest `Duration` on overflow, which is later than every instant.
    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The difference, or 1970 if it is earlier.
    pub(crate) fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }

    pub(crate) fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The date truncated to milliseconds.
    pub(crate) fn to_millis(self) -> Self {
        Self(Duration::from_millis(self.millis()))
    }

    /// The date truncated to seconds.
    pub(crate) fn to_seconds(self) -> Self {
        Self(Duration::from_secs(self.seconds()))
    }

    pub(crate) fn from_millis(millis: u64) -> Option<Self> {
        Self::of(Duration::from_millis(millis))
    }

    fn of(date: Duration) -> Option<Self> {
        (date <= Self::MAX.0).then_some(Self(date))
    }

    /// Whole milliseconds, truncated; `u64::MAX` on overflow, after any date.
    pub(crate) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whole seconds, truncated.
    pub(crate) fn seconds(self) -> u64 {
        self.0.as_secs()
    }

    pub(crate) fn to_date_time(self) -> DateTime<Utc> {
        i64::try_from(self.0.as_secs())
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, self.0.subsec_nanos()))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// Converts to an integer if there is no fraction (RFC 7519 §2).
impl From<NumericDate> for serde_json::Value {
    fn from(date: NumericDate) -> Self {
        if date.0.subsec_nanos() == 0 {
            date.seconds().into()
        } else {
            date.0.as_secs_f64().into()
        }
    }
}

/// Converts an instant before 1970 to 1970, since no token is that old.
impl From<DateTime<Utc>> for NumericDate {
    fn from(instant: DateTime<Utc>) -> Self {
        let since = instant.signed_duration_since(DateTime::UNIX_EPOCH).to_std();
        since.map(Self).unwrap_or_default()
    }
}

/// The instants from `from` on and before `until`.
#[derive(Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) from: NumericDate,
    pub(crate) until: NumericDate,
}

impl Validity {
    pub(crate) const NEVER: Self = Self {
        from: NumericDate::MIN,
        until: NumericDate::MIN,
    };

    pub(crate) fn contains(&self, now: NumericDate) -> bool {
        self.from <= now && !self.is_over(now)
    }

    pub(crate) fn is_over(&self, now: NumericDate) -> bool {
        self.until <= now
    }
}

/// The largest leeway of a verifier.
pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// The source of the current time.
#[derive(Clone, Default)]
pub(crate) enum Clock {
    #[default]
    System,
    Custom(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>),
}

impl Clock {
    #[inline]
    pub(crate) fn now(&self) -> NumericDate {
        match self {
            Self::System => NumericDate(system_time()),
            Self::Custom(now) => now().into(),
        }
    }

    /// The current time to the nanosecond; [`now`](Self::now) may be some milliseconds late.
    pub(crate) fn exactly_now(&self) -> NumericDate {
        match self {
            Self::System => Utc::now().into(),
            Self::Custom(now) => now().into(),
        }
    }
}

/// The sources of the age of something: a steady clock, which no step of the system's time moves, and
/// the wall clock, which goes on while the machine is suspended.
#[derive(Clone)]
pub(crate) enum Clocks {
    System,
    #[cfg(test)]
    Custom(Arc<dyn Fn() -> [Duration; 2] + Send + Sync>),
}

impl Clocks {
    pub(crate) fn now(&self) -> [Duration; 2] {
        match self {
            Self::System => [steady_time(), system_time()],
            #[cfg(test)]
            Self::Custom(now) => now(),
        }
    }
}

/// The time of the kernel's last tick, some milliseconds ago: several times faster to read. A clock
/// before 1970 reads as 1970.
#[cfg(target_os = "linux")]
fn system_time() -> Duration {
    coarse_time(rustix::time::ClockId::RealtimeCoarse)
}

/// The time since some instant before the start of the process, likewise.
#[cfg(target_os = "linux")]
fn steady_time() -> Duration {
    coarse_time(rustix::time::ClockId::MonotonicCoarse)
}

#[cfg(target_os = "linux")]
#[inline]
fn coarse_time(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn system_time() -> Duration {
    NumericDate::from(Utc::now()).0
}

#[cfg(not(target_os = "linux"))]
fn steady_time() -> Duration {
    use std::{sync::OnceLock, time::Instant};

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Custom(_) => "Custom",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_years_1970_to_9999_are_dates() {
        assert!(NumericDate::new(253_402_300_799, 0).is_some());
        assert!(NumericDate::new(253_402_300_800, 0).is_none());
        assert!(NumericDate::new(253_402_300_799, 1).is_none());
        assert!(NumericDate::new(u64::MAX, 0).is_none());
        for (seconds, ok) in [
            (0.0, true),
            (-0.0, true),
            (0.5, true),
            (253_402_300_799.0, true),
            (253_402_300_799.5, false),
            (-0.5, false),
            (f64::INFINITY, false),
            (f64::NAN, false),
        ] {
            assert_eq!(NumericDate::from_double(seconds).is_some(), ok, "{seconds}");
        }
    }

    #[test]
    fn a_fraction_of_a_second_is_kept() {
        let whole = NumericDate::new(1_750_000_000, 0).unwrap();
        assert!(NumericDate::from_double(1_749_999_999.6).unwrap() < whole);
        assert!(NumericDate::from_double(1_750_000_000.4).unwrap() > whole);
    }

    #[test]
    fn a_date_survives_a_round_trip_through_chrono() {
        for seconds in [0, 1_750_000_000, 253_402_300_799] {
            let date = NumericDate::new(seconds, 0).unwrap();
            assert_eq!(NumericDate::from(date.to_date_time()), date);
        }
        assert_eq!(
            NumericDate::from(DateTime::<Utc>::MIN_UTC),
            NumericDate::default()
        );
    }
}
