//! Compiling is done by another process, which may compute and nothing else, and nobody waits for it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hookgate_tests::{Guest, Home, Process, State, eventually, eventually_within};
use rustix::process::{Pid, Signal, kill_process};

/// How long a compiler that is to be ended may go on at the most, on a machine that does other things too.
const ENDED: Duration = Duration::from_secs(60);

fn good(version: &str) -> Vec<u8> {
    Guest::wanting(&["push"]).version(version).component()
}

/// A plugin that takes long to compile: a million functions.
fn slow() -> Vec<u8> {
    Guest::wanting(&["push"]).with(&"(func (drop (i32.const 1)))\n".repeat(990_000)).module()
}

/// A plugin whose one function is so large that compiling it takes much memory.
fn greedy() -> Vec<u8> {
    let body = "(local.set $x (i32.add (local.get $x) (i32.mul (local.get $x) (i32.const 3))))".repeat(200_000);
    Guest::wanting(&["push"]).with(&format!("(func (param $x i32) (result i32) {body} (local.get $x))")).module()
}

/// The compilers that a gateway has started and that run.
fn compilers(gateway: &Process) -> Vec<PathBuf> {
    let parent = format!("PPid:\t{}\n", gateway.id());
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let read = |path: &PathBuf, file: &str| std::fs::read_to_string(path.join(file)).unwrap_or_default();
    processes
        .filter(|path| read(path, "status").contains(&parent) && read(path, "cmdline").contains("compile-worker"))
        .collect()
}

#[test]
fn old_code_runs_and_senders_are_answered_while_new_code_is_compiled() {
    let home = Home::new();
    home.install("worker", good("1"));
    let gateway = Process::start(&home);
    home.install("worker", slow());
    eventually("it is compiling", || gateway.plugin("worker")["compiling"] == true);
    assert_eq!(gateway.slot("worker"), "live");
    home.install("newcomer", slow());
    eventually("so is the other", || gateway.slot("newcomer") == "compiling");
    for _ in 0..50 {
        let id = gateway.post(&home.sender("github").webhook("push")).id();
        eventually("the old code does it", || home.ledger().state("worker", &id) == Some(State::Done));
    }
    // A small one is not held up by large ones.
    home.install("small", good("1"));
    eventually_within(ENDED, "the small one is live", || gateway.slot("small") == "live");
    assert_eq!(gateway.plugin("worker")["compiling"], true, "it was over too soon to show anything");
    // What was put back is not compiled any more, and what was removed neither.
    home.install("worker", good("1"));
    std::fs::remove_file(home.plugin("newcomer")).unwrap();
    eventually_within(ENDED, "no compiler is left", || compilers(&gateway).is_empty());
    assert_eq!((gateway.slot("worker").as_str(), &gateway.plugin("worker")["compiling"]), ("live", &false.into()));
    assert_eq!(gateway.slot("newcomer"), "none");
}

#[test]
fn a_compiler_has_no_network_no_files_and_little_else() {
    let home = Home::with("limits.compile_mib = 777\nlimits.compile_cpu_s = 55");
    let gateway = Process::start(&home);
    home.install("worker", slow());
    let mut confined = false;
    eventually("its compiler is confined", || {
        let Some(compiler) = compilers(&gateway).pop() else { return false };
        let status = std::fs::read_to_string(compiler.join("status")).unwrap_or_default();
        if !status.contains("Seccomp:\t2\n") {
            return false;
        }
        let limits = std::fs::read_to_string(compiler.join("limits")).unwrap();
        let limit = |name: &str| {
            let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(limit("Max data size"), (777_u64 << 20).to_string());
        assert_eq!(limit("Max cpu time"), "55");
        assert_eq!(limit("Max core file size"), "0");
        let variables = std::fs::read_to_string(compiler.join("environ")).unwrap();
        assert!(!variables.contains("SECRET"), "{variables}");
        confined = true;
        true
    });
    assert!(confined);
}

#[test]
fn what_takes_too_long_to_compile_is_refused_with_the_limit() {
    let home = Home::with("limits.compile_cpu_s = 1");
    let gateway = Process::start(&home);
    home.install("slow", slow());
    home.install("good", good("1"));
    eventually_within(ENDED, "it is refused", || gateway.slot("slow") == "broken");
    assert!(gateway.why("slow").contains("1 s of computing that compile_cpu_s allows"), "{}", gateway.why("slow"));
    assert_eq!(gateway.slot("good"), "live");
}

#[test]
fn what_takes_too_much_memory_to_compile_is_refused_with_the_limit() {
    let home = Home::with("limits.compile_mib = 64");
    let gateway = Process::start(&home);
    home.install("greedy", greedy());
    home.install("good", good("1"));
    eventually_within(ENDED, "it is refused", || gateway.slot("greedy") == "broken");
    assert!(gateway.why("greedy").contains("64 MiB of memory that compile_mib allows"), "{}", gateway.why("greedy"));
    assert_eq!(gateway.slot("good"), "live");
}

#[test]
fn a_compiler_that_is_killed_is_started_again() {
    let home = Home::with("limits.compile_cpu_s = 2");
    let gateway = Process::start(&home);
    home.install("worker", slow());
    let mut killed = None;
    eventually("there is a compiler to kill", || {
        killed = compilers(&gateway).pop();
        killed.is_some()
    });
    let process: i32 = killed.unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
    let log = || gateway.log();
    eventually_within(ENDED, "that is told", || log().contains("its compiler ended without an answer"));
    // The next one comes to an end of its own, and that is the last word.
    eventually_within(ENDED, "it is looked at again", || gateway.why("worker").contains("compile_cpu_s"));
}

#[test]
fn a_start_with_compiled_code_starts_no_compiler() {
    let home = Home::new();
    home.install("worker", good("1"));
    drop(Process::start(&home));
    let compiled = || {
        let files = std::fs::read_dir(home.data().join("compiled")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect::<Vec<_>>()
    };
    let before = compiled();
    assert_eq!(before.len(), 1);
    let modified = |path: &PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
    let at = modified(&before[0]);
    let begun = Instant::now();
    let gateway = Process::start(&home);
    assert_eq!(gateway.slot("worker"), "live", "after {:?}", begun.elapsed());
    assert_eq!((compiled(), modified(&before[0])), (before, at));
}
