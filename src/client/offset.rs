//! Parsing of offsets from UTC.

use chrono::FixedOffset;

/// The largest offset from UTC on earth, fourteen hours, in minutes.
const MAX_MINUTES: i32 = 14 * 60;

/// The offset of whole minutes, positive east of Greenwich; `None` unless it is in −840..=840.
pub(crate) fn offset_from_minutes(minutes: i64) -> Option<FixedOffset> {
    let minutes = i32::try_from(minutes).ok()?;
    let in_range = (-MAX_MINUTES..=MAX_MINUTES).contains(&minutes);
    FixedOffset::east_opt(minutes.checked_mul(60)?).filter(|_| in_range)
}

/// Parses `time-offset` of RFC 3339 §5.6, such as `+05:30` or `Z`, positive east of Greenwich,
/// within ±14:00.
///
/// `-00:00`, an unknown local offset (RFC 3339 §4.3), is `None`.
pub(crate) fn parse_offset(text: &str) -> Option<FixedOffset> {
    let offset: FixedOffset = match text.as_bytes() {
        b"Z" | b"z" => return offset_from_minutes(0),
        b"-00:00" => return None,
        // Chrono's parser accepts other forms too.
        [_, _, _, b':', _, _] => text.parse().ok()?,
        _ => return None,
    };
    offset_from_minutes((offset.local_minus_utc() / 60).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minutes(minutes: i32) -> Option<FixedOffset> {
        FixedOffset::east_opt(minutes * 60)
    }

    #[test]
    fn offsets_are_parsed_strictly() {
        for (name, text, want) in [
            ("UTC", "+00:00", minutes(0)),
            ("Zulu", "Z", minutes(0)),
            ("Zulu in lower case", "z", minutes(0)),
            ("half an hour", "+05:30", minutes(330)),
            ("three quarters", "+05:45", minutes(345)),
            ("west", "-03:30", minutes(-210)),
            ("less than an hour west", "-00:30", minutes(-30)),
            ("farthest east", "+14:00", minutes(840)),
            ("farthest west", "-14:00", minutes(-840)),
            ("not known", "-00:00", None),
            ("too far east", "+14:01", None),
            ("too far west", "-14:01", None),
            ("no such hour", "+99:00", None),
            ("no such minute", "+05:60", None),
            ("one digit", "+5:30", None),
            ("three digits", "+005:30", None),
            ("no colon", "+0530", None),
            ("no minutes", "+05", None),
            ("seconds", "+05:30:00", None),
            ("no sign", "05:30", None),
            ("two signs", "+-5:30", None),
            ("signs inside", "+05:-3", None),
            ("space before", " +05:30", None),
            ("space after", "+05:30 ", None),
            ("plus read as a space", " 05:30", None),
            ("minus sign of typography", "\u{2212}05:30", None),
            ("Arabic digits", "+\u{660}\u{665}:30", None),
            ("a digit of two bytes", "+05:\u{663}", None),
            ("a name", "UTC", None),
            ("another letter", "A", None),
            ("nothing", "", None),
            ("NUL", "+05:3\0", None),
        ] {
            assert_eq!(parse_offset(text), want, "{name}");
        }
        assert_eq!(parse_offset(&"+05:30".repeat(11_000)), None);
    }

    #[test]
    fn minutes_out_of_range_are_rejected() {
        for (count, want) in [
            (0, minutes(0)),
            (840, minutes(840)),
            (-840, minutes(-840)),
            (841, None),
            (-841, None),
            (i64::from(i32::MIN), None),
            (i64::from(i32::MAX) + 1, None),
            (i64::MAX, None),
            (i64::MIN, None),
        ] {
            assert_eq!(offset_from_minutes(count), want, "{count}");
        }
    }

    #[test]
    fn every_printed_offset_is_parsed() {
        for count in -840..=840 {
            let offset = offset_from_minutes(count).unwrap();
            assert_eq!(parse_offset(&offset.to_string()), Some(offset), "{count}");
        }
    }

    proptest! {
        #[test]
        fn any_string_is_rejected_or_parsed_into_the_range(text in "[+-][0-9]{2}:[0-9]{2}|.*") {
            if let Some(offset) = parse_offset(&text) {
                prop_assert!(offset.local_minus_utc().abs() <= 14 * 3600);
                prop_assert_eq!(offset.local_minus_utc() % 60, 0);
            }
        }
    }
}
