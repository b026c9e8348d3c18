//! A connection that only looks.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::columns::State;
use crate::event::UnixMs;

// In the order of the index, so that nothing is sorted.
pub(super) const COUNTS: &str = "SELECT state, count(*), sum(due_ms <= ?1), min(due_ms),
    (SELECT name FROM subscriber WHERE id = subscriber) FROM delivery WHERE state <> 2 GROUP BY state, subscriber";

const GONE: &str =
    "SELECT s.name, s.gone_at_ms, p.pattern FROM subscriber s CROSS JOIN subscription p ON p.subscriber = s.id
    WHERE s.gone_at_ms > 0 ORDER BY s.name, p.pattern";

/// A subscriber that is gone, and whose subscriptions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its name.
    pub name: String,
    /// Since when.
    pub since_ms: UnixMs,
    /// Its subscriptions.
    pub subscriptions: Vec<String>,
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

impl Counts {
    /// These and others together.
    pub fn and(self, other: &Counts) -> Counts {
        Counts {
            pending: self.pending + other.pending,
            due: self.due + other.due,
            running: self.running + other.running,
            dead: self.dead + other.dead,
            oldest_pending_s: self.oldest_pending_s.max(other.oldest_pending_s),
        }
    }
}

/// What was found, or why the file cannot be read.
pub(super) type Found<T> = rusqlite::Result<T>;

/// A connection that only reads.
pub struct Reader(pub(super) Connection);

impl Reader {
    /// Opens the file beside the writer.
    pub fn open(file: &Path) -> rusqlite::Result<Reader> {
        open(file).map(Reader)
    }

    /// Counts what is open at a time, for each subscriber that has something of it, by name.
    pub fn counts(&self, now_ms: UnixMs) -> Found<BTreeMap<String, Counts>> {
        let (mut statement, mut counts) = (self.0.prepare_cached(COUNTS)?, BTreeMap::<String, Counts>::new());
        let mut rows = statement.query([now_ms as i64])?;
        while let Some(row) = rows.next()? {
            // One without a name is of a file that is damaged.
            let one = counts.entry(row.get::<_, Option<String>>(4)?.unwrap_or_default()).or_default();
            let count = |n: usize| row.get::<_, i64>(n).map(|count| count as u64);
            match State::from_i64(row.get(0)?) {
                State::Waiting => {
                    let waited_ms = now_ms as i64 - row.get::<_, i64>(3)?;
                    (one.pending, one.due) = (count(1)?, count(2)?);
                    one.oldest_pending_s = waited_ms.max(0) as u64 / 1000;
                }
                State::Running => one.running = count(1)?,
                State::Dead => one.dead = count(1)?,
                State::Done => {}
            }
        }
        Ok(counts)
    }

    /// Those that are gone, and whose subscriptions are kept.
    pub fn gone(&self) -> rusqlite::Result<Vec<Gone>> {
        let (mut statement, mut gone) = (self.0.prepare_cached(GONE)?, Vec::<Gone>::new());
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get(2)?)))?;
        for row in rows {
            let (name, since_ms, pattern) = row?;
            match gone.last_mut().filter(|last| last.name == name) {
                Some(last) => last.subscriptions.push(pattern),
                None => gone.push(Gone { name, since_ms: since_ms as UnixMs, subscriptions: vec![pattern] }),
            }
        }
        Ok(gone)
    }
}

/// A connection that cannot write.
pub(super) fn open(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(file, flags)
}
