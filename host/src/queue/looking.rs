//! Looking at the queue: on connections of their own that cannot write, on threads that may wait.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::Queue;
use super::events::{self, Page, Wanted};
use super::look::{self, Filter, Looked};
use super::reader::{Counts, Found, Gone, Reader};
use super::records::{self, Audited};
use super::shown::{self, Shown};
use super::track::{self, Track};
use crate::event::{EventId, Pattern, UnixMs, now_ms};

impl Queue {
    /// Who changed what by hand in a time, the newest first.
    pub async fn audit(&self, at_ms: Range<UnixMs>, limit: usize) -> anyhow::Result<Vec<Audited>> {
        looked(&self.looker, move |reader| records::audit(&reader.0, &at_ms, limit)).await
    }

    /// Looks for events, the newest first, for a bounded time.
    pub async fn events(&self, wanted: Wanted) -> anyhow::Result<Page> {
        let texts = self.texts.clone();
        looked(&self.looker, move |reader| events::events(&reader.0, &texts, &wanted)).await
    }

    /// Looks for the ids alone of events, and says where to look on.
    pub async fn ids(&self, wanted: Wanted) -> anyhow::Result<(Vec<EventId>, Option<EventId>)> {
        let texts = self.texts.clone();
        looked(&self.looker, move |reader| events::ids(&reader.0, &texts, &wanted)).await
    }

    /// Those of these events that there are none of, or whose payload is not kept any more.
    pub async fn unknown(&self, events: Vec<EventId>) -> anyhow::Result<Vec<EventId>> {
        looked(&self.looker, move |reader| events::unknown(&reader.0, &events)).await
    }

    /// One event with all that is kept of it; nothing, where there is none of that id.
    pub async fn show(&self, event: EventId) -> anyhow::Result<Option<Shown>> {
        looked(&self.looker, move |reader| shown::show(&reader.0, event)).await
    }

    /// Everyone who ever subscribed and has not been let go of, those that are gone for good included.
    pub async fn everyone(&self) -> anyhow::Result<Vec<Arc<str>>> {
        looked(&self.reader, |reader| records::everyone(&reader.0)).await
    }

    /// Whether somebody's subscriptions have ended, since it was gone for long: nothing begins for it.
    pub async fn is_forgotten(&self, subscriber: &str) -> anyhow::Result<bool> {
        let name = subscriber.to_owned();
        looked(&self.reader, move |reader| records::is_forgotten(&reader.0, &name)).await
    }

    /// Those that an operator holds.
    pub async fn paused(&self) -> anyhow::Result<Vec<String>> {
        looked(&self.reader, |reader| records::paused(&reader.0)).await
    }

    /// Those that are gone, and whose subscriptions are kept: what comes for them waits.
    pub async fn gone_ones(&self) -> anyhow::Result<Vec<Gone>> {
        looked(&self.reader, Reader::gone).await
    }

    /// How much there is to do.
    pub async fn counts(&self) -> anyhow::Result<Counts> {
        Ok(self.counts_of_each().await?.values().fold(Counts::default(), Counts::and))
    }

    /// How much there is to do for each subscriber, by name; who has nothing is not in it.
    pub async fn counts_of_each(&self) -> anyhow::Result<BTreeMap<String, Counts>> {
        looked(&self.reader, |reader| reader.counts(now_ms())).await
    }

    /// What is kept of all that is registered of a kind, by id.
    pub async fn records(&self, kind: &'static str) -> anyhow::Result<HashMap<Arc<str>, Vec<u8>>> {
        looked(&self.looker, move |reader| records::records(&reader.0, kind)).await
    }

    /// A subscriber's deliveries, the newest first.
    pub async fn deliveries(&self, subscriber: &str, filter: Filter) -> anyhow::Result<Vec<Looked>> {
        let subscriber = subscriber.to_owned();
        looked(&self.looker, move |reader| look::deliveries(&reader.0, &subscriber, &filter)).await
    }

    /// Some of the events from one on and before a time that are kept, that a subscriber would have got by these patterns, and that are
    /// neither done nor being delivered right now; and where to look on, unless that was the end.
    pub async fn undelivered(
        &self,
        subscriber: &str,
        patterns: Vec<Pattern>,
        from: EventId,
        until_ms: UnixMs,
    ) -> anyhow::Result<(Vec<EventId>, Option<EventId>)> {
        let subscriber = subscriber.to_owned();
        looked(&self.looker, move |reader| look::undelivered(&reader.0, &subscriber, &patterns, from, until_ms)).await
    }

    /// How a webhook's deliveries went, and how many of them are not over.
    pub async fn track(&self, subscriber: &str) -> anyhow::Result<(Track, u64)> {
        let subscriber = subscriber.to_owned();
        looked(&self.looker, move |reader| {
            Ok((track::of(&reader.0, &subscriber)?, look::pending(&reader.0, &subscriber)?))
        })
        .await
    }

    /// How the deliveries of all webhooks went, by the names of the subscribers.
    pub async fn tracks(&self) -> anyhow::Result<HashMap<String, Track>> {
        Ok(looked(&self.looker, |reader| track::all(&reader.0)).await?.into_iter().collect())
    }

    /// The types of all events that there ever were.
    pub async fn types(&self) -> anyhow::Result<Vec<String>> {
        looked(&self.looker, |reader| look::types(&reader.0)).await
    }
}

async fn looked<T: Send + 'static>(
    reader: &Arc<Mutex<Reader>>,
    look: impl FnOnce(&Reader) -> Found<T> + Send + 'static,
) -> anyhow::Result<T> {
    let reader = reader.clone();
    let looking = tokio::task::spawn_blocking(move || {
        // A reader that panicked left nothing half done.
        let reader = reader.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        look(&reader)
    });
    Ok(looking.await??)
}
