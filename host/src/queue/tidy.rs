//! What the writer does beside the path of an event: subscriptions, and letting go of what is old.

use std::sync::Arc;

use super::store::StoreError;
use super::subscriber::Subscriber;
use super::writer::{
    CHECKPOINT_BYTES, Subscription, THIN_KEYS_EVERY_MS, TIDY_EVENTS, TIDY_EVERY_MS, Writer, oldest, only_not_now,
};
use crate::event::{EventId, Pattern, UnixMs};

/// How soon there is another step where there is more to let go.
const TIDY_ON_MS: UnixMs = 20;

impl Writer {
    /// What waits for a plugin that does not run, waits on disk.
    pub(super) fn set_slots(&mut self, n: usize, slots: usize) {
        let slots = if self.resting { 0 } else { slots };
        let subscriber = &mut self.subscribers[n];
        subscriber.slots = slots;
        if slots == 0 {
            self.ready_bytes = self.ready_bytes.saturating_sub(subscriber.forget_ready(self.now));
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
        let Subscription { subscriber: name, patterns, ordered_by, slots } = subscription;
        let known = self.find(name);
        let Some(patterns) = patterns.clone().or_else(|| known.map(|n| self.subscribers[n].patterns.clone())) else {
            return Ok(());
        };
        let is_new = known.is_none_or(|n| {
            let one = &self.subscribers[n];
            one.gone_at_ms.is_some() || one.patterns != patterns || one.ordered_by != *ordered_by
        });
        if is_new {
            self.store.begin()?;
            let id = self.store.subscribe(name, &patterns)?;
            self.store.set_ordered_by(id, ordered_by.as_deref())?;
            self.store.commit()?;
            self.subscribed(id, name, patterns, *slots);
            if let Some(n) = self.find(name) {
                self.subscribers[n].ordered_by = ordered_by.clone();
            }
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
                let n = self.add(Subscriber::new(id, name.clone(), patterns));
                self.set_slots(n, slots);
            }
        }
    }

    /// Why nothing new is accepted, where the queue is as full as it may be.
    pub(super) fn why_full(&self) -> Option<&'static str> {
        if self.store.open_deliveries() >= self.keep.open_deliveries {
            return Some("as many deliveries wait as may (open_deliveries)");
        }
        let most = self.keep.data_bytes?;
        (self.used_bytes >= most).then_some("the data takes as much room as it may (data_mib)")
    }

    /// Lets go of what has been kept long enough, a little at a time.
    pub(super) fn tidy(&mut self) -> Result<(), StoreError> {
        if self.now < self.tidy_at_ms {
            return Ok(());
        }
        let now = self.now;
        self.store.checkpoint(CHECKPOINT_BYTES / 4).or_else(only_not_now)?;
        let mut more = false;
        for step in [Writer::forget_gone, Writer::let_go, Writer::forget_events, Writer::delete_expired] {
            more |= match step(self) {
                Err(StoreError::NotNow(_)) => {
                    self.store.roll_back();
                    false
                }
                goes_on => goes_on?,
            };
        }
        // Soon where there is more to do, so that whoever waits goes first; after a while where not.
        self.tidy_at_ms = now + if more { TIDY_ON_MS } else { TIDY_EVERY_MS };
        if now >= self.thin_at_ms {
            self.seen.forget_before(now.saturating_sub(self.keep.repeat_keys.as_millis() as UnixMs));
            self.thin_at_ms = now + THIN_KEYS_EVERY_MS;
        }
        Ok(())
    }

    fn delete_expired(&mut self) -> Result<bool, StoreError> {
        self.store.begin()?;
        let expired = self.store.delete_expired(self.now, TIDY_EVENTS)?;
        self.store.commit()?;
        Ok(expired == TIDY_EVENTS)
    }

    /// Lets go of bodies that are old, or the oldest where they are too many. Gives whether there are more.
    fn let_go(&mut self) -> Result<bool, StoreError> {
        self.used_bytes = self.store.used_bytes()?;
        let over = self.keep.bytes.map(|most| self.used_bytes.saturating_sub(most)).filter(|over| *over > 0);
        let (before, bytes) = match over {
            Some(over) => (EventId::from_i64(i64::MAX), over),
            None => (oldest(self.now, self.keep.events), u64::MAX),
        };
        self.store.begin()?;
        let came_to = self.store.let_go(self.let_go_to, before, TIDY_EVENTS, bytes)?;
        self.store.commit()?;
        self.let_go_to = came_to.unwrap_or(EventId::from_i64(0));
        Ok(came_to.is_some())
    }

    /// Forgets events whose bodies are gone and whose keys tell no repeats any more. Gives whether there are more.
    fn forget_events(&mut self) -> Result<bool, StoreError> {
        let before = oldest(self.now, self.keep.events.max(self.keep.repeat_keys));
        self.store.begin()?;
        let came_to = self.store.forget_events(self.forgot_to, before, TIDY_EVENTS)?;
        self.store.commit()?;
        self.forgot_to = came_to.unwrap_or(EventId::from_i64(0));
        Ok(came_to.is_some())
    }

    /// Ends the subscriptions of those that have been gone for long, each as a whole. Gives that there is no more.
    fn forget_gone(&mut self) -> Result<bool, StoreError> {
        let long_ago = self.now.saturating_sub(self.keep.subscriptions.as_millis() as UnixMs);
        for subscriber in &mut self.subscribers {
            if subscriber.gone_at_ms.is_some_and(|gone| gone < long_ago) && !subscriber.is_forgotten {
                tracing::warn!(subscriber = %subscriber.name, "{}: gone, or not active, for keep_subscriptions_s: what waits for it is given up", subscriber.name);
                self.store.begin()?;
                self.store.forget(subscriber.id)?;
                self.store.commit()?;
                subscriber.forgotten();
            }
        }
        Ok(false)
    }
}
