//! Where code is compiled: in a child process that may compute, and nothing else.
//!
//! What a stranger made is read and compiled by a large program that was not written for enemies. So it is done by another
//! process of this same program, with a bound on memory and time, which can open no file and no socket from before it reads
//! the first byte. It gives back compiled code over a pipe, or a sentence.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setpriority_process, setrlimit,
};
use seccompiler::SeccompCmpOp::MaskedEq;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as ArgLen, SeccompCondition, SeccompFilter, SeccompRule,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use wasmtime::Engine;

use super::functions::{Functions, adopt};
use super::load::{Refused, first_line, told};
use super::wasm::Binary;
use super::{engine, threads, wasm};

/// The hidden command of the program that compiles.
pub const WORKER: &str = "compile-worker";

/// Who compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    /// This process, without limits.
    Inside,
    /// A child process of this program, which must answer to [`WORKER`].
    Child(PathBuf),
}

impl Compiler {
    /// A child process of the program that runs, even when its file was replaced.
    pub fn of_this_program() -> Compiler {
        Compiler::Child("/proc/self/exe".into())
    }
}

/// What compiling one plugin may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Of memory (`compile_mib`).
    pub memory_bytes: u64,
    /// Of computing, all cores together (`compile_cpu_s`).
    pub cpu: Duration,
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits { memory_bytes: 2 << 30, cpu: Duration::from_secs(120) }
    }
}

/// How much longer than it may compute it may take: it runs behind everything else.
const WALL_FACTOR: u32 = 5;
const WALL: Duration = Duration::from_secs(120);

/// How often a compiler that gets only the time that nobody else wants is looked at, and how much of that it must have got. On a
/// machine that is always busy that may be none: then another takes its place, behind those that answer senders and beside plugins.
const STARVING: Duration = Duration::from_secs(5);
const SHARE: f64 = 0.25;

/// Which time a compiler gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// What nobody else wants.
    Idle,
    /// As plugins.
    Guest,
}

/// How long what a failed compiler says may be, in bytes.
const TOLD_BYTES: u64 = 4096;

/// How large compiled code may be, in bytes: some ten times the largest file.
const COMPILED_BYTES: u64 = 512 << 20;

/// A component's file for which the functions of others are looked up, in bytes: smaller ones are compiled at once.
pub(super) const LARGE_BYTES: usize = 256 << 10;

/// More threads than this make a compile little quicker, and each takes memory.
const THREADS: usize = 8;

/// What a refused file's sentence comes with.
const REFUSED: u8 = 65;

/// Compiles a file's bytes in this process.
pub(super) fn here(engine: &Engine, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let compiled = match wasm::binary(bytes)? {
        Binary::Component(bytes) => engine.precompile_component(&bytes),
        Binary::Program(bytes) => engine.precompile_module(&bytes),
    };
    compiled.map_err(|error| format!("it cannot be compiled: {}", first_line(&error)))
}

/// Compiles a file's bytes in a child process. `functions` is the folder of functions that are known; `is_quiet` says that nobody
/// needs a core.
pub(super) async fn in_child(
    program: &Path,
    limits: &CompileLimits,
    functions: &Path,
    is_quiet: bool,
    bytes: Vec<u8>,
) -> Result<Vec<u8>, Refused> {
    let wall = WALL + limits.cpu * WALL_FACTOR;
    let functions = Some(functions).filter(|_| bytes.len() >= LARGE_BYTES);
    let child = |priority| Child { program, limits, functions, priority, is_quiet, process: AtomicU32::new(0) };
    let compiling = async {
        let idle = child(Priority::Idle);
        tokio::select! {
            compiled = idle.compile(&bytes) => return compiled,
            () = idle.starves() => {}
        }
        child(Priority::Guest).compile(&bytes).await
    };
    let within = tokio::time::timeout(wall, compiling).await;
    within.map_err(|_| Refused::passing(format!("compiling it took longer than {} s", wall.as_secs())))?
}

/// A compiler's process to be.
struct Child<'a> {
    program: &'a Path,
    limits: &'a CompileLimits,
    functions: Option<&'a Path>,
    priority: Priority,
    is_quiet: bool,
    /// Its number, once it runs.
    process: AtomicU32,
}

/// Reads so many bytes, and whatever comes after them: whoever writes must not wait for a reader that has enough.
async fn read(mut from: impl AsyncRead + Unpin, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    (&mut from).take(most).read_to_end(&mut bytes).await?;
    match tokio::io::copy(&mut from, &mut tokio::io::sink()).await? {
        0 => Ok(bytes),
        _ => Err(std::io::ErrorKind::FileTooLarge.into()),
    }
}

/// The functions that a compiler's process writes down, which are gone with it unless it ends well.
struct Draft<'a> {
    folder: Option<&'a Path>,
    process: u32,
}

impl Draft<'_> {
    fn end(mut self, well: bool) {
        if let Some(folder) = self.folder.take() {
            // Without the functions the next compile takes longer, and that is all.
            let _ = adopt(folder, self.process, well);
        }
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(folder) = self.folder {
            let _ = adopt(folder, self.process, false);
        }
    }
}

impl Child<'_> {
    async fn compile(&self, bytes: &[u8]) -> Result<Vec<u8>, Refused> {
        let failed = |error: std::io::Error| Refused::passing(format!("its compiler cannot be started: {error}"));
        let mut child = self.command().spawn().map_err(failed)?;
        let process = child.id().unwrap_or_default();
        self.process.store(process, Ordering::Relaxed);
        let (Some(mut to), Some(from), Some(told)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Refused::passing("its compiler has no pipes"));
        };
        let draft = Draft { folder: self.functions, process };
        let (_, compiled, sentence) = tokio::join!(
            async move {
                // One that has read enough to refuse it closes the pipe: what it says counts.
                let _ = to.write_all(bytes).await;
            },
            read(from, COMPILED_BYTES),
            read(told, TOLD_BYTES),
        );
        let status = child.wait().await.map_err(failed)?;
        draft.end(status.success());
        match compiled {
            Ok(compiled) if status.success() => Ok(compiled),
            _ => Err(self.refusal(status, &String::from_utf8_lossy(&sentence.unwrap_or_default()))),
        }
    }

    /// Waits until it gets too little of the processor to come to an end.
    async fn starves(&self) {
        let mut before = Duration::ZERO;
        loop {
            tokio::time::sleep(STARVING).await;
            let used = computed(self.process.load(Ordering::Relaxed));
            if used.saturating_sub(before) < STARVING.mul_f64(SHARE) {
                return;
            }
            before = used;
        }
    }

    fn command(&self) -> tokio::process::Command {
        // One that is not in a hurry leaves a core to those who are, where somebody is.
        let threads = match self.priority {
            Priority::Idle if !self.is_quiet => (threads::cores() - 1).clamp(1, THREADS),
            Priority::Idle | Priority::Guest => threads::cores().min(THREADS),
        };
        let mut command = tokio::process::Command::new(self.program);
        command
            .arg(WORKER)
            .arg("--memory-bytes")
            .arg(self.limits.memory_bytes.to_string())
            .arg("--cpu-s")
            .arg(self.limits.cpu.as_secs().to_string())
            .args((self.priority == Priority::Idle).then_some("--idle"))
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(folder) = self.functions {
            command.arg("--functions").arg(folder);
        }
        command
    }

    /// Why there is no code, told from how the compiler ended and what it said.
    fn refusal(&self, status: ExitStatus, told: &str) -> Refused {
        let line = told.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let ended_by = |signal: Signal| status.signal() == Some(signal.as_raw());
        if status.code() == Some(i32::from(REFUSED)) {
            Refused::new(line)
        } else if ended_by(Signal::XCPU) {
            let most = self.limits.cpu.as_secs();
            Refused::new(format!("compiling it takes more than the {most} s of computing that compile_cpu_s allows"))
        } else if told.contains("memory allocation") || told.contains("out of memory") {
            let most = self.limits.memory_bytes >> 20;
            Refused::new(format!("compiling it takes more than the {most} MiB of memory that compile_mib allows"))
        } else if status.signal().is_none_or(|signal| signal == Signal::KILL.as_raw()) && status.code() != Some(PANIC) {
            Refused::passing(format!("its compiler ended without an answer ({status}): {line}"))
        } else {
            Refused::new(format!("compiling it broke the compiler ({status}): {line}"))
        }
    }
}

/// How long a process has computed, on all its threads: the 14th and 15th field of `/proc/<pid>/stat` (proc(5)), in hundredths of
/// a second on every Linux there is.
fn computed(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field is a name that may have spaces.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The exit code of a process that panicked.
const PANIC: i32 = 101;

/// What a compiler's process is told.
#[derive(Debug)]
pub struct Job {
    /// The most memory, in bytes.
    pub memory_bytes: u64,
    /// The most computing, in seconds.
    pub cpu_s: u64,
    /// Where functions that were compiled before are.
    pub functions: Option<PathBuf>,
    /// Which time it gets.
    pub priority: Priority,
}

/// The whole life of a compiler's process: a plugin's file on standard input, compiled code on standard output, or the
/// exit code 65 and a sentence on standard error.
pub fn work(job: &Job) -> ExitCode {
    match confined(job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(WorkError::Refused(why)) => {
            eprintln!("{}", told(&why));
            REFUSED.into()
        }
        Err(WorkError::Failed(error)) => {
            eprintln!("{}", told(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

enum WorkError {
    Refused(String),
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for WorkError {
    fn from(error: E) -> WorkError {
        WorkError::Failed(error.into())
    }
}

fn confined(job: &Job) -> Result<(), WorkError> {
    let functions = job.functions.as_deref().map(|folder| Functions::open(folder, std::process::id())).transpose();
    // Without the functions it takes longer, and that is all.
    let functions: Option<Arc<Functions>> = functions.unwrap_or_default();
    let held = functions.as_ref().map_or(0, |functions| functions.held_bytes());
    limit(job.memory_bytes + held, job.cpu_s, job.priority)?;
    shut()?;
    let engine = engine::for_compiling(functions.clone())?;
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    let compiled = here(&engine, bytes).map_err(WorkError::Refused)?;
    std::io::stdout().lock().write_all(&compiled)?;
    if let Some(functions) = functions {
        let _ = functions.keep();
    }
    Ok(())
}

/// Bounds what this process may take, and ends it with the gateway.
fn limit(memory_bytes: u64, cpu_s: u64, priority: Priority) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("it cannot be tied to its parent")?;
    let set = |resource: Resource, current: u64, maximum: u64| {
        // What somebody else has set lower stays so.
        let before = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Rlimit { current: Some(current.min(before)), maximum: Some(maximum.min(before)) };
        setrlimit(resource, limit).with_context(|| format!("{resource:?} cannot be limited"))
    };
    set(Resource::Data, memory_bytes, memory_bytes)?;
    set(Resource::Core, 0, 0)?;
    // The first of the two ends it with a signal of its own, which tells the cause.
    set(Resource::Cpu, cpu_s, cpu_s.saturating_add(5))?;
    // The threads that it starts later are like this one.
    match priority {
        Priority::Idle => threads::only_when_idle(),
        Priority::Guest => drop(setpriority_process(None, threads::GUEST_NICENESS)),
    }
    Ok(())
}

/// Takes from this thread, and those that it starts, everything but computing, for good. What is asked for beyond that is
/// answered as if this system did not have it.
fn shut() -> anyhow::Result<()> {
    let equal = |argument, mask, value| SeccompCondition::new(argument, ArgLen::Dword, MaskedEq(mask), value);
    let only = |condition: Result<SeccompCondition, _>| SeccompRule::new(vec![condition?]).map(|rule| vec![rule]);
    let mut allowed: BTreeMap<_, _> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    // Threads, and no processes.
    let thread = libc::CLONE_THREAD as u64;
    allowed.insert(libc::SYS_clone, only(equal(0, thread, thread))?);
    // Signals to itself, by which it aborts.
    let itself = u64::from(std::process::id());
    for call in [libc::SYS_tgkill, libc::SYS_kill] {
        allowed.insert(call, only(equal(0, u64::from(u32::MAX), itself))?);
    }
    let (otherwise, listed) = (SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow);
    let filter = SeccompFilter::new(allowed, otherwise, listed, std::env::consts::ARCH.try_into()?)?;
    Ok(seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?)
}

/// What computing takes: memory, threads, the files that are open already, time, randomness, an end.
#[rustfmt::skip]
const ALLOWED: [libc::c_long; 46] = [
    libc::SYS_brk, libc::SYS_madvise, libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_mremap, libc::SYS_munmap,
    libc::SYS_exit, libc::SYS_exit_group, libc::SYS_futex, libc::SYS_get_robust_list,
    libc::SYS_getpid, libc::SYS_gettid, libc::SYS_membarrier, libc::SYS_prctl, libc::SYS_rseq, libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield, libc::SYS_set_robust_list, libc::SYS_set_tid_address, libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack,
    libc::SYS_close, libc::SYS_fcntl, libc::SYS_fdatasync, libc::SYS_fstat, libc::SYS_fsync, libc::SYS_ftruncate, libc::SYS_lseek,
    libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_read, libc::SYS_readv, libc::SYS_write, libc::SYS_writev,
    libc::SYS_utimensat, libc::SYS_ppoll, libc::SYS_clock_getres, libc::SYS_clock_gettime, libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_getrandom, libc::SYS_getrusage,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::net::{TcpStream, UdpSocket};
    use std::process::Command;

    /// The filter is of the thread that installs it, so a thread can try what a compiler cannot do.
    #[test]
    fn who_is_shut_in_can_compute_and_nothing_else() {
        let parent = Command::new("sleep").arg("60").spawn().unwrap();
        let other = rustix::process::Pid::from_child(&parent);
        let tried = std::thread::spawn(move || {
            shut().unwrap();
            let tried = [
                ("open a file", File::open("/etc/hostname").is_err()),
                ("make a file", File::create("/tmp/hookgate-made-by-a-compiler").is_err()),
                (
                    "connect",
                    TcpStream::connect("127.0.0.1:1").is_err_and(|error| error.raw_os_error() == Some(libc::ENOSYS)),
                ),
                ("open a socket", UdpSocket::bind("127.0.0.1:0").is_err()),
                ("start a program", Command::new("true").spawn().is_err()),
                ("end another process", rustix::process::kill_process(other, Signal::KILL).is_err()),
            ];
            let computed = std::thread::spawn(|| (0..1_000_000_u64).map(|n| vec![n; 2].len() as u64).sum::<u64>());
            (tried, computed.join().ok())
        });
        let (tried, computed) = tried.join().unwrap();
        let mut parent = parent;
        let lives = parent.try_wait().unwrap().is_none();
        parent.kill().unwrap();
        parent.wait().unwrap();
        for (what, refused) in tried {
            assert!(refused, "it could {what}");
        }
        assert_eq!((computed, lives), (Some(2_000_000), true));
    }
}
