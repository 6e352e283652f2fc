//! Points in time as authorization servers write them. RFC 7591 §3.2.1 wants seconds since 1970; the field has other units,
//! dates and durations.

use super::clean::clean;
use crate::clock::Timestamp;
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};
use serde_json::Value;

/// 1990-01-01, in seconds since 1970: no client was registered before, so a smaller number is a duration.
const YEAR_1990: i64 = 631_152_000;
/// The last second of the year 9999.
const YEAR_9999: i64 = 253_402_300_799;

/// What a value says of a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// 0 (RFC 7591 §3.2.1), or another way to say so.
    Never,
    /// In seconds since 1970.
    At(i64),
    /// Nothing that can be read.
    Unreadable,
}

/// A value read as a point in time.
pub(super) struct ReadMoment {
    pub(super) moment: Moment,
    /// How it was read, if it is not the number of seconds that RFC 7591 wants; completes "it is read as …".
    pub(super) how: Option<String>,
}

impl ReadMoment {
    /// The warning about the member `name` with this `value`, if it was written oddly.
    pub(super) fn warning(&self, name: &str, value: &Value) -> Option<String> {
        let how = self.how.as_deref()?;
        Some(format!("`{name}` was answered as {}; it is read as {how}.", clean(&value.to_string(), 80)))
    }
}

/// Reads `value`, which was answered at `now`.
pub(super) fn read_moment(value: &Value, now: Timestamp) -> ReadMoment {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => of_number(whole, now, None),
            // Larger than every date.
            (None, Some(_), _) => never("never"),
            (None, None, Some(float)) => of_float(float, now),
            _ => unreadable(),
        },
        Value::String(text) => of_text(text.trim(), now),
        Value::Bool(false) | Value::Null => {
            ReadMoment { moment: Moment::Never, how: Some("never".to_owned()) }
        }
        Value::Array(items) if items.len() == 1 => read_moment(&items[0], now),
        _ => unreadable(),
    }
}

fn of_float(float: f64, now: Timestamp) -> ReadMoment {
    if !float.is_finite() || float >= 9.2e18 {
        return never("never");
    }
    // A conversion that cannot overflow: what is not in range is beyond every date.
    match format!("{:.0}", float.trunc()).parse() {
        Ok(whole) => of_number(whole, now, (float.fract() != 0.0).then_some("whole seconds")),
        Err(_) => never("never"),
    }
}

fn of_text(text: &str, now: Timestamp) -> ReadMoment {
    if let Ok(whole) = text.parse::<i64>() {
        return of_number(whole, now, Some("a number"));
    }
    if let Some(float) = text.parse::<f64>().ok().filter(|float| float.is_finite()) {
        let read = of_float(float, now);
        let how = read.how.clone().or_else(|| date_of(read.moment));
        return ReadMoment { how, ..read };
    }
    let never_words =
        ["never", "none", "no", "null", "nil", "unlimited", "infinite", "infinity", "forever", "false"];
    if never_words.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return never("never");
    }
    match date(text) {
        // The year 1, and years of which nobody meant the date, are ways to write "not set".
        Some(seconds) if seconds < YEAR_1990 && now.timestamp() >= YEAR_1990 => never("never"),
        Some(seconds) if seconds > YEAR_9999 => never("never"),
        Some(seconds) => ReadMoment { how: Some(date_words(seconds)), moment: Moment::At(seconds) },
        None => unreadable(),
    }
}

/// A date in one of the forms of ISO 8601 or of mail and HTTP (RFC 3339, RFC 9110 §5.6.7); without a zone it is UTC.
fn date(text: &str) -> Option<i64> {
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(date.timestamp());
    }
    for form in
        ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z", "%a %b %e %T %z %Y"]
    {
        if let Ok(date) = DateTime::parse_from_str(text, form) {
            return Some(date.timestamp());
        }
    }
    if let Ok(date) = DateTime::parse_from_rfc2822(&text.replace("GMT", "+0000").replace("UTC", "+0000")) {
        return Some(date.timestamp());
    }
    let local = text.trim_end_matches("UTC").trim_end_matches("GMT").trim_end_matches('Z').trim_end();
    for form in
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y%m%dT%H%M%S"]
    {
        if let Ok(date) = NaiveDateTime::parse_from_str(local, form) {
            return Some(date.and_utc().timestamp());
        }
    }
    let day = NaiveDate::parse_from_str(local, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
}

/// A number: its size says the unit. `how` says that it was written oddly besides.
fn of_number(number: i64, now: Timestamp, how: Option<&str>) -> ReadMoment {
    if number == 0 {
        return ReadMoment { moment: Moment::Never, how: how.map(|_| "never".to_owned()) };
    }
    // -1 is written for "never", and the year 1 for "not set"; no secret that is issued now expired before 1970.
    if number < 0 || number == i64::MAX {
        return never("never");
    }
    let current = now.timestamp() >= YEAR_1990;
    if number < YEAR_1990 && current {
        let at = now.timestamp().saturating_add(number);
        return ReadMoment {
            moment: Moment::At(at),
            how: Some(format!("a number of seconds from now: {}", date_words(at))),
        };
    }
    let units = [
        (1, "seconds"),
        (1_000, "milliseconds"),
        (1_000_000, "microseconds"),
        (1_000_000_000, "nanoseconds"),
    ];
    for (per_second, unit) in units {
        let seconds = number / per_second;
        if seconds > YEAR_9999 {
            continue;
        }
        // As a unit it is a date that has long passed: seconds after the year 9999 were meant.
        if per_second > 1 && seconds < YEAR_1990 && current {
            return never("never");
        }
        let how = match (per_second, how) {
            (1, None) => None,
            (1, Some(_)) => Some(date_words(seconds)),
            _ => Some(format!("{unit}: {}", date_words(seconds))),
        };
        return ReadMoment { moment: Moment::At(seconds), how };
    }
    never("never")
}

fn never(how: &str) -> ReadMoment {
    ReadMoment { moment: Moment::Never, how: Some(how.to_owned()) }
}

fn unreadable() -> ReadMoment {
    ReadMoment { moment: Moment::Unreadable, how: Some("never, because it is no date".to_owned()) }
}

fn date_of(moment: Moment) -> Option<String> {
    match moment {
        Moment::Never => Some("never".to_owned()),
        Moment::At(seconds) => Some(date_words(seconds)),
        Moment::Unreadable => None,
    }
}

fn date_words(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| "a date".to_owned(), |date| date.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_are_read_in_every_form_of_the_field() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let then = 1_797_592_000;
        let at = |seconds| Moment::At(seconds);
        for (value, moment, odd) in [
            (json!(then), at(then), false),
            (json!(0), Moment::Never, false),
            (json!(1_797_592_000.0), at(then), false),
            (json!(1_797_592_000.75), at(then), true),
            (json!("0"), Moment::Never, true),
            (json!("1797592000"), at(then), true),
            (json!(" 1797592000 "), at(then), true),
            (json!("1797592000.5"), at(then), true),
            (json!("1.797592e9"), at(then), true),
            (json!([then]), at(then), false),
            // Units.
            (json!(1_797_592_000_123_i64), at(then), true),
            (json!("1797592000123"), at(then), true),
            (json!(1_797_592_000_123.0), at(then), true),
            (json!(1_797_592_000_123_456_i64), at(then), true),
            (json!(1_797_592_000_123_456_789_i64), at(then), true),
            // Durations.
            (json!(2_592_000), at(1_795_000_000 + 2_592_000), true),
            (json!("3600"), at(1_795_003_600), true),
            (json!(1), at(1_795_000_001), true),
            // Dates.
            (json!("2026-12-18T12:26:40Z"), at(1_797_596_800), true),
            (json!("2026-12-18T13:26:40+01:00"), at(1_797_596_800), true),
            (json!("2026-12-18T12:26:40.123456Z"), at(1_797_596_800), true),
            (json!("2026-12-18T12:26:40+0000"), at(1_797_596_800), true),
            (json!("2026-12-18 12:26:40"), at(1_797_596_800), true),
            (json!("2026-12-18 12:26:40 UTC"), at(1_797_596_800), true),
            (json!("2026-12-18T12:26"), at(1_797_596_760), true),
            (json!("2026-12-18"), at(1_797_552_000), true),
            (json!("Fri, 18 Dec 2026 12:26:40 GMT"), at(1_797_596_800), true),
            (json!("Fri, 18 Dec 2026 12:26:40 +0000"), at(1_797_596_800), true),
            // Never.
            (json!(-1), Moment::Never, true),
            (json!(-62_135_596_800_i64), Moment::Never, true),
            (json!("-1"), Moment::Never, true),
            (json!(i64::MAX), Moment::Never, true),
            (json!(u64::MAX), Moment::Never, true),
            (json!(9.3e18), Moment::Never, true),
            (json!(1e300), Moment::Never, true),
            (json!("never"), Moment::Never, true),
            (json!("0001-01-01T00:00:00Z"), Moment::Never, true),
            (json!(false), Moment::Never, true),
            (json!(300_000_000_000_i64), Moment::Never, true),
            (json!(253_402_300_799_i64), at(253_402_300_799), false),
            (json!(253_402_300_799_999_i64), at(253_402_300_799), true),
            // A date that has passed stays one.
            (json!(1_700_000_000), at(1_700_000_000), false),
            (json!("2020-01-01T00:00:00Z"), at(1_577_836_800), true),
            (json!(1_577_836_800_000_i64), at(1_577_836_800), true),
            // Nothing that can be read.
            (json!("soon"), Moment::Unreadable, true),
            (json!(true), Moment::Unreadable, true),
            (json!({ "seconds": 1 }), Moment::Unreadable, true),
            (json!([1, 2]), Moment::Unreadable, true),
        ] {
            let read = read_moment(&value, now);
            assert_eq!(read.moment, moment, "{value}");
            assert_eq!(read.how.is_some(), odd, "{value}: {:?}", read.how);
            if let Some(warning) = read.warning("x", &value) {
                assert!(warning.contains(&value.to_string()), "{warning}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_moments_never_panic(number: i64, float: f64, text in ".{0,40}") {
            let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
            for value in [json!(number), json!(float), json!(text), json!(number.to_string())] {
                if let Moment::At(seconds) = read_moment(&value, now).moment {
                    proptest::prop_assert!(seconds > 0 && seconds <= YEAR_9999, "{value}");
                }
            }
        }
    }
}
