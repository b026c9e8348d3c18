//! A plugin that fails all the time is left alone as a whole for a while, and then tried with one delivery. Pure.
//!
//! Its deliveries wait meanwhile without using up their attempts, and its calls leave the machine to others.

use std::time::Duration;

use crate::event::UnixMs;

/// So many attempts that failed on end, with none that did not, open it.
const OPENS_AFTER: u32 = 10;

/// How long it is open at first; twice as long after each probe that fails.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// How a plugin has been doing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breaker {
    /// Attempts that failed on end.
    failures: u32,
    /// Nothing is begun before this time; 0 while it is closed.
    open_until_ms: UnixMs,
}

/// What is to become of a plugin's slots after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// They stay as they are.
    Same,
    /// None until a time, then one, to see.
    Open {
        /// When.
        until_ms: UnixMs,
    },
    /// As many as there may be.
    Close,
}

impl Breaker {
    /// Notes an attempt that did not fail.
    pub fn went_well(&mut self) -> Next {
        let was_open = self.open_until_ms > 0;
        *self = Breaker::default();
        if was_open { Next::Close } else { Next::Same }
    }

    /// Notes one that failed.
    pub fn failed(&mut self, now: UnixMs) -> Next {
        // Those that were under way when it opened say nothing new.
        if now < self.open_until_ms {
            return Next::Same;
        }
        self.failures += 1;
        let Some(over) = self.failures.checked_sub(OPENS_AFTER) else { return Next::Same };
        let wait = (FIRST * (1 << over.min(10))).min(LONGEST);
        self.open_until_ms = now + wait.as_millis() as UnixMs;
        Next::Open { until_ms: self.open_until_ms }
    }

    /// Until when it is open, and how many attempts failed on end, where it is.
    pub fn open(&self) -> Option<(UnixMs, u32)> {
        (self.open_until_ms > 0).then_some((self.open_until_ms, self.failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_enough_failures_and_closes_after_a_probe() {
        let mut breaker = Breaker::default();
        for _ in 0..OPENS_AFTER - 1 {
            assert_eq!(breaker.failed(1_000), Next::Same);
        }
        assert_eq!(breaker.open(), None);
        assert_eq!(breaker.failed(1_000), Next::Open { until_ms: 2_000 });
        assert_eq!(breaker.failed(1_500), Next::Same, "it was under way");
        assert_eq!(breaker.failed(2_000), Next::Open { until_ms: 4_000 });
        assert_eq!(breaker.open(), Some((4_000, 11)));
        assert_eq!(breaker.went_well(), Next::Close);
        assert_eq!(breaker.went_well(), Next::Same);
    }

    #[test]
    fn one_that_goes_well_now_and_then_stays_closed() {
        let mut breaker = Breaker::default();
        for n in 0..1_000 {
            let next = if n % 9 == 0 { breaker.went_well() } else { breaker.failed(n) };
            assert_eq!(next, Next::Same);
        }
    }

    #[test]
    fn the_longest_wait_is_a_minute() {
        let (mut breaker, mut now) = (Breaker::default(), 0);
        for _ in 0..100 {
            if let Next::Open { until_ms } = breaker.failed(now) {
                assert!(until_ms - now <= 60_000);
                now = until_ms;
            }
        }
        assert_eq!(breaker.failed(now), Next::Open { until_ms: now + 60_000 });
    }
}
