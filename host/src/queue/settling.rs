//! What became of a call, on its way to being written down.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{NotKept, Settlement};
use crate::effects::Effects;
use crate::event::EventId;

/// What became of a delivery, or of a call without one.
pub(super) struct Settling {
    pub subscriber: Arc<str>,
    pub event: EventId,
    pub attempt: u32,
    pub settlement: Settlement,
    /// How much memory its event took.
    pub bytes: usize,
    /// Where it waits when it waits again, and its lane.
    pub line: i64,
    pub lane: Option<i64>,
    /// What the call wants kept, if anything.
    pub kept: Option<Kept>,
}

/// What a call wants kept, and who wants to know whether it is.
pub(super) struct Kept {
    pub effects: Effects,
    pub answer: oneshot::Sender<Result<(), NotKept>>,
}
