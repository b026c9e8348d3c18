//! What webhooks were sent, and sending it again.

use std::collections::HashMap;
use std::sync::Arc;

use super::{NotChanged, Webhook, Webhooks};
use crate::event::{EventId, UnixMs};
use crate::queue::{Doing, Filter, Looked, PuttingBack, Track, Which};

impl Webhooks {
    /// What one was sent, the newest first.
    pub async fn deliveries(&self, id: &str, filter: Filter) -> Result<Vec<Looked>, NotChanged> {
        let subscriber = self.get(id)?.webhook().subscriber();
        Ok(self.queue.deliveries(&subscriber, filter).await?)
    }

    /// How its deliveries went, and how many are not over.
    pub async fn track(&self, id: &str) -> Result<(Track, u64), NotChanged> {
        let subscriber = self.get(id)?.webhook().subscriber();
        Ok(self.queue.track(&subscriber).await?)
    }

    /// How the deliveries of all went, by subscriber.
    pub async fn tracks(&self) -> anyhow::Result<HashMap<String, Track>> {
        self.queue.tracks().await
    }

    /// Delivers one event again, whether or not it went well before.
    pub async fn redeliver(&self, id: &str, event: EventId) -> Result<usize, NotChanged> {
        let subscriber = self.active(id)?.subscriber();
        match self.queue.put_back(again(&subscriber, vec![event])).await?.iter().sum::<usize>() {
            0 => {
                let told = "it is on its way already, or not kept any more, or none that this webhook subscribes to";
                Err(NotChanged::Conflict(told.to_owned()))
            }
            put_back => Ok(put_back),
        }
    }

    /// Delivers all events between two times that it would have got and that did not get there.
    pub async fn redeliver_between(&self, id: &str, since_ms: UnixMs, until_ms: UnixMs) -> Result<usize, NotChanged> {
        let webhook = self.active(id)?;
        let subscriber = webhook.subscriber();
        let (mut put_back, mut from) = (0, Some(EventId::first_at(since_ms)));
        while let Some(next) = from {
            let (events, goes_on) = self.queue.undelivered(&subscriber, webhook.patterns(), next, until_ms).await?;
            if !events.is_empty() {
                put_back += self.queue.put_back(again(&subscriber, events)).await?.iter().sum::<usize>();
            }
            from = goes_on;
        }
        Ok(put_back)
    }

    /// One that gets something.
    pub fn active(&self, id: &str) -> Result<Arc<Webhook>, NotChanged> {
        let webhook = self.get(id)?.webhook();
        match webhook.is_active {
            true => Ok(webhook),
            false => Err(NotChanged::Conflict("it is not active: set is_active to true first".to_owned())),
        }
    }
}

/// Whatever of these events is not on its way.
fn again(subscriber: &str, events: Vec<EventId>) -> PuttingBack {
    PuttingBack { subscribers: vec![subscriber.into()], events, which: Which::All, doing: Doing::ForReal }
}
