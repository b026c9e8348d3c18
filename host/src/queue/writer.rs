//! What writes: gathers orders into groups, commits each group once, and only then answers. It knows no clock and no thread.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::counters::Counters;
use super::hands::{Dropping, PuttingBack};
use super::records::Note;
use super::recover::{Leap, stored_keys, stored_subscribers};
use super::refusing::Refusing;
use super::salts::Salts;
use super::seen::Seen;
use super::settling::Settling;
use super::store::{Store, StoreError, StoredDelivery, only_not_now};
use super::subscriber::Subscriber;
use super::track::Track;
use super::{AcceptError, Delivery, Keep, NotKept, Receipt, Registration};
use crate::attempt::{Attempt, Outcome};
use crate::event::{EventId, NewEvent, Pattern, RepeatKey, UnixMs};
use crate::schedule::Schedules;

/// The most events and the most bytes in one commit.
const GROUP_EVENTS: usize = 1024;
pub(super) const GROUP_BYTES: usize = 8 << 20;

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
pub(super) const TIDY_EVERY_MS: UnixMs = 1_000;

/// How often the keys that tell repeats are thinned out.
pub(super) const THIN_KEYS_EVERY_MS: UnixMs = 600_000;

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
    PutBack(PuttingBack, Answer<Vec<usize>>),
    Drop(Dropping, Answer<usize>),
    Pause { subscriber: Arc<str>, is_paused: bool, note: Option<Note>, answer: Answer<bool> },
    Note { number: Option<i64>, note: Note, answer: Answer<i64> },
    Register(Registration, Answer<()>),
    Subscribers { answer: oneshot::Sender<Vec<Arc<str>>> },
    Close { done: oneshot::Sender<()> },
}

/// What a subscriber wants, where it is there.
pub(super) struct Subscription {
    pub subscriber: Arc<str>,
    /// Nothing: what it wanted before.
    pub patterns: Option<Vec<Pattern>>,
    /// The attribute by which its deliveries are told into lanes.
    pub ordered_by: Option<Arc<str>>,
    pub slots: usize,
}

/// What was accepted of a request, or why nothing was.
pub(super) type Accepted = Result<Vec<Receipt>, &'static str>;

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
    pub accepted: Vec<Accepted>,
    pub keys: Vec<RepeatKey>,
    pub claimed: Vec<(usize, Delivery)>,
    /// Whose deliveries were settled, with the bytes of their events.
    pub settled: Vec<(usize, usize)>,
    /// Of the settles, those of which nothing was written.
    pub overtaken: Vec<usize>,
    /// How attempts of webhooks ended, by subscriber.
    pub tracks: BTreeMap<usize, Track>,
}

impl Written {
    /// Whether an event was written that had not been before.
    fn has_event(&self) -> bool {
        self.accepted.iter().flatten().flatten().any(|receipt| !receipt.duplicate)
    }
}

pub(super) struct Writer {
    pub store: Store,
    pub keep: Keep,
    pub counters: Counters,
    /// The time by which everything of a step happens, and what the wall clock says then.
    pub now: UnixMs,
    pub wall: UnixMs,
    /// From when on something may be old: a time that leapt is not believed at once.
    pub believed_from_ms: UnixMs,
    pub salts: Salts,
    pub refusing: Refusing,
    /// How much of the file holds something, as it was a moment ago.
    pub used_bytes: u64,
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
    /// Attempts that were running when the last process ended, each with its subscriber and its line, until they are judged.
    pub lost: Vec<(i64, i64, StoredDelivery)>,
    pub schedules: Schedules,
    /// How far old bodies were let go, and old events.
    pub let_go_to: EventId,
    pub forgot_to: EventId,
    pub tidy_at_ms: UnixMs,
    /// When the last step of that was, and how many events came in since.
    pub tidied_at_ms: UnixMs,
    pub came_in: u64,
    pub thin_at_ms: UnixMs,
}

impl Writer {
    /// Takes up what the last process left: attempts that were running are lost, and judged.
    pub(super) fn take_up(
        mut store: Store,
        schedules: &Schedules,
        keep: Keep,
        deliver: UnboundedSender<Delivery>,
        now: UnixMs,
        salts: Salts,
    ) -> anyhow::Result<Writer> {
        let lost = store.running()?;
        store.forget_taken_out().or_else(|error| {
            store.roll_back();
            only_not_now(error)
        })?;
        let subscribers = stored_subscribers(&store, schedules, now)?;
        let leap = Leap::find(&store, now)?;
        let seen = stored_keys(&store, keep.repeat_keys, leap.as_ref(), now)?;
        let (last_id, used_bytes, start) = (store.last_id()?, store.used_bytes()?, EventId::from_i64(0));
        let mut writer = Writer {
            store,
            keep,
            counters: Counters::default(),
            now,
            wall: now,
            believed_from_ms: leap.map_or(0, |leap| leap.believed_from_ms()),
            salts,
            refusing: Refusing::nothing(),
            used_bytes,
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
            lost,
            schedules: schedules.clone(),
            let_go_to: start,
            forgot_to: start,
            tidy_at_ms: now + TIDY_EVERY_MS,
            tidied_at_ms: now,
            came_in: 0,
            thin_at_ms: now + THIN_KEYS_EVERY_MS,
        };
        writer.recover()?;
        writer.refusing.set_full(writer.why_full());
        Ok(writer)
    }

    /// Does all that is to be done at a time: what was said, what is due, what is old. Gives whom to tell where it is to close.
    pub(super) fn step(
        &mut self,
        first: Option<Order>,
        more: &mut dyn FnMut() -> Option<Order>,
        (now, wall): (UnixMs, UnixMs),
    ) -> Result<Option<oneshot::Sender<()>>, StoreError> {
        self.go_to(now, wall);
        self.recover()?;
        let (group, then) = gather(first, more, self.fanout);
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
        self.refusing.set_full(self.why_full());
        Ok(None)
    }

    /// How long there is nothing to do unless something is said.
    pub(super) fn patience(&self, now: UnixMs) -> Duration {
        let due = self.subscribers.iter().filter(|one| self.has_room(one));
        let due = due.filter_map(Subscriber::next_turn_ms).min();
        let until_due = due.map(|due| Duration::from_millis(due.saturating_sub(now)));
        let holding = !self.held.is_empty() || !self.held_subscriptions.is_empty() || !self.lost.is_empty();
        let until_room = holding.then_some(TRY_AGAIN);
        let until_tidy = Duration::from_millis(self.tidy_at_ms.saturating_sub(now));
        [until_due, until_room].into_iter().flatten().fold(until_tidy, Duration::min)
    }

    /// Writes a group, together with what found no room before and with what can be claimed now.
    pub(super) fn write(&mut self, mut group: Group) -> Result<(), StoreError> {
        group.settles.extend(std::mem::take(&mut self.held));
        std::mem::take(&mut group.turns).into_iter().for_each(|turn| self.turn(turn));
        let now = self.now;
        let idle = group.accepts.is_empty() && group.settles.is_empty();
        let claimable = |one: &Subscriber| one.next_turn_ms().is_some_and(|turn| turn <= now);
        let claimable = |one: &Subscriber| claimable(one) && self.has_room(one);
        if idle && !self.subscribers.iter().any(claimable) {
            return Ok(());
        }
        let (mut written, begun) = (Written::default(), Instant::now());
        match self.write_all(&group, &mut written) {
            Ok(()) => {
                self.refusing.written(written.has_event());
                let events = written.accepted.iter().filter_map(|accepted| accepted.as_ref().ok()).map(Vec::len).sum();
                self.counters.count(events, begun.elapsed());
                self.tell(group, written);
                self.store.checkpoint(CHECKPOINT_BYTES).or_else(only_not_now)
            }
            Err(StoreError::NotNow(why)) => {
                self.refusing.failed(why, !group.accepts.is_empty());
                self.take_back(group, written, why);
                Ok(())
            }
            Err(broken) => Err(broken),
        }
    }

    /// The group is on disk: answers go out, and deliveries with them.
    pub(super) fn tell(&mut self, group: Group, written: Written) {
        for ((_, answer), accepted) in group.accepts.into_iter().zip(written.accepted) {
            // Whoever asked may have hung up: the event is ours all the same.
            let _ = answer.send(accepted.map_err(AcceptError::NotNow));
        }
        for (n, settling) in group.settles.into_iter().enumerate() {
            if let Some(kept) = settling.kept {
                let is_overtaken = written.overtaken.contains(&n);
                let _ = kept.answer.send(if is_overtaken { Err(NotKept::Overtaken) } else { Ok(()) });
            }
            if let Some(told) = settling.told {
                told();
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
            // Soon rather than now: the disk was full a moment ago.
            let soon = self.now + TRY_AGAIN.as_millis() as UnixMs;
            subscriber.forget_ready(soon);
            subscriber.lines.iter_mut().for_each(|line| line.next_due_ms = Some(soon));
        }
    }
}

/// Takes what has gathered, up to a group's size or to the first order that goes alone.
fn gather(first: Option<Order>, more: &mut dyn FnMut() -> Option<Order>, fanout: usize) -> (Group, Option<Order>) {
    let mut group = Group::default();
    let mut next = first;
    while let Some(order) = next {
        match order {
            Order::Accept { events, answer } => {
                // Deliveries are narrow: several cost what an event does.
                group.events += events.len() * (1 + fanout / 4);
                group.bytes += events.iter().map(NewEvent::bytes).sum::<usize>();
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
        next = if group.is_full() { None } else { more() };
    }
    (group, None)
}

pub(super) fn not_run(outcome: Outcome, started_at_ms: UnixMs) -> Attempt {
    Attempt::without_call(started_at_ms, Duration::ZERO, outcome, None)
}

/// The first id that is not older than this.
pub(super) fn oldest(now: UnixMs, keep: Duration) -> EventId {
    EventId::first_at(now.saturating_sub(keep.as_millis() as UnixMs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_full_by_what_is_kept_of_headers_too() {
        let event = NewEvent {
            source: "s".into(),
            provider: "s".into(),
            event_type: "t".into(),
            received_at_ms: 1,
            received: Instant::now(),
            attributes: Vec::new(),
            payload: bytes::Bytes::from_static(b"{}"),
            headers: Some("h".repeat(GROUP_BYTES / 8).into()),
            repeat_key: None,
            trace: None,
        };
        let mut waiting = 100;
        let mut more = || {
            waiting -= 1;
            Some(Order::Accept { events: vec![event.clone()], answer: oneshot::channel().0 })
        };
        let (group, then) = gather(more(), &mut more, 0);
        assert_eq!((group.accepts.len(), waiting), (8, 92));
        assert!(then.is_none());
    }
}
