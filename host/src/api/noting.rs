//! Noting what takes several commits, or is no change of the queue's: before it is begun, so that nothing is done without a note, and
//! once more when it ended. A note without an end is of what was asked for, and may have been done in part.

use serde_json::Value;

use super::refusal::Refusal;
use crate::queue::{Note, Queue};

/// A note of what is being done.
pub(super) struct Noting {
    queue: Queue,
    who: String,
    what: Value,
    number: i64,
}

impl Noting {
    /// Notes what somebody asks for.
    pub async fn begin(queue: &Queue, who: String, what: Value) -> Result<Noting, Refusal> {
        let number = queue.note(None, Note::new(&who, &what)).await.map_err(Refusal::NotWritten)?;
        Ok(Noting { queue: queue.clone(), who, what, number })
    }

    /// Adds what came of it.
    pub async fn end(mut self, name: &str, came: impl Into<Value>) -> Result<(), Refusal> {
        self.what[name] = came.into();
        let note = Note::new(&self.who, &self.what);
        self.queue.note(Some(self.number), note).await.map_err(Refusal::NotWritten).map(drop)
    }
}
