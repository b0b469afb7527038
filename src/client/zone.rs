//! Time zones by name.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset};

use super::zone_database;
use crate::{error::ParseError, serde_text::text_value, time::NumericDate};

/// The longest name that is well-formed, in bytes. The longest of the IANA database has 32.
const MAX_BYTES: usize = 64;

/// A time zone of the IANA database, such as `Europe/Berlin`: it knows the daylight-saving rules
/// that an offset does not (RFC 9557 §1.2).
///
/// Names are matched without case and kept as the database spells them. An alias such as
/// `Europe/Kiev` is a name of its own, which differs from `Europe/Kyiv`. Which names are known,
/// and their rules, is as of the [database](Self::database) in force.
///
/// The database is read once, when the first [`SessionVerifier`](crate::SessionVerifier) is built
/// or the first name is parsed; from then on a lookup takes no lock and does no I/O. It takes
/// about 2 MB. Without the feature `time_zone` there is none, and no name is known.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "time_zone")] {
/// use chrono::{DateTime, Utc};
/// use tower_session_token::ClientTimeZone;
///
/// let berlin: ClientTimeZone = "europe/berlin".parse()?;
/// assert_eq!(berlin.name(), "Europe/Berlin");
///
/// let winter: DateTime<Utc> = "2026-01-01T12:00:00Z".parse()?;
/// let summer: DateTime<Utc> = "2100-06-30T12:00:00Z".parse()?;
/// assert_eq!(berlin.offset_at(&winter).to_string(), "+01:00");
/// assert_eq!(berlin.offset_at(&summer).to_string(), "+02:00");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ClientTimeZone(zone_database::Zone);

impl ClientTimeZone {
    /// The name as the database spells it, such as `Europe/Berlin`.
    #[must_use]
    pub fn name(self) -> &'static str {
        zone_database::name(self.0)
    }

    /// The zone's offset from UTC at `instant`, positive east of Greenwich, daylight saving
    /// included. Rules without an end go on for ever (RFC 9636 §3.3). Today every zone is whole
    /// minutes from UTC; some once had seconds too.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "time_zone")] {
    /// use chrono::{DateTime, Utc};
    /// use tower_session_token::ClientTimeZone;
    ///
    /// let zone: ClientTimeZone = "America/St_Johns".parse()?;
    /// let instant: DateTime<Utc> = "2026-07-01T12:00:00Z".parse()?;
    /// assert_eq!(zone.offset_at(&instant).local_minus_utc(), -9_000); // -02:30
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn offset_at<Tz: chrono::TimeZone>(self, instant: &DateTime<Tz>) -> FixedOffset {
        zone_database::offset_at(self.0, instant.timestamp())
    }

    /// The next instant after `now` from which the offset may differ; `None` if it never changes again.
    pub(crate) fn next_change(self, now: NumericDate) -> Option<NumericDate> {
        let seconds = i64::try_from(now.seconds()).ok()?;
        let change = zone_database::next_change(self.0, seconds)?;
        NumericDate::new(u64::try_from(change).ok()?, 0)
    }

    /// The IANA release of the database in force and where it comes from, such as
    /// `2026f, bundled`, `2026f, system`, or `unknown release, system`; `none` without the feature
    /// `time_zone`.
    ///
    /// It is the system's database (`TZDIR`, else `/usr/share/zoneinfo` and its like), unless
    /// there is none or it names an older release than that of the one which the crate bundles.
    /// A system database is read at start: after an update, restart the service.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::ClientTimeZone;
    ///
    /// println!("time zones: {}", ClientTimeZone::database());
    /// ```
    #[must_use]
    pub fn database() -> &'static str {
        zone_database::release()
    }
}

/// Looks a name up in the database, without case.
impl FromStr for ClientTimeZone {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let zone = is_zone_name(text).then(|| zone_database::find(text).map(Self));
        zone.flatten()
            .ok_or(ParseError::new("not the name of a known time zone"))
    }
}

text_value!(ClientTimeZone, name);

/// Whether the text has the form of a zone's name (`time-zone-name` of RFC 9557 §4.1) and at most
/// 64 bytes; the database need not know it.
pub(crate) fn is_zone_name(text: &str) -> bool {
    text.len() <= MAX_BYTES && text.split('/').all(is_zone_part)
}

fn is_zone_part(part: &str) -> bool {
    let is_initial = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'_');
    let is_char = |byte: u8| is_initial(byte) || matches!(byte, b'0'..=b'9' | b'-' | b'+');
    let mut bytes = part.bytes();
    bytes.next().is_some_and(is_initial) && bytes.all(is_char) && !matches!(part, "." | "..")
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
        assert!("a/".repeat(32_768).parse::<ClientTimeZone>().is_err());
    }

    #[test]
    fn other_names_are_not_known() {
        for name in ["", "Mars/Olympus", "posix/UTC", "+01:00", "../UTC", "Z"] {
            assert!(name.parse::<ClientTimeZone>().is_err(), "{name:?}");
            let json = serde_json::to_string(name).unwrap();
            assert!(
                serde_json::from_str::<ClientTimeZone>(&json).is_err(),
                "{name:?}"
            );
        }
        let known = "UTC".parse::<ClientTimeZone>().is_ok();
        assert_eq!(known, cfg!(feature = "time_zone"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_known_name_is_well_formed(text in ".*|[A-Za-z./_+-]{0,80}") {
            if text.parse::<ClientTimeZone>().is_ok() {
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
                ("asia/tokyo", "2026-07-01T00:00:00Z", "+09:00"),
                ("America/Vancouver", "2026-11-28T20:00:00Z", "-07:00"),
                ("Europe/Berlin", "2100-06-30T12:00:00Z", "+02:00"),
                ("America/New_York", "2400-07-01T00:00:00Z", "-04:00"),
            ] {
                let zone: ClientTimeZone = name.parse().unwrap();
                let instant: DateTime<Utc> = instant.parse().unwrap();
                let got = zone.offset_at(&instant);
                assert_eq!(got.to_string(), want, "{name} at {instant}");
            }
        }

        #[test]
        fn the_next_change_of_a_zone_is_where_its_offset_differs() {
            for (name, now, want) in [
                (
                    "Europe/Berlin",
                    "2026-01-15T12:00:00Z",
                    Some("2026-03-29T01:00:00Z"),
                ),
                (
                    "Europe/Berlin",
                    "2026-03-29T00:59:59.9Z",
                    Some("2026-03-29T01:00:00Z"),
                ),
                (
                    "Europe/Berlin",
                    "2026-03-29T01:00:00Z",
                    Some("2026-10-25T01:00:00Z"),
                ),
                (
                    "Europe/Berlin",
                    "2026-03-29T01:00:00.5Z",
                    Some("2026-10-25T01:00:00Z"),
                ),
                (
                    "Europe/Berlin",
                    "2400-01-01T00:00:00Z",
                    Some("2400-03-26T01:00:00Z"),
                ),
                ("Asia/Tokyo", "2026-01-15T12:00:00Z", None),
                ("UTC", "2026-01-15T12:00:00Z", None),
                ("Etc/GMT+5", "9999-12-31T23:59:59Z", None),
            ] {
                let zone: ClientTimeZone = name.parse().unwrap();
                let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap().into();
                assert_eq!(
                    zone.next_change(instant(now)),
                    want.map(instant),
                    "{name} at {now}"
                );
            }
        }

        #[test]
        fn an_instant_is_the_same_in_every_zone() {
            let berlin: ClientTimeZone = "Europe/Berlin".parse().unwrap();
            let instant: DateTime<FixedOffset> = "2026-07-01T12:00:00+14:00".parse().unwrap();
            assert_eq!(
                berlin.offset_at(&instant),
                berlin.offset_at(&instant.to_utc())
            );
        }

        #[test]
        fn every_name_of_the_table_is_well_formed_and_kept() {
            for name in zone_database::names() {
                assert!(is_zone_name(name), "{name}");
                let zone: ClientTimeZone = name.parse().unwrap();
                assert_eq!(zone.to_string(), name);
                for other in [name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                    assert_eq!(other.parse(), Ok(zone), "{other}");
                }
                let json = serde_json::to_string(&zone).unwrap();
                assert_eq!(serde_json::from_str::<ClientTimeZone>(&json).unwrap(), zone);
                for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
                    let _ = zone.offset_at(&instant);
                }
            }
        }

        #[test]
        fn debug_shows_the_name_alone() {
            let zone: ClientTimeZone = "Asia/Tokyo".parse().unwrap();
            assert_eq!(format!("{zone:?}"), "ClientTimeZone(\"Asia/Tokyo\")");
        }
    }
}
