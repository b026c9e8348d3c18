//! The engine: SQLite, and the only file that knows SQL.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use crate::attempt::{Attempt, Outcome};
use crate::event::{Event, EventId, NewEvent, RepeatKey, UnixMs};

/// The version of the schema that this code writes.
const SCHEMA: i64 = 1;

/// Half of an ordinary page: events of a few kilobytes then fill their pages instead of leaving the rest of each empty,
/// and the narrow tables' last pages, written with every commit, are half as large. `cargo xtask bench` prints the bytes.
const PAGE_BYTES: u32 = 2048;

/// How much SQLite may keep of the file in memory.
const CACHE_KIB: i32 = 32 * 1024;

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room. Nothing was written, and it may be tried again.
    #[error("the disk is full")]
    Full,
    /// What is on disk is not what was written.
    #[error("the stored body of {0} is damaged")]
    Damaged(EventId),
    /// Anything else. After it nothing can be promised any more.
    #[error(transparent)]
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match &error {
            rusqlite::Error::SqliteFailure(cause, _) if is_full(cause) => StoreError::Full,
            _ => StoreError::Broken(error),
        }
    }
}

/// A full disk shows as itself, or where the memory that is shared with readers cannot grow.
fn is_full(cause: &rusqlite::ffi::Error) -> bool {
    cause.code == ErrorCode::DiskFull || cause.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
}

type Result<T> = std::result::Result<T, StoreError>;

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

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum State {
    /// Not before it is due.
    Waiting = 0,
    /// An attempt was begun.
    Running = 1,
    /// Over, well.
    Done = 2,
    /// Over, not well.
    Dead = 3,
}

/// A connection that writes. There is one.
pub struct Store {
    db: Connection,
    sources: HashMap<(Arc<str>, Arc<str>), i64>,
    types: HashMap<Arc<str>, i64>,
    log_pages: Arc<AtomicU64>,
}

impl Store {
    /// Opens the file, making it where it is missing, and upgrades or refuses other versions of the schema.
    pub fn open(file: &Path) -> anyhow::Result<Store> {
        let mut db = Connection::open(file)?;
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: a commit returns once it is on disk. NORMAL would lose acknowledged events with the power.
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "wal_autocheckpoint", 0)?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        db.set_prepared_statement_cache_capacity(64);
        migrate(&mut db)?;
        let log_pages = Arc::new(AtomicU64::new(0));
        let counted = log_pages.clone();
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            counted.store(pages as u64, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Store { db, sources: HashMap::new(), types: HashMap::new(), log_pages })
    }

    /// Begins a group of writes that is on disk as a whole or not at all.
    pub fn begin(&self) -> Result<()> {
        self.run("BEGIN IMMEDIATE", [])
    }

    /// Ends the group: when this returns well, it is on disk.
    pub fn commit(&self) -> Result<()> {
        self.run("COMMIT", [])
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

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
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
        let checksum = checksum(&attributes, &event.payload);
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
        self.types.insert(name.clone(), number);
        Ok(number)
    }

    fn number(&self, sql: &str, params: impl rusqlite::Params) -> Result<i64> {
        Ok(self.db.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    }

    /// Reads an event back and checks that it is what was written.
    pub fn event(&self, id: EventId) -> Result<Event> {
        let sql = "SELECT s.name, s.provider, t.name, e.received_at_ms, b.checksum, b.attributes, b.payload
                   FROM event e JOIN source s ON s.id = e.source JOIN event_type t ON t.id = e.type JOIN body b ON b.event = e.id
                   WHERE e.id = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let row = statement.query_row([id.to_i64()], |row| {
            let text = |n| row.get::<_, String>(n).map(Arc::<str>::from);
            let (sum, attributes, payload): (i64, String, Vec<u8>) = (row.get(4)?, row.get(5)?, row.get(6)?);
            Ok((text(0)?, text(1)?, text(2)?, row.get::<_, i64>(3)?, sum, attributes, payload))
        });
        let (source, provider, event_type, received, sum, attributes, payload) =
            row.optional()?.ok_or(StoreError::Damaged(id))?;
        let readable = serde_json::from_str(&attributes).ok().filter(|_| checksum(&attributes, &payload) == sum);
        Ok(Event {
            id,
            source,
            provider,
            event_type,
            received_at_ms: received as UnixMs,
            attributes: readable.ok_or(StoreError::Damaged(id))?,
            payload: Bytes::from(payload),
        })
    }

    /// Writes a delivery for the first time.
    pub fn insert_delivery(&self, subscriber: i64, event: EventId, state: State, attempt: u32, due_ms: UnixMs) -> Result<()> {
        self.run(
            "INSERT INTO delivery VALUES (?1, ?2, ?3, ?4, ?5)",
            params![subscriber, event.to_i64(), state as i64, attempt, due_ms as i64],
        )
    }

    /// Moves a delivery to another state.
    pub fn move_delivery(&self, subscriber: i64, event: EventId, state: State, attempt: u32, due_ms: UnixMs) -> Result<()> {
        self.run(
            "UPDATE delivery SET state = ?3, attempt = ?4, due_ms = ?5 WHERE subscriber = ?1 AND event = ?2",
            params![subscriber, event.to_i64(), state as i64, attempt, due_ms as i64],
        )
    }

    /// Keeps how an attempt went.
    pub fn insert_attempt(&self, subscriber: i64, event: EventId, number: u32, attempt: &Attempt) -> Result<()> {
        let (outcome, why) = outcome_columns(&attempt.outcome);
        self.run(
            "INSERT OR REPLACE INTO attempt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                subscriber,
                event.to_i64(),
                number,
                attempt.generation as i64,
                attempt.started_at_ms as i64,
                attempt.took.as_micros() as i64,
                outcome,
                why
            ],
        )
    }

    /// The waiting deliveries that are due, the longest waiting first: each event and the attempts that it had.
    pub fn due(&self, subscriber: i64, now_ms: UnixMs, limit: usize) -> Result<Vec<(EventId, u32)>> {
        let sql = "SELECT event, attempt FROM delivery WHERE state = 0 AND subscriber = ?1 AND due_ms <= ?2
                   ORDER BY due_ms, event LIMIT ?3";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![subscriber, now_ms as i64, limit as i64], |row| {
            Ok((EventId::from_i64(row.get(0)?), row.get(1)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// When the next waiting delivery after a time is due.
    pub fn next_due_after(&self, subscriber: i64, after_ms: Option<UnixMs>) -> Result<Option<UnixMs>> {
        let sql = "SELECT min(due_ms) FROM delivery WHERE state = 0 AND subscriber = ?1 AND due_ms > ?2";
        let after = after_ms.map_or(-1, |ms| ms as i64);
        let due: Option<i64> = self.db.prepare_cached(sql)?.query_row(params![subscriber, after], |row| row.get(0))?;
        Ok(due.map(|ms| ms as UnixMs))
    }

    /// The deliveries that were running when the gateway last stopped.
    pub fn running(&self) -> Result<Vec<(i64, EventId, u32)>> {
        let mut statement = self.db.prepare("SELECT subscriber, event, attempt FROM delivery WHERE state = 1")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, EventId::from_i64(row.get(1)?), row.get(2)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Which subscribers have a dead delivery of an event.
    pub fn dead_of(&self, event: EventId) -> Result<Vec<i64>> {
        let sql = "SELECT d.subscriber FROM subscriber s JOIN delivery d ON d.subscriber = s.id AND d.event = ?1 WHERE d.state = 3";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([event.to_i64()], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The keys of all events since a time.
    pub fn repeat_keys_since(&self, since: EventId) -> Result<HashMap<RepeatKey, EventId>> {
        let mut statement = self.db.prepare("SELECT repeat_key, id FROM event WHERE id >= ?1 AND repeat_key IS NOT NULL")?;
        let rows = statement.query_map([since.to_i64()], |row| Ok((row.get(0)?, EventId::from_i64(row.get(1)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
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
            subscribers.push(StoredSubscriber { id, name: name.into(), patterns, gone_at_ms: gone.map(|ms| ms as UnixMs) });
        }
        Ok(subscribers)
    }

    fn patterns(&self, subscriber: i64) -> Result<Vec<String>> {
        let mut statement = self.db.prepare_cached("SELECT pattern FROM subscription WHERE subscriber = ?1")?;
        let rows = statement.query_map([subscriber], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Replaces a subscriber's subscriptions and gives its number.
    pub fn subscribe(&self, name: &str, patterns: &[String]) -> Result<i64> {
        self.run("INSERT INTO subscriber (name) VALUES (?1) ON CONFLICT (name) DO UPDATE SET gone_at_ms = NULL", [name])?;
        let id = self.number("SELECT id FROM subscriber WHERE name = ?1", [name])?;
        self.run("DELETE FROM subscription WHERE subscriber = ?1", [id])?;
        for pattern in patterns {
            self.run("INSERT OR IGNORE INTO subscription VALUES (?1, ?2)", params![id, pattern])?;
        }
        Ok(id)
    }

    /// Notes since when a subscriber's file has been missing.
    pub fn set_gone(&self, subscriber: i64, at_ms: UnixMs) -> Result<()> {
        self.run("UPDATE subscriber SET gone_at_ms = ?2 WHERE id = ?1", params![subscriber, at_ms as i64])
    }

    /// Ends a subscriber's subscriptions; what still waits for it is dead.
    pub fn forget(&self, subscriber: i64) -> Result<()> {
        self.run("DELETE FROM subscription WHERE subscriber = ?1", [subscriber])?;
        self.run("UPDATE delivery SET state = 3 WHERE subscriber = ?1 AND state = 0", [subscriber])
    }

    /// Deletes some of the events before an id that have nothing open. Gives how far it came, or nothing at the end.
    pub fn delete_old(&self, from: EventId, before: EventId, limit: usize) -> Result<Option<EventId>> {
        let sql = "SELECT id FROM event WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![from.to_i64(), before.to_i64(), limit as i64], |row| row.get(0))?;
        let ids: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
        for id in &ids {
            let open = "SELECT count(*) FROM subscriber s JOIN delivery d ON d.subscriber = s.id AND d.event = ?1 WHERE d.state < 2";
            if self.number(open, [id])? > 0 {
                continue;
            }
            for sql in [
                "DELETE FROM attempt WHERE event = ?1 AND subscriber IN (SELECT id FROM subscriber)",
                "DELETE FROM delivery WHERE event = ?1 AND subscriber IN (SELECT id FROM subscriber)",
                "DELETE FROM body WHERE event = ?1",
                "DELETE FROM event WHERE id = ?1",
            ] {
                self.run(sql, [id])?;
            }
        }
        Ok(ids.last().map(|id| EventId::from_i64(*id)))
    }
}

fn migrate(db: &mut Connection) -> anyhow::Result<()> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        SCHEMA => Ok(()),
        0 => {
            let group = db.transaction()?;
            group.execute_batch(include_str!("schema.sql"))?;
            group.pragma_update(None, "user_version", SCHEMA)?;
            Ok(group.commit()?)
        }
        newer => anyhow::bail!(
            "its data is of version {newer}, and this hookgate knows version {SCHEMA}: run the hookgate that wrote it, or a newer one"
        ),
    }
}

fn attributes_text(attributes: &[(String, String)]) -> String {
    serde_json::to_string(attributes).unwrap_or_default()
}

fn checksum(attributes: &str, payload: &[u8]) -> i64 {
    i64::from(crc32c::crc32c_append(crc32c::crc32c(attributes.as_bytes()), payload))
}

/// What stands in the columns `outcome` and `why`.
fn outcome_columns(outcome: &Outcome) -> (i64, Option<&str>) {
    match outcome {
        Outcome::Done => (0, None),
        Outcome::Retry { why, .. } => (1, Some(why)),
        Outcome::Reject { why } => (2, Some(why)),
        Outcome::Trapped { why } => (3, Some(why)),
        Outcome::Overran { limit } => (4, Some(limit)),
        Outcome::OutOfMemory => (5, None),
        Outcome::Lost => (6, None),
        Outcome::Damaged => (7, None),
    }
}

/// How much there is to do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Deliveries that wait, due or not.
    pub pending: u64,
    /// Of them, those that are due.
    pub due: u64,
    /// Deliveries whose attempt was begun.
    pub running: u64,
    /// Deliveries that are dead and kept.
    pub dead: u64,
    /// How long the oldest waiting delivery has been due, in seconds.
    pub oldest_pending_s: u64,
}

/// A connection that only reads.
pub struct Reader(Connection);

impl Reader {
    /// Opens the file beside the writer.
    pub fn open(file: &Path) -> rusqlite::Result<Reader> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(file, flags).map(Reader)
    }

    /// Counts what is open at a time.
    pub fn counts(&self, now_ms: UnixMs) -> rusqlite::Result<Counts> {
        let now = now_ms as i64;
        let sql = "SELECT sum(state = 0), sum(state = 0 AND due_ms <= ?1), sum(state = 1), sum(state = 3),
                   min(CASE WHEN state = 0 THEN due_ms END) FROM delivery WHERE state <> 2";
        self.0.prepare_cached(sql)?.query_row([now], |row| {
            let count = |n| row.get::<_, Option<i64>>(n).map(|count| count.unwrap_or(0) as u64);
            let oldest: Option<i64> = row.get(4)?;
            let oldest_pending_s = oldest.map_or(0, |due| now.saturating_sub(due).max(0) as u64 / 1000);
            Ok(Counts { pending: count(0)?, due: count(1)?, running: count(2)?, dead: count(3)?, oldest_pending_s })
        })
    }
}
