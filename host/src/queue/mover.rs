//! Moves what was committed from the log into the file beside the writer, so that the writer has little left to move, and whoever waits
//! for a commit does not wait for that.

use std::cell::Cell;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::connection::{PAGE_BYTES, connect, move_log};
use super::store::{Result, StoreError};

/// How much may come while it moves, or after, that the writer then moves itself, in bytes.
const LITTLE: u64 = 1 << 20;

/// How large the log may become before the writer moves more than that, and how much more, in bytes.
const FAR: u64 = 64 << 20;

/// How far the mover is.
enum Stands {
    /// It has nothing to do.
    Idle,
    /// It moves what there is.
    Moving,
    /// So many bytes of the log are in the file.
    Moved(u64),
    /// It could not.
    Failed(StoreError),
}

/// A thread with a connection of its own. When it is dropped, the thread has ended: it writes nothing after that.
pub(super) struct Mover {
    stands: Arc<Mutex<Stands>>,
    begin: Option<SyncSender<()>>,
    /// How much of the log the pass before the last had moved, and how much it left, in bytes.
    before: Cell<(u64, u64)>,
    thread: Option<JoinHandle<()>>,
}

impl Mover {
    /// One for a file.
    pub fn start(file: &Path) -> anyhow::Result<Mover> {
        let db = connect(file)?;
        // The engine syncs the file only where nobody wrote meanwhile, and would leave all of it to the writer. Never closed: a process
        // that closes any descriptor of a file loses its locks on it (POSIX), and the engine's are such locks.
        let synced = ManuallyDrop::new(File::open(file)?);
        let (begin, begun) = sync_channel(1);
        let stands = Arc::new(Mutex::new(Stands::Idle));
        let own = stands.clone();
        let moving = move || {
            let mut before = 0;
            while begun.recv().is_ok() {
                *locked(&own) = match moved(&db, &synced, before) {
                    Ok(pages) => {
                        before = pages;
                        Stands::Moved(pages * u64::from(PAGE_BYTES))
                    }
                    Err(why) => Stands::Failed(why),
                };
            }
        };
        let thread = std::thread::Builder::new().name("queue-log".into()).spawn(moving)?;
        Ok(Mover { stands, begin: Some(begin), before: Cell::new((0, u64::MAX)), thread: Some(thread) })
    }

    /// Says that the disk failed under it, where it did: what is written after that cannot be promised.
    pub fn look(&self) -> Result<()> {
        let mut stands = locked(&self.stands);
        match &*stands {
            // It may go later.
            Stands::Failed(StoreError::NotNow(_)) => Ok(()),
            Stands::Failed(_) => told(&mut stands),
            _ => Ok(()),
        }
    }

    /// Whether the writer is to move the rest of a log of so many bytes: what is left is little, or, of one that has become far too large, not
    /// much, or it comes faster than it is moved. Otherwise this begins, unless it moves already: what somebody kept from being moved, such as
    /// who copies the file, may be gigabytes.
    ///
    /// Says once that it failed, where it did.
    pub fn has_moved(&self, log: u64) -> Result<bool> {
        let mut stands = locked(&self.stands);
        match std::mem::replace(&mut *stands, Stands::Idle) {
            Stands::Failed(why) => return Err(why),
            // A log of which more was moved has been begun anew since.
            Stands::Moved(moved)
                if log
                    .checked_sub(moved)
                    .is_some_and(|left| left <= may_be_left(log) || self.falls_behind(moved, left)) =>
            {
                return Ok(true);
            }
            Stands::Moving => {}
            Stands::Idle | Stands::Moved(_) => {
                let _ = self.begin.as_ref().map(|begin| begin.try_send(()));
            }
        }
        *stands = Stands::Moving;
        Ok(false)
    }

    /// Whether its last pass left no less than the one before, much as it is, though it moved something: nobody is in its way but who writes.
    fn falls_behind(&self, moved: u64, left: u64) -> bool {
        let (moved_before, left_before) = self.before.replace((moved, left));
        left > FAR && left >= left_before && moved > moved_before
    }

    /// Lets it come to its end. The last that it did may have failed.
    pub fn end(mut self) -> Result<()> {
        self.join();
        told(&mut locked(&self.stands))
    }

    fn join(&mut self) {
        drop(self.begin.take());
        // It has no panic to hand on.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.join();
    }
}

/// Moves what there is, and syncs it. Gives how many pages of the log are in the file then, which so many were before.
fn moved(db: &Connection, synced: &File, before: u64) -> Result<u64> {
    let moved = move_log(db)?.map_or(0, |(_, moved)| moved);
    // Somebody reads for long, and nothing was moved: a sync would have the writer's wait.
    if moved != before {
        synced.sync_data().map_err(StoreError::Unsynced)?;
    }
    Ok(moved)
}

/// How much of a log of so many bytes the writer moves itself.
fn may_be_left(log: u64) -> u64 {
    if log < FAR { LITTLE } else { FAR }
}

/// How the last that it did went.
fn told(stands: &mut Stands) -> Result<()> {
    match std::mem::replace(stands, Stands::Idle) {
        Stands::Failed(why) => Err(why),
        _ => Ok(()),
    }
}

fn locked(stands: &Mutex<Stands>) -> MutexGuard<'_, Stands> {
    // Whoever panicked left nothing half done.
    stands.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::store::Store;
    use super::*;
    use crate::event::EventId;

    fn stands(at: Stands) -> (tempfile::TempDir, Mover) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        Store::open(&file).unwrap();
        let mover = Mover::start(&file).unwrap();
        *locked(&mover.stands) = at;
        (folder, mover)
    }

    #[test]
    fn what_failed_is_told_at_the_next_look_and_at_the_end() {
        let (_folder, mover) = stands(Stands::Failed(StoreError::NotNow("no")));
        assert!(mover.has_moved(1).is_err());
        assert!(!mover.has_moved(1).unwrap(), "it begins again");
        let (_folder, mover) = stands(Stands::Failed(StoreError::NotNow("no")));
        assert!(mover.end().is_err());
    }

    #[test]
    fn nothing_is_promised_after_the_disk_failed_under_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        let mut store = Store::open(&file).unwrap();
        store.move_beside(&file).unwrap();
        let stands = store.mover.as_ref().unwrap().stands.clone();
        let commit = |store: &Store, name: &str| {
            store.begin().unwrap();
            store.subscribe(name, &[]).unwrap();
            store.commit()
        };
        *locked(&stands) = Stands::Failed(StoreError::NotNow("it is full"));
        commit(&store, "while there is no room").unwrap();
        *locked(&stands) = Stands::Failed(StoreError::Broken(rusqlite::Error::InvalidQuery));
        assert!(matches!(commit(&store, "after it failed"), Err(StoreError::Broken(_))));
    }

    #[test]
    fn its_thread_has_ended_when_it_is_dropped() {
        let (_folder, mover) = stands(Stands::Idle);
        let stands = Arc::downgrade(&mover.stands);
        mover.has_moved(1).unwrap();
        drop(mover);
        assert_eq!(stands.strong_count(), 0);
    }

    #[test]
    fn what_was_moved_long_ago_does_not_count_and_the_writer_never_moves_much() {
        const MIB: u64 = 1 << 20;
        for (moved, log, is_moved) in [
            (20 * MIB, 20 * MIB + LITTLE, true),
            (20 * MIB, 21 * MIB + LITTLE, false),
            // It was begun anew.
            (20 * MIB, 19 * MIB, false),
            (20 * MIB, FAR - 1, false),
            (20 * MIB, FAR, true),
            (20 * MIB, 20 * MIB + FAR, true),
            // Somebody read it for long.
            (20 * MIB, 21 * MIB + FAR, false),
        ] {
            let (_folder, mover) = stands(Stands::Moved(moved));
            assert_eq!(mover.has_moved(log).unwrap(), is_moved, "{moved} of {log}");
            mover.end().unwrap();
        }
    }

    #[test]
    fn what_comes_faster_than_it_is_moved_is_moved_by_the_writer() {
        let (_folder, mover) = stands(Stands::Idle);
        for (moved, left, is_behind) in [
            (4 * FAR, 3 * FAR, false),
            (7 * FAR, 2 * FAR, false),
            // Somebody reads.
            (7 * FAR, 4 * FAR, false),
            (7 * FAR, 5 * FAR, false),
            (9 * FAR, 5 * FAR, true),
            (10 * FAR, 6 * FAR, true),
            // It was begun anew.
            (FAR, 7 * FAR, false),
            (2 * FAR, FAR, false),
        ] {
            assert_eq!(mover.falls_behind(moved, left), is_behind, "{moved} moved, {left} left");
        }
    }

    #[test]
    fn what_somebody_reads_is_not_told_to_have_been_moved() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        let mut store = Store::open(&file).unwrap();
        let reader = connect(&file).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM event").unwrap();
        store.move_beside(&file).unwrap();
        for nth in 0..300 {
            store.begin().unwrap();
            store.subscribe(&format!("{nth}"), &[]).unwrap();
            store.commit().unwrap();
        }
        let log = store.log_bytes();
        assert!(log > LITTLE, "{log} bytes");
        let mover = store.mover.as_ref().unwrap();
        let wait = || {
            while matches!(*locked(&mover.stands), Stands::Moving) {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        for _ in 0..2 {
            assert!(!mover.has_moved(log).unwrap(), "somebody reads it");
            wait();
        }
        drop(reader);
        let until = Instant::now() + Duration::from_secs(60);
        while !mover.has_moved(log).unwrap() {
            assert!(Instant::now() < until, "it does not go on");
            wait();
        }
    }

    #[test]
    fn the_log_is_begun_anew_while_much_is_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hookgate.db");
        let mut store = Store::open(&file).unwrap();
        store.move_beside(&file).unwrap();
        let texts = Arc::new(super::super::texts::Texts::beside(&file));
        texts.keep_up(&file).unwrap();
        let payload = vec![b'x'; 8 << 10];
        let mut largest = 0;
        for group in 0..400 {
            store.begin().unwrap();
            for nth in 0..32 {
                let id = EventId::from_i64(group * 32 + nth + 1);
                let sql = "INSERT INTO body (event, checksum, attributes, payload) VALUES (?1, 0, '[]', ?2)";
                store.run(sql, rusqlite::params![id.to_i64(), payload]).unwrap();
            }
            store.commit().unwrap();
            store.checkpoint(8 << 20).unwrap();
            largest = largest.max(std::fs::metadata(file.with_extension("db-wal")).unwrap().len());
        }
        assert!(largest < FAR + FAR / 2, "{largest} bytes of {}", 400 * 32 * payload.len());
        store.finish().unwrap();
        store.check().unwrap();
    }
}
