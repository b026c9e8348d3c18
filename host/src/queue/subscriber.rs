//! A plugin as the writer sees it: what it wants, how much it has in hand, what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::store::StoredSubscriber;
use crate::event::{Event, EventId, NewEvent, Pattern, UnixMs};

/// A plugin as the writer sees it.
pub(super) struct Subscriber {
    pub id: i64,
    pub name: Arc<str>,
    pub patterns: Vec<Pattern>,
    pub gone_at_ms: Option<UnixMs>,
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
    pub loaded: Option<Arc<Event>>,
}

impl Subscriber {
    /// A subscriber that was stored by an earlier process: it has nothing in hand, and all that waits is on disk.
    pub fn stored(stored: StoredSubscriber, next_due_ms: Option<UnixMs>) -> Subscriber {
        Subscriber {
            id: stored.id,
            name: stored.name,
            patterns: stored.patterns.iter().filter_map(|text| text.parse().ok()).collect(),
            gone_at_ms: stored.gone_at_ms,
            slots: 0,
            running: 0,
            ready: VecDeque::new(),
            next_due_ms,
        }
    }

    /// A subscriber that is new.
    pub fn new(id: i64, name: Arc<str>, patterns: Vec<Pattern>, slots: usize) -> Subscriber {
        Subscriber {
            id,
            name,
            patterns,
            gone_at_ms: None,
            slots,
            running: 0,
            ready: VecDeque::new(),
            next_due_ms: None,
        }
    }

    pub fn wants(&self, event: &NewEvent) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(&event.source, &event.provider, &event.event_type))
    }

    pub fn has_slot(&self) -> bool {
        self.running < self.slots
    }

    pub fn is_behind(&self, now_ms: UnixMs) -> bool {
        self.next_due_ms.is_some_and(|due| due <= now_ms)
    }

    pub fn is_due_at(&mut self, at_ms: UnixMs) {
        self.next_due_ms = Some(self.next_due_ms.map_or(at_ms, |due| due.min(at_ms)));
    }
}
