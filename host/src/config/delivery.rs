//! The section of what is kept and tried again: `[delivery]`.

use std::time::Duration;

use crate::queue::Keep;
use crate::schedule::Schedule;
use crate::section::Section;

/// Reads `[delivery]`; last, whether events are kept with headers.
pub(super) fn delivery(mut section: Section) -> (Schedule, Keep, bool) {
    let schedule = schedule(&mut section, &[1, 5, 30, 120, 600, 3600, 21600]);
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let mebibytes = |section: &mut Section, key| section.optional_number(key, 16..=1 << 30).map(|number| number << 20);
    let data_bytes = mebibytes(&mut section, "data_mib");
    let bytes = mebibytes(&mut section, "keep_mib");
    if bytes.zip(data_bytes).is_some_and(|(bytes, most)| bytes >= most) {
        section.mistake("keep_mib", "must be less than data_mib, at which nothing new is accepted any more");
    }
    let keep = Keep {
        events: days(section.number("keep_days", 14, 1..=3650)),
        // Rather than that nothing new is accepted, what is over goes early.
        bytes: bytes.or(data_bytes.map(|most| most / 10 * 9)),
        open_deliveries: section.number("open_deliveries", 10_000_000, 1..=1 << 40),
        data_bytes,
        repeat_keys: days(3),
        subscriptions: Duration::from_secs(section.number("keep_subscriptions_s", 86_400, 1..=31_536_000)),
    };
    let keeps_headers = section.or("keep_headers", true);
    section.finish();
    (schedule, keep, keeps_headers)
}

/// Reads the delays before attempts 2, 3, ...
pub(super) fn schedule(section: &mut Section, default: &[u64]) -> Schedule {
    let seconds: Vec<u64> = section.or("schedule_s", default.to_vec());
    if seconds.len() > 100 || seconds.iter().any(|delay| *delay > 30 * 86_400) {
        section.mistake("schedule_s", "takes at most 100 delays of at most 30 days each");
    }
    Schedule(seconds.into_iter().map(Duration::from_secs).collect())
}
