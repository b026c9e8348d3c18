//! Lanes: deliveries of a subscriber that are begun one after another, in the order in which their events were accepted.
//!
//! Every delivery of a lane that is not over has a row. One of them is due by its own time: it waits, runs, or waits for its next attempt.
//! The others are due at the end of time; when the one is over, the first of them is due.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::store::{IN_LANE, Result, Store};
use crate::event::{EventId, UnixMs};

const FIRST: &str = "SELECT event FROM lane WHERE subscriber = ?1 AND lane = ?2 ORDER BY event LIMIT 1";

/// The queries of the hot path, for the test of their plans.
#[cfg(test)]
pub(super) const LANES: [&str; 1] = [FIRST];

/// The lane of a value: deliveries of one value have one. Two values may share a lane, which only makes them wait for each other.
pub(super) fn lane(value: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(value).into();
    i64::from_le_bytes(std::array::from_fn(|n| digest[n]))
}

impl Store {
    /// Takes a place in a lane. Gives whether there was nobody in it.
    pub fn enter_lane(&self, subscriber: i64, lane: i64, event: EventId) -> Result<bool> {
        let is_empty = self.first_in_lane(subscriber, lane)?.is_none();
        self.run("INSERT OR IGNORE INTO lane VALUES (?1, ?2, ?3)", params![subscriber, lane, event.to_i64()])?;
        Ok(is_empty)
    }

    /// Leaves a lane, and has the first of those that are left be due. Gives its line.
    pub fn leave_lane(&self, subscriber: i64, lane: i64, event: EventId, now: UnixMs) -> Result<Option<i64>> {
        let sql = "DELETE FROM lane WHERE subscriber = ?1 AND lane = ?2 AND event = ?3";
        self.run(sql, params![subscriber, lane, event.to_i64()])?;
        let Some(first) = self.first_in_lane(subscriber, lane)? else { return Ok(None) };
        let sql = "UPDATE delivery SET due_ms = ?3 WHERE subscriber = ?1 AND event = ?2 AND state = 0 AND due_ms = ?4 RETURNING line";
        let mut statement = self.db.prepare_cached(sql)?;
        let line = statement.query_row(params![subscriber, first, now as i64, IN_LANE as i64], |row| row.get(0));
        Ok(line.optional()?)
    }

    fn first_in_lane(&self, subscriber: i64, lane: i64) -> Result<Option<i64>> {
        let mut statement = self.db.prepare_cached(FIRST)?;
        Ok(statement.query_row(params![subscriber, lane], |row| row.get(0)).optional()?)
    }

    /// The lane of a delivery, if it has one.
    pub fn lane_of(&self, subscriber: i64, event: EventId) -> Result<Option<i64>> {
        let sql = "SELECT lane FROM delivery WHERE subscriber = ?1 AND event = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row(params![subscriber, event.to_i64()], |row| row.get(0)).optional()?.flatten())
    }
}
