//! What one commit writes: verdicts, events with their first deliveries, and claims.

use std::sync::Arc;

use super::columns::State;
use super::lanes::lane;
use super::retention::DAY_MS;
use super::settling::{Kept, Settling};
use super::store::{Begins, IN_LANE, StoreError};
use super::subscriber::{BY_HAND, Ready, Subscriber};
use super::writer::{Accepted, Group, READY, READY_BYTES, REFILL, Writer, Written, not_run};
use super::{Delivery, Receipt, Settlement};
use crate::attempt::Outcome;
use crate::effects::{CAUSE, DEPTH, Effects, Emitted, PLUGIN};
use crate::event::{Event, EventId, NewEvent, UnixMs};
use crate::schedule::Verdict;

impl Writer {
    /// Writes a group as a whole, and notes what it did.
    pub(super) fn write_all(&mut self, group: &Group, written: &mut Written) -> Result<(), StoreError> {
        self.store.begin()?;
        self.refusing.set_full(self.why_full());
        for (n, settling) in group.settles.iter().enumerate() {
            self.write_settling(n, settling, written)?;
        }
        for (events, _) in &group.accepts {
            let accepted = self.write_request(events, written)?;
            written.accepted.push(accepted);
        }
        for n in 0..self.subscribers.len() {
            self.write_claims(n, written)?;
        }
        for (n, track) in &written.tracks {
            self.store.add_track(self.subscribers[*n].id, track)?;
        }
        self.store.commit()
    }

    /// Writes the events of one request down, all of them, or none where there is no room for what is new.
    fn write_request(&mut self, events: &[NewEvent], written: &mut Written) -> Result<Accepted, StoreError> {
        if let Some(why) = self.refusing.full() {
            // A repeat takes no room.
            let firsts: Option<Vec<EventId>> =
                events.iter().map(|event| self.first_of(event)).collect::<Result<_, _>>()?;
            let Some(firsts) = firsts else { return Ok(Err(why)) };
            firsts.iter().try_for_each(|first| self.put_dead_back(*first))?;
            return Ok(Ok(firsts.into_iter().map(|id| Receipt { id, duplicate: true }).collect()));
        }
        events.iter().map(|event| self.write_event(event, written)).collect::<Result<_, _>>().map(Ok)
    }

    pub(super) fn write_event(&mut self, event: &NewEvent, written: &mut Written) -> Result<Receipt, StoreError> {
        if let Some(first) = self.first_of(event)? {
            self.put_dead_back(first)?;
            return Ok(Receipt { id: first, duplicate: true });
        }
        let id = EventId::next(self.last_id, self.id_time(event.received_at_ms), self.salts.next());
        self.last_id = id;
        self.came_in += 1;
        let wanting: Vec<usize> = (0..self.subscribers.len()).filter(|n| self.subscribers[*n].wants(event)).collect();
        let line = self.store.insert_event(id, event, wanting.len())?;
        if let Some(key) = event.repeat_key {
            self.seen.insert(&key, id, self.now);
            written.keys.push(key);
        }
        self.fanout = (self.fanout * 7 + wanting.len()) / 8;
        let mut loaded: Option<Arc<Event>> = None;
        for n in wanting {
            let lane = self.subscribers[n].lane_of(event).map(lane);
            let event = loaded.get_or_insert_with(|| Arc::new(event.clone().accepted(id)));
            self.write_delivery(n, event.clone(), (line, lane), written)?;
        }
        Ok(Receipt { id, duplicate: false })
    }

    /// The time that an event's id tells: when it was received by the wall clock, where that may be right. It may be ahead of ours, which
    /// may have begun with a clock that was behind; one that is far ahead would have all later ids tell its time. None is told to be
    /// older than it is by our time.
    fn id_time(&self, received_at_ms: UnixMs) -> UnixMs {
        let may_be = self.now.saturating_sub(BEHIND_MS)..self.now + AHEAD_MS;
        if may_be.contains(&received_at_ms) { received_at_ms } else { self.now }
    }

    /// The event that this is a repeat of.
    fn first_of(&self, event: &NewEvent) -> Result<Option<EventId>, StoreError> {
        let Some(key) = event.repeat_key else { return Ok(None) };
        let Some(first) = self.seen.find(&key) else { return Ok(None) };
        Ok(self.store.has_repeat_key(first, &key)?.then_some(first))
    }

    /// A first delivery: begun at once where the plugin is free and nothing waits before it, which saves a commit.
    fn write_delivery(
        &mut self,
        n: usize,
        event: Arc<Event>,
        (line, lane): (i64, Option<i64>),
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let (subscriber, id, now) = (&self.subscribers[n], event.id, self.now);
        if let Some(lane) = lane
            && !self.store.enter_lane(subscriber.id, lane, id)?
        {
            let begins =
                Begins { state: State::Waiting, attempt: 0, earlier: 0, due_ms: IN_LANE, line, lane: Some(lane) };
            return self.store.insert_delivery(subscriber.id, id, begins);
        }
        if subscriber.has_slot(now) && !subscriber.is_waited_for(now) && self.has_room(subscriber) {
            let begins = Begins { state: State::Running, attempt: 1, earlier: 0, due_ms: now, line, lane };
            self.store.insert_delivery(subscriber.id, id, begins)?;
            self.begun(n, event.bytes());
            let subscriber = self.subscribers[n].name.clone();
            let delivery = Delivery { subscriber, attempt: 1, earlier: 0, due_ms: now, line, lane, event };
            written.claimed.push((n, delivery));
            return Ok(());
        }
        let begins = Begins { state: State::Waiting, attempt: 0, earlier: 0, due_ms: now, line, lane };
        self.store.insert_delivery(subscriber.id, id, begins)?;
        let subscriber = &mut self.subscribers[n];
        let has_slots = subscriber.slots > 0 && !subscriber.is_paused;
        let waiting = subscriber.line(line);
        // What cannot run soon waits on disk.
        if has_slots && waiting.ready.len() < READY && !waiting.is_behind(now) {
            let fits = self.ready_bytes + event.bytes() <= READY_BYTES;
            self.ready_bytes += if fits { event.bytes() } else { 0 };
            let loaded = fits.then_some(event);
            waiting.ready.push_back(Ready { event: id, attempts: 0, earlier: 0, due_ms: now, lane, loaded });
        } else {
            subscriber.is_due_at(line, now);
        }
        Ok(())
    }

    /// A first delivery of an event that was accepted before.
    pub(super) fn deliver_late(&mut self, n: usize, event: EventId) -> Result<(), StoreError> {
        let (id, now) = (self.subscribers[n].id, self.now);
        let value = match self.subscribers[n].ordered_by.clone() {
            Some(attribute) => self.store.attribute(event, &attribute)?,
            None => None,
        };
        let lane = value.as_deref().map(lane);
        let is_free = lane.map(|lane| self.store.enter_lane(id, lane, event)).transpose()?.unwrap_or(true);
        let due_ms = if is_free { now } else { IN_LANE };
        // One that was dropped left its attempts, which keep their numbers.
        let attempt = self.store.last_attempt(id, event)?;
        let begins = Begins { state: State::Waiting, attempt, earlier: attempt, due_ms, line: BY_HAND, lane };
        self.store.insert_delivery(id, event, begins)?;
        if is_free {
            self.subscribers[n].is_due_at(BY_HAND, now);
        }
        Ok(())
    }

    /// A repeat of an event runs nothing again, but for those that had given up on it.
    fn put_dead_back(&mut self, event: EventId) -> Result<(), StoreError> {
        for id in self.store.dead_of(event)? {
            let is_there = |one: &Subscriber| one.id == id && !one.patterns.is_empty();
            if let Some(n) = self.subscribers.iter().position(is_there) {
                self.wait_anew(n, event, None)?;
                self.store.take_off_track(id, 0, 1)?;
            }
        }
        Ok(())
    }

    /// A delivery that was over waits anew: in its lane, if it has one, and in its line or in another.
    pub(super) fn wait_anew(&mut self, n: usize, event: EventId, line: Option<i64>) -> Result<(), StoreError> {
        let (id, now) = (self.subscribers[n].id, self.now);
        let is_free = match self.store.lane_of(id, event)? {
            Some(lane) => self.store.enter_lane(id, lane, event)?,
            None => true,
        };
        let line = self.store.put_back(id, event, if is_free { now } else { IN_LANE }, line)?;
        if is_free {
            self.subscribers[n].is_due_at(line, now);
        }
        Ok(())
    }

    /// A delivery is over: the next of its lane may begin.
    pub(super) fn leave_lane(&mut self, n: usize, lane: Option<i64>, event: EventId) -> Result<(), StoreError> {
        let Some(lane) = lane else { return Ok(()) };
        let now = self.now;
        if let Some(line) = self.store.leave_lane(self.subscribers[n].id, lane, event, now)? {
            self.subscribers[n].is_due_at(line, now);
        }
        Ok(())
    }

    /// Writes what became of a delivery together with all that the call wants kept, or nothing of it.
    fn write_settling(&mut self, settle: usize, settling: &Settling, written: &mut Written) -> Result<(), StoreError> {
        let now = self.now;
        let Some(n) = self.find(&settling.subscriber) else {
            // Whoever wants something kept must not believe that it is.
            written.overtaken.push(settle);
            return Ok(());
        };
        let id = self.subscribers[n].id;
        if let Settlement::Answered { .. } = &settling.settlement
            && self.store.has_attempt(id, settling.event, ANSWER)?
        {
            // The sender asked again: what the first answer did is done.
            return Ok(());
        }
        if let Some(Kept { effects, .. }) = &settling.kept {
            if self.store.is_overtaken(id, effects, now)? {
                written.overtaken.push(settle);
                return Ok(());
            }
            self.store.remember(id, effects)?;
            for emitted in &effects.emitted {
                let event = emitted_event(&settling.subscriber, settling.event, effects, emitted, self.wall);
                self.write_event(&event, written)?;
            }
        }
        match &settling.settlement {
            Settlement::Answered { attempt } => self.store.insert_attempt(id, settling.event, ANSWER, attempt),
            _ => self.write_settlement(n, settling, written),
        }
    }

    fn write_settlement(&mut self, n: usize, settling: &Settling, written: &mut Written) -> Result<(), StoreError> {
        let Settling { event, attempt: number, settlement, bytes, line, lane, .. } = settling;
        let (event, number, now) = (*event, *number, self.now);
        let subscriber = &mut self.subscribers[n];
        let (state, attempts, due) = match settlement {
            // It has no delivery.
            Settlement::Answered { .. } => return Ok(()),
            Settlement::Returned => (State::Waiting, number - 1, now),
            Settlement::Judged { verdict: Verdict::Done, .. } => (State::Done, number, now),
            Settlement::Judged { verdict: Verdict::Dead, .. } => (State::Dead, number, now),
            Settlement::Judged { verdict: Verdict::Again { at_ms }, .. } => (State::Waiting, number, *at_ms),
        };
        let is_forgotten = state == State::Waiting && subscriber.is_forgotten;
        let state = if is_forgotten { State::Dead } else { state };
        self.store.move_delivery(subscriber.id, event, state, attempts, due)?;
        if let Settlement::Judged { attempt, .. } = settlement {
            self.store.insert_attempt(subscriber.id, event, number, attempt)?;
            if subscriber.is_webhook {
                written.tracks.entry(n).or_default().add(number, attempt, state == State::Dead);
            }
        }
        match state {
            State::Waiting => subscriber.is_due_at(*line, due),
            _ => self.leave_lane(n, *lane, event)?,
        }
        self.ended(n, *bytes);
        written.settled.push((n, *bytes));
        Ok(())
    }

    /// Begins as many waiting deliveries of a plugin as it has slots, of its lines in turn.
    fn write_claims(&mut self, n: usize, written: &mut Written) -> Result<(), StoreError> {
        let now = self.now;
        while self.subscribers[n].has_slot(now) && self.has_room(&self.subscribers[n]) {
            let Some(place) = self.subscribers[n].next_line(now) else { return Ok(()) };
            if self.subscribers[n].lines[place].ready.is_empty() {
                self.refill(n, place)?;
            }
            let line = &mut self.subscribers[n].lines[place];
            let number = line.number;
            if let Some(ready) = line.ready.pop_front() {
                self.write_claim(n, number, ready, written)?;
            }
        }
        Ok(())
    }

    fn write_claim(&mut self, n: usize, line: i64, ready: Ready, written: &mut Written) -> Result<(), StoreError> {
        let (subscriber, now) = (&self.subscribers[n], self.now);
        let (number, earlier, due_ms, lane) = (ready.attempts + 1, ready.earlier, ready.due_ms, ready.lane);
        if let Some(event) = &ready.loaded {
            self.ready_bytes = self.ready_bytes.saturating_sub(event.bytes());
        }
        let event = match ready.loaded.map(Ok).unwrap_or_else(|| self.store.event(ready.event).map(Arc::new)) {
            Err(StoreError::Damaged(id)) => {
                tracing::error!(event = %id, subscriber = %subscriber.name, "the stored body is damaged, so it is not delivered");
                self.store.move_delivery(subscriber.id, id, State::Dead, number, now)?;
                self.store.insert_attempt(subscriber.id, id, number, &not_run(Outcome::Damaged, now))?;
                return self.leave_lane(n, lane, id);
            }
            event => event?,
        };
        self.store.move_delivery(subscriber.id, event.id, State::Running, number, now)?;
        let subscriber = subscriber.name.clone();
        self.begun(n, event.bytes());
        written.claimed.push((n, Delivery { subscriber, attempt: number, earlier, due_ms, line, lane, event }));
        Ok(())
    }

    /// Reads waiting deliveries of a line that are due from disk.
    fn refill(&mut self, n: usize, place: usize) -> Result<(), StoreError> {
        let (id, now) = (self.subscribers[n].id, self.now);
        let line = &mut self.subscribers[n].lines[place];
        let due = self.store.due(id, line.number, now, REFILL)?;
        let all = due.len() < REFILL;
        line.next_due_ms = if all { self.store.next_due_after(id, line.number, now)? } else { Some(now) };
        line.ready.extend(due.into_iter().map(|stored| Ready {
            event: stored.event,
            attempts: stored.attempts,
            earlier: stored.earlier,
            due_ms: stored.due_ms,
            lane: stored.lane,
            loaded: None,
        }));
        Ok(())
    }
}

/// The number under which the answer to a sender is kept: no attempt of a delivery has it.
const ANSWER: u32 = 0;

/// An event that a plugin made while it handled another.
fn emitted_event(plugin: &Arc<str>, cause: EventId, effects: &Effects, emitted: &Emitted, now: UnixMs) -> NewEvent {
    let own = [(DEPTH, effects.depth.to_string()), (CAUSE, cause.to_string())];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    NewEvent {
        source: format!("{PLUGIN}:{plugin}").into(),
        provider: PLUGIN.into(),
        event_type: emitted.event_type.as_str().into(),
        received_at_ms: now,
        received: std::time::Instant::now(),
        attributes: emitted.attributes.iter().cloned().chain(own).collect(),
        payload: emitted.payload.clone(),
        headers: None,
        // The commit that has it also says that the call is over: it cannot come again.
        repeat_key: None,
        trace: effects.trace,
    }
}

/// By how much the wall clock may be behind ours, and ahead of it, for ids to tell its time.
const BEHIND_MS: UnixMs = 60_000;
const AHEAD_MS: UnixMs = 7 * DAY_MS;
