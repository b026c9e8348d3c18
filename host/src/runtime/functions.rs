//! Compiled functions on disk, so that a plugin of which little changed is compiled in little time.
//!
//! A script's component holds the whole interpreter, which is the same in each version. What a compile had to make anew is
//! kept in a pack: a file that is written once and never again. The packs that were of use last stay.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use wasmtime::CacheStore;

/// How much is kept, in bytes and in packs; what was of no use for the longest time goes first.
const KEPT_BYTES: u64 = 256 << 20;
const KEPT_PACKS: usize = 64;

/// New functions of fewer bytes than this are quicker compiled again than found among many packs.
const PACK_BYTES: usize = 256 << 10;

/// What a pack begins with; then the checksum of the rest, then key and value in turn, each behind its length.
const MAGIC: &[u8; 8] = b"hgpack1\n";
const HEAD_BYTES: usize = MAGIC.len() + 4;

const DRAFT: &str = "draft-";

/// The functions that are known while one compiler runs. Opens all its files at once: the compiler may open none later.
#[derive(Debug)]
pub(super) struct Functions {
    packs: Vec<Pack>,
    known: HashMap<Box<[u8]>, (usize, Range<usize>)>,
    draft: File,
    made: Mutex<Made>,
}

#[derive(Debug)]
struct Pack {
    file: File,
    bytes: Vec<u8>,
}

/// What a compile found and made.
#[derive(Debug, Default)]
struct Made {
    used: Vec<bool>,
    fresh: Vec<u8>,
}

impl Functions {
    /// Reads the packs of a folder. `process` is the number of the process that compiles.
    pub fn open(folder: &Path, process: u32) -> std::io::Result<Arc<Functions>> {
        let draft = File::create(folder.join(draft_name(process)))?;
        let read = |(.., path): &(SystemTime, u64, PathBuf)| {
            // A damaged one is of no use to anybody.
            Pack::read(path).inspect_err(|_| drop(std::fs::remove_file(path))).ok()
        };
        let packs: Vec<Pack> = packs(folder)?.iter().filter_map(read).collect();
        let mut known = HashMap::new();
        for (nth, pack) in packs.iter().enumerate() {
            for (key, value) in pack.entries() {
                known.insert(pack.bytes[key].into(), (nth, value));
            }
        }
        let made = Mutex::new(Made { used: vec![false; packs.len()], fresh: Vec::new() });
        Ok(Arc::new(Functions { packs, known, draft, made }))
    }

    /// How much memory the packs take.
    pub fn held_bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.bytes.len() as u64).sum()
    }

    /// Writes down what was made anew, if it is much, and which packs were of use. What cannot be written whole is not there.
    pub fn keep(&self) -> std::io::Result<()> {
        self.write().inspect_err(|_| drop(self.draft.set_len(0)))
    }

    fn write(&self) -> std::io::Result<()> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        for (pack, _) in self.packs.iter().zip(&made.used).filter(|(_, used)| **used) {
            pack.file.set_modified(SystemTime::now())?;
        }
        if made.fresh.len() < PACK_BYTES {
            return Ok(());
        }
        let mut draft = &self.draft;
        draft.write_all(MAGIC)?;
        draft.write_all(&crc32c::crc32c(&made.fresh).to_le_bytes())?;
        draft.write_all(&made.fresh)?;
        draft.sync_all()
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let (nth, value) = self.known.get(key)?;
        let pack = self.packs.get(*nth)?;
        if let Some(used) = self.made.lock().unwrap_or_else(PoisonError::into_inner).used.get_mut(*nth) {
            *used = true;
        }
        Some(Cow::Borrowed(&pack.bytes[value.clone()]))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let fresh = &mut self.made.lock().unwrap_or_else(PoisonError::into_inner).fresh;
        let fits = (fresh.len() + key.len() + value.len()) as u64 <= KEPT_BYTES / 2;
        if fits {
            for part in [key, &value] {
                fresh.extend_from_slice(&(part.len() as u32).to_le_bytes());
                fresh.extend_from_slice(part);
            }
        }
        fits
    }
}

impl Pack {
    fn read(path: &Path) -> std::io::Result<Pack> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let sum = bytes.get(MAGIC.len()..HEAD_BYTES).and_then(|sum| sum.try_into().ok()).map(u32::from_le_bytes);
        if !bytes.starts_with(MAGIC) || sum != bytes.get(HEAD_BYTES..).map(crc32c::crc32c) {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        Ok(Pack { file, bytes })
    }

    /// Where each key and its value are.
    fn entries(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let mut at = HEAD_BYTES;
        std::iter::from_fn(move || {
            let key = part(&self.bytes, at)?;
            let value = part(&self.bytes, key.end)?;
            at = value.end;
            Some((key, value))
        })
    }
}

/// Where the part is whose length stands here.
fn part(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let len = bytes.get(at..at + 4)?.try_into().map(u32::from_le_bytes).ok()? as usize;
    let start = at + 4;
    bytes.get(start..start.checked_add(len)?).map(|_| start..start + len)
}

fn draft_name(process: u32) -> String {
    format!("{DRAFT}{process}")
}

/// Ends what a compiler's process began: its draft becomes a pack if it `succeeded` and wrote one, and the oldest packs go.
pub(super) fn adopt(folder: &Path, process: u32, succeeded: bool) -> std::io::Result<()> {
    let draft = folder.join(draft_name(process));
    let written = succeeded && std::fs::metadata(&draft)?.len() > 0;
    if !written {
        return std::fs::remove_file(&draft);
    }
    let unique = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    std::fs::rename(&draft, folder.join(format!("{unique:x}-{process}.pack")))?;
    thin_out(folder)
}

/// A compiler that was ended leaves its draft behind; none runs for this long.
const DRAFT_LIVES: Duration = Duration::from_secs(3600);

fn thin_out(folder: &Path) -> std::io::Result<()> {
    let old = |age: SystemTime| age.elapsed().is_ok_and(|age| age > DRAFT_LIVES);
    for (modified, _, path) in files(folder, |name| name.starts_with(DRAFT))? {
        if old(modified) {
            std::fs::remove_file(path)?;
        }
    }
    let mut left = KEPT_BYTES;
    for (nth, (_, bytes, path)) in packs(folder)?.into_iter().enumerate() {
        if nth >= KEPT_PACKS || bytes > left {
            std::fs::remove_file(path)?;
        } else {
            left -= bytes;
        }
    }
    Ok(())
}

/// The packs of a folder with their sizes, the one that was of use last first.
fn packs(folder: &Path) -> std::io::Result<Vec<(SystemTime, u64, PathBuf)>> {
    let mut packs = files(folder, |name| name.ends_with(".pack"))?;
    packs.sort_by(|a, b| b.cmp(a));
    Ok(packs)
}

/// When each of these files was changed, its size and its path.
fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> std::io::Result<Vec<(SystemTime, u64, PathBuf)>> {
    let entries = std::fs::read_dir(folder)?.filter_map(Result::ok);
    let files = entries.filter(|entry| wanted(&entry.file_name().to_string_lossy())).filter_map(|entry| {
        let meta = entry.metadata().ok()?;
        Some((meta.modified().ok()?, meta.len(), entry.path()))
    });
    Ok(files.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(folder: &Path, process: u32, functions: &[(&str, usize)]) -> usize {
        let known = Functions::open(folder, process).unwrap();
        let mut found = 0;
        for (key, bytes) in functions {
            match known.get(key.as_bytes()) {
                Some(value) => {
                    assert_eq!(value.len(), *bytes);
                    found += 1;
                }
                None => assert!(known.insert(key.as_bytes(), vec![7; *bytes])),
            }
        }
        known.keep().unwrap();
        adopt(folder, process, true).unwrap();
        found
    }

    #[test]
    fn what_was_made_once_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let engine = [("a", PACK_BYTES), ("b", 10), ("empty", 0)];
        assert_eq!(compile(folder.path(), 1, &engine), 0);
        assert_eq!(compile(folder.path(), 2, &engine), 3);
        assert_eq!(compile(folder.path(), 3, &[("a", PACK_BYTES), ("c", 10)]), 1);
        // The last had little that was new, so nothing was written.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_pack_is_none_and_a_failed_compile_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(compile(folder.path(), 1, &[("a", PACK_BYTES)]), 0);
        let (.., pack) = packs(folder.path()).unwrap().remove(0);
        let mut bytes = std::fs::read(&pack).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&pack, bytes).unwrap();
        let known = Functions::open(folder.path(), 2).unwrap();
        assert!(known.get(b"a").is_none());
        known.insert(b"a", vec![0; PACK_BYTES]);
        known.keep().unwrap();
        adopt(folder.path(), 2, false).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn packs_are_bounded_and_those_of_use_stay() {
        let folder = tempfile::tempdir().unwrap();
        compile(folder.path(), 0, &[("engine", PACK_BYTES)]);
        for nth in 1..KEPT_PACKS as u32 + 10 {
            let script = format!("script-{nth}");
            assert_eq!(compile(folder.path(), nth, &[("engine", PACK_BYTES), (&script, PACK_BYTES)]), 1);
        }
        assert_eq!(packs(folder.path()).unwrap().len(), KEPT_PACKS);
    }
}
