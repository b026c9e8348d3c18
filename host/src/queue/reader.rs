//! A connection that only looks.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::event::UnixMs;

pub(super) const COUNTS: &str =
    "SELECT sum(state = 0), sum(state = 0 AND due_ms <= ?1), sum(state = 1), sum(state = 3),
    min(CASE WHEN state = 0 THEN due_ms END) FROM delivery WHERE state <> 2";

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

/// What was found, or why the file cannot be read.
pub(super) type Found<T> = rusqlite::Result<T>;

/// A connection that only reads.
pub struct Reader(pub(super) Connection);

impl Reader {
    /// Opens the file beside the writer.
    pub fn open(file: &Path) -> rusqlite::Result<Reader> {
        open(file).map(Reader)
    }

    /// Counts what is open at a time.
    pub fn counts(&self, now_ms: UnixMs) -> rusqlite::Result<Counts> {
        let now = now_ms as i64;
        self.0.prepare_cached(COUNTS)?.query_row([now], |row| {
            let count = |n| row.get::<_, Option<i64>>(n).map(|count| count.unwrap_or(0) as u64);
            let oldest: Option<i64> = row.get(4)?;
            let oldest_pending_s = oldest.map_or(0, |due| now.saturating_sub(due).max(0) as u64 / 1000);
            Ok(Counts { pending: count(0)?, due: count(1)?, running: count(2)?, dead: count(3)?, oldest_pending_s })
        })
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
