//! Where the queue is: the folder, whose it is, and whether what is written to is still what it has under those names.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

/// The files of the engine, by their names and by what they were when it opened them.
pub(super) struct Place(Vec<(PathBuf, Inode)>);

/// The numbers of the file system and of the file in it.
type Inode = (u64, u64);

impl Place {
    /// Where a file is, and its log beside it.
    pub fn of(file: &Path) -> Place {
        let log = file.with_extension("db-wal");
        let there = [file.to_owned(), log].into_iter().filter_map(|path| Some((inode(&path)?, path)));
        Place(there.map(|(inode, path)| (path, inode)).collect())
    }

    /// The first file that is not there any more, or is another one.
    pub fn gone(&self) -> Option<&Path> {
        self.0.iter().find(|(path, known)| inode(path) != Some(*known)).map(|(path, _)| &**path)
    }
}

fn inode(path: &Path) -> Option<Inode> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// What says to the next start that the disk failed under this one, beside a queue's file.
pub(super) fn marker(file: &Path) -> PathBuf {
    file.with_file_name("failed")
}

/// How long a folder may still be somebody else's.
const ENDING: Duration = Duration::from_secs(1);

/// One process owns the folder.
pub(super) fn lock(folder: &Path) -> anyhow::Result<std::fs::File> {
    make(folder).with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    let path = folder.join("lock");
    let options = std::fs::OpenOptions::new().create(true).truncate(false).write(true).clone();
    let file = options.open(&path).with_context(|| format!("cannot write to the data folder {}", folder.display()))?;
    let until = Instant::now() + ENDING;
    let mut locked = file.try_lock();
    // One that is just ending holds it for a moment, and so does a process between its fork and its exec.
    while matches!(locked, Err(std::fs::TryLockError::WouldBlock)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => anyhow::bail!(
            "another gateway is using the data folder {}: stop it, or give this one a folder of its own (data_dir)",
            folder.display()
        ),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Makes the folder where it is missing. What stands above it is synced then: the engine syncs the entries in its own folder, and nobody
/// those of the folders that were made for it.
fn make(folder: &Path) -> std::io::Result<()> {
    let folder = std::path::absolute(folder)?;
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    // Payloads are nobody else's business.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let mut above = missing.iter().filter_map(|made| made.parent());
    above.try_for_each(|above| std::fs::File::open(above)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_or_replaced_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let [file, log] = ["t.db", "t.db-wal"].map(|name| folder.path().join(name));
        std::fs::write(&file, "1").unwrap();
        std::fs::write(&log, "1").unwrap();
        let place = Place::of(&file);
        assert_eq!(place.gone(), None);
        std::fs::rename(&log, folder.path().join("elsewhere")).unwrap();
        assert_eq!(place.gone(), Some(&*log));
        std::fs::write(&log, "1").unwrap();
        assert_eq!(place.gone(), Some(&*log));
        assert_eq!(Place::of(&file).gone(), None);
    }
}
