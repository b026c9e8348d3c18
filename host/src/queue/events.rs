//! Looking at events, the newest first: what came in, how it went, and one of them whole.
//!
//! Whatever is asked for, one look takes a bounded time: where that is over before enough was found, it says where to look on.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::columns::State;
use super::ids::{self, Ids, Search};
use super::look::Standing;
use super::texts::Texts;
use crate::event::{EventId, Pattern, UnixMs};

const ONE: &str = "SELECT source, type, received_at_ms FROM event WHERE id = ?1";
const KEPT: &str = "SELECT e.unrouted FROM body b CROSS JOIN event e ON e.id = b.event WHERE b.event = ?1";
pub(super) const DELIVERIES: &str = "SELECT s.name, d.state, d.attempt, d.due_ms, s.id FROM subscriber s CROSS JOIN delivery d ON d.subscriber = s.id AND d.event = ?1";
const SOURCES: &str = "SELECT id, name, provider FROM source";
const TYPE: &str = "SELECT name FROM event_type WHERE id = ?1";
// One step through the index, however many events there are.
const NEXT_TYPE: &str = "SELECT min(type) FROM event WHERE source = ?1 AND type > ?2";

/// The queries that must not look through a table, for the test of their plans.
#[cfg(test)]
pub(super) const EVENTS: [&str; 4] = [ONE, KEPT, DELIVERIES, NEXT_TYPE];

/// How long one look takes at the most, but for its last step.
const LOOK: Duration = Duration::from_millis(30);

/// Which events are looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those of a source or a provider of this name.
    pub source: Option<String>,
    /// Those of a type.
    pub event_type: Option<Pattern>,
    /// Those that went so.
    pub went: Option<Went>,
    /// Those that this plugin or webhook has a delivery of; with `went`, one that went so.
    pub subscriber: Option<String>,
    /// Those that were received from this time on,
    pub since_ms: Option<UnixMs>,
    /// and before this one.
    pub until_ms: Option<UnixMs>,
    /// Those with this text in their payload.
    pub text: Option<String>,
    /// Only those that came before this one,
    pub before: Option<EventId>,
    /// and after this one.
    pub after: Option<EventId>,
    /// The most of them.
    pub limit: usize,
}

/// How an event went, all its deliveries together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    /// Nobody wanted it.
    Unrouted,
    /// Something is still to be done.
    Pending,
    /// All of it is done, or was dropped by hand.
    Done,
    /// Nothing is to be done any more, and something of it is dead.
    Dead,
    /// It is so old that only its key is kept.
    LetGo,
}

impl Went {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Went::Unrouted => "unrouted",
            Went::Pending => "pending",
            Went::Done => "done",
            Went::Dead => "dead",
            Went::LetGo => "let_go",
        }
    }
}

/// An event, as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub id: EventId,
    /// Its source.
    pub source: String,
    /// Its source's provider.
    pub provider: String,
    /// Its type.
    pub event_type: String,
    /// When it was received.
    pub received_at_ms: UnixMs,
    /// How it went.
    pub went: Went,
    /// Its deliveries.
    pub deliveries: Vec<Stand>,
}

/// How a delivery stands.
#[derive(Debug, Clone)]
pub struct Stand {
    /// Whose it is.
    pub subscriber: String,
    /// Where it stands; nothing, where an operator dropped it.
    pub standing: Option<Standing>,
    /// How many attempts were begun.
    pub attempts: u32,
    /// When it is due, where it waits by itself and not for others of its lane.
    pub due_ms: Option<UnixMs>,
}

/// Events that were found, and where to look on.
#[derive(Debug, Clone)]
pub struct Page {
    /// The newest first.
    pub events: Vec<Listed>,
    /// All from this one on were looked at: what comes before it was not. Nothing, where that was the end.
    pub next: Option<EventId>,
}

/// What a kind of event is called.
struct Kind {
    source: String,
    provider: String,
    event_type: String,
}

/// The kinds of events that there are, by the numbers of source and type.
type Kinds = HashMap<(i64, i64), Kind>;

fn kinds(db: &Connection) -> rusqlite::Result<Kinds> {
    let mut kinds = Kinds::new();
    let mut statement = db.prepare_cached(SOURCES)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?;
    for row in rows {
        let (number, source, provider) = row?;
        let mut last = i64::MIN;
        while let Some(next) = next_type(db, number, last)? {
            // A type of no name is what damage left: its events are shown by their ids alone.
            if let Some(event_type) = db.prepare_cached(TYPE)?.query_row([next], |row| row.get(0)).optional()? {
                let kind = Kind { source: source.clone(), provider: provider.clone(), event_type };
                kinds.insert((number, next), kind);
            }
            last = next;
        }
    }
    Ok(kinds)
}

/// The type, by its number, that comes next among those of a source.
fn next_type(db: &Connection, source: i64, last: i64) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached(NEXT_TYPE)?.query_row([source, last], |row| row.get(0))
}

impl Wanted {
    fn means(&self, kind: &Kind) -> bool {
        let of_source = |name: &String| *name == kind.source || *name == kind.provider;
        self.source.as_ref().is_none_or(of_source)
            && self
                .event_type
                .as_ref()
                .is_none_or(|pattern| pattern.matches(&kind.source, &kind.provider, &kind.event_type))
    }

    /// The ids between which it may be: from the first on, before the second.
    fn bounds(&self) -> (i64, i64) {
        let first = self.since_ms.map_or(0, |ms| EventId::first_at(ms).to_i64());
        let first = self.after.map_or(first, |event| first.max(event.to_i64() + 1));
        let end = self.until_ms.map_or(i64::MAX, |ms| EventId::first_at(ms).to_i64());
        (first, self.before.map_or(end, |event| end.min(event.to_i64())))
    }
}

struct Looking<'a> {
    db: &'a Connection,
    wanted: &'a Wanted,
    kinds: Kinds,
    meant: HashSet<(i64, i64)>,
}

/// Those of these events that there are none of, or whose payload is not kept any more: nobody can get them again.
pub(super) fn unknown(db: &Connection, ids: &[EventId]) -> rusqlite::Result<Vec<EventId>> {
    let (mut statement, mut unknown) = (db.prepare_cached(KEPT)?, Vec::new());
    for id in ids {
        if !statement.exists([id.to_i64()])? {
            unknown.push(*id);
        }
    }
    Ok(unknown)
}

/// Looks for events.
pub(super) fn events(db: &Connection, texts: &Texts, wanted: &Wanted) -> rusqlite::Result<Page> {
    let (events, next) = search(db, texts, wanted, |looking, id| looking.look(id))?;
    Ok(Page { events, next })
}

/// Looks for events of which no more is asked than their ids, and says where to look on.
pub(super) fn ids(
    db: &Connection,
    texts: &Texts,
    wanted: &Wanted,
) -> rusqlite::Result<(Vec<EventId>, Option<EventId>)> {
    search(db, texts, wanted, |looking, id| Ok(looking.is_wanted(id)?.then(|| EventId::from_i64(id))))
}

/// Looks for events, and gives what the look at each gave; and where to look on, unless that was the end.
fn search<T>(
    db: &Connection,
    texts: &Texts,
    wanted: &Wanted,
    look: impl Fn(&Looking, i64) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<(Vec<T>, Option<EventId>)> {
    let (begun, mut found) = (Instant::now(), Vec::new());
    // One look sees one state of things.
    let _snapshot = db.unchecked_transaction()?;
    let looking = Looking::begin(db, wanted)?;
    let mut ids = looking.cheapest()?;
    if let Some(text) = &wanted.text {
        ids = ids.with_text(texts, text.as_bytes());
    }
    let mut search = Search::new(db, ids, wanted.bounds());
    while let Some(ids) = search.some()? {
        for id in ids {
            found.extend(look(&looking, id)?);
            if found.len() >= wanted.limit || begun.elapsed() > LOOK {
                return Ok((found, Some(EventId::from_i64(id))));
            }
        }
        if begun.elapsed() > LOOK {
            return Ok((found, Some(EventId::from_i64(search.end()))));
        }
    }
    Ok((found, None))
}

impl<'a> Looking<'a> {
    fn begin(db: &'a Connection, wanted: &'a Wanted) -> rusqlite::Result<Looking<'a>> {
        let kinds = kinds(db)?;
        let meant = kinds.iter().filter(|(_, kind)| wanted.means(kind)).map(|(numbers, _)| *numbers).collect();
        Ok(Looking { db, wanted, kinds, meant })
    }

    fn cheapest(&self) -> rusqlite::Result<Ids<'a>> {
        match self.wanted.went {
            Some(Went::Unrouted) => return Ok(Ids::Unrouted),
            Some(Went::Dead) => return Ok(Ids::Dead),
            Some(Went::Pending) => {
                if let Some(pending) = ids::pending(self.db)? {
                    return Ok(Ids::Sorted(pending));
                }
            }
            _ => {}
        }
        if self.meant.len() < self.kinds.len() {
            return Ok(Ids::of_kinds(self.meant.iter().copied().collect()));
        }
        Ok(Ids::All)
    }

    /// An event, if it is wanted.
    fn look(&self, id: i64) -> rusqlite::Result<Option<Listed>> {
        let Some((numbers, received_at)) = self.look_at_itself(id)? else { return Ok(None) };
        let Some(kind) = self.kinds.get(&numbers) else { return Ok(None) };
        let deliveries = stands(self.db, id)?;
        let went = went(self.db, id, &deliveries)?;
        let is_meant = match (&self.wanted.subscriber, self.wanted.went) {
            (None, wanted) => wanted.is_none_or(|wanted| wanted == went),
            (Some(name), wanted) => {
                let own = deliveries.iter().filter(|stand| stand.subscriber == *name);
                own.into_iter().any(|stand| wanted.is_none_or(|wanted| alone(stand) == wanted))
            }
        };
        Ok(is_meant.then(|| Listed {
            id: EventId::from_i64(id),
            source: kind.source.clone(),
            provider: kind.provider.clone(),
            event_type: kind.event_type.clone(),
            received_at_ms: received_at as UnixMs,
            went,
            deliveries,
        }))
    }

    /// The numbers of an event's kind and when it was received, if it is wanted whatever became of it.
    fn look_at_itself(&self, id: i64) -> rusqlite::Result<Option<((i64, i64), i64)>> {
        let mut statement = self.db.prepare_cached(ONE)?;
        let row = statement.query_row([id], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).optional()?;
        let Some((numbers, _)) = row else { return Ok(None) };
        Ok(if self.meant.contains(&numbers) && self.has_text(id)? { row } else { None })
    }

    /// Whether an event is wanted. Its deliveries are not looked at where nothing is asked of them.
    fn is_wanted(&self, id: i64) -> rusqlite::Result<bool> {
        match self.wanted {
            Wanted { went: None, subscriber: None, .. } => Ok(self.look_at_itself(id)?.is_some()),
            _ => Ok(self.look(id)?.is_some()),
        }
    }

    fn has_text(&self, id: i64) -> rusqlite::Result<bool> {
        let Some(text) = &self.wanted.text else { return Ok(true) };
        let sql = "SELECT payload FROM body WHERE event = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let found = statement.query_row([id], |row| {
            let payload = row.get_ref(0)?.as_blob().unwrap_or_default();
            Ok(memchr::memmem::find(payload, text.as_bytes()).is_some())
        });
        Ok(found.optional()?.unwrap_or(false))
    }
}

/// How the deliveries of an event stand.
pub(super) fn stands(db: &Connection, event: i64) -> rusqlite::Result<Vec<Stand>> {
    let mut statement = db.prepare_cached(DELIVERIES)?;
    let rows = statement.query_map([event], |row| {
        let (state, due): (State, i64) = (State::from_i64(row.get(1)?), row.get(3)?);
        let due_ms = (state == State::Waiting && due != i64::MAX).then_some(due as UnixMs);
        Ok(Stand { subscriber: row.get(0)?, standing: Some(state.into()), attempts: row.get(2)?, due_ms })
    })?;
    rows.collect()
}

/// How a delivery went by itself.
fn alone(stand: &Stand) -> Went {
    match stand.standing {
        Some(Standing::Pending | Standing::Running) => Went::Pending,
        Some(Standing::Dead) => Went::Dead,
        Some(Standing::Done) | None => Went::Done,
    }
}

/// How an event went, all its deliveries together.
pub(super) fn went(db: &Connection, id: i64, deliveries: &[Stand]) -> rusqlite::Result<Went> {
    let any = |wanted: Went| deliveries.iter().any(|stand| alone(stand) == wanted);
    Ok(match () {
        () if any(Went::Pending) => Went::Pending,
        () if any(Went::Dead) => Went::Dead,
        () if !deliveries.is_empty() => Went::Done,
        () => {
            let kept = db.prepare_cached(KEPT)?.query_row([id], |row| row.get(0)).optional()?;
            match kept {
                Some(true) => Went::Unrouted,
                // It was wanted, and what of it was dead was dropped.
                Some(false) => Went::Done,
                None => Went::LetGo,
            }
        }
    })
}
