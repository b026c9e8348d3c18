//! What the last process left in the log, before anything is written behind it.
//!
//! A sync of it may have failed, and nobody be left who knows: the process died before it could say so, or the disk took no marker. The
//! system then takes pages for written that are not on disk, and with the power they would be gone, and all that came behind them. So the
//! log is moved into the file and begun anew. Who reads the file keeps that from being done, as a backup does for minutes: then each byte
//! of the log is written once more where it stands, and synced, which has the system write those pages, too.
//!
//! Where it is known that the disk failed, that is not relied on: nothing is written until nobody is in the way.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connection::{OTHERS_MAY_HOLD, empty_log};
use super::place::marker;
use super::store::{Result, StoreError};

/// How soon it is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// How much of it is written again at once, in bytes.
const STEP: usize = 1 << 20;

const IN_THE_WAY: &str = "another program reads the database, and its log cannot be begun anew";

/// The log as it was left.
pub(super) struct OldLog {
    file: PathBuf,
    /// Whether the disk failed under who left it.
    is_of_failure: bool,
    is_dealt_with: Cell<bool>,
    /// When nothing could be done about it the last time, and why.
    refused: Cell<Option<(Instant, &'static str)>>,
}

impl OldLog {
    /// That of a queue's file.
    pub fn of(file: &Path) -> OldLog {
        let (is_of_failure, file) = (marker(file).exists(), file.with_extension("db-wal"));
        OldLog { file, is_of_failure, is_dealt_with: Cell::new(false), refused: Cell::new(None) }
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
        let emptied = empty_log(db);
        db.busy_timeout(OTHERS_MAY_HOLD)?;
        match emptied? {
            true => Ok(()),
            false if self.is_of_failure => Err(StoreError::NotNow(IN_THE_WAY)),
            false => {
                // Meanwhile nobody else adds to it. The engine has no locks on this file, which closing it would let go of.
                db.execute_batch("BEGIN IMMEDIATE")?;
                let written = write_again(&self.file);
                db.execute_batch("ROLLBACK")?;
                Ok(written?)
            }
        }
    }
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

    use super::super::schema::{SCHEMA, version};
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
    fn a_file_of_an_older_version_is_brought_up_when_its_log_is_dealt_with_and_not_before() {
        let (_folder, file, _reader) = read_by_somebody();
        let other = Connection::open(&file).unwrap();
        other.pragma_update(None, "user_version", SCHEMA - 1).unwrap();
        std::fs::write(marker(&file), "it failed").unwrap();
        let refused = Store::open(&file).err().unwrap();
        assert!(matches!(refused.downcast_ref(), Some(StoreError::NotNow(_))), "{refused:#}");
        assert_eq!(version(&other).unwrap(), SCHEMA - 1);
        std::fs::remove_file(marker(&file)).unwrap();
        Store::open(&file).unwrap();
        assert_eq!(version(&other).unwrap(), SCHEMA);
    }

    #[test]
    fn after_a_failure_of_the_disk_nothing_is_written_behind_it_and_nobody_waits_for_that() {
        let (_folder, file, reader) = read_by_somebody();
        std::fs::write(marker(&file), "it failed").unwrap();
        let (begun, store) = (Instant::now(), Store::open(&file).unwrap());
        for _ in 0..60 {
            assert!(matches!(store.subscribe("behind it", &[]), Err(StoreError::NotNow(_))));
        }
        assert!(begun.elapsed() < OTHERS_MAY_HOLD * 30, "each was waited for");
        drop(reader);
        std::thread::sleep(TRY_AGAIN);
        store.subscribe("behind it", &[]).unwrap();
    }
}
