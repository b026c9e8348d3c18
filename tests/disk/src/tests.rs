#![allow(clippy::unwrap_used, reason = "whatever fails here fails a test, where it stands")]

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

/// A disk in a folder of its own.
fn disk() -> (TempDir, Disk) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    (folder, disk)
}

fn open(folder: &TempDir) -> Connection {
    let db = Connection::open(folder.path().join("t.db")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.execute_batch("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, b BLOB)").unwrap();
    db
}

fn insert(db: &Connection) -> rusqlite::Result<usize> {
    db.execute("INSERT INTO t (b) VALUES (zeroblob(5000))", [])
}

fn count(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

/// Inserts until the power is off and the connection is closed. Gives how many went well.
fn insert_until_it_is_off(folder: &TempDir, disk: &Disk, calls: u64) -> i64 {
    let db = open(folder);
    let before = count(&db);
    disk.cut_power_after(calls);
    let inserted = (0..).take_while(|_| insert(&db).is_ok()).count();
    assert!(disk.is_off());
    before + inserted as i64
}

#[test]
fn what_was_synced_is_there_after_any_outage() {
    for seed in 0..60 {
        let (folder, disk) = disk();
        let inserted = insert_until_it_is_off(&folder, &disk, 5 + seed * 7);
        disk.settle(if seed % 2 == 0 { Outage::Clean } else { Outage::Torn(seed) }).unwrap();
        let found = count(&open(&folder));
        // Torn, the one that failed may be there as a whole.
        assert!((inserted..=inserted + 1).contains(&found), "seed {seed}: {found} of {inserted}");
    }
}

#[test]
fn what_was_not_synced_is_gone() {
    let (folder, disk) = disk();
    disk.relax();
    let inserted = insert_until_it_is_off(&folder, &disk, 300);
    disk.settle(Outage::Clean).unwrap();
    let found = count(&open(&folder));
    assert!(inserted > 10 && found < inserted, "{found} of {inserted}");
}

#[test]
fn a_relaxed_disk_alone_has_its_connections_relaxed() {
    let synchronous = |db: &Connection| db.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).unwrap();
    let (relaxed, disk) = disk();
    disk.relax();
    assert_eq!(synchronous(&open(&relaxed)), 1);
    let (other, _disk) = self::disk();
    assert_eq!(synchronous(&open(&other)), 2);
    let (none, disk) = self::disk();
    drop(disk);
    assert_eq!(synchronous(&open(&none)), 2);
}

#[test]
fn a_file_that_the_folder_does_not_know_yet_is_gone() {
    let (folder, disk) = disk();
    let file = folder.path().join("t.db");
    let db = Connection::open(&file).unwrap();
    // A journal that is in memory: nothing syncs the folder.
    db.pragma_update(None, "journal_mode", "MEMORY").unwrap();
    db.execute_batch("CREATE TABLE t (n)").unwrap();
    drop(db);
    disk.cut_power();
    disk.settle(Outage::Clean).unwrap();
    assert!(!file.exists());

    drop(open(&folder));
    disk.cut_power();
    std::fs::write(folder.path().join("note"), "written while there was no power").unwrap();
    disk.settle(Outage::Clean).unwrap();
    assert!(file.exists() && !folder.path().join("note").exists());
    assert_eq!(count(&open(&folder)), 0);
}

#[test]
fn the_call_that_is_to_fail_fails_once() {
    for (fault, code) in [
        (Fault::Write(3), rusqlite::ffi::SQLITE_IOERR_WRITE),
        (Fault::ShortWrite(3), rusqlite::ffi::SQLITE_IOERR_WRITE),
        (Fault::Sync(2), rusqlite::ffi::SQLITE_IOERR_FSYNC),
        (Fault::SyncForgetting(2), rusqlite::ffi::SQLITE_IOERR_FSYNC),
    ] {
        let (folder, disk) = disk();
        let db = open(&folder);
        disk.fail(fault);
        let failed = (0..9).find_map(|_| insert(&db).err()).unwrap();
        assert!(
            matches!(failed, rusqlite::Error::SqliteFailure(cause, _) if cause.extended_code == code),
            "{failed:?}"
        );
        assert!(disk.has_struck());
        assert_eq!(disk.counts().syncs_after_fault, 0);
        insert(&db).unwrap();
        assert_eq!(disk.counts().syncs_after_fault, 1);
    }
}

#[test]
fn a_failed_sync_is_told_once_to_each_who_has_the_file_open() {
    let (folder, disk) = disk();
    let (one, other) = (open(&folder), open(&folder));
    insert(&one).unwrap();
    insert(&other).unwrap();
    disk.fail(Fault::Sync(1));
    assert!(insert(&one).is_err());
    insert(&one).unwrap();
    let later = open(&folder);
    insert(&later).unwrap();
    let told = insert(&other).unwrap_err();
    assert!(
        matches!(told, rusqlite::Error::SqliteFailure(cause, _) if cause.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC),
        "{told:?}"
    );
    insert(&other).unwrap();
}

#[test]
fn a_call_on_one_file_fails_and_none_on_another() {
    let (folder, disk) = disk();
    let db = open(&folder);
    disk.fail_in("t.db", Fault::Write(1));
    (0..9).for_each(|_| assert_eq!(insert(&db).unwrap(), 1));
    assert!(!disk.has_struck());
    let moved = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    assert!(moved.is_err() && disk.has_struck() && !disk.was_unsynced("t.db"));
    // The first page is written, the second is not.
    disk.fail_in("t.db", Fault::Write(2));
    assert!(db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).is_err());
    assert!(disk.was_unsynced("t.db"));
}

#[test]
fn a_full_disk_takes_no_more_until_there_is_room() {
    let (folder, disk) = disk();
    let db = open(&folder);
    disk.fill();
    let full = insert(&db).unwrap_err();
    assert_eq!(full.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    disk.free();
    insert(&db).unwrap();
    assert_eq!(count(&db), 1);
}
