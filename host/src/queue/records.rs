//! What is registered, and who has which event.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::columns::State;
use super::store::{Result, Store};
use crate::event::EventId;

impl Store {
    /// Keeps what is registered, or takes it out.
    pub fn put_record(&self, kind: &str, id: &str, body: Option<&[u8]>) -> Result<()> {
        match body {
            Some(body) => self.run("INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3)", params![kind, id, body]),
            None => self.run("DELETE FROM record WHERE kind = ?1 AND id = ?2", [kind, id]),
        }
    }

    /// Where a delivery stands; nothing, where there is none.
    pub fn state_of(&self, subscriber: i64, event: EventId) -> Result<Option<State>> {
        let sql = "SELECT state FROM delivery WHERE subscriber = ?1 AND event = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![subscriber, event.to_i64()])?;
        Ok(match rows.next()? {
            Some(row) => Some(State::from_i64(row.get(0)?)),
            None => None,
        })
    }

    /// Whether an event is kept.
    pub fn has_event(&self, event: EventId) -> Result<bool> {
        Ok(self.db.prepare_cached("SELECT 1 FROM event WHERE id = ?1")?.exists([event.to_i64()])?)
    }
}

/// What is kept of all that is registered of a kind, by id.
pub(super) fn records(db: &Connection, kind: &str) -> rusqlite::Result<HashMap<Arc<str>, Vec<u8>>> {
    let mut statement = db.prepare_cached("SELECT id, body FROM record WHERE kind = ?1")?;
    let rows = statement.query_map([kind], |row| Ok((row.get::<_, String>(0)?.into(), row.get(1)?)))?;
    rows.collect()
}
