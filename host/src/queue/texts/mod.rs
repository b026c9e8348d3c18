//! Which events may have a text in their payload: so that few have to be read where few have it.
//!
//! Blocks of bits in a folder beside the queue, made from it by a thread that runs when others do not. The queue needs none of it: the
//! folder may be deleted, and whatever is damaged in it, or does not fit the queue, is made anew. Until then payloads are read instead.

mod block;
mod keeping;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};

use block::{GRAM, Open, Written};
#[cfg(test)]
pub(super) use keeping::KEEPING;

/// What is known of the payloads of the events of a queue.
pub(super) struct Texts {
    folder: PathBuf,
    known: Mutex<Known>,
    /// The thread that keeps it up ends when this is dropped.
    kept_up: OnceLock<mpsc::Sender<()>>,
}

/// What is known: of all events up to the last one of the open block or, without that, of the last of the others.
#[derive(Default)]
struct Known {
    /// The last event of each block that was written, the oldest first.
    written: Vec<i64>,
    open: Option<Arc<Open>>,
    /// Which block is looked at next, whether it can go.
    turn: usize,
    /// What was written cannot be read any more, so nothing is known until it is made anew.
    is_broken: bool,
}

impl Known {
    fn last(&self) -> Option<i64> {
        if self.is_broken {
            return None;
        }
        self.open.as_ref().and_then(|open| open.last()).or(self.written.last().copied())
    }
}

/// What is known of some events.
pub(super) struct Stretch {
    /// Of all events from this one on,
    pub from: i64,
    /// only these may have the text, the newest first.
    pub ids: Vec<i64>,
}

impl Texts {
    /// Those of a queue's file, of which nothing is known until somebody keeps it up.
    pub fn beside(file: &Path) -> Texts {
        Texts { folder: file.with_file_name("texts"), known: Mutex::default(), kept_up: OnceLock::new() }
    }

    /// Whether it helps to look for a text here.
    pub fn can_find(text: &[u8]) -> bool {
        text.len() >= GRAM
    }

    /// Before which event something is known of all.
    pub fn end(&self) -> i64 {
        self.known().last().map_or(0, |last| last + 1)
    }

    /// What is known of the newest events before one; nothing, where nothing is.
    pub fn before(&self, end: i64, text: &[u8]) -> Option<Stretch> {
        let known = self.known();
        if known.last()? + 1 < end {
            return None;
        }
        let nth = known.written.partition_point(|last| *last + 1 < end);
        let from = nth.checked_sub(1).map_or(0, |before| known.written[before] + 1);
        let (written, open) = (known.written.get(nth).copied(), known.open.clone());
        drop(known);
        let ids = match written {
            Some(last) => self.in_block(last, text)?,
            None => open?.may_have(text),
        };
        Some(Stretch { from, ids: ids.into_iter().filter(|id| *id < end).collect() })
    }

    fn in_block(&self, last: i64, text: &[u8]) -> Option<Vec<i64>> {
        let found = Written::open(&self.path(last)).and_then(|mut block| block.may_have(text));
        let mut known = self.known();
        // One that was let go of meanwhile does not have to be there, and where there are no more descriptors it is all the same whole.
        if let Err(error) = &found
            && block::is_damage(error)
            && known.written.contains(&last)
        {
            tracing::debug!("{}: {error}", self.path(last).display());
            known.is_broken = true;
        }
        found.ok()
    }

    /// Knows nothing any more. Only the thread that keeps it up may do this.
    fn begin_anew(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        *self.known() = Known::default();
    }

    fn path(&self, last: i64) -> PathBuf {
        self.folder.join(format!("{last:016x}.bits"))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked left nothing half done.
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests;
