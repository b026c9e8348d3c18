//! One event, whole: its body, its deliveries, and every attempt that is kept.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::checksum::Stored;
use super::events::{DELIVERIES, Listed, Stand, Went, stands, went};
use super::look::{Tried, history};
use crate::event::{EventId, UnixMs, is_webhook};

// What is damaged may lack its source or its type.
const SHOWN: &str = "SELECT s.name, s.provider, t.name, e.received_at_ms, b.checksum, b.attributes, b.payload, b.trace, b.headers
    FROM event e LEFT JOIN source s ON s.id = e.source LEFT JOIN event_type t ON t.id = e.type LEFT JOIN body b ON b.event = e.id
    WHERE e.id = ?1";
const TRIED_BY: &str = "SELECT s.name, s.id FROM subscriber s WHERE EXISTS (SELECT 1 FROM attempt a WHERE a.subscriber = s.id AND a.event = ?1)";

/// An event, whole.
#[derive(Debug, Clone)]
pub struct Shown {
    /// As it is listed.
    pub listed: Listed,
    /// Whether what is stored is not what was written: of that no more is shown than how it is listed.
    pub is_damaged: bool,
    /// What its provider's description found, by name.
    pub attributes: Vec<(String, String)>,
    /// The headers of its request, what authenticates masked: `name: value` in a line each.
    pub headers: Option<String>,
    /// Its body; nothing, where that is not kept any more.
    pub payload: Option<Bytes>,
    /// Each delivery with its attempts, those to the sender's question as number 0.
    pub deliveries: Vec<(Stand, Vec<Tried>)>,
}

/// One event, whole; nothing, where there is none of that id.
pub(super) fn show(db: &Connection, id: EventId) -> rusqlite::Result<Option<Shown>> {
    let number = id.to_i64();
    let stands = stands(db, number)?;
    let went = went(db, number, &stands)?;
    let shown = db.prepare_cached(SHOWN)?.query_row([number], |row| alone(row, id, went, stands)).optional()?;
    let Some(mut shown) = shown else { return Ok(None) };
    for (subscriber, number) in tried_or_not(db, number)? {
        let stand = shown.listed.deliveries.iter().find(|stand| stand.subscriber == subscriber).cloned();
        let history = history(db, number, id)?;
        let attempts = history.iter().map(|tried| tried.number).max().unwrap_or_default();
        let dropped = Stand { subscriber, standing: None, attempts, due_ms: None };
        shown.deliveries.push((stand.unwrap_or(dropped), history));
    }
    // Plugins first.
    shown.deliveries.sort_by_key(|(stand, _)| (is_webhook(&stand.subscriber), stand.subscriber.clone()));
    Ok(Some(shown))
}

/// An event that stands in a row, without its history.
fn alone(row: &Row, id: EventId, went: Went, deliveries: Vec<Stand>) -> rusqlite::Result<Shown> {
    let (stored, sum) = (Stored::in_row(id, row)?, row.get_ref(4)?);
    let has_body = sum != ValueRef::Null;
    let lacks_a_name = (0..3_usize).any(|n| matches!(row.get_ref(n), Ok(ValueRef::Null)));
    let is_damaged = lacks_a_name || has_body && !sum.as_i64().is_ok_and(|sum| stored.had(sum));
    let body = (has_body && !is_damaged).then_some(&stored);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let listed = Listed {
        id,
        source: text(stored.source),
        provider: text(stored.provider),
        event_type: text(stored.event_type),
        received_at_ms: stored.received_at_ms as UnixMs,
        went,
        deliveries,
    };
    let attributes = body.and_then(|body| serde_json::from_slice(body.attributes).ok()).unwrap_or_default();
    let headers = body.map(|body| text(body.headers)).filter(|headers| !headers.is_empty());
    let payload = body.map(|body| Bytes::copy_from_slice(body.payload));
    Ok(Shown { listed, is_damaged, attributes, headers, payload, deliveries: Vec::new() })
}

/// Who has a delivery of an event, or had an attempt at it.
fn tried_or_not(db: &Connection, event: i64) -> rusqlite::Result<HashMap<String, i64>> {
    let mut all = HashMap::new();
    for (sql, number) in [(DELIVERIES, 4), (TRIED_BY, 1)] {
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map([event], |row| Ok((row.get(0)?, row.get(number)?)))?;
        for row in rows {
            let (name, number) = row?;
            all.insert(name, number);
        }
    }
    Ok(all)
}
