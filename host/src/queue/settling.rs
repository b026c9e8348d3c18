//! What became of a call, on its way to being written down.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::subscriber::BY_HAND;
use super::writer::Order;
use super::{Delivery, NotKept, Queue, Settlement};
use crate::attempt::Attempt;
use crate::effects::Effects;
use crate::event::EventId;

/// What is called once something is on disk. It must not take long: the next commit waits for it.
pub type Told = Box<dyn FnOnce() + Send>;

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
    /// Who wants to know when it is on disk, where nothing is kept.
    pub told: Option<Told>,
}

impl Settling {
    /// What became of a delivery, with nothing to be kept.
    pub fn of(delivery: &Delivery, settlement: Settlement) -> Settling {
        Settling {
            subscriber: delivery.subscriber.clone(),
            event: delivery.event.id,
            attempt: delivery.attempt,
            settlement,
            bytes: delivery.event.bytes(),
            line: delivery.line,
            lane: delivery.lane,
            kept: None,
            told: None,
        }
    }
}

/// What a call wants kept, and who wants to know whether it is.
pub(super) struct Kept {
    pub effects: Effects,
    pub answer: oneshot::Sender<Result<(), NotKept>>,
}

impl Queue {
    /// Says how a delivery ended, as [`Queue::settle`] does, and has `told` called once that is on disk, by the thread that writes.
    pub fn settle_then(&self, delivery: &Delivery, settlement: Settlement, told: Told) {
        let settling = Settling { told: Some(told), ..Settling::of(delivery, settlement) };
        let _ = self.orders.send(Order::Settle(settling));
    }

    /// Keeps what a plugin did that answered an event's sender, as [`Queue::settle_with`] does, once for each event: a sender that
    /// repeats it changes nothing more.
    pub async fn remember(
        &self,
        plugin: &Arc<str>,
        event: EventId,
        attempt: Attempt,
        effects: Effects,
    ) -> Result<(), NotKept> {
        let settlement = Settlement::Answered { attempt };
        let subscriber = plugin.clone();
        let (line, lane, kept, told) = (BY_HAND, None, None, None);
        let settling = Settling { subscriber, event, attempt: 0, settlement, bytes: 0, line, lane, kept, told };
        self.keep(settling, effects).await
    }
}
