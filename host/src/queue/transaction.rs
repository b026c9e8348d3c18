//! Groups of writes: each is on disk as a whole or not at all, and most are when they end.

use super::mover::Mover;
use super::store::{Result, Store, StoreError};

impl Store {
    /// Begins a group of writes that is on disk as a whole or not at all.
    pub fn begin(&self) -> Result<()> {
        self.begin_as(true)
    }

    /// Begins a group that is on disk with the next one only: what is let go of may come back with the power, and goes again.
    pub fn begin_unsynced(&self) -> Result<()> {
        self.begin_as(false)
    }

    fn begin_as(&self, syncs: bool) -> Result<()> {
        self.set_syncs(syncs)?;
        self.open_before.set(self.open.get());
        self.run("BEGIN IMMEDIATE", [])
    }

    /// Says whether commits wait for the disk. Between groups only, and soon said: the engine writes nothing for it.
    fn set_syncs(&self, syncs: bool) -> Result<()> {
        if self.syncs.get() != syncs {
            self.db.pragma_update(None, "synchronous", if syncs { "FULL" } else { "NORMAL" })?;
            self.syncs.set(syncs);
        }
        Ok(())
    }

    /// Ends the group: when this returns well, it is on disk, if it was not begun unsynced.
    pub fn commit(&self) -> Result<()> {
        self.run("COMMIT", [])?;
        self.open_before.set(self.open.get());
        self.set_syncs(true)?;
        self.mover.as_ref().map_or(Ok(()), Mover::look)?;
        // After the sync: what was there then was there when it was promised.
        self.place.gone().map_or(Ok(()), |file| Err(StoreError::Gone(file.to_owned())))
    }

    /// Forgets the group.
    pub fn roll_back(&mut self) {
        // Numbers that were given out in the group are not there any more.
        self.sources.clear();
        self.types.clear();
        self.open.set(self.open_before.get());
        if !self.db.is_autocommit() {
            let _ = self.db.execute_batch("ROLLBACK");
        }
        // Before the next group begins, at the latest.
        let _ = self.set_syncs(true);
    }
}
