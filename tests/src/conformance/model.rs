//! What the verbs promise, in memory: lists that are looked through from end to end. It says what may begin, and does not choose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, ensure};
use hookgate::effects::Value;
use hookgate::event::{EventId, NewEvent, Pattern, UnixMs, is_webhook};
use hookgate::queue::{Delivery, Doing, Receipt, Standing, Track, Which};

use super::desk::OPEN;
use super::told::{Attempted, Line, Told};

/// So many turns of others may pass by what was put back by hand, while that waits.
const PASSED: usize = 7;

/// A plugin or a webhook.
#[derive(Debug, Default, Clone)]
pub(super) struct Subscriber {
    pub patterns: Vec<Pattern>,
    pub ordered_by: Option<Arc<str>>,
    pub slots: usize,
    pub held_until_ms: UnixMs,
    pub is_paused: bool,
    /// Nobody will ever take up what waits for it.
    pub is_forgotten: bool,
    pub deliveries: BTreeMap<EventId, Told>,
    /// By event and number; 0 is the answer to a sender.
    pub history: BTreeMap<(EventId, u32), Attempted>,
    pub kept: BTreeMap<String, Value>,
    pub track: Option<Track>,
    /// Which lines had a turn while this one waited.
    passed_by: BTreeMap<Line, Vec<Line>>,
}

/// An event that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub event: NewEvent,
    /// Whether somebody wanted it when it came.
    pub was_wanted: bool,
    /// Its body is gone, and all that became of it.
    pub is_let_go: bool,
}

/// All that was promised.
#[derive(Debug, Default, Clone)]
pub(super) struct Model {
    pub now: UnixMs,
    pub step: u64,
    /// When this process began.
    pub began_ms: UnixMs,
    pub events: BTreeMap<EventId, Known>,
    /// Events of which nothing is left.
    pub forgotten: BTreeSet<EventId>,
    /// The types of all that ever came.
    pub types: BTreeSet<Arc<str>>,
    pub subscribers: BTreeMap<String, Subscriber>,
    /// What is registered, by id.
    pub records: BTreeMap<String, Vec<u8>>,
    /// Who changed what, and when.
    pub notes: Vec<(UnixMs, String)>,
    is_resting: bool,
}

impl Subscriber {
    pub fn wants(&self, event: &NewEvent) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(&event.source, &event.provider, &event.event_type))
    }

    pub fn has_slot(&self, now: UnixMs) -> bool {
        let running = self.deliveries.values().filter(|told| told.standing == Standing::Running);
        running.count() < self.slots && self.held_until_ms <= now && !self.is_paused
    }

    fn waiting(&self, now: UnixMs) -> impl Iterator<Item = (&EventId, &Told)> {
        let waits = move |told: &Told| told.standing == Standing::Pending && told.due_ms.is_some_and(|due| due <= now);
        self.deliveries.iter().filter(move |(_, told)| waits(told))
    }

    /// When a delivery is due that waits from now on: never, where others of its lane are not over.
    fn due_in_lane(&self, event: EventId, lane: &Option<String>, now: UnixMs) -> Option<UnixMs> {
        let before = |(id, told): (&EventId, &Told)| *id != event && told.is_open() && told.lane == *lane;
        (lane.is_none() || !self.deliveries.iter().any(before)).then_some(now)
    }

    /// A delivery is over: the first that waits in its lane is due, and waits from now on.
    pub fn leave_lane(&mut self, event: EventId, (now, step): (UnixMs, u64)) {
        let Some(lane) = self.deliveries.get(&event).and_then(|told| told.lane.clone()) else { return };
        let waits = |told: &&mut Told| {
            told.standing == Standing::Pending && told.due_ms.is_none() && told.lane.as_ref() == Some(&lane)
        };
        if let Some(first) = self.deliveries.values_mut().find(waits) {
            (first.due_ms, first.since) = (Some(now), step);
        }
    }

    fn wait_anew(&mut self, event: EventId, line: Option<Line>, (now, step): (UnixMs, u64)) {
        let lane = self.deliveries[&event].lane.clone();
        let due_ms = self.due_in_lane(event, &lane, now);
        if let Some(told) = self.deliveries.get_mut(&event) {
            let line = line.unwrap_or(told.line.clone());
            let (attempts, lane) = (told.attempts, told.lane.clone());
            *told = Told { standing: Standing::Pending, attempts, earlier: attempts, due_ms, line, lane, since: step };
        }
    }

    fn take_off_track(&mut self, done: u64, dead: u64) {
        if let Some(track) = &mut self.track {
            (track.done, track.dead) = (track.done.saturating_sub(done), track.dead.saturating_sub(dead));
        }
    }

    /// Whether a line may have a turn: no source that waited before this step may have been passed by twice, and what was put back not
    /// too often.
    fn take_turn(&mut self, line: &Line, (now, step): (UnixMs, u64)) -> anyhow::Result<()> {
        let lines: BTreeSet<Line> =
            self.waiting(now).filter(|(_, told)| told.since < step).map(|(_, told)| told.line.clone()).collect();
        self.passed_by.retain(|waiting, _| lines.contains(waiting) && waiting != line);
        for waiting in lines.iter().filter(|waiting| *waiting != line) {
            let passed = self.passed_by.entry(waiting.clone()).or_default();
            let may = if *waiting == Line::ByHand { passed.len() < PASSED } else { !passed.contains(line) };
            ensure!(may, "{line:?} has a turn too many while {waiting:?} waits");
            passed.push(line.clone());
        }
        Ok(())
    }
}

impl Model {
    fn at(&self) -> (UnixMs, u64) {
        (self.now, self.step)
    }

    /// Whether as much waits as may.
    pub fn is_full(&self) -> bool {
        self.open() >= OPEN
    }

    /// Whether more is open than before, and takes the room that is for what comes in.
    pub fn takes_room_since(&self, before: &Model) -> bool {
        self.open() > before.open() && self.open() > OPEN - OPEN / 10
    }

    fn open(&self) -> usize {
        let deliveries = self.subscribers.values().flat_map(|one| one.deliveries.values());
        deliveries.filter(|told| told.is_open()).count()
    }

    /// An event was accepted under an id.
    pub fn accept(&mut self, event: NewEvent, receipt: Receipt) -> anyhow::Result<()> {
        let Receipt { id, duplicate } = receipt;
        if let Some(first) = self.first_of(&event, !duplicate) {
            ensure!(duplicate && id == first, "the repeat of {first} is {receipt:?}");
            self.revive(id);
            return Ok(());
        }
        ensure!(!duplicate, "{receipt:?} is no repeat");
        self.add(id, event)
    }

    /// An event is there that was not before.
    pub fn add(&mut self, id: EventId, event: NewEvent) -> anyhow::Result<()> {
        let last = self.events.keys().last().max(self.forgotten.last());
        ensure!(last.is_none_or(|last| *last < id), "{id} comes after {last:?}");
        self.types.insert(event.event_type.clone());
        let names: Vec<String> =
            self.subscribers.iter().filter(|(_, one)| one.wants(&event)).map(|(name, _)| name.clone()).collect();
        let (line, was_wanted) = (Line::Source(event.source.clone(), event.provider.clone()), !names.is_empty());
        self.events.insert(id, Known { event, was_wanted, is_let_go: false });
        names.iter().for_each(|name| self.deliver(name, id, line.clone()));
        Ok(())
    }

    fn deliver(&mut self, name: &str, id: EventId, line: Line) {
        let (now, since) = self.at();
        let (Some(one), Some(known)) = (self.subscribers.get_mut(name), self.events.get(&id)) else { return };
        let value = |by: &Arc<str>| known.event.attributes.iter().find(|(name, _)| **name == **by);
        let lane = one.ordered_by.as_ref().and_then(value).map(|(_, value)| value.clone());
        let due_ms = one.due_in_lane(id, &lane, now);
        // What was dropped left its attempts.
        let left = one.history.range((id, 0)..=(id, u32::MAX)).next_back();
        let attempts = left.map_or(0, |((_, number), _)| *number);
        let told = Told { standing: Standing::Pending, attempts, earlier: attempts, due_ms, line, lane, since };
        one.deliveries.insert(id, told);
    }

    /// A repeat is delivered again to those that had given up on it.
    fn revive(&mut self, id: EventId) {
        let at = self.at();
        for one in self.subscribers.values_mut().filter(|one| !one.patterns.is_empty()) {
            if one.deliveries.get(&id).is_some_and(|told| told.standing == Standing::Dead) {
                one.wait_anew(id, None, at);
                one.take_off_track(0, 1);
            }
        }
    }

    /// Whether somebody could begin one more.
    pub fn has_slot(&self, name: &str) -> bool {
        self.subscribers.get(name).is_some_and(|one| one.has_slot(self.now))
    }

    /// A delivery was begun: whether it may be, and is what it must be.
    pub fn begin(&mut self, delivery: &Delivery) -> anyhow::Result<()> {
        let (at, id) = (self.at(), delivery.event.id);
        let name = &*delivery.subscriber;
        let one = self.subscribers.get_mut(name).with_context(|| format!("nobody is called {name}"))?;
        ensure!(one.has_slot(at.0), "{name} begins {id} and has no slot");
        let told = one.deliveries.get(&id).with_context(|| format!("{name} has no delivery of {id}"))?.clone();
        ensure!(
            one.waiting(at.0).any(|(waiting, _)| *waiting == id),
            "{name} begins {id}, which does not wait: {told:?}"
        );
        let earlier = one.waiting(at.0).find(|(_, other)| other.line == told.line && other.due_ms < told.due_ms);
        ensure!(earlier.is_none(), "{name} begins {id} before {earlier:?}");
        let (attempt, before) = (told.attempts + 1, told.earlier);
        ensure!((delivery.attempt, delivery.earlier) == (attempt, before), "{delivery:?} is {told:?}");
        ensure!(delivery.lane.is_some() == told.lane.is_some(), "{delivery:?} is {told:?}");
        let event = &self.events[&id].event;
        let is_whole = delivery.event.payload == event.payload
            && delivery.event.attributes == event.attributes
            && (&delivery.event.source, &delivery.event.provider) == (&event.source, &event.provider)
            && delivery.event.event_type == event.event_type
            && delivery.event.received_at_ms == event.received_at_ms;
        ensure!(is_whole, "{delivery:?} is {event:?}");
        one.take_turn(&told.line, at).context(format!("{name} begins {id}"))?;
        let running = Told { standing: Standing::Running, attempts: attempt, due_ms: Some(at.0), ..told };
        one.deliveries.insert(id, running);
        Ok(())
    }

    /// Nothing more could begin.
    pub fn rests(&self) -> anyhow::Result<()> {
        for (name, one) in self.subscribers.iter().filter(|(_, one)| one.has_slot(self.now)) {
            let waits = one.waiting(self.now).next();
            ensure!(waits.is_none(), "{name} could begin {waits:?} at {}", self.now);
        }
        Ok(())
    }

    pub fn subscribe(
        &mut self,
        name: &str,
        patterns: Option<Vec<Pattern>>,
        ordered_by: Option<Arc<str>>,
        slots: usize,
    ) {
        if patterns.is_none() && !self.subscribers.contains_key(name) {
            return;
        }
        let slots = if self.is_resting { 0 } else { slots };
        let one = self.subscribers.entry(name.to_owned()).or_default();
        one.patterns = patterns.unwrap_or(std::mem::take(&mut one.patterns));
        (one.ordered_by, one.slots, one.is_forgotten) = (ordered_by, slots, false);
    }

    pub fn gone(&mut self, name: &str) {
        if let Some(one) = self.subscribers.get_mut(name) {
            one.slots = 0;
        }
    }

    /// So many slots from a time on. Who has none is not there, and gets none.
    pub fn set_slots(&mut self, name: &str, slots: usize, from_ms: UnixMs) {
        if let Some(one) = self.subscribers.get_mut(name).filter(|one| one.slots > 0) {
            (one.slots, one.held_until_ms) = (slots, from_ms);
        }
    }

    pub fn rest(&mut self) {
        self.is_resting = true;
        self.subscribers.values_mut().for_each(|one| one.slots = 0);
    }

    /// Somebody's deliveries are put back. Gives how many.
    pub fn put_back(&mut self, name: &str, events: &[EventId], which: Which, doing: Doing) -> usize {
        let (at, mut put_back) = (self.at(), 0);
        let mut tried = BTreeSet::new();
        for event in events {
            let Some(one) = self.subscribers.get(name).filter(|one| !one.is_forgotten) else { return 0 };
            let told = one.deliveries.get(event);
            let is_meant = match told.map(|told| (told.standing, told.due_ms)) {
                None => {
                    let known = self.events.get(event).filter(|known| !known.is_let_go);
                    matches!(which, Which::All | Which::Missing) && known.is_some_and(|known| one.wants(&known.event))
                }
                Some((Standing::Pending, due)) => {
                    matches!(which, Which::All | Which::Waiting) && due.is_some_and(|due| due > at.0)
                }
                Some((Standing::Done, _)) => which == Which::All,
                Some((Standing::Dead, _)) => matches!(which, Which::All | Which::Dead),
                Some((Standing::Running, _)) => false,
            };
            // What was put back waits, and is not put back again.
            if !is_meant || !tried.insert(*event) {
                continue;
            }
            put_back += 1;
            if doing == Doing::ForReal {
                self.put_one_back(name, *event);
            }
        }
        put_back
    }

    fn put_one_back(&mut self, name: &str, event: EventId) {
        let at = self.at();
        let Some(one) = self.subscribers.get_mut(name) else { return };
        match one.deliveries.get_mut(&event).map(|told| (told.standing, told)) {
            None => self.deliver(name, event, Line::ByHand),
            Some((Standing::Pending, told)) => (told.due_ms, told.since) = (Some(at.0), at.1),
            Some((standing, _)) => {
                one.wait_anew(event, Some(Line::ByHand), at);
                one.take_off_track(u64::from(standing == Standing::Done), u64::from(standing == Standing::Dead));
            }
        }
    }

    /// Dead deliveries are dropped. Gives how many.
    pub fn drop_dead(&mut self, name: &str, events: &[EventId]) -> usize {
        let Some(one) = self.subscribers.get_mut(name) else { return 0 };
        let before = one.deliveries.len();
        one.deliveries.retain(|event, told| told.standing != Standing::Dead || !events.contains(event));
        let dropped = before - one.deliveries.len();
        one.take_off_track(0, dropped as u64);
        dropped
    }

    /// Somebody is held, or goes on. Gives whether there is one.
    pub fn pause(&mut self, name: &str, is_paused: bool) -> bool {
        self.subscribers.get_mut(name).map(|one| one.is_paused = is_paused).is_some()
    }

    /// A registered subscriber wants these from now on.
    pub fn register_wants(&mut self, name: &str, patterns: Vec<Pattern>, slots: usize) {
        let slots = if self.is_resting { 0 } else { slots };
        let one = self.subscribers.entry(name.to_owned()).or_default();
        (one.patterns, one.slots, one.is_forgotten, one.held_until_ms) = (patterns, slots, false, 0);
        if let Some(track) = &mut one.track {
            track.failing_since_ms = None;
        }
    }

    /// It wants nothing new.
    pub fn register_waits(&mut self, name: &str) {
        if let Some(one) = self.subscribers.get_mut(name) {
            (one.patterns, one.slots) = (Vec::new(), 0);
        }
    }

    /// It wants nothing ever again.
    pub fn register_ends(&mut self, name: &str) {
        self.register_waits(name);
        let Some(one) = self.subscribers.get_mut(name) else { return };
        (one.is_forgotten, one.passed_by) = (true, BTreeMap::new());
        let waits = one.deliveries.values_mut().filter(|told| told.standing == Standing::Pending);
        let dead = waits.map(|told| told.standing = Standing::Dead).count() as u64;
        if let Some(track) = &mut one.track {
            track.dead += dead;
        }
    }

    pub fn restart(&mut self) {
        (self.is_resting, self.began_ms) = (false, self.now);
        let names: Vec<String> = self.subscribers.keys().cloned().collect();
        for name in &names {
            let running =
                self.subscribers[name].deliveries.iter().filter(|(_, told)| told.standing == Standing::Running);
            let running: Vec<EventId> = running.map(|(event, _)| *event).collect();
            running.into_iter().for_each(|event| self.lose(name, event));
            if let Some(one) = self.subscribers.get_mut(name) {
                (one.slots, one.held_until_ms, one.passed_by) = (0, 0, BTreeMap::new());
            }
        }
        let records = &self.records;
        // Of a webhook that was taken out and has no delivery, nothing is left.
        self.subscribers.retain(|name, one| {
            let id = name.strip_prefix("webhook:");
            !is_webhook(name) || !one.deliveries.is_empty() || id.is_some_and(|id| records.contains_key(id))
        });
    }
}
