//! What the writer is told beside events and verdicts, each in a commit of its own or in none.

use super::AcceptError;
use super::store::{StoreError, only_not_now};
use super::subscriber::Subscriber;
use super::writer::{Group, Order, POSTING_BYTES, Writer};

impl Writer {
    /// What could not be written now is taken back, and whoever asked is told so.
    fn only_for_now<T>(&mut self, written: Result<T, StoreError>) -> Result<Result<T, AcceptError>, StoreError> {
        match written {
            Err(StoreError::NotNow(why)) => {
                self.store.roll_back();
                Ok(Err(AcceptError::NotNow(why)))
            }
            written => written.map(Ok),
        }
    }

    /// A subscriber's place among all.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Knows a subscriber from now on.
    pub(super) fn add(&mut self, subscriber: Subscriber) -> usize {
        let n = self.subscribers.len();
        self.by_name.insert(subscriber.name.clone(), n);
        self.subscribers.push(subscriber);
        n
    }

    /// How many deliveries somebody may have in hand, and from when on. Who has no slots is not there, and gets none.
    pub(super) fn turn(&mut self, turn: Order) {
        let (subscriber, until_ms, slots) = match turn {
            Order::Hold { subscriber, until_ms, slots } => (subscriber, until_ms, slots),
            Order::Claim { subscriber, slots } => (subscriber, 0, slots),
            _ => return,
        };
        if let Some(n) = self.find(&subscriber).filter(|n| self.subscribers[*n].slots > 0) {
            self.set_slots(n, slots);
            self.subscribers[n].held_until_ms = until_ms;
        }
    }

    /// Whether there is memory for one more delivery of somebody.
    pub(super) fn has_room(&self, subscriber: &Subscriber) -> bool {
        !subscriber.is_webhook || self.posting_bytes < POSTING_BYTES
    }

    /// A delivery is in somebody's hand.
    pub(super) fn begun(&mut self, n: usize, bytes: usize) {
        let subscriber = &mut self.subscribers[n];
        subscriber.running += 1;
        self.posting_bytes += if subscriber.is_webhook { bytes } else { 0 };
    }

    /// It is not any more.
    pub(super) fn ended(&mut self, n: usize, bytes: usize) {
        let subscriber = &mut self.subscribers[n];
        subscriber.running = subscriber.running.saturating_sub(1);
        self.posting_bytes = self.posting_bytes.saturating_sub(if subscriber.is_webhook { bytes } else { 0 });
    }

    /// Does what is no part of a group.
    pub(super) fn obey(&mut self, order: Order) -> Result<(), StoreError> {
        match order {
            Order::Subscribe(subscription, done) => {
                // What it wanted before this does not count any more.
                self.held_subscriptions.retain(|held| held.subscriber != subscription.subscriber);
                let written = self.subscribe(&subscription);
                let told = self.only_for_now(written)?;
                if told.is_err() {
                    self.held_subscriptions.push(subscription);
                }
                let _ = done.send(told);
                self.write(Group::default())?;
            }
            Order::Gone { subscriber } => {
                self.held_subscriptions.retain(|held| held.subscriber != subscriber);
                if let Some(n) = self.find(&subscriber) {
                    self.set_slots(n, 0);
                    let subscriber = &mut self.subscribers[n];
                    // It may have been gone for long when this process began.
                    if subscriber.gone_at_ms.is_none() {
                        subscriber.gone_at_ms = Some(self.now);
                        self.store.set_gone(subscriber.id, subscriber.gone_at_ms).or_else(only_not_now)?;
                    }
                }
            }
            Order::Rest => {
                self.resting = true;
                (0..self.subscribers.len()).for_each(|n| self.set_slots(n, 0));
                self.held_subscriptions.iter_mut().for_each(|held| held.slots = 0);
            }
            Order::PutBack(putting, answer) => {
                let put_back = self.put_back(&putting);
                let _ = answer.send(self.only_for_now(put_back)?);
                self.write(Group::default())?;
            }
            Order::Drop(dropping, answer) => {
                let dropped = self.drop_dead(&dropping);
                let _ = answer.send(self.only_for_now(dropped)?);
            }
            Order::Pause { subscriber, is_paused, note, answer } => {
                let paused = self.pause(&subscriber, is_paused, note.as_ref());
                let _ = answer.send(self.only_for_now(paused)?);
                self.write(Group::default())?;
            }
            Order::Note { number, note, answer } => {
                let noted = self.note(number, &note);
                let _ = answer.send(self.only_for_now(noted)?);
            }
            Order::Register(registration, answer) => {
                let named = registration.subscribing.as_ref().map(|subscribing| subscribing.subscriber().clone());
                self.held_subscriptions.retain(|held| Some(&held.subscriber) != named.as_ref());
                let registered = self.register(registration);
                let _ = answer.send(self.only_for_now(registered)?);
                self.write(Group::default())?;
            }
            Order::Subscribers { answer } => {
                let named = self.subscribers.iter().filter(|one| !one.patterns.is_empty()).map(|one| one.name.clone());
                let _ = answer.send(named.collect());
            }
            // Gathered into groups, or the end.
            Order::Accept { .. }
            | Order::Settle(_)
            | Order::Hold { .. }
            | Order::Claim { .. }
            | Order::Close { .. } => {}
        }
        Ok(())
    }
}
