//! Offsets from UTC as they are written.

use chrono::FixedOffset;

/// An offset of so many minutes, positive east of Greenwich: −840 to 840.
pub(crate) fn offset_from_minutes(minutes: i64) -> Option<FixedOffset> {
    let minutes = i32::try_from(minutes).ok()?;
    (-840..=840)
        .contains(&minutes)
        .then(|| FixedOffset::east_opt(minutes * 60))?
}

/// Reads RFC 3339 §5.6 `time-offset`, such as `+05:30` or `Z`, within ±14:00.
///
/// `-00:00` says that the offset is not known (RFC 3339 §4.3), so it is none.
pub(crate) fn parse_offset(text: &str) -> Option<FixedOffset> {
    let (sign, h, hh, m, mm) = match *text.as_bytes() {
        [b'Z' | b'z'] => return offset_from_minutes(0),
        [sign @ (b'+' | b'-'), h, hh, b':', m, mm] => (sign, h, hh, m, mm),
        _ => return None,
    };
    let digit = |byte: u8| char::from(byte).to_digit(10).map(i64::from);
    let (hours, minutes) = (digit(h)? * 10 + digit(hh)?, digit(m)? * 10 + digit(mm)?);
    let total = hours * 60 + minutes;
    match sign {
        _ if minutes > 59 => None,
        b'+' => offset_from_minutes(total),
        _ if total == 0 => None,
        _ => offset_from_minutes(-total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_strictly() {
        for (text, want) in [
            ("+00:00", Some(0)),
            ("Z", Some(0)),
            ("z", Some(0)),
            ("+05:30", Some(330)),
            ("-03:30", Some(-210)),
            ("+14:00", Some(840)),
            ("-14:00", Some(-840)),
            ("-00:00", None),
            ("+14:01", None),
            ("+15:00", None),
            ("+05:60", None),
            ("+5:30", None),
            ("+0530", None),
            ("05:30", None),
            ("+05:30 ", None),
            ("\u{2212}05:30", None),
            ("+05:3\u{663}", None),
            ("UTC", None),
            ("", None),
        ] {
            let want = want.map(|minutes| FixedOffset::east_opt(minutes * 60).unwrap());
            assert_eq!(parse_offset(text), want, "{text:?}");
        }
    }

    #[test]
    fn minutes_have_a_range() {
        for (minutes, ok) in [
            (840, true),
            (-840, true),
            (841, false),
            (-841, false),
            (i64::MIN, false),
        ] {
            assert_eq!(offset_from_minutes(minutes).is_some(), ok, "{minutes}");
        }
    }
}
