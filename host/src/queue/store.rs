//! The engine: SQLite, and the only file that knows SQL.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::checksum::Stored;
use super::columns::{State, outcome_columns};
use super::connection::{PAGE_BYTES, connect, move_log};
pub use super::failure::StoreError;
pub(super) use super::failure::{Result, is_of_values, only_not_now};
use super::mover::Mover;
use super::old_log::{OldLog, take_alone};
use super::place::{Place, marker};
use super::schema;
use crate::attempt::Attempt;
use crate::event::{Event, EventId, NewEvent, RepeatKey, TraceParent, UnixMs};

/// How many types of events are known by heart.
const TYPES: usize = 10_000;

/// How large the log may be in good times.
pub(super) const LOG_BYTES: u64 = 32 << 20;

/// How much SQLite may keep of the file in memory.
const CACHE_KIB: i32 = 32 * 1024;

// The index of what is open serves a query only where the index's own condition stands in it, word by word; and a CROSS JOIN
// keeps the order of the tables as written. A test asks the engine for its plans.
const INSERT_DELIVERY: &str = "INSERT INTO delivery VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const MOVE_DELIVERY: &str =
    "UPDATE delivery SET state = ?3, attempt = ?4, due_ms = ?5 WHERE subscriber = ?1 AND event = ?2";
const EVENT: &str =
    "SELECT s.name, s.provider, t.name, e.received_at_ms, b.checksum, b.attributes, b.payload, b.trace, b.headers
    FROM event e JOIN source s ON s.id = e.source JOIN event_type t ON t.id = e.type JOIN body b ON b.event = e.id
    WHERE e.id = ?1";
const DUE: &str =
    "SELECT event, attempt, earlier, lane, due_ms FROM delivery WHERE state <> 2 AND state = 0 AND subscriber = ?1 AND line = ?2 AND due_ms <= ?3
    ORDER BY due_ms LIMIT ?4";
const NEXT_DUE: &str = "SELECT min(due_ms) FROM delivery
    WHERE state <> 2 AND state = 0 AND subscriber = ?1 AND line = ?2 AND due_ms > ?3 AND due_ms < ?4";
const WAITING: &str = "SELECT line, min(due_ms) FROM delivery
    WHERE state <> 2 AND state = 0 AND subscriber = ?1 AND due_ms < ?2 GROUP BY line";
const SOONER: &str = "UPDATE delivery SET due_ms = ?3
    WHERE state <> 2 AND state = 0 AND subscriber = ?1 AND line = ?2 AND due_ms > ?3 AND due_ms < ?4";
const OPEN: &str = "SELECT count(*) FROM delivery WHERE state <> 2 AND state IN (0, 1)";
const RUNNING: &str =
    "SELECT subscriber, line, event, attempt, earlier, lane, due_ms FROM delivery WHERE state <> 2 AND state = 1";
const DEAD_OF: &str = "SELECT d.subscriber FROM subscriber s CROSS JOIN delivery d ON d.subscriber = s.id AND d.event = ?1 WHERE d.state = 3";

/// A delivery that waits, as it is stored.
pub struct StoredDelivery {
    /// Of which event.
    pub event: EventId,
    /// How many attempts it had, and how many of them in earlier rounds.
    pub attempts: u32,
    /// See above.
    pub earlier: u32,
    /// Its lane, if it has one.
    pub lane: Option<i64>,
    /// Since when it could have been begun.
    pub due_ms: UnixMs,
}

impl StoredDelivery {
    /// In the columns from one on.
    fn in_row(row: &Row, first: usize) -> rusqlite::Result<StoredDelivery> {
        Ok(StoredDelivery {
            event: EventId::from_i64(row.get(first)?),
            attempts: row.get(first + 1)?,
            earlier: row.get(first + 2)?,
            lane: row.get(first + 3)?,
            due_ms: row.get::<_, i64>(first + 4)? as UnixMs,
        })
    }
}

/// When a delivery is due that is not the first of its lane: never, until it is.
pub(super) const IN_LANE: UnixMs = i64::MAX as UnixMs;

/// A delivery at its beginning.
pub struct Begins {
    /// Waiting, or running at once.
    pub state: State,
    /// How many attempts were begun.
    pub attempt: u32,
    /// How many of them are those of a delivery that was dropped.
    pub earlier: u32,
    /// When it is due.
    pub due_ms: UnixMs,
    /// Where it waits.
    pub line: i64,
    /// Its lane, if it has one.
    pub lane: Option<i64>,
}

/// A connection that writes. There is one.
pub struct Store {
    pub(super) db: Connection,
    pub(super) sources: HashMap<(Arc<str>, Arc<str>), i64>,
    pub(super) types: HashMap<Arc<str>, i64>,
    log_pages: Arc<AtomicU64>,
    pub(super) mover: Option<Mover>,
    /// Whether a commit waits until it is on disk.
    pub(super) syncs: Cell<bool>,
    /// How many deliveries are not over, and how many were not when the group began.
    pub(super) open: Cell<i64>,
    pub(super) open_before: Cell<i64>,
    old_log: OldLog,
    pub(super) place: Place,
}

impl Store {
    /// Opens the file, making it where it is missing, and upgrades or refuses other versions of the schema.
    pub fn open(file: &Path) -> anyhow::Result<Store> {
        if marker(file).exists() {
            take_alone(file)?;
        }
        let mut db = connect(file)?;
        // Who reads for long has the log grow. It need not stay so.
        db.pragma_update(None, "journal_size_limit", LOG_BYTES as i64)?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        // A plan that holds whatever is bound: otherwise, for the index of what is open, each binding has the statement planned anew.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.set_prepared_statement_cache_capacity(64);
        let (version, old_log) = (schema::version(&db)?, OldLog::of(file));
        match old_log.deal_with(&db) {
            // It is tried again before anything is written.
            Err(StoreError::NotNow(_)) if version == schema::SCHEMA => {}
            dealt_with => dealt_with?,
        }
        schema::bring_up(&mut db)?;
        if version != schema::SCHEMA {
            // So that the file is one without its log, too.
            move_log(&db).map(drop).or_else(only_not_now)?;
        }
        let log_pages = Arc::new(AtomicU64::new(0));
        let counted = log_pages.clone();
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            counted.store(pages as u64, Ordering::Relaxed);
            Ok(())
        }))?;
        let open = Cell::new(db.query_row(OPEN, [], |row| row.get(0))?);
        let (sources, types, open_before) = (HashMap::new(), HashMap::new(), open.clone());
        let (syncs, place) = (Cell::new(true), Place::of(file));
        Ok(Store { db, sources, types, log_pages, mover: None, syncs, open, open_before, old_log, place })
    }

    /// Whether what is written is not lost with what the last process left.
    pub fn is_log_good(&self) -> bool {
        self.old_log.is_dealt_with()
    }

    /// Has the log moved into the file beside what is written from now on.
    pub fn move_beside(&mut self, file: &Path) -> anyhow::Result<()> {
        self.mover = Some(Mover::start(file)?);
        Ok(())
    }

    /// Reads all of the file and makes sure that it is whole, indexes included: one that lacks an entry is found only when that is deleted.
    pub fn check(&self) -> anyhow::Result<()> {
        let told: String = self.db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        anyhow::ensure!(told == "ok", told);
        Ok(())
    }

    /// How much there is in the log, in bytes.
    pub fn log_bytes(&self) -> u64 {
        self.log_pages.load(Ordering::Relaxed) * u64::from(PAGE_BYTES)
    }

    /// Moves what was committed from the log into the file, where the log has grown to a size.
    pub fn checkpoint(&self, at_bytes: u64) -> Result<()> {
        let log = self.log_bytes();
        if log < at_bytes {
            return Ok(());
        }
        // Most of it beside the writer; what came meanwhile here, since only who writes nothing more comes to the end of it.
        if let Some(mover) = &self.mover
            && !mover.has_moved(log)?
        {
            return Ok(());
        }
        if let Some((pages, moved)) = move_log(&self.db)? {
            // Where all is moved, it is begun anew.
            self.log_pages.store(if moved < pages { pages } else { 0 }, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Moves all that was committed into the file, and has what is closed then leave no log.
    pub fn finish(&mut self) -> Result<()> {
        self.mover.take().map_or(Ok(()), Mover::end)?;
        self.checkpoint(0)?;
        self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        Ok(())
    }

    pub(super) fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        self.change(sql, params).map(drop)
    }

    /// Runs a change and gives how many rows it changed.
    pub(super) fn change(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
        self.old_log.deal_with(&self.db)?;
        Ok(self.db.prepare_cached(sql)?.execute(params)?)
    }

    /// How many deliveries are not over.
    pub fn open_deliveries(&self) -> u64 {
        self.open.get().max(0) as u64
    }

    pub(super) fn opened(&self, deliveries: i64) {
        self.open.set(self.open.get() + deliveries);
    }

    /// How much of the file holds something, in bytes.
    pub fn used_bytes(&self) -> Result<u64> {
        let pages = self.number("PRAGMA page_count", [])? - self.number("PRAGMA freelist_count", [])?;
        Ok(pages.max(0) as u64 * self.number("PRAGMA page_size", [])? as u64)
    }

    /// Writes an event under an id, and how many want it. Gives its source's number.
    pub fn insert_event(&mut self, id: EventId, event: &NewEvent, wanting: usize) -> Result<i64> {
        let source = self.source_number(&event.source, &event.provider)?;
        let event_type = self.type_number(&event.event_type)?;
        let key = event.repeat_key.as_ref().map(|key| &key[..]);
        self.run(
            "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id.to_i64(), source, event_type, event.received_at_ms as i64, key, i64::from(wanting == 0)],
        )?;
        let (attributes, trace) = (attributes_text(&event.attributes), event.trace.map(TraceParent::to_bytes));
        let (headers, payload) = (event.headers.as_deref(), &event.payload[..]);
        let stored = Stored {
            id,
            received_at_ms: event.received_at_ms as i64,
            source: event.source.as_bytes(),
            provider: event.provider.as_bytes(),
            event_type: event.event_type.as_bytes(),
            attributes: attributes.as_bytes(),
            payload,
            trace: trace.as_ref().map(|bytes| &bytes[..]).unwrap_or_default(),
            headers: headers.unwrap_or_default().as_bytes(),
        };
        self.run(
            "INSERT INTO body VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id.to_i64(), stored.sum(), attributes, payload, headers, trace],
        )?;
        Ok(source)
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

    pub(super) fn number(&self, sql: &str, params: impl rusqlite::Params) -> Result<i64> {
        Ok(self.db.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    }

    /// Reads an event back and checks that it is what was written.
    pub fn event(&self, id: EventId) -> Result<Event> {
        let mut statement = self.db.prepare_cached(EVENT)?;
        let event = statement.query_row([id.to_i64()], |row| {
            let stored = Stored::in_row(id, row)?;
            let is_intact = stored.had(row.get(4)?);
            let readable = is_intact.then(|| serde_json::from_slice(stored.attributes).ok()).flatten();
            let Some(attributes) = readable else { return Ok(None) };
            let text = |n| row.get::<_, String>(n).map(Arc::<str>::from);
            Ok(Some(Event {
                id,
                source: text(0)?,
                provider: text(1)?,
                event_type: text(2)?,
                received_at_ms: row.get::<_, i64>(3)? as UnixMs,
                received: None,
                attributes,
                payload: Bytes::copy_from_slice(stored.payload),
                trace: TraceParent::from_bytes(stored.trace),
            }))
        });
        match event.optional() {
            Ok(event) => event.flatten().ok_or(StoreError::Damaged(id)),
            Err(error) if is_of_values(&error) => Err(StoreError::Damaged(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a delivery for the first time.
    pub fn insert_delivery(&self, subscriber: i64, event: EventId, begins: Begins) -> Result<()> {
        self.opened(1);
        let Begins { state, attempt, earlier, due_ms, line, lane } = begins;
        self.run(
            INSERT_DELIVERY,
            params![subscriber, event.to_i64(), state as i64, attempt, due_ms as i64, earlier, line, lane],
        )
    }

    /// Moves a delivery that is not over to another state.
    pub fn move_delivery(
        &self,
        subscriber: i64,
        event: EventId,
        state: State,
        attempt: u32,
        due_ms: UnixMs,
    ) -> Result<()> {
        self.opened(-i64::from(matches!(state, State::Done | State::Dead)));
        self.run(MOVE_DELIVERY, params![subscriber, event.to_i64(), state as i64, attempt, due_ms as i64])
    }

    /// Keeps how an attempt went.
    pub fn insert_attempt(&self, subscriber: i64, event: EventId, number: u32, attempt: &Attempt) -> Result<()> {
        let (outcome, why) = outcome_columns(&attempt.outcome);
        let reply = attempt.reply.as_ref();
        self.run(
            "INSERT OR REPLACE INTO attempt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
                attempt.spent.map(|spent| spent.cpu.as_micros() as i64),
                attempt.spent.map(|spent| spent.memory_bytes as i64),
                attempt.log.as_deref(),
            ],
        )
    }

    /// Whether an attempt of this number is kept.
    pub fn has_attempt(&self, subscriber: i64, event: EventId, number: u32) -> Result<bool> {
        let sql = "SELECT count(*) FROM attempt WHERE subscriber = ?1 AND event = ?2 AND number = ?3";
        Ok(self.number(sql, params![subscriber, event.to_i64(), number])? > 0)
    }

    /// The number of the last attempt that is kept; 0, where there is none.
    pub fn last_attempt(&self, subscriber: i64, event: EventId) -> Result<u32> {
        let sql = "SELECT ifnull(max(number), 0) FROM attempt WHERE subscriber = ?1 AND event = ?2";
        Ok(self.number(sql, params![subscriber, event.to_i64()])? as u32)
    }

    /// Has a delivery that is over wait anew, in the line of its source or in another. Its attempts until now are those of earlier
    /// rounds. Gives its line.
    pub fn put_back(&self, subscriber: i64, event: EventId, due_ms: UnixMs, line: Option<i64>) -> Result<i64> {
        self.opened(1);
        let sql = "UPDATE delivery SET state = 0, due_ms = ?3, earlier = attempt, line = ifnull(?4, line)
            WHERE subscriber = ?1 AND event = ?2 RETURNING line";
        self.number(sql, params![subscriber, event.to_i64(), due_ms as i64, line])
    }

    /// The waiting deliveries of a line that are due, the longest waiting first.
    pub fn due(&self, subscriber: i64, line: i64, now_ms: UnixMs, limit: usize) -> Result<Vec<StoredDelivery>> {
        let mut statement = self.db.prepare_cached(DUE)?;
        let rows = statement
            .query_map(params![subscriber, line, now_ms as i64, limit as i64], |row| StoredDelivery::in_row(row, 0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// When the next waiting delivery of a line after a time is due.
    pub fn next_due_after(&self, subscriber: i64, line: i64, after_ms: UnixMs) -> Result<Option<UnixMs>> {
        let due: Option<i64> = self
            .db
            .prepare_cached(NEXT_DUE)?
            .query_row(params![subscriber, line, after_ms as i64, IN_LANE as i64], |row| row.get(0))?;
        Ok(due.map(|ms| ms as UnixMs))
    }

    /// The lines in which something waits for a subscriber, each with when the first of it is due.
    pub fn waiting(&self, subscriber: i64) -> Result<Vec<(i64, UnixMs)>> {
        let mut statement = self.db.prepare_cached(WAITING)?;
        let rows = statement
            .query_map(params![subscriber, IN_LANE as i64], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as UnixMs)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Has nothing in a line wait for longer than until a time.
    pub fn sooner(&self, subscriber: i64, line: i64, latest_ms: UnixMs) -> Result<()> {
        self.run(SOONER, params![subscriber, line, latest_ms as i64, IN_LANE as i64])
    }

    /// The deliveries that were running when the gateway last stopped, each with its subscriber and its line.
    pub fn running(&self) -> Result<Vec<(i64, i64, StoredDelivery)>> {
        let mut statement = self.db.prepare(RUNNING)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, StoredDelivery::in_row(row, 2)?)))?;
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

    /// The newest event before one.
    pub fn last_before(&self, event: EventId) -> Result<Option<EventId>> {
        self.end("SELECT max(id) FROM event WHERE id < ?1", event)
    }

    /// The oldest event from one on.
    pub fn first_since(&self, event: EventId) -> Result<Option<EventId>> {
        self.end("SELECT min(id) FROM event WHERE id >= ?1", event)
    }

    fn end(&self, sql: &str, event: EventId) -> Result<Option<EventId>> {
        let id: Option<i64> = self.db.query_row(sql, [event.to_i64()], |row| row.get(0))?;
        Ok(id.map(EventId::from_i64))
    }

    /// The newest event's id.
    pub fn last_id(&self) -> Result<EventId> {
        self.number("SELECT ifnull(max(id), 0) FROM event", []).map(EventId::from_i64)
    }
}

fn attributes_text(attributes: &[(String, String)]) -> String {
    serde_json::to_string(attributes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_query_of_the_hot_path_looks_through_a_whole_table() {
        let db = Connection::open_in_memory().unwrap();
        schema::BATCHES.iter().for_each(|batch| db.execute_batch(batch).unwrap());
        let own = [DUE, NEXT_DUE, WAITING, SOONER, OPEN, RUNNING, DEAD_OF, super::super::reader::COUNTS];
        let others = [&super::super::state::HOT[..], &super::super::look::LOOKS, &super::super::retention::DELETES];
        let others = others.into_iter().chain([&super::super::records::FORGETS[..]]);
        let others =
            others.into_iter().chain([&super::super::lanes::LANES[..], &super::super::events::EVENTS]).flatten();
        let searches = super::super::ids::IDS.iter().chain(&super::super::texts::KEEPING);
        let others = others.chain(searches.clone());
        for sql in own.iter().chain(others) {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = statement.parameter_count();
            let plan: Vec<String> = statement
                .query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get::<_, String>(3))
                .unwrap()
                .map(|row| row.unwrap())
                .collect();
            let plan = plan.join("; ");
            let scans = ["SCAN d", "SCAN state", "SCAN event", "SCAN e ", "SCAN body"];
            let through_all = scans.iter().any(|scan| plan.contains(scan))
                && !plan.contains("USING INDEX delivery_open")
                && !plan.contains("USING INDEX state_expiring")
                && !plan.contains("COVERING INDEX");
            assert!(!through_all && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
            let is_search = searches.clone().any(|search| search == sql);
            assert!(!is_search || plan.starts_with("SEARCH"), "{sql}\n{plan}");
        }
    }

    #[test]
    fn no_statement_is_planned_again_for_each_delivery() {
        use rusqlite::StatementStatus;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("t.db")).unwrap();
        for n in 1..100 {
            let id = EventId::from_i64(n);
            let begins =
                Begins { state: State::Waiting, attempt: 0, earlier: 0, due_ms: n as u64, line: 1, lane: None };
            store.insert_delivery(1, id, begins).unwrap();
            store.move_delivery(1, id, State::Running, 1, n as u64).unwrap();
            store.move_delivery(1, id, State::Done, 1, n as u64).unwrap();
            store.due(1, 1, n as u64, 256).unwrap();
            store.next_due_after(1, 1, n as u64).unwrap();
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
            headers: Some("name: value\n".into()),
            repeat_key: None,
            trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().ok(),
        };
        store.insert_event(id, &event, 1).unwrap();
        // Others that it could be taken for.
        let batch =
            "INSERT INTO event_type (name) VALUES ('other'); INSERT INTO source (name, provider) VALUES ('s', 'other')";
        store.db.execute_batch(batch).unwrap();
        let read = store.event(id).unwrap();
        assert_eq!((read.attributes, read.trace), (event.attributes, event.trace));
        assert!(event.trace.is_some());
        for damage in [
            "UPDATE body SET payload = CAST('Payload' AS BLOB)",
            "UPDATE body SET attributes = CAST(x'5bff' AS TEXT)",
            "UPDATE body SET headers = 'name: Value'",
            "UPDATE body SET trace = zeroblob(25)",
            "UPDATE body SET checksum = checksum & 4294967295",
            "UPDATE event_type SET name = 'T' WHERE name = 't'",
            "UPDATE source SET name = 'S'",
            "UPDATE source SET provider = 'P' WHERE provider = 'p'",
            "UPDATE event SET type = (SELECT id FROM event_type WHERE name = 'other')",
            "UPDATE event SET source = (SELECT id FROM source WHERE provider = 'other')",
            "UPDATE event SET type = 99",
            "UPDATE event SET received_at_ms = 2",
            "UPDATE event SET received_at_ms = 'now'",
            "DELETE FROM body",
        ] {
            store.begin().unwrap();
            store.db.execute_batch(damage).unwrap();
            assert!(matches!(store.event(id), Err(StoreError::Damaged(_))), "{damage}");
            let shown = super::super::shown::show(&store.db, id).unwrap().unwrap();
            assert_eq!(shown.is_damaged, damage != "DELETE FROM body", "{damage}");
            assert!(shown.payload.is_none() && shown.attributes.is_empty() && shown.headers.is_none(), "{damage}");
            store.roll_back();
            assert!(store.event(id).is_ok());
        }
        let shown = super::super::shown::show(&store.db, id).unwrap().unwrap();
        assert_eq!(shown.payload.as_deref(), Some(&b"payload"[..]));
        assert!(!shown.is_damaged && shown.headers.is_some());
    }
}
