//! What is old: which events may go, when they must have gone, and what is left of them.

use std::time::Duration;

use anyhow::{bail, ensure};
use hookgate::event::{EventId, NewEvent, UnixMs};
use hookgate::queue::{Keep, Wanted, Went};

use super::Engine;
use super::desk::{self, OPEN};
use super::model::{Known, Model};
use super::settling::ANSWER;
use super::told::Told;
use super::verbs::Verb;
use super::world::World;

const DAY_MS: UnixMs = 86_400_000;

/// How long events are kept, and how long their keys tell repeats.
const EVENTS_MS: UnixMs = 2 * DAY_MS;
const KEYS_MS: UnixMs = 4 * DAY_MS;

/// How many moments of what length it may take until all is gone that is old.
const MOMENTS: usize = 100;
const MOMENT_MS: UnixMs = 1_000;

/// How long what is kept where chance says what happens: subscriptions for ever.
pub(super) fn keep() -> Keep {
    let ms = Duration::from_millis;
    let (events, repeat_keys, subscriptions) = (ms(EVENTS_MS), ms(KEYS_MS), ms(40_000 * DAY_MS));
    Keep { events, repeat_keys, subscriptions, open_deliveries: OPEN as u64, ..desk::keep() }
}

impl Model {
    fn is_older(&self, known: &Known, ms: UnixMs) -> bool {
        known.event.received_at_ms + ms < self.now
    }

    /// The event that came under the same key before: one that must be told, or one that may be, since its key's time is over.
    pub fn first_of(&self, event: &NewEvent, must: bool) -> Option<EventId> {
        let key = event.repeat_key?;
        let first = self.events.iter().rev().find(|(_, known)| known.event.repeat_key == Some(key));
        first.filter(|(_, known)| !must || !self.is_older(known, KEYS_MS)).map(|(id, _)| *id)
    }

    /// The events of which something may go now: old ones with nothing open.
    fn may_go(&self) -> Vec<EventId> {
        let is_open =
            |id: &EventId| self.subscribers.values().any(|one| one.deliveries.get(id).is_some_and(Told::is_open));
        let may = |(id, known): &(&EventId, &Known)| {
            let kept_ms = if known.is_let_go { KEYS_MS } else { EVENTS_MS };
            self.is_older(known, kept_ms) && !is_open(id)
        };
        self.events.iter().filter(may).map(|(id, _)| *id).collect()
    }

    /// An event's body is gone, and its deliveries and attempts with it. That its sender was answered is known as long as its key.
    fn let_go(&mut self, id: EventId) {
        for one in self.subscribers.values_mut() {
            one.deliveries.remove(&id);
            one.history.retain(|(event, number), _| *event != id || *number == ANSWER);
        }
        if let Some(known) = self.events.get_mut(&id) {
            known.is_let_go = true;
        }
    }

    /// Nothing is left of an event.
    fn forget(&mut self, id: EventId) -> anyhow::Result<()> {
        let is_old = self.events.get(&id).is_some_and(|known| self.is_older(known, KEYS_MS));
        ensure!(is_old, "{id} is forgotten, and its key must tell repeats");
        self.let_go(id);
        self.subscribers.values_mut().for_each(|one| one.history.retain(|(event, _), _| *event != id));
        self.events.remove(&id);
        self.forgotten.insert(id);
        Ok(())
    }
}

impl<E: Engine> World<E> {
    /// Time passes without a leap, and then moment by moment until all is gone that is old.
    pub fn age(&mut self, half_days: u8) -> anyhow::Result<()> {
        for _ in 0..half_days {
            self.apply(&Verb::Pass(DAY_MS / 2))?;
        }
        // Where nothing came for long before a start, its time is not believed for a day.
        if self.model.now < self.model.began_ms + DAY_MS {
            return Ok(());
        }
        for _ in 0..MOMENTS {
            if self.model.may_go().is_empty() {
                return Ok(());
            }
            self.apply(&Verb::Pass(MOMENT_MS))?;
        }
        bail!("{:?} are old, and do not go", self.model.may_go())
    }

    /// Looks which of the events that may go have gone: in which moment they do is the engine's to say.
    pub fn see_what_went(&mut self) -> anyhow::Result<()> {
        let (may_go, queue) = (self.model.may_go(), self.desk.queue());
        if may_go.is_empty() {
            return Ok(());
        }
        let let_go = self.all_ids(Wanted { went: Some(Went::LetGo), limit: 100, ..Wanted::default() })?;
        for id in may_go {
            if let_go.contains(&id) {
                self.model.let_go(id);
            } else if self.desk.look(queue.show(id)).is_none() {
                self.model.forget(id)?;
            }
        }
        Ok(())
    }
}
