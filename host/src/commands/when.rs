//! Times as operators say them, and as they are shown to them: in local time.

use hookgate::event::UnixMs;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde_json::Value;

use super::Usage;

/// What may be said, for whoever said something else.
const FORMS: &str =
    "write 30m, 2h, 3d, \"today 9:30\", \"yesterday 14:00\", 2026-11-20, \"2026-11-20 14:00\" or 2026-11-20T14:00:00Z";

/// Reads the value of a flag, and gives it as the API takes it.
pub fn said(flag: &str, text: &Option<String>) -> anyhow::Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let time =
        read(text, &Zoned::now()).ok_or_else(|| Usage::error(format!("--{flag}: `{text}` is no time: {FORMS}")))?;
    Ok(Some(format!("{time:.3}")))
}

/// Whether anything can be from one time on and before another, each as [`said`] gives it; otherwise, that it cannot.
pub fn in_order(since: &Option<String>, until: &Option<String>) -> anyhow::Result<()> {
    let time = |text: &Option<String>| text.as_ref()?.parse::<Timestamp>().ok();
    match (time(since), time(until)) {
        (Some(since), Some(until)) if since > until => {
            let [since, until] = [since, until].map(|time| shown(time, TimeZone::system()));
            Err(Usage::error(format!("--since ({since}) is later than --until ({until}): nothing is between them")))
        }
        _ => Ok(()),
    }
}

/// Reads a time: RFC 3339, so long ago, or one in the time zone of `now`. What a clock shows twice is its first, what it skips is after.
fn read(text: &str, now: &Zoned) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Some(seconds) = ago(text) {
        return now.timestamp().checked_sub(jiff::SignedDuration::from_secs(seconds)).ok();
    }
    let (day, time) = text.split_once(' ').map_or((text, None), |(day, time)| (day, Some(time.trim())));
    let date = match day {
        "now" if time.is_none() => return Some(now.timestamp()),
        "today" => Some(now.date()),
        "yesterday" => Some(now.date().checked_sub(1.day()).ok()?),
        _ => None,
    };
    let civil: DateTime = match date {
        Some(date) => date.to_datetime(time.map_or(Some(Time::midnight()), clock)?),
        None => match (day.parse().ok(), time) {
            (Some::<jiff::civil::Date>(date), Some(time)) => date.to_datetime(clock(time)?),
            _ => text.parse().ok()?,
        },
    };
    Some(civil.to_zoned(now.time_zone().clone()).ok()?.timestamp())
}

/// A number of seconds, minutes, hours, days of 24 hours, or weeks of these, in seconds.
fn ago(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    text[..text.len() - 1].parse::<u32>().ok().map(|number| i64::from(number) * unit)
}

/// The time of day, with one digit of the hour or two.
fn clock(text: &str) -> Option<Time> {
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
    padded.contains(':').then(|| padded.parse().ok())?
}

/// A time of the API's, in local time to the second.
pub fn local(time: &Value) -> String {
    let parsed = time.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    parsed.map(|time| shown(time, TimeZone::system())).unwrap_or_else(|| "-".to_owned())
}

/// The same of milliseconds since 1970.
pub fn local_ms(ms: UnixMs) -> String {
    let time = Timestamp::from_millisecond(ms as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    shown(time, TimeZone::system())
}

fn shown(time: Timestamp, zone: TimeZone) -> String {
    time.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where clocks go on by an hour on 29 March 2026 at 2:00, and back on 25 October at 3:00.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn read_at(text: &str, now: &str) -> Option<String> {
        let now = now.parse::<Timestamp>().unwrap().to_zoned(berlin());
        read(text, &now).map(|time| time.to_string())
    }

    #[test]
    fn times_are_read_as_they_are_said() {
        let table = [
            ("2026-11-20T14:00:00Z", "2026-11-20T14:00:00Z"),
            ("2026-11-20T14:00:00+02:00", "2026-11-20T12:00:00Z"),
            ("2h", "2026-11-26T10:00:00Z"),
            ("30m", "2026-11-26T11:30:00Z"),
            ("90s", "2026-11-26T11:58:30Z"),
            ("3d", "2026-11-23T12:00:00Z"),
            ("1w", "2026-11-19T12:00:00Z"),
            ("now", "2026-11-26T12:00:00Z"),
            ("today", "2026-11-25T23:00:00Z"),
            ("today 9:30", "2026-11-26T08:30:00Z"),
            ("yesterday 14:00", "2026-11-25T13:00:00Z"),
            (" yesterday ", "2026-11-24T23:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20 14:00", "2026-11-20T13:00:00Z"),
            ("2026-11-20 9:05:07", "2026-11-20T08:05:07Z"),
            ("2026-11-20T14:00", "2026-11-20T13:00:00Z"),
        ];
        for (text, expected) in table {
            assert_eq!(read_at(text, "2026-11-26T12:00:00Z").as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn clocks_that_are_changed_are_read_as_they_were_then() {
        let table = [
            // In summer, and on the days on which they are changed.
            ("2026-07-01 12:00", "2026-07-01T10:00:00Z"),
            ("2026-03-29", "2026-03-28T23:00:00Z"),
            ("2026-03-29 12:00", "2026-03-29T10:00:00Z"),
            // Nobody's clock showed that; and this one was shown twice.
            ("2026-03-29 2:30", "2026-03-29T01:30:00Z"),
            ("2026-10-25 2:30", "2026-10-25T00:30:00Z"),
            ("yesterday 1:00", "2026-10-24T23:00:00Z"),
            // A day ago is 24 hours, whatever the clocks did.
            ("1d", "2026-10-25T07:00:00Z"),
        ];
        for (text, expected) in table {
            assert_eq!(read_at(text, "2026-10-26T07:00:00Z").as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nothing_is_from_a_time_on_and_before_an_earlier_one() {
        let said = |time: &str| said("since", &Some(time.to_owned())).unwrap();
        let (hour, day) = (said("1h"), said("1d"));
        for (since, until) in [(&day, &hour), (&hour, &hour), (&hour, &None), (&None, &day), (&None, &None)] {
            assert!(in_order(since, until).is_ok(), "{since:?} {until:?}");
        }
        let told = in_order(&hour, &day).unwrap_err();
        assert!(told.is::<Usage>() && told.to_string().contains("is later than --until"), "{told}");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "h", "2x", "-2h", "soon", "tomorrow 9:00", "today 25:00", "today 9", "2026-13-01", "2026-11-20 9", "é"]
        {
            assert_eq!(read_at(text, "2026-11-26T12:00:00Z"), None, "{text}");
        }
    }
}
