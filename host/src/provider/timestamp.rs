//! Signed timestamps: where they are, how they are written, and how far they may be from our clock.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::looking::Looking;
use super::scheme::{Place, place, word};
use super::verify::Unverified;
use crate::event::UnixMs;
use crate::section::Section;

/// Where the signed timestamp is.
#[derive(Debug, Clone)]
pub(super) struct Timestamp {
    pub at: Place,
    pub form: TimeForm,
    /// How far it may be from our clock, into the past and into the future.
    pub tolerance: Duration,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// Since 1970.
    Seconds,
    /// Since 1970.
    Milliseconds,
    /// A date and a time (RFC 3339).
    Rfc3339,
}

const TIMES: &[(&str, TimeForm)] =
    &[("seconds", TimeForm::Seconds), ("milliseconds", TimeForm::Milliseconds), ("rfc3339", TimeForm::Rfc3339)];
impl Timestamp {
    pub fn read(mut section: Section) -> Option<Timestamp> {
        let at = place(&mut section, "say where the timestamp is, as in \"{header:X-Timestamp}\"");
        let form = word(&mut section, "form", TIMES);
        let tolerance = Duration::from_secs(section.number("tolerance_s", 300, 1..=86_400));
        section.finish();
        Some(Timestamp { at: at?, form, tolerance })
    }
}

impl Timestamp {
    /// The timestamp as it was sent, where it is near enough.
    pub fn checked<'a>(&'a self, looking: &Looking<'a>) -> Result<Cow<'a, [u8]>, Unverified> {
        let text = looking.text(&self.at)?.ok_or(Unverified::MalformedTimestamp)?;
        let sent_ms = self.form.read(&text).ok_or(Unverified::MalformedTimestamp)?;
        // A clock that counts seconds says nothing of less than one.
        let per = if self.form == TimeForm::Seconds { 1000 } else { 1 };
        let (sent, now, tolerance) = (sent_ms / per, looking.now_ms / per, self.tolerance.as_millis() as u64 / per);
        if sent.saturating_add(tolerance) < now {
            return Err(Unverified::StaleTimestamp);
        }
        if now.saturating_add(tolerance) < sent {
            return Err(Unverified::FutureTimestamp);
        }
        Ok(text)
    }
}

impl TimeForm {
    /// Milliseconds since 1970.
    fn read(self, text: &[u8]) -> Option<UnixMs> {
        match self {
            TimeForm::Seconds => decimal(text, 12)?.checked_mul(1000),
            TimeForm::Milliseconds => decimal(text, 15),
            TimeForm::Rfc3339 => in_utc(text).or_else(|| {
                let at: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
                at.as_millisecond().try_into().ok()
            }),
        }
    }

    /// A time as the sender writes it.
    pub(super) fn write(self, at_ms: UnixMs) -> String {
        match self {
            TimeForm::Seconds => (at_ms / 1000).to_string(),
            TimeForm::Milliseconds => at_ms.to_string(),
            TimeForm::Rfc3339 => {
                jiff::Timestamp::from_millisecond(at_ms as i64).map(|at| format!("{at:.3}")).unwrap_or_default()
            }
        }
    }
}

/// A time as nearly all senders write it, `2026-01-31T23:59:59.123Z`: reading it needs no more than arithmetic. Nothing, where it is
/// written otherwise.
fn in_utc(text: &[u8]) -> Option<UnixMs> {
    let (body, fraction) = text.strip_suffix(b"Z")?.split_at_checked(19)?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let has_marks = marks.iter().all(|(at, mark)| body[*at] == *mark);
    let number = |range: std::ops::Range<usize>| decimal(&body[range], 4);
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !has_marks || !is_time || year < 1970 || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day)
    {
        return None;
    }
    let millis = match fraction {
        [] => 0,
        // What is less than a millisecond is left out.
        [b'.', digits @ ..] => decimal(digits, 9)? * 1000 / 10u64.pow(digits.len() as u32),
        _ => return None,
    };
    Some((((days_to(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
}

/// The days since 1970. Years are counted from March, so that a leap day is the last of its year.
fn days_to(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let since_march = (153 * month + 2) / 5 + day - 1;
    // Of which so many were before 1970.
    365 * year + leap_days + since_march - 719_468
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Decimal digits and nothing else, few enough not to overflow.
fn decimal(text: &[u8], digits: usize) -> Option<u64> {
    if text.is_empty() || text.len() > digits || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| 10 * number + u64::from(digit - b'0')))
}

impl fmt::Display for TimeForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeForm::Seconds => "in seconds",
            TimeForm::Milliseconds => "in milliseconds",
            TimeForm::Rfc3339 => "as a date and time",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_the_library(text: &str) -> Option<UnixMs> {
        let at: jiff::Timestamp = text.parse().ok()?;
        at.as_millisecond().try_into().ok()
    }

    proptest! {
        #[test]
        fn a_time_in_utc_is_what_the_library_reads(seconds in 0u64..253_402_300_799, nanos in 0u32..1_000_000_000, digits in 0usize..=9) {
            let at = jiff::Timestamp::new(seconds as i64, nanos as i32).unwrap();
            let text = format!("{at:.digits$}");
            prop_assert_eq!(in_utc(text.as_bytes()), by_the_library(&text), "{}", text);
        }

        #[test]
        fn what_is_no_time_is_none(text in "[0-9TZ:.+-]{0,26}") {
            if let Some(read) = in_utc(text.as_bytes()) {
                prop_assert_eq!(Some(read), by_the_library(&text), "{}", text);
            }
        }
    }

    #[test]
    fn days_that_are_not_are_none() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+00:00",
        ] {
            assert_eq!(in_utc(text.as_bytes()), None, "{text}");
        }
        assert_eq!(in_utc(b"2024-02-29T00:00:00.5Z"), Some(1_709_164_800_500));
        assert_eq!(TimeForm::Rfc3339.read(b"2024-02-29T01:00:00+01:00"), Some(1_709_164_800_000));
    }
}
