//! What was done to a file since its last sync, and what of it would be there with the power gone. Pure.

use std::collections::HashMap;

use crate::chance::Chance;

/// What a disk writes as a whole, in bytes.
const SECTOR: u64 = 512;

/// Something that was done to a file, with what is needed to undo it.
enum Change {
    Write {
        at: u64,
        new: Vec<u8>,
        /// What stood there, where something did.
        old: Vec<u8>,
    },
    Resize {
        to: u64,
        /// What stood behind the new end.
        cut: Vec<u8>,
    },
}

/// Whether a change will be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Perhaps.
    Open,
    /// A sync took it along.
    Synced,
    /// A sync failed on it. The system takes it for written, so that no later sync takes it along.
    Doomed,
}

struct Entry {
    change: Change,
    /// How long the file was before, in bytes.
    len_before: u64,
    fate: Fate,
}

/// The changes of one file, in their order, from the first that is not synced.
#[derive(Default)]
pub struct Log(Vec<Entry>);

impl Log {
    /// Notes a write at a place of a file of a length.
    pub fn write(&mut self, at: u64, new: &[u8], old: Vec<u8>, len_before: u64) {
        self.note(Change::Write { at, new: new.to_vec(), old }, len_before);
    }

    /// Notes that a file of a length gets another one.
    pub fn resize(&mut self, to: u64, cut: Vec<u8>, len_before: u64) {
        self.note(Change::Resize { to, cut }, len_before);
    }

    fn note(&mut self, change: Change, len_before: u64) {
        self.0.push(Entry { change, len_before, fate: Fate::Open });
    }

    /// Notes a sync that went well.
    pub fn synced(&mut self) {
        self.decide(Fate::Synced);
        // What comes after something doomed is needed to tell what stands there without that.
        if self.0.iter().all(|entry| entry.fate == Fate::Synced) {
            self.0.clear();
        }
    }

    /// Whether something was done that no sync was asked for since.
    pub fn has_unsynced(&self) -> bool {
        self.0.last().is_some_and(|entry| entry.fate == Fate::Open)
    }

    /// Notes a sync that failed.
    pub fn doomed(&mut self) {
        self.decide(Fate::Doomed);
    }

    fn decide(&mut self, fate: Fate) {
        self.0.iter_mut().filter(|entry| entry.fate == Fate::Open).for_each(|entry| entry.fate = fate);
    }

    /// What of a file's content would be there with the power gone, when nothing is that was not synced.
    pub fn durable(&self, content: Vec<u8>) -> Vec<u8> {
        self.rebuilt(content, |entry, _| entry.fate == Fate::Synced)
    }

    /// The same where chance decides on what was not synced, sector by sector.
    pub fn torn(&self, content: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
        let mut states: HashMap<u64, u64> = HashMap::new();
        for sector in self.0.iter().filter(|entry| entry.fate == Fate::Open).flat_map(sectors) {
            *states.entry(sector).or_default() += 1;
        }
        // In their order, so that a seed has the same disk each time.
        let mut all: Vec<(u64, u64)> = states.into_iter().collect();
        all.sort_unstable();
        let mut left: HashMap<u64, u64> = all.into_iter().map(|(at, states)| (at, chance.below(states + 1))).collect();
        self.rebuilt(content, |entry, sector| match (entry.fate, &entry.change) {
            (Fate::Synced, _) => true,
            (Fate::Open, Change::Write { .. }) => {
                let left = left.entry(sector).or_default();
                let is_kept = *left > 0;
                *left = left.saturating_sub(1);
                is_kept
            }
            _ => chance.once_in(2),
        })
    }

    /// Undoes all, and does again what is kept of it.
    fn rebuilt(&self, mut content: Vec<u8>, mut is_kept: impl FnMut(&Entry, u64) -> bool) -> Vec<u8> {
        self.0.iter().rev().for_each(|entry| undo(&mut content, entry));
        for entry in &self.0 {
            for sector in sectors(entry) {
                if is_kept(entry, sector) {
                    redo(&mut content, &entry.change, sector);
                }
            }
        }
        content
    }
}

/// The sectors that a change touches, by number. What has no place in particular has one.
fn sectors(entry: &Entry) -> std::ops::Range<u64> {
    match &entry.change {
        Change::Write { at, new, .. } => at / SECTOR..(at + new.len() as u64).div_ceil(SECTOR),
        Change::Resize { .. } => 0..1,
    }
}

fn undo(content: &mut Vec<u8>, entry: &Entry) {
    match &entry.change {
        Change::Write { at, old, .. } => put(content, *at, old),
        Change::Resize { to, cut } => put(content, *to, cut),
    }
    content.resize(entry.len_before as usize, 0);
}

fn redo(content: &mut Vec<u8>, change: &Change, sector: u64) {
    match change {
        Change::Write { at, new, .. } => {
            let (from, to) = ((sector * SECTOR).max(*at), ((sector + 1) * SECTOR).min(at + new.len() as u64));
            put(content, from, &new[(from - at) as usize..(to - at) as usize]);
        }
        Change::Resize { to, .. } => content.resize(*to as usize, 0),
    }
}

fn put(content: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (from, to) = (at as usize, at as usize + bytes.len());
    if !bytes.is_empty() {
        content.resize(content.len().max(to), 0);
        content[from..to].copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one sector of `a`, synced, whose first half became `b` and that then grew by two sectors of `c`.
    fn changed() -> (Log, Vec<u8>) {
        let mut log = Log::default();
        log.write(0, &[b'b'; 256], vec![b'a'; 256], 512);
        log.write(512, &[b'c'; 1024], Vec::new(), 512);
        (log, [vec![b'b'; 256], vec![b'a'; 256], vec![b'c'; 1024]].concat())
    }

    #[test]
    fn what_was_not_synced_is_undone_to_the_byte() {
        let (mut log, mut content) = changed();
        log.resize(100, content.split_off(100), 1536);
        assert_eq!(log.durable(content), [b'a'; 512]);
    }

    #[test]
    fn what_was_synced_stays() {
        let (mut log, content) = changed();
        log.synced();
        assert_eq!(log.durable(content.clone()), content);
        assert!(log.0.is_empty());
    }

    #[test]
    fn what_a_sync_failed_on_is_not_saved_by_the_next_one() {
        let (mut log, mut content) = changed();
        log.doomed();
        log.write(1536, b"later", Vec::new(), 1536);
        content.extend(b"later");
        log.synced();
        let durable = log.durable(content);
        assert_eq!(
            (&durable[..512], &durable[512..1536], &durable[1536..]),
            (&[b'a'; 512][..], &[0; 1024][..], &b"later"[..])
        );
    }

    #[test]
    fn a_torn_sector_has_one_of_the_states_that_it_had() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let (log, content) = changed();
            let torn = log.torn(content, &mut Chance::of(seed));
            assert!(torn[256..512].iter().all(|byte| *byte == b'a'));
            for sector in torn.chunks(256) {
                assert!(sector.iter().all(|byte| byte == &sector[0]), "seed {seed}");
            }
            seen.insert((torn[0], torn.get(512).copied(), torn.get(1024).copied()));
        }
        // Each of three sectors is old or new; a file whose last sector is not there is shorter.
        assert_eq!(seen.len(), 8, "{seen:?}");
    }
}
