//! Looking at what one subscriber was sent, and what it was not.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use super::columns::{State, outcome_name};
use crate::attempt::{Reply, Spent};
use crate::event::{EventId, Pattern, UnixMs};

// The order is that of the table's own key, from its end.
const DELIVERIES: &str = "SELECT d.event, t.name, d.state, d.attempt, d.due_ms, e.received_at_ms, s.name, s.provider
    FROM delivery d CROSS JOIN event e ON e.id = d.event CROSS JOIN event_type t ON t.id = e.type
    CROSS JOIN source s ON s.id = e.source
    WHERE d.subscriber = ?1 AND d.event < ?2 AND d.event >= ?3 ORDER BY d.event DESC";
const ATTEMPTS: &str = "SELECT number, started_at_ms, took_us, outcome, why, status, answer, generation, cpu_us, memory_bytes, log FROM attempt
    WHERE subscriber = ?1 AND event = ?2 ORDER BY number";
const UNDELIVERED: &str = "SELECT e.id, s.name, s.provider, t.name, d.state FROM event e
    CROSS JOIN source s ON s.id = e.source CROSS JOIN event_type t ON t.id = e.type CROSS JOIN body b ON b.event = e.id
    LEFT JOIN delivery d ON d.subscriber = ?1 AND d.event = e.id
    WHERE e.id >= ?2 AND e.id < ?3 ORDER BY e.id LIMIT ?4";
const PENDING: &str = "SELECT count(*) FROM delivery WHERE state <> 2 AND state IN (0, 1) AND subscriber = ?1";

/// The queries of whoever looks, for the test of their plans.
#[cfg(test)]
pub(super) const LOOKS: [&str; 4] = [DELIVERIES, ATTEMPTS, UNDELIVERED, PENDING];

/// Which deliveries of a subscriber are looked for, the newest first.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Where they stand; anywhere, where there is none.
    pub standing: Option<Standing>,
    /// Which events they are of.
    pub event_type: Option<Pattern>,
    /// Only those of events that came before this one.
    pub before: Option<EventId>,
    /// Only those of events that were received from this time on,
    pub since_ms: Option<UnixMs>,
    /// and before this one.
    pub until_ms: Option<UnixMs>,
    /// The most of them.
    pub limit: usize,
}

/// Where a delivery stands, for whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It waits until it is due.
    Pending,
    /// An attempt was begun.
    Running,
    /// Over, well.
    Done,
    /// Over, not well.
    Dead,
}

/// A delivery with its attempts.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The event.
    pub event: EventId,
    /// Its type.
    pub event_type: String,
    /// Where it stands.
    pub standing: Standing,
    /// How many attempts were begun.
    pub attempts: u32,
    /// When it is due, where it waits.
    pub due_ms: UnixMs,
    /// When the event was received.
    pub received_at_ms: UnixMs,
    /// The attempts that ended and are kept, in their order.
    pub history: Vec<Tried>,
}

/// An attempt that ended.
#[derive(Debug, Clone)]
pub struct Tried {
    /// 1 is the first.
    pub number: u32,
    /// When it began.
    pub started_at_ms: UnixMs,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// How it ended, as [`crate::attempt::Outcome::name`] has it.
    pub outcome: &'static str,
    /// Why it did not go well.
    pub why: Option<String>,
    /// What the receiver answered.
    pub reply: Option<Reply>,
    /// Which code ran: the first bytes of the SHA-256 of the plugin's file; nothing, where none did.
    pub generation: Option<u64>,
    /// What it used, where something ran.
    pub spent: Option<Spent>,
    /// The end of what it logged.
    pub log: Option<String>,
}

impl From<State> for Standing {
    fn from(state: State) -> Standing {
        match state {
            State::Waiting => Standing::Pending,
            State::Running => Standing::Running,
            State::Done => Standing::Done,
            State::Dead => Standing::Dead,
        }
    }
}

fn number(db: &Connection, subscriber: &str) -> rusqlite::Result<i64> {
    // No subscriber has the number 0, so nothing is found for one that is not known.
    let sql = "SELECT ifnull((SELECT id FROM subscriber WHERE name = ?1), 0)";
    db.prepare_cached(sql)?.query_row([subscriber], |row| row.get(0))
}

/// A subscriber's deliveries: fewer than were asked for, where answers are large.
pub(super) fn deliveries(db: &Connection, subscriber: &str, filter: &Filter) -> rusqlite::Result<Vec<Looked>> {
    let subscriber = number(db, subscriber)?;
    let before = filter.until_ms.map_or(i64::MAX, |ms| EventId::first_at(ms).to_i64());
    let before = filter.before.map_or(before, |event| before.min(event.to_i64()));
    let since = filter.since_ms.map_or(0, |ms| EventId::first_at(ms).to_i64());
    let mut statement = db.prepare_cached(DELIVERIES)?;
    let mut rows = statement.query(params![subscriber, before, since])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (looked, source, provider): (_, String, String) = (looked(row)?, row.get(6)?, row.get(7)?);
        let is_meant = filter.standing.is_none_or(|standing| standing == looked.standing)
            && filter.event_type.as_ref().is_none_or(|pattern| pattern.matches(&source, &provider, &looked.event_type));
        if is_meant {
            let history = history(db, subscriber, looked.event)?;
            bytes += history.iter().filter_map(|tried| Some(tried.reply.as_ref()?.body.len())).sum::<usize>();
            found.push(Looked { history, ..looked });
        }
        if found.len() >= filter.limit || bytes >= ANSWERS {
            break;
        }
    }
    Ok(found)
}

fn looked(row: &Row) -> rusqlite::Result<Looked> {
    Ok(Looked {
        event: EventId::from_i64(row.get(0)?),
        event_type: row.get(1)?,
        standing: State::from_i64(row.get(2)?).into(),
        attempts: row.get(3)?,
        due_ms: row.get::<_, i64>(4)? as UnixMs,
        received_at_ms: row.get::<_, i64>(5)? as UnixMs,
        history: Vec::new(),
    })
}

pub(super) fn history(db: &Connection, subscriber: i64, event: EventId) -> rusqlite::Result<Vec<Tried>> {
    let mut statement = db.prepare_cached(ATTEMPTS)?;
    let rows = statement.query_map(params![subscriber, event.to_i64()], |row| {
        let (status, body): (Option<u16>, Option<Vec<u8>>) = (row.get(5)?, row.get(6)?);
        let reply = status.map(|status| Reply { status, body: Bytes::from(body.unwrap_or_default()) });
        Ok(Tried {
            number: row.get(0)?,
            started_at_ms: row.get::<_, i64>(1)? as UnixMs,
            took_us: row.get::<_, i64>(2)? as u64,
            outcome: outcome_name(row.get(3)?),
            why: row.get(4)?,
            reply,
            generation: Some(row.get::<_, i64>(7)? as u64).filter(|generation| *generation != 0),
            spent: spent(row.get(8)?, row.get(9)?),
            log: row.get(10)?,
        })
    })?;
    rows.collect()
}

fn spent(cpu_us: Option<i64>, memory_bytes: Option<i64>) -> Option<Spent> {
    let (cpu, memory_bytes) = (Duration::from_micros(cpu_us? as u64), memory_bytes? as usize);
    Some(Spent { cpu, memory_bytes })
}

/// How many events are looked through at a time.
const STEP: i64 = 1_000;

/// The most bytes of answers in what is found at once.
const ANSWERS: usize = 8 << 20;

/// Some of the events from one on and before a time that are kept, that a subscriber would have got by these patterns, and that are
/// neither done nor being delivered right now; and where to look on, unless that was the end.
pub(super) fn undelivered(
    db: &Connection,
    subscriber: &str,
    patterns: &[Pattern],
    from: EventId,
    until_ms: UnixMs,
) -> rusqlite::Result<(Vec<EventId>, Option<EventId>)> {
    let before = EventId::first_at(until_ms).to_i64();
    let mut statement = db.prepare_cached(UNDELIVERED)?;
    let mut rows = statement.query(params![number(db, subscriber)?, from.to_i64(), before, STEP])?;
    let (mut found, mut seen, mut last) = (Vec::new(), 0, from);
    while let Some(row) = rows.next()? {
        let (id, state): (i64, Option<i64>) = (row.get(0)?, row.get(4)?);
        (seen, last) = (seen + 1, EventId::from_i64(id));
        let is_meant = match state.map(State::from_i64) {
            // What waits may be hurried.
            Some(state) => matches!(state, State::Dead | State::Waiting),
            None => wants(patterns, row)?,
        };
        if is_meant {
            found.push(last);
        }
    }
    let goes_on = (seen == STEP).then(|| EventId::from_i64(last.to_i64() + 1));
    Ok((found, goes_on))
}

fn wants(patterns: &[Pattern], row: &Row) -> rusqlite::Result<bool> {
    let text = |n: usize| row.get_ref(n)?.as_str().map_err(rusqlite::Error::from);
    let (source, provider, event_type) = (text(1)?, text(2)?, text(3)?);
    Ok(patterns.iter().any(|pattern| pattern.matches(source, provider, event_type)))
}

/// How many deliveries of a subscriber are not over.
pub(super) fn pending(db: &Connection, subscriber: &str) -> rusqlite::Result<u64> {
    let subscriber = number(db, subscriber)?;
    db.prepare_cached(PENDING)?.query_row([subscriber], |row| row.get::<_, i64>(0)).map(|count| count as u64)
}

/// The types of all events that there ever were.
pub(super) fn types(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare_cached("SELECT name FROM event_type ORDER BY name")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}
