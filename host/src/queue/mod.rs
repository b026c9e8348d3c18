//! What we have promised: everything that was acknowledged, and what is left to do for it.
//!
//! The verbs hide the engine. [`Queue::accept`] writes events down, [`Queue::subscribe`] says who wants which,
//! [`Queue::claim`] says how many deliveries a subscriber may have in hand, [`Queue::settle`] says how one ended,
//! [`Queue::put_back`] has one delivered again, and [`Queue::counts`] and [`Queue::deliveries`] look. Deliveries come out of
//! [`Deliveries`], each already written down as begun. A subscriber is a plugin or a webhook, told apart by its name alone.
//!
//! One thread writes, and commits in groups without a timer: whatever gathered while the last commit ran goes into the next.

mod checksum;
mod columns;
mod connection;
mod copy;
mod core;
mod counters;
mod events;
mod failure;
mod group;
mod hands;
mod ids;
mod lanes;
mod look;
mod looking;
mod mover;
mod old_log;
mod orders;
mod place;
mod reader;
mod records;
mod recover;
mod refusing;
mod registering;
mod retention;
mod salts;
mod schema;
mod seen;
mod settling;
mod shown;
mod state;
mod store;
mod subscriber;
mod texts;
mod tidy;
mod track;
mod transaction;
mod writer;

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::sync::{mpsc::UnboundedReceiver, oneshot, watch};

use crate::attempt::Attempt;
use crate::effects::{Effects, Memory};
use crate::event::{Event, EventId, NewEvent, Pattern, UnixMs, now_ms};
use crate::schedule::{Schedules, Verdict};

pub use copy::{Already, Copied, back_up, restore};
pub use core::{Core, Stepped};
pub use events::{Listed, Page, Stand, Wanted, Went};
use failure::{is_of_damage, is_of_room};
use hands::Dropping;
pub use hands::{Doing, PuttingBack, Which};
pub use look::{Filter, Looked, Standing, Tried};
use reader::Reader;
pub use reader::{Counts, Gone};
pub use records::{Audited, Note};
pub use registering::{Registration, Subscribing};
pub use settling::Told;
use settling::{Kept, Settling};
pub use shown::Shown;
use state::Remembered;
use texts::Texts;
pub use track::Track;
use writer::{Order, Subscription};

/// How long the queue keeps what, and how much there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Events and how they went.
    pub events: Duration,
    /// How much data is kept at the most, in bytes: beyond that the oldest events go that have nothing open.
    pub bytes: Option<u64>,
    /// How many deliveries may be not over; beyond that nothing new is accepted.
    pub open_deliveries: u64,
    /// How much data there may be, in bytes; beyond that nothing new is accepted.
    pub data_bytes: Option<u64>,
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
    /// Where it waits when it is tried again: in the line of its source, by the queue's number for it.
    pub line: i64,
    /// Its lane, where the subscriber's deliveries are told into lanes.
    pub lane: Option<i64>,
    /// Since when it could have been begun: when it was written down, or when it was due.
    pub due_ms: UnixMs,
    /// What happened.
    pub event: Arc<Event>,
}

impl Delivery {
    /// Which attempt this is since it was put back the last time; 1 is the first.
    pub fn nth(&self) -> u32 {
        self.attempt - self.earlier
    }

    /// Whether an operator had it delivered, again or for the first time.
    pub fn was_put_back(&self) -> bool {
        self.line == subscriber::BY_HAND
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

/// Why nothing is written any more, where nobody says more.
const ENDED: &str = "the thread that writes ended";

/// The way into the queue; clones are the same queue.
#[derive(Clone)]
pub struct Queue {
    orders: mpsc::Sender<Order>,
    reader: Arc<Mutex<Reader>>,
    /// For whoever looks for long, so that counts do not wait.
    looker: Arc<Mutex<Reader>>,
    texts: Arc<Texts>,
    memory: Arc<Remembered>,
    counters: counters::Counters,
    file: Arc<Path>,
    failed: watch::Receiver<Option<String>>,
    refusing: watch::Receiver<Option<&'static str>>,
}

/// Opens the queue in a folder, makes it where it is missing, takes up what the last process left, and starts the thread that writes.
///
/// Attempts that were running then are judged as lost by the schedules.
pub fn open(folder: &Path, schedules: &Schedules, keep: Keep) -> anyhow::Result<(Queue, Deliveries)> {
    let mut seed = [0u8; 8];
    // Without randomness ids are spread alike in each process, which only one at a time is.
    let _ = getrandom::fill(&mut seed);
    let (mut core, queue, deliveries) = Core::open(folder, schedules, keep, now_ms(), u64::from_le_bytes(seed))?;
    core.writer.store.move_beside(&queue.file)?;
    queue.texts.keep_up(&queue.file)?;
    std::thread::Builder::new().name("queue-writer".into()).spawn(move || core.run())?;
    Ok((queue, deliveries))
}

/// How files are made that are nobody else's business.
fn private() -> std::fs::OpenOptions {
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).clone()
}

fn not_opened(error: anyhow::Error, file: &Path) -> anyhow::Error {
    let file_is = file.display();
    let told = match (is_of_damage(&error), is_of_room(&error)) {
        (true, _) => is_damaged(file),
        (_, true) => format!("cannot open {file_is}, since its disk is full: make room there and start again"),
        _ => format!("cannot open {file_is}"),
    };
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
    /// deliveries it may have in hand. Where that cannot be written down now, it is as soon as it can: where the disk is full, or while
    /// what waited for it before it was let go of is still being given up.
    ///
    /// Deliveries with the same value of the attribute `ordered_by` are begun one after another, in the order in which their events were
    /// accepted, each only when the one before is over.
    pub async fn subscribe(
        &self,
        subscriber: &str,
        patterns: Option<Vec<Pattern>>,
        ordered_by: Option<Arc<str>>,
        slots: usize,
    ) -> Result<(), AcceptError> {
        let subscription = Subscription { subscriber: subscriber.into(), patterns, ordered_by, slots };
        self.ask(|done| Order::Subscribe(subscription, done)).await
    }

    /// Changes who is registered. When this returns well, all of it is on disk, its note included; otherwise nothing is.
    pub async fn register(&self, registration: Registration) -> Result<(), AcceptError> {
        self.ask(|done| Order::Register(registration, done)).await
    }

    /// Has subscribers get events again, for the first time, or sooner than they are due, and gives how many each of them: not those that are
    /// due already, nor those that are not kept any more, nor those that it neither got before nor subscribes to. They wait in a line of
    /// their own beside those of the sources. Nothing is put back where more deliveries would then be open than nine tenths of what may be.
    pub async fn put_back(&self, putting: PuttingBack) -> Result<Vec<usize>, AcceptError> {
        self.ask(|answer| Order::PutBack(putting, answer)).await
    }

    /// Drops a subscriber's dead deliveries of events, but for what is kept of their attempts, and gives how many that were.
    pub async fn drop_dead(&self, subscriber: &str, events: Vec<EventId>) -> Result<usize, AcceptError> {
        let dropping = Dropping { subscriber: subscriber.into(), events };
        self.ask(|answer| Order::Drop(dropping, answer)).await
    }

    /// Begins nothing for a subscriber any more, durably, until [`Queue::resume`]: what it has in hand ends, the rest waits. Gives
    /// whether there is such a subscriber. The note is on disk with it, or neither is.
    pub async fn pause(&self, subscriber: &str, note: Option<Note>) -> Result<bool, AcceptError> {
        self.ask(|answer| Order::Pause { subscriber: subscriber.into(), is_paused: true, note, answer }).await
    }

    /// Lets a subscriber go on. Gives whether there is one of that name.
    pub async fn resume(&self, subscriber: &str, note: Option<Note>) -> Result<bool, AcceptError> {
        self.ask(|answer| Order::Pause { subscriber: subscriber.into(), is_paused: false, note, answer }).await
    }

    /// Keeps who changes what by hand, before that takes several commits; gives its number. With a number, it is what became of that.
    pub async fn note(&self, number: Option<i64>, note: Note) -> Result<i64, AcceptError> {
        self.ask(|answer| Order::Note { number, note, answer }).await
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

    /// Says how many deliveries a subscriber that is there may have in hand from now on. More come out as others are settled. Who has no
    /// slots is not there: only [`Queue::subscribe`] gives it some.
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
        let _ = self.orders.send(Order::Settle(Settling::of(delivery, settlement)));
    }

    /// Says how a delivery ended well, and what of it is to be kept: all of that or nothing. When this returns well, it is on
    /// disk. Where it was overtaken, nothing is.
    pub async fn settle_with(
        &self,
        delivery: &Delivery,
        settlement: Settlement,
        effects: Effects,
    ) -> Result<(), NotKept> {
        self.keep(Settling::of(delivery, settlement), effects).await
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

    /// Whether the writer still writes.
    pub fn is_open(&self) -> bool {
        self.failed.has_changed().is_ok() && self.failed.borrow().is_none()
    }

    /// Why no event is taken for now, where that is so: the disk is full, another program holds the database, or as much is there as may be.
    pub fn refusing(&self) -> Option<&'static str> {
        *self.refusing.borrow()
    }

    /// Waits until the disk failed, and says how. After that nothing is acknowledged any more.
    pub async fn failure(&self) -> String {
        let mut failed = self.failed.clone();
        let told = failed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        told.unwrap_or_else(|| ENDED.to_owned())
    }

    /// Writes what was said so far and closes. An error where the disk failed, now or before: not all that was said is on disk then.
    pub async fn close(&self) -> anyhow::Result<()> {
        let (done, closed) = oneshot::channel();
        let _ = self.orders.send(Order::Close { done });
        let closed = closed.await;
        match &*self.failed.borrow() {
            Some(why) => Err(anyhow::Error::msg(why.clone())),
            None => closed.map_err(|_| anyhow::Error::msg(ENDED)),
        }
    }
}

#[cfg(test)]
mod tests;
