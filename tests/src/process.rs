//! The real binary, as a user runs it.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Doors, Home, canary, eventually};

/// A gateway in a process of its own, killed when it is dropped.
pub struct Process {
    child: Child,
    doors: Doors,
    printed: Vec<String>,
    log: Arc<Mutex<Vec<String>>>,
    logging: Option<JoinHandle<()>>,
}

/// How long a start may take before a test has failed.
const STARTING: Duration = Duration::from_secs(60);

impl Process {
    /// Starts `hookgate serve` in a folder; it takes requests when this returns.
    pub fn start(home: &Home) -> Process {
        Process::start_logging(home, "info")
    }

    /// The same with another filter of the log.
    pub fn start_logging(home: &Home, filter: &str) -> Process {
        let mut command = Process::command(home);
        command.args(["--log-level", filter]);
        Process::try_start(command).unwrap_or_else(|told| panic!("it does not start: {told}"))
    }

    /// A command that starts it.
    pub fn command(home: &Home) -> Command {
        let mut command = hookgate();
        command.args(["serve", "--config"]).arg(home.config());
        command
    }

    /// Starts a command that ends as `hookgate serve`. The error is what it wrote to standard error.
    pub fn try_start(mut command: Command) -> Result<Process, String> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (stderr, lines) = (child.stderr.take().unwrap(), log.clone());
        let logging = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let printed = first_lines(&mut child);
        let Some(doors) = doors(&printed) else {
            let _ = child.kill();
            let _ = child.wait();
            logging.join().unwrap();
            return Err(log.lock().unwrap().join("\n"));
        };
        Ok(Process { child, doors, printed, log, logging: Some(logging) })
    }

    /// What it printed when it was ready.
    pub fn printed(&self) -> String {
        self.printed.join("\n")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, with no chance to tidy up.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Waits for its end, and gives all that it logged, to the last line.
    pub fn end(mut self) -> String {
        self.wait();
        self.logging.take().map(JoinHandle::join).transpose().unwrap();
        self.log()
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the process ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        canary::assert_none_in("the log", self.log().as_bytes());
        canary::assert_none_in("what it printed", self.printed().as_bytes());
    }
}

impl Deref for Process {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}

/// Reads what is printed up to the line about plugins, which is the last.
fn first_lines(child: &mut Child) -> Vec<String> {
    let stdout = child.stdout.take().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        // Read to the end, so that the process never blocks on a full pipe.
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let mut printed = Vec::new();
    while let Ok(line) = told.recv_timeout(STARTING) {
        let is_last = line.trim_start().starts_with("plugins ");
        printed.push(line);
        if is_last {
            break;
        }
    }
    printed
}

fn doors(printed: &[String]) -> Option<Doors> {
    let address = |label: &str| {
        let line = printed.iter().find_map(|line| line.trim_start().strip_prefix(label))?;
        let (_, after_scheme) = line.split_once("://")?;
        after_scheme.split('/').next()?.parse().ok()
    };
    Some(Doors { hooks: address("hooks")?, admin: address("admin")? })
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Runs the binary with these words, in a folder of its own choice, to its end.
pub fn run_hookgate(home: &Home, words: &[&str]) -> Ran {
    let mut command = hookgate();
    command.args(words).current_dir(home.path()).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) };
    canary::assert_none_in("a command", format!("{}{}", ran.out, ran.err).as_bytes());
    ran
}

/// Starts the binary with these words, in a folder of its own choice, for its lines to be read as they come.
pub fn spawn_hookgate(home: &Home, words: &[&str]) -> Child {
    let mut command = hookgate();
    command.args(words).current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The bytes of a sample plugin.
pub fn sample(name: &str) -> Vec<u8> {
    let file = from_environment("HOOKGATE_SAMPLES").join(format!("{name}.wasm"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: run cargo xtask test", file.display()))
}

/// Whether there is no toolchain of a language here, which is told. `cargo xtask test` says so where it could not set one up.
pub fn skipped(language: &str) -> bool {
    let without = std::env::var("HOOKGATE_WITHOUT").unwrap_or_default();
    let skipped = without.split(',').any(|name| name == language);
    if skipped {
        eprintln!("skipped: there is no toolchain for {language} here");
    }
    skipped
}

fn hookgate() -> Command {
    let mut command = Command::new(from_environment("HOOKGATE_BIN"));
    // Secrets come from the folder under test alone.
    command.env_clear();
    command
}

/// A path that whoever runs the tests gives; panics where it is not given.
pub fn from_environment(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: run cargo xtask test")).into()
}
