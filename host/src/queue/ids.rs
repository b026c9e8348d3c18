//! Where the ids of events come from that may be wanted, the newest first: from the index that leads to the fewest.

use std::collections::{BinaryHeap, HashMap, HashSet};

use rusqlite::{Connection, params};

use super::columns::State;
use super::texts::{Stretch, Texts};

const WALK: &str = "SELECT id FROM event WHERE id < ?1 AND id >= ?2 ORDER BY id DESC LIMIT ?3";
const OF_KIND: &str =
    "SELECT id FROM event WHERE source = ?1 AND type = ?2 AND id < ?3 AND id >= ?4 ORDER BY id DESC LIMIT ?5";
const UNROUTED: &str = "SELECT id FROM event WHERE unrouted = 1 AND id < ?1 AND id >= ?2 ORDER BY id DESC LIMIT ?3";
const DEAD: &str =
    "SELECT DISTINCT event FROM delivery WHERE state = 3 AND event < ?1 AND event >= ?2 ORDER BY event DESC LIMIT ?3";
const IN_STATE: &str = "SELECT event FROM delivery WHERE state <> 2 AND state = ?1 LIMIT ?2";

/// The queries that must not look through a table, for the test of their plans.
#[cfg(test)]
pub(super) const IDS: [&str; 5] = [WALK, OF_KIND, UNROUTED, DEAD, IN_STATE];

/// How many ids are read at once, and how many of each kind.
const STEP: usize = 256;
const STEP_OF_KIND: usize = 32;

/// The most pending deliveries that are sorted; where there are more, they are met soon enough.
pub(super) const SORTED: usize = 50_000;

/// So few events that may have a text are looked at one by one, whatever else is wanted of them.
const FEW: usize = 64;

/// The most events that are told apart so: few more than there are in one stretch.
const MOST: usize = 20_000;

/// Of more kinds than this the events that may have a text are not told apart beforehand.
const KINDS: usize = 1000;

/// The numbers of a source and a type.
type Kind = (i64, i64);

/// Where ids come from.
pub(super) enum Ids<'a> {
    /// All events.
    All,
    /// Those of some kinds.
    OfKinds(OfKinds),
    /// Those that nobody wanted.
    Unrouted,
    /// Those with a delivery that is dead.
    Dead,
    /// These, the oldest first.
    Sorted(Vec<i64>),
    /// Those of the others whose payload may have a text.
    WithText(&'a Texts, &'a [u8], Box<Ids<'a>>),
}

/// Several kinds, merged.
pub(super) struct OfKinds {
    kinds: Vec<Kind>,
    /// The next of each: what was read, or a bound behind which nothing was read yet.
    next: BinaryHeap<(i64, Kind)>,
    read: HashMap<Kind, Vec<i64>>,
    /// Down to which event they were read.
    first: i64,
}

/// The events with a delivery that is not over, the oldest first; nothing, where they are too many.
pub(super) fn pending(db: &Connection) -> rusqlite::Result<Option<Vec<i64>>> {
    let mut ids = Vec::new();
    for state in [State::Waiting, State::Running] {
        let some = read(db, IN_STATE, params![state as i64, SORTED as i64])?;
        // Several may be of one event, so this is counted before they are told apart.
        if some.len() == SORTED {
            return Ok(None);
        }
        ids.extend(some);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(Some(ids))
}

impl<'a> Ids<'a> {
    /// Those of some kinds.
    pub fn of_kinds(kinds: Vec<Kind>) -> Ids<'a> {
        Ids::OfKinds(OfKinds { kinds, next: BinaryHeap::new(), read: HashMap::new(), first: i64::MAX })
    }

    /// Those of them that may have a text, where that helps.
    pub fn with_text(self, texts: &'a Texts, text: &'a [u8]) -> Ids<'a> {
        if Texts::can_find(text) { Ids::WithText(texts, text, Box::new(self)) } else { self }
    }

    /// Some of them between two ids, the newest first, and from which one on that is all; nothing, where there are no more.
    fn some(&mut self, db: &Connection, first: i64, end: i64) -> rusqlite::Result<Option<(Vec<i64>, i64)>> {
        if first >= end {
            return Ok(None);
        }
        let bounds = params![end, first, STEP as i64];
        let ids = match self {
            Ids::All => read(db, WALK, bounds)?,
            Ids::Unrouted => read(db, UNROUTED, bounds)?,
            Ids::Dead => read(db, DEAD, bounds)?,
            Ids::Sorted(sorted) => {
                sorted.truncate(sorted.partition_point(|id| *id < end));
                let from = sorted.partition_point(|id| *id < first).max(sorted.len().saturating_sub(STEP));
                sorted[from..].iter().rev().copied().collect()
            }
            Ids::OfKinds(kinds) => kinds.next(db, first, end)?.into_iter().collect(),
            Ids::WithText(texts, text, others) => return with_text(db, texts, text, others, first, end),
        };
        Ok(ids.last().copied().map(|last| (ids, last)))
    }

    /// All of them between two ids, where they are known without a look at each and are not too many.
    fn between(&self, db: &Connection, first: i64, end: i64) -> rusqlite::Result<Option<HashSet<i64>>> {
        let all = params![end, first, MOST as i64];
        let found: HashSet<i64> = match self {
            Ids::All | Ids::WithText(..) => return Ok(None),
            Ids::OfKinds(of) if of.kinds.len() > KINDS => return Ok(None),
            Ids::Unrouted => read(db, UNROUTED, all)?.into_iter().collect(),
            Ids::Dead => read(db, DEAD, all)?.into_iter().collect(),
            Ids::Sorted(sorted) => sorted.iter().copied().filter(|id| (first..end).contains(id)).collect(),
            Ids::OfKinds(of) => {
                let mut found = HashSet::new();
                for (source, kind) in &of.kinds {
                    found.extend(read(db, OF_KIND, params![source, kind, end, first, MOST as i64])?);
                }
                found
            }
        };
        Ok((found.len() < MOST).then_some(found))
    }
}

/// Some of the events that may have a text: among those of which nothing is known yet, and then stretch by stretch.
fn with_text(
    db: &Connection,
    texts: &Texts,
    text: &[u8],
    others: &mut Ids,
    first: i64,
    end: i64,
) -> rusqlite::Result<Option<(Vec<i64>, i64)>> {
    let known = texts.end().max(first);
    if known < end {
        let new = others.some(db, known, end)?;
        return Ok(new.or(Some((Vec::new(), known))));
    }
    let Some(Stretch { from, mut ids }) = texts.before(end, text) else { return others.some(db, first, end) };
    let from = from.max(first);
    ids.retain(|id| *id >= from);
    if ids.len() > FEW
        && let Some(oldest) = ids.last()
        && let Some(between) = others.between(db, *oldest, end)?
    {
        ids.retain(|id| between.contains(id));
    }
    Ok(Some((ids, from)))
}

impl OfKinds {
    /// The newest of what is left of all.
    fn next(&mut self, db: &Connection, first: i64, end: i64) -> rusqlite::Result<Option<i64>> {
        if first < self.first {
            self.next = self.kinds.iter().map(|kind| (end, *kind)).collect();
            self.read.clear();
            self.first = first;
        }
        while let Some((before, kind)) = self.next.pop() {
            let known = self.read.entry(kind).or_default();
            let is_read = known.last() == Some(&before);
            if is_read {
                known.pop();
            }
            if known.is_empty() {
                *known = read(db, OF_KIND, params![kind.0, kind.1, before, self.first, STEP_OF_KIND as i64])?;
                known.reverse();
            }
            self.next.extend(known.last().map(|id| (*id, kind)));
            if is_read && before < end {
                return Ok(Some(before));
            }
        }
        Ok(None)
    }
}

/// A search for ids, from the newest to the oldest.
pub(super) struct Search<'a> {
    db: &'a Connection,
    ids: Ids<'a>,
    first: i64,
    end: i64,
}

impl<'a> Search<'a> {
    /// One between two ids: from the first on, before the second.
    pub fn new(db: &'a Connection, ids: Ids<'a>, (first, end): (i64, i64)) -> Search<'a> {
        Search { db, ids, first, end }
    }

    /// Some more of them; nothing at the end.
    pub fn some(&mut self) -> rusqlite::Result<Option<Vec<i64>>> {
        let found = self.ids.some(self.db, self.first, self.end)?;
        Ok(found.map(|(ids, from)| {
            self.end = from;
            ids
        }))
    }

    /// How far it came: nothing before this one was looked at yet.
    pub fn end(&self) -> i64 {
        self.end
    }
}

fn read(db: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| row.get(0))?;
    rows.collect()
}
