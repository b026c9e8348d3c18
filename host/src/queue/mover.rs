//! Moves what was committed from the log into the file beside the writer, so that the writer has little left to move, and whoever waits
//! for a commit does not wait for that.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::connection::{connect, move_log};
use super::store::{Result, StoreError};

/// How far the mover is.
enum Stands {
    /// It has nothing to do.
    Idle,
    /// It moves.
    Moving,
    /// It has moved what there was when it began.
    Moved,
    /// It could not.
    Failed(StoreError),
}

/// A thread with a connection of its own. It ends with this.
pub(super) struct Mover {
    stands: Arc<Mutex<Stands>>,
    begin: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Mover {
    /// One for a file.
    pub fn start(file: &Path) -> anyhow::Result<Mover> {
        let db = connect(file)?;
        let (begin, begun) = sync_channel(1);
        let stands = Arc::new(Mutex::new(Stands::Idle));
        let own = stands.clone();
        let moving = move || {
            while let Ok(()) = begun.recv() {
                let moved = move_log(&db);
                *locked(&own) = moved.map_or_else(Stands::Failed, |_| Stands::Moved);
            }
        };
        let thread = std::thread::Builder::new().name("queue-log".into()).spawn(moving)?;
        Ok(Mover { stands, begin: Some(begin), thread: Some(thread) })
    }

    /// Has it begin, unless it moves already. Gives whether it has just moved what there was: little is left then.
    pub fn has_moved(&self) -> Result<bool> {
        let mut stands = locked(&self.stands);
        match std::mem::replace(&mut *stands, Stands::Moving) {
            Stands::Moving => Ok(false),
            Stands::Idle => {
                if let Some(begin) = &self.begin {
                    let _ = begin.try_send(());
                }
                Ok(false)
            }
            Stands::Moved => {
                *stands = Stands::Idle;
                Ok(true)
            }
            Stands::Failed(why) => {
                *stands = Stands::Idle;
                Err(why)
            }
        }
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.begin = None;
        if let Some(thread) = self.thread.take() {
            // What it was told last it does to the end; it has no panic to hand on.
            let _ = thread.join();
        }
    }
}

fn locked(stands: &Mutex<Stands>) -> std::sync::MutexGuard<'_, Stands> {
    // Whoever panicked left nothing half done.
    stands.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
