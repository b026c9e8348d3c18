//! What one commit writes: verdicts, events with their first deliveries, and claims.

use std::sync::Arc;

use super::columns::State;
use super::settling::{Kept, Settling};
use super::store::StoreError;
use super::subscriber::Ready;
use super::writer::{Group, READY, READY_BYTES, REFILL, Writer, Written, not_run};
use super::{Delivery, Receipt, Settlement};
use crate::attempt::Outcome;
use crate::effects::{CAUSE, DEPTH, Effects, Emitted, PLUGIN};
use crate::event::{Event, EventId, NewEvent, UnixMs};
use crate::schedule::Verdict;

impl Writer {
    /// Writes a group as a whole, and notes what it did.
    pub(super) fn write_all(&mut self, group: &Group, now: UnixMs, written: &mut Written) -> Result<(), StoreError> {
        self.store.begin()?;
        for (n, settling) in group.settles.iter().enumerate() {
            self.write_settling(n, settling, now, written)?;
        }
        for (events, _) in &group.accepts {
            let receipts: Result<Vec<_>, _> =
                events.iter().map(|event| self.write_event(event, now, written)).collect();
            written.receipts.push(receipts?);
        }
        for n in 0..self.subscribers.len() {
            self.write_claims(n, now, written)?;
        }
        for (n, track) in &written.tracks {
            self.store.add_track(self.subscribers[*n].id, track)?;
        }
        self.store.commit()
    }

    pub(super) fn write_event(
        &mut self,
        event: &NewEvent,
        now: UnixMs,
        written: &mut Written,
    ) -> Result<Receipt, StoreError> {
        if let Some(first) = self.first_of(event)? {
            self.put_dead_back(first, now)?;
            return Ok(Receipt { id: first, duplicate: true });
        }
        let id = EventId::next(self.last_id, event.received_at_ms, salt());
        self.last_id = id;
        self.store.insert_event(id, event)?;
        if let Some(key) = event.repeat_key {
            self.seen.insert(&key, id, event.received_at_ms);
            written.keys.push(key);
        }
        let (mut loaded, mut wanting): (Option<Arc<Event>>, usize) = (None, 0);
        for n in 0..self.subscribers.len() {
            if self.subscribers[n].wants(event) {
                wanting += 1;
                let event = loaded.get_or_insert_with(|| Arc::new(event.clone().accepted(id)));
                self.write_delivery(n, event.clone(), now, written)?;
            }
        }
        self.fanout = (self.fanout * 7 + wanting) / 8;
        Ok(Receipt { id, duplicate: false })
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
        now: UnixMs,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let subscriber = &self.subscribers[n];
        let (id, nothing_before) = (event.id, subscriber.ready.is_empty() && !subscriber.is_behind(now));
        if subscriber.has_slot(now) && nothing_before && self.has_room(subscriber) {
            self.store.insert_delivery(subscriber.id, id, State::Running, 1, now)?;
            self.begun(n, event.bytes());
            let subscriber = &self.subscribers[n];
            written.claimed.push((
                n,
                Delivery { subscriber: subscriber.name.clone(), attempt: 1, earlier: 0, due_ms: now, event },
            ));
            return Ok(());
        }
        let subscriber = &mut self.subscribers[n];
        self.store.insert_delivery(subscriber.id, id, State::Waiting, 0, now)?;
        // What cannot run soon waits on disk.
        if subscriber.slots > 0 && subscriber.ready.len() < READY && !subscriber.is_behind(now) {
            let fits = self.ready_bytes + event.bytes() <= READY_BYTES;
            self.ready_bytes += if fits { event.bytes() } else { 0 };
            subscriber.ready.push_back(Ready {
                event: id,
                attempts: 0,
                earlier: 0,
                due_ms: now,
                loaded: fits.then_some(event),
            });
        } else {
            subscriber.is_due_at(now);
        }
        Ok(())
    }

    /// A repeat of an event runs nothing again, but for those that had given up on it.
    fn put_dead_back(&mut self, event: EventId, now: UnixMs) -> Result<(), StoreError> {
        for id in self.store.dead_of(event)? {
            let subscriber = self.subscribers.iter_mut().find(|one| one.id == id && !one.patterns.is_empty());
            if let Some(subscriber) = subscriber {
                self.store.put_back(id, event, now)?;
                self.store.take_off_track(id, 0, 1)?;
                subscriber.is_due_at(now);
            }
        }
        Ok(())
    }

    /// Writes what became of a delivery together with all that the call wants kept, or nothing of it.
    fn write_settling(
        &mut self,
        settle: usize,
        settling: &Settling,
        now: UnixMs,
        written: &mut Written,
    ) -> Result<(), StoreError> {
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
                let event = emitted_event(&settling.subscriber, settling.event, effects, emitted, now);
                self.write_event(&event, now, written)?;
            }
        }
        match &settling.settlement {
            Settlement::Answered { attempt } => self.store.insert_attempt(id, settling.event, ANSWER, attempt),
            _ => self.write_settlement(n, settling, now, written),
        }
    }

    fn write_settlement(
        &mut self,
        n: usize,
        settling: &Settling,
        now: UnixMs,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let Settling { event, attempt: number, settlement, bytes, .. } = settling;
        let (event, number) = (*event, *number);
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
        if state == State::Waiting {
            subscriber.is_due_at(due);
        }
        self.ended(n, *bytes);
        written.settled.push((n, *bytes));
        Ok(())
    }

    /// Begins as many waiting deliveries of a plugin as it has slots.
    fn write_claims(&mut self, n: usize, now: UnixMs, written: &mut Written) -> Result<(), StoreError> {
        while self.subscribers[n].has_slot(now) && self.has_room(&self.subscribers[n]) {
            if self.subscribers[n].ready.is_empty() && !self.refill(n, now)? {
                return Ok(());
            }
            let Some(ready) = self.subscribers[n].ready.pop_front() else { return Ok(()) };
            self.write_claim(n, ready, now, written)?;
        }
        Ok(())
    }

    fn write_claim(&mut self, n: usize, ready: Ready, now: UnixMs, written: &mut Written) -> Result<(), StoreError> {
        let subscriber = &mut self.subscribers[n];
        let (number, earlier, due_ms) = (ready.attempts + 1, ready.earlier, ready.due_ms);
        if let Some(event) = &ready.loaded {
            self.ready_bytes = self.ready_bytes.saturating_sub(event.bytes());
        }
        let event = match ready.loaded.map(Ok).unwrap_or_else(|| self.store.event(ready.event).map(Arc::new)) {
            Err(StoreError::Damaged(id)) => {
                tracing::error!(event = %id, subscriber = %subscriber.name, "the stored body is damaged, so it is not delivered");
                self.store.move_delivery(subscriber.id, id, State::Dead, number, now)?;
                return self.store.insert_attempt(subscriber.id, id, number, &not_run(Outcome::Damaged, now));
            }
            event => event?,
        };
        self.store.move_delivery(subscriber.id, event.id, State::Running, number, now)?;
        let subscriber = subscriber.name.clone();
        self.begun(n, event.bytes());
        written.claimed.push((n, Delivery { subscriber, attempt: number, earlier, due_ms, event }));
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
        subscriber.ready.extend(due.into_iter().map(|(event, attempts, earlier, due_ms)| Ready {
            event,
            attempts,
            earlier,
            due_ms,
            loaded: None,
        }));
        Ok(!subscriber.ready.is_empty())
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
        // The commit that has it also says that the call is over: it cannot come again.
        repeat_key: None,
        trace: effects.trace,
    }
}

/// Spreads ids; nothing depends on it being hard to guess.
fn salt() -> u32 {
    let mut bytes = [0u8; 4];
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
