//! The queue's file, read as an operator's tool would read it: while the gateway runs, and without asking it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hookgate::event::EventId;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

/// The tables of a data folder.
#[derive(Debug, Clone)]
pub struct Ledger {
    file: PathBuf,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not before it is due.
    Waiting,
    /// An attempt was begun.
    Running,
    /// Over, well.
    Done,
    /// Over, not well.
    Dead,
}

/// One attempt as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// The event's id.
    pub event: String,
    /// 1 is the first.
    pub number: u32,
    /// How it ended, in the words of the logs.
    pub outcome: &'static str,
    /// Why, where there is more to say.
    pub why: String,
}

const STATES: [State; 4] = [State::Waiting, State::Running, State::Done, State::Dead];
const OUTCOMES: [&str; 8] = ["done", "retry", "reject", "trapped", "overran", "out_of_memory", "lost", "damaged"];

impl Ledger {
    /// The ledger in a data folder.
    pub fn of(data: &Path) -> Ledger {
        Ledger { file: data.join("hookgate.db") }
    }

    /// The ledger in a file of another name.
    pub fn of_file(file: &Path) -> Ledger {
        Ledger { file: file.to_owned() }
    }

    /// The payload of each event.
    pub fn payloads(&self) -> BTreeMap<String, Vec<u8>> {
        let db = self.read();
        let mut statement = db.prepare("SELECT event, payload FROM body").unwrap();
        let rows = statement.query_map([], |row| Ok((text(row.get(0)?), row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// How many events there are.
    pub fn events(&self) -> i64 {
        self.read().query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap()
    }

    /// Every event with its body; without one where that is missing.
    pub fn bodies(&self) -> Vec<(String, String)> {
        let db = self.read();
        let sql = "SELECT e.id, ifnull(CAST(b.payload AS TEXT), '') FROM event e LEFT JOIN body b ON b.event = e.id";
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((text(row.get(0)?), row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Whether an event is there, by the id that its sender was told.
    pub fn has(&self, id: &str) -> bool {
        let count: i64 =
            self.read().query_row("SELECT count(*) FROM event WHERE id = ?1", [number(id)], |row| row.get(0)).unwrap();
        count == 1
    }

    /// Where a plugin's delivery of an event stands; nothing, where there is none.
    pub fn state(&self, plugin: &str, id: &str) -> Option<State> {
        self.states(plugin).into_iter().find(|(event, _)| event == id).map(|(_, state)| state)
    }

    /// Where each delivery of a plugin stands.
    pub fn states(&self, plugin: &str) -> Vec<(String, State)> {
        let db = self.read();
        let sql = "SELECT event, state FROM delivery d JOIN subscriber s ON s.id = d.subscriber WHERE s.name = ?1 ORDER BY event";
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement
            .query_map([plugin], |row| Ok((text(row.get(0)?), STATES[row.get::<_, i64>(1)? as usize])))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// How many deliveries of a plugin stand so.
    pub fn count(&self, plugin: &str, state: State) -> usize {
        self.states(plugin).iter().filter(|(_, stands)| *stands == state).count()
    }

    /// Every attempt of a plugin, by event and number.
    pub fn attempts(&self, plugin: &str) -> Vec<AttemptRow> {
        let db = self.read();
        let sql =
            "SELECT event, number, outcome, ifnull(why, '') FROM attempt a JOIN subscriber s ON s.id = a.subscriber
                   WHERE s.name = ?1 ORDER BY event, number";
        let mut statement = db.prepare(sql).unwrap();
        let row = |row: &rusqlite::Row| {
            let outcome = OUTCOMES[row.get::<_, i64>(2)? as usize];
            Ok(AttemptRow { event: text(row.get(0)?), number: row.get(1)?, outcome, why: row.get(3)? })
        };
        let rows = statement.query_map([plugin], row).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Every attempt of a plugin in the order in which they began: the event, when it began and when it ended, in milliseconds.
    pub fn attempts_in_order(&self, plugin: &str) -> Vec<(String, u64, u64)> {
        let db = self.read();
        let sql = "SELECT event, started_at_ms, started_at_ms + took_us / 1000 FROM attempt a
                   JOIN subscriber s ON s.id = a.subscriber WHERE s.name = ?1 ORDER BY started_at_ms, event, number";
        let mut statement = db.prepare(sql).unwrap();
        let time = |row: &rusqlite::Row, n| row.get::<_, i64>(n).map(|ms| ms as u64);
        let rows = statement.query_map([plugin], |row| Ok((text(row.get(0)?), time(row, 1)?, time(row, 2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// How many bodies there are.
    pub fn kept_bodies(&self) -> i64 {
        self.read().query_row("SELECT count(*) FROM body", [], |row| row.get(0)).unwrap()
    }

    /// How each attempt of a plugin at an event ended, in order.
    pub fn outcomes(&self, plugin: &str, id: &str) -> Vec<&'static str> {
        self.attempts(plugin).into_iter().filter(|attempt| attempt.event == id).map(|attempt| attempt.outcome).collect()
    }

    /// The subscribers whose names begin so.
    pub fn subscribers(&self, prefix: &str) -> Vec<String> {
        let db = self.read();
        let mut statement = db.prepare("SELECT name FROM subscriber WHERE substr(name, 1, length(?1)) = ?1").unwrap();
        let rows = statement.query_map([prefix], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// What a plugin remembers, by key.
    pub fn remembered(&self, plugin: &str) -> BTreeMap<String, String> {
        let db = self.read();
        let sql = "SELECT key, CAST(value AS TEXT) FROM state JOIN subscriber s ON s.id = subscriber WHERE s.name = ?1";
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map([plugin], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// The events that a plugin made, as their types and bodies, in their order.
    pub fn emitted(&self, plugin: &str) -> Vec<(String, String)> {
        let db = self.read();
        let sql = "SELECT t.name, CAST(b.payload AS TEXT) FROM event e JOIN source s ON s.id = e.source
                   JOIN event_type t ON t.id = e.type JOIN body b ON b.event = e.id WHERE s.name = ?1 ORDER BY e.id";
        let mut statement = db.prepare(sql).unwrap();
        let source = format!("plugin:{plugin}");
        let rows = statement.query_map([source], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// The rows of every table, in the same order each time.
    pub fn tables(&self) -> BTreeMap<String, Vec<Row>> {
        let db = self.read();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut statement = db.prepare(tables).unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        names.map(|name| (name.clone(), rows(&db, &format!("SELECT * FROM {name} ORDER BY 1, 2")))).collect()
    }

    /// What the file says of its tables, indexes and views.
    pub fn schema(&self) -> Vec<Row> {
        rows(&self.read(), "SELECT type, name, sql FROM sqlite_schema ORDER BY name")
    }

    /// Which version of the schema it has.
    pub fn version(&self) -> i64 {
        self.read().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    /// Damages one byte of an event's stored payload, as a failing disk would. Only while no gateway runs.
    pub fn damage(&self, id: &str) {
        let db = self.write();
        let mut payload: Vec<u8> =
            db.query_row("SELECT payload FROM body WHERE event = ?1", [number(id)], |row| row.get(0)).unwrap();
        payload[0] ^= 1;
        db.execute("UPDATE body SET payload = ?2 WHERE event = ?1", rusqlite::params![number(id), payload]).unwrap();
    }

    /// Says that another version wrote it. Only while no gateway runs.
    pub fn set_version(&self, version: i64) {
        self.write().pragma_update(None, "user_version", version).unwrap();
    }

    /// Holds the whole file, as an operator's tool does that was left open in the middle of a change; until it is dropped.
    pub fn hold(&self) -> Connection {
        let db = self.write();
        db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        db
    }

    /// Reads, as a backup does, until it is dropped.
    pub fn reads(&self) -> Connection {
        let db = self.read();
        db.execute_batch("BEGIN; SELECT count(*) FROM event").unwrap();
        db
    }

    /// What SQLite says about the whole file: `ok`.
    pub fn integrity(&self) -> String {
        self.read().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
    }

    fn read(&self) -> Connection {
        let db = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        db
    }

    fn write(&self) -> Connection {
        Connection::open(&self.file).unwrap()
    }
}

/// A row: its values by the names of its columns.
pub type Row = BTreeMap<String, Value>;

fn rows(db: &Connection, sql: &str) -> Vec<Row> {
    let mut statement = db.prepare(sql).unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row| {
        columns
            .iter()
            .enumerate()
            .map(|(n, column)| Ok((column.clone(), row.get(n)?)))
            .collect::<rusqlite::Result<Row>>()
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn number(id: &str) -> i64 {
    id.parse::<EventId>().unwrap().to_i64()
}

fn text(number: i64) -> String {
    EventId::from_i64(number).to_string()
}
