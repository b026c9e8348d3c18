//! What a guest may touch: its log, its settings, a clock, randomness, its powers, and WASI with empty hands.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, ResourceLimiter};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::CallLimits;
use super::bindings::hookgate::plugin::{clock, log, random, settings};
use super::engine::{CORE_INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};
use super::lines::{Level, Lines, Log, OnLine, Output, Program, locked};
use super::powers::{self, Draft, Powers};
use super::wasi_http::WasiHttp;
use crate::event::wall_ms;

/// The most random bytes in one call, as the contract says.
const RANDOM_BYTES: u32 = 4096;

/// The same asked of WASI, where more is a trap: what languages' own libraries ask for at once.
const WASI_RANDOM_BYTES: u64 = 64 << 10;

/// How many things of the host's a guest may hold.
const HOST_RESOURCES: usize = 1000;

/// What belongs to one call.
pub(super) struct Guest {
    pub limiter: Limiter,
    log: Arc<Mutex<Log>>,
    pub powers: Arc<Powers>,
    /// What the call did that outlives it, if it ends well.
    pub draft: Draft,
    pub wasi_http: WasiHttp,
    /// What a command begins with; nothing for others.
    program: Option<Program>,
    /// Standard output and error, once they are there.
    lines: Vec<Arc<Lines>>,
    /// Made when it is asked for: most plugins never ask.
    wasi: Option<WasiCtx>,
    /// The same for a program over preview 1.
    preview1: Option<WasiP1Ctx>,
    pub table: ResourceTable,
}

impl Guest {
    pub fn new(limits: &CallLimits, powers: Arc<Powers>, seen: Arc<Memory>) -> Guest {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HOST_RESOURCES);
        Guest {
            limiter: Limiter { most_bytes: limits.memory_bytes, bytes: 0, elements: 0, seen },
            log: Arc::default(),
            wasi_http: WasiHttp::new(powers.hosts.clone()),
            powers,
            draft: Draft::default(),
            program: None,
            lines: Vec::new(),
            wasi: None,
            preview1: None,
            table,
        }
    }

    /// A guest that is a program.
    pub fn running(mut self, program: Program) -> Guest {
        self.program = Some(program);
        self
    }

    /// Begins a call, with a log of its own, on behalf of an event.
    pub fn begin(&mut self, log_bytes: usize, on_line: OnLine, draft: Draft) {
        self.wasi_http.way.begin(draft.event());
        self.draft = draft;
        *locked(&self.log) = Log::new(log_bytes, on_line);
        self.limiter.begin();
    }

    /// Ends a call: a line that it began is its own, and not the next one's.
    pub fn end(&mut self) {
        self.draft = Draft::default();
        self.lines.iter().for_each(|lines| lines.end());
    }

    /// Where its lines go, for whoever stays when it is gone.
    pub fn log(&self) -> Arc<Mutex<Log>> {
        self.log.clone()
    }
}

/// Everything that a guest can import, linked once.
pub(super) fn linker(engine: &Engine) -> anyhow::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    super::bindings::Plugin::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)
        .map_err(anyhow::Error::from)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(anyhow::Error::from)?;
    powers::add_wasi_http(&mut linker)?;
    Ok(linker)
}

/// Everything that a program over WASI preview 1 can import.
pub(super) fn linker_for_programs(engine: &Engine) -> anyhow::Result<wasmtime::Linker<Guest>> {
    let mut linker = wasmtime::Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, Guest::preview1).map_err(anyhow::Error::from)?;
    Ok(linker)
}

impl log::Host for Guest {
    fn log(&mut self, level: Level, message: String) {
        locked(&self.log).write(level, &message);
    }
}

impl settings::Host for Guest {
    fn get(&mut self, key: String) -> Option<String> {
        self.powers.settings.get(&key).cloned()
    }
}

impl clock::Host for Guest {
    fn now_ms(&mut self) -> u64 {
        wall_ms()
    }
}

impl random::Host for Guest {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = vec![0; length.min(RANDOM_BYTES) as usize];
        // Without randomness an end: zeros would be taken for it.
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(format!("no randomness: {error}")))?;
        Ok(bytes)
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (log, program, lines) = (&self.log, &mut self.program, &mut self.lines);
        let ctx = self.wasi.get_or_insert_with(|| empty_hands(log, program.take(), lines).build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl Guest {
    fn preview1(&mut self) -> &mut WasiP1Ctx {
        let (log, program, lines) = (&self.log, &mut self.program, &mut self.lines);
        self.preview1.get_or_insert_with(|| empty_hands(log, program.take(), lines).build_p1())
    }
}

/// No files, no environment, no sockets, no names: that is what an untouched builder gives.
fn empty_hands(log: &Arc<Mutex<Log>>, program: Option<Program>, lines: &mut Vec<Arc<Lines>>) -> WasiCtxBuilder {
    let mut wasi = WasiCtx::builder();
    wasi.max_random_size(WASI_RANDOM_BYTES).allow_tcp(false).allow_udp(false);
    lines.extend(match program {
        Some(program) => program.set_up(&mut wasi, log),
        None => {
            let both = [Lines::new(log, Level::Info), Lines::new(log, Level::Warn)];
            wasi.stdout(Output(both[0].clone())).stderr(Output(both[1].clone()));
            both
        }
    });
    wasi
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is known of a call's memory while it runs and after.
#[derive(Default)]
pub(super) struct Memory {
    /// The most that there was, in bytes.
    pub peak: AtomicUsize,
    /// Whether it asked for more than it may have.
    pub refused: AtomicBool,
}

/// Lets memories grow to a limit, all of them together, and tables too.
pub(super) struct Limiter {
    most_bytes: usize,
    bytes: usize,
    elements: usize,
    seen: Arc<Memory>,
}

impl Limiter {
    /// Begins a call: what there is already counts.
    fn begin(&self) {
        self.seen.peak.store(self.bytes, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.bytes - current.min(self.bytes) + desired;
        let within_its_own = maximum.is_none_or(|most| desired <= most);
        if total > self.most_bytes {
            // An end rather than a failed grow: what a guest does without the memory that it needs, nobody wants to know.
            self.seen.refused.store(true, Ordering::Relaxed);
            return Err(wasmtime::Error::msg("more memory than memory_mib allows"));
        }
        if within_its_own {
            self.bytes = total;
            self.seen.peak.fetch_max(total, Ordering::Relaxed);
        }
        Ok(within_its_own)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.elements - current.min(self.elements) + desired;
        if total > TABLE_ELEMENTS * TABLES {
            return Err(wasmtime::Error::msg(format!("tables of more than {TABLE_ELEMENTS} elements each")));
        }
        self.elements = total;
        Ok(maximum.is_none_or(|most| desired <= most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_count_together() {
        let seen = Arc::new(Memory::default());
        let mut limiter = Limiter { most_bytes: 100, bytes: 0, elements: 0, seen: seen.clone() };
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(limiter.memory_growing(40, 41, None).is_err());
        assert!(seen.refused.load(Ordering::Relaxed));
        assert_eq!(seen.peak.load(Ordering::Relaxed), 100);
    }
}
