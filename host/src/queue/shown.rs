//! One event, whole: its body, its deliveries, and every attempt that is kept.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};

use super::events::{DELIVERIES, Listed, Stand, listed};
use super::look::{Tried, history};
use crate::event::{EventId, is_webhook};

const TRIED_BY: &str = "SELECT s.name, s.id FROM subscriber s WHERE EXISTS (SELECT 1 FROM attempt a WHERE a.subscriber = s.id AND a.event = ?1)";

/// An event, whole.
#[derive(Debug, Clone)]
pub struct Shown {
    /// As it is listed.
    pub listed: Listed,
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
    let Some(listed) = listed(db, id)? else { return Ok(None) };
    let sql = "SELECT attributes, headers, payload FROM body WHERE event = ?1";
    let body = db.prepare_cached(sql)?.query_row([id.to_i64()], |row| {
        let attributes = row.get_ref(0)?.as_str().map(str::to_owned).unwrap_or_default();
        Ok((attributes, row.get::<_, Option<String>>(1)?, row.get::<_, Vec<u8>>(2)?))
    });
    let (attributes, headers, payload) = match body.optional()? {
        Some((attributes, headers, payload)) => (attributes, headers, Some(Bytes::from(payload))),
        None => (String::new(), None, None),
    };
    let attributes = serde_json::from_str(&attributes).unwrap_or_default();
    let mut deliveries = Vec::new();
    for (subscriber, number) in tried_or_not(db, id.to_i64())? {
        let stand = listed.deliveries.iter().find(|stand| stand.subscriber == subscriber).cloned();
        let history = history(db, number, id)?;
        let attempts = history.iter().map(|tried| tried.number).max().unwrap_or_default();
        let dropped = Stand { subscriber, standing: None, attempts, due_ms: None };
        deliveries.push((stand.unwrap_or(dropped), history));
    }
    // Plugins first.
    deliveries.sort_by_key(|(stand, _)| (is_webhook(&stand.subscriber), stand.subscriber.clone()));
    Ok(Some(Shown { listed, attributes, headers, payload, deliveries }))
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
