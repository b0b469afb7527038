//! Moments as tokens have them, and the clock that they are compared with.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

/// A moment: the time since 1970-01-01T00:00:00Z (RFC 7519 §2 "NumericDate"), never before it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct NumericDate(Duration);

impl NumericDate {
    /// 9999-12-31T23:59:59Z, in seconds.
    const MAX_SECONDS: u64 = 253_402_300_799;

    pub(crate) const MAX: Self = Self(Duration::from_secs(Self::MAX_SECONDS));

    /// A date of so many seconds and nanoseconds.
    pub(crate) fn new(seconds: u64, nanos: u32) -> Option<Self> {
        let date = Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos.into()))?;
        Some(Self(date)).filter(|date| *date <= Self::MAX)
    }

    pub(crate) fn from_double(seconds: f64) -> Option<Self> {
        let date = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Self(date)).filter(|date| *date <= Self::MAX)
    }

    /// Never wraps round: a sum that is too large is later than every moment.
    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// Never before 1970.
    pub(crate) fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }

    pub(crate) fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The same date with a fraction of whole milliseconds.
    pub(crate) fn to_millis(self) -> Self {
        Self(Duration::from_millis(self.millis()))
    }

    pub(crate) fn from_millis(millis: u64) -> Option<Self> {
        let date = Duration::from_millis(millis);
        Some(Self(date)).filter(|date| *date <= Self::MAX)
    }

    /// Whole milliseconds, a fraction cut off.
    pub(crate) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whole seconds, a fraction cut off.
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

/// An integer where there is no fraction (RFC 7519 §2).
impl From<NumericDate> for serde_json::Value {
    fn from(date: NumericDate) -> Self {
        if date.0.subsec_nanos() == 0 {
            date.seconds().into()
        } else {
            date.0.as_secs_f64().into()
        }
    }
}

/// Instants before 1970 become 1970: no token is that old.
impl From<DateTime<Utc>> for NumericDate {
    fn from(instant: DateTime<Utc>) -> Self {
        // chrono counts a leap second as nanoseconds beyond the second; a Duration carries them.
        u64::try_from(instant.timestamp()).map_or_else(
            |_| Self::default(),
            |seconds| {
                let rest = Duration::from_nanos(instant.timestamp_subsec_nanos().into());
                Self(Duration::from_secs(seconds).saturating_add(rest))
            },
        )
    }
}

/// The instants from `from` on and before `until`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Validity {
    pub(crate) from: NumericDate,
    pub(crate) until: NumericDate,
}

impl Validity {
    pub(crate) fn contains(&self, now: NumericDate) -> bool {
        self.from <= now && !self.is_over(now)
    }

    pub(crate) fn is_over(&self, now: NumericDate) -> bool {
        self.until <= now
    }
}

/// The largest leeway that a verifier takes.
pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// What tells the present moment.
#[derive(Clone, Default)]
pub(crate) enum Clock {
    #[default]
    System,
    Custom(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>),
}

impl Clock {
    pub(crate) fn now(&self) -> NumericDate {
        match self {
            Self::System => NumericDate(system_time()),
            Self::Custom(now) => now().into(),
        }
    }

    /// The present instant where a tick counts: [`now`](Self::now) may be some milliseconds ago.
    pub(crate) fn exactly_now(&self) -> NumericDate {
        match self {
            Self::System => Utc::now().into(),
            Self::Custom(now) => now().into(),
        }
    }
}

/// The time of the last tick, some milliseconds ago at most: it is read several times faster.
#[cfg(target_os = "linux")]
fn system_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::RealtimeCoarse);
    let unsigned = |it: i64| u64::try_from(it).unwrap_or_default();
    let rest = Duration::from_nanos(unsigned(time.tv_nsec));
    Duration::from_secs(unsigned(time.tv_sec)).saturating_add(rest)
}

#[cfg(not(target_os = "linux"))]
fn system_time() -> Duration {
    use std::time::{SystemTime, UNIX_EPOCH};

    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
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
    fn only_the_years_1970_to_9999_are_moments() {
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
    fn a_fraction_counts() {
        let whole = NumericDate::new(1_750_000_000, 0).unwrap();
        assert!(NumericDate::from_double(1_749_999_999.6).unwrap() < whole);
        assert!(NumericDate::from_double(1_750_000_000.4).unwrap() > whole);
    }

    #[test]
    fn moments_survive_chrono() {
        for seconds in [0, 1_750_000_000, 253_402_300_799] {
            let moment = NumericDate::new(seconds, 0).unwrap();
            assert_eq!(NumericDate::from(moment.to_date_time()), moment);
        }
        assert_eq!(
            NumericDate::from(DateTime::<Utc>::MIN_UTC),
            NumericDate::default()
        );
    }
}
