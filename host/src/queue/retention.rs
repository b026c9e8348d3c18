//! Letting go of what is old, in small steps: bodies and deliveries first, the keys that tell repeats last.

use rusqlite::{OptionalExtension, params};

use super::store::{Result, Store};
use crate::event::EventId;

const OLD: &str = "SELECT event, length(payload) FROM body WHERE event > ?1 AND event < ?2 ORDER BY event LIMIT ?3";
const BARE: &str = "SELECT id FROM event WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3";
const IS_OPEN: &str = "SELECT 1 FROM subscriber s CROSS JOIN delivery d ON d.subscriber = s.id AND d.event = ?1 WHERE d.state < 2 LIMIT 1";

/// About how much work one step may be: rows that are looked for, and those that are deleted, each as 16.
const ROWS: usize = 20_000;

/// The queries, for the test of their plans.
#[cfg(test)]
pub(super) const DELETES: [&str; 3] = [OLD, BARE, IS_OPEN];

impl Store {
    /// Deletes bodies, deliveries and attempts of some of the events between two ids that have nothing open, and no more than it takes to
    /// free so many bytes. Gives how far it came, or nothing at the end.
    pub fn let_go(&self, from: EventId, before: EventId, limit: usize, bytes: u64) -> Result<Option<EventId>> {
        let mut statement = self.db.prepare_cached(OLD)?;
        let rows = statement.query_map(params![from.to_i64(), before.to_i64(), limit as i64], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64))
        })?;
        let found: Vec<(i64, u64)> = rows.collect::<rusqlite::Result<_>>()?;
        let mut freed = 0;
        // Each asks every subscriber for a delivery, and one event may have thousands: whoever waits must not wait long.
        let asked = self.number("SELECT count(*) FROM subscriber", [])? as usize;
        let mut rows = 0;
        for (id, body) in &found {
            rows += asked;
            let is_open = self.db.prepare_cached(IS_OPEN)?.query_row([id], |_| Ok(())).optional()?.is_some();
            if is_open {
                continue;
            }
            for sql in [
                "DELETE FROM attempt WHERE event = ?1 AND subscriber IN (SELECT id FROM subscriber)",
                "DELETE FROM delivery WHERE event = ?1 AND subscriber IN (SELECT id FROM subscriber)",
                "DELETE FROM body WHERE event = ?1",
            ] {
                rows += 16 * self.change(sql, [id])?;
            }
            freed += body;
            if rows > ROWS || freed >= bytes {
                return Ok(Some(EventId::from_i64(*id)));
            }
        }
        Ok(found.last().map(|(id, _)| EventId::from_i64(*id)))
    }

    /// Deletes some of the events between two ids whose bodies are gone. Gives how far it came, or nothing at the end.
    pub fn forget_events(&self, from: EventId, before: EventId, limit: usize) -> Result<Option<EventId>> {
        let ids = self.ids(BARE, from, before, limit)?;
        for id in &ids {
            let sql = "DELETE FROM event WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM body WHERE event = ?1)";
            self.run(sql, [id])?;
        }
        Ok(ids.last().map(|id| EventId::from_i64(*id)))
    }

    fn ids(&self, sql: &str, from: EventId, before: EventId, limit: usize) -> Result<Vec<i64>> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![from.to_i64(), before.to_i64(), limit as i64], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
