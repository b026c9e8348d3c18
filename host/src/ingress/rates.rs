//! How many requests a second an address and a source may have: as many at once, then evenly.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Refusal;
use crate::listen::party;
use crate::provider::Source;

/// The rates of those who send.
pub struct Rates {
    per_s_by_address: NonZeroU32,
    by_address: Turns<IpAddr>,
    by_source: Turns<Arc<str>>,
}

/// The most addresses that are remembered at a time. One is remembered only while it is ahead of its rate.
const ADDRESSES: usize = 1 << 16;

/// The most sources: more than any config has.
const SOURCES: usize = 1 << 16;

impl Rates {
    /// So many requests a second of each address. What a source may have stands in the source.
    pub fn new(per_s_by_address: NonZeroU32) -> Rates {
        Rates { per_s_by_address, by_address: Turns::new(ADDRESSES), by_source: Turns::new(SOURCES) }
    }

    /// Takes a turn of an address.
    pub(super) fn take_of_address(&self, address: IpAddr) -> Result<(), Refusal> {
        let taken = self.by_address.take(&party(address), self.per_s_by_address, Instant::now());
        taken.map_err(|wait| Refusal::AddressOverRate(whole_seconds(wait)))
    }

    /// Takes a turn of a source, where it has a rate. The rate may be another each time.
    pub(super) fn take_of_source(&self, source: &Source) -> Result<(), Refusal> {
        let Some(per_s) = source.requests_per_s else { return Ok(()) };
        let taken = self.by_source.take(&source.name, per_s, Instant::now());
        taken.map_err(|wait| Refusal::SourceOverRate(whole_seconds(wait)))
    }
}

/// What stands in `Retry-After`: whole seconds, and at least one.
fn whole_seconds(wait: Duration) -> u32 {
    (wait.as_secs_f64().ceil() as u32).max(1)
}

/// Turns for each key on its own, by the generic cell rate algorithm: all that is remembered of a key is up to when its turns are taken. Those
/// of whom nothing is remembered have all of theirs.
struct Turns<K> {
    most_keys: usize,
    book: Mutex<Book<K>>,
}

struct Book<K> {
    taken_until: HashMap<K, Instant>,
    /// Of all that find no room among the keys, together.
    others_until: Instant,
    /// When those that are not ahead were forgotten.
    tidied: Option<Instant>,
}

/// How much of its turns a key may take at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How often it is tidied at the most: a flood of keys must not make each request look at all of them.
const TIDY: Duration = Duration::from_millis(100);

impl<K: Clone + Eq + Hash> Turns<K> {
    fn new(most_keys: usize) -> Turns<K> {
        let book = Book { taken_until: HashMap::new(), others_until: Instant::now(), tidied: None };
        Turns { most_keys, book: Mutex::new(book) }
    }

    /// Takes one turn now. The error is how long to wait for it.
    fn take(&self, key: &K, per_s: NonZeroU32, now: Instant) -> Result<(), Duration> {
        let each = Duration::from_secs(1) / per_s.get();
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.make_room(self.most_keys, now);
        let has_room = book.taken_until.len() < self.most_keys || book.taken_until.contains_key(key);
        let until = match has_room {
            true => book.taken_until.entry(key.clone()).or_insert(now),
            false => &mut book.others_until,
        };
        let ahead = until.saturating_duration_since(now) + each;
        if ahead > AT_ONCE {
            return Err(ahead - AT_ONCE);
        }
        *until = now + ahead;
        Ok(())
    }
}

impl<K> Book<K> {
    fn make_room(&mut self, most_keys: usize, now: Instant) {
        let is_tidy = self.tidied.is_some_and(|at| now.saturating_duration_since(at) < TIDY);
        if self.taken_until.len() >= most_keys && !is_tidy {
            self.taken_until.retain(|_, until| *until > now);
            self.tidied = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_s(many: u32) -> NonZeroU32 {
        NonZeroU32::new(many).unwrap()
    }

    #[test]
    fn a_second_of_turns_is_there_at_once_and_the_rest_comes_evenly() {
        let (turns, begun) = (Turns::new(10), Instant::now());
        let taken = |after_ms: u64| {
            let now = begun + Duration::from_millis(after_ms);
            (0..100).filter(|_| turns.take(&"key", per_s(10), now).is_ok()).count()
        };
        assert_eq!([taken(0), taken(99), taken(100), taken(350), taken(60_000)], [10, 0, 1, 2, 10]);
    }

    #[test]
    fn who_has_none_left_is_told_how_long_to_wait() {
        let (turns, now) = (Turns::new(10), Instant::now());
        assert_eq!(turns.take(&"key", per_s(1), now), Ok(()));
        let wait = turns.take(&"key", per_s(1), now + Duration::from_millis(300)).unwrap_err();
        assert_eq!(wait, Duration::from_millis(700));
        assert_eq!(turns.take(&"key", per_s(1), now + Duration::from_secs(1)), Ok(()));
        assert_eq!([0, 700, 1000, 1001].map(|ms| whole_seconds(Duration::from_millis(ms))), [1, 1, 1, 2]);
    }

    #[test]
    fn each_key_has_its_own_turns_and_a_rate_may_change() {
        let (turns, now) = (Turns::new(10), Instant::now());
        assert!(turns.take(&"one", per_s(1), now).is_ok() && turns.take(&"two", per_s(1), now).is_ok());
        assert!(turns.take(&"one", per_s(1), now).is_err());
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| turns.take(&"one", per_s(50), later).is_ok()).count(), 50);
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_those_without_room_share_what_one_has() {
        let (turns, now) = (Turns::new(100), Instant::now());
        let of_each = (0..10_000).filter(|key| turns.take(key, per_s(5), now).is_ok()).count();
        assert_eq!(of_each, 100 + 5);
        assert_eq!(turns.book.lock().unwrap().taken_until.len(), 100);
        let later = now + Duration::from_secs(1);
        assert!(turns.take(&20_000, per_s(5), later).is_ok());
        assert_eq!(turns.book.lock().unwrap().taken_until.len(), 1, "who is not ahead is forgotten");
    }
}
