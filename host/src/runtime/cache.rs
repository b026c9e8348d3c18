//! Compiled code on disk, so that a start does not compile again. Only what this gateway wrote itself is ever read.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::Generation;

/// How much compiled code is kept; the oldest goes first.
const CACHE_BYTES: u64 = 1 << 30;

/// A folder of compiled code that nobody else can write to.
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens the folder, or makes it. Nothing, with a warning, where others could write to it.
    pub fn open(folder: &Path) -> Option<Cache> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let private = made.and_then(|()| std::fs::metadata(folder)).map(|meta| is_private(&meta));
        match private {
            Ok(true) => Some(Cache { folder: folder.to_owned() }),
            Ok(false) => {
                tracing::warn!(
                    "{} can be written by others, so no compiled code is kept: chmod 700 it",
                    folder.display()
                );
                None
            }
            Err(error) => {
                tracing::warn!("cannot keep compiled code in {}: {error}", folder.display());
                None
            }
        }
    }

    /// The code of these bytes: from disk, or compiled now and kept.
    pub fn component(&self, engine: &Engine, generation: Generation, bytes: &[u8]) -> wasmtime::Result<Component> {
        let file = self.folder.join(format!("{}-{:016x}.cwasm", hex::encode(generation.0), engine_hash(engine)));
        if file.exists() {
            match read(engine, &file) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!("compiled code in {} cannot be used, so it is made again: {error:#}", file.display())
                }
            }
        }
        let component = Component::from_binary(engine, bytes)?;
        let compiled = component.serialize()?;
        if let Err(error) = self.keep(&file, &compiled) {
            tracing::warn!("cannot keep compiled code in {}: {error}", file.display());
        }
        Ok(component)
    }

    /// Whole and on disk before it has its name: half a file would be code too.
    fn keep(&self, file: &Path, compiled: &[u8]) -> std::io::Result<()> {
        // A name that nobody else writes to: equal plugins may be compiled at the same time.
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let nth = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = file.with_extension(format!("draft-{}-{nth}", std::process::id()));
        let written = write_whole(&draft, compiled).and_then(|()| std::fs::rename(&draft, file));
        if written.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
        written.and_then(|()| self.thin_out())
    }

    fn thin_out(&self) -> std::io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = std::fs::read_dir(&self.folder)?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let meta = entry.metadata().ok()?;
                Some((meta.modified().ok()?, meta.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if total <= CACHE_BYTES {
                break;
            }
            std::fs::remove_file(path)?;
            total -= bytes;
        }
        Ok(())
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn is_private(meta: &std::fs::Metadata) -> bool {
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    ours && meta.mode() & 0o022 == 0
}

fn engine_hash(engine: &Engine) -> u64 {
    let mut hash = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hash);
    hash.finish()
}

/// Maps compiled code.
#[allow(unsafe_code)]
fn read(engine: &Engine, file: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are native code that will run unchecked, so they must be what `serialize` made. The folder is
    // ours alone (`is_private`), a file gets its name only when it is whole and on disk (`keep`), and nothing writes to
    // it afterwards; the engine itself refuses code of another version or configuration.
    unsafe { Component::deserialize_file(engine, file) }
}
