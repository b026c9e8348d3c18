//! What the writer does beside the path of an event: subscriptions, and letting go of what is old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::store::StoreError;
use super::subscriber::Subscriber;
use super::writer::{
    CHECKPOINT_BYTES, Subscription, THIN_KEYS_EVERY, TIDY_EVENTS, TIDY_EVERY, Writer, oldest, only_not_now,
};
use crate::event::{EventId, Pattern, UnixMs, now_ms};

impl Writer {
    /// What waits for a plugin that does not run, waits on disk.
    pub(super) fn set_slots(&mut self, n: usize, slots: usize) {
        let slots = if self.resting { 0 } else { slots };
        let subscriber = &mut self.subscribers[n];
        subscriber.slots = slots;
        if slots == 0 && !subscriber.ready.is_empty() {
            let loaded = subscriber.ready.drain(..).filter_map(|ready| ready.loaded);
            self.ready_bytes = self.ready_bytes.saturating_sub(loaded.map(|event| event.bytes()).sum());
            subscriber.is_due_at(now_ms());
        }
    }

    /// Tries again what could not be written.
    pub(super) fn subscribe_held(&mut self) -> Result<(), StoreError> {
        while let Some(subscription) = self.held_subscriptions.pop() {
            match self.subscribe(&subscription) {
                Err(StoreError::NotNow(_)) => {
                    self.store.roll_back();
                    self.held_subscriptions.push(subscription);
                    return Ok(());
                }
                written => written?,
            }
        }
        Ok(())
    }

    pub(super) fn subscribe(&mut self, subscription: &Subscription) -> Result<(), StoreError> {
        let Subscription { subscriber: name, patterns, slots } = subscription;
        let known = self.find(name);
        let Some(patterns) = patterns.clone().or_else(|| known.map(|n| self.subscribers[n].patterns.clone())) else {
            return Ok(());
        };
        let is_new = known.is_none_or(|n| {
            let one = &self.subscribers[n];
            one.gone_at_ms.is_some() || one.patterns != patterns
        });
        if is_new {
            self.store.begin()?;
            let id = self.store.subscribe(name, &patterns)?;
            self.store.commit()?;
            self.subscribed(id, name, patterns, *slots);
        } else if let Some(n) = known {
            self.set_slots(n, *slots);
        }
        Ok(())
    }

    /// Somebody's subscriptions are on disk.
    pub(super) fn subscribed(&mut self, id: i64, name: &Arc<str>, patterns: Vec<Pattern>, slots: usize) {
        match self.find(name) {
            Some(n) => {
                let one = &mut self.subscribers[n];
                (one.patterns, one.gone_at_ms, one.is_forgotten) = (patterns, None, false);
                self.set_slots(n, slots);
            }
            None => {
                let n = self.add(Subscriber::new(id, name.clone(), patterns, 0));
                self.set_slots(n, slots);
            }
        }
    }

    /// Lets go of what has been kept long enough, a little at a time.
    pub(super) fn tidy(&mut self) -> Result<(), StoreError> {
        if Instant::now() < self.tidy_at {
            return Ok(());
        }
        let now = now_ms();
        self.store.checkpoint(CHECKPOINT_BYTES / 4).or_else(only_not_now)?;
        self.forget_gone(now).or_else(only_not_now)?;
        let before = oldest(now, self.keep.events);
        let came_to = match self.delete_old(before) {
            Err(StoreError::NotNow(_)) => {
                self.store.roll_back();
                None
            }
            came_to => came_to?,
        };
        let expired = match self.delete_expired(now) {
            Err(StoreError::NotNow(_)) => {
                self.store.roll_back();
                0
            }
            expired => expired?,
        };
        self.tidied_to = came_to.unwrap_or(EventId::from_i64(0));
        // At once where there is more to do and nobody waits, after a while where not.
        self.tidy_at = Instant::now()
            + if came_to.is_some() || expired == TIDY_EVENTS { Duration::from_millis(20) } else { TIDY_EVERY };
        if Instant::now() >= self.thin_at {
            self.seen.forget_before(now.saturating_sub(self.keep.repeat_keys.as_millis() as UnixMs));
            self.thin_at = Instant::now() + THIN_KEYS_EVERY;
        }
        Ok(())
    }

    fn delete_expired(&mut self, now: UnixMs) -> Result<usize, StoreError> {
        self.store.begin()?;
        let expired = self.store.delete_expired(now, TIDY_EVENTS)?;
        self.store.commit()?;
        Ok(expired)
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
            if subscriber.gone_at_ms.is_some_and(|gone| gone < long_ago) && !subscriber.is_forgotten {
                tracing::warn!(subscriber = %subscriber.name, "{}: gone, or not active, for keep_subscriptions_s: what waits for it is given up", subscriber.name);
                self.store.forget(subscriber.id)?;
                subscriber.forgotten();
            }
        }
        Ok(())
    }
}
