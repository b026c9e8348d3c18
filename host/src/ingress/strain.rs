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
    /// Since when one that waits may have waited without any other ending; where none waits, up to when the estimate has faded.
    moved: Option<Instant>,
    probed: Option<Instant>,
}

/// How much of a difference the estimate follows with each accept, upwards and downwards.
const UP: f64 = 0.5;
const DOWN: f64 = 0.1;

/// Where nothing ends, how many times as long as an accept may take: a disk that hesitates once is better waited for.
const STANDSTILL: u32 = 2;

/// How long it takes until an estimate counts half, where nobody tries how it is now.
const HALVING: Duration = Duration::from_secs(1);

/// How often one is let through where the others are not.
const PROBE: Duration = Duration::from_millis(100);

impl Strain {
    pub(super) fn new(most: Duration) -> Strain {
        Strain { most, now: Mutex::default() }
    }

    /// Whether one more may try, as it looks now. Whoever looks takes nobody's turn: most who do are strangers.
    pub(super) fn may_try(&self) -> bool {
        self.lock().may_try(self.most, Instant::now())
    }

    /// An accept begins, if it may; it has ended when this is dropped.
    pub(super) fn begin(&self) -> Option<Waiting<'_>> {
        let begun = Instant::now();
        let mut now = self.lock();
        if !now.admits(self.most, begun) {
            return None;
        }
        now.begin(begun);
        Some(Waiting { strain: self, begun })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn is_strained(&mut self, most: Duration, now: Instant) -> bool {
        self.fade(now);
        let after = |since: Option<Instant>| since.map(|at| now.saturating_duration_since(at));
        let stands_still = self.waiting > 0 && after(self.moved).is_some_and(|time| time > most * STANDSTILL);
        self.estimate > most || stands_still
    }

    /// What is known of accepts counts half for each second without one.
    fn fade(&mut self, now: Instant) {
        let Some(since) = self.moved.filter(|_| self.waiting == 0) else { return };
        let times = now.saturating_duration_since(since).as_secs() / HALVING.as_secs();
        if times > 0 {
            self.estimate /= 1 << times.min(31);
            self.moved = Some(since + HALVING * u32::try_from(times).unwrap_or(u32::MAX));
        }
    }

    fn is_probe(&self, now: Instant) -> bool {
        self.probed.is_none_or(|at| now.saturating_duration_since(at) >= PROBE)
    }

    fn may_try(&mut self, most: Duration, now: Instant) -> bool {
        !self.is_strained(most, now) || self.is_probe(now)
    }

    /// The same, for one that does try.
    fn admits(&mut self, most: Duration, now: Instant) -> bool {
        if !self.is_strained(most, now) {
            return true;
        }
        let is_probe = self.is_probe(now);
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
    fn whoever_only_looks_delays_nothing() {
        let (mut now, at) = after(&[2_000; 5]);
        assert!((0..100).all(|_| now.may_try(MOST, at)), "a probe is free, and stays so");
        assert!(now.admits(MOST, at));
        assert!((0..100).all(|_| !now.may_try(MOST, at)), "it is taken");
        let next = at + PROBE;
        assert!((0..100).all(|_| now.may_try(MOST, next)));
        assert!(now.admits(MOST, next), "those that looked took none");
    }

    #[test]
    fn where_nobody_tries_what_is_known_fades() {
        let (mut now, at) = after(&[7_000; 20]);
        let seconds = |seconds| at + Duration::from_secs(seconds);
        assert_eq!([1, 2, 3].map(|s| now.is_strained(MOST, seconds(s))), [true, true, false]);
        let (mut now, at) = after(&[7_000; 20]);
        now.begin(at);
        assert!(now.is_strained(MOST, at + Duration::from_secs(3)), "one that waits is one that tries");
        let (mut now, at) = after(&[7_000; 20]);
        assert!(!now.is_strained(MOST, at + Duration::from_secs(3600)));
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
