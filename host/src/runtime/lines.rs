//! What a guest writes: lines for the log, bounded and harmless, and what a program complains of.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

pub use super::bindings::hookgate::plugin::log::Level;

/// The longest log message, in bytes.
const LINE_BYTES: usize = 8 << 10;

/// What a line counts for beside its text, so that empty ones are not for free.
const LINE_COSTS: usize = 64;

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

/// The log of one call, bounded.
#[derive(Default)]
pub(super) struct Log {
    left_bytes: usize,
    cut: bool,
    lines: Vec<Line>,
    on_line: Option<OnLine>,
}

/// A panic while a line is taken leaves nothing half done.
pub(super) fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Takes the lines that were written.
pub(super) fn take_lines(log: &Mutex<Log>) -> Vec<Line> {
    std::mem::take(&mut locked(log).lines)
}

impl Log {
    /// An empty one, for so many bytes.
    pub fn new(left_bytes: usize, on_line: OnLine) -> Log {
        Log { left_bytes, cut: false, lines: Vec::new(), on_line: Some(on_line) }
    }

    /// Adds a line, for as long as there is room.
    pub fn write(&mut self, level: Level, message: &str) {
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

/// Makes one harmless line: what [`acts`] is spelled out, but for tabs.
pub(super) fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len().min(LINE_BYTES));
    for c in message.trim_end_matches(['\n', '\r']).chars() {
        if line.len() + c.len_utf8() > LINE_BYTES {
            line.push('…');
            break;
        }
        match c {
            '\t' => line.push('\t'),
            _ if acts(c) => line.extend(c.escape_unicode()),
            _ => line.push(c),
        }
    }
    line
}

/// Whether a character does something where it is shown: to a terminal, to the order of what stands beside it, or by beginning a line.
pub fn acts(c: char) -> bool {
    let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Standard output or error, whose lines go to the log.
pub(super) struct Lines {
    log: Arc<Mutex<Log>>,
    level: Level,
    reading: Reading,
    /// The line that was begun.
    begun: Mutex<Vec<u8>>,
}

/// What is read in a line before it goes to the log.
enum Reading {
    /// Nothing.
    Plain,
    /// A level in front of it.
    Levels,
    /// A level in front of it, and how a command fails.
    Complaints(Arc<Mutex<Complaints>>),
}

impl Lines {
    /// Lines of this level.
    pub fn new(log: &Arc<Mutex<Log>>, level: Level) -> Arc<Lines> {
        Lines::reading(log, level, Reading::Plain)
    }

    fn reading(log: &Arc<Mutex<Log>>, level: Level, reading: Reading) -> Arc<Lines> {
        Arc::new(Lines { log: log.clone(), level, reading, begun: Mutex::default() })
    }

    fn begun(&self) -> MutexGuard<'_, Vec<u8>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut begun = self.begun();
            let room = LINE_BYTES.saturating_sub(begun.len());
            begun.extend_from_slice(&piece[..piece.len().min(room)]);
            drop(begun);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Ends a line that was begun, since the call that began it ends.
    pub fn end(&self) {
        if !self.begun().is_empty() {
            self.end_line();
        }
    }

    fn end_line(&self) {
        let line = std::mem::take(&mut *self.begun());
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

/// One of the two, as WASI wants it.
pub(super) struct Output(pub Arc<Lines>);

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only preview 3 asks for this, and it is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LineStream(self.0.clone()))
    }
}

/// An open stream.
struct LineStream(Arc<Lines>);

impl OutputStream for LineStream {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.0.write(&bytes);
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
    /// Gives it to a program that is about to begin, and says which lines it writes.
    pub fn set_up(self, wasi: &mut WasiCtxBuilder, log: &Arc<Mutex<Log>>) -> [Arc<Lines>; 2] {
        wasi.args(&["plugin", self.verb]).stdin(MemoryInputPipe::new(self.input));
        let out = Lines::reading(log, Level::Info, Reading::Levels);
        let err = Lines::reading(log, Level::Warn, Reading::Complaints(self.complaints));
        match self.output {
            Some(output) => wasi.stdout(output),
            None => wasi.stdout(Output(out.clone())),
        };
        wasi.stderr(Output(err.clone()));
        [out, err]
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
            ("\u{61c}a\u{200f}b\u{2028}c\u{2069}", "\\u{61c}a\\u{200f}b\\u{2028}c\\u{2069}"),
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
}
