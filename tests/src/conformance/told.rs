//! A delivery as it is told from outside.

use std::sync::Arc;

use hookgate::event::UnixMs;
use hookgate::queue::Standing;

/// Where deliveries wait in turn: with those of their source, or with what was put back by hand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    Source(Arc<str>, Arc<str>),
    ByHand,
}

/// A delivery, as it is told from outside.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub standing: Standing,
    pub attempts: u32,
    pub earlier: u32,
    /// When it is due, or was begun; nothing, where others of its lane are before it.
    pub due_ms: Option<UnixMs>,
    pub line: Line,
    pub lane: Option<String>,
    /// In which step it began to wait.
    pub since: u64,
}

impl Told {
    pub fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Pending | Standing::Running)
    }

    /// It stands elsewhere from a step on.
    pub fn wait_from(&mut self, standing: Standing, due_ms: UnixMs, step: u64) {
        (self.standing, self.due_ms, self.since) = (standing, Some(due_ms), step);
    }
}

/// An attempt that ended: its outcome's name, when it began, how long it took in microseconds.
pub(super) type Attempted = (&'static str, UnixMs, u64);
