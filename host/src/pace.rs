//! How often or how much something may be done in a minute: some of it at once, the rest evenly. And how long ago it was done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is left of a minute's turns, or bytes; they come back evenly.
#[derive(Debug)]
pub struct Pace {
    per_minute: u64,
    /// The most that is saved up.
    at_once: u64,
    left: Mutex<(f64, Instant)>,
}

impl Pace {
    /// So many in a minute, and all of them at once too.
    pub fn new(per_minute: u64) -> Pace {
        Pace::saving(per_minute, per_minute)
    }

    /// So many in a minute, of which only so many are saved up.
    pub fn saving(per_minute: u64, at_once: u64) -> Pace {
        Pace { per_minute, at_once, left: Mutex::new((at_once as f64, Instant::now())) }
    }

    /// How many there are in a minute.
    pub fn per_minute(&self) -> u64 {
        self.per_minute
    }

    /// Takes some, if there are as many.
    pub fn take(&self, many: u64) -> bool {
        self.take_at(many, Instant::now())
    }

    fn take_at(&self, many: u64, now: Instant) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let came_back = now.saturating_duration_since(left.1).as_secs_f64() / 60.0 * self.per_minute as f64;
        *left = ((left.0 + came_back).min(self.at_once as f64), now);
        if left.0 < many as f64 {
            return false;
        }
        left.0 -= many as f64;
        true
    }
}

/// When something was done last, to a millisecond; clones are the same.
#[derive(Debug, Clone)]
pub struct Lately {
    begun: Instant,
    /// Milliseconds since then; 0 where it never was.
    last_ms: Arc<AtomicU64>,
}

impl Default for Lately {
    fn default() -> Lately {
        Lately { begun: Instant::now(), last_ms: Arc::default() }
    }
}

impl Lately {
    /// It is done now.
    pub fn note(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Whether it was done within a time.
    pub fn within(&self, time: Duration) -> bool {
        let last = self.last_ms.load(Ordering::Relaxed);
        last > 0 && u128::from(self.now_ms().saturating_sub(last)) <= time.as_millis()
    }

    fn now_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_lately_is_known_for_a_while() {
        let (lately, long) = (Lately::default(), Duration::from_secs(3600));
        assert!(!lately.within(long));
        lately.clone().note();
        assert!(lately.within(long));
        std::thread::sleep(Duration::from_millis(5));
        assert!(!lately.within(Duration::ZERO));
    }

    #[test]
    fn turns_come_back_evenly() {
        let (pace, begun) = (Pace::new(60), Instant::now());
        assert_eq!((0..100).filter(|_| pace.take_at(1, begun)).count(), 60);
        assert!(!pace.take_at(1, begun + Duration::from_millis(900)));
        assert_eq!((0..100).filter(|_| pace.take_at(1, begun + Duration::from_secs(3))).count(), 3);
        assert!(!Pace::new(0).take(1));
    }

    #[test]
    fn no_more_is_saved_up_than_is_said() {
        let (pace, begun) = (Pace::saving(6_000, 100), Instant::now());
        assert!(!pace.take_at(101, begun) && pace.take_at(100, begun) && !pace.take_at(1, begun));
        assert!(
            pace.take_at(100, begun + Duration::from_secs(30)) && !pace.take_at(1, begun + Duration::from_secs(30))
        );
    }
}
