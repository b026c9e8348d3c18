//! Which deliveries were accepted before: the keys of the last days, in memory.
//!
//! On disk a key is a column of its event's row, written in order. An index of random keys would dirty a page of its own with
//! each event, and cost more bytes than the event itself.

use std::collections::{HashMap, VecDeque};

use super::retention::DAY_MS;
use crate::event::{EventId, RepeatKey, UnixMs};

/// The first half of a key, by which it is found; whether the rest is the same too is asked of the event's row.
type Half = u64;

/// Keys by day, so that old ones go all at once. One takes about 30 bytes.
#[derive(Default)]
pub(super) struct Seen {
    days: VecDeque<(u64, HashMap<Half, EventId>)>,
}

impl Seen {
    /// The event that may have this key.
    pub fn find(&self, key: &RepeatKey) -> Option<EventId> {
        self.days.iter().rev().find_map(|(_, keys)| keys.get(&half(key)).copied())
    }

    /// Remembers the key of an event that was received at a time.
    pub fn insert(&mut self, key: &RepeatKey, event: EventId, at_ms: UnixMs) {
        let day = at_ms / DAY_MS;
        // A clock that goes back finds the newest day, which is kept the longest.
        if self.days.back().is_none_or(|(newest, _)| *newest < day) {
            self.days.push_back((day, HashMap::new()));
        }
        if let Some((_, keys)) = self.days.back_mut() {
            keys.insert(half(key), event);
        }
    }

    /// Forgets a key that was not written down after all.
    pub fn remove(&mut self, key: &RepeatKey) {
        for (_, keys) in self.days.iter_mut().rev() {
            if keys.remove(&half(key)).is_some() {
                return;
            }
        }
    }

    /// Lets go of the days that ended before a time.
    pub fn forget_before(&mut self, oldest_ms: UnixMs) {
        while self.days.front().is_some_and(|(day, _)| (day + 1) * DAY_MS <= oldest_ms) {
            self.days.pop_front();
        }
    }
}

fn half(key: &RepeatKey) -> Half {
    key.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_for_days_and_then_forgotten() {
        let (mut seen, first, second) = (Seen::default(), [1; 16], [2; 16]);
        seen.insert(&first, EventId::first_at(1), 0);
        seen.insert(&second, EventId::first_at(2), 2 * DAY_MS);
        seen.forget_before(DAY_MS - 1);
        assert_eq!(seen.find(&first), Some(EventId::first_at(1)));
        seen.forget_before(DAY_MS);
        assert_eq!(seen.find(&first), None);
        assert_eq!(seen.find(&second), Some(EventId::first_at(2)));
        seen.remove(&second);
        assert_eq!(seen.find(&second), None);
    }
}
