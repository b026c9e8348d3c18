//! Everything that is known of a disk: what was not synced, whether there is power, what is to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::Outage;
use crate::chance::Chance;
use crate::log::Log;

/// Which call fails, counted from 1. It fails once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A read.
    Read(u64),
    /// A write; nothing of it is written.
    Write(u64),
    /// A write of which half is written.
    ShortWrite(u64),
    /// A sync; what it was to sync can still be read.
    Sync(u64),
    /// A sync; the system lets go of what it was to sync, and what was there before can be read.
    SyncForgetting(u64),
}

/// How many calls came.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Syncs.
    pub syncs: u64,
    /// Syncs after the call that failed.
    pub syncs_after_fault: u64,
}

/// What is asked of a disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Write,
    Sync,
    /// Anything else that needs the disk.
    Other,
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lot {
    Goes,
    Fails,
    FailsHalfDone,
    FailsAndForgets,
}

/// What is known of one file.
#[derive(Default)]
struct Known {
    log: Log,
    /// Where the folder's entry for it is not synced: what stood there before.
    before: Option<Before>,
    /// How many of its syncs failed.
    failed_syncs: u64,
}

#[derive(Clone)]
enum Before {
    Nothing,
    File(Vec<u8>),
}

/// A file as the layer below has it.
pub(crate) trait File {
    /// Its length, in bytes.
    fn len(&self) -> Result<u64, Refused>;
    /// Reads as much as there is.
    fn read(&self, at: u64, bytes: usize) -> Result<Vec<u8>, Refused>;
    /// Writes all.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Refused>;
    /// Makes it so long.
    fn resize(&self, to: u64) -> Result<(), Refused>;
}

/// That the layer below, or the disk, said no, in SQLite's numbers.
pub(crate) struct Refused(pub i32);

pub(crate) struct State {
    folder: PathBuf,
    /// The names whose entries in the folder are synced.
    stood: BTreeSet<PathBuf>,
    known: BTreeMap<PathBuf, Known>,
    pub open: usize,
    pub cut_in: Option<u64>,
    /// The names that were in the folder when the power went.
    at_cut: Option<BTreeSet<PathBuf>>,
    pub is_relaxed: bool,
    pub is_full: bool,
    fault: Option<Fault>,
    /// Where calls are counted and fail, if not everywhere.
    fault_in: Option<PathBuf>,
    pub has_struck: bool,
    pub counts: Counts,
    /// The files of which something was written and not synced when the power went, or a call failed.
    pub unsynced_then: BTreeSet<PathBuf>,
}

impl State {
    pub fn of(folder: &Path) -> io::Result<State> {
        Ok(State {
            folder: folder.to_owned(),
            stood: names(folder)?,
            known: BTreeMap::new(),
            open: 0,
            cut_in: None,
            at_cut: None,
            is_relaxed: false,
            is_full: false,
            fault: None,
            fault_in: None,
            has_struck: false,
            counts: Counts::default(),
            unsynced_then: BTreeSet::new(),
        })
    }

    pub fn is_off(&self) -> bool {
        self.at_cut.is_some()
    }

    pub fn cut(&mut self) {
        if self.at_cut.is_none() {
            self.at_cut = Some(names(&self.folder).unwrap_or_default());
            self.unsynced_then = self.unsynced();
        }
        self.cut_in = None;
    }

    pub fn plan(&mut self, fault: Fault, file: Option<&str>) {
        (self.fault, self.fault_in) = (Some(fault), file.map(|name| self.folder.join(name)));
        self.has_struck = false;
        self.counts = Counts::default();
        self.unsynced_then.clear();
    }

    pub fn spare(&mut self) {
        self.fault = None;
    }

    fn unsynced(&self) -> BTreeSet<PathBuf> {
        let unsynced = self.known.iter().filter(|(_, known)| known.log.has_unsynced());
        unsynced.map(|(path, _)| path.clone()).collect()
    }

    /// Whether something was written to a file of a name, and not synced, when the power went or a call failed.
    pub fn was_unsynced(&self, name: &str) -> bool {
        self.unsynced_then.contains(&self.folder.join(name))
    }

    /// Counts a call on a file and says what becomes of it.
    pub fn meet(&mut self, call: Call, path: &Path) -> Lot {
        match self.cut_in {
            Some(0) => self.cut(),
            Some(left) => self.cut_in = Some(left - 1),
            None => {}
        }
        if self.is_off() {
            return Lot::Fails;
        }
        if self.fault_in.as_ref().is_some_and(|file| file != path) {
            return Lot::Goes;
        }
        let counts = &mut self.counts;
        match call {
            Call::Read => counts.reads += 1,
            Call::Write => counts.writes += 1,
            Call::Sync => {
                counts.syncs += 1;
                counts.syncs_after_fault += u64::from(self.has_struck);
            }
            Call::Other => {}
        }
        let lot = self.fault.map_or(Lot::Goes, |fault| lot(fault, call, &self.counts));
        if lot != Lot::Goes {
            (self.fault, self.has_struck) = (None, true);
            self.unsynced_then = self.unsynced();
        }
        lot
    }

    /// A file was opened, and perhaps made. Gives how many of its syncs had failed.
    pub fn opened(&mut self, path: &Path) -> u64 {
        self.open += 1;
        let is_new = !self.stood.contains(path);
        let known = self.known.entry(path.to_owned()).or_default();
        if is_new {
            known.before.get_or_insert(Before::Nothing);
        }
        known.failed_syncs
    }

    /// How many syncs of a file failed. Each of those who have it open is told of that once, whoever asked for the sync.
    pub fn failed_syncs(&self, path: &Path) -> u64 {
        self.known.get(path).map_or(0, |known| known.failed_syncs)
    }

    /// A file is being deleted.
    pub fn deletes(&mut self, path: &Path) {
        let known = self.known.remove(path).unwrap_or_default();
        let before = known.before.unwrap_or_else(|| match std::fs::read(path) {
            Ok(content) => Before::File(known.log.durable(content)),
            Err(_) => Before::Nothing,
        });
        self.stood.remove(path);
        self.known.insert(path.to_owned(), Known { before: Some(before), ..Known::default() });
    }

    /// The folder was synced.
    pub fn synced_folder(&mut self) {
        self.known.values_mut().for_each(|known| known.before = None);
        self.stood = names(&self.folder).unwrap_or_default();
        self.known.retain(|path, _| self.stood.contains(path));
    }

    fn log(&mut self, path: &Path) -> &mut Log {
        &mut self.known.entry(path.to_owned()).or_default().log
    }

    pub fn write(&mut self, path: &Path, file: &impl File, at: u64, bytes: &[u8]) -> Result<(), Refused> {
        let len = file.len()?;
        let old = file.read(at, bytes.len().min(len.saturating_sub(at) as usize))?;
        file.write(at, bytes)?;
        self.log(path).write(at, bytes, old, len);
        Ok(())
    }

    pub fn resize(&mut self, path: &Path, file: &impl File, to: u64) -> Result<(), Refused> {
        let len = file.len()?;
        let cut = file.read(to, len.saturating_sub(to) as usize)?;
        file.resize(to)?;
        self.log(path).resize(to, cut, len);
        Ok(())
    }

    pub fn synced(&mut self, path: &Path) {
        self.log(path).synced();
    }

    /// A sync failed. The system still has what it was to sync.
    pub fn doomed(&mut self, path: &Path) {
        let known = self.known.entry(path.to_owned()).or_default();
        known.log.doomed();
        known.failed_syncs += 1;
    }

    /// A sync failed, and what stood there before is read from now on.
    pub fn forgotten(&mut self, path: &Path, file: &impl File) -> Result<(), Refused> {
        let content = file.read(0, file.len()? as usize)?;
        let durable = self.log(path).durable(content);
        file.write(0, &durable)?;
        file.resize(durable.len() as u64)?;
        let known = self.known.entry(path.to_owned()).or_default();
        known.log = Log::default();
        known.failed_syncs += 1;
        Ok(())
    }

    /// Throws away what was not synced, and what others put into the folder since the power went. The power is back.
    pub fn settle(&mut self, outage: Outage) -> io::Result<()> {
        let at_cut = match self.at_cut.take() {
            Some(names) => names,
            None => names(&self.folder)?,
        };
        for stranger in names(&self.folder)?.difference(&at_cut) {
            std::fs::remove_file(stranger)?;
        }
        let mut chance = match outage {
            Outage::Clean => None,
            Outage::Torn(seed) => Some(Chance::of(seed)),
        };
        for (path, known) in std::mem::take(&mut self.known) {
            settle(&path, known, chance.as_mut())?;
        }
        *self = State { is_relaxed: self.is_relaxed, open: self.open, ..State::of(&self.folder)? };
        Ok(())
    }
}

/// Whether a call is the one that is to fail.
fn lot(fault: Fault, call: Call, counts: &Counts) -> Lot {
    let (is_meant, nth, came, lot) = match fault {
        Fault::Read(nth) => (call == Call::Read, nth, counts.reads, Lot::Fails),
        Fault::Write(nth) => (call == Call::Write, nth, counts.writes, Lot::Fails),
        Fault::ShortWrite(nth) => (call == Call::Write, nth, counts.writes, Lot::FailsHalfDone),
        Fault::Sync(nth) => (call == Call::Sync, nth, counts.syncs, Lot::Fails),
        Fault::SyncForgetting(nth) => (call == Call::Sync, nth, counts.syncs, Lot::FailsAndForgets),
    };
    if is_meant && came >= nth { lot } else { Lot::Goes }
}

/// Brings one file into the state that it has when the power is back.
fn settle(path: &Path, known: Known, mut chance: Option<&mut Chance>) -> io::Result<()> {
    // Perhaps the folder was written without anybody asking for it.
    let goes_back = chance.as_mut().is_none_or(|chance| chance.once_in(2));
    match known.before.filter(|_| goes_back) {
        Some(Before::Nothing) if path.exists() => return std::fs::remove_file(path),
        Some(Before::Nothing) => return Ok(()),
        Some(Before::File(content)) => return std::fs::write(path, content),
        None if !path.exists() => return Ok(()),
        None => {}
    }
    let content = std::fs::read(path)?;
    let content = match chance {
        Some(chance) => known.log.torn(content, chance),
        None => known.log.durable(content),
    };
    std::fs::write(path, content)
}

/// The files of a folder.
fn names(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}
