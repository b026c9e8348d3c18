//! How often something may be done: so many times in a minute, at once or evenly.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What is left of a minute's turns; they come back evenly.
#[derive(Debug)]
pub struct Pace {
    per_minute: u32,
    left: Mutex<(f64, Instant)>,
}

impl Pace {
    /// So many in a minute, all of them to begin with.
    pub fn new(per_minute: u32) -> Pace {
        Pace { per_minute, left: Mutex::new((f64::from(per_minute), Instant::now())) }
    }

    /// How many there are in a minute.
    pub fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Takes one, if there is one.
    pub fn take(&self) -> bool {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        let most = f64::from(self.per_minute);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let came_back = now.saturating_duration_since(left.1).as_secs_f64() / 60.0 * most;
        *left = ((left.0 + came_back).min(most), now);
        if left.0 < 1.0 {
            return false;
        }
        left.0 -= 1.0;
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
        assert_eq!((0..100).filter(|_| pace.take_at(begun)).count(), 60);
        assert!(!pace.take_at(begun + Duration::from_millis(900)));
        assert_eq!((0..100).filter(|_| pace.take_at(begun + Duration::from_secs(3))).count(), 3);
        assert!(!Pace::new(0).take());
    }
}
