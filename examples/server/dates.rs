//! Dates in the client's language, by Unicode's CLDR.

use chrono::{DateTime, Datelike, FixedOffset, Timelike};
use icu_datetime::{
    DateTimeFormatter, fieldsets,
    input::{Date, DateTime as CivilDateTime, Time},
};
use icu_locale_core::{Locale, locale};
use tower_session_token::Culture;

use crate::Failure;

/// Weekday, date and time of day at the client, as its culture writes them: `onsdag 1 juli 2026 kl. 14:00:00`.
pub(crate) fn long_text(time: DateTime<FixedOffset>, culture: &Culture) -> Result<String, Failure> {
    let formatter = DateTimeFormatter::try_new(
        locale_of(culture)?.into(),
        fieldsets::YMDE::long().with_time_hms(),
    )?;
    // Each number is one byte: chrono keeps them in range.
    let byte = |number: u32| u8::try_from(number);
    let time = CivilDateTime {
        date: Date::try_new_iso(time.year(), byte(time.month())?, byte(time.day())?)?,
        time: Time::try_new(
            byte(time.hour())?,
            byte(time.minute())?,
            byte(time.second())?,
            0,
        )?,
    };
    Ok(formatter.format(&time).to_string())
}

/// CLDR writes numbers for the names of a language that it has no data of. The invariant culture, which
/// has no language, is written in English, by a region without a country.
fn locale_of(culture: &Culture) -> Result<Locale, Failure> {
    if culture.is_invariant() {
        Ok(locale!("en-150"))
    } else {
        Ok(Locale::try_from_str(culture.as_str())?)
    }
}
