//! What an operator does by hand: has events delivered again, drops what is dead, holds a subscriber.

use std::sync::Arc;

use super::columns::State;
use super::records::Note;
use super::store::{IN_LANE, Result, StoreError};
use super::subscriber::BY_HAND;
use super::writer::Writer;
use crate::event::EventId;

/// Why nothing is put back: senders would be refused for what an operator does.
const NO_ROOM: &str =
    "so many deliveries wait that no more are put back: the last tenth of open_deliveries is for what comes in";

/// Which deliveries of the events that are named are put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that are over or wait for their next attempt, and those that there never were.
    All,
    /// Only those that are dead.
    Dead,
    /// Only those that there never were.
    Missing,
    /// Only those that wait for their next attempt.
    Waiting,
}

/// Whether something is done, or only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It is done.
    ForReal,
    /// It is found out what would be done.
    OnTrial,
}

/// Events that subscribers are to get again, or for the first time.
#[derive(Debug, Clone)]
pub struct PuttingBack {
    /// Their names.
    pub subscribers: Vec<Arc<str>>,
    /// The events, at most 1,024.
    pub events: Vec<EventId>,
    /// Which of their deliveries.
    pub which: Which,
    /// Whether that is done.
    pub doing: Doing,
}

/// Dead deliveries that are to be dropped.
#[derive(Debug, Clone)]
pub(super) struct Dropping {
    pub subscriber: Arc<str>,
    pub events: Vec<EventId>,
}

impl Writer {
    /// Puts deliveries back, all of them or none. Gives how many of each; see [`super::Queue::put_back`].
    pub(super) fn put_back(&mut self, putting: &PuttingBack) -> Result<Vec<usize>> {
        let before = self.store.open_deliveries();
        self.store.begin()?;
        let counts = putting.subscribers.iter().map(|subscriber| self.put_back_for(subscriber, putting));
        let counts = counts.collect::<Result<_>>()?;
        if putting.doing == Doing::OnTrial {
            self.store.roll_back();
            return Ok(counts);
        }
        self.leaves_room(before)?;
        self.store.commit()?;
        Ok(counts)
    }

    fn put_back_for(&mut self, subscriber: &str, putting: &PuttingBack) -> Result<usize> {
        let PuttingBack { events, which, .. } = putting;
        let there = |n: &usize| !self.subscribers[*n].is_forgotten;
        let Some(n) = self.find(subscriber).filter(there) else { return Ok(0) };
        let (number, mut undone, mut revived, mut put_back) = (self.subscribers[n].id, 0, 0, 0);
        for event in events {
            let stands = self.store.standing_of(number, *event)?;
            let is_put_back = self.put_one_back(n, *event, stands, *which)?;
            put_back += usize::from(is_put_back);
            if let (Some((state, _)), true) = (stands, is_put_back) {
                undone += u64::from(state == State::Done);
                revived += u64::from(state == State::Dead);
            }
        }
        self.store.take_off_track(number, undone, revived)?;
        Ok(put_back)
    }

    /// Whether enough room is left for what comes in, where more deliveries are open now than before.
    fn leaves_room(&self, before: u64) -> Result<()> {
        let (open, most) = (self.store.open_deliveries(), self.keep.open_deliveries);
        match open > before && open > most - most / 10 {
            true => Err(StoreError::NotNow(NO_ROOM)),
            false => Ok(()),
        }
    }

    fn put_one_back(&mut self, n: usize, event: EventId, stands: Option<(State, u64)>, which: Which) -> Result<bool> {
        let (number, now) = (self.subscribers[n].id, self.now);
        match (stands, which) {
            (Some((State::Waiting, due)), Which::All | Which::Waiting) if due > now && due != IN_LANE => {
                let line = self.store.hurry(number, event, now)?;
                self.subscribers[n].is_due_at(line, now);
            }
            (Some((State::Done, _)), Which::All) | (Some((State::Dead, _)), Which::All | Which::Dead) => {
                if !self.store.has_body(event)? {
                    return Ok(false);
                }
                self.wait_anew(n, event, Some(BY_HAND))?;
            }
            (None, Which::All | Which::Missing) if self.would_get(n, event)? => self.deliver_late(n, event)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether an event is kept that a subscriber asked for.
    fn would_get(&self, n: usize, event: EventId) -> Result<bool> {
        let Some((source, provider, event_type)) = self.store.kind_of(event)? else { return Ok(false) };
        let wanted = |pattern: &crate::event::Pattern| pattern.matches(&source, &provider, &event_type);
        Ok(self.subscribers[n].patterns.iter().any(wanted) && self.store.has_body(event)?)
    }

    /// Drops dead deliveries: nothing is left of them but their attempts. Gives how many.
    pub(super) fn drop_dead(&mut self, dropping: &Dropping) -> Result<usize> {
        let Some(n) = self.find(&dropping.subscriber) else { return Ok(0) };
        let number = self.subscribers[n].id;
        self.store.begin()?;
        let mut dropped = 0;
        for event in &dropping.events {
            dropped += self.store.drop_dead(number, *event)?;
        }
        self.store.take_off_track(number, 0, dropped as u64)?;
        self.store.commit()?;
        Ok(dropped)
    }

    /// Holds a subscriber, durably, or lets it go on. Gives whether there is one.
    pub(super) fn pause(&mut self, subscriber: &str, is_paused: bool, note: Option<&Note>) -> Result<bool> {
        let Some(n) = self.find(subscriber) else { return Ok(false) };
        self.store.begin()?;
        self.store.set_paused(self.subscribers[n].id, is_paused.then_some(self.now))?;
        note.map(|note| self.store.note(self.now, None, note)).transpose()?;
        self.store.commit()?;
        note.into_iter().for_each(Note::say);
        let subscriber = &mut self.subscribers[n];
        subscriber.is_paused = is_paused;
        if is_paused {
            // What waits, waits on disk: others need the memory.
            self.ready_bytes = self.ready_bytes.saturating_sub(subscriber.forget_ready(self.now));
        }
        Ok(true)
    }

    /// Notes what somebody changes, or what became of it; see [`super::Queue::note`].
    pub(super) fn note(&mut self, number: Option<i64>, note: &Note) -> Result<i64> {
        self.store.begin()?;
        let number = self.store.note(self.now, number, note)?;
        self.store.commit()?;
        note.say();
        Ok(number)
    }
}
