//! How a stranger's code runs safely: from the bytes of a file to the outcome of a call.
//!
//! Nothing here knows what a queue is. [`Runtime::load`] makes a plugin of bytes, from the cheapest check to the dearest;
//! [`Runtime::call`] runs one event through a fresh instance, under limits, on threads of lower priority.

mod cache;
mod call;
mod command;
mod compile;
mod engine;
mod functions;
mod guest;
mod lines;
mod load;
mod threads;
mod warm;
mod wasm;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::event::Pattern;

pub use call::{Called, Cost};
pub use compile::{CompileLimits, Compiler, Job, WORKER, work};

pub use lines::{Level, Line};
pub use load::{Loaded, Refused};

use cache::Cache;
use guest::Guest;
use load::Code;
use threads::Threads;
use warm::{Idle, Warm};

mod bindings {
    #![allow(missing_docs, unused_qualifications, clippy::all)]
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "plugin",
        imports: { "hookgate:plugin/random.bytes": trappable },
        exports: { default: async },
    });
}

/// What one call may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimits {
    /// The wall clock of one attempt (`call_ms`).
    pub wall: Duration,
    /// Of it, computing (`cpu_ms`).
    pub cpu: Duration,
    /// Of linear memory, all memories of the instance together (`memory_mib`).
    pub memory_bytes: usize,
    /// Of log lines, standard output and error included (`log_bytes`).
    pub log_bytes: usize,
}

/// What the engine is sized for.
#[derive(Debug, Clone)]
pub struct EngineLimits {
    /// The largest `memory_bytes` of any plugin.
    pub memory_bytes: usize,
    /// The most instances at a time, all plugins together.
    pub instances: usize,
    /// The largest file that is loaded.
    pub plugin_bytes: usize,
    /// Where compiled code is kept; without it, until the end of this process.
    pub cache_folder: Option<PathBuf>,
    /// Who compiles.
    pub compiler: Compiler,
    /// What compiling one plugin may take, where a child process does it.
    pub compile: CompileLimits,
}

/// What a plugin says of itself, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its own name for itself.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Which events it wants.
    pub subscriptions: Vec<Pattern>,
    /// The settings that it asks for.
    pub settings: Vec<SettingAsk>,
}

/// A setting that a plugin asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingAsk {
    /// The key under `[plugins.<name>] settings`.
    pub key: String,
    /// A sentence for the operator.
    pub about: String,
    /// What is used where the operator says nothing; without it, the operator must.
    pub default: Option<String>,
}

impl Plugin {
    /// Whether it is a program with a `main`, which serves one call an instance whatever the config says.
    pub fn is_command(&self) -> bool {
        matches!(self.code, Code::Command(_))
    }
}

/// A plugin that can be called: code, the settings that it was granted, its limits.
pub struct Plugin {
    /// The file's stem: its name everywhere.
    pub name: Arc<str>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Which code it is.
    pub generation: Generation,
    limits: CallLimits,
    settings: Arc<BTreeMap<String, String>>,
    code: Code,
    warm: Warm,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({} {})", self.name, self.generation)
    }
}

/// The SHA-256 of a plugin's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(pub [u8; 32]);

impl Generation {
    /// The generation of a file's bytes.
    pub fn of(bytes: &[u8]) -> Generation {
        use sha2::Digest;
        Generation(sha2::Sha256::digest(bytes).into())
    }

    /// Its first 64 bits, for where a number must do.
    pub fn short(&self) -> u64 {
        self.0.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0[..6]))
    }
}

/// The engine, what it offers to guests, and the threads that they run on.
pub struct Runtime {
    engine: Engine,
    linker: Linker<Guest>,
    /// What programs over WASI preview 1 can import.
    programs: wasmtime::Linker<Guest>,
    limits: EngineLimits,
    cache: Arc<Cache>,
    idle: Arc<Idle>,
    /// Turns to compile, of small files and of large ones: each takes a core and memory, and none that is quick waits for a slow one.
    compiling: [Semaphore; 2],
    /// A pool that is empty is an error and not a wait, so the wait is here.
    instances: Arc<Semaphore>,
    /// Where each call begins.
    threads: Threads,
    /// Where a call goes on that computes for long: it gets the time that nobody else wants, and holds up no short one.
    idle_threads: Threads,
}

impl Runtime {
    /// Starts an engine and its threads.
    pub fn new(limits: EngineLimits) -> anyhow::Result<Arc<Runtime>> {
        let engine = engine::start(&limits)?;
        let (linker, programs) = (guest::linker(&engine)?, guest::linker_for_programs(&engine)?);
        let instances = Arc::new(Semaphore::new(limits.instances));
        let threads = Threads::start("guest", threads::behind_ingress)?;
        let idle_threads = Threads::start("guest-idle", threads::only_when_idle)?;
        let cache = Arc::new(Cache::open(limits.cache_folder.as_deref())?);
        let idle = Arc::default();
        let compiling = [(); 2].map(|()| Semaphore::new(threads::cores()));
        Ok(Arc::new(Runtime {
            engine,
            linker,
            programs,
            limits,
            cache,
            idle,
            compiling,
            instances,
            threads,
            idle_threads,
        }))
    }

    /// The threads that calls begin on.
    pub fn threads(&self) -> &tokio::runtime::Handle {
        self.threads.handle()
    }
}
