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
mod http;
mod lines;
mod load;
mod manifest;
mod powers;
mod respond;
mod threads;
mod warm;
mod wasi_http;
mod wasm;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::effects::depth;
use crate::event::Event;
use crate::pace::Lately;

pub use call::{Called, Cost};
pub use compile::{CompileLimits, Compiler, Job, Priority, WORKER, work};

pub use lines::{Level, Line, acts};
pub use load::{Loaded, Refused};
pub use manifest::{HostAsk, Manifest, SettingAsk, SettingType, Want};
pub use powers::Powers;
pub use respond::Answer;

use cache::Cache;
use guest::Guest;
use load::Code;
use powers::Draft;
use threads::Threads;
use warm::{Idle, Warm};

mod bindings {
    #![allow(missing_docs, unused_qualifications, clippy::all)]
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "plugin",
        imports: { "hookgate:plugin/random.bytes": trappable, "hookgate:plugin/http.send": async },
        exports: { default: async },
    });
}

/// The same for plugins that answer senders too.
mod responding {
    #![allow(missing_docs, unused_qualifications, clippy::all)]
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "responding-plugin",
        exports: { default: async },
        with: {
            "hookgate:plugin/log": super::bindings::hookgate::plugin::log,
            "hookgate:plugin/settings": super::bindings::hookgate::plugin::settings,
            "hookgate:plugin/clock": super::bindings::hookgate::plugin::clock,
            "hookgate:plugin/random": super::bindings::hookgate::plugin::random,
            "hookgate:plugin/errors": super::bindings::hookgate::plugin::errors,
            "hookgate:plugin/state": super::bindings::hookgate::plugin::state,
            "hookgate:plugin/http": super::bindings::hookgate::plugin::http,
            "hookgate:plugin/events": super::bindings::hookgate::plugin::events,
        },
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

impl Plugin {
    /// Whether it is a program with a `main`, which serves one call an instance whatever the config says.
    pub fn is_command(&self) -> bool {
        matches!(self.code, Code::Command(_))
    }

    /// Whether it can answer senders.
    pub fn answers(&self) -> bool {
        matches!(self.code, Code::Responder(..))
    }

    /// Whether it may remember, so that its calls have to do with each other.
    pub fn remembers(&self) -> bool {
        self.powers.state.is_some()
    }

    /// The beginning of a call with an event.
    fn draft(&self, event: &Event) -> Draft {
        Draft::new(&self.name, event.id.to_string(), depth(&event.attributes))
    }
}

/// A plugin that can be called: code, what it was granted, its limits.
pub struct Plugin {
    /// The file's stem: its name everywhere.
    pub name: Arc<str>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Which code it is.
    pub generation: Generation,
    limits: CallLimits,
    powers: Arc<Powers>,
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
    /// What a plugin may do while it describes itself.
    powerless: Arc<Powers>,
    /// Turns to compile, of small files and of large ones: each takes a core and memory, and none that is quick waits for a slow one.
    compiling: [Semaphore; 2],
    /// A pool that is empty is an error and not a wait, so the wait is here.
    instances: Arc<Semaphore>,
    /// Where each call begins.
    threads: Threads,
    /// Where answers begin, so that a sender who waits for one does not wait for calls.
    answer_threads: Threads,
    /// Where a call goes on that computes for long: it gets the time that nobody else wants, and holds up no short one.
    idle_threads: Threads,
    /// When somebody came whom compilers make way for.
    traffic: Lately,
}

impl Runtime {
    /// Starts an engine and its threads.
    pub fn new(limits: EngineLimits) -> anyhow::Result<Arc<Runtime>> {
        let engine = engine::start(&limits)?;
        let (linker, programs) = (guest::linker(&engine)?, guest::linker_for_programs(&engine)?);
        let instances = Arc::new(Semaphore::new(limits.instances));
        let threads = Threads::start("guest", threads::behind_ingress)?;
        let answer_threads = Threads::start("answer", || ())?;
        let idle_threads = Threads::start("guest-idle", threads::only_when_idle)?;
        let cache = Arc::new(Cache::open(limits.cache_folder.as_deref())?);
        let idle = Arc::default();
        let powerless = Arc::new(Powers::only_settings("", BTreeMap::new()));
        let compiling = [(); 2].map(|()| Semaphore::new(threads::cores()));
        Ok(Arc::new(Runtime {
            engine,
            linker,
            programs,
            limits,
            cache,
            idle,
            powerless,
            compiling,
            instances,
            threads,
            answer_threads,
            idle_threads,
            traffic: Lately::default(),
        }))
    }

    /// To be noted when somebody comes whom compilers make way for.
    pub fn traffic(&self) -> &Lately {
        &self.traffic
    }

    /// The threads that answers begin on: as soon as those of the ingress.
    pub fn answer_threads(&self) -> &tokio::runtime::Handle {
        self.answer_threads.handle()
    }

    /// The threads that calls begin on.
    pub fn threads(&self) -> &tokio::runtime::Handle {
        self.threads.handle()
    }
}
