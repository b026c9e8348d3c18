//! What is counted of commits, and shown to operators.

use std::path::Path;
use std::time::Duration;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Queue;

/// What is counted of commits since the start; clones are the same.
#[derive(Clone)]
pub struct Counters {
    commit_seconds: Histogram,
    commit_events: Histogram,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            commit_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            commit_events: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
        }
    }
}

impl Counters {
    /// A group is on disk.
    pub(super) fn count(&self, events: usize, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        if events > 0 {
            self.commit_events.observe(events as f64);
        }
    }
}

impl Queue {
    /// Registers what is counted of commits, for operators.
    pub fn register_metrics(&self, registry: &mut Registry) {
        let Counters { commit_seconds, commit_events } = self.counters.clone();
        let help = "How long the commit of a group took, its sync included";
        registry.register("hookgate_commit_seconds", help, commit_seconds);
        let help = "Events that were written down by one commit, of those that wrote any";
        registry.register("hookgate_commit_events", help, commit_events);
    }

    /// How large the file is, and the log that is moved into it, in bytes.
    pub fn sizes(&self) -> (u64, u64) {
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
        let mut log = self.file.as_os_str().to_owned();
        log.push("-wal");
        (bytes(&self.file), bytes(Path::new(&log)))
    }
}
