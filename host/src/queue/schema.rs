//! The versions of the file: what each added, and how an older one is brought up. A newer one is left alone.

use rusqlite::Connection;

/// What each version added to the one before.
pub(super) const BATCHES: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
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

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;

    #[test]
    fn a_file_of_the_first_version_is_upgraded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        let db = Connection::open(&file).unwrap();
        db.execute_batch(include_str!("schema.sql")).unwrap();
        db.execute_batch("INSERT INTO subscriber VALUES (7, 'before', NULL); PRAGMA user_version = 1").unwrap();
        drop(db);
        let store = Store::open(&file).unwrap();
        assert_eq!(store.subscribe("before", &[]).unwrap(), 7);
        assert_eq!(store.db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap(), SCHEMA);
        store.delete_expired(1, 1).unwrap();
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
