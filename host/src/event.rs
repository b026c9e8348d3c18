//! The leaf that every room may use: what an event is, how it is named, and which events a subscription means.

mod trace;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sha2::{Digest, Sha256};

pub use trace::{NotATraceParent, TRACEPARENT, TraceParent};

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMs = u64;

/// What the wall clock says, to whatever it was set: for what others sign and read.
pub fn wall_ms() -> UnixMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_millis() as UnixMs
}

/// No clock that is right has said an earlier time since Hookgate was written: 2020-01-01.
pub const WRITTEN_MS: UnixMs = 1_577_836_800_000;

/// The time by which we act: what the wall clock said when this process first asked, and what has passed since, the machine's sleep
/// included. It never jumps, so that nothing is due early, late or never because somebody set the clock. But where it began before
/// [`WRITTEN_MS`], as on a machine that does not keep the time while it is off, it begins anew once the clock was set.
pub fn now_ms() -> UnixMs {
    /// By how much it is ahead of the time since boot.
    static AHEAD_MS: AtomicI64 = AtomicI64::new(NOT_ASKED);
    let (passed, known) = (since_boot_ms(), AHEAD_MS.load(Ordering::Relaxed));
    let mut ahead = ahead(known, passed, wall_ms);
    // Where several ask at once, the first says.
    if ahead != known
        && let Err(first) = AHEAD_MS.compare_exchange(known, ahead, Ordering::Relaxed, Ordering::Relaxed)
    {
        ahead = first;
    }
    passed.saturating_add_signed(ahead)
}

const NOT_ASKED: i64 = i64::MIN;

/// By how much our time is ahead of what has passed, where this much is known of it.
fn ahead(known: i64, passed: UnixMs, wall: impl FnOnce() -> UnixMs) -> i64 {
    let is_known = known != NOT_ASKED;
    if is_known && passed.saturating_add_signed(known) >= WRITTEN_MS {
        return known;
    }
    let wall = wall();
    if is_known && wall < WRITTEN_MS { known } else { wall as i64 - passed as i64 }
}

/// A time as RFC 3339 has it, to the millisecond.
pub fn rfc3339(ms: UnixMs) -> String {
    let time = jiff::Timestamp::from_millisecond(ms as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

/// Reads a time with its offset, as RFC 3339 has it. Times before 1970 are its beginning.
pub fn read_rfc3339(text: &str) -> Option<UnixMs> {
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    Some(time.as_millisecond().max(0) as UnixMs)
}

/// How long the machine has been up, its sleep included: no clock that anybody could set.
pub fn since_boot_ms() -> UnixMs {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    since.tv_sec as UnixMs * 1000 + since.tv_nsec as UnixMs / 1_000_000
}

/// Names an event, durably: the same on every attempt and after a crash.
///
/// 43 bits of milliseconds and 20 bits that tell apart what came in the same millisecond. So ids sort by time, an
/// event's age can be read off its id, and as a key they are short and always appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u64);

const ID_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ID_CHARS: usize = 13;
const ID_PREFIX: &str = "evt_";
const SAME_MS_BITS: u32 = 20;

impl EventId {
    /// The id that follows `last` at a time. `salt` spreads ids that are made at the same time by others.
    pub fn next(last: EventId, at_ms: UnixMs, salt: u32) -> EventId {
        let first_of_ms = EventId::first_at(at_ms).0;
        // The lower half of a millisecond's numbers to start in, the upper half to count on in.
        let fresh = first_of_ms | u64::from(salt) & ((1 << (SAME_MS_BITS - 1)) - 1);
        EventId(fresh.max(last.0 + 1))
    }

    /// The smallest id of a moment: what is older than it came before.
    pub fn first_at(at_ms: UnixMs) -> EventId {
        EventId((at_ms & ((1 << 43) - 1)) << SAME_MS_BITS)
    }

    /// The moment of which it is.
    pub fn made_at_ms(self) -> UnixMs {
        self.0 >> SAME_MS_BITS
    }

    /// The number behind the id, always positive.
    pub fn to_i64(self) -> i64 {
        self.0 as i64
    }

    /// The id of a stored number.
    pub fn from_i64(number: i64) -> EventId {
        EventId(number as u64)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; ID_CHARS];
        for (place, letter) in text.iter_mut().rev().enumerate() {
            *letter = ID_ALPHABET[(self.0 >> (5 * place)) as usize & 31];
        }
        f.write_str(ID_PREFIX)?;
        text.iter().try_for_each(|letter| fmt::Write::write_char(f, *letter as char))
    }
}

impl FromStr for EventId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<EventId, NotAnId> {
        let letters = text.strip_prefix(ID_PREFIX).filter(|letters| letters.len() == ID_CHARS).ok_or(NotAnId)?;
        letters
            .bytes()
            .try_fold(0u64, |number, letter| {
                let digit = ID_ALPHABET.iter().position(|known| *known == letter).ok_or(NotAnId)?;
                number.checked_mul(32).map(|number| number | digit as u64).ok_or(NotAnId)
            })
            .map(EventId)
    }
}

/// A text that names no event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event's id is evt_ and 13 characters")]
pub struct NotAnId;

/// One verified webhook, written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The same on every attempt and after a crash.
    pub id: EventId,
    /// The configured name that it came in by.
    pub source: Arc<str>,
    /// The provider of that source.
    pub provider: Arc<str>,
    /// What happened, in the sender's words.
    pub event_type: Arc<str>,
    /// When it was received.
    pub received_at_ms: UnixMs,
    /// The same on this process's own clock, where this process received it.
    pub received: Option<Instant>,
    /// What the provider's description finds in the request, by name.
    pub attributes: Vec<(String, String)>,
    /// The body as it was signed.
    pub payload: Bytes,
    /// Where it stands in its sender's trace, where that is said.
    pub trace: Option<TraceParent>,
}

/// One verified webhook on its way to being written down.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The configured name that it came in by.
    pub source: Arc<str>,
    /// The provider of that source.
    pub provider: Arc<str>,
    /// What happened, in the sender's words.
    pub event_type: Arc<str>,
    /// When it was received.
    pub received_at_ms: UnixMs,
    /// The same on this process's own clock.
    pub received: Instant,
    /// What the provider's description finds in the request, by name.
    pub attributes: Vec<(String, String)>,
    /// The body as it was signed.
    pub payload: Bytes,
    /// The headers of its request for whoever looks, `name: value` in a line each; what authenticates is masked.
    pub headers: Option<Arc<str>>,
    /// The same for a repeat of the same delivery; nothing where repeats cannot be told.
    pub repeat_key: Option<RepeatKey>,
    /// Where it stands in its sender's trace, where that is said.
    pub trace: Option<TraceParent>,
}

/// What the name of a subscriber begins with that is a webhook; no plugin can be called so.
pub const WEBHOOK: &str = "webhook:";

/// Whether a subscriber is a webhook, by its name.
pub fn is_webhook(subscriber: &str) -> bool {
    subscriber.starts_with(WEBHOOK)
}

/// What the attributes that only the gateway gives begin with.
pub const RESERVED: &str = "emitted.";

/// How much there is of attributes, in bytes.
pub fn attributes_bytes(attributes: &[(String, String)]) -> usize {
    attributes.iter().map(|(name, value)| name.len() + value.len()).sum()
}

impl Event {
    /// How much memory it holds, in bytes: its body and its attributes.
    pub fn bytes(&self) -> usize {
        self.payload.len() + attributes_bytes(&self.attributes)
    }
}

impl NewEvent {
    /// How much of it is written down, in bytes, beside what is of a few bytes: its body and its headers.
    pub fn bytes(&self) -> usize {
        self.payload.len() + self.headers.as_ref().map_or(0, |headers| headers.len())
    }

    /// The event that it is under an id.
    pub fn accepted(self, id: EventId) -> Event {
        let NewEvent { source, provider, event_type, received_at_ms, received, attributes, payload, trace, .. } = self;
        Event { id, source, provider, event_type, received_at_ms, received: Some(received), attributes, payload, trace }
    }
}

/// What tells a repeat: 128 bits of a SHA-256 over the source and the delivery's id.
pub type RepeatKey = [u8; 16];

/// The key of a delivery of a source, by the id that its sender gave it.
pub fn repeat_key(source: &str, delivery_id: &[u8]) -> RepeatKey {
    repeat_key_of(source, &[b"\0id\0", delivery_id])
}

/// The same where something else tells repeats.
pub fn repeat_key_of(source: &str, parts: &[&[u8]]) -> RepeatKey {
    let mut hash = Sha256::new_with_prefix(source);
    parts.iter().for_each(|part| hash.update(part));
    let whole: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|n| whole[n])
}

/// Which events a plugin wants: `type-pattern` or `source:type-pattern`, where the left side names a source or a
/// provider and `*` stands for any characters, dots included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    source: Option<String>,
    event_type: String,
}

/// The longest pattern and the longest event type that are taken, in bytes.
pub const TYPE_BYTES: usize = 256;

impl Pattern {
    /// Whether an event of this source, provider and type is meant.
    pub fn matches(&self, source: &str, provider: &str, event_type: &str) -> bool {
        let from_there = self.source.as_ref().is_none_or(|wanted| wanted == source || wanted == provider);
        from_there && glob(self.event_type.as_bytes(), event_type.as_bytes())
    }

    /// The type's side of the pattern.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The source's or provider's name, where the pattern has one.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{source}:{}", self.event_type),
            None => f.write_str(&self.event_type),
        }
    }
}

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Pattern, NotAPattern> {
        if text.len() > TYPE_BYTES || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NotAPattern(text.to_owned()));
        }
        let (source, event_type) = match text.split_once(':') {
            // Some senders have colons in their types: only a name may stand on the left.
            Some((source, event_type)) if is_name(source) => (Some(source.to_owned()), event_type),
            _ => (None, text),
        };
        if event_type.is_empty() {
            return Err(NotAPattern(text.to_owned()));
        }
        Ok(Pattern { source, event_type: event_type.to_owned() })
    }
}

/// A text that is no subscription.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no subscription: write `file.ready`, `file.*`, `github:issues.*` or `*`")]
pub struct NotAPattern(String);

/// Whether a text can name a source or a plugin: lower-case letters, digits, `-` and `_`, 1 to 64 of them, no dash first.
pub fn is_name(text: &str) -> bool {
    let letters_and_digits = text.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    letters_and_digits && !text.is_empty() && text.len() <= 64 && !text.starts_with(['-', '_'])
}

/// Matches `*` against any characters. Takes time in the product of the lengths at the worst, memory never.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry_from: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry_from = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((after_star, start)) = retry_from {
            retry_from = Some((after_star, start + 1));
            (p, t) = (after_star, start + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_begins_with_the_clock_and_anew_only_where_that_could_not_be_right() {
        let (right, set) = (WRITTEN_MS + 500, WRITTEN_MS + 9_000);
        let at = |known, passed, wall| ahead(known, passed, || wall);
        let first = at(NOT_ASKED, 70, right);
        assert_eq!(70 + first, right as i64);
        assert_eq!(at(first, 80, set), first, "somebody set it");
        let wrong = at(NOT_ASKED, 70, 5_000);
        assert_eq!((70 + wrong, at(wrong, 80, 90_000)), (5_000, wrong), "it is still wrong");
        let begun_anew = at(wrong, 90, right);
        assert_eq!(90 + begun_anew, right as i64);
        assert_eq!(at(begun_anew, 95, set), begun_anew);
        // A clock that is behind the time since boot.
        assert_eq!(at(NOT_ASKED, 5_000, 70), -4_930);
    }

    #[test]
    fn ids_read_back_and_sort_by_time() {
        let early = EventId::next(EventId(0), 1_800_000_000_000, 7);
        let late = EventId::next(early, 1_800_000_000_001, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.to_string().len(), 17);
    }

    #[test]
    fn an_id_never_repeats_when_the_clock_goes_back() {
        let last = EventId::next(EventId(0), 2_000, 9);
        assert!(EventId::next(last, 1_000, 3) > last);
        assert!(EventId::next(last, 2_000, 0) > last);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "evt_", "evt_0000000000001x", "evt_000000000000u", "xyz_0000000000000", "evt_zzzzzzzzzzzzzzz"]
        {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_mean_what_the_contract_says() {
        let table = [
            ("file.ready", "file.ready", true),
            ("file.ready", "file.ready.now", false),
            ("file.*", "file.upload.completed", true),
            ("file.*", "files.ready", false),
            ("*", "anything.at/all", true),
            ("*.created", "comment.created", true),
            ("*.created", "comment.created.late", false),
            ("a*b*c", "a-b-b-c", true),
            ("frameio:file.*", "file.ready", true),
            ("studio:file.*", "file.ready", true),
            ("github:file.*", "file.ready", false),
            ("frameio:*", "comment.created", true),
        ];
        for (pattern, event_type, expected) in table {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches("studio", "frameio", event_type), expected, "{pattern} on {event_type}");
            assert_eq!(parsed.to_string(), pattern);
        }
        for bad in ["", "two words", "frameio:", "tab\there"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern: Pattern = "*a".repeat(100).parse().unwrap();
        assert!(!pattern.matches("s", "p", &"ab".repeat(120)));
    }

    #[test]
    fn times_are_written_and_read() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        let read = |text| read_rfc3339(text);
        assert_eq!(read("2025-10-30T22:00:00.123Z"), Some(1_761_861_600_123));
        assert_eq!(read("2025-10-30T23:00:00+01:00"), Some(1_761_861_600_000));
        assert_eq!(read("1950-01-01T00:00:00Z"), Some(0));
        for bad in ["", "yesterday", "2025-10-30", "2025-10-30T22:00:00"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
