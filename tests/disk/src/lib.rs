//! A disk for tests that loses power and fails when it is told to, below SQLite.
//!
//! It is a layer over SQLite's own access to files and becomes the default one of the process, so that what is tested opens its files as
//! it always does and knows nothing of this. A [`Disk`] is a folder: only the files of SQLite in it are watched. What was written to
//! them and not synced is known, and is thrown away when the power comes back. All else passes through.
//!
//! What is memory of the system passes through, too: locks, and the index that connections share. A sync reaches no real
//! disk: whether something is durable is what the model says.

mod chance;
mod log;
mod state;
mod vfs;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use chance::Chance;
use state::State;
pub use state::{Counts, Fault};

/// How long connections that are being closed are waited for.
const CLOSING: Duration = Duration::from_secs(20);

/// A folder whose files of SQLite may lose power and fail. The folder is an ordinary one again when this is dropped.
pub struct Disk(Arc<Shared>);

/// What the connections to the files of a disk share.
pub(crate) struct Shared {
    folder: PathBuf,
    state: Mutex<State>,
}

/// All disks of the process.
static DISKS: Mutex<Vec<Arc<Shared>>> = Mutex::new(Vec::new());

/// How what was not synced goes when the power does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// All of it is gone.
    Clean,
    /// Of each sector of 512 bytes, any of the states that it had since the last sync is there; of files made, deleted and cut since, some.
    /// The number decides which.
    Torn(u64),
}

/// Why the power cannot come back.
#[derive(Debug, thiserror::Error)]
pub enum NotSettled {
    /// Somebody still has files open.
    #[error("{0} files are still open")]
    StillOpen(usize),
    /// The folder below could not be brought into its state.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Disk {
    /// Makes a folder such a disk. What stands in it counts as synced.
    pub fn below(folder: &Path) -> io::Result<Disk> {
        vfs::install();
        let folder = folder.canonicalize()?;
        let shared = Arc::new(Shared { state: Mutex::new(State::of(&folder)?), folder });
        all().push(shared.clone());
        Ok(Disk(shared))
    }

    /// Has every connection that is opened from now on run with `synchronous = NORMAL`, whatever it asks for.
    pub fn relax(&self) {
        self.state().is_relaxed = true;
    }

    /// Cuts the power: from now on every call fails, and nothing more reaches the disk.
    pub fn cut_power(&self) {
        self.state().cut();
    }

    /// Cuts the power after so many calls.
    pub fn cut_power_after(&self, calls: u64) {
        self.state().cut_in = Some(calls);
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.state().is_off()
    }

    /// Waits until all connections are closed, throws away what was not synced, and has the power back. Nothing fails any more.
    pub fn settle(&self, outage: Outage) -> Result<(), NotSettled> {
        self.until_closed()?;
        Ok(self.state().settle(outage)?)
    }

    /// Waits until all connections are closed.
    pub fn until_closed(&self) -> Result<(), NotSettled> {
        let until = Instant::now() + CLOSING;
        loop {
            // Looked at, and let go of at once: who closes needs it.
            let open = self.state().open;
            match open {
                0 => return Ok(()),
                open if Instant::now() > until => return Err(NotSettled::StillOpen(open)),
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Has one call fail. It is counted from now.
    pub fn fail(&self, fault: Fault) {
        self.state().plan(fault, None);
    }

    /// Has one call on one file fail. Only calls on it are counted, from now.
    pub fn fail_in(&self, file: &str, fault: Fault) {
        self.state().plan(fault, Some(file));
    }

    /// Has nothing fail any more that has not failed yet.
    pub fn spare(&self) {
        self.state().spare();
    }

    /// Whether something was written to a file, and not synced, when the power went or the call failed that was to fail.
    pub fn was_unsynced(&self, file: &str) -> bool {
        self.state().was_unsynced(file)
    }

    /// Whether the call came that was to fail.
    pub fn has_struck(&self) -> bool {
        self.state().has_struck
    }

    /// Takes all the room that there is: files do not grow any more.
    pub fn fill(&self) {
        self.state().is_full = true;
    }

    /// Makes room again.
    pub fn free(&self) {
        self.state().is_full = false;
    }

    /// The calls that came since the last fault was planned.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        all().retain(|one| !Arc::ptr_eq(one, &self.0));
    }
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked is over, and its disk with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn all() -> MutexGuard<'static, Vec<Arc<Shared>>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The disk that a file is on.
fn disk_of(path: &Path) -> Option<Arc<Shared>> {
    all().iter().find(|one| path.parent() == Some(&one.folder)).cloned()
}

#[cfg(test)]
mod tests;
