//! A subscriber, a plugin or a webhook, as the writer sees it: what it wants, how much it has in hand, what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::store::StoredSubscriber;
use crate::event::{Event, EventId, NewEvent, Pattern, UnixMs, is_webhook};

/// A subscriber as the writer sees it.
pub(super) struct Subscriber {
    pub id: i64,
    pub name: Arc<str>,
    pub is_webhook: bool,
    pub patterns: Vec<Pattern>,
    pub gone_at_ms: Option<UnixMs>,
    /// Nobody will ever take up what waits for it.
    pub is_forgotten: bool,
    /// Nothing is begun before this time; 0 where it is not held up.
    pub held_until_ms: UnixMs,
    /// How many deliveries it may have in hand, and how many it has.
    pub slots: usize,
    pub running: usize,
    /// Waiting deliveries that are due and in memory, oldest first.
    pub ready: VecDeque<Ready>,
    /// When the first of those that wait on disk only is due.
    pub next_due_ms: Option<UnixMs>,
}

/// A waiting delivery in memory; its event too, while there is room.
pub(super) struct Ready {
    pub event: EventId,
    pub attempts: u32,
    /// Of them, those of earlier rounds.
    pub earlier: u32,
    /// Since when it could have been begun.
    pub due_ms: UnixMs,
    pub loaded: Option<Arc<Event>>,
}

impl Subscriber {
    /// A subscriber that was stored by an earlier process: it has nothing in hand, and all that waits is on disk.
    pub fn stored(stored: StoredSubscriber, next_due_ms: Option<UnixMs>) -> Subscriber {
        let patterns: Vec<Pattern> = stored.patterns.iter().filter_map(|text| text.parse().ok()).collect();
        Subscriber {
            is_forgotten: patterns.is_empty() && stored.gone_at_ms.is_some() && next_due_ms.is_none(),
            gone_at_ms: stored.gone_at_ms,
            next_due_ms,
            ..Subscriber::new(stored.id, stored.name, patterns, 0)
        }
    }

    /// A subscriber that is new.
    pub fn new(id: i64, name: Arc<str>, patterns: Vec<Pattern>, slots: usize) -> Subscriber {
        Subscriber {
            id,
            is_webhook: is_webhook(&name),
            name,
            patterns,
            gone_at_ms: None,
            is_forgotten: false,
            held_until_ms: 0,
            slots,
            running: 0,
            ready: VecDeque::new(),
            next_due_ms: None,
        }
    }

    pub fn wants(&self, event: &NewEvent) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(&event.source, &event.provider, &event.event_type))
    }

    pub fn has_slot(&self, now_ms: UnixMs) -> bool {
        self.running < self.slots && self.held_until_ms <= now_ms
    }

    /// When the next of what waits for it can begin, as far as that is known.
    pub fn next_turn_ms(&self) -> Option<UnixMs> {
        let due = if self.ready.is_empty() { self.next_due_ms } else { Some(0) };
        due.filter(|_| self.running < self.slots).map(|due| due.max(self.held_until_ms))
    }

    /// Its subscriptions ended, on disk too. Its slots are 0, so nothing of it is in memory.
    pub fn forgotten(&mut self) {
        self.patterns.clear();
        self.next_due_ms = None;
        self.is_forgotten = true;
    }

    pub fn is_behind(&self, now_ms: UnixMs) -> bool {
        self.next_due_ms.is_some_and(|due| due <= now_ms)
    }

    pub fn is_due_at(&mut self, at_ms: UnixMs) {
        self.next_due_ms = Some(self.next_due_ms.map_or(at_ms, |due| due.min(at_ms)));
    }
}
