//! How long writing down takes these days. Where it takes too long, requests are refused before they cost anything, but for one now and
//! then that shows whether it is better.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is known of the last accepts, and of those that wait.
pub(super) struct Strain {
    /// How long an accept may take.
    most: Duration,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    /// Follows what takes longer quickly and what takes less slowly, so that it is near the slowest of late.
    estimate: Duration,
    /// When it last grew. Those that waited for the same commit tell it only once.
    grown: Option<Instant>,
    waiting: usize,
    /// Since when one that waits may have waited without any other ending.
    moved: Option<Instant>,
    probed: Option<Instant>,
}

/// How much of a difference the estimate follows with each accept, upwards and downwards.
const UP: f64 = 0.5;
const DOWN: f64 = 0.1;

/// Where nothing ends, how many times as long as an accept may take: a disk that hesitates once is better waited for.
const STANDSTILL: u32 = 2;

/// How often one is let through where the others are not.
const PROBE: Duration = Duration::from_millis(100);

impl Strain {
    pub(super) fn new(most: Duration) -> Strain {
        Strain { most, now: Mutex::default() }
    }

    /// Whether one more may try.
    pub(super) fn admits(&self) -> bool {
        self.lock().admits(self.most, Instant::now())
    }

    /// An accept begins; it has ended when this is dropped.
    pub(super) fn begin(&self) -> Waiting<'_> {
        let begun = Instant::now();
        self.lock().begin(begun);
        Waiting { strain: self, begun }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn admits(&mut self, most: Duration, now: Instant) -> bool {
        let after = |since: Option<Instant>| since.map(|at| now.saturating_duration_since(at));
        let stands_still = self.waiting > 0 && after(self.moved).is_some_and(|time| time > most * STANDSTILL);
        if self.estimate <= most && !stands_still {
            return true;
        }
        let is_probe = after(self.probed).is_none_or(|time| time >= PROBE);
        if is_probe {
            self.probed = Some(now);
        }
        is_probe
    }

    fn begin(&mut self, now: Instant) {
        if self.waiting == 0 {
            self.moved = Some(now);
        }
        self.waiting += 1;
    }

    fn end(&mut self, begun: Instant, now: Instant) {
        let took = now.saturating_duration_since(begun);
        self.waiting -= 1;
        self.moved = Some(now);
        match took.checked_sub(self.estimate) {
            None => self.estimate -= (self.estimate - took).mul_f64(DOWN),
            Some(longer) if self.grown.is_none_or(|at| begun >= at) => {
                self.estimate += longer.mul_f64(UP);
                self.grown = Some(now);
            }
            Some(_) => {}
        }
    }
}

/// One accept that is waited for.
pub(super) struct Waiting<'a> {
    strain: &'a Strain,
    begun: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.strain.lock().end(self.begun, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(1);

    /// What is known after accepts that took so long, one after another.
    fn after(times_ms: &[u64]) -> (Now, Instant) {
        let (mut now, mut at) = (Now::default(), Instant::now());
        for ms in times_ms {
            now.begin(at);
            let begun = at;
            at += Duration::from_millis(*ms);
            now.end(begun, at);
        }
        (now, at)
    }

    #[test]
    fn quick_accepts_are_no_strain_and_one_slow_one_is_none_either() {
        let (mut now, at) = after(&[5, 5, 5, 1_900, 5]);
        assert!((0..100).all(|_| now.admits(MOST, at)));
        // Many that wait for the same commit are one.
        let (mut now, begun) = after(&[5]);
        (0..100).for_each(|_| now.begin(begun));
        let ended = begun + Duration::from_millis(1_900);
        (0..100).for_each(|_| now.end(begun, ended));
        assert!((0..100).all(|_| now.admits(MOST, ended)));
    }

    #[test]
    fn slow_accepts_are_and_a_probe_goes_through_now_and_then() {
        let (mut now, at) = after(&[2_000, 2_000, 2_000]);
        let admitted = |now: &mut Now, ms| now.admits(MOST, at + Duration::from_millis(ms));
        assert_eq!(
            [0, 0, 50, 99, 100, 101, 250].map(|ms| admitted(&mut now, ms)),
            [true, false, false, false, true, false, true]
        );
    }

    #[test]
    fn it_recovers_by_its_probes() {
        let (mut now, mut at) = after(&[10_000; 20]);
        let mut probes = 0;
        while now.estimate > MOST {
            now.begin(at);
            now.end(at, at + Duration::from_millis(5));
            (at, probes) = (at + PROBE, probes + 1);
        }
        assert!(probes < 30, "{probes} probes");
        assert!((0..100).all(|_| now.admits(MOST, at)));
    }

    #[test]
    fn where_nothing_ends_that_is_a_strain_too() {
        let (mut now, begun) = (Now::default(), Instant::now());
        (0..3).for_each(|_| now.begin(begun));
        assert!(now.admits(MOST, begun + MOST * STANDSTILL));
        let late = begun + MOST * STANDSTILL + Duration::from_millis(1);
        assert_eq!([now.admits(MOST, late), now.admits(MOST, late)], [true, false], "a probe, and no more");
        now.end(late, late);
        assert!(now.admits(MOST, late) && now.admits(MOST, late), "it goes on");
    }

    #[test]
    fn nobody_who_waits_is_no_strain_however_long() {
        let (mut now, at) = after(&[5]);
        assert!((0..10).all(|_| now.admits(MOST, at + Duration::from_secs(3600))));
    }
}
