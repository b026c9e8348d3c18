//! Compiling is done by another process, which may compute and nothing else, and nobody waits for it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hookgate_tests::{Guest, Home, Process, State, eventually, eventually_within, run_hookgate};
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

/// Ends a compiler, if there is one.
fn kill_one(gateway: &Process) -> bool {
    let Some(compiler) = compilers(gateway).pop() else { return false };
    let process: i32 = compiler.file_name().unwrap().to_str().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).is_ok()
}

/// The memory that a gateway's process has, in KiB.
fn memory_kib(gateway: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_check_that_takes_long_says_what_it_compiles() {
    let home = Home::with("limits.compile_cpu_s = 4");
    home.install("large", slow());
    let checked = run_hookgate(&home, &["check"]);
    assert!(checked.code == 1 && checked.err.contains("still compiling large: "), "{checked:?}");
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
    let before = memory_kib(&gateway);
    home.install("greedy", greedy());
    home.install("good", good("1"));
    eventually_within(ENDED, "it is refused", || gateway.slot("greedy") == "broken");
    assert!(gateway.why("greedy").contains("64 MiB of memory that compile_mib allows"), "{}", gateway.why("greedy"));
    assert_eq!(gateway.slot("good"), "live");
    let grown = memory_kib(&gateway).saturating_sub(before) >> 10;
    assert!(grown <= 64, "the gateway itself grew by {grown} MiB");
}

#[test]
fn a_compiler_that_was_killed_comes_to_its_end_the_next_time() {
    // Longer than the folder is left alone between two scans.
    let home = Home::with("limits.compile_cpu_s = 9");
    let gateway = Process::start(&home);
    home.install("worker", slow());
    eventually("there is a compiler to kill", || kill_one(&gateway));
    let log = || gateway.log();
    eventually_within(ENDED, "that is told", || log().contains("its compiler ended without an answer"));
    eventually_within(3 * ENDED, "the next one is let to its end", || gateway.why("worker").contains("compile_cpu_s"));
    let begun = log().matches("are being compiled").count();
    assert_eq!(begun, 2, "one save and one more look, and compiled {begun} times:\n{}", log());
}

#[test]
fn a_file_with_endless_names_is_refused_in_a_sentence() {
    let home = Home::new();
    let name = format!("\u{1b}[31m{}", "x".repeat(90_000));
    let name = name.replace('\u{1b}', "\\1b");
    let export = wat::parse_str(format!("(module (func (export \"{name}\")))")).unwrap();
    let import =
        wat::parse_str(format!("(module (import \"{name}\" \"f\" (func)) (func (export \"_start\")))")).unwrap();
    home.install("export", export);
    home.install("import", import);
    let gateway = Process::start(&home);
    for plugin in ["export", "import"] {
        assert_eq!(gateway.slot(plugin), "broken");
        let why = gateway.why(plugin);
        assert!(why.len() <= 1024 && why.contains("xxx") && !why.contains('\u{1b}'), "{why}");
    }
}

#[test]
fn no_compiler_outlives_its_gateway() {
    let home = Home::new();
    let mut gateway = Process::start(&home);
    home.install("worker", slow());
    eventually("it is compiling", || !compilers(&gateway).is_empty());
    let compiler = compilers(&gateway).pop().unwrap();
    gateway.terminate();
    assert!(gateway.wait().success());
    eventually("its compiler is gone", || !compiler.exists());
}

#[test]
fn a_start_does_not_wait_for_a_slow_compiler_and_known_code_not_at_all() {
    let home = Home::new();
    home.install("known", good("1"));
    drop(Process::start(&home));
    // As many as may compile at once, and more.
    for nth in 0..6 {
        home.install(&format!("slow-{nth}"), [slow(), custom_section(nth)].concat());
    }
    let gateway = Process::start(&home);
    assert!(gateway.printed().contains("known live"), "{}", gateway.printed());
    assert!(gateway.printed().contains("slow-5 compiling"), "{}", gateway.printed());
    home.install("another", good("2"));
    eventually_within(ENDED, "another is live", || gateway.slot("another") == "live");
}

/// What makes a module another file.
fn custom_section(nth: u8) -> Vec<u8> {
    vec![0, 2, 1, b'a' + nth]
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
