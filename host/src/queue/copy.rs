//! A consistent copy of the queue while it runs, and taking one up in place of nothing.
//!
//! A copy is one file: the database, and in a table `beside` the small files without which it cannot be read.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rusqlite::{Connection, OpenFlags, params};

use super::place::lock;
use super::{reader, schema};
use crate::event::now_ms;

const FILE: &str = "hookgate.db";

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Events, those of which only the key is kept included.
    pub events: u64,
    /// Deliveries that are not over.
    pub open: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// Copies the queue of a folder, whether or not it runs, with the files of these names that are beside it. What was acknowledged before
/// this began is in the copy. The writer goes on meanwhile.
pub fn back_up(folder: &Path, to: &Path, beside: &[&str]) -> anyhow::Result<Copied> {
    anyhow::ensure!(!to.exists(), "{} is there already: name a file that is not, or move it away", to.display());
    let file = folder.join(FILE);
    anyhow::ensure!(file.exists(), "there is no queue in {}: nothing was ever accepted there", folder.display());
    let draft = draft_of(to);
    // What lies there was left by a copy that did not come to its end. A new one, so that nobody else's is written to; empty, so that the
    // engine takes it, and only ours to read.
    let _ = std::fs::remove_file(&draft);
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
    made.with_context(|| format!("cannot write {}", draft.display()))?;
    let copied = copy_into(&file, &draft, folder, beside);
    if copied.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    let copied = copied.with_context(|| format!("cannot copy {} to {}", file.display(), to.display()))?;
    put(&draft, to)?;
    Ok(copied)
}

fn copy_into(file: &Path, draft: &Path, folder: &Path, beside: &[&str]) -> anyhow::Result<Copied> {
    let path = draft.to_str().context("the name of the file must be UTF-8")?;
    let from = reader::open(file)?;
    schema::version(&from)?;
    from.execute("VACUUM INTO ?1", [path])?;
    let copy = Connection::open(draft)?;
    copy.execute_batch("CREATE TABLE beside (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID")?;
    for name in beside {
        if let Ok(content) = std::fs::read(folder.join(name)) {
            copy.execute("INSERT INTO beside VALUES (?1, ?2)", params![name, content])?;
        }
    }
    counted(&copy, draft)
}

/// Puts a copy into a folder in which no gateway runs. What is there already is moved aside where that is wanted, and named.
pub fn restore(from: &Path, folder: &Path, there: Already) -> anyhow::Result<(Copied, Option<PathBuf>)> {
    anyhow::ensure!(from.exists(), "there is no file {}", from.display());
    let _lock = lock(folder)?;
    let file = folder.join(FILE);
    anyhow::ensure!(
        !file.exists() || there == Already::MoveAside,
        "there is data in {} already: take an empty folder (--data), or say --replace to have it moved aside",
        folder.display()
    );
    let draft = draft_of(&file);
    let copied = copy_out(from, &draft, folder).with_context(|| format!("{} cannot be restored", from.display()));
    if copied.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    let copied = copied?;
    let aside = move_aside(folder)?;
    put(&draft, &file)?;
    Ok((copied, aside))
}

/// What becomes of data that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Already {
    /// It stays, and nothing is restored.
    Refuse,
    /// It is moved aside.
    MoveAside,
}

fn copy_out(from: &Path, draft: &Path, folder: &Path) -> anyhow::Result<Copied> {
    let copy = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    schema::version(&copy)?;
    let told: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    anyhow::ensure!(told == "ok", "it is damaged: {told}");
    let mut beside =
        copy.prepare("SELECT name, content FROM beside").context("it is no copy that hookgate backup made")?;
    let rows = beside.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let files: Vec<(String, Vec<u8>)> = rows.collect::<rusqlite::Result<_>>()?;
    let _ = std::fs::remove_file(draft);
    let mut own = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    std::io::copy(&mut File::open(from)?, &mut own)?;
    let own = Connection::open(draft)?;
    own.execute_batch("DROP TABLE beside")?;
    let copied = counted(&own, draft)?;
    for (name, content) in files.iter().filter(|(name, _)| !name.contains('/')) {
        write_private(&folder.join(name), content)?;
    }
    Ok(copied)
}

/// Writes a file that only we can read; one that says something else is moved aside.
fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    if std::fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if path.exists() {
        std::fs::rename(path, aside_of(path))?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    Ok(file.sync_all()?)
}

/// Moves the queue of a folder aside, with what its engine keeps beside it. Gives the new name of its file.
fn move_aside(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let file = folder.join(FILE);
    let aside = aside_of(&file);
    let mut moved = false;
    // Each by itself: a log that is left without its file would be taken for the log of what is restored.
    for ending in ["-wal", "-shm", ""] {
        let with = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        if with(&file).exists() {
            std::fs::rename(with(&file), with(&aside))?;
            moved = true;
        }
    }
    Ok(moved.then_some(aside))
}

fn aside_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.before-{}", path.display(), now_ms()))
}

fn draft_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.part", path.display()))
}

fn counted(db: &Connection, file: &Path) -> anyhow::Result<Copied> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|number| number as u64);
    let events = number("SELECT count(*) FROM event")?;
    let open = number("SELECT count(*) FROM delivery WHERE state <> 2 AND state IN (0, 1)")?;
    Ok(Copied { events, open, bytes: std::fs::metadata(file)?.len() })
}

/// Gives a file that is whole its name, durably.
fn put(draft: &Path, path: &Path) -> anyhow::Result<()> {
    File::open(draft)?.sync_all()?;
    std::fs::rename(draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(File::open(folder)?.sync_all()?)
}
