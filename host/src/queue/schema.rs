//! The versions of the file: what each added, and how an older one is brought up. A newer one is left alone.

use std::sync::OnceLock;

use rusqlite::Connection;

/// What each version added to the one before.
pub(super) const BATCHES: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
];

/// The version that this code writes.
pub(super) const SCHEMA: i64 = BATCHES.len() as i64;

/// Brings a file up to the version that this code writes, all of it or nothing.
pub(super) fn bring_up(db: &mut Connection) -> anyhow::Result<()> {
    let version = version(db)?;
    if version == SCHEMA {
        return Ok(());
    }
    let group = db.transaction()?;
    for batch in &BATCHES[version as usize..] {
        group.execute_batch(batch)?;
    }
    group.pragma_update(None, "user_version", SCHEMA)?;
    Ok(group.commit()?)
}

/// The version of a file, if this code can read it.
pub(super) fn version(db: &Connection) -> anyhow::Result<i64> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    anyhow::ensure!(
        (0..=SCHEMA).contains(&version),
        "its data is of version {version}, and this hookgate knows version {SCHEMA}: run the hookgate that wrote it, or a newer one"
    );
    Ok(version)
}

/// Makes sure that a file says of its tables and indexes what this code writes: whoever reads all of it takes that for granted.
pub(super) fn check(db: &Connection) -> anyhow::Result<()> {
    let found = texts(db)?;
    for written in written()? {
        anyhow::ensure!(found.contains(written), "what it says of `{}` is not what was written", written.0);
    }
    Ok(())
}

/// The name of a table, an index or a view, with what made it.
type Text = (String, Option<String>);

/// What a file of this version says.
fn written() -> anyhow::Result<&'static [Text]> {
    static WRITTEN: OnceLock<Vec<Text>> = OnceLock::new();
    if let Some(known) = WRITTEN.get() {
        return Ok(known);
    }
    let mut fresh = Connection::open_in_memory()?;
    bring_up(&mut fresh)?;
    let found = texts(&fresh)?;
    Ok(WRITTEN.get_or_init(|| found))
}

/// What a file says.
fn texts(db: &Connection) -> rusqlite::Result<Vec<Text>> {
    let mut statement = db.prepare("SELECT name, sql FROM sqlite_schema")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;

    /// A file as a version wrote it, with an event that waits for a subscriber and one that nobody wanted.
    fn of_version(version: usize, file: &std::path::Path) {
        let db = Connection::open(file).unwrap();
        BATCHES[..version].iter().for_each(|batch| db.execute_batch(batch).unwrap());
        db.execute_batch(
            "INSERT INTO source (id, name, provider) VALUES (5, 's', 'p');
             INSERT INTO event_type (id, name) VALUES (6, 't');
             INSERT INTO event (id, source, type, received_at_ms, repeat_key) VALUES (1, 5, 6, 1, NULL), (2, 5, 6, 2, NULL);
             INSERT INTO subscriber (id, name) VALUES (7, 'before');
             INSERT INTO delivery (subscriber, event, state, attempt, due_ms) VALUES (7, 1, 0, 2, 9);",
        )
        .unwrap();
        let checksum = super::super::checksum::old_sum(b"[]", b"payload");
        for event in [1, 2] {
            let sql = "INSERT INTO body (event, checksum, attributes, payload) VALUES (?1, ?2, '[]', CAST('payload' AS BLOB))";
            db.execute(sql, rusqlite::params![event, checksum]).unwrap();
        }
        db.pragma_update(None, "user_version", version as i64).unwrap();
    }

    #[test]
    fn a_file_of_each_older_version_is_brought_up_with_all_that_is_in_it() {
        for version in 1..=BATCHES.len() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("t.db");
            of_version(version, &file);
            let store = Store::open(&file).unwrap();
            assert_eq!(super::version(&store.db).unwrap(), SCHEMA);
            check(&store.db).unwrap();
            assert_eq!(store.subscribe("before", &[]).unwrap(), 7);
            let first = crate::event::EventId::from_i64(1);
            assert_eq!(&store.event(first).unwrap().payload[..], b"payload", "version {version}");
            assert_eq!(store.open_deliveries(), 1);
            let line = if version < 4 { 5 } else { 0 };
            let due = store.due(7, line, 9, 10).unwrap();
            assert_eq!((due.len(), due[0].attempts), (1, 2), "version {version}");
            let unrouted = store.number("SELECT ifnull(max(id), 0) FROM event WHERE unrouted = 1", []).unwrap();
            assert_eq!(unrouted, if version < 4 { 2 } else { 0 }, "version {version}");
            store.delete_expired(1, 1).unwrap();
        }
    }

    #[test]
    fn a_file_that_says_something_else_of_a_table_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let db = Store::open(&folder.path().join("t.db")).unwrap().db;
        check(&db).unwrap();
        // Somebody's own index is none of ours.
        db.execute_batch("CREATE INDEX own ON event (repeat_key)").unwrap();
        check(&db).unwrap();
        let flipped = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'trace', 'trabe') WHERE name = 'body'";
        db.execute_batch(flipped).unwrap();
        let told = check(&db).unwrap_err().to_string();
        assert!(told.contains("`body`"), "{told}");
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        Store::open(&file).unwrap().db.pragma_update(None, "user_version", 99).unwrap();
        let told = Store::open(&file).err().unwrap().to_string();
        assert!(told.contains("version 99"), "{told}");
    }
}
