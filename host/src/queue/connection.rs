//! How the file is opened for writing: by the writer, and by what moves the log into the file beside it.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Row};

use super::store::Result;

/// Half of an ordinary page: events of a few kilobytes then fill their pages instead of leaving the rest of each empty,
/// and the narrow tables' last pages, written with every commit, are half as large. `cargo xtask bench` prints the bytes.
pub(super) const PAGE_BYTES: u32 = 2048;

/// How long another program, an operator's, may hold the file before events are refused.
pub(super) const OTHERS_MAY_HOLD: Duration = Duration::from_secs(1);

/// Opens the file for writing.
pub(super) fn connect(file: &Path) -> anyhow::Result<Connection> {
    let db = Connection::open(file)?;
    db.busy_timeout(OTHERS_MAY_HOLD)?;
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    anyhow::ensure!(keeps_log(&db)?, "this file system cannot keep a write-ahead log: take a data_dir on a local disk");
    // Closed without a word, it would sync and write once more, after a sync that failed, too.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // FULL: a commit returns once it is on disk. NORMAL would lose acknowledged events with the power.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(db)
}

/// Moves what was committed from the log into the file, as far as nobody reads it. Gives how many pages the log has, and how many of them
/// are in the file then; nothing, where another connection is moving them.
pub(super) fn move_log(db: &Connection) -> Result<Option<(u64, u64)>> {
    let row = |row: &Row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (pages, moved) = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], row)?;
    Ok(u64::try_from(pages).ok().zip(u64::try_from(moved).ok()))
}

/// Moves all of it, and begins the log anew. Gives whether nobody was in the way.
pub(super) fn empty_log(db: &Connection) -> Result<bool> {
    Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))? == 0)
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
