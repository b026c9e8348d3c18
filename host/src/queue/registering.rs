//! Who is registered: records, the subscriptions that go with them, and what is told of both, each change as a whole.

use std::sync::Arc;

use super::records::Note;
use super::store::Result;
use super::writer::{Group, Writer, Written};
use crate::event::{NewEvent, Pattern, UnixMs};

/// A change of who is registered. All of it is written, or nothing.
#[derive(Debug)]
pub struct Registration {
    /// What kind of thing it is: `webhook`, `key`.
    pub kind: &'static str,
    /// Which.
    pub id: Arc<str>,
    /// What is kept of it from now on; nothing, where it is taken out.
    pub body: Option<Vec<u8>>,
    /// What it subscribes to from now on, where that changes.
    pub subscribing: Option<Subscribing>,
    /// What is told to whoever subscribed to that.
    pub event: Option<NewEvent>,
    /// Who does it, where that is somebody.
    pub note: Option<Note>,
}

/// What a subscriber that is registered wants from now on.
#[derive(Debug, Clone)]
pub enum Subscribing {
    /// These events, so many of them in hand.
    Wants {
        /// Its name.
        subscriber: Arc<str>,
        /// Which events.
        patterns: Vec<Pattern>,
        /// How many deliveries it may have in hand.
        slots: usize,
    },
    /// Nothing new. What waits for it waits, for as long as the subscriptions of one that is gone are kept.
    Waits {
        /// Its name.
        subscriber: Arc<str>,
    },
    /// Nothing ever again: what waits for it is dead.
    Ends {
        /// Its name.
        subscriber: Arc<str>,
    },
}

impl Subscribing {
    /// Whose subscriptions it is about.
    pub fn subscriber(&self) -> &Arc<str> {
        match self {
            Subscribing::Wants { subscriber, .. }
            | Subscribing::Waits { subscriber }
            | Subscribing::Ends { subscriber } => subscriber,
        }
    }
}

impl Writer {
    /// Writes a change of who is registered.
    pub(super) fn register(&mut self, registration: Registration) -> Result<()> {
        if let Some(Subscribing::Wants { subscriber, .. }) = &registration.subscribing {
            self.may_come(subscriber)?;
        }
        let (now, mut written) = (self.now, Written::default());
        let registered = self.write_registration(&registration, now, &mut written);
        match registered.and_then(|id| self.store.commit().map(|()| id)) {
            Ok(id) => {
                registration.note.iter().for_each(Note::say);
                self.heed(registration.subscribing, id, now);
                self.tell(Group::default(), written);
                Ok(())
            }
            Err(error) => {
                self.take_back(Group::default(), written, "not registered");
                Err(error)
            }
        }
    }

    fn write_registration(
        &mut self,
        registration: &Registration,
        now: UnixMs,
        written: &mut Written,
    ) -> Result<Option<i64>> {
        self.store.begin()?;
        let Registration { kind, id, body, subscribing, event, note } = registration;
        self.store.put_record(kind, id, body.as_deref())?;
        note.as_ref().map(|note| self.store.note(now, None, note)).transpose()?;
        // First, to those who subscribed before: for whoever ends, nothing may begin to wait after its end.
        if let Some(event) = event {
            self.write_event(event, written)?;
        }
        let number = match subscribing {
            Some(Subscribing::Wants { subscriber, patterns, .. }) => {
                let number = self.store.subscribe(subscriber, patterns)?;
                self.store.begin_track_anew(number)?;
                Some(number)
            }
            Some(Subscribing::Waits { subscriber }) => self.write_end(subscriber, Some(now))?,
            Some(Subscribing::Ends { subscriber }) => {
                let number = self.write_end(subscriber, Some(now))?;
                number.map(|number| self.store.forget(number)).transpose()?;
                number
            }
            None => None,
        };
        Ok(number)
    }

    /// Ends somebody's subscriptions, and leaves what waits. Whose end was for ever is not one that waits again.
    fn write_end(&self, subscriber: &str, at_ms: Option<UnixMs>) -> Result<Option<i64>> {
        let Some(one) = self.find(subscriber).map(|n| &self.subscribers[n]) else { return Ok(None) };
        if !one.is_forgotten {
            self.store.subscribe(subscriber, &[])?;
            self.store.set_gone(one.id, at_ms)?;
        }
        Ok(Some(one.id))
    }

    /// What is on disk counts from now on.
    fn heed(&mut self, subscribing: Option<Subscribing>, number: Option<i64>, now: UnixMs) {
        match subscribing {
            Some(Subscribing::Wants { subscriber, patterns, slots }) => {
                if let Some(number) = number {
                    self.subscribed(number, &subscriber, patterns, slots);
                }
                if let Some(n) = self.find(&subscriber) {
                    self.subscribers[n].held_until_ms = 0;
                }
            }
            Some(Subscribing::Waits { subscriber }) => drop(self.end(&subscriber, now)),
            Some(Subscribing::Ends { subscriber }) => {
                if let Some(n) = self.end(&subscriber, now) {
                    self.subscribers[n].forgotten();
                    self.tidy_at_ms = now;
                }
            }
            None => {}
        }
    }

    fn end(&mut self, subscriber: &str, now: UnixMs) -> Option<usize> {
        let n = self.find(subscriber)?;
        self.set_slots(n, 0);
        let one = &mut self.subscribers[n];
        one.patterns.clear();
        one.gone_at_ms = Some(now);
        Some(n)
    }
}
