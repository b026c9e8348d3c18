//! The one thread that writes: gathers orders into groups, commits each group once, and only then answers.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use super::columns::State;
use super::seen::Seen;
use super::settling::Settling;
use super::store::{Store, StoreError};
use super::subscriber::Subscriber;
use super::track::Track;
use super::{AcceptError, Delivery, Keep, NotKept, Receipt, Registration};
use crate::attempt::{Attempt, Outcome};
use crate::event::{EventId, NewEvent, Pattern, RepeatKey, UnixMs, now_ms};
use crate::schedule::{Schedules, Verdict, judge};

/// The most events and the most bytes in one commit.
const GROUP_EVENTS: usize = 1024;
const GROUP_BYTES: usize = 8 << 20;

/// The log is moved into the file when it has grown to this.
pub(super) const CHECKPOINT_BYTES: u64 = 16 << 20;

/// How many deliveries of a plugin wait in memory, and how many bytes of events with them, all plugins together.
/// What does not fit waits on disk only.
pub(super) const READY: usize = 4096;
pub(super) const READY_BYTES: usize = 64 << 20;

/// How much of events webhooks may have in hand, all together: as many deliveries as that is are begun, and one more.
pub(super) const POSTING_BYTES: usize = 256 << 20;

/// How many deliveries are read from disk at once.
pub(super) const REFILL: usize = 256;

/// How soon a full disk is tried again, and how often old events are looked for.
const TRY_AGAIN: Duration = Duration::from_millis(250);
pub(super) const TIDY_EVERY: Duration = Duration::from_secs(1);

/// How many old events are deleted in one step.
pub(super) const TIDY_EVENTS: usize = 128;

/// How often the keys that tell repeats are thinned out.
pub(super) const THIN_KEYS_EVERY: Duration = Duration::from_secs(600);

type Answer<T> = oneshot::Sender<Result<T, AcceptError>>;

/// What the writer can be told.
pub(super) enum Order {
    Accept { events: Vec<NewEvent>, answer: Answer<Vec<Receipt>> },
    Settle(Settling),
    Subscribe(Subscription, Answer<()>),
    Gone { subscriber: Arc<str> },
    Claim { subscriber: Arc<str>, slots: usize },
    Hold { subscriber: Arc<str>, until_ms: UnixMs, slots: usize },
    Rest,
    PutBack { subscriber: Arc<str>, events: Vec<EventId>, answer: Answer<usize> },
    Register(Registration, Answer<()>),
    Subscribers { answer: oneshot::Sender<Vec<Arc<str>>> },
    Close { done: oneshot::Sender<()> },
}

/// What a subscriber wants, where it is there.
pub(super) struct Subscription {
    pub subscriber: Arc<str>,
    /// Nothing: what it wanted before.
    pub patterns: Option<Vec<Pattern>>,
    pub slots: usize,
}

type Accepting = (Vec<NewEvent>, Answer<Vec<Receipt>>);

/// What goes into one commit.
#[derive(Default)]
pub(super) struct Group {
    pub accepts: Vec<Accepting>,
    pub settles: Vec<Settling>,
    /// What changes for whom before anything is written.
    pub turns: Vec<Order>,
    events: usize,
    bytes: usize,
}

impl Group {
    fn is_full(&self) -> bool {
        self.events >= GROUP_EVENTS || self.bytes >= GROUP_BYTES
    }
}

/// What a group did, to be told once it is committed or taken back if it is not.
#[derive(Default)]
pub(super) struct Written {
    pub receipts: Vec<Vec<Receipt>>,
    pub keys: Vec<RepeatKey>,
    pub claimed: Vec<(usize, Delivery)>,
    /// Whose deliveries were settled, with the bytes of their events.
    pub settled: Vec<(usize, usize)>,
    /// Of the settles, those of which nothing was written.
    pub overtaken: Vec<usize>,
    /// How attempts of webhooks ended, by subscriber.
    pub tracks: BTreeMap<usize, Track>,
}

pub(super) struct Writer {
    pub store: Store,
    pub keep: Keep,
    deliver: UnboundedSender<Delivery>,
    pub subscribers: Vec<Subscriber>,
    pub by_name: HashMap<Arc<str>, usize>,
    pub seen: Seen,
    pub last_id: EventId,
    pub ready_bytes: usize,
    /// How much of events webhooks have in hand, all together.
    pub posting_bytes: usize,
    /// About how many deliveries an event has.
    pub fanout: usize,
    /// Nothing is begun any more.
    pub resting: bool,
    /// Verdicts and subscriptions that could not be written yet.
    held: Vec<Settling>,
    pub held_subscriptions: Vec<Subscription>,
    /// Whether the last group could not be written.
    refusing: bool,
    pub tidied_to: EventId,
    pub tidy_at: Instant,
    pub thin_at: Instant,
}

impl Writer {
    /// Takes up what the last process left: attempts that were running are lost, and judged.
    pub(super) fn take_up(
        mut store: Store,
        schedules: &Schedules,
        keep: Keep,
        deliver: UnboundedSender<Delivery>,
    ) -> anyhow::Result<Writer> {
        let now = now_ms();
        recover(&mut store, schedules, now)?;
        store.forget_taken_out()?;
        let mut subscribers = Vec::new();
        for stored in store.subscribers()? {
            let next_due_ms = store.next_due_after(stored.id, None)?;
            subscribers.push(Subscriber::stored(stored, next_due_ms));
        }
        let mut seen = Seen::default();
        store.repeat_keys_since(oldest(now, keep.repeat_keys), |key, id, at_ms| seen.insert(&key, id, at_ms))?;
        let (last_id, tidied_to) = (store.last_id()?, EventId::from_i64(0));
        let (tidy_at, thin_at) = (Instant::now() + TIDY_EVERY, Instant::now() + THIN_KEYS_EVERY);
        Ok(Writer {
            store,
            keep,
            deliver,
            by_name: subscribers.iter().enumerate().map(|(n, one)| (one.name.clone(), n)).collect(),
            subscribers,
            seen,
            last_id,
            ready_bytes: 0,
            posting_bytes: 0,
            fanout: 0,
            resting: false,
            held: Vec::new(),
            held_subscriptions: Vec::new(),
            refusing: false,
            tidied_to,
            tidy_at,
            thin_at,
        })
    }

    /// Writes until it is told to close, everyone who could tell it is gone, or the disk fails.
    /// Gives whom to tell that it is closed.
    pub(super) fn run(
        mut self,
        inbox: Receiver<Order>,
        fail: watch::Sender<Option<String>>,
        marker: &Path,
    ) -> Option<oneshot::Sender<()>> {
        match self.work(&inbox) {
            Ok(done) => {
                let _ = self.store.finish();
                done
            }
            Err(error) => {
                tracing::error!("the disk failed, so nothing more is acknowledged: {error}");
                // For the next start, which then reads everything; on a disk that failed it may not be written, either.
                let _ = std::fs::write(marker, error.to_string());
                let _ = fail.send(Some(error.to_string()));
                // Whoever still waits for an answer learns from the closed channel.
                None
            }
        }
    }

    fn work(&mut self, inbox: &Receiver<Order>) -> Result<Option<oneshot::Sender<()>>, StoreError> {
        let mut next = None;
        loop {
            let order = match next.take() {
                Some(order) => Some(order),
                None => match inbox.recv_timeout(self.patience()) {
                    Ok(order) => Some(order),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return Ok(None),
                },
            };
            let (group, then) = gather(order, inbox, self.fanout);
            self.write(group)?;
            match then {
                None => {}
                Some(Order::Close { done }) => {
                    self.write(Group::default())?;
                    return Ok(Some(done));
                }
                Some(other) => self.obey(other)?,
            }
            self.subscribe_held()?;
            self.tidy()?;
            next = inbox.try_recv().ok();
        }
    }

    /// How long there is nothing to do unless something is said.
    fn patience(&self) -> Duration {
        let now = now_ms();
        let due = self.subscribers.iter().filter(|one| self.has_room(one));
        let due = due.filter_map(Subscriber::next_turn_ms).min();
        let until_due = due.map(|due| Duration::from_millis(due.saturating_sub(now)));
        let holding = !self.held.is_empty() || !self.held_subscriptions.is_empty();
        let until_room = holding.then_some(TRY_AGAIN);
        let until_tidy = self.tidy_at.saturating_duration_since(Instant::now());
        [until_due, until_room].into_iter().flatten().fold(until_tidy, Duration::min)
    }

    /// Writes a group, together with what found no room before and with what can be claimed now.
    pub(super) fn write(&mut self, mut group: Group) -> Result<(), StoreError> {
        group.settles.extend(std::mem::take(&mut self.held));
        std::mem::take(&mut group.turns).into_iter().for_each(|turn| self.turn(turn));
        let now = now_ms();
        let idle = group.accepts.is_empty() && group.settles.is_empty();
        let claimable = |one: &Subscriber| one.next_turn_ms().is_some_and(|turn| turn <= now);
        let claimable = |one: &Subscriber| claimable(one) && self.has_room(one);
        if idle && !self.subscribers.iter().any(claimable) {
            return Ok(());
        }
        let mut written = Written::default();
        match self.write_all(&group, now, &mut written) {
            Ok(()) => {
                if std::mem::take(&mut self.refusing) {
                    tracing::info!("events are taken again");
                }
                self.tell(group, written);
                self.store.checkpoint(CHECKPOINT_BYTES).or_else(only_not_now)
            }
            Err(StoreError::NotNow(why)) => {
                if !self.refusing {
                    tracing::warn!("{why}: events are refused until that is over");
                }
                self.refusing = true;
                self.take_back(group, written, why);
                Ok(())
            }
            Err(broken) => Err(broken),
        }
    }

    /// The group is on disk: answers go out, and deliveries with them.
    pub(super) fn tell(&mut self, group: Group, written: Written) {
        for ((_, answer), receipts) in group.accepts.into_iter().zip(written.receipts) {
            // Whoever asked may have hung up: the event is ours all the same.
            let _ = answer.send(Ok(receipts));
        }
        for (n, settling) in group.settles.into_iter().enumerate() {
            if let Some(kept) = settling.kept {
                let is_overtaken = written.overtaken.contains(&n);
                let _ = kept.answer.send(if is_overtaken { Err(NotKept::Overtaken) } else { Ok(()) });
            }
        }
        for (_, delivery) in written.claimed {
            let _ = self.deliver.send(delivery);
        }
    }

    /// The group is not on disk: memory goes back to what is, and the verdicts are kept for later.
    pub(super) fn take_back(&mut self, group: Group, written: Written, why: &'static str) {
        self.store.roll_back();
        for key in written.keys {
            self.seen.remove(&key);
        }
        for (n, delivery) in written.claimed {
            self.ended(n, delivery.event.bytes());
        }
        for (n, bytes) in written.settled {
            self.begun(n, bytes);
        }
        self.forget_ready();
        for (_, answer) in group.accepts {
            let _ = answer.send(Err(AcceptError::NotNow(why)));
        }
        self.held.extend(group.settles);
    }

    /// Whatever waits is read from disk again.
    fn forget_ready(&mut self) {
        self.ready_bytes = 0;
        for subscriber in &mut self.subscribers {
            subscriber.ready.clear();
            // Soon rather than now: the disk was full a moment ago.
            subscriber.next_due_ms = Some(now_ms() + TRY_AGAIN.as_millis() as UnixMs);
        }
    }
}

/// Takes what has gathered, up to a group's size or to the first order that goes alone.
fn gather(first: Option<Order>, inbox: &Receiver<Order>, fanout: usize) -> (Group, Option<Order>) {
    let mut group = Group::default();
    let mut next = first;
    while let Some(order) = next {
        match order {
            Order::Accept { events, answer } => {
                // Deliveries are narrow: several cost what an event does.
                group.events += events.len() * (1 + fanout / 4);
                group.bytes += events.iter().map(|event| event.payload.len()).sum::<usize>();
                group.accepts.push((events, answer));
            }
            Order::Settle(settling) => {
                group.events += 1 + settling.kept.as_ref().map_or(0, |kept| kept.effects.steps());
                group.bytes += settling.kept.as_ref().map_or(0, |kept| kept.effects.bytes());
                group.bytes += settling.settlement.reply_bytes();
                group.settles.push(settling);
            }
            turn @ (Order::Hold { .. } | Order::Claim { .. }) => group.turns.push(turn),
            alone => return (group, Some(alone)),
        }
        next = if group.is_full() { None } else { inbox.try_recv().ok() };
    }
    (group, None)
}

/// Attempts that were running when the last process ended are lost; the schedule says what that means.
fn recover(store: &mut Store, schedules: &Schedules, now: UnixMs) -> Result<(), StoreError> {
    let running = store.running()?;
    store.begin()?;
    let names: HashMap<i64, Arc<str>> = store.subscribers()?.into_iter().map(|one| (one.id, one.name)).collect();
    for (subscriber, event, number, earlier) in running {
        let schedule = schedules.of(names.get(&subscriber).map_or("", |name| name));
        let (state, due) = match judge(&Outcome::Lost, number - earlier, schedule, now) {
            Verdict::Again { at_ms } => (State::Waiting, at_ms),
            Verdict::Done | Verdict::Dead => (State::Dead, now),
        };
        store.move_delivery(subscriber, event, state, number, due)?;
        store.count_dead(subscriber, usize::from(state == State::Dead))?;
        store.insert_attempt(subscriber, event, number, &not_run(Outcome::Lost, now))?;
    }
    store.commit()
}

pub(super) fn not_run(outcome: Outcome, now: UnixMs) -> Attempt {
    Attempt { generation: 0, started_at_ms: now, took: Duration::ZERO, outcome, reply: None }
}

/// The first id that is not older than this.
pub(super) fn oldest(now: UnixMs, keep: Duration) -> EventId {
    EventId::first_at(now.saturating_sub(keep.as_millis() as UnixMs))
}

/// What can wait, waits.
pub(super) fn only_not_now(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::NotNow(_) => Ok(()),
        broken => Err(broken),
    }
}
