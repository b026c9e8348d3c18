//! What is registered, and who has which event.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::State;
use super::store::{Result, Store};
use crate::event::{EventId, UnixMs};

impl Store {
    /// Keeps what is registered, or takes it out.
    pub fn put_record(&self, kind: &str, id: &str, body: Option<&[u8]>) -> Result<()> {
        match body {
            Some(body) => self.run("INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3)", params![kind, id, body]),
            None => self.run("DELETE FROM record WHERE kind = ?1 AND id = ?2", [kind, id]),
        }
    }

    /// Lets go of webhooks that were taken out and of which nothing is left.
    pub fn forget_taken_out(&self) -> Result<()> {
        let gone = "SELECT s.id FROM subscriber s WHERE s.name GLOB 'webhook:*'
            AND NOT EXISTS (SELECT 1 FROM record WHERE kind = 'webhook' AND 'webhook:' || record.id = s.name)
            AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber = s.id)";
        self.run(&format!("DELETE FROM track WHERE subscriber IN ({gone})"), [])?;
        self.run(&format!("DELETE FROM subscription WHERE subscriber IN ({gone})"), [])?;
        self.run(&format!("DELETE FROM subscriber WHERE id IN ({gone})"), [])
    }

    /// Where a delivery stands and when it is due; nothing, where there is none.
    pub fn standing_of(&self, subscriber: i64, event: EventId) -> Result<Option<(State, UnixMs)>> {
        let sql = "SELECT state, due_ms FROM delivery WHERE subscriber = ?1 AND event = ?2";
        let row = |row: &Row| Ok((State::from_i64(row.get(0)?), row.get::<_, i64>(1)? as UnixMs));
        Ok(self.db.prepare_cached(sql)?.query_row(params![subscriber, event.to_i64()], row).optional()?)
    }

    /// Has a delivery that waits be due at a time.
    pub fn hurry(&self, subscriber: i64, event: EventId, due_ms: UnixMs) -> Result<()> {
        self.run(
            "UPDATE delivery SET due_ms = ?3 WHERE subscriber = ?1 AND event = ?2",
            params![subscriber, event.to_i64(), due_ms as i64],
        )
    }

    /// The source, the provider and the type of an event; nothing, where it is not kept.
    pub fn kind_of(&self, event: EventId) -> Result<Option<(String, String, String)>> {
        let sql = "SELECT s.name, s.provider, t.name FROM event e JOIN source s ON s.id = e.source
                   JOIN event_type t ON t.id = e.type WHERE e.id = ?1";
        let row = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        Ok(self.db.prepare_cached(sql)?.query_row([event.to_i64()], row).optional()?)
    }
}

/// What is kept of all that is registered of a kind, by id.
pub(super) fn records(db: &Connection, kind: &str) -> rusqlite::Result<HashMap<Arc<str>, Vec<u8>>> {
    let mut statement = db.prepare_cached("SELECT id, body FROM record WHERE kind = ?1")?;
    let rows = statement.query_map([kind], |row| Ok((row.get::<_, String>(0)?.into(), row.get(1)?)))?;
    rows.collect()
}
