//! Waiting for something to become true, instead of sleeping and hoping.

use std::time::{Duration, Instant};

/// Far more than anything here takes: a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is looked.
const GLANCE: Duration = Duration::from_millis(10);

/// Waits until something is true, and panics with `what` if it never is.
pub fn eventually(what: &str, is_true: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, is_true);
}

/// Waits until something is true, for a while at the most.
pub fn eventually_within(patience: Duration, what: &str, mut is_true: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !is_true() {
        assert!(Instant::now() < until, "in {patience:?} it did not come true that {what}");
        std::thread::sleep(GLANCE);
    }
}

/// Whether something becomes true before a time is over.
pub fn within(patience: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + patience;
    loop {
        match (is_true(), Instant::now() < until) {
            (true, _) => return true,
            (false, true) => std::thread::sleep(GLANCE),
            (false, false) => return false,
        }
    }
}
