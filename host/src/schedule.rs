//! What an outcome means: done, again at a time, or dead because. Pure.

use std::time::Duration;

use crate::attempt::Outcome;
use crate::event::{UnixMs, is_webhook};

/// The delays before attempts 2, 3, ... After the last comes death.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(pub Vec<Duration>);

impl Schedule {
    /// How many attempts a delivery gets.
    pub fn attempts(&self) -> u32 {
        self.0.len() as u32 + 1
    }
}

/// The schedule of each kind of subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedules {
    /// Of plugins.
    pub plugins: Schedule,
    /// Of webhooks.
    pub webhooks: Schedule,
}

impl Schedules {
    /// The longest that any delivery waits for its next attempt.
    pub fn longest(&self) -> Duration {
        let delays = self.plugins.0.iter().chain(&self.webhooks.0);
        delays.copied().fold(LONGEST_WAIT, Duration::max)
    }

    /// The schedule of a subscriber, by its name.
    pub fn of(&self, subscriber: &str) -> &Schedule {
        if is_webhook(subscriber) { &self.webhooks } else { &self.plugins }
    }
}

/// What an outcome means for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Never again.
    Done,
    /// Again, not before this time.
    Again {
        /// When it is due.
        at_ms: UnixMs,
    },
    /// Never again by itself, and kept for the operator.
    Dead,
}

/// The longest wait that a plugin can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Judges the outcome of attempt number `attempt` (1 is the first) at a time.
pub fn judge(outcome: &Outcome, attempt: u32, schedule: &Schedule, now_ms: UnixMs) -> Verdict {
    let asked = match outcome {
        Outcome::Done => return Verdict::Done,
        Outcome::Reject { .. } | Outcome::Damaged => return Verdict::Dead,
        Outcome::Retry { after, .. } => after.unwrap_or_default().min(LONGEST_WAIT),
        Outcome::Trapped { .. } | Outcome::Overran { .. } | Outcome::OutOfMemory | Outcome::Lost => Duration::ZERO,
    };
    match schedule.0.get(attempt.saturating_sub(1) as usize) {
        Some(delay) => Verdict::Again { at_ms: now_ms + asked.max(*delay).as_millis() as UnixMs },
        None => Verdict::Dead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_verdict() {
        let schedule = Schedule(vec![Duration::from_secs(1), Duration::from_secs(5)]);
        let retry =
            |after_s: Option<u64>| Outcome::Retry { why: "busy".into(), after: after_s.map(Duration::from_secs) };
        let again = |at_ms| Verdict::Again { at_ms };
        let table = [
            (Outcome::Done, 1, Verdict::Done),
            (Outcome::Done, 99, Verdict::Done),
            (Outcome::Reject { why: "no".into() }, 1, Verdict::Dead),
            (retry(None), 1, again(2_000)),
            (retry(None), 2, again(6_000)),
            (retry(None), 3, Verdict::Dead),
            (retry(Some(60)), 1, again(61_000)),
            (retry(Some(0)), 2, again(6_000)),
            (retry(Some(u64::MAX / 2000)), 1, again(1_000 + 7 * 24 * 3_600_000)),
            (Outcome::Trapped { why: "unreachable".into() }, 1, again(2_000)),
            (Outcome::Overran { limit: "cpu_ms" }, 2, again(6_000)),
            (Outcome::OutOfMemory, 3, Verdict::Dead),
            (Outcome::Lost, 1, again(2_000)),
            (Outcome::Lost, 3, Verdict::Dead),
        ];
        for (outcome, attempt, expected) in table {
            assert_eq!(judge(&outcome, attempt, &schedule, 1_000), expected, "{outcome} on attempt {attempt}");
        }
        assert_eq!(schedule.attempts(), 3);
    }

    #[test]
    fn without_a_schedule_one_attempt_is_all() {
        assert_eq!(judge(&Outcome::OutOfMemory, 1, &Schedule(vec![]), 0), Verdict::Dead);
    }
}
