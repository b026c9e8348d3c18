//! What we have promised: everything that was acknowledged, and what is left to do for it.
//!
//! The verbs hide the engine. [`Queue::accept`] writes events down, [`Queue::subscribe`] says who wants which,
//! [`Queue::claim`] says how many deliveries a subscriber may have in hand, [`Queue::settle`] says how one ended,
//! [`Queue::put_back`] has one delivered again, and [`Queue::counts`] and [`Queue::deliveries`] look. Deliveries come out of
//! [`Deliveries`], each already written down as begun. A subscriber is a plugin or a webhook, told apart by its name alone.
//!
//! One thread writes, and commits in groups without a timer: whatever gathered while the last commit ran goes into the next.

mod columns;
mod group;
mod look;
mod orders;
mod place;
mod reader;
mod records;
mod registering;
mod seen;
mod settling;
mod state;
mod store;
mod subscriber;
mod tidy;
mod track;
mod writer;

use std::collections::HashMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc::UnboundedReceiver, oneshot, watch};

use crate::attempt::Attempt;
use crate::effects::{Effects, Memory};
use crate::event::{Event, EventId, NewEvent, Pattern, UnixMs, now_ms};
use crate::schedule::{Schedules, Verdict};

pub use look::{Filter, Looked, Standing, Tried};
pub use reader::Counts;
use reader::Reader;
pub use registering::{Registration, Subscribing};
use settling::{Kept, Settling};
use state::Remembered;
use store::{Store, is_of_damage};
pub use track::Track;
use writer::{Order, Subscription, Writer};

/// How long the queue keeps what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Events and how they went.
    pub events: Duration,
    /// The keys that tell repeats.
    pub repeat_keys: Duration,
    /// The subscriptions of a plugin whose file is gone.
    pub subscriptions: Duration,
}

/// One event on its way to one subscriber, written down as begun.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The subscriber's name: a plugin's, or a webhook's.
    pub subscriber: Arc<str>,
    /// Which attempt this is; 1 is the first.
    pub attempt: u32,
    /// How many attempts there were before it was put back the last time.
    pub earlier: u32,
    /// What happened.
    pub event: Arc<Event>,
}

impl Delivery {
    /// Which attempt this is since it was put back the last time; 1 is the first.
    pub fn nth(&self) -> u32 {
        self.attempt - self.earlier
    }
}

/// Where deliveries come out.
pub type Deliveries = UnboundedReceiver<Delivery>;

/// What became of an event that was accepted: it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its id; the first one's where this is a repeat.
    pub id: EventId,
    /// Whether it had been accepted before.
    pub duplicate: bool,
}

/// Why an event was not accepted. Nothing of it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The disk is full, or another program holds the database: it may go later.
    #[error("{0}")]
    NotNow(&'static str),
    /// The disk failed, or the queue was closed.
    #[error("the queue is closed")]
    Closed,
}

/// What is to become of a delivery after an attempt, or instead of one.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// An attempt ended.
    Judged {
        /// What its outcome means.
        verdict: Verdict,
        /// How it went.
        attempt: Attempt,
    },
    /// The attempt was not begun after all, and does not count.
    Returned,
    /// There is no delivery: the sender of the event was answered.
    Answered {
        /// How that went.
        attempt: Attempt,
    },
}

impl Settlement {
    fn reply_bytes(&self) -> usize {
        match self {
            Settlement::Judged { attempt, .. } => attempt.reply.as_ref().map_or(0, |reply| reply.body.len()),
            Settlement::Returned | Settlement::Answered { .. } => 0,
        }
    }
}

/// Why nothing was kept of what a call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// What it read was changed by another call meanwhile.
    #[error("what it read was changed by another call meanwhile")]
    Overtaken,
    /// The disk failed, or the queue was closed.
    #[error("the queue is closed")]
    Closed,
}

/// The way into the queue; clones are the same queue.
#[derive(Clone)]
pub struct Queue {
    orders: mpsc::Sender<Order>,
    reader: Arc<Mutex<Reader>>,
    /// For whoever looks for long, so that counts do not wait.
    looker: Arc<Mutex<Reader>>,
    memory: Arc<Remembered>,
    failed: watch::Receiver<Option<String>>,
}

/// Opens the queue in a folder, makes it where it is missing, takes up what the last process left, and starts the writer.
///
/// Attempts that were running then are judged as lost by the schedules.
pub fn open(folder: &Path, schedules: &Schedules, keep: Keep) -> anyhow::Result<(Queue, Deliveries)> {
    let lock = place::lock(folder)?;
    let file = folder.join("hookgate.db");
    // Made here and not by the engine, so that only we can read it; what the engine makes beside it is alike.
    let private = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file);
    private.with_context(|| format!("cannot write {}", file.display()))?;
    let store = Store::open(&file).map_err(|error| not_opened(error, &file))?;
    let marker = folder.join("failed");
    if marker.exists() {
        tracing::warn!("the disk failed under the last process, so all of {} is checked", file.display());
        store.check().with_context(|| is_damaged(&file))?;
        std::fs::remove_file(&marker)?;
    }
    let open = || Reader::open(&file).with_context(|| format!("cannot read {}", file.display()));
    let (reader, looker) = (Arc::new(Mutex::new(open()?)), Arc::new(Mutex::new(open()?)));
    let (orders, inbox) = mpsc::channel();
    let (deliver, deliveries) = tokio::sync::mpsc::unbounded_channel();
    let (fail, failed) = watch::channel(None);
    let writer = Writer::take_up(store, schedules, keep, deliver).map_err(|error| not_opened(error, &file))?;
    std::thread::Builder::new().name("queue-writer".into()).spawn(move || {
        let closed = writer.run(inbox, fail, &marker);
        // Held as long as anything is written, and not longer: whoever hears that it is closed may open it again.
        drop(lock);
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    })?;
    let memory = Arc::new(Remembered::new(&file));
    Ok((Queue { orders, reader, looker, memory, failed }, deliveries))
}

fn not_opened(error: anyhow::Error, file: &Path) -> anyhow::Error {
    let told = if is_of_damage(&error) { is_damaged(file) } else { format!("cannot open {}", file.display()) };
    error.context(told)
}

fn is_damaged(file: &Path) -> String {
    format!("{} is damaged: restore it from a copy", file.display())
}

impl Queue {
    /// Writes the events of one request down, all or none. When this returns well, they are on disk.
    pub async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Receipt>, AcceptError> {
        self.ask(|answer| Order::Accept { events, answer }).await
    }

    /// Says that a subscriber is there, durably what it wants from now on (nothing: what it wanted before), and how many
    /// deliveries it may have in hand. Where that cannot be written down now, it is as soon as it can.
    pub async fn subscribe(
        &self,
        subscriber: &str,
        patterns: Option<Vec<Pattern>>,
        slots: usize,
    ) -> Result<(), AcceptError> {
        let subscription = Subscription { subscriber: subscriber.into(), patterns, slots };
        self.ask(|done| Order::Subscribe(subscription, done)).await
    }

    /// Changes who is registered. When this returns well, all of it is on disk; otherwise nothing is.
    pub async fn register(&self, registration: Registration) -> Result<(), AcceptError> {
        self.ask(|done| Order::Register(registration, done)).await
    }

    /// Has a subscriber get events again, for the first time, or sooner than they are due, and gives how many: not those that are due
    /// already, nor those that are not kept any more, nor those that it neither got before nor subscribes to. At most 1,024 at a time.
    pub async fn put_back(&self, subscriber: &str, events: Vec<EventId>) -> Result<usize, AcceptError> {
        self.ask(|answer| Order::PutBack { subscriber: subscriber.into(), events, answer }).await
    }

    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, AcceptError>>) -> Order,
    ) -> Result<T, AcceptError> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(order(answer)).map_err(|_| AcceptError::Closed)?;
        answered.await.unwrap_or(Err(AcceptError::Closed))
    }

    /// Says that a subscriber is gone. Its subscriptions go on for a while, and its deliveries wait.
    pub fn gone(&self, subscriber: &str) {
        let _ = self.orders.send(Order::Gone { subscriber: subscriber.into() });
    }

    /// Says how many deliveries a subscriber may have in hand from now on. More come out as others are settled.
    pub fn claim(&self, subscriber: &str, slots: usize) {
        let _ = self.orders.send(Order::Claim { subscriber: subscriber.into(), slots });
    }

    /// Begins nothing for a subscriber until a time, and then so many deliveries at a time, until [`Queue::claim`] says otherwise.
    pub fn hold(&self, subscriber: &str, until_ms: UnixMs, slots: usize) {
        let _ = self.orders.send(Order::Hold { subscriber: subscriber.into(), until_ms, slots });
    }

    /// Begins nothing any more, for anybody.
    pub fn rest(&self) {
        let _ = self.orders.send(Order::Rest);
    }

    /// Says how a delivery ended. It is on disk soon, with the next group.
    pub fn settle(&self, delivery: &Delivery, settlement: Settlement) {
        let (subscriber, event, attempt) = (delivery.subscriber.clone(), delivery.event.id, delivery.attempt);
        let settling = Settling { subscriber, event, attempt, settlement, bytes: delivery.event.bytes(), kept: None };
        let _ = self.orders.send(Order::Settle(settling));
    }

    /// Says how a delivery ended well, and what of it is to be kept: all of that or nothing. When this returns well, it is on
    /// disk. Where it was overtaken, nothing is.
    pub async fn settle_with(
        &self,
        delivery: &Delivery,
        settlement: Settlement,
        effects: Effects,
    ) -> Result<(), NotKept> {
        let (subscriber, event, attempt) = (delivery.subscriber.clone(), delivery.event.id, delivery.attempt);
        let bytes = delivery.event.bytes();
        self.keep(Settling { subscriber, event, attempt, settlement, bytes, kept: None }, effects).await
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
        self.keep(Settling { subscriber: plugin.clone(), event, attempt: 0, settlement, bytes: 0, kept: None }, effects)
            .await
    }

    async fn keep(&self, settling: Settling, effects: Effects) -> Result<(), NotKept> {
        let (answer, answered) = oneshot::channel();
        let settling = Settling { kept: Some(Kept { effects, answer }), ..settling };
        self.orders.send(Order::Settle(settling)).map_err(|_| NotKept::Closed)?;
        answered.await.unwrap_or(Err(NotKept::Closed))
    }

    /// What plugins remember, as it was at the last commit.
    pub fn memory(&self) -> Arc<dyn Memory> {
        self.memory.clone()
    }

    /// Everyone with subscriptions, plugins whose file is gone included.
    pub async fn subscribers(&self) -> Vec<Arc<str>> {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Subscribers { answer });
        answered.await.unwrap_or_default()
    }

    /// How much there is to do.
    pub async fn counts(&self) -> anyhow::Result<Counts> {
        look(&self.reader, |reader| reader.counts(now_ms())).await
    }

    /// What is kept of all that is registered of a kind, by id.
    pub async fn records(&self, kind: &'static str) -> anyhow::Result<HashMap<Arc<str>, Vec<u8>>> {
        look(&self.looker, move |reader| records::records(&reader.0, kind)).await
    }

    /// A subscriber's deliveries, the newest first.
    pub async fn deliveries(&self, subscriber: &str, filter: Filter) -> anyhow::Result<Vec<Looked>> {
        let subscriber = subscriber.to_owned();
        look(&self.looker, move |reader| look::deliveries(&reader.0, &subscriber, &filter)).await
    }

    /// Some of the events from one on and before a time that a subscriber would have got by these patterns, and that are neither done
    /// nor being delivered right now; and where to look on, unless that was the end.
    pub async fn undelivered(
        &self,
        subscriber: &str,
        patterns: Vec<Pattern>,
        from: EventId,
        until_ms: UnixMs,
    ) -> anyhow::Result<(Vec<EventId>, Option<EventId>)> {
        let subscriber = subscriber.to_owned();
        look(&self.looker, move |reader| look::undelivered(&reader.0, &subscriber, &patterns, from, until_ms)).await
    }

    /// How a webhook's deliveries went, and how many of them are not over.
    pub async fn track(&self, subscriber: &str) -> anyhow::Result<(Track, u64)> {
        let subscriber = subscriber.to_owned();
        look(&self.looker, move |reader| {
            Ok((track::of(&reader.0, &subscriber)?, look::pending(&reader.0, &subscriber)?))
        })
        .await
    }

    /// How the deliveries of all webhooks went, by the names of the subscribers.
    pub async fn tracks(&self) -> anyhow::Result<HashMap<String, Track>> {
        Ok(look(&self.looker, |reader| track::all(&reader.0)).await?.into_iter().collect())
    }

    /// The types of all events that there ever were.
    pub async fn types(&self) -> anyhow::Result<Vec<String>> {
        look(&self.looker, |reader| look::types(&reader.0)).await
    }

    /// Whether the writer still writes.
    pub fn is_open(&self) -> bool {
        self.failed.has_changed().is_ok() && self.failed.borrow().is_none()
    }

    /// Waits until the disk failed, and says how. After that nothing is acknowledged any more.
    pub async fn failure(&self) -> String {
        let mut failed = self.failed.clone();
        let told = failed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        told.unwrap_or_else(|| "the thread that writes ended".to_owned())
    }

    /// Writes what was said so far and closes.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        let _ = self.orders.send(Order::Close { done });
        let _ = closed.await;
    }
}

async fn look<T: Send + 'static>(
    reader: &Arc<Mutex<Reader>>,
    looking: impl FnOnce(&Reader) -> reader::Found<T> + Send + 'static,
) -> anyhow::Result<T> {
    let reader = reader.clone();
    let looked = tokio::task::spawn_blocking(move || {
        // A reader that panicked left nothing half done.
        let reader = reader.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        looking(&reader)
    });
    Ok(looked.await??)
}
