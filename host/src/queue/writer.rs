//! The one thread that writes: gathers orders into groups, commits each group once, and only then answers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use super::store::{State, Store, StoreError};
use super::{AcceptError, Delivery, Keep, Receipt, Settlement};
use crate::attempt::{Attempt, Outcome};
use crate::event::{Event, EventId, NewEvent, Pattern, RepeatKey, UnixMs, now_ms};
use crate::schedule::{Schedule, Verdict, judge};

/// The most events and the most bytes in one commit.
const GROUP_EVENTS: usize = 1024;
const GROUP_BYTES: usize = 8 << 20;

/// The log is moved into the file when it has grown to this.
const CHECKPOINT_BYTES: u64 = 16 << 20;

/// How many deliveries of a plugin wait in memory, and how many bytes of events with them, all plugins together.
/// What does not fit waits on disk only.
const READY: usize = 4096;
const READY_BYTES: usize = 64 << 20;

/// How many deliveries are read from disk at once.
const REFILL: usize = 256;

/// How soon a full disk is tried again, and how often old events are looked for.
const TRY_AGAIN: Duration = Duration::from_millis(250);
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// How many old events are deleted in one step.
const TIDY_EVENTS: usize = 128;

/// How often the keys that tell repeats are thinned out.
const THIN_KEYS_EVERY: Duration = Duration::from_secs(600);

type Answer<T> = oneshot::Sender<Result<T, AcceptError>>;

/// What the writer can be told.
pub(super) enum Order {
    Accept { events: Vec<NewEvent>, answer: Answer<Vec<Receipt>> },
    Settle { plugin: Arc<str>, event: EventId, attempt: u32, settlement: Settlement },
    Subscribe { plugin: Arc<str>, patterns: Vec<Pattern>, done: Answer<()> },
    Gone { plugin: Arc<str> },
    Claim { plugin: Arc<str>, slots: usize },
    Subscribers { answer: oneshot::Sender<Vec<Arc<str>>> },
    Close { done: oneshot::Sender<()> },
}

/// A plugin as the writer sees it.
struct Subscriber {
    id: i64,
    name: Arc<str>,
    patterns: Vec<Pattern>,
    gone_at_ms: Option<UnixMs>,
    /// How many deliveries it may have in hand, and how many it has.
    slots: usize,
    running: usize,
    /// Waiting deliveries that are due and in memory, oldest first.
    ready: VecDeque<Ready>,
    /// When the first of those that wait on disk only is due.
    next_due_ms: Option<UnixMs>,
}

/// A waiting delivery in memory; its event too, while there is room.
struct Ready {
    event: EventId,
    attempts: u32,
    loaded: Option<Arc<Event>>,
}

impl Subscriber {
    fn has_slot(&self) -> bool {
        self.running < self.slots
    }

    fn is_behind(&self, now_ms: UnixMs) -> bool {
        self.next_due_ms.is_some_and(|due| due <= now_ms)
    }

    fn is_due_at(&mut self, at_ms: UnixMs) {
        self.next_due_ms = Some(self.next_due_ms.map_or(at_ms, |due| due.min(at_ms)));
    }
}

type Accepting = (Vec<NewEvent>, Answer<Vec<Receipt>>);
type Settling = (Arc<str>, EventId, u32, Settlement);

/// What goes into one commit.
#[derive(Default)]
struct Group {
    accepts: Vec<Accepting>,
    settles: Vec<Settling>,
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
struct Effects {
    receipts: Vec<Vec<Receipt>>,
    keys: Vec<RepeatKey>,
    claimed: Vec<(usize, Delivery)>,
    settled: Vec<usize>,
    ready: usize,
}

pub(super) struct Writer {
    store: Store,
    keep: Keep,
    deliver: UnboundedSender<Delivery>,
    subscribers: Vec<Subscriber>,
    seen: HashMap<RepeatKey, EventId>,
    last_id: EventId,
    ready_bytes: usize,
    /// Verdicts that found no room.
    held: Vec<Settling>,
    tidied_to: EventId,
    tidy_at: Instant,
    thin_at: Instant,
}

impl Writer {
    /// Takes up what the last process left: attempts that were running are lost, and judged.
    pub(super) fn take_up(
        mut store: Store,
        schedule: Schedule,
        keep: Keep,
        deliver: UnboundedSender<Delivery>,
    ) -> anyhow::Result<Writer> {
        let now = now_ms();
        recover(&mut store, &schedule, now)?;
        let mut subscribers = Vec::new();
        for stored in store.subscribers()? {
            let next_due_ms = store.next_due_after(stored.id, None)?;
            subscribers.push(Subscriber {
                id: stored.id,
                name: stored.name,
                patterns: stored.patterns.iter().filter_map(|text| text.parse().ok()).collect(),
                gone_at_ms: stored.gone_at_ms,
                slots: 0,
                running: 0,
                ready: VecDeque::new(),
                next_due_ms,
            });
        }
        let seen = store.repeat_keys_since(oldest(now, keep.repeat_keys))?;
        let (last_id, tidied_to) = (store.last_id()?, EventId::from_i64(0));
        let (tidy_at, thin_at) = (Instant::now() + TIDY_EVERY, Instant::now() + THIN_KEYS_EVERY);
        Ok(Writer {
            store, keep, deliver, subscribers, seen, last_id, ready_bytes: 0, held: Vec::new(), tidied_to, tidy_at, thin_at,
        })
    }

    /// Writes until it is told to close, everyone who could tell it is gone, or the disk fails.
    pub(super) fn run(mut self, inbox: Receiver<Order>, fail: watch::Sender<Option<String>>) {
        match self.work(&inbox) {
            Ok(done) => {
                let _ = self.store.checkpoint(0);
                drop(self);
                if let Some(done) = done {
                    let _ = done.send(());
                }
            }
            Err(error) => {
                tracing::error!("the disk failed, so nothing more is acknowledged: {error}");
                let _ = fail.send(Some(error.to_string()));
                // Whoever still waits for an answer learns from the closed channel.
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
            let (group, then) = gather(order, inbox);
            self.write(group)?;
            match then {
                None => {}
                Some(Order::Close { done }) => {
                    self.write(Group::default())?;
                    return Ok(Some(done));
                }
                Some(other) => self.obey(other)?,
            }
            self.tidy()?;
            next = match inbox.try_recv() {
                Ok(order) => Some(order),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
            };
        }
    }

    /// How long there is nothing to do unless something is said.
    fn patience(&self) -> Duration {
        let now = now_ms();
        let due = self.subscribers.iter().filter(|one| one.has_slot()).filter_map(|one| one.next_due_ms).min();
        let until_due = due.map(|due| Duration::from_millis(due.saturating_sub(now)));
        let until_room = (!self.held.is_empty()).then_some(TRY_AGAIN);
        let until_tidy = self.tidy_at.saturating_duration_since(Instant::now());
        [until_due, until_room].into_iter().flatten().fold(until_tidy, Duration::min)
    }

    /// Writes a group, together with what found no room before and with what can be claimed now.
    fn write(&mut self, mut group: Group) -> Result<(), StoreError> {
        group.settles.extend(std::mem::take(&mut self.held));
        let now = now_ms();
        let idle = group.accepts.is_empty() && group.settles.is_empty();
        let claimable = |one: &Subscriber| one.has_slot() && (!one.ready.is_empty() || one.is_behind(now));
        if idle && !self.subscribers.iter().any(claimable) {
            return Ok(());
        }
        let mut effects = Effects::default();
        match self.write_all(&group, now, &mut effects) {
            Ok(()) => {
                self.tell(group, effects);
                self.store.checkpoint(CHECKPOINT_BYTES).or_else(only_full)
            }
            Err(StoreError::Full) => {
                tracing::warn!("the disk is full: events are refused until there is room");
                self.take_back(group, effects);
                Ok(())
            }
            Err(broken) => Err(broken),
        }
    }

    fn write_all(&mut self, group: &Group, now: UnixMs, effects: &mut Effects) -> Result<(), StoreError> {
        self.store.begin()?;
        for (plugin, event, attempt, settlement) in &group.settles {
            self.write_settlement(plugin, *event, *attempt, settlement, now, effects)?;
        }
        for (events, _) in &group.accepts {
            let receipts: Result<Vec<_>, _> = events.iter().map(|event| self.write_event(event, now, effects)).collect();
            effects.receipts.push(receipts?);
        }
        for n in 0..self.subscribers.len() {
            self.write_claims(n, now, effects)?;
        }
        self.store.commit()
    }

    fn write_event(&mut self, event: &NewEvent, now: UnixMs, effects: &mut Effects) -> Result<Receipt, StoreError> {
        if let Some(first) = event.repeat_key.and_then(|key| self.seen.get(&key).copied()) {
            self.put_dead_back(first, now)?;
            return Ok(Receipt { id: first, duplicate: true });
        }
        let id = EventId::next(self.last_id, event.received_at_ms, salt());
        self.last_id = id;
        self.store.insert_event(id, event)?;
        if let Some(key) = event.repeat_key {
            self.seen.insert(key, id);
            effects.keys.push(key);
        }
        let mut loaded: Option<Arc<Event>> = None;
        for n in 0..self.subscribers.len() {
            let wants = |pattern: &Pattern| pattern.matches(&event.source, &event.provider, &event.event_type);
            if self.subscribers[n].patterns.iter().any(wants) {
                let event = loaded.get_or_insert_with(|| Arc::new(stored(id, event)));
                self.write_delivery(n, event.clone(), now, effects)?;
            }
        }
        Ok(Receipt { id, duplicate: false })
    }

    /// A first delivery: begun at once where the plugin is free and nothing waits before it, which saves a commit.
    fn write_delivery(&mut self, n: usize, event: Arc<Event>, now: UnixMs, effects: &mut Effects) -> Result<(), StoreError> {
        let subscriber = &mut self.subscribers[n];
        let (id, nothing_before) = (event.id, subscriber.ready.is_empty() && !subscriber.is_behind(now));
        if subscriber.has_slot() && nothing_before {
            self.store.insert_delivery(subscriber.id, id, State::Running, 1, now)?;
            subscriber.running += 1;
            effects.claimed.push((n, Delivery { plugin: subscriber.name.clone(), attempt: 1, event }));
            return Ok(());
        }
        self.store.insert_delivery(subscriber.id, id, State::Waiting, 0, now)?;
        if subscriber.ready.len() < READY && !subscriber.is_behind(now) {
            let fits = self.ready_bytes + event.payload.len() <= READY_BYTES;
            self.ready_bytes += if fits { event.payload.len() } else { 0 };
            subscriber.ready.push_back(Ready { event: id, attempts: 0, loaded: fits.then_some(event) });
            effects.ready += 1;
        } else {
            subscriber.is_due_at(now);
        }
        Ok(())
    }

    /// A repeat of an event runs nothing again, but for those that had given up on it.
    fn put_dead_back(&mut self, event: EventId, now: UnixMs) -> Result<(), StoreError> {
        for id in self.store.dead_of(event)? {
            self.store.move_delivery(id, event, State::Waiting, 0, now)?;
            if let Some(subscriber) = self.subscribers.iter_mut().find(|one| one.id == id) {
                subscriber.is_due_at(now);
            }
        }
        Ok(())
    }

    fn write_settlement(
        &mut self,
        plugin: &Arc<str>,
        event: EventId,
        number: u32,
        settlement: &Settlement,
        now: UnixMs,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        let Some(n) = self.subscribers.iter().position(|one| one.name == *plugin) else { return Ok(()) };
        let subscriber = &mut self.subscribers[n];
        let (state, attempts, due) = match settlement {
            Settlement::Returned => (State::Waiting, number - 1, now),
            Settlement::Judged { verdict: Verdict::Done, .. } => (State::Done, number, now),
            Settlement::Judged { verdict: Verdict::Dead, .. } => (State::Dead, number, now),
            Settlement::Judged { verdict: Verdict::Again { at_ms }, .. } => (State::Waiting, number, *at_ms),
        };
        self.store.move_delivery(subscriber.id, event, state, attempts, due)?;
        if let Settlement::Judged { attempt, .. } = settlement {
            self.store.insert_attempt(subscriber.id, event, number, attempt)?;
        }
        if state == State::Waiting {
            subscriber.is_due_at(due);
        }
        subscriber.running = subscriber.running.saturating_sub(1);
        effects.settled.push(n);
        Ok(())
    }

    /// Begins as many waiting deliveries of a plugin as it has slots.
    fn write_claims(&mut self, n: usize, now: UnixMs, effects: &mut Effects) -> Result<(), StoreError> {
        while self.subscribers[n].has_slot() {
            if self.subscribers[n].ready.is_empty() && !self.refill(n, now)? {
                return Ok(());
            }
            let Some(ready) = self.subscribers[n].ready.pop_front() else { return Ok(()) };
            self.write_claim(n, ready, now, effects)?;
        }
        Ok(())
    }

    fn write_claim(&mut self, n: usize, ready: Ready, now: UnixMs, effects: &mut Effects) -> Result<(), StoreError> {
        let subscriber = &mut self.subscribers[n];
        let number = ready.attempts + 1;
        if let Some(event) = &ready.loaded {
            self.ready_bytes = self.ready_bytes.saturating_sub(event.payload.len());
        }
        let event = match ready.loaded.map(Ok).unwrap_or_else(|| self.store.event(ready.event).map(Arc::new)) {
            Err(StoreError::Damaged(id)) => {
                tracing::error!(event = %id, plugin = %subscriber.name, "the stored body is damaged, so it is not delivered");
                self.store.move_delivery(subscriber.id, id, State::Dead, number, now)?;
                return self.store.insert_attempt(subscriber.id, id, number, &not_run(Outcome::Damaged, now));
            }
            event => event?,
        };
        self.store.move_delivery(subscriber.id, event.id, State::Running, number, now)?;
        subscriber.running += 1;
        effects.claimed.push((n, Delivery { plugin: subscriber.name.clone(), attempt: number, event }));
        Ok(())
    }

    /// Reads waiting deliveries that are due from disk. Gives whether there were any.
    fn refill(&mut self, n: usize, now: UnixMs) -> Result<bool, StoreError> {
        let subscriber = &mut self.subscribers[n];
        if !subscriber.is_behind(now) {
            return Ok(false);
        }
        let due = self.store.due(subscriber.id, now, REFILL)?;
        let all = due.len() < REFILL;
        subscriber.next_due_ms = if all { self.store.next_due_after(subscriber.id, Some(now))? } else { Some(now) };
        subscriber.ready.extend(due.into_iter().map(|(event, attempts)| Ready { event, attempts, loaded: None }));
        Ok(!subscriber.ready.is_empty())
    }

    /// The group is on disk: answers go out, and deliveries with them.
    fn tell(&mut self, group: Group, effects: Effects) {
        for ((_, answer), receipts) in group.accepts.into_iter().zip(effects.receipts) {
            // Whoever asked may have hung up: the event is ours all the same.
            let _ = answer.send(Ok(receipts));
        }
        for (_, delivery) in effects.claimed {
            let _ = self.deliver.send(delivery);
        }
    }

    /// The group is not on disk: memory goes back to what is, and the verdicts are kept for later.
    fn take_back(&mut self, group: Group, effects: Effects) {
        self.store.roll_back();
        for key in effects.keys {
            self.seen.remove(&key);
        }
        for (n, _) in effects.claimed {
            self.subscribers[n].running -= 1;
        }
        for n in effects.settled {
            self.subscribers[n].running += 1;
        }
        self.forget_ready();
        for (_, answer) in group.accepts {
            let _ = answer.send(Err(AcceptError::Full));
        }
        self.held = group.settles;
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

    fn obey(&mut self, order: Order) -> Result<(), StoreError> {
        match order {
            Order::Subscribe { plugin, patterns, done } => {
                let told = match self.subscribe(&plugin, patterns) {
                    Err(StoreError::Full) => {
                        self.store.roll_back();
                        Err(AcceptError::Full)
                    }
                    written => Ok(written?),
                };
                let _ = done.send(told);
            }
            Order::Gone { plugin } => {
                if let Some(subscriber) = self.subscribers.iter_mut().find(|one| one.name == plugin) {
                    subscriber.slots = 0;
                    subscriber.gone_at_ms = Some(now_ms());
                    self.store.set_gone(subscriber.id, now_ms()).or_else(only_full)?;
                }
            }
            Order::Claim { plugin, slots } => {
                if let Some(subscriber) = self.subscribers.iter_mut().find(|one| one.name == plugin) {
                    subscriber.slots = slots;
                }
                self.write(Group::default())?;
            }
            Order::Subscribers { answer } => {
                let named = self.subscribers.iter().filter(|one| !one.patterns.is_empty()).map(|one| one.name.clone());
                let _ = answer.send(named.collect());
            }
            // Gathered into groups, or the end.
            Order::Accept { .. } | Order::Settle { .. } | Order::Close { .. } => {}
        }
        Ok(())
    }

    fn subscribe(&mut self, plugin: &Arc<str>, patterns: Vec<Pattern>) -> Result<(), StoreError> {
        let known = self.subscribers.iter_mut().find(|one| one.name == *plugin);
        if known.as_ref().is_some_and(|one| one.gone_at_ms.is_none() && one.patterns == patterns) {
            return Ok(());
        }
        let texts: Vec<String> = patterns.iter().map(Pattern::to_string).collect();
        self.store.begin()?;
        let id = self.store.subscribe(plugin, &texts)?;
        self.store.commit()?;
        match known {
            Some(subscriber) => (subscriber.patterns, subscriber.gone_at_ms) = (patterns, None),
            None => self.subscribers.push(Subscriber {
                id,
                name: plugin.clone(),
                patterns,
                gone_at_ms: None,
                slots: 0,
                running: 0,
                ready: VecDeque::new(),
                next_due_ms: None,
            }),
        }
        Ok(())
    }

    /// Lets go of what has been kept long enough, a little at a time.
    fn tidy(&mut self) -> Result<(), StoreError> {
        if Instant::now() < self.tidy_at {
            return Ok(());
        }
        let now = now_ms();
        self.store.checkpoint(CHECKPOINT_BYTES / 4).or_else(only_full)?;
        self.forget_gone(now).or_else(only_full)?;
        let before = oldest(now, self.keep.events);
        let came_to = match self.delete_old(before) {
            Err(StoreError::Full) => {
                self.store.roll_back();
                None
            }
            came_to => came_to?,
        };
        self.tidied_to = came_to.unwrap_or(EventId::from_i64(0));
        // At once where there is more to do and nobody waits, after a while where not.
        self.tidy_at = Instant::now() + if came_to.is_some() { Duration::from_millis(20) } else { TIDY_EVERY };
        if Instant::now() >= self.thin_at {
            let oldest = oldest(now, self.keep.repeat_keys);
            self.seen.retain(|_, id| *id >= oldest);
            self.thin_at = Instant::now() + THIN_KEYS_EVERY;
        }
        Ok(())
    }

    fn delete_old(&mut self, before: EventId) -> Result<Option<EventId>, StoreError> {
        self.store.begin()?;
        let came_to = self.store.delete_old(self.tidied_to, before, TIDY_EVENTS)?;
        self.store.commit()?;
        Ok(came_to)
    }

    fn forget_gone(&mut self, now: UnixMs) -> Result<(), StoreError> {
        let long_ago = now.saturating_sub(self.keep.subscriptions.as_millis() as UnixMs);
        for subscriber in &mut self.subscribers {
            let forgotten = subscriber.gone_at_ms.is_some_and(|gone| gone < long_ago) && !subscriber.patterns.is_empty();
            if forgotten {
                tracing::warn!(plugin = %subscriber.name, "its file has been gone for so long that its subscriptions end");
                self.store.forget(subscriber.id)?;
                subscriber.patterns.clear();
                subscriber.ready.clear();
                subscriber.next_due_ms = None;
            }
        }
        Ok(())
    }
}

/// Takes what has gathered, up to a group's size or to the first order that goes alone.
fn gather(first: Option<Order>, inbox: &Receiver<Order>) -> (Group, Option<Order>) {
    let mut group = Group::default();
    let mut next = first;
    while let Some(order) = next {
        match order {
            Order::Accept { events, answer } => {
                group.events += events.len();
                group.bytes += events.iter().map(|event| event.payload.len()).sum::<usize>();
                group.accepts.push((events, answer));
            }
            Order::Settle { plugin, event, attempt, settlement } => {
                group.events += 1;
                group.settles.push((plugin, event, attempt, settlement));
            }
            alone => return (group, Some(alone)),
        }
        next = if group.is_full() { None } else { inbox.try_recv().ok() };
    }
    (group, None)
}

/// Attempts that were running when the last process ended are lost; the schedule says what that means.
fn recover(store: &mut Store, schedule: &Schedule, now: UnixMs) -> Result<(), StoreError> {
    let running = store.running()?;
    store.begin()?;
    for (subscriber, event, number) in running {
        let (state, due) = match judge(&Outcome::Lost, number, schedule, now) {
            Verdict::Again { at_ms } => (State::Waiting, at_ms),
            Verdict::Done | Verdict::Dead => (State::Dead, now),
        };
        store.move_delivery(subscriber, event, state, number, due)?;
        store.insert_attempt(subscriber, event, number, &not_run(Outcome::Lost, now))?;
    }
    store.commit()
}

fn not_run(outcome: Outcome, now: UnixMs) -> Attempt {
    Attempt { generation: 0, started_at_ms: now, took: Duration::ZERO, outcome }
}

fn stored(id: EventId, event: &NewEvent) -> Event {
    Event {
        id,
        source: event.source.clone(),
        provider: event.provider.clone(),
        event_type: event.event_type.clone(),
        received_at_ms: event.received_at_ms,
        attributes: event.attributes.clone(),
        payload: event.payload.clone(),
    }
}

/// The first id that is not older than this.
fn oldest(now: UnixMs, keep: Duration) -> EventId {
    EventId::first_at(now.saturating_sub(keep.as_millis() as UnixMs))
}

/// What can wait for room, waits for it.
fn only_full(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Full => Ok(()),
        broken => Err(broken),
    }
}

/// Spreads ids; nothing depends on it being hard to guess.
fn salt() -> u32 {
    let mut bytes = [0u8; 4];
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
