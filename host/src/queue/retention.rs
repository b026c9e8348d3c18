//! Letting go of what is old, in small steps: bodies and deliveries first, the keys that tell repeats last.

use rusqlite::{OptionalExtension, params};

use super::store::{Result, Store};
use super::writer::GROUP_BYTES;
use crate::event::{EventId, UnixMs, WRITTEN_MS};

const BODIES: &str =
    "SELECT b.event, e.received_at_ms, length(b.payload) FROM body b CROSS JOIN event e ON e.id = b.event
    WHERE b.event > ?1 ORDER BY b.event LIMIT ?2";
const EVENTS: &str = "SELECT id, received_at_ms, 0 FROM event WHERE id > ?1 ORDER BY id LIMIT ?2";
const IS_OPEN: &str = "SELECT 1 FROM subscriber s CROSS JOIN delivery d ON d.subscriber = s.id AND d.event = ?1 WHERE d.state < 2 LIMIT 1";

pub(super) const DAY_MS: UnixMs = 86_400_000;

/// About how much work each event may be that is to go, in rows that are looked for, how much a step may be in any case, so that events
/// with many deliveries go as they come, and how many rows cost what an event does that is looked at, and a row that is deleted.
const ROWS: usize = 250;
const ROWS_OF_A_STEP: usize = 10_000;
const LOOK: usize = 8;
const DELETED: usize = 16;

/// How many bytes of bodies a step may be: twice what one group of writes may bring. Whoever deletes a body reads all of it.
const BYTES_OF_A_STEP: usize = 2 * GROUP_BYTES;

/// The queries, for the test of their plans.
#[cfg(test)]
pub(super) const DELETES: [&str; 3] = [BODIES, EVENTS, IS_OPEN];

/// Which events go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Going {
    /// The oldest, whatever their age, where room is short.
    Oldest {
        /// As many as it takes until no more is used than this, in bytes,
        until: u64,
        /// and not one more where no more is used than this.
        down_to: u64,
    },
    /// Those from before a time.
    Before {
        /// That time,
        ms: UnixMs,
        /// and the time that it is.
        now: UnixMs,
    },
}

/// Whether an event goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    Yes,
    /// It is younger, and so are all that came after it.
    No,
    /// Nobody knows its age: a clock told it that was wrong.
    Unknown,
}

/// When an event came. Ids never go back: where a clock that was far ahead made one, all that came after it tell its time, too, until that
/// has come, and only what the wall clock said tells when they came.
pub(super) fn told_ms(id: EventId, received_at_ms: UnixMs, now: UnixMs) -> UnixMs {
    if id.made_at_ms() > now + DAY_MS { received_at_ms } else { id.made_at_ms() }
}

impl Going {
    fn goes(self, id: EventId, received_at_ms: UnixMs) -> Goes {
        let Going::Before { ms, now } = self else { return Goes::Yes };
        let told = told_ms(id, received_at_ms, now);
        let cannot_be = told > now + DAY_MS || told < WRITTEN_MS && now >= WRITTEN_MS;
        match told < ms {
            _ if cannot_be => Goes::Unknown,
            true => Goes::Yes,
            false => Goes::No,
        }
    }
}

/// Some of the events that go.
struct Found {
    /// Their ids, with the bytes of their bodies.
    all: Vec<(i64, usize)>,
    /// How far was looked, where there is more to look at.
    came_to: Option<EventId>,
}

impl Store {
    /// Deletes bodies, deliveries and attempts of some of the events after one that go and have nothing open: so many, or as many as it takes,
    /// and in any case no more than a step may be. Gives how far it came, or nothing at the end.
    pub fn let_go(&self, from: EventId, going: Going, limit: usize) -> Result<Option<EventId>> {
        // Each asks every subscriber for a delivery, and one event may have thousands: whoever waits must not wait long.
        let asks = LOOK + self.number("SELECT count(*) FROM subscriber", [])? as usize;
        let (mut came_to, mut rows, mut freed, mut gone, mut enough) = (from, 0, 0, 0, false);
        let answerers = self.answerers()?;
        let most = ROWS_OF_A_STEP.max(ROWS * limit);
        loop {
            let found = self.find(BODIES, came_to, going, limit)?;
            rows += limit;
            for (id, bytes) in &found.all {
                if rows > most || freed > BYTES_OF_A_STEP || enough {
                    return Ok(Some(came_to));
                }
                rows += asks;
                if let Some(deleted) = self.let_one_go(*id, &answerers)? {
                    rows += DELETED * deleted;
                    freed += bytes;
                    gone += 1;
                    enough = self.is_enough(going, gone >= limit)?;
                }
                came_to = EventId::from_i64(*id);
            }
            match found.came_to {
                None => return Ok(None),
                Some(looked_to) if rows > most => return Ok(Some(looked_to)),
                Some(looked_to) => came_to = looked_to,
            }
        }
    }

    /// Whether a step lets go of no more, where as many events went as are to go in one, or did not.
    fn is_enough(&self, going: Going, went: bool) -> Result<bool> {
        let Going::Oldest { until, down_to } = going else { return Ok(went) };
        let used = self.used_bytes()?;
        Ok(used <= down_to || went && used <= until)
    }

    /// Deletes what is kept of an event, unless something of it is open, but for what repeats need: its key, and that its sender was
    /// answered. Gives how many rows that were.
    fn let_one_go(&self, id: i64, answerers: &[i64]) -> Result<Option<usize>> {
        let is_open = self.db.prepare_cached(IS_OPEN)?.query_row([id], |_| Ok(())).optional()?.is_some();
        if is_open {
            return Ok(None);
        }
        let mut rows = 0;
        for sql in [
            "DELETE FROM attempt WHERE event = ?1 AND number > 0 AND subscriber IN (SELECT id FROM subscriber)",
            "DELETE FROM delivery WHERE event = ?1 AND subscriber IN (SELECT id FROM subscriber)",
            "DELETE FROM body WHERE event = ?1",
        ] {
            rows += self.change(sql, [id])?;
        }
        let narrow = "UPDATE attempt SET log = NULL WHERE subscriber = ?1 AND event = ?2 AND log IS NOT NULL";
        answerers.iter().try_for_each(|plugin| self.run(narrow, [*plugin, id]))?;
        Ok(Some(rows))
    }

    /// Deletes some of the events after one that go and whose bodies are gone. Gives how far it came, or nothing at the end.
    pub fn forget_events(&self, from: EventId, going: Going, limit: usize) -> Result<Option<EventId>> {
        let found = self.find(EVENTS, from, going, limit)?;
        let answerers = self.answerers()?;
        for (id, _) in &found.all {
            let sql = "DELETE FROM event WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM body WHERE event = ?1)";
            if self.change(sql, [id])? > 0 {
                let answer = "DELETE FROM attempt WHERE subscriber = ?1 AND event = ?2";
                answerers.iter().try_for_each(|plugin| self.run(answer, [*plugin, *id]))?;
            }
        }
        Ok(found.came_to)
    }

    /// Who may have answered senders: plugins, which are few.
    fn answerers(&self) -> Result<Vec<i64>> {
        let mut statement = self.db.prepare_cached("SELECT id FROM subscriber WHERE name NOT GLOB 'webhook:*'")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Looks at some of the events after one for those that go.
    fn find(&self, sql: &str, from: EventId, going: Going, limit: usize) -> Result<Found> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![from.to_i64(), limit as i64])?;
        let mut found = Found { all: Vec::new(), came_to: None };
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            match going.goes(EventId::from_i64(id), row.get::<_, i64>(1)? as UnixMs) {
                Goes::Yes => found.all.push((id, row.get::<_, i64>(2)? as usize)),
                Goes::Unknown => {}
                Goes::No => return Ok(Found { came_to: None, ..found }),
            }
            found.came_to = Some(EventId::from_i64(id));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_goes_when_it_is_old_by_a_time_that_can_be() {
        const NOW: UnixMs = 1_800_000_000_000;
        let going = Going::Before { ms: NOW - 3 * DAY_MS, now: NOW };
        let (ahead, young, old) = (NOW + 365 * DAY_MS, NOW - DAY_MS, NOW - 4 * DAY_MS);
        for (made, received, goes) in [
            (old, old, Goes::Yes),
            (young, young, Goes::No),
            // The wall clock was behind for a while.
            (young, old, Goes::No),
            (young, 5_000, Goes::No),
            // Ids are ahead since a clock was: what it received is of no age, what came after it is.
            (ahead, ahead, Goes::Unknown),
            (ahead, young, Goes::No),
            (ahead, old, Goes::Yes),
            // The clock had never been set.
            (5_000, 5_000, Goes::Unknown),
        ] {
            assert_eq!(going.goes(EventId::first_at(made), received), goes, "{made} {received}");
        }
        assert_eq!(ANY.goes(EventId::first_at(young), young), Goes::Yes);
        // A clock that is never set tells ages all the same.
        let never_set = Going::Before { ms: 3 * DAY_MS, now: 6 * DAY_MS };
        assert_eq!(never_set.goes(EventId::first_at(5_000), 5_000), Goes::Yes);
    }

    /// All that there are, as far as a step goes.
    const ANY: Going = Going::Oldest { until: u64::MAX, down_to: 0 };

    /// A store with old events of so many bytes that all have something open, for the last of so many subscribers.
    fn with_open(folder: &std::path::Path, subscribers: usize, events: u64, bytes: usize) -> Store {
        let mut store = Store::open(&folder.join(format!("{subscribers}.db"))).unwrap();
        store.begin().unwrap();
        let subscribe = |n| store.subscribe(&format!("s{n}"), &["*".parse().unwrap()]).unwrap();
        let last = (0..subscribers).map(subscribe).last();
        let event = crate::event::NewEvent {
            source: "s".into(),
            provider: "p".into(),
            event_type: "t".into(),
            received_at_ms: 1,
            received: std::time::Instant::now(),
            attributes: Vec::new(),
            payload: vec![b' '; bytes].into(),
            headers: None,
            repeat_key: None,
            trace: None,
        };
        for nth in 1..=events {
            let id = EventId::first_at(nth);
            store.insert_event(id, &event, 1).unwrap();
            let state = super::super::columns::State::Waiting;
            let begins = super::super::store::Begins { state, attempt: 0, earlier: 0, due_ms: 1, line: 1, lane: None };
            last.map_or(Ok(()), |last| store.insert_delivery(last, id, begins)).unwrap();
        }
        store.commit().unwrap();
        store
    }

    #[test]
    fn a_step_past_what_is_open_is_neither_long_nor_short() {
        let folder = tempfile::tempdir().unwrap();
        for (subscribers, events, steps) in [(1, 2_000, 2..4), (1_000, 40, 4..7)] {
            let store = with_open(folder.path(), subscribers, events, 2);
            let (mut from, mut taken) = (EventId::from_i64(0), 1);
            while let Some(came_to) = store.let_go(from, ANY, 16).unwrap() {
                assert!(came_to > from);
                (from, taken) = (came_to, taken + 1);
            }
            assert!(steps.contains(&taken), "{taken} steps past {events} events of {subscribers} subscribers");
            assert_eq!(store.number("SELECT count(*) FROM body", []).unwrap() as u64, events);
        }
    }

    #[test]
    fn a_step_is_no_longer_where_bodies_are_large() {
        for (mib, events, at_the_most) in [(1, 24, 17), (20, 3, 1)] {
            let folder = tempfile::tempdir().unwrap();
            let store = with_open(folder.path(), 0, events, mib << 20);
            let bodies = || store.number("SELECT count(*) FROM body", []).unwrap();
            let before = bodies();
            assert!(store.let_go(EventId::from_i64(0), ANY, 64).unwrap().is_some());
            assert!((1..=at_the_most).contains(&(before - bodies())), "{} of {mib} MiB", before - bodies());
        }
    }
}
