//! What a guest may touch: its log, its settings, a clock, randomness, and WASI with empty hands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, ResourceLimiter};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::CallLimits;
use super::bindings::hookgate::plugin::{clock, log, random, settings};
use super::engine::{CORE_INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};
use crate::event::now_ms;

pub use super::bindings::hookgate::plugin::log::Level;

/// The longest log message, in bytes.
const LINE_BYTES: usize = 8 << 10;

/// What a line counts for beside its text, so that empty ones are not for free.
const LINE_COSTS: usize = 64;

/// The most random bytes in one call, as the contract says.
const RANDOM_BYTES: u32 = 4096;

/// The same asked of WASI, where more is a trap: what languages' own libraries ask for at once.
const WASI_RANDOM_BYTES: u64 = 64 << 10;

/// How many things of the host's a guest may hold.
const HOST_RESOURCES: usize = 1000;

/// A line of a plugin's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How grave.
    pub level: Level,
    /// What it says: one line, without control characters.
    pub message: String,
}

/// Takes each line as it is written.
pub(super) type OnLine = Arc<dyn Fn(&Line) + Send + Sync>;

/// What belongs to one call.
pub(super) struct Guest {
    pub limiter: Limiter,
    log: Arc<Mutex<Log>>,
    settings: Arc<BTreeMap<String, String>>,
    /// What a command begins with; nothing for others.
    program: Option<Program>,
    /// Made when it is asked for: most plugins never ask.
    wasi: Option<WasiCtx>,
    /// The same for a program over preview 1.
    preview1: Option<WasiP1Ctx>,
    table: ResourceTable,
}

impl Guest {
    pub fn new(limits: &CallLimits, settings: Arc<BTreeMap<String, String>>, seen: Arc<Memory>) -> Guest {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HOST_RESOURCES);
        Guest {
            limiter: Limiter { most_bytes: limits.memory_bytes, bytes: 0, elements: 0, seen },
            log: Arc::default(),
            settings,
            program: None,
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

    /// Begins a call, with a log of its own.
    pub fn begin(&mut self, log_bytes: usize, on_line: OnLine) {
        *locked(&self.log) = Log { left_bytes: log_bytes, cut: false, lines: Vec::new(), on_line: Some(on_line) };
        self.limiter.begin();
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
        self.settings.get(&key).cloned()
    }
}

impl clock::Host for Guest {
    fn now_ms(&mut self) -> u64 {
        now_ms()
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
        let (log, program) = (&self.log, &mut self.program);
        let ctx = self.wasi.get_or_insert_with(|| empty_hands(log, program.take()).build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl Guest {
    fn preview1(&mut self) -> &mut WasiP1Ctx {
        let (log, program) = (&self.log, &mut self.program);
        self.preview1.get_or_insert_with(|| empty_hands(log, program.take()).build_p1())
    }
}

/// No files, no environment, no sockets, no names: that is what an untouched builder gives.
fn empty_hands(log: &Arc<Mutex<Log>>, program: Option<Program>) -> WasiCtxBuilder {
    let mut wasi = WasiCtx::builder();
    wasi.max_random_size(WASI_RANDOM_BYTES).allow_tcp(false).allow_udp(false);
    match program {
        Some(program) => program.set_up(&mut wasi, log),
        None => drop(wasi.stdout(Lines::new(log, Level::Info)).stderr(Lines::new(log, Level::Warn))),
    }
    wasi
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

/// The log of one call, bounded.
#[derive(Default)]
pub(super) struct Log {
    left_bytes: usize,
    cut: bool,
    lines: Vec<Line>,
    on_line: Option<OnLine>,
}

/// A panic while a line is taken leaves nothing half done.
fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Takes the lines that were written.
pub(super) fn take_lines(log: &Mutex<Log>) -> Vec<Line> {
    std::mem::take(&mut locked(log).lines)
}

impl Log {
    fn write(&mut self, level: Level, message: &str) {
        if self.cut {
            return;
        }
        let mut message = one_line(message);
        if message.len() + LINE_COSTS > self.left_bytes {
            self.cut = true;
            message = "(the rest of the log is cut: log_bytes)".into();
        }
        self.left_bytes = self.left_bytes.saturating_sub(message.len() + LINE_COSTS);
        let line = Line { level, message };
        if let Some(on_line) = &self.on_line {
            on_line(&line);
        }
        self.lines.push(line);
    }
}

/// Makes one harmless line: control characters and marks that reorder text are spelled out.
fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len().min(LINE_BYTES));
    for c in message.trim_end_matches(['\n', '\r']).chars() {
        if line.len() + c.len_utf8() > LINE_BYTES {
            line.push('…');
            break;
        }
        let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '\t' => line.push('\t'),
            _ if c.is_control() || reorders => line.extend(c.escape_unicode()),
            _ => line.push(c),
        }
    }
    line
}

/// Standard output or error, whose lines go to the log.
pub(super) struct Lines {
    log: Arc<Mutex<Log>>,
    level: Level,
    reading: Reading,
}

/// What is read in a line before it goes to the log.
#[derive(Clone)]
enum Reading {
    /// Nothing.
    Plain,
    /// A level in front of it.
    Levels,
    /// A level in front of it, and how a command fails.
    Complaints(Arc<Mutex<Complaints>>),
}

impl Lines {
    fn new(log: &Arc<Mutex<Log>>, level: Level) -> Lines {
        Lines { log: log.clone(), level, reading: Reading::Plain }
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only preview 3 asks for this, and it is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        let (log, level, reading) = (self.log.clone(), self.level, self.reading.clone());
        Box::new(LineStream { log, level, reading, begun: Vec::new() })
    }
}

/// One open stream, with the line that it has begun.
struct LineStream {
    log: Arc<Mutex<Log>>,
    level: Level,
    reading: Reading,
    begun: Vec<u8>,
}

impl LineStream {
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.begun);
        let line = String::from_utf8_lossy(&line);
        let (level, message) = match &self.reading {
            Reading::Plain => (self.level, &*line),
            _ => levelled(&line, self.level),
        };
        if let Reading::Complaints(complaints) = &self.reading
            && complaints.lock().unwrap_or_else(PoisonError::into_inner).take(message)
        {
            return;
        }
        locked(&self.log).write(level, message);
    }
}

impl OutputStream for LineStream {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(self.begun.len());
            self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(64 << 10)
    }
}

#[async_trait::async_trait]
impl Pollable for LineStream {
    async fn ready(&mut self) {}
}

impl Drop for LineStream {
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.end_line();
        }
    }
}

/// What a command begins with, and where what it writes goes.
pub(super) struct Program {
    /// What it is asked to do: the one argument.
    pub verb: &'static str,
    /// Its standard input.
    pub input: Vec<u8>,
    /// Where its standard output goes; without it, to the log.
    pub output: Option<MemoryOutputPipe>,
    /// What it complains of on standard error.
    pub complaints: Arc<Mutex<Complaints>>,
}

impl Program {
    fn set_up(self, wasi: &mut WasiCtxBuilder, log: &Arc<Mutex<Log>>) {
        wasi.args(&["plugin", self.verb]).stdin(MemoryInputPipe::new(self.input));
        match self.output {
            Some(output) => wasi.stdout(output),
            None => wasi.stdout(Lines { log: log.clone(), level: Level::Info, reading: Reading::Levels }),
        };
        wasi.stderr(Lines { log: log.clone(), level: Level::Warn, reading: Reading::Complaints(self.complaints) });
    }
}

/// What a command said on standard error that tells how it failed.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    /// The last line that says something.
    pub last: Option<String>,
    /// How long to wait before the next attempt.
    pub retry_after: Option<Duration>,
}

impl Complaints {
    /// Takes a line; tells whether it is for the gateway alone.
    fn take(&mut self, line: &str) -> bool {
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("retry-after")
            && let Ok(seconds) = value.trim().parse()
        {
            self.retry_after = Some(Duration::from_secs(seconds));
            return true;
        }
        let line = line.trim();
        if !line.is_empty() {
            self.last = Some(line.to_owned());
        }
        false
    }
}

/// A line without the level that stands in front of it, as systemd reads it (sd-daemon(3)): `<3>` is an error.
fn levelled(line: &str, otherwise: Level) -> (Level, &str) {
    let level = match line.as_bytes() {
        [b'<', b'0'..=b'3', b'>', ..] => Level::Error,
        [b'<', b'4', b'>', ..] => Level::Warn,
        [b'<', b'5' | b'6', b'>', ..] => Level::Info,
        [b'<', b'7', b'>', ..] => Level::Debug,
        _ => return (otherwise, line),
    };
    (level, line[3..].trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_harmless() {
        let table = [
            ("plain ä", "plain ä"),
            ("ends\n", "ends"),
            ("two\nlines\u{1b}[31m", "two\\u{a}lines\\u{1b}[31m"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
        ];
        for (message, expected) in table {
            assert_eq!(one_line(message), expected);
        }
        assert!(one_line(&"x".repeat(1 << 20)).len() <= LINE_BYTES + 3);
    }

    #[test]
    fn a_level_in_front_of_a_line_is_read_as_systemd_does() {
        let table = [
            ("<3>broken", (Level::Error, "broken")),
            ("<4> hm", (Level::Warn, "hm")),
            ("<7>", (Level::Debug, "")),
            ("<8>no", (Level::Info, "<8>no")),
            ("<ä>", (Level::Info, "<ä>")),
            ("", (Level::Info, "")),
        ];
        for (line, expected) in table {
            assert_eq!(levelled(line, Level::Info), expected);
        }
    }

    #[test]
    fn the_last_complaint_is_the_reason() {
        let mut complaints = Complaints::default();
        assert!(!complaints.take("the first"));
        assert!(!complaints.take("the last "));
        assert!(complaints.take("Retry-After: 90"));
        assert!(!complaints.take("retry-after: soon"));
        assert!(!complaints.take(""));
        assert_eq!(complaints.last.as_deref(), Some("retry-after: soon"));
        assert_eq!(complaints.retry_after, Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_flood_is_cut_and_says_so() {
        let mut log = Log { left_bytes: 10 * (10 + LINE_COSTS), cut: false, lines: Vec::new(), on_line: None };
        for _ in 0..1000 {
            log.write(Level::Info, "0123456789");
        }
        assert_eq!(log.lines.len(), 11);
        assert!(log.lines[10].message.contains("log_bytes"));
    }

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
