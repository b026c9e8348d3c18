//! The queue without its thread: it does a step when it is told to, at a time that it is told. One thread runs it, or a simulation.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use tokio::sync::{oneshot, watch};

use super::failure::is_of_disk;
use super::reader::Reader;
use super::salts::Salts;
use super::state::Remembered;
use super::store::{Store, StoreError, only_not_now};
use super::texts::Texts;
use super::writer::{Order, Writer};
use super::{Deliveries, Keep, Queue, is_damaged, not_opened, place, schema};
use crate::event::{UnixMs, now_ms, wall_ms};
use crate::schedule::Schedules;

/// The queue of a folder, and what it is told.
pub struct Core {
    pub(super) writer: Writer,
    inbox: Receiver<Order>,
    /// What was taken out of it already.
    pub(super) next: Option<Order>,
    fail: watch::Sender<Option<String>>,
    /// What says to the next start that the disk failed under this one.
    marker: PathBuf,
    /// Held as long as anything is written, and not longer.
    _lock: File,
}

/// Whether there is another step.
#[derive(Debug)]
pub enum Stepped {
    /// There is.
    On,
    /// There is none: it was closed, and who asked for that is told when it is dropped.
    Closed(oneshot::Sender<()>),
    /// There is none: the disk failed.
    Failed,
}

/// Says to the next start that the disk failed, so that it reads everything; on a disk that failed that may not be written, either.
fn leave(marker: &Path, why: &str) {
    let _ = std::fs::write(marker, why);
}

impl Core {
    /// Opens the queue in a folder, makes it where it is missing, and takes up what the last process left: attempts that were running
    /// then are lost, and judged by the schedules. `seed` spreads ids.
    pub fn open(
        folder: &Path,
        schedules: &Schedules,
        keep: Keep,
        now: UnixMs,
        seed: u64,
    ) -> anyhow::Result<(Core, Queue, Deliveries)> {
        let lock = place::lock(folder)?;
        let file = folder.join("hookgate.db");
        // Made here and not by the engine, so that only we can read it; what the engine makes beside it is alike.
        let private = super::private().open(&file);
        private.with_context(|| format!("cannot write {}", file.display()))?;
        let marker = place::marker(&file);
        let not_opened = |error: anyhow::Error| {
            // The system tells a failure once: the next start would take for written what is not.
            if is_of_disk(&error) {
                leave(&marker, &error.to_string());
            }
            not_opened(error, &file)
        };
        let store = Store::open(&file).map_err(not_opened)?;
        if marker.exists() {
            tracing::warn!("the disk failed under the last process, so all of {} is checked", file.display());
            let checked = store.check().and_then(|()| schema::check(&store.db));
            checked.with_context(|| is_damaged(&file))?;
            // Where there was no room for the old log, the next start has to know, too.
            if store.is_log_good() {
                std::fs::remove_file(&marker)?;
            }
        }
        let open = || Reader::open(&file).with_context(|| format!("cannot read {}", file.display()));
        let (reader, looker) = (Arc::new(Mutex::new(open()?)), Arc::new(Mutex::new(open()?)));
        let (orders, inbox) = mpsc::channel();
        let (deliver, deliveries) = tokio::sync::mpsc::unbounded_channel();
        let (fail, failed) = watch::channel(None);
        let writer = Writer::take_up(store, schedules, keep, deliver, now, Salts::of(seed));
        let writer = writer.map_err(not_opened)?;
        let (counters, refusing) = (writer.counters.clone(), writer.refusing.shown());
        let memory = Arc::new(Remembered::new(&file));
        let texts = Arc::new(Texts::beside(&file));
        let core = Core { writer, inbox, next: None, fail, marker, _lock: lock };
        let queue = Queue { orders, reader, looker, texts, memory, counters, file: file.into(), failed, refusing };
        Ok((core, queue, deliveries))
    }

    /// Does what was said since the last step, as much of it as goes into one commit, and what is due or old at a time.
    pub fn step(&mut self, now: UnixMs) -> Stepped {
        self.step_by(now, now)
    }

    /// The same, where the wall clock says something else.
    pub fn step_by(&mut self, now: UnixMs, wall: UnixMs) -> Stepped {
        let (inbox, first) = (&self.inbox, self.next.take());
        let first = first.or_else(|| inbox.try_recv().ok());
        match self.writer.step(first, &mut || inbox.try_recv().ok(), (now, wall)) {
            Ok(None) => {
                self.next = self.inbox.try_recv().ok();
                Stepped::On
            }
            Ok(Some(done)) => Stepped::Closed(done),
            Err(error) => {
                self.give_up(&error);
                Stepped::Failed
            }
        }
    }

    fn give_up(&self, error: &StoreError) {
        tracing::error!("the disk failed, so nothing more is acknowledged: {error}");
        leave(&self.marker, &error.to_string());
        let _ = self.fail.send(Some(error.to_string()));
        // Whoever still waits for an answer learns from the closed channel.
    }

    /// Works until it is told to close, everyone who could tell it is gone, or the disk fails.
    pub(super) fn run(mut self) {
        loop {
            if self.next.is_none() {
                self.next = match self.inbox.recv_timeout(self.writer.patience(now_ms())) {
                    Ok(order) => Some(order),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return self.end(None),
                };
            }
            match self.step_by(now_ms(), wall_ms()) {
                Stepped::On => {}
                Stepped::Closed(done) => return self.end(Some(done)),
                Stepped::Failed => return,
            }
        }
    }

    fn end(mut self, done: Option<oneshot::Sender<()>>) {
        if let Err(error) = self.writer.store.finish().or_else(only_not_now) {
            self.give_up(&error);
        }
        // Whoever hears that it is closed may open it again.
        drop(self);
        if let Some(done) = done {
            let _ = done.send(());
        }
    }
}
