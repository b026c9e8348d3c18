//! What the last process left in the log, before anything is written behind it.
//!
//! A sync of it may have failed, and nobody be left who knows: the process died before it could say so, or the disk took no marker. The
//! system then takes pages for written that are not on disk, and with the power they would be gone, and all that came behind them. So the
//! log is moved into the file and begun anew. Who reads the file keeps that from being done, as a backup does for minutes: then each byte
//! of the log is written once more where it stands, and synced, which has the system write those pages, too.
//!
//! Where it is known that the disk failed, nobody else may have the file open at all: see [`take_alone`].

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connection::{OTHERS_MAY_HOLD, empty_log};
use super::failure::is_of_room;
use super::store::{Result, StoreError};

/// How soon it is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// How long others may take that are ending.
const ENDING: Duration = Duration::from_secs(5);

/// How much of it is written again at once, in bytes.
const STEP: usize = 1 << 20;

/// The log as it was left.
pub(super) struct OldLog {
    file: PathBuf,
    is_dealt_with: Cell<bool>,
    /// When nothing could be done about it the last time, and why.
    refused: Cell<Option<(Instant, &'static str)>>,
}

impl OldLog {
    /// That of a queue's file.
    pub fn of(file: &Path) -> OldLog {
        let file = file.with_extension("db-wal");
        OldLog { file, is_dealt_with: Cell::new(false), refused: Cell::new(None) }
    }

    /// Whether what is written behind it is not lost with it.
    pub fn is_dealt_with(&self) -> bool {
        self.is_dealt_with.get()
    }

    /// Has it be so. Whoever is in the way is not waited for, and not asked again at once.
    pub fn deal_with(&self, db: &Connection) -> Result<()> {
        if self.is_dealt_with() {
            return Ok(());
        }
        if let Some((at, why)) = self.refused.get()
            && at.elapsed() < TRY_AGAIN
        {
            return Err(StoreError::NotNow(why));
        }
        let done = self.try_now(db);
        if let Err(StoreError::NotNow(why)) = done {
            self.refused.set(Some((Instant::now(), why)));
        }
        self.is_dealt_with.set(done.is_ok());
        done
    }

    fn try_now(&self, db: &Connection) -> Result<()> {
        db.busy_timeout(Duration::ZERO)?;
        let done = empty_log(db).and_then(|is_empty| if is_empty { Ok(()) } else { self.write_again(db) });
        db.busy_timeout(OTHERS_MAY_HOLD)?;
        done
    }

    fn write_again(&self, db: &Connection) -> Result<()> {
        // Meanwhile nobody else adds to it. The engine has no locks on this file, which closing it would let go of.
        db.execute_batch("BEGIN IMMEDIATE")?;
        let written = write_again(&self.file);
        db.execute_batch("ROLLBACK")?;
        Ok(written?)
    }
}

/// After a failure of the disk: has all of the log written into the file once more, by somebody who has the file alone.
///
/// What a sync failed on counts as moved to whoever had the file open then, and the log would be cut off over it. Who opens it alone makes
/// the index of the log anew, by which nothing was moved yet.
pub(super) fn take_alone(file: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let emptied = empty_alone(file);
        let is_busy = matches!(emptied, Ok(false) | Err(StoreError::NotNow(_)));
        match emptied.map_err(anyhow::Error::from) {
            // Nothing is written before there is room, and whoever opens it next makes the index anew.
            Err(error) if is_of_room(&error) => return Ok(()),
            _ if is_busy && begun.elapsed() < ENDING => std::thread::sleep(TRY_AGAIN),
            _ if is_busy => anyhow::bail!(
                "the disk failed under the last process, and another program has {} open: close it there, and start again",
                file.display()
            ),
            emptied => return emptied.map(drop),
        }
    }
}

fn empty_alone(file: &Path) -> Result<bool> {
    let db = Connection::open(file)?;
    db.busy_timeout(Duration::ZERO)?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    empty_log(&db)
}

/// Writes what stands in a file where it stands, and syncs it.
fn write_again(file: &Path) -> std::io::Result<()> {
    let file = File::options().read(true).write(true).open(file)?;
    let (mut some, mut at) = (vec![0; STEP], 0);
    loop {
        match file.read_at(&mut some, at)? {
            0 => return file.sync_all(),
            bytes => {
                file.write_all_at(&some[..bytes], at)?;
                at += bytes as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::connection::PAGE_BYTES;
    use super::super::place::marker;
    use super::super::store::Store;
    use super::*;

    /// A file with something in its log, and somebody who reads it.
    fn read_by_somebody() -> (tempfile::TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        let store = Store::open(&file).unwrap();
        store.subscribe("before", &[]).unwrap();
        let reader = Connection::open(&file).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM subscriber;").unwrap();
        (folder, file, reader)
    }

    #[test]
    fn a_log_that_somebody_reads_is_written_again_and_gone_on_with() {
        let (_folder, file, reader) = read_by_somebody();
        let log = file.with_extension("db-wal");
        let before = std::fs::read(&log).unwrap();
        assert!(!before.is_empty());
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::options().write(true).open(&log).unwrap().set_modified(long_ago).unwrap();

        let store = Store::open(&file).unwrap();

        assert!(std::fs::read(&log).unwrap() == before, "it says what it said");
        assert!(std::fs::metadata(&log).unwrap().modified().unwrap() > long_ago, "it was written");
        store.subscribe("while it reads", &[]).unwrap();
        let seen =
            |db: &Connection| -> i64 { db.query_row("SELECT count(*) FROM subscriber", [], |row| row.get(0)).unwrap() };
        assert_eq!((seen(&reader), seen(&store.db)), (1, 2));
    }

    #[test]
    fn after_a_failure_of_the_disk_nobody_else_may_have_the_file_open() {
        let (_folder, file, reader) = read_by_somebody();
        reader.execute_batch("COMMIT").unwrap();
        // The first of it is moved, and what came of that to the disk is lost; somebody has the file open who takes it for moved.
        let moved = reader.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(2)).unwrap();
        assert!(moved > 0);
        let log = std::fs::read(file.with_extension("db-wal")).unwrap();
        // Behind the log's header each page has one of its own, which begins with the page's number.
        let page = u64::from(u32::from_be_bytes(log[32..36].try_into().unwrap()));
        let written = File::options().write(true).open(&file).unwrap();
        written.write_all_at(&[0; PAGE_BYTES as usize], (page - 1) * u64::from(PAGE_BYTES)).unwrap();
        // Never closed: that would let go of the locks of all of us.
        std::mem::forget(written);
        std::fs::write(marker(&file), "it failed").unwrap();
        let refused = Store::open(&file).err().unwrap();
        assert!(refused.to_string().contains("close it there"), "{refused:#}");
        // Its own sync fails, too, so that it leaves the log when it is closed.
        reader.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        drop(reader);
        let store = Store::open(&file).unwrap();
        store.check().unwrap();
    }
}
