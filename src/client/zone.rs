//! Time zones.

use std::{error::Error, fmt, str::FromStr};

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A time zone of the IANA database, such as `Europe/Berlin`: it knows the daylight-saving rules
/// that an offset does not.
///
/// Names are compared exactly. Without the feature `time_zone` there is no table, and no name is
/// known.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "time_zone")] {
/// use chrono::{DateTime, Utc};
/// use tower_session_token::TimeZone;
///
/// let berlin: TimeZone = "Europe/Berlin".parse()?;
/// let summer: DateTime<Utc> = "2026-07-01T12:00:00Z".parse()?;
/// let winter: DateTime<Utc> = "2026-12-01T12:00:00Z".parse()?;
/// assert_eq!(berlin.offset_at(&summer).to_string(), "+02:00");
/// assert_eq!(berlin.offset_at(&winter).to_string(), "+01:00");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TimeZone(table::Zone);

#[cfg(feature = "time_zone")]
mod table {
    use chrono::{DateTime, FixedOffset, Offset};

    pub(super) use chrono_tz::Tz as Zone;

    pub(super) fn name(zone: Zone) -> &'static str {
        zone.name()
    }

    pub(super) fn offset_at<Tz: chrono::TimeZone>(
        zone: Zone,
        instant: &DateTime<Tz>,
    ) -> FixedOffset {
        instant.with_timezone(&zone).offset().fix()
    }

    pub(super) fn find(name: &str) -> Option<Zone> {
        name.parse().ok()
    }
}

#[cfg(not(feature = "time_zone"))]
mod table {
    use chrono::{DateTime, FixedOffset};

    /// There is none.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub(super) enum Zone {}

    pub(super) fn name(zone: Zone) -> &'static str {
        match zone {}
    }

    pub(super) fn offset_at<Tz: chrono::TimeZone>(zone: Zone, _: &DateTime<Tz>) -> FixedOffset {
        match zone {}
    }

    pub(super) fn find(_: &str) -> Option<Zone> {
        None
    }
}

impl TimeZone {
    /// The name, such as `Europe/Berlin`.
    #[must_use]
    pub fn name(self) -> &'static str {
        table::name(self.0)
    }

    /// The zone's offset from UTC at `instant`, positive east of Greenwich.
    #[must_use]
    pub fn offset_at<Tz: chrono::TimeZone>(self, instant: &DateTime<Tz>) -> FixedOffset {
        table::offset_at(self.0, instant)
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TimeZone {
    type Err = ParseTimeZoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        table::find(text).map(Self).ok_or(ParseTimeZoneError(()))
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Whether the text could be a zone's name (RFC 9557 §4.1 `time-zone-name`), known or not.
pub(crate) fn is_zone_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().enumerate().all(|(at, byte)| match byte {
                b'.' | b'_' => true,
                b'-' | b'+' | b'0'..=b'9' => at > 0,
                _ => byte.is_ascii_alphabetic(),
            })
    };
    text.len() <= 64 && text.split('/').all(is_part)
}

/// The text is no time zone that the table knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParseTimeZoneError(());

impl fmt::Display for ParseTimeZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no time zone of the table")
    }
}

impl Error for ParseTimeZoneError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_form() {
        for (name, ok) in [
            ("Europe/Berlin", true),
            ("America/Argentina/Buenos_Aires", true),
            ("Etc/GMT+5", true),
            ("America/Port-au-Prince", true),
            ("UTC", true),
            (".hidden/x", true),
            ("Mars/Olympus", true),
            ("", false),
            ("/", false),
            ("Europe/", false),
            ("/Berlin", false),
            ("../etc/passwd", false),
            ("Europe/..", false),
            ("Europe/.", false),
            ("+5", false),
            ("5", false),
            ("Europe/1", false),
            ("Europe Berlin", false),
            ("Europe\\Berlin", false),
            ("Z\u{fc}rich", false),
        ] {
            assert_eq!(is_zone_name(name), ok, "{name:?}");
        }
        assert!(is_zone_name(&"a".repeat(64)) && !is_zone_name(&"a".repeat(65)));
    }

    #[cfg(feature = "time_zone")]
    #[test]
    fn offsets_follow_daylight_saving() {
        for (name, instant, want) in [
            ("Europe/Berlin", "2026-03-29T00:59:59Z", "+01:00"),
            ("Europe/Berlin", "2026-03-29T01:00:00Z", "+02:00"),
            ("America/St_Johns", "2026-01-01T00:00:00Z", "-03:30"),
            ("America/St_Johns", "2026-07-01T00:00:00Z", "-02:30"),
            ("Asia/Kathmandu", "2026-07-01T00:00:00Z", "+05:45"),
            ("Pacific/Kiritimati", "2026-07-01T00:00:00Z", "+14:00"),
        ] {
            let zone: TimeZone = name.parse().unwrap();
            let instant: DateTime<chrono::Utc> = instant.parse().unwrap();
            assert_eq!(
                zone.offset_at(&instant).to_string(),
                want,
                "{name} at {instant}"
            );
            assert_eq!(zone.name(), name);
        }
    }

    #[test]
    fn unknown_names_are_not_known() {
        for name in ["Mars/Olympus", "", "europe/berlin", "+01:00", "../Berlin"] {
            assert!(name.parse::<TimeZone>().is_err(), "{name}");
        }
        assert_eq!(
            "UTC".parse::<TimeZone>().is_ok(),
            cfg!(feature = "time_zone")
        );
    }
}
