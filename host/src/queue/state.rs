//! What plugins remember: read beside the writer, written with the outcome of the call that wrote it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::reader;
use super::store::{Result, Store};
use crate::effects::{Effects, Memory, Quota, Range, Read, Value};
use crate::event::UnixMs;

const GET: &str = "SELECT value, expires_ms FROM state WHERE subscriber = ?1 AND key = ?2 AND (expires_ms IS NULL OR expires_ms > ?3)";
const KEYS: &str = "SELECT key FROM state WHERE subscriber = ?1 AND key >= ?2 AND key > ?3 AND (?6 IS NULL OR key < ?6)
    AND (expires_ms IS NULL OR expires_ms > ?4) ORDER BY key LIMIT ?5";
const EXPIRED: &str =
    "SELECT subscriber, key FROM state WHERE expires_ms IS NOT NULL AND expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2";

/// The queries of the hot path, for the test of their plans.
#[cfg(test)]
pub(super) const HOT: [&str; 3] = [GET, KEYS, EXPIRED];

fn get(db: &Connection, subscriber: i64, key: &str, now: UnixMs) -> rusqlite::Result<Option<Value>> {
    let mut statement = db.prepare_cached(GET)?;
    let value = statement.query_row(params![subscriber, key, now as i64], |row| {
        let expires_ms: Option<i64> = row.get(1)?;
        Ok(Value { bytes: row.get::<_, Vec<u8>>(0)?.into(), expires_ms: expires_ms.map(|at| at as UnixMs) })
    });
    value.optional()
}

fn keys(db: &Connection, subscriber: i64, range: &Range, now: UnixMs) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare_cached(KEYS)?;
    let Range { prefix, after, limit } = range;
    // No key is empty, so all come after the empty one.
    let after = after.as_deref().unwrap_or_default();
    let end = behind(prefix);
    let rows =
        statement.query_map(params![subscriber, prefix, after, now as i64, *limit as i64, end], |row| row.get(0))?;
    rows.collect()
}

/// The first text behind all that begin with a prefix; nothing, where there is none.
fn behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Over the gap where there are no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

impl Store {
    /// Whether what a call read is not so any more, or what it wrote does not fit any more.
    pub fn is_overtaken(&self, subscriber: i64, effects: &Effects, now: UnixMs) -> Result<bool> {
        for read in &effects.reads {
            let is_so = match read {
                Read::Key { key, seen } => get(&self.db, subscriber, key, now)? == *seen,
                Read::Keys { range, seen } => keys(&self.db, subscriber, range, now)? == *seen,
            };
            if !is_so {
                return Ok(true);
            }
        }
        let adds = effects.writes.values().any(Option::is_some);
        Ok(adds && !effects.quota.holds(self.would_keep(subscriber, effects)?))
    }

    fn would_keep(&self, subscriber: i64, effects: &Effects) -> Result<Quota> {
        let mut kept = self.kept(subscriber)?;
        for (key, value) in &effects.writes {
            self.count_out(&mut kept, subscriber, key)?;
            count_in(&mut kept, key, value.as_ref());
        }
        Ok(kept)
    }

    /// Writes what a call wrote.
    pub fn remember(&self, subscriber: i64, effects: &Effects) -> Result<()> {
        if effects.writes.is_empty() {
            return Ok(());
        }
        let mut kept = self.kept(subscriber)?;
        for (key, value) in &effects.writes {
            self.count_out(&mut kept, subscriber, key)?;
            count_in(&mut kept, key, value.as_ref());
            match value {
                Some(Value { bytes, expires_ms }) => self.run(
                    "INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4)",
                    params![subscriber, key, &bytes[..], expires_ms.map(|at| at.min(i64::MAX as u64) as i64)],
                )?,
                None => self.run("DELETE FROM state WHERE subscriber = ?1 AND key = ?2", params![subscriber, key])?,
            }
        }
        self.set_kept(subscriber, kept)
    }

    /// Deletes some of what is not there any more. Gives how many keys that were.
    pub fn delete_expired(&self, now: UnixMs, limit: usize) -> Result<usize> {
        let mut statement = self.db.prepare_cached(EXPIRED)?;
        let rows = statement.query_map(params![now as i64, limit as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let expired: Vec<(i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
        for (subscriber, key) in &expired {
            let mut kept = self.kept(*subscriber)?;
            self.count_out(&mut kept, *subscriber, key)?;
            self.run("DELETE FROM state WHERE subscriber = ?1 AND key = ?2", params![subscriber, key])?;
            self.set_kept(*subscriber, kept)?;
        }
        Ok(expired.len())
    }

    fn kept(&self, subscriber: i64) -> Result<Quota> {
        Ok(kept(&self.db, subscriber)?)
    }

    fn set_kept(&self, subscriber: i64, kept: Quota) -> Result<()> {
        let Quota { bytes, keys } = kept;
        let sql = "UPDATE subscriber SET state_bytes = ?2, state_keys = ?3 WHERE id = ?1";
        self.run(sql, params![subscriber, bytes as i64, keys as i64])
    }

    /// Takes what is stored under a key, expired or not, out of a sum.
    fn count_out(&self, kept: &mut Quota, subscriber: i64, key: &str) -> Result<()> {
        let sql = "SELECT length(value) FROM state WHERE subscriber = ?1 AND key = ?2";
        let length = self.db.prepare_cached(sql)?.query_row(params![subscriber, key], |row| row.get::<_, i64>(0));
        if let Some(length) = length.optional()? {
            kept.keys = kept.keys.saturating_sub(1);
            kept.bytes = kept.bytes.saturating_sub(key.len() as u64 + length as u64);
        }
        Ok(())
    }
}

fn count_in(kept: &mut Quota, key: &str, value: Option<&Value>) {
    if let Some(value) = value {
        kept.keys += 1;
        kept.bytes += (key.len() + value.bytes.len()) as u64;
    }
}

fn kept(db: &Connection, subscriber: i64) -> rusqlite::Result<Quota> {
    let mut statement = db.prepare_cached("SELECT state_bytes, state_keys FROM subscriber WHERE id = ?1")?;
    statement.query_row([subscriber], |row| {
        Ok(Quota { bytes: row.get::<_, i64>(0)? as u64, keys: row.get::<_, i64>(1)? as u64 })
    })
}

/// What plugins remember, read beside the writer: as it was at the last commit.
pub(super) struct Remembered {
    file: PathBuf,
    /// Connections that nobody uses: as many as there ever were readers at a time.
    free: Mutex<Vec<Connection>>,
}

impl Remembered {
    pub fn new(file: &Path) -> Remembered {
        Remembered { file: file.to_owned(), free: Mutex::default() }
    }

    /// Reads as a subscriber, if it is one.
    fn read<T: Default>(
        &self,
        plugin: &str,
        what: impl FnOnce(&Connection, i64) -> rusqlite::Result<T>,
    ) -> std::result::Result<T, String> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let read = || {
            let db = free.map_or_else(|| reader::open(&self.file), Ok)?;
            let id =
                db.prepare_cached("SELECT id FROM subscriber WHERE name = ?1")?.query_row([plugin], |row| row.get(0));
            let found = match id.optional()? {
                Some(subscriber) => what(&db, subscriber)?,
                None => T::default(),
            };
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(db);
            Ok(found)
        };
        read().map_err(|error: rusqlite::Error| format!("the state cannot be read: {error}"))
    }
}

impl Memory for Remembered {
    fn get(&self, plugin: &str, key: &str, now_ms: UnixMs) -> std::result::Result<Option<Value>, String> {
        self.read(plugin, |db, subscriber| get(db, subscriber, key, now_ms))
    }

    fn keys(&self, plugin: &str, range: &Range, now_ms: UnixMs) -> std::result::Result<Vec<String>, String> {
        self.read(plugin, |db, subscriber| keys(db, subscriber, range, now_ms))
    }

    fn used(&self, plugin: &str) -> std::result::Result<Quota, String> {
        self.read(plugin, kept)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn writing(entries: &[(&str, Option<&str>, Option<UnixMs>)]) -> Effects {
        let entry = |(key, value, expires_ms): &(&str, Option<&str>, Option<UnixMs>)| {
            let value =
                value.map(|value| Value { bytes: Bytes::copy_from_slice(value.as_bytes()), expires_ms: *expires_ms });
            ((*key).to_owned(), value)
        };
        Effects {
            writes: entries.iter().map(entry).collect(),
            quota: Quota { bytes: 100, keys: 3 },
            ..Effects::default()
        }
    }

    fn range(prefix: &str, after: Option<&str>, limit: usize) -> Range {
        Range { prefix: prefix.into(), after: after.map(str::to_owned), limit }
    }

    #[test]
    fn what_is_written_is_read_beside_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        let store = Store::open(&file).unwrap();
        let (ours, other) = (store.subscribe("ours", &[]).unwrap(), store.subscribe("other", &[]).unwrap());
        store
            .remember(ours, &writing(&[("a", Some("1"), None), ("a2", Some("22"), Some(50)), ("b", Some("x"), None)]))
            .unwrap();
        store.remember(other, &writing(&[("a", Some("theirs"), None)])).unwrap();
        let memory = Remembered::new(&file);
        let value = |bytes: &'static str, expires_ms| Some(Value { bytes: bytes.into(), expires_ms });
        assert_eq!(memory.get("ours", "a", 10).unwrap(), value("1", None));
        assert_eq!(memory.get("ours", "a2", 10).unwrap(), value("22", Some(50)));
        assert_eq!(memory.get("other", "a", 10).unwrap(), value("theirs", None));
        assert_eq!((memory.get("ours", "c", 10), memory.get("nobody", "a", 10)), (Ok(None), Ok(None)));
        assert_eq!(memory.used("ours").unwrap(), Quota { bytes: 8, keys: 3 });
        // What has expired is not there, and counts until it is deleted.
        assert_eq!((memory.get("ours", "a2", 49).unwrap().is_some(), memory.get("ours", "a2", 50)), (true, Ok(None)));
        assert_eq!(memory.keys("ours", &range("a", None, 9), 10).unwrap(), ["a", "a2"]);
        assert_eq!(memory.keys("ours", &range("a", None, 1), 10).unwrap(), ["a"]);
        assert_eq!(memory.keys("ours", &range("", Some("a"), 9), 50).unwrap(), ["b"]);
        assert_eq!((store.delete_expired(50, 10).unwrap(), store.delete_expired(50, 10).unwrap()), (1, 0));
        assert_eq!(memory.used("ours").unwrap(), Quota { bytes: 4, keys: 2 });
        store.remember(ours, &writing(&[("a", None, None), ("b", Some(""), None), ("never", None, None)])).unwrap();
        assert_eq!(memory.used("ours").unwrap(), Quota { bytes: 1, keys: 1 });
    }

    #[test]
    fn what_is_behind_a_prefix_is_behind_all_that_begin_with_it() {
        let table = [
            ("a", Some("b")),
            ("", None),
            ("a\u{10ffff}", Some("b")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("x\0", Some("x\u{1}")),
        ];
        for (prefix, expected) in table {
            assert_eq!(behind(prefix).as_deref(), expected, "{prefix:?}");
        }
    }

    #[test]
    fn a_call_is_overtaken_when_what_it_read_is_not_so_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("t.db")).unwrap();
        let ours = store.subscribe("ours", &[]).unwrap();
        store.remember(ours, &writing(&[("a", Some("1"), Some(50))])).unwrap();
        let key = |key: &str, seen: Option<&'static str>| Read::Key {
            key: key.into(),
            seen: seen.map(|seen| Value { bytes: seen.into(), expires_ms: Some(50) }),
        };
        let keys = |seen: &[&str]| Read::Keys {
            range: range("", None, 9),
            seen: seen.iter().map(|key| (*key).into()).collect(),
        };
        let table = [
            (key("a", Some("1")), 10, false),
            (key("a", Some("2")), 10, true),
            (key("a", None), 10, true),
            (key("a", None), 50, false),
            (key("b", None), 10, false),
            (keys(&["a"]), 10, false),
            (keys(&[]), 10, true),
            (keys(&["a", "b"]), 10, true),
        ];
        for (read, now, expected) in table {
            let effects = Effects { reads: vec![read], ..writing(&[("c", Some("3"), None)]) };
            assert_eq!(store.is_overtaken(ours, &effects, now).unwrap(), expected, "{effects:?} at {now}");
        }
        let large = "x".repeat(99);
        for (entries, expected) in [
            (vec![("b", Some("2"), None), ("c", Some("3"), None)], false),
            (vec![("b", Some("2"), None), ("c", Some("3"), None), ("d", Some("4"), None)], true),
            (vec![("b", Some(&*large), None)], true),
            (vec![("a", Some(&large[..98]), None)], false),
        ] {
            assert_eq!(store.is_overtaken(ours, &writing(&entries), 10).unwrap(), expected, "{entries:?}");
        }
    }
}
