//! Signed timestamps: where they are, how they are written, and how far they may be from our clock.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::scheme::{Place, place, word};
use super::verify::{Looking, Unverified};
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
    pub fn checked<'a>(&self, looking: &Looking<'a>) -> Result<Cow<'a, [u8]>, Unverified> {
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
            TimeForm::Rfc3339 => {
                let at: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
                at.as_millisecond().try_into().ok()
            }
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

/// Decimal digits and nothing else, few enough not to overflow.
fn decimal(text: &[u8], digits: usize) -> Option<u64> {
    if text.is_empty() || text.len() > digits || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
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
