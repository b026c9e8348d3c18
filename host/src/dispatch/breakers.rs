//! The breaker of each plugin, and what it does to the plugin's slots.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Dispatch;
use super::breaker::{Breaker, Next};
use crate::attempt::Outcome;
use crate::event::UnixMs;

/// A breaker for each plugin that failed lately; clones are the same.
#[derive(Default, Clone)]
pub struct Breakers(Arc<Mutex<HashMap<Arc<str>, Breaker>>>);

/// A plugin that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Until when; then it is tried with one delivery.
    pub until_ms: UnixMs,
    /// How many attempts failed on end.
    pub failures: u32,
}

impl Breakers {
    /// Whether a plugin is left alone, and for how long.
    pub fn open(&self, plugin: &str) -> Option<Open> {
        self.lock().get(plugin)?.open().map(|(until_ms, failures)| Open { until_ms, failures })
    }

    /// Begins anew for a plugin, and has that done before anybody notes an attempt.
    pub(super) fn forget(&self, plugin: &str, told: impl FnOnce()) {
        let mut breakers = self.lock();
        breakers.remove(plugin);
        told();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how an attempt went, and has what follows done before anybody else notes one: what is said of slots must be said in the
    /// order in which it was found.
    pub(super) fn note(&self, plugin: &Arc<str>, outcome: &Outcome, now: UnixMs, mut told: impl FnMut(Next)) {
        let mut breakers = self.lock();
        let next = match outcome {
            Outcome::Retry { .. } | Outcome::Trapped { .. } | Outcome::Overran { .. } | Outcome::OutOfMemory => {
                breakers.entry(plugin.clone()).or_default().failed(now)
            }
            // It did its work, or knows that it never will.
            Outcome::Done | Outcome::Reject { .. } => {
                breakers.remove(plugin).map_or(Next::Same, |mut breaker| breaker.went_well())
            }
            // Says nothing of the plugin.
            Outcome::Lost | Outcome::Damaged => Next::Same,
        };
        told(next);
    }
}

impl Dispatch {
    /// Opens or closes the breaker of a plugin after an attempt.
    pub(super) fn note(&self, plugin: &Arc<str>, outcome: &Outcome, now: UnixMs) {
        self.breakers.note(plugin, outcome, now, |next| match next {
            Next::Same => {}
            Next::Open { until_ms } => {
                let wait_s = until_ms.saturating_sub(now) / 1000;
                tracing::warn!(%plugin, "{plugin}: fails all the time, so it is left alone for {wait_s} s and then tried once");
                self.queue.hold(plugin, until_ms, 1);
            }
            Next::Close => {
                if let Some((_, calls_at_once)) = self.plugins.live_with_calls(plugin) {
                    tracing::info!(%plugin, "{plugin}: goes well again");
                    self.queue.claim(plugin, calls_at_once);
                }
            }
        });
    }
}
