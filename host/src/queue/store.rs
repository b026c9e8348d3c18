//! The engine: SQLite, and the only file that knows SQL.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::columns::{State, outcome_columns};
use super::place::Place;
use crate::attempt::Attempt;
use crate::event::{Event, EventId, NewEvent, Pattern, RepeatKey, UnixMs};

/// The version of the schema that this code writes.
const SCHEMA: i64 = 3;

/// Half of an ordinary page: events of a few kilobytes then fill their pages instead of leaving the rest of each empty,
/// and the narrow tables' last pages, written with every commit, are half as large. `cargo xtask bench` prints the bytes.
const PAGE_BYTES: u32 = 2048;

/// How long another program, an operator's, may hold the file before events are refused.
const OTHERS_MAY_HOLD: Duration = Duration::from_secs(1);

/// About how much work deleting old events may be in one step: rows that are looked for, and those that are deleted, each as 16.
const TIDY_ROWS: usize = 20_000;

/// How many types of events are known by heart.
const TYPES: usize = 10_000;

/// How much SQLite may keep of the file in memory.
const CACHE_KIB: i32 = 32 * 1024;

// The index of what is open serves a query only where the index's own condition stands in it, word by word; and a CROSS JOIN
// keeps the order of the tables as written. A test asks the engine for its plans.
const INSERT_DELIVERY: &str = "INSERT INTO delivery VALUES (?1, ?2, ?3, ?4, ?5, 0)";
const MOVE_DELIVERY: &str =
    "UPDATE delivery SET state = ?3, attempt = ?4, due_ms = ?5 WHERE subscriber = ?1 AND event = ?2";
const EVENT: &str = "SELECT s.name, s.provider, t.name, e.received_at_ms, b.checksum, b.attributes, b.payload 
    FROM event e JOIN source s ON s.id = e.source JOIN event_type t ON t.id = e.type JOIN body b ON b.event = e.id
    WHERE e.id = ?1";
const DUE: &str =
    "SELECT event, attempt, earlier FROM delivery WHERE state <> 2 AND state = 0 AND subscriber = ?1 AND due_ms <= ?2
    ORDER BY due_ms LIMIT ?3";
const NEXT_DUE: &str =
    "SELECT min(due_ms) FROM delivery WHERE state <> 2 AND state = 0 AND subscriber = ?1 AND due_ms > ?2";
const RUNNING: &str = "SELECT subscriber, event, attempt, earlier FROM delivery WHERE state <> 2 AND state = 1";
const FORGET: &str = "UPDATE delivery SET state = 3 WHERE state <> 2 AND state = 0 AND subscriber = ?1";
const DEAD_OF: &str = "SELECT d.subscriber FROM subscriber s CROSS JOIN delivery d ON d.subscriber = s.id AND d.event = ?1 WHERE d.state = 3";
const OPEN_OF: &str =
    "SELECT count(*) FROM subscriber s CROSS JOIN delivery d ON d.subscriber = s.id AND d.event = ?1 WHERE d.state < 2";

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written, and it may be tried again: there is no room, or another program holds the file.
    #[error("{0}")]
    NotNow(&'static str),
    /// What is on disk is not what was written.
    #[error("the stored body of {0} is damaged")]
    Damaged(EventId),
    /// What was written is in a file that nobody finds any more.
    #[error("{0} was moved or deleted while it was in use: put it back and start again")]
    Gone(PathBuf),
    /// Anything else. After it nothing can be promised any more.
    #[error(transparent)]
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let rusqlite::Error::SqliteFailure(cause, _) = &error else {
            return StoreError::Broken(error);
        };
        match cause.code {
            ErrorCode::DiskFull => StoreError::NotNow("the disk is full"),
            // Where the memory that is shared with readers cannot grow.
            _ if cause.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => StoreError::NotNow("the disk is full"),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                StoreError::NotNow("another program holds the database")
            }
            _ => StoreError::Broken(error),
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, StoreError>;

/// A subscriber as it is stored.
pub struct StoredSubscriber {
    /// Its number in other tables.
    pub id: i64,
    /// The plugin's name.
    pub name: Arc<str>,
    /// Its subscriptions.
    pub patterns: Vec<String>,
    /// Since when its file has been missing.
    pub gone_at_ms: Option<UnixMs>,
}

/// A connection that writes. There is one.
pub struct Store {
    pub(super) db: Connection,
    sources: HashMap<(Arc<str>, Arc<str>), i64>,
    types: HashMap<Arc<str>, i64>,
    log_pages: Arc<AtomicU64>,
    place: Place,
}

impl Store {
    /// Opens the file, making it where it is missing, and upgrades or refuses other versions of the schema.
    pub fn open(file: &Path) -> anyhow::Result<Store> {
        let mut db = Connection::open(file)?;
        db.busy_timeout(OTHERS_MAY_HOLD)?;
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
        anyhow::ensure!(
            keeps_log(&db)?,
            "this file system cannot keep a write-ahead log: take a data_dir on a local disk"
        );
        // Closed without a word, it would sync and write once more, after a sync that failed, too.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // FULL: a commit returns once it is on disk. NORMAL would lose acknowledged events with the power.
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "wal_autocheckpoint", 0)?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        // A plan that holds whatever is bound: otherwise, for the index of what is open, each binding has the statement planned anew.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.set_prepared_statement_cache_capacity(64);
        migrate(&mut db)?;
        // What is in the log is written into the file anew: after a failure the system may think it on disk when it is not.
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let log_pages = Arc::new(AtomicU64::new(0));
        let counted = log_pages.clone();
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            counted.store(pages as u64, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Store { db, sources: HashMap::new(), types: HashMap::new(), log_pages, place: Place::of(file) })
    }

    /// Reads all of the file and makes sure that it is whole.
    pub fn check(&self) -> anyhow::Result<()> {
        let told: String = self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        anyhow::ensure!(told == "ok", told);
        Ok(())
    }

    /// Begins a group of writes that is on disk as a whole or not at all.
    pub fn begin(&self) -> Result<()> {
        self.run("BEGIN IMMEDIATE", [])
    }

    /// Ends the group: when this returns well, it is on disk.
    pub fn commit(&self) -> Result<()> {
        self.run("COMMIT", [])?;
        // After the sync: what was there then was there when it was promised.
        self.place.gone().map_or(Ok(()), |file| Err(StoreError::Gone(file.to_owned())))
    }

    /// Forgets the group.
    pub fn roll_back(&mut self) {
        // Numbers that were given out in the group are not there any more.
        self.sources.clear();
        self.types.clear();
        if !self.db.is_autocommit() {
            let _ = self.db.execute_batch("ROLLBACK");
        }
    }

    /// Moves what was committed from the log into the file, where the log has grown to a size.
    pub fn checkpoint(&self, at_bytes: u64) -> Result<()> {
        if self.log_pages.load(Ordering::Relaxed) * u64::from(PAGE_BYTES) < at_bytes {
            return Ok(());
        }
        self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        self.log_pages.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Moves all that was committed into the file, and has what is closed then leave no log.
    pub fn finish(&self) -> Result<()> {
        self.checkpoint(0)?;
        self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        Ok(())
    }

    pub(super) fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        self.db.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }

    /// Writes an event under an id.
    pub fn insert_event(&mut self, id: EventId, event: &NewEvent) -> Result<()> {
        let source = self.source_number(&event.source, &event.provider)?;
        let event_type = self.type_number(&event.event_type)?;
        let key = event.repeat_key.as_ref().map(|key| &key[..]);
        self.run(
            "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id.to_i64(), source, event_type, event.received_at_ms as i64, key],
        )?;
        let attributes = attributes_text(&event.attributes);
        let checksum = checksum(attributes.as_bytes(), &event.payload);
        self.run(
            "INSERT INTO body VALUES (?1, ?2, ?3, ?4)",
            params![id.to_i64(), checksum, attributes, &event.payload[..]],
        )
    }

    fn source_number(&mut self, name: &Arc<str>, provider: &Arc<str>) -> Result<i64> {
        let named = (name.clone(), provider.clone());
        if let Some(number) = self.sources.get(&named) {
            return Ok(*number);
        }
        self.run("INSERT INTO source (name, provider) VALUES (?1, ?2) ON CONFLICT DO NOTHING", [name, provider])?;
        let number = self.number("SELECT id FROM source WHERE name = ?1 AND provider = ?2", [name, provider])?;
        self.sources.insert(named, number);
        Ok(number)
    }

    fn type_number(&mut self, name: &Arc<str>) -> Result<i64> {
        if let Some(number) = self.types.get(name) {
            return Ok(*number);
        }
        self.run("INSERT INTO event_type (name) VALUES (?1) ON CONFLICT DO NOTHING", [name])?;
        let number = self.number("SELECT id FROM event_type WHERE name = ?1", [name])?;
        // Plugins make types as they like.
        if self.types.len() >= TYPES {
            self.types.clear();
        }
        self.types.insert(name.clone(), number);
        Ok(number)
    }

    fn number(&self, sql: &str, params: impl rusqlite::Params) -> Result<i64> {
        Ok(self.db.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    }

    /// Reads an event back and checks that it is what was written.
    pub fn event(&self, id: EventId) -> Result<Event> {
        let mut statement = self.db.prepare_cached(EVENT)?;
        let row = statement.query_row([id.to_i64()], |row| {
            let text = |n| row.get::<_, String>(n).map(Arc::<str>::from);
            // As bytes, whatever they are now: the checksum tells whether they are what was written.
            let bytes = |n| {
                Ok::<_, rusqlite::Error>(match row.get_ref(n)? {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
                    _ => Vec::new(),
                })
            };
            Ok((text(0)?, text(1)?, text(2)?, row.get::<_, i64>(3)?, row.get::<_, i64>(4)?, bytes(5)?, bytes(6)?))
        });
        let (source, provider, event_type, received, sum, attributes, payload) = match row.optional() {
            Ok(row) => row.ok_or(StoreError::Damaged(id))?,
            Err(error) if is_of_values(&error) => return Err(StoreError::Damaged(id)),
            Err(error) => return Err(error.into()),
        };
        let intact = checksum(&attributes, &payload) == sum;
        let readable = serde_json::from_slice(&attributes).ok().filter(|_| intact);
        Ok(Event {
            id,
            source,
            provider,
            event_type,
            received_at_ms: received as UnixMs,
            received: None,
            attributes: readable.ok_or(StoreError::Damaged(id))?,
            payload: Bytes::from(payload),
        })
    }

    /// Writes a delivery for the first time.
    pub fn insert_delivery(
        &self,
        subscriber: i64,
        event: EventId,
        state: State,
        attempt: u32,
        due_ms: UnixMs,
    ) -> Result<()> {
        self.run(INSERT_DELIVERY, params![subscriber, event.to_i64(), state as i64, attempt, due_ms as i64])
    }

    /// Moves a delivery to another state.
    pub fn move_delivery(
        &self,
        subscriber: i64,
        event: EventId,
        state: State,
        attempt: u32,
        due_ms: UnixMs,
    ) -> Result<()> {
        self.run(MOVE_DELIVERY, params![subscriber, event.to_i64(), state as i64, attempt, due_ms as i64])
    }

    /// Keeps how an attempt went.
    pub fn insert_attempt(&self, subscriber: i64, event: EventId, number: u32, attempt: &Attempt) -> Result<()> {
        let (outcome, why) = outcome_columns(&attempt.outcome);
        let reply = attempt.reply.as_ref();
        self.run(
            "INSERT OR REPLACE INTO attempt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                subscriber,
                event.to_i64(),
                number,
                attempt.generation as i64,
                attempt.started_at_ms as i64,
                attempt.took.as_micros() as i64,
                outcome,
                why,
                reply.map(|reply| reply.status),
                reply.map(|reply| &reply.body[..]),
            ],
        )
    }

    /// Whether an attempt of this number is kept.
    pub fn has_attempt(&self, subscriber: i64, event: EventId, number: u32) -> Result<bool> {
        let sql = "SELECT count(*) FROM attempt WHERE subscriber = ?1 AND event = ?2 AND number = ?3";
        Ok(self.number(sql, params![subscriber, event.to_i64(), number])? > 0)
    }

    /// Has a delivery wait anew. Its attempts until now are those of earlier rounds.
    pub fn put_back(&self, subscriber: i64, event: EventId, due_ms: UnixMs) -> Result<()> {
        self.run(
            "UPDATE delivery SET state = 0, due_ms = ?3, earlier = attempt WHERE subscriber = ?1 AND event = ?2",
            params![subscriber, event.to_i64(), due_ms as i64],
        )
    }

    /// The waiting deliveries that are due, the longest waiting first: each event, the attempts that it had, and how many of them in
    /// earlier rounds.
    pub fn due(&self, subscriber: i64, now_ms: UnixMs, limit: usize) -> Result<Vec<(EventId, u32, u32)>> {
        let mut statement = self.db.prepare_cached(DUE)?;
        let rows = statement.query_map(params![subscriber, now_ms as i64, limit as i64], |row| {
            Ok((EventId::from_i64(row.get(0)?), row.get(1)?, row.get(2)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// When the next waiting delivery after a time is due.
    pub fn next_due_after(&self, subscriber: i64, after_ms: Option<UnixMs>) -> Result<Option<UnixMs>> {
        let after = after_ms.map_or(-1, |ms| ms as i64);
        let due: Option<i64> =
            self.db.prepare_cached(NEXT_DUE)?.query_row(params![subscriber, after], |row| row.get(0))?;
        Ok(due.map(|ms| ms as UnixMs))
    }

    /// The deliveries that were running when the gateway last stopped.
    pub fn running(&self) -> Result<Vec<(i64, EventId, u32, u32)>> {
        let mut statement = self.db.prepare(RUNNING)?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, EventId::from_i64(row.get(1)?), row.get(2)?, row.get(3)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Which subscribers have a dead delivery of an event.
    pub fn dead_of(&self, event: EventId) -> Result<Vec<i64>> {
        let mut statement = self.db.prepare_cached(DEAD_OF)?;
        let rows = statement.query_map([event.to_i64()], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The keys of all events since one, each with when it was received.
    pub fn repeat_keys_since(&self, since: EventId, mut each: impl FnMut(RepeatKey, EventId, UnixMs)) -> Result<()> {
        let sql = "SELECT repeat_key, id, received_at_ms FROM event WHERE id >= ?1 AND repeat_key IS NOT NULL";
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([since.to_i64()])?;
        while let Some(row) = rows.next()? {
            each(row.get(0)?, EventId::from_i64(row.get(1)?), row.get::<_, i64>(2)? as UnixMs);
        }
        Ok(())
    }

    /// Whether an event has this key.
    pub fn has_repeat_key(&self, id: EventId, key: &RepeatKey) -> Result<bool> {
        let sql = "SELECT count(*) FROM event WHERE id = ?1 AND repeat_key = ?2";
        Ok(self.number(sql, params![id.to_i64(), &key[..]])? > 0)
    }

    /// The newest event's id.
    pub fn last_id(&self) -> Result<EventId> {
        self.number("SELECT ifnull(max(id), 0) FROM event", []).map(EventId::from_i64)
    }

    /// Everyone who ever subscribed.
    pub fn subscribers(&self) -> Result<Vec<StoredSubscriber>> {
        let mut statement = self.db.prepare("SELECT id, name, gone_at_ms FROM subscriber ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?))
        })?;
        let mut subscribers = Vec::new();
        for row in rows {
            let (id, name, gone) = row?;
            let patterns = self.patterns(id)?;
            subscribers.push(StoredSubscriber {
                id,
                name: name.into(),
                patterns,
                gone_at_ms: gone.map(|ms| ms as UnixMs),
            });
        }
        Ok(subscribers)
    }

    fn patterns(&self, subscriber: i64) -> Result<Vec<String>> {
        let mut statement = self.db.prepare_cached("SELECT pattern FROM subscription WHERE subscriber = ?1")?;
        let rows = statement.query_map([subscriber], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Replaces a subscriber's subscriptions and gives its number.
    pub fn subscribe(&self, name: &str, patterns: &[Pattern]) -> Result<i64> {
        self.run(
            "INSERT INTO subscriber (name) VALUES (?1) ON CONFLICT (name) DO UPDATE SET gone_at_ms = NULL",
            [name],
        )?;
        let id = self.number("SELECT id FROM subscriber WHERE name = ?1", [name])?;
        self.run("DELETE FROM subscription WHERE subscriber = ?1", [id])?;
        for pattern in patterns {
            self.run("INSERT OR IGNORE INTO subscription VALUES (?1, ?2)", params![id, pattern.to_string()])?;
        }
        Ok(id)
    }

    /// Notes since when a subscriber's file has been missing, or that it is there.
    pub fn set_gone(&self, subscriber: i64, at_ms: Option<UnixMs>) -> Result<()> {
        self.run("UPDATE subscriber SET gone_at_ms = ?2 WHERE id = ?1", params![subscriber, at_ms.map(|ms| ms as i64)])
    }

    /// Ends a subscriber's subscriptions; what still waits for it is dead.
    pub fn forget(&self, subscriber: i64) -> Result<()> {
        self.run("DELETE FROM subscription WHERE subscriber = ?1", [subscriber])?;
        let dead = self.db.prepare_cached(FORGET)?.execute([subscriber])?;
        self.count_dead(subscriber, dead)
    }

    /// Deletes some of the events before an id that have nothing open. Gives how far it came, or nothing at the end.
    pub fn delete_old(&self, from: EventId, before: EventId, limit: usize) -> Result<Option<EventId>> {
        let sql = "SELECT id FROM event WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![from.to_i64(), before.to_i64(), limit as i64], |row| row.get(0))?;
        let ids: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
        let asked = self.number("SELECT count(*) FROM subscriber", [])? as usize;
        let mut rows = 0;
        for id in &ids {
            // Each asks every subscriber for a delivery, and one event may have thousands: whoever waits must not wait long.
            rows += asked;
            if self.number(OPEN_OF, [id])? > 0 {
                continue;
            }
            for sql in [
                "DELETE FROM attempt WHERE event = ?1 AND subscriber IN (SELECT id FROM subscriber)",
                "DELETE FROM delivery WHERE event = ?1 AND subscriber IN (SELECT id FROM subscriber)",
                "DELETE FROM body WHERE event = ?1",
                "DELETE FROM event WHERE id = ?1",
            ] {
                rows += 16 * self.db.prepare_cached(sql)?.execute([id])?;
            }
            if rows > TIDY_ROWS {
                return Ok(Some(EventId::from_i64(*id)));
            }
        }
        Ok(ids.last().map(|id| EventId::from_i64(*id)))
    }
}

/// Has the engine keep a write-ahead log, and gives whether it does.
fn keeps_log(db: &Connection) -> rusqlite::Result<bool> {
    let mut statement = db.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    let is_kept = rows.next()?.is_some_and(|row| row.get_ref(0).is_ok_and(|mode| mode.as_str() == Ok("wal")));
    // It is written when the statement ends, and only then does it say that it could not be.
    while rows.next()?.is_some() {}
    Ok(is_kept)
}

fn migrate(db: &mut Connection) -> anyhow::Result<()> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        SCHEMA => Ok(()),
        older @ 0..SCHEMA => {
            let group = db.transaction()?;
            if older == 0 {
                group.execute_batch(include_str!("schema.sql"))?;
            }
            if older < 2 {
                group.execute_batch(include_str!("schema-2.sql"))?;
            }
            group.execute_batch(include_str!("schema-3.sql"))?;
            group.pragma_update(None, "user_version", SCHEMA)?;
            Ok(group.commit()?)
        }
        newer => anyhow::bail!(
            "its data is of version {newer}, and this hookgate knows version {SCHEMA}: run the hookgate that wrote it, or a newer one"
        ),
    }
}

/// Whether an error that ended an opening says that the file is not what was written.
pub(super) fn is_of_damage(error: &anyhow::Error) -> bool {
    let stored = error.downcast_ref().map(|error| match error {
        StoreError::Broken(cause) => Some(cause),
        _ => None,
    });
    let cause = stored.flatten().or_else(|| error.downcast_ref());
    cause.is_some_and(|cause| {
        let code = cause.sqlite_error_code();
        is_of_values(cause) || matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    })
}

/// Whether a row was read, and its values are not what they must be.
fn is_of_values(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(error, FromSqlConversionFailure(..) | InvalidColumnType(..) | IntegralValueOutOfRange(..) | Utf8Error(..))
}

fn attributes_text(attributes: &[(String, String)]) -> String {
    serde_json::to_string(attributes).unwrap_or_default()
}

fn checksum(attributes: &[u8], payload: &[u8]) -> i64 {
    i64::from(crc32c::crc32c_append(crc32c::crc32c(attributes), payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_query_of_the_hot_path_looks_through_a_whole_table() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("schema.sql")).unwrap();
        db.execute_batch(include_str!("schema-2.sql")).unwrap();
        db.execute_batch(include_str!("schema-3.sql")).unwrap();
        let own = [DUE, NEXT_DUE, RUNNING, FORGET, DEAD_OF, OPEN_OF, super::super::reader::COUNTS];
        for sql in own.into_iter().chain(super::super::state::HOT).chain(super::super::look::LOOKS) {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = statement.parameter_count();
            let plan: Vec<String> = statement
                .query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get::<_, String>(3))
                .unwrap()
                .map(|row| row.unwrap())
                .collect();
            let plan = plan.join("; ");
            let through_all = (plan.contains("SCAN d") || plan.contains("SCAN state"))
                && !plan.contains("USING INDEX delivery_open")
                && !plan.contains("USING INDEX state_expiring")
                && !plan.contains("COVERING INDEX");
            assert!(!through_all && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }

    #[test]
    fn no_statement_is_planned_again_for_each_delivery() {
        use rusqlite::StatementStatus;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("t.db")).unwrap();
        for n in 1..100 {
            let id = EventId::from_i64(n);
            store.insert_delivery(1, id, State::Waiting, 0, n as u64).unwrap();
            store.move_delivery(1, id, State::Running, 1, n as u64).unwrap();
            store.move_delivery(1, id, State::Done, 1, n as u64).unwrap();
            store.due(1, n as u64, 256).unwrap();
            store.next_due_after(1, Some(n as u64)).unwrap();
            let _ = store.event(id);
            store.dead_of(id).unwrap();
        }
        for sql in [INSERT_DELIVERY, MOVE_DELIVERY, DUE, NEXT_DUE, EVENT, DEAD_OF] {
            let statement = store.db.prepare_cached(sql).unwrap();
            let again = statement.get_status(StatementStatus::RePrepare);
            assert!(again <= 1, "{again} times: {sql}");
        }
    }

    #[test]
    fn what_is_not_what_was_written_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("t.db")).unwrap();
        let id = EventId::first_at(1);
        let event = NewEvent {
            source: "s".into(),
            provider: "p".into(),
            event_type: "t".into(),
            received_at_ms: 1,
            received: std::time::Instant::now(),
            attributes: vec![("a".into(), "b".into())],
            payload: Bytes::from_static(b"payload"),
            repeat_key: None,
        };
        store.insert_event(id, &event).unwrap();
        assert_eq!(store.event(id).unwrap().attributes, event.attributes);
        for damage in [
            "UPDATE body SET payload = CAST('Payload' AS BLOB)",
            "UPDATE body SET attributes = CAST(x'5bff' AS TEXT)",
            "DELETE FROM body",
        ] {
            store.db.execute_batch(damage).unwrap();
            assert!(matches!(store.event(id), Err(StoreError::Damaged(_))), "{damage}");
        }
    }

    #[test]
    fn a_file_of_the_first_version_is_upgraded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        let db = Connection::open(&file).unwrap();
        db.execute_batch(include_str!("schema.sql")).unwrap();
        db.execute_batch("INSERT INTO subscriber VALUES (7, 'before', NULL); PRAGMA user_version = 1").unwrap();
        drop(db);
        let store = Store::open(&file).unwrap();
        assert_eq!(store.subscribe("before", &[]).unwrap(), 7);
        assert_eq!(store.db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap(), SCHEMA);
        store.delete_expired(1, 1).unwrap();
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        Store::open(&file).unwrap().db.pragma_update(None, "user_version", 99).unwrap();
        let told = Store::open(&file).err().unwrap().to_string();
        assert!(told.contains("version 99"), "{told}");
    }
}
