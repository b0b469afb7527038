//! Time zones by name.

use std::{error::Error, fmt, str::FromStr};

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::serde_text;

/// The longest name that is well-formed, in bytes. The longest of the IANA database has 32.
const MAX_BYTES: usize = 64;

/// A time zone of the IANA database, such as `Europe/Berlin`: it knows the daylight-saving rules
/// that an offset does not (RFC 9557 §1.2).
///
/// Names are case-sensitive and compared exactly: an alias such as `Europe/Kiev` is known and kept
/// as it is, and differs from `Europe/Kyiv`. Which names are known, and their rules, is as of the
/// table that the crate was built with. Without the feature `time_zone` there is no table, and no
/// name is known.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "time_zone")] {
/// use chrono::{DateTime, Utc};
/// use tower_session_token::TimeZone;
///
/// let berlin: TimeZone = "Europe/Berlin".parse()?;
/// let winter: DateTime<Utc> = "2026-01-01T12:00:00Z".parse()?;
/// let summer: DateTime<Utc> = "2026-07-01T12:00:00Z".parse()?;
/// assert_eq!(berlin.offset_at(&winter).to_string(), "+01:00");
/// assert_eq!(berlin.offset_at(&summer).to_string(), "+02:00");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct TimeZone(table::Zone);

impl TimeZone {
    /// The name, such as `Europe/Berlin`.
    #[must_use]
    pub fn name(self) -> &'static str {
        table::name(self.0)
    }

    /// The zone's offset from UTC at `instant`, positive east of Greenwich, daylight saving
    /// included. Today every zone is whole minutes from UTC; some once had seconds too.
    #[must_use]
    pub fn offset_at<Tz: chrono::TimeZone>(self, instant: &DateTime<Tz>) -> FixedOffset {
        table::offset_at(self.0, instant)
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeZone").field(&self.name()).finish()
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Reads a name that the table knows, in exactly this case.
impl FromStr for TimeZone {
    type Err = ParseTimeZoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.len() <= MAX_BYTES {
            true => table::find(text).map(Self).ok_or(ParseTimeZoneError(())),
            false => Err(ParseTimeZoneError(())),
        }
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_text::deserialize(deserializer, "the name of a time zone")
    }
}

/// The text is no name of a time zone that is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParseTimeZoneError(());

impl fmt::Display for ParseTimeZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no time zone of this name is known")
    }
}

impl Error for ParseTimeZoneError {}

/// Whether the text has the form of a zone's name (`time-zone-name` of RFC 9557 §4.1) and at most
/// 64 bytes; the table need not know it.
pub(crate) fn is_zone_name(text: &str) -> bool {
    text.len() <= MAX_BYTES && text.split('/').all(is_zone_part)
}

fn is_zone_part(part: &str) -> bool {
    let is_initial = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'_');
    let is_char = |byte: u8| is_initial(byte) || matches!(byte, b'0'..=b'9' | b'-' | b'+');
    let mut bytes = part.bytes();
    bytes.next().is_some_and(is_initial) && bytes.all(is_char) && !matches!(part, "." | "..")
}

/// The table of zones: the only place that names its crate.
#[cfg(feature = "time_zone")]
mod table {
    use chrono::{DateTime, FixedOffset, Offset};

    pub(super) use chrono_tz::Tz as Zone;

    pub(super) fn find(name: &str) -> Option<Zone> {
        name.parse().ok()
    }

    pub(super) fn name(zone: Zone) -> &'static str {
        zone.name()
    }

    pub(super) fn offset_at<Tz: chrono::TimeZone>(
        zone: Zone,
        instant: &DateTime<Tz>,
    ) -> FixedOffset {
        instant.with_timezone(&zone).offset().fix()
    }
}

/// An empty table: no zone exists.
#[cfg(not(feature = "time_zone"))]
mod table {
    use chrono::{DateTime, FixedOffset};

    #[derive(Clone, Copy, Eq, Hash, PartialEq)]
    pub(super) enum Zone {}

    pub(super) fn find(_: &str) -> Option<Zone> {
        None
    }

    pub(super) fn name(zone: Zone) -> &'static str {
        match zone {}
    }

    pub(super) fn offset_at<Tz: chrono::TimeZone>(zone: Zone, _: &DateTime<Tz>) -> FixedOffset {
        match zone {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_a_form() {
        for (name, text, want) in [
            ("area and place", "Europe/Berlin", true),
            ("three parts", "America/Argentina/Buenos_Aires", true),
            ("hyphens", "America/Port-au-Prince", true),
            ("sign and digit", "Etc/GMT+5", true),
            ("no area", "UTC", true),
            ("digits inside", "EST5EDT", true),
            ("not in the table", "Mars/Olympus", true),
            ("a dot in front", ".hidden/_x", true),
            ("three dots", ".../x", true),
            ("one letter", "a", true),
            ("nothing", "", false),
            ("only a slash", "/", false),
            ("slash at the end", "Europe/", false),
            ("slash at the start", "/Berlin", false),
            ("two slashes", "Europe//Berlin", false),
            ("up", "../etc/passwd", false),
            ("up inside", "Europe/../../x", false),
            ("up at the end", "Europe/..", false),
            ("here", "Europe/.", false),
            ("offset", "+05:30", false),
            ("sign in front", "-x", false),
            ("digit in front", "5", false),
            ("digit in front of a part", "Europe/1", false),
            ("colon", "GMT+5:30", false),
            ("space", "Europe/New York", false),
            ("space after", "UTC ", false),
            ("backslash", "Europe\\Berlin", false),
            ("NUL", "UTC\0", false),
            ("brackets", "[UTC]", false),
            ("suffix", "UTC[u-ca=hebrew]", false),
            ("critical", "!UTC", false),
            ("umlaut", "Europe/Z\u{fc}rich", false),
            ("Windows", "W. Europe Standard Time", false),
        ] {
            assert_eq!(is_zone_name(text), want, "{name}");
        }
    }

    #[test]
    fn names_have_a_length() {
        for (bytes, want) in [(1, true), (64, true), (65, false), (65_536, false)] {
            assert_eq!(is_zone_name(&"a".repeat(bytes)), want, "{bytes}");
        }
        assert!(!is_zone_name(&"/".repeat(65_536)));
        assert!("a/".repeat(32_768).parse::<TimeZone>().is_err());
    }

    #[test]
    fn other_names_are_not_known() {
        for name in ["", "Mars/Olympus", "europe/berlin", "+01:00", "../UTC", "Z"] {
            assert!(name.parse::<TimeZone>().is_err(), "{name:?}");
            let json = serde_json::to_string(name).unwrap();
            assert!(serde_json::from_str::<TimeZone>(&json).is_err(), "{name:?}");
        }
        let known = "UTC".parse::<TimeZone>().is_ok();
        assert_eq!(known, cfg!(feature = "time_zone"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_known_name_is_well_formed(text in ".*|[A-Za-z./_+-]{0,80}") {
            if text.parse::<TimeZone>().is_ok() {
                prop_assert!(is_zone_name(&text));
            }
        }
    }

    #[cfg(feature = "time_zone")]
    mod with_table {
        use chrono::Utc;

        use super::*;

        #[test]
        fn offsets_follow_daylight_saving() {
            for (name, instant, want) in [
                ("Europe/Berlin", "2026-03-29T00:59:59Z", "+01:00"),
                ("Europe/Berlin", "2026-03-29T01:00:00Z", "+02:00"),
                ("Europe/Berlin", "2026-10-25T00:59:59Z", "+02:00"),
                ("Europe/Berlin", "2026-10-25T01:00:00Z", "+01:00"),
                ("America/St_Johns", "2026-01-01T00:00:00Z", "-03:30"),
                ("America/St_Johns", "2026-07-01T00:00:00Z", "-02:30"),
                ("Australia/Lord_Howe", "2026-07-01T00:00:00Z", "+10:30"),
                ("Australia/Lord_Howe", "2026-01-01T00:00:00Z", "+11:00"),
                ("Asia/Kathmandu", "2026-07-01T00:00:00Z", "+05:45"),
                ("Pacific/Kiritimati", "2026-07-01T00:00:00Z", "+14:00"),
                // POSIX's sign: west of Greenwich.
                ("Etc/GMT+5", "2026-07-01T00:00:00Z", "-05:00"),
                ("Europe/Berlin", "1890-01-01T00:00:00Z", "+00:53:28"),
            ] {
                let zone: TimeZone = name.parse().unwrap();
                let instant: DateTime<Utc> = instant.parse().unwrap();
                let got = zone.offset_at(&instant);
                assert_eq!(got.to_string(), want, "{name} at {instant}");
            }
        }

        #[test]
        fn an_instant_is_the_same_in_every_zone() {
            let berlin: TimeZone = "Europe/Berlin".parse().unwrap();
            let instant: DateTime<FixedOffset> = "2026-07-01T12:00:00+14:00".parse().unwrap();
            assert_eq!(
                berlin.offset_at(&instant),
                berlin.offset_at(&instant.to_utc())
            );
        }

        #[test]
        fn every_name_of_the_table_is_well_formed_and_kept() {
            for zone in chrono_tz::TZ_VARIANTS {
                let name = zone.name();
                assert!(is_zone_name(name), "{name}");
                let zone: TimeZone = name.parse().unwrap();
                assert_eq!(zone.to_string(), name);
                let json = serde_json::to_string(&zone).unwrap();
                assert_eq!(serde_json::from_str::<TimeZone>(&json).unwrap(), zone);
                for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
                    let _ = zone.offset_at(&instant);
                }
            }
        }

        #[test]
        fn debug_shows_the_name_alone() {
            let zone: TimeZone = "Asia/Tokyo".parse().unwrap();
            assert_eq!(format!("{zone:?}"), "TimeZone(\"Asia/Tokyo\")");
        }
    }
}
