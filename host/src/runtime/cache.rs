//! Compiled code on disk, so that a start does not compile again. Only what this gateway wrote itself is ever read.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tempfile::TempDir;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

use super::Generation;

/// How much compiled code is kept; the oldest goes first.
const CACHE_BYTES: u64 = 1 << 30;

/// The folder in it for single functions.
const FUNCTIONS: &str = "functions";

/// A folder of compiled code that nobody else can write to.
pub(super) struct Cache {
    folder: PathBuf,
    /// Kept for as long as the cache is where nothing is to be kept for longer.
    _passing: Option<TempDir>,
}

impl Cache {
    /// Opens the folder, or makes it. Without one, and where others could write to it, the code is kept until the end of this
    /// process only.
    pub fn open(folder: Option<&Path>) -> std::io::Result<Cache> {
        if let Some(folder) = folder {
            match make_private(folder) {
                Ok(()) => return Ok(Cache { folder: folder.to_owned(), _passing: None }),
                Err(error) => tracing::warn!("compiled code is not kept in {}: {error}", folder.display()),
            }
        }
        let passing = tempfile::Builder::new().prefix("hookgate-").tempdir()?;
        make_private(passing.path())?;
        Ok(Cache { folder: passing.path().to_owned(), _passing: Some(passing) })
    }

    /// Where the functions are that compilers know.
    pub fn functions(&self) -> PathBuf {
        self.folder.join(FUNCTIONS)
    }

    /// The code that was compiled of these bytes before, if it was.
    pub fn find(&self, engine: &Engine, generation: Generation) -> Option<Compiled> {
        let file = self.file(engine, generation);
        if !file.exists() {
            return None;
        }
        let told = |error: &wasmtime::Error| {
            tracing::warn!("compiled code in {} cannot be used, so it is made again: {error:#}", file.display());
        };
        trusted(engine, Code::File(&file)).inspect_err(told).ok()
    }

    /// Keeps compiled code, and gives it as code that can run. Where it cannot be kept, it runs all the same.
    pub fn keep(&self, engine: &Engine, generation: Generation, compiled: &[u8]) -> wasmtime::Result<Compiled> {
        let file = self.file(engine, generation);
        match self.write(&file, compiled) {
            Ok(()) => trusted(engine, Code::File(&file)),
            Err(error) => {
                tracing::warn!("cannot keep compiled code in {}: {error}", file.display());
                trusted(engine, Code::Bytes(compiled))
            }
        }
    }

    fn file(&self, engine: &Engine, generation: Generation) -> PathBuf {
        self.folder.join(format!("{}-{:016x}.cwasm", hex::encode(generation.0), engine_hash(engine)))
    }

    /// Whole and on disk before it has its name: half a file would be code too.
    fn write(&self, file: &Path, compiled: &[u8]) -> std::io::Result<()> {
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
                let meta = entry.metadata().ok().filter(|meta| meta.is_file())?;
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

/// Makes the folder and the one in it, if they are not there, and makes sure that they are ours alone.
fn make_private(folder: &Path) -> std::io::Result<()> {
    for folder in [folder.to_owned(), folder.join(FUNCTIONS)] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let meta = std::fs::metadata(&folder)?;
        let ours = meta.uid() == rustix::process::geteuid().as_raw();
        if !ours || meta.mode() & 0o022 != 0 {
            return Err(std::io::Error::other("it can be written by others: chmod 700 it"));
        }
    }
    Ok(())
}

/// What compiled code depends on beside the file: the engine, and how a component is made of a module.
fn engine_hash(engine: &Engine) -> u64 {
    let mut hash = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), include_str!("wasm.rs"), super::wasm::WIT).hash(&mut hash);
    engine.precompile_compatibility_hash().hash(&mut hash);
    hash.finish()
}

/// Compiled code that can be instantiated.
pub(super) enum Compiled {
    /// A component.
    Component(Component),
    /// A program over WASI preview 1.
    Program(Module),
}

/// Where code is that was compiled by this gateway.
enum Code<'a> {
    /// In a file of the cache, to be mapped.
    File(&'a Path),
    /// Fresh from a compiler.
    Bytes(&'a [u8]),
}

/// Makes compiled code callable.
#[allow(unsafe_code)]
fn trusted(engine: &Engine, code: Code) -> wasmtime::Result<Compiled> {
    let kind = match code {
        Code::File(file) => Engine::detect_precompiled_file(file)?,
        Code::Bytes(bytes) => Engine::detect_precompiled(bytes),
    };
    // SAFETY: the bytes are native code that will run unchecked, so they must be what a compiler of this gateway made. They come
    // through the pipe of one that this process started, or from a file that was written so: the folder is ours alone
    // (`make_private`), a file gets its name only when it is whole and on disk (`write`), and nothing writes to it
    // afterwards. The engine itself refuses code of another version or configuration.
    unsafe {
        match (code, kind) {
            (Code::File(file), Some(Precompiled::Module)) => {
                Module::deserialize_file(engine, file).map(Compiled::Program)
            }
            (Code::Bytes(bytes), Some(Precompiled::Module)) => {
                Module::deserialize(engine, bytes).map(Compiled::Program)
            }
            (Code::File(file), _) => Component::deserialize_file(engine, file).map(Compiled::Component),
            (Code::Bytes(bytes), _) => Component::deserialize(engine, bytes).map(Compiled::Component),
        }
    }
}
