//! Whether what was promised is so, read off the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hookgate::event::{EventId, RepeatKey};
use rusqlite::{Connection, OpenFlags};

use super::load::{Promises, body, key};

/// What is not as it was promised.
#[derive(Debug, Default)]
pub struct Findings {
    /// Events that were accepted and are not there.
    pub lost: u64,
    /// Deliveries that were settled and are not.
    pub unsettled: u64,
    /// Events that were done, and of which only their keys are kept.
    pub let_go: u64,
    /// Everything else that cannot be.
    pub broken: Vec<String>,
}

/// What stands in the file.
struct Stored {
    events: BTreeMap<EventId, (Option<RepeatKey>, Option<Vec<u8>>)>,
    /// Where the worker's deliveries stand.
    states: BTreeMap<EventId, i64>,
    /// What the worker remembers.
    remembered: BTreeSet<String>,
    integrity: String,
}

/// Compares a folder with what was promised. What is found lost is not looked for again.
pub fn compare(folder: &Path, promises: &Promises) -> rusqlite::Result<Findings> {
    let stored = Stored::read(folder)?;
    let mut promised = promises.so_far();
    let mut findings = Findings { broken: std::mem::take(&mut promised.broken), ..Findings::default() };
    if stored.integrity != "ok" {
        findings.broken.push(stored.integrity.clone());
    }
    findings.broken.extend(stored.doubled());
    let is_lost = |(n, id): &(&u64, &EventId)| !stored.has_body(**id) && !stored.was_let_go(**n, **id);
    let lost: Vec<u64> = promised.accepted.iter().filter(is_lost).map(|(n, _)| *n).collect();
    for n in &lost {
        promised.accepted.remove(n);
        findings.unsettled += u64::from(promised.settled.remove(n));
    }
    findings.lost = lost.len() as u64;
    let mut unsettled = Vec::new();
    for (n, id) in &promised.accepted {
        if stored.was_let_go(*n, *id) {
            findings.let_go += 1;
            continue;
        }
        findings.broken.extend(stored.differs(*n, *id));
        if promised.settled.contains(n) && stored.states.get(id) != Some(&DONE) {
            unsettled.push(*n);
        }
    }
    findings.unsettled += unsettled.len() as u64;
    promised.settled.retain(|n| !unsettled.contains(n));
    Ok(findings)
}

const DONE: i64 = 2;

impl Stored {
    fn read(folder: &Path) -> rusqlite::Result<Stored> {
        let db = Connection::open_with_flags(folder.join("hookgate.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let events = rows(&db, "SELECT id, repeat_key, payload FROM event LEFT JOIN body ON event = id", |row| {
            Ok((EventId::from_i64(row.get(0)?), (row.get(1)?, row.get(2)?)))
        })?;
        let states =
            rows(&db, "SELECT event, state FROM delivery", |row| Ok((EventId::from_i64(row.get(0)?), row.get(1)?)))?;
        let remembered = rows(&db, "SELECT key FROM state", |row| row.get(0))?;
        let integrity = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        Ok(Stored {
            events: events.into_iter().collect(),
            states: states.into_iter().collect(),
            remembered: remembered.into_iter().collect(),
            integrity,
        })
    }

    fn has_body(&self, id: EventId) -> bool {
        self.events.get(&id).is_some_and(|(_, payload)| payload.is_some())
    }

    /// Whether of the n-th event all is gone but its key, and it was done before: what the worker remembers of it came with that.
    fn was_let_go(&self, n: u64, id: EventId) -> bool {
        self.events.get(&id).is_some_and(|(stored, payload)| *stored == Some(key(n)) && payload.is_none())
            && !self.states.contains_key(&id)
            && self.remembered.contains(&n.to_string())
    }

    fn doubled(&self) -> Vec<String> {
        let mut seen = BTreeMap::new();
        let again = self.events.iter().filter_map(|(id, (key, _))| Some((id, seen.insert((*key)?, *id)?)));
        again.map(|(id, first)| format!("{id} and {first} have one repeat key")).collect()
    }

    /// How the n-th event differs from what was sent and done.
    fn differs(&self, n: u64, id: EventId) -> Option<String> {
        let is_intact =
            self.events.get(&id).is_some_and(|(stored, payload)| *stored == Some(key(n)) && *payload == Some(body(n)));
        let state = self.states.get(&id);
        let is_remembered = self.remembered.contains(&n.to_string());
        match state {
            _ if !is_intact => Some(format!("{id} is not what was sent")),
            None => Some(format!("{id} has no delivery")),
            // One commit has both.
            Some(state) if (*state == DONE) != is_remembered => {
                Some(format!("{id}: state {state}, and remembered: {is_remembered}"))
            }
            Some(_) => None,
        }
    }
}

fn rows<T>(
    db: &Connection,
    sql: &str,
    row: impl FnMut(&rusqlite::Row) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare(sql)?.query_map([], row)?.collect()
}
