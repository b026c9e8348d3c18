//! How a receiver is doing: when the next request to it may go out, and whether it has failed for so long that it is given up. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::{UnixMs, WRITTEN_MS};

/// So many attempts that failed on end make a receiver one that is probed.
const OPENS_AFTER: u32 = 10;

/// So many at the least, before it is given up: a receiver that is rarely sent something may be down twice by chance.
const ENOUGH: u32 = 3;

/// How long a receiver is left alone after a probe that failed: twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest wait that a receiver can ask for as a whole.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

const MINUTE_MS: UnixMs = 60_000;

/// How a receiver is doing.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Attempts that failed on end.
    failures: u32,
    /// The first of them.
    failing_since_ms: Option<UnixMs>,
    /// Nothing goes out before this time.
    paused_until_ms: UnixMs,
    /// When the requests of the last minute went out.
    sent: VecDeque<UnixMs>,
    /// Whether fewer go out at a time than could.
    is_narrow: bool,
}

/// How many requests may go out, and from when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// This one, now.
    Now,
    /// None before a time; then one, to see.
    Later {
        /// When.
        at_ms: UnixMs,
    },
}

/// What is to become of the slots after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// They stay as they are.
    Same,
    /// One at a time, from a time on.
    Hold {
        /// When.
        until_ms: UnixMs,
    },
    /// As many as there may be.
    Free,
}

impl Health {
    /// One that has been failing since before this process began.
    pub fn failing_since(since_ms: Option<UnixMs>) -> Health {
        Health { failing_since_ms: since_ms, ..Health::default() }
    }

    /// Takes a turn, if there is one. `per_minute` bounds the requests in any minute.
    pub fn turn(&mut self, per_minute: Option<u32>, now: UnixMs) -> Turn {
        if now < self.paused_until_ms {
            self.is_narrow = true;
            return Turn::Later { at_ms: self.paused_until_ms };
        }
        let Some(most) = per_minute else { return Turn::Now };
        while self.sent.front().is_some_and(|sent| sent + MINUTE_MS <= now) {
            self.sent.pop_front();
        }
        match self.sent.front() {
            Some(first) if self.sent.len() >= most as usize => {
                self.is_narrow = true;
                Turn::Later { at_ms: first + MINUTE_MS }
            }
            _ => {
                self.sent.push_back(now);
                Turn::Now
            }
        }
    }

    /// Notes an attempt that went well.
    pub fn went_well(&mut self, per_minute: Option<u32>, now: UnixMs) -> Next {
        (self.failures, self.failing_since_ms) = (0, None);
        // One that was under way when its receiver asked to be left alone.
        if now < self.paused_until_ms {
            return Next::Same;
        }
        self.paused_until_ms = 0;
        let room = per_minute.is_none_or(|most| self.sent.len() < most as usize);
        if room && std::mem::take(&mut self.is_narrow) {
            return Next::Free;
        }
        match self.sent.front() {
            Some(first) if !room => {
                self.is_narrow = true;
                Next::Hold { until_ms: (first + MINUTE_MS).max(now) }
            }
            _ => Next::Same,
        }
    }

    /// Notes an attempt that failed, and the wait that its receiver asked for.
    pub fn failed(&mut self, asked: Option<Duration>, now: UnixMs) -> Next {
        // What failed before the clock could be right has not failed for decades.
        let since = self.failing_since_ms.filter(|since| *since >= WRITTEN_MS || now < WRITTEN_MS);
        self.failing_since_ms = since.or(Some(now));
        // Those that were under way when it was paused say nothing new.
        self.failures += u32::from(now >= self.paused_until_ms);
        let over = self.failures.saturating_sub(OPENS_AFTER);
        let pause = (self.failures >= OPENS_AFTER).then(|| (FIRST_PAUSE * (1 << over.min(8))).min(LONGEST_PAUSE));
        let pause = pause.into_iter().chain(asked.map(|asked| asked.min(LONGEST_ASKED))).max();
        let Some(pause) = pause.filter(|pause| !pause.is_zero()) else { return Next::Same };
        self.paused_until_ms = self.paused_until_ms.max(now + pause.as_millis() as UnixMs);
        self.is_narrow = true;
        Next::Hold { until_ms: self.paused_until_ms }
    }

    /// Whether it has failed for so long.
    pub fn has_failed_for(&self, long: Duration, now: UnixMs) -> bool {
        let since = self.failing_since_ms.filter(|_| self.failures >= ENOUGH);
        since.is_some_and(|since| now.saturating_sub(since) >= long.as_millis() as UnixMs)
    }

    /// Begins anew: somebody saw to it.
    pub fn begin_anew(&mut self) {
        let sent = std::mem::take(&mut self.sent);
        *self = Health { sent, ..Health::default() };
    }

    /// Until when nothing goes out, where that is so.
    pub fn paused_until_ms(&self, per_minute: Option<u32>, now: UnixMs) -> Option<UnixMs> {
        // The last so many requests are those of the last minute, or there is room.
        let full =
            per_minute.and_then(|most| self.sent.iter().rev().nth(most as usize - 1).map(|sent| sent + MINUTE_MS));
        Some(self.paused_until_ms.max(full.unwrap_or_default())).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_requests_than_it_may() {
        let mut health = Health::default();
        let mut sent = Vec::new();
        let mut now = 1_000_000;
        while now < 1_400_000 {
            match health.turn(Some(10), now) {
                Turn::Now => sent.push(now),
                Turn::Later { at_ms } => {
                    assert!(at_ms > now);
                    now = at_ms - 1;
                }
            }
            now += 1;
        }
        let most = sent.iter().map(|first| sent.iter().filter(|at| (*first..first + MINUTE_MS).contains(*at)).count());
        assert_eq!(most.max(), Some(10));
        assert!(sent.len() >= 65, "{}", sent.len());
    }

    #[test]
    fn one_that_fails_on_end_is_probed_less_and_less() {
        let (mut health, mut now) = (Health::default(), 1_000_000);
        for _ in 0..9 {
            assert_eq!(health.turn(None, now), Turn::Now);
            assert_eq!(health.failed(None, now), Next::Same);
        }
        let mut pauses = Vec::new();
        for _ in 0..6 {
            assert_eq!(health.turn(None, now), Turn::Now);
            let Next::Hold { until_ms } = health.failed(None, now) else { panic!("it is not held") };
            assert_eq!(health.turn(None, until_ms - 1), Turn::Later { at_ms: until_ms });
            pauses.push((until_ms - now) / 1000);
            now = until_ms;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        assert!(health.has_failed_for(Duration::from_secs(100), now));
        assert_eq!(health.turn(None, now), Turn::Now);
        assert_eq!(health.went_well(None, now), Next::Free);
        assert_eq!(health.went_well(None, now), Next::Same);
        assert!(!health.has_failed_for(Duration::ZERO, now));
    }

    #[test]
    fn many_that_fail_at_once_make_one_pause() {
        let mut health = Health::default();
        for _ in 0..50 {
            health.failed(None, 1_000);
        }
        assert_eq!(health.turn(None, 1_000), Turn::Later { at_ms: 6_000 });
    }

    #[test]
    fn a_receiver_that_asks_to_wait_is_left_alone_as_a_whole() {
        let mut health = Health::default();
        assert_eq!(health.failed(Some(Duration::from_secs(7)), 1_000), Next::Hold { until_ms: 8_000 });
        assert_eq!(health.turn(None, 7_999), Turn::Later { at_ms: 8_000 });
        assert_eq!(health.turn(None, 8_000), Turn::Now);
        let far = health.failed(Some(Duration::from_secs(1 << 40)), 8_000);
        assert_eq!(far, Next::Hold { until_ms: 8_000 + 3_600_000 });
        assert_eq!(health.failed(Some(Duration::ZERO), 8_000), Next::Same);
    }

    #[test]
    fn one_that_was_failing_before_the_start_is_known() {
        let mut health = Health::failing_since(Some(1_000));
        health.failed(None, 1_500);
        health.failed(None, 1_900);
        assert!(!health.has_failed_for(Duration::from_secs(1), 2_000));
        health.failed(None, 2_000);
        assert!(health.has_failed_for(Duration::from_secs(1), 2_000));
        health.begin_anew();
        assert!(!health.has_failed_for(Duration::ZERO, 2_000));
    }

    #[test]
    fn what_failed_before_the_clock_was_set_has_not_failed_for_decades() {
        let (mut health, day) = (Health::failing_since(Some(1_000)), Duration::from_secs(86_400));
        (0..3).for_each(|n| assert_eq!(health.failed(None, WRITTEN_MS + n), Next::Same));
        assert!(!health.has_failed_for(day, WRITTEN_MS + 9));
        assert!(health.has_failed_for(day, WRITTEN_MS + 86_400_000));
    }
}
