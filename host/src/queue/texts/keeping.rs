//! Keeping up with the queue: on a thread of its own, with a connection that cannot write.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::reader;
use super::block::{Open, Written};
use super::{Known, Texts};

const NEXT: &str = "SELECT event, payload FROM body WHERE event > ?1 ORDER BY event LIMIT ?2";
const FIRST: &str = "SELECT ifnull(min(event), 9223372036854775807) FROM body";
const NEWEST: &str = "SELECT ifnull(max(id), 0) FROM event";
const BETWEEN: &str = "SELECT id FROM event WHERE id > ?1 AND id <= ?2 ORDER BY id";
const HAS_BODY: &str = "SELECT 1 FROM body WHERE event = ?1";

/// The queries, for the test of their plans.
#[cfg(test)]
pub(in super::super) const KEEPING: [&str; 5] = [NEXT, FIRST, NEWEST, BETWEEN, HAS_BODY];

/// How often it is looked whether there is something new.
const EACH: Duration = Duration::from_millis(250);

/// How long nothing is tried after something could not be read or written.
const AFTER_ERROR: Duration = Duration::from_secs(60);

/// How many events are read at once.
const STEP: usize = 128;

/// Behind every thread that has something else to do.
const NICENESS: i32 = 19;

impl Texts {
    /// Keeps up with a queue's file on a thread, until nobody knows of it any more.
    pub fn keep_up(self: &Arc<Texts>, file: &Path) -> std::io::Result<()> {
        let (alive, ended) = mpsc::channel();
        let (texts, file) = (Arc::downgrade(self), file.to_owned());
        let _ = self.kept_up.set(alive);
        let keeping = move || {
            let _ = rustix::process::nice(NICENESS);
            keep_up(&texts, &file, &ended);
        };
        std::thread::Builder::new().name("queue-texts".into()).spawn(keeping).map(drop)
    }

    fn follow(&self, file: &Path, opened: &mut Option<Connection>) -> anyhow::Result<bool> {
        let db = match opened {
            Some(db) => db,
            None => {
                let db = opened.insert(reader::open(file)?);
                self.take_up(db);
                db
            }
        };
        self.step(db)
    }

    /// Takes up what an earlier process wrote, where it fits the queue: all of it, or nothing.
    pub(super) fn take_up(&self, db: &Connection) {
        match self.written(db) {
            Ok(written) => *self.known() = Known { written, ..Known::default() },
            Err(error) => {
                tracing::debug!("{} is made anew: {error:#}", self.folder.display());
                self.begin_anew();
            }
        }
    }

    /// The last event of each block that is there. An error where one is damaged, or lacks an event of the queue's.
    fn written(&self, db: &Connection) -> anyhow::Result<Vec<i64>> {
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        paths.retain(|path| path.extension().is_some_and(|kind| kind == "bits"));
        paths.sort();
        let mut before = db.query_row(FIRST, [], |row| row.get::<_, i64>(0))?.saturating_sub(1);
        let newest: i64 = db.query_row(NEWEST, [], |row| row.get(0))?;
        let mut written = Vec::new();
        for path in paths {
            let block = Written::open(&path)?;
            let last = block.ids().last().copied().unwrap_or_default();
            anyhow::ensure!(path == self.path(last) && last <= newest, "it is of another queue");
            has_all(db, block.ids(), before, last)?;
            before = before.max(last);
            written.push(last);
        }
        Ok(written)
    }

    /// Adds some of what is new. Gives whether there may be more.
    pub(super) fn step(&self, db: &Connection) -> anyhow::Result<bool> {
        if self.known().is_broken {
            self.begin_anew();
        }
        self.let_go(db)?;
        let (last, mut open) = {
            let known = self.known();
            (known.last().unwrap_or(0), known.open.clone())
        };
        let mut statement = db.prepare_cached(NEXT)?;
        let mut rows = statement.query(params![last, STEP as i64])?;
        let mut is_more = false;
        while let Some(row) = rows.next()? {
            let payload = match row.get_ref(1)? {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
                _ => &[],
            };
            open.get_or_insert_with(|| Arc::new(Open::new())).add(row.get(0)?, payload);
            is_more = true;
        }
        match open {
            Some(open) if is_more => self.keep(open).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Keeps a block, and writes it where it is full.
    fn keep(&self, open: Arc<Open>) -> anyhow::Result<()> {
        let full = open.last().filter(|_| open.is_full());
        self.known().open = Some(open.clone());
        if let Some(last) = full {
            std::fs::create_dir_all(&self.folder)?;
            open.write(&self.path(last))?;
            let mut known = self.known();
            known.written.push(last);
            known.open = None;
        }
        Ok(())
    }

    /// Lets go of the blocks whose events are all gone.
    fn let_go(&self, db: &Connection) -> anyhow::Result<()> {
        let Some(oldest) = self.known().written.first().copied() else { return Ok(()) };
        let first: i64 = db.prepare_cached(FIRST)?.query_row([], |row| row.get(0))?;
        if oldest < first {
            self.known().written.retain(|last| *last != oldest);
            std::fs::remove_file(self.path(oldest))?;
        }
        Ok(())
    }
}

/// Makes sure that a block has all events of the queue between two that have a payload.
fn has_all(db: &Connection, ids: &[i64], after: i64, last: i64) -> anyhow::Result<()> {
    let mut statement = db.prepare_cached(BETWEEN)?;
    let mut rows = statement.query([after, last])?;
    let mut left = ids;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        left = &left[left.partition_point(|own| *own < id)..];
        let is_known = left.first() == Some(&id);
        let has_body = || db.prepare_cached(HAS_BODY)?.query_row([id], |_| Ok(())).optional();
        anyhow::ensure!(is_known || has_body()?.is_none(), "it lacks an event");
    }
    Ok(())
}

fn keep_up(texts: &Weak<Texts>, file: &Path, ended: &Receiver<()>) {
    let mut opened = None;
    loop {
        let Some(texts) = texts.upgrade() else { return };
        let wait = match texts.follow(file, &mut opened) {
            Ok(true) => Duration::ZERO,
            Ok(false) => EACH,
            Err(error) => {
                tracing::debug!("texts of payloads are not kept up: {error:#}");
                AFTER_ERROR
            }
        };
        drop(texts);
        if ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
