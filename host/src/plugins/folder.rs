//! The files of the plugins folder, and which of them changed.

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::trust::SIGNATURE;
use crate::event::is_name;

/// A plugin's file.
pub struct File {
    /// Its stem: the plugin's name.
    pub name: String,
    path: PathBuf,
}

/// What was read of a plugin's file.
pub struct Contents {
    /// All of it.
    pub bytes: Vec<u8>,
    /// The signature beside it, where there is one.
    pub signature: Option<String>,
}

/// The largest file of a signature that is read, in bytes.
const SIGNATURE_BYTES: u64 = 4096;

/// What a file looks like from outside. Where nothing of it changed, its bytes did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A file that was changed this recently may change again without looking different.
const FRESH: Duration = Duration::from_secs(2);

/// The folder, as it was when it was last looked at.
pub struct Folder {
    path: PathBuf,
    file_bytes: usize,
    read: HashMap<String, Stamps>,
}

/// What a plugin's file and its signature's look like.
type Stamps = (Stamp, Option<Stamp>);

impl Folder {
    pub fn new(path: PathBuf, file_bytes: usize) -> Folder {
        Folder { path, file_bytes, read: HashMap::new() }
    }

    /// Every `.wasm` file, in order of names.
    pub fn files(&mut self) -> std::io::Result<Vec<File>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let is_wasm = path.extension().is_some_and(|extension| extension == "wasm");
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            if let (true, Some(name)) = (is_wasm, stem) {
                files.push(File { name, path });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        self.read.retain(|name, _| files.iter().any(|file| file.name == *name));
        Ok(files)
    }

    /// Has a file read again, though it looks as it did.
    pub fn forget(&mut self, name: &str) {
        self.read.remove(name);
    }

    /// The bytes of a file that may have changed, read once and whole; nothing, where it looks as it did. The error is a
    /// sentence.
    pub fn changed(&mut self, file: &File) -> Result<Option<Contents>, String> {
        let Ok(before) = stamps(file) else { return Ok(None) };
        if self.read.get(&file.name) == Some(&before) {
            return Ok(None);
        }
        let fresh = is_fresh(&before.0) || before.1.as_ref().is_some_and(is_fresh);
        let read = self.read_whole(file);
        // A file that changes while it is read, or that could change unseen, or that could not be read, is read again next time.
        if !fresh && read.is_ok() && stamps(file).is_ok_and(|after| after == before) {
            self.read.insert(file.name.clone(), before);
        }
        read.map(Some)
    }

    fn read_whole(&self, file: &File) -> Result<Contents, String> {
        if !is_name(&file.name) {
            return Err("its name is none for a plugin: take lower-case letters, digits, - and _, at most 64".into());
        }
        // Asked before it is opened: opening a pipe would wait for who writes into it.
        if !std::fs::metadata(&file.path).is_ok_and(|meta| meta.is_file()) {
            return Err("it is not a file".into());
        }
        let open = std::fs::File::open(&file.path).map_err(|error| format!("cannot read its file: {error}"))?;
        let mut bytes = Vec::new();
        // One more than is allowed, so that too large a file is noticed without being read.
        let most = self.file_bytes as u64 + 1;
        open.take(most).read_to_end(&mut bytes).map_err(|error| format!("cannot read its file: {error}"))?;
        Ok(Contents { bytes, signature: signature(file) })
    }
}

fn signature(file: &File) -> Option<String> {
    let path = signature_path(file);
    if !std::fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(SIGNATURE_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

fn signature_path(file: &File) -> PathBuf {
    let mut path = file.path.clone().into_os_string();
    path.push(SIGNATURE);
    path.into()
}

fn stamps(file: &File) -> std::io::Result<Stamps> {
    Ok((stamp(&file.path)?, stamp(&signature_path(file)).ok()))
}

fn stamp(path: &PathBuf) -> std::io::Result<Stamp> {
    let meta = std::fs::metadata(path)?;
    Ok(Stamp {
        device: meta.dev(),
        inode: meta.ino(),
        bytes: meta.size(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

fn is_fresh(stamp: &Stamp) -> bool {
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(stamp.changed.0.max(0) as u64);
    // A time in the future is a clock that was set back: not to be trusted either.
    changed.elapsed().map_or(true, |age| age < FRESH)
}
