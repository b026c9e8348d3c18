//! How one try of a delivery went: the leaf that the runtime fills in and the schedule judges.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::event::UnixMs;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The plugin did its work.
    Done,
    /// The plugin asked to be tried again.
    Retry {
        /// In the plugin's words.
        why: String,
        /// The least wait that it asked for.
        after: Option<Duration>,
    },
    /// The plugin said that it never will.
    Reject {
        /// In the plugin's words.
        why: String,
    },
    /// The plugin's code failed: a panic, an exception, an instruction that may not be.
    Trapped {
        /// In the engine's words.
        why: String,
    },
    /// The plugin used up its time.
    Overran {
        /// Which limit of the config stopped it.
        limit: &'static str,
    },
    /// The plugin asked for more memory than it may have.
    OutOfMemory,
    /// The gateway stopped while the attempt ran.
    Lost,
    /// The event's stored body is not what was written, so nothing was run.
    Damaged,
}

impl Outcome {
    /// A short name: bounded, for logs, metrics and the database.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Retry { .. } => "retry",
            Outcome::Reject { .. } => "reject",
            Outcome::Trapped { .. } => "trapped",
            Outcome::Overran { .. } => "overran",
            Outcome::OutOfMemory => "out_of_memory",
            Outcome::Lost => "lost",
            Outcome::Damaged => "damaged",
        }
    }
}

impl Outcome {
    /// Why it did not go well, where that is said.
    pub fn why(&self) -> Option<&str> {
        match self {
            Outcome::Retry { why, .. } | Outcome::Reject { why } | Outcome::Trapped { why } => Some(why),
            Outcome::Overran { limit } => Some(limit),
            Outcome::Done | Outcome::OutOfMemory | Outcome::Lost | Outcome::Damaged => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Retry { why, .. } => write!(f, "asked for a retry: {why}"),
            Outcome::Reject { why } => write!(f, "rejected: {why}"),
            Outcome::Trapped { why } => write!(f, "trapped: {why}"),
            Outcome::Overran { limit } => write!(f, "overran its {limit}"),
            Outcome::OutOfMemory => f.write_str("ran out of memory (memory_mib)"),
            Outcome::Lost => f.write_str("lost when the gateway stopped"),
            Outcome::Damaged => f.write_str("not run: the event's stored body is damaged"),
        }
    }
}

/// One try of a delivery, as it is kept.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Which code ran: the first bytes of the SHA-256 of the plugin's file.
    pub generation: u64,
    /// When it began.
    pub started_at_ms: UnixMs,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// What it used, where something ran.
    pub spent: Option<Spent>,
    /// The end of what it logged, a line each; nothing, where it logged nothing.
    pub log: Option<String>,
    /// What a receiver answered, where the subscriber is a webhook and one did.
    pub reply: Option<Reply>,
}

impl Attempt {
    /// One in which no plugin ran.
    pub fn without_call(started_at_ms: UnixMs, took: Duration, outcome: Outcome, reply: Option<Reply>) -> Attempt {
        Attempt { generation: 0, started_at_ms, took, outcome, spent: None, log: None, reply }
    }
}

/// What a call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Computing in the plugin's own code and for it.
    pub cpu: Duration,
    /// The most linear memory that there was, in bytes.
    pub memory_bytes: usize,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body, or the beginning of a long one.
    pub body: Bytes,
}
