//! A subscriber, a plugin or a webhook, as the writer sees it: what it wants, how much it has in hand, what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::records::StoredSubscriber;
use crate::event::{Event, EventId, NewEvent, Pattern, UnixMs, is_webhook};

/// The line of what an operator put back: it has a turn where no other line has something due.
pub(super) const BY_HAND: i64 = 0;

/// So many turns of others at the most it lets pass while something waits in it, so that it never starves.
const PASSED: u32 = 7;

/// A subscriber as the writer sees it.
pub(super) struct Subscriber {
    pub id: i64,
    pub name: Arc<str>,
    pub is_webhook: bool,
    pub patterns: Vec<Pattern>,
    /// The attribute by which its deliveries are told into lanes.
    pub ordered_by: Option<Arc<str>>,
    pub gone_at_ms: Option<UnixMs>,
    /// Nobody will ever take up what waits for it.
    pub is_forgotten: bool,
    /// Some of that still has to be given up, and until it is, it cannot come back.
    pub leaves_something: bool,
    /// An operator holds it.
    pub is_paused: bool,
    /// Nothing is begun before this time; 0 where it is not held up.
    pub held_until_ms: UnixMs,
    /// How many deliveries it may have in hand, and how many it has.
    pub slots: usize,
    pub running: usize,
    /// What waits for it. Lines take turns, so that a source that floods delays no other.
    pub lines: Vec<Line>,
    /// Whose turn it is.
    turn: usize,
    /// How many turns of others passed by what was put back, while that waited.
    passed: u32,
}

/// What waits for a subscriber from one source.
pub(super) struct Line {
    /// The source's number, or [`BY_HAND`].
    pub number: i64,
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
    pub lane: Option<i64>,
    /// Since when it could have been begun.
    pub due_ms: UnixMs,
    pub loaded: Option<Arc<Event>>,
}

impl Line {
    /// Whether something waits on disk that is due.
    pub fn is_behind(&self, now_ms: UnixMs) -> bool {
        self.next_due_ms.is_some_and(|due| due <= now_ms)
    }

    fn waits(&self, now_ms: UnixMs) -> bool {
        !self.ready.is_empty() || self.is_behind(now_ms)
    }
}

impl Subscriber {
    /// A subscriber that was stored by an earlier process: it has nothing in hand, and all that waits is on disk, in lines with a time
    /// when the first is due.
    pub fn stored(stored: StoredSubscriber, waiting: Vec<(i64, UnixMs)>) -> Subscriber {
        let patterns: Vec<Pattern> = stored.patterns.iter().filter_map(|text| text.parse().ok()).collect();
        let line = |(number, due)| Line { number, ready: VecDeque::new(), next_due_ms: Some(due) };
        Subscriber {
            is_forgotten: stored.is_forgotten(),
            gone_at_ms: stored.gone_at_ms,
            ordered_by: stored.ordered_by,
            is_paused: stored.is_paused,
            lines: waiting.into_iter().map(line).collect(),
            ..Subscriber::new(stored.id, stored.name, patterns)
        }
    }

    /// A subscriber that is new, and is not there yet: it has no slots.
    pub fn new(id: i64, name: Arc<str>, patterns: Vec<Pattern>) -> Subscriber {
        Subscriber {
            id,
            is_webhook: is_webhook(&name),
            name,
            patterns,
            ordered_by: None,
            gone_at_ms: None,
            is_forgotten: false,
            leaves_something: false,
            is_paused: false,
            held_until_ms: 0,
            slots: 0,
            running: 0,
            lines: Vec::new(),
            turn: 0,
            passed: 0,
        }
    }

    pub fn wants(&self, event: &NewEvent) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(&event.source, &event.provider, &event.event_type))
    }

    /// The value by which an event has a lane, where its deliveries are told into lanes and it has one.
    pub fn lane_of<'a>(&self, event: &'a NewEvent) -> Option<&'a str> {
        let wanted = self.ordered_by.as_ref()?;
        event.attributes.iter().find(|(name, _)| **name == **wanted).map(|(_, value)| value.as_str())
    }

    pub fn has_slot(&self, now_ms: UnixMs) -> bool {
        self.running < self.slots && self.held_until_ms <= now_ms && !self.is_paused
    }

    /// Whether something waits that could begin now.
    pub fn is_waited_for(&self, now_ms: UnixMs) -> bool {
        self.lines.iter().any(|line| line.waits(now_ms))
    }

    /// When the next of what waits for it can begin, as far as that is known.
    pub fn next_turn_ms(&self) -> Option<UnixMs> {
        if self.running >= self.slots || self.is_paused {
            return None;
        }
        let due = self.lines.iter().filter_map(|line| if line.ready.is_empty() { line.next_due_ms } else { Some(0) });
        due.min().map(|due| due.max(self.held_until_ms))
    }

    /// The place of the line whose turn it is, of those in which something waits.
    pub fn next_line(&mut self, now_ms: UnixMs) -> Option<usize> {
        let waits = |place: &usize| self.lines[*place].waits(now_ms);
        let is_by_hand = |place: &usize| self.lines[*place].number == BY_HAND;
        let places = (0..self.lines.len()).map(|n| (self.turn + n) % self.lines.len());
        let by_hand = (0..self.lines.len()).find(is_by_hand).filter(waits);
        let other = places.filter(|place| !is_by_hand(place)).find(waits);
        match other {
            Some(place) if by_hand.is_none() || self.passed < PASSED => {
                self.passed = if by_hand.is_some() { self.passed + 1 } else { 0 };
                self.turn = place + 1;
                Some(place)
            }
            _ => {
                self.passed = 0;
                by_hand
            }
        }
    }

    /// A line by its number.
    pub fn line(&mut self, number: i64) -> &mut Line {
        let place = self.lines.iter().position(|line| line.number == number).unwrap_or_else(|| {
            self.lines.push(Line { number, ready: VecDeque::new(), next_due_ms: None });
            self.lines.len() - 1
        });
        &mut self.lines[place]
    }

    /// Its subscriptions ended, on disk too. Its slots are 0, so nothing of it is in memory, and nothing of it begins any more.
    pub fn forgotten(&mut self) {
        self.patterns.clear();
        self.lines.clear();
        (self.is_forgotten, self.leaves_something) = (true, true);
    }

    /// Something waits on disk in a line.
    pub fn is_due_at(&mut self, line: i64, at_ms: UnixMs) {
        let line = self.line(line);
        line.next_due_ms = Some(line.next_due_ms.map_or(at_ms, |due| due.min(at_ms)));
    }

    /// All that waits is read from disk again, from a time on. Gives what was in memory, in bytes.
    pub fn forget_ready(&mut self, at_ms: UnixMs) -> usize {
        let mut bytes = 0;
        for line in self.lines.iter_mut().filter(|line| !line.ready.is_empty()) {
            bytes += line.ready.drain(..).filter_map(|ready| ready.loaded).map(|event| event.bytes()).sum::<usize>();
            line.next_due_ms = Some(line.next_due_ms.map_or(at_ms, |due| due.min(at_ms)));
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Ready {
        Ready { event: EventId::from_i64(1), attempts: 0, earlier: 0, lane: None, due_ms: 0, loaded: None }
    }

    /// The line that has a turn at a time, where one has; it has one less then.
    fn turn(subscriber: &mut Subscriber, now: UnixMs) -> Option<i64> {
        let place = subscriber.next_line(now)?;
        let line = &mut subscriber.lines[place];
        if line.ready.pop_front().is_none() {
            line.next_due_ms = None;
        }
        Some(line.number)
    }

    #[test]
    fn lines_take_turns() {
        let mut subscriber = Subscriber::new(1, "a".into(), Vec::new());
        subscriber.line(7).ready.extend((0..100).map(|_| ready()));
        subscriber.line(8).ready.push_back(ready());
        subscriber.is_due_at(9, 50);
        let turns = [10, 10, 10, 60, 60].map(|now| turn(&mut subscriber, now).unwrap());
        assert_eq!(turns, [7, 8, 7, 9, 7]);
    }

    #[test]
    fn what_was_put_back_has_a_turn_where_nothing_else_waits_and_each_eighth() {
        let mut subscriber = Subscriber::new(1, "a".into(), Vec::new());
        subscriber.line(BY_HAND).ready.extend((0..4).map(|_| ready()));
        assert_eq!(turn(&mut subscriber, 10), Some(BY_HAND));
        subscriber.line(7).ready.extend((0..10).map(|_| ready()));
        subscriber.line(8).ready.extend((0..5).map(|_| ready()));
        let turns: Vec<i64> = std::iter::from_fn(|| turn(&mut subscriber, 10)).collect();
        let (hand, both) = (BY_HAND, [7, 8, 7, 8, 7, 8, 7]);
        assert_eq!(turns, [&both[..], &[hand], &[8, 7, 8, 7, 7, 7, 7], &[hand, 7, hand]].concat());
        // What passed while nothing was put back does not count.
        subscriber.line(7).ready.extend((0..9).map(|_| ready()));
        assert!((0..6).all(|_| turn(&mut subscriber, 10) == Some(7)));
        subscriber.line(BY_HAND).ready.push_back(ready());
        assert!((0..3).all(|_| turn(&mut subscriber, 10) == Some(7)));
    }

    #[test]
    fn who_is_held_by_hand_has_no_turn() {
        let mut subscriber = Subscriber::new(1, "a".into(), Vec::new());
        subscriber.slots = 1;
        subscriber.is_due_at(1, 5);
        assert_eq!(subscriber.next_turn_ms(), Some(5));
        subscriber.is_paused = true;
        assert_eq!(subscriber.next_turn_ms(), None);
        assert!(!subscriber.has_slot(9));
    }
}
