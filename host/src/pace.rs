//! How often or how much something may be done in a minute: some of it at once, the rest evenly.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
