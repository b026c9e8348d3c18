//! How the deliveries of a webhook and their attempts went in all.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::store::{Result, Store};
use crate::attempt::{Attempt, Outcome};
use crate::event::UnixMs;

const ADD: &str = "INSERT INTO track VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (subscriber) DO UPDATE SET
    deliveries = deliveries + excluded.deliveries, done = done + excluded.done, dead = dead + excluded.dead,
    attempts = attempts + excluded.attempts, took_us = took_us + excluded.took_us, last_ms = ifnull(excluded.last_ms, last_ms),
    last_done_ms = ifnull(excluded.last_done_ms, last_done_ms), last_failed_ms = ifnull(excluded.last_failed_ms, last_failed_ms),
    failing_since_ms = CASE WHEN excluded.last_done_ms IS NULL THEN ifnull(failing_since_ms, excluded.failing_since_ms)
        ELSE excluded.failing_since_ms END";

/// The sums of one webhook: since it was made, or of one group of writes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Track {
    /// Deliveries of which an attempt ended.
    pub deliveries: u64,
    /// Of them, those that went well.
    pub done: u64,
    /// Of them, those that were given up.
    pub dead: u64,
    /// Attempts that ended.
    pub attempts: u64,
    /// How long they took in all, in microseconds.
    pub took_us: u64,
    /// When the last attempt began.
    pub last_ms: Option<UnixMs>,
    /// The last that went well.
    pub last_done_ms: Option<UnixMs>,
    /// The last that did not.
    pub last_failed_ms: Option<UnixMs>,
    /// The first that did not after the last that did.
    pub failing_since_ms: Option<UnixMs>,
}

impl Track {
    /// Counts an attempt by its number; `is_dead` says that it was the last.
    pub(super) fn add(&mut self, number: u32, attempt: &Attempt, is_dead: bool) {
        let at = Some(attempt.started_at_ms);
        let is_done = attempt.outcome == Outcome::Done;
        self.deliveries += u64::from(number == 1);
        self.done += u64::from(is_done);
        self.dead += u64::from(is_dead);
        self.attempts += 1;
        self.took_us += attempt.took.as_micros() as u64;
        self.last_ms = at;
        if is_done {
            (self.last_done_ms, self.failing_since_ms) = (at, None);
        } else {
            (self.last_failed_ms, self.failing_since_ms) = (at, self.failing_since_ms.or(at));
        }
    }

    /// What an attempt adds that was lost with the process, which is no fault of the receiver's; `is_dead` says that it was the last.
    pub(super) fn lost(number: u32, is_dead: bool) -> Track {
        Track { deliveries: u64::from(number == 1), dead: u64::from(is_dead), ..Track::default() }
    }
}

impl Store {
    /// Adds what a group of writes did to a webhook's sums.
    pub(super) fn add_track(&self, subscriber: i64, track: &Track) -> Result<()> {
        let time = |ms: Option<UnixMs>| ms.map(|ms| ms as i64);
        self.run(
            ADD,
            params![
                subscriber,
                track.deliveries as i64,
                track.done as i64,
                track.dead as i64,
                track.attempts as i64,
                track.took_us as i64,
                time(track.last_ms),
                time(track.last_done_ms),
                time(track.last_failed_ms),
                time(track.failing_since_ms)
            ],
        )
    }

    /// Takes off deliveries that are not over any more: so many that went well, so many that were given up.
    pub(super) fn take_off_track(&self, subscriber: i64, done: u64, dead: u64) -> Result<()> {
        let sql = "UPDATE track SET done = max(done - ?2, 0), dead = max(dead - ?3, 0) WHERE subscriber = ?1";
        self.run(sql, params![subscriber, done as i64, dead as i64])
    }

    /// Counts deliveries that were given up without another attempt, where there is a track.
    pub(super) fn count_dead(&self, subscriber: i64, dead: usize) -> Result<()> {
        self.run("UPDATE track SET dead = dead + ?2 WHERE subscriber = ?1", params![subscriber, dead as i64])
    }

    /// Forgets since when it has been failing: somebody saw to it.
    pub(super) fn begin_track_anew(&self, subscriber: i64) -> Result<()> {
        self.run("UPDATE track SET failing_since_ms = NULL WHERE subscriber = ?1", [subscriber])
    }
}

const COLUMNS: &str =
    "deliveries, done, dead, attempts, took_us, last_ms, last_done_ms, last_failed_ms, failing_since_ms";

fn track(row: &Row, first: usize) -> rusqlite::Result<Track> {
    let count = |n: usize| row.get::<_, i64>(first + n).map(|count| count as u64);
    let time = |n: usize| row.get::<_, Option<i64>>(first + n).map(|ms| ms.map(|ms| ms as UnixMs));
    Ok(Track {
        deliveries: count(0)?,
        done: count(1)?,
        dead: count(2)?,
        attempts: count(3)?,
        took_us: count(4)?,
        last_ms: time(5)?,
        last_done_ms: time(6)?,
        last_failed_ms: time(7)?,
        failing_since_ms: time(8)?,
    })
}

/// The sums of one webhook.
pub(super) fn of(db: &Connection, subscriber: &str) -> rusqlite::Result<Track> {
    let sql = format!("SELECT {COLUMNS} FROM track WHERE subscriber = (SELECT id FROM subscriber WHERE name = ?1)");
    Ok(db.prepare_cached(&sql)?.query_row([subscriber], |row| track(row, 0)).optional()?.unwrap_or_default())
}

/// The sums of all, by name.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<(String, Track)>> {
    let sql = format!("SELECT name, {COLUMNS} FROM track JOIN subscriber ON subscriber.id = track.subscriber");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, track(row, 1)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn sums_of_groups_add_up() {
        let store = Store::open(&tempfile::tempdir().unwrap().path().join("t.db")).unwrap();
        let id = store.subscribe("webhook:a", &[]).unwrap();
        let attempt = |at, outcome| Attempt::without_call(at, Duration::from_micros(10), outcome, None);
        let failed = || Outcome::Retry { why: "busy".into(), after: None };
        let group = |attempts: &[(u32, Attempt, bool)]| {
            let mut track = Track::default();
            attempts.iter().for_each(|(number, attempt, is_dead)| track.add(*number, attempt, *is_dead));
            store.add_track(id, &track).unwrap();
            of(&store.db, "webhook:a").unwrap()
        };
        assert_eq!(group(&[(1, attempt(5, failed()), false)]).failing_since_ms, Some(5));
        assert_eq!(group(&[(2, attempt(6, failed()), false)]).failing_since_ms, Some(5));
        let after = group(&[(3, attempt(7, Outcome::Done), false), (1, attempt(8, failed()), true)]);
        let expected = Track {
            deliveries: 2,
            done: 1,
            dead: 1,
            attempts: 4,
            took_us: 40,
            last_ms: Some(8),
            last_done_ms: Some(7),
            last_failed_ms: Some(8),
            failing_since_ms: Some(8),
        };
        assert_eq!(after, expected);
        assert_eq!(group(&[(1, attempt(9, Outcome::Done), false)]).failing_since_ms, None);
        group(&[(1, attempt(10, failed()), false)]);
        store.begin_track_anew(id).unwrap();
        assert_eq!(all(&store.db).unwrap()[0].1.failing_since_ms, None);
    }
}
