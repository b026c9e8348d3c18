//! What is registered, and who has which event.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::State;
use super::store::{Result, Store};
use crate::event::{EventId, Pattern, UnixMs};

const TAKEN_OUT: &str = "SELECT s.id FROM subscriber s WHERE s.name GLOB 'webhook:*'
    AND NOT EXISTS (SELECT 1 FROM record WHERE kind = 'webhook' AND 'webhook:' || record.id = s.name)
    AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber = s.id)";
const GIVE_UP: &str = "UPDATE delivery SET state = 3 WHERE subscriber = ?1 AND event IN
    (SELECT event FROM delivery WHERE state <> 2 AND state = 0 AND subscriber = ?1 LIMIT ?2)";
const CLEAR_LANES: &str = "DELETE FROM lane WHERE subscriber = ?1 AND (lane, event) IN
    (SELECT lane, event FROM lane WHERE subscriber = ?1 LIMIT ?2)";
const LEAVES: &str = "SELECT EXISTS (SELECT 1 FROM delivery WHERE state <> 2 AND state = 0 AND subscriber = ?1)
    OR EXISTS (SELECT 1 FROM lane WHERE subscriber = ?1)";

/// The queries by which somebody is forgotten, for the test of their plans.
#[cfg(test)]
pub(super) const FORGETS: [&str; 3] = [GIVE_UP, CLEAR_LANES, LEAVES];

/// A subscriber as it is stored.
pub struct StoredSubscriber {
    /// Its number in other tables.
    pub id: i64,
    /// The plugin's name.
    pub name: Arc<str>,
    /// Its subscriptions.
    pub patterns: Vec<String>,
    /// Since when its file has been missing.
    pub gone_at_ms: Option<UnixMs>,
    /// The attribute by which its deliveries are told into lanes.
    pub ordered_by: Option<Arc<str>>,
    /// Whether an operator holds it.
    pub is_paused: bool,
}

/// What somebody changes by hand, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// By which token.
    pub who: String,
    /// What, in JSON. Never a secret.
    pub what: String,
}

impl Note {
    /// What somebody does.
    pub fn new(who: &str, what: &serde_json::Value) -> Note {
        Note { who: who.to_owned(), what: what.to_string() }
    }

    /// Says it in the log, once it is on disk and not before: what could not be noted was not changed.
    pub(super) fn say(&self) {
        tracing::info!(who = %self.who, what = %self.what, "changed by hand");
    }
}

/// A change that somebody made by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// When.
    pub at_ms: UnixMs,
    /// By which token.
    pub who: String,
    /// What, in a sentence or in JSON.
    pub what: String,
}

/// Since when somebody has been gone who is forgotten: for ever.
const FOR_EVER: UnixMs = 0;

impl StoredSubscriber {
    /// Whether nobody will ever take up what waits for it.
    pub fn is_forgotten(&self) -> bool {
        self.gone_at_ms == Some(FOR_EVER)
    }
}

impl Store {
    /// Everyone who ever subscribed.
    pub fn subscribers(&self) -> Result<Vec<StoredSubscriber>> {
        let sql = "SELECT id, name, gone_at_ms, ordered_by, paused_at_ms IS NOT NULL FROM subscriber ORDER BY id";
        let mut statement = self.db.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(StoredSubscriber {
                id: row.get(0)?,
                name: row.get::<_, String>(1)?.into(),
                patterns: Vec::new(),
                gone_at_ms: row.get::<_, Option<i64>>(2)?.map(|ms| ms as UnixMs),
                ordered_by: row.get::<_, Option<String>>(3)?.map(Into::into),
                is_paused: row.get(4)?,
            })
        })?;
        let mut subscribers: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        for subscriber in &mut subscribers {
            subscriber.patterns = self.patterns(subscriber.id)?;
        }
        Ok(subscribers)
    }

    fn patterns(&self, subscriber: i64) -> Result<Vec<String>> {
        let mut statement = self.db.prepare_cached("SELECT pattern FROM subscription WHERE subscriber = ?1")?;
        let rows = statement.query_map([subscriber], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Replaces a subscriber's subscriptions and gives its number.
    pub fn subscribe(&self, name: &str, patterns: &[Pattern]) -> Result<i64> {
        self.run(
            "INSERT INTO subscriber (name) VALUES (?1) ON CONFLICT (name) DO UPDATE SET gone_at_ms = NULL",
            [name],
        )?;
        let id = self.number("SELECT id FROM subscriber WHERE name = ?1", [name])?;
        self.run("DELETE FROM subscription WHERE subscriber = ?1", [id])?;
        for pattern in patterns {
            self.run("INSERT OR IGNORE INTO subscription VALUES (?1, ?2)", params![id, pattern.to_string()])?;
        }
        Ok(id)
    }

    /// Notes since when a subscriber's file has been missing, or that it is there.
    pub fn set_gone(&self, subscriber: i64, at_ms: Option<UnixMs>) -> Result<()> {
        self.run("UPDATE subscriber SET gone_at_ms = ?2 WHERE id = ?1", params![subscriber, at_ms.map(|ms| ms as i64)])
    }

    /// Ends a subscriber's subscriptions for ever. What still waits for it is to be given up: see [`Store::give_up`].
    pub fn forget(&self, subscriber: i64) -> Result<()> {
        self.run("DELETE FROM subscription WHERE subscriber = ?1", [subscriber])?;
        self.set_gone(subscriber, Some(FOR_EVER))
    }

    /// Lets some of what waits for a subscriber that is forgotten be dead. Gives whether there is more.
    pub fn give_up(&self, subscriber: i64, limit: usize) -> Result<bool> {
        let cleared = self.change(CLEAR_LANES, params![subscriber, limit as i64])?;
        let dead = self.change(GIVE_UP, params![subscriber, limit as i64])?;
        self.opened(-(dead as i64));
        self.count_dead(subscriber, dead)?;
        Ok(dead == limit || cleared == limit)
    }

    /// Whether something waits for a subscriber, of whatever time.
    pub fn leaves_something(&self, subscriber: i64) -> Result<bool> {
        Ok(self.number(LEAVES, [subscriber])? > 0)
    }

    /// Keeps what is registered, or takes it out.
    pub fn put_record(&self, kind: &str, id: &str, body: Option<&[u8]>) -> Result<()> {
        match body {
            Some(body) => self.run("INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3)", params![kind, id, body]),
            None => self.run("DELETE FROM record WHERE kind = ?1 AND id = ?2", [kind, id]),
        }
    }

    /// Lets go of webhooks that were taken out and of which nothing is left.
    pub fn forget_taken_out(&self) -> Result<()> {
        let mut statement = self.db.prepare(TAKEN_OUT)?;
        let gone: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        if gone.is_empty() {
            return Ok(());
        }
        self.begin()?;
        for id in gone {
            // The next one may get its number.
            for sql in [
                "DELETE FROM attempt WHERE subscriber = ?1",
                "DELETE FROM state WHERE subscriber = ?1",
                "DELETE FROM track WHERE subscriber = ?1",
                "DELETE FROM subscription WHERE subscriber = ?1",
                "DELETE FROM subscriber WHERE id = ?1",
            ] {
                self.run(sql, [id])?;
            }
        }
        self.commit()
    }

    /// Where a delivery stands and when it is due; nothing, where there is none.
    pub fn standing_of(&self, subscriber: i64, event: EventId) -> Result<Option<(State, UnixMs)>> {
        let sql = "SELECT state, due_ms FROM delivery WHERE subscriber = ?1 AND event = ?2";
        let row = |row: &Row| Ok((State::from_i64(row.get(0)?), row.get::<_, i64>(1)? as UnixMs));
        Ok(self.db.prepare_cached(sql)?.query_row(params![subscriber, event.to_i64()], row).optional()?)
    }

    /// Has a delivery that waits be due at a time. Gives its line.
    pub fn hurry(&self, subscriber: i64, event: EventId, due_ms: UnixMs) -> Result<i64> {
        let sql = "UPDATE delivery SET due_ms = ?3 WHERE subscriber = ?1 AND event = ?2 RETURNING line";
        self.number(sql, params![subscriber, event.to_i64(), due_ms as i64])
    }

    /// Deletes a delivery that is dead. Gives how many that were.
    pub fn drop_dead(&self, subscriber: i64, event: EventId) -> Result<usize> {
        let sql = "DELETE FROM delivery WHERE subscriber = ?1 AND event = ?2 AND state = 3";
        self.change(sql, params![subscriber, event.to_i64()])
    }

    /// Notes since when an operator has held a subscriber, or that it goes on.
    pub fn set_paused(&self, subscriber: i64, at_ms: Option<UnixMs>) -> Result<()> {
        let sql = "UPDATE subscriber SET paused_at_ms = ?2 WHERE id = ?1";
        self.run(sql, params![subscriber, at_ms.map(|ms| ms as i64)])
    }

    /// Notes by which attribute a subscriber's deliveries are told into lanes.
    pub fn set_ordered_by(&self, subscriber: i64, attribute: Option<&str>) -> Result<()> {
        self.run("UPDATE subscriber SET ordered_by = ?2 WHERE id = ?1", params![subscriber, attribute])
    }

    /// Notes who changes what by hand, or what became of that under the number that this gave.
    pub fn note(&self, at_ms: UnixMs, number: Option<i64>, note: &Note) -> Result<i64> {
        let sql = "INSERT INTO audit (id, at_ms, who, what) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (id) DO UPDATE SET what = excluded.what RETURNING id";
        self.number(sql, params![number, at_ms as i64, note.who, note.what])
    }

    /// Whether the body of an event is still kept.
    pub fn has_body(&self, event: EventId) -> Result<bool> {
        Ok(self.number("SELECT count(*) FROM body WHERE event = ?1", [event.to_i64()])? > 0)
    }

    /// An attribute of an event that is kept, by its name.
    pub fn attribute(&self, event: EventId, name: &str) -> Result<Option<String>> {
        let sql = "SELECT attributes FROM body WHERE event = ?1";
        let text = self
            .db
            .prepare_cached(sql)?
            .query_row([event.to_i64()], |row| Ok(row.get_ref(0)?.as_str().ok().map(str::to_owned)));
        // What is damaged is found out when it is to be delivered, and said then.
        let attributes: Vec<(String, String)> =
            text.optional()?.flatten().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Ok(attributes.into_iter().find(|(known, _)| known == name).map(|(_, value)| value))
    }

    /// The source, the provider and the type of an event; nothing, where it is not kept.
    pub fn kind_of(&self, event: EventId) -> Result<Option<(String, String, String)>> {
        let sql = "SELECT s.name, s.provider, t.name FROM event e JOIN source s ON s.id = e.source
                   JOIN event_type t ON t.id = e.type WHERE e.id = ?1";
        let row = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        Ok(self.db.prepare_cached(sql)?.query_row([event.to_i64()], row).optional()?)
    }
}

/// The names of everyone who ever subscribed.
pub(super) fn everyone(db: &Connection) -> rusqlite::Result<Vec<Arc<str>>> {
    let mut statement = db.prepare_cached("SELECT name FROM subscriber ORDER BY name")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0).map(Arc::from))?;
    rows.collect()
}

/// Whether there is somebody of a name whose subscriptions have ended.
pub(super) fn is_forgotten(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM subscriber WHERE name = ?1 AND gone_at_ms = ?2";
    Ok(db.prepare_cached(sql)?.query_row(params![name, FOR_EVER as i64], |_| Ok(())).optional()?.is_some())
}

/// The names of those that an operator holds.
pub(super) fn paused(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        db.prepare_cached("SELECT name FROM subscriber WHERE paused_at_ms IS NOT NULL ORDER BY name")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// Who changed what by hand in a time, the newest first.
pub(super) fn audit(db: &Connection, at_ms: &Range<UnixMs>, limit: usize) -> rusqlite::Result<Vec<Audited>> {
    let sql = "SELECT at_ms, who, what FROM audit WHERE at_ms >= ?1 AND at_ms < ?2 ORDER BY id DESC LIMIT ?3";
    let time = |ms: UnixMs| i64::try_from(ms).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![time(at_ms.start), time(at_ms.end), limit as i64], |row| {
        Ok(Audited { at_ms: row.get::<_, i64>(0)? as UnixMs, who: row.get(1)?, what: row.get(2)? })
    })?;
    rows.collect()
}

/// What is kept of all that is registered of a kind, by id.
pub(super) fn records(db: &Connection, kind: &str) -> rusqlite::Result<HashMap<Arc<str>, Vec<u8>>> {
    let mut statement = db.prepare_cached("SELECT id, body FROM record WHERE kind = ?1")?;
    let rows = statement.query_map([kind], |row| Ok((row.get::<_, String>(0)?.into(), row.get(1)?)))?;
    rows.collect()
}
