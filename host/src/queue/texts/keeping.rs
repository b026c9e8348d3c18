//! Keeping up with the queue: on a thread of its own, with a connection that cannot write.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::reader;
use super::block::{self, Open, Written};
use super::{Known, Texts};

const NEXT: &str = "SELECT event, payload FROM body WHERE event > ?1 ORDER BY event LIMIT ?2";
const FIRST: &str = "SELECT ifnull(min(event), 9223372036854775807) FROM body";
const NEWEST: &str = "SELECT ifnull(max(id), 0) FROM event";
const BETWEEN: &str = "SELECT id FROM event WHERE id > ?1 AND id <= ?2 ORDER BY id";
const ANY: &str = "SELECT 1 FROM body WHERE event > ?1 AND event <= ?2 LIMIT 1";
const HAS_BODY: &str = "SELECT 1 FROM body WHERE event = ?1";

/// The queries, for the test of their plans.
#[cfg(test)]
pub(in super::super) const KEEPING: [&str; 4] = [NEXT, BETWEEN, ANY, HAS_BODY];

/// How often it is looked whether there is something new.
const EACH: Duration = Duration::from_millis(250);

/// How long nothing is tried after something could not be read or written.
const AFTER_ERROR: Duration = Duration::from_secs(60);

/// How many events are read at once, and about how many bytes of them at the most.
const STEP: usize = 128;
const STEP_BYTES: usize = 4 << 20;

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
                let db = reader::open(file)?;
                self.take_up(&db)?;
                opened.insert(db)
            }
        };
        self.step(db)
    }

    /// Takes up what an earlier process wrote, where it fits the queue: all of it, or nothing. An error where that cannot be told now.
    pub(super) fn take_up(&self, db: &Connection) -> anyhow::Result<()> {
        match self.written(db) {
            Ok(written) => *self.known() = Known { written, ..Known::default() },
            Err(Unfit::Wrong(why)) => {
                tracing::debug!("{} is made anew: {why}", self.folder.display());
                self.begin_anew();
            }
            Err(Unfit::NotNow(error)) => return Err(error),
        }
        Ok(())
    }

    /// The last event of each block that is there. An error where one is damaged, or lacks an event of the queue's.
    fn written(&self, db: &Connection) -> Result<Vec<i64>, Unfit> {
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let (mut paths, drafts): (Vec<PathBuf>, Vec<PathBuf>) =
            paths.drain(..).partition(|path| path.extension().is_some_and(|kind| kind == "bits"));
        drafts.iter().for_each(|draft| drop(std::fs::remove_file(draft)));
        paths.sort();
        let mut before = db.query_row(FIRST, [], |row| row.get::<_, i64>(0))?.saturating_sub(1);
        let newest: i64 = db.query_row(NEWEST, [], |row| row.get(0))?;
        let mut written = Vec::new();
        for path in paths {
            let block = Written::open(&path)?;
            let last = block.ids().last().copied().unwrap_or_default();
            if path != self.path(last) || last > newest {
                return Err(Unfit::Wrong("a block is of another queue".into()));
            }
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
        let (new, more) = after(db, last)?;
        for (id, payload) in &new {
            open.get_or_insert_with(|| Arc::new(Open::new())).add(*id, payload);
        }
        match open {
            // Of a full block some of them may be left over.
            Some(open) if !new.is_empty() => {
                let is_full = open.is_full();
                self.keep(open).map(|()| more || is_full)
            }
            _ => Ok(false),
        }
    }

    /// Keeps a block, and writes it where it is full.
    fn keep(&self, open: Arc<Open>) -> anyhow::Result<()> {
        let full = open.last().filter(|_| open.is_full());
        self.known().open = Some(open.clone());
        if let Some(last) = full {
            // Not what is above it: where that was moved away, an empty queue must not begin in its place.
            match std::fs::DirBuilder::new().mode(0o700).create(&self.folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
                _ => {}
            }
            open.write(&self.path(last))?;
            let mut known = self.known();
            known.written.push(last);
            known.open = None;
        }
        Ok(())
    }

    /// Lets go of the next block, where nothing is left of its events: one that is old and open must not keep all behind it.
    fn let_go(&self, db: &Connection) -> anyhow::Result<()> {
        let (before, last) = {
            let mut known = self.known();
            let turn = known.turn;
            known.turn = if turn + 1 < known.written.len() { turn + 1 } else { 0 };
            let Some(last) = known.written.get(turn).copied() else { return Ok(()) };
            (turn.checked_sub(1).map_or(0, |before| known.written[before]), last)
        };
        let body = db.prepare_cached(ANY)?.query_row([before, last], |_| Ok(())).optional()?;
        if body.is_none() {
            self.known().written.retain(|other| *other != last);
            match std::fs::remove_file(self.path(last)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why what was written is not taken up.
enum Unfit {
    /// It is not what was written, or not of this queue.
    Wrong(String),
    /// It cannot be read now.
    NotNow(anyhow::Error),
}

impl From<std::io::Error> for Unfit {
    fn from(error: std::io::Error) -> Unfit {
        if block::is_damage(&error) { Unfit::Wrong(error.to_string()) } else { Unfit::NotNow(error.into()) }
    }
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Unfit {
        Unfit::NotNow(error.into())
    }
}

/// An event's payload.
type Payload = (i64, Vec<u8>);

/// Some of the payloads of the events after one, and whether there may be more. Nothing is held any more when they are looked at: whoever
/// reads keeps the log from being begun anew.
fn after(db: &Connection, last: i64) -> rusqlite::Result<(Vec<Payload>, bool)> {
    let mut statement = db.prepare_cached(NEXT)?;
    let mut rows = statement.query(params![last, STEP as i64])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < STEP_BYTES
        && let Some(row) = rows.next()?
    {
        let payload = match row.get_ref(1)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        };
        bytes += payload.len();
        found.push((row.get(0)?, payload));
    }
    let more = found.len() == STEP || bytes >= STEP_BYTES;
    Ok((found, more))
}

/// Makes sure that a block has all events of the queue between two that have a payload.
fn has_all(db: &Connection, ids: &[i64], after: i64, last: i64) -> Result<(), Unfit> {
    let mut statement = db.prepare_cached(BETWEEN)?;
    let mut rows = statement.query([after, last])?;
    let mut left = ids;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        left = &left[left.partition_point(|own| *own < id)..];
        let is_known = left.first() == Some(&id);
        let has_body = || db.prepare_cached(HAS_BODY)?.query_row([id], |_| Ok(())).optional();
        if !is_known && has_body()?.is_some() {
            return Err(Unfit::Wrong("a block lacks an event".into()));
        }
    }
    Ok(())
}

fn keep_up(texts: &Weak<Texts>, file: &Path, ended: &Receiver<()>) {
    let mut opened = None;
    loop {
        let (begun, Some(texts)) = (Instant::now(), texts.upgrade()) else { return };
        let wait = match texts.follow(file, &mut opened) {
            // Half of the time nobody reads, so that the log can be begun anew. A few at a time would cost more than they are: they wait for
            // others, and are found without it meanwhile.
            Ok(true) => begun.elapsed(),
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
