//! Plugins that loop, trap, grow, recurse, flood and lie. Each gets what is due to it, and its neighbours notice nothing.

use hookgate_tests::{Gateway, Guest, Home, Process, State, eventually};

/// Small limits, so that going over them is quick, and two attempts each. Only who sleeps has little time by the clock on the
/// wall: on a busy machine, those who compute for a fifth of a second may take many.
const LIMITS: &str = "limits.call_ms = 30000\nplugins.sleeps.call_ms = 500\nlimits.cpu_ms = 200\nlimits.memory_mib = 16
delivery.schedule_s = [0]";

fn doing(instructions: &str) -> Guest {
    Guest::wanting(&["push"]).handling(instructions)
}

/// Memory that grows page by page until something stops it.
const GROW: &str = "(loop $on (br_if $on (i32.ne (i32.const -1) (memory.grow (i32.const 1)))))";

/// Plugins that do harm when they are called: what they do, how it is called, and a word of why.
fn bad_in_handle() -> Vec<(&'static str, Guest, &'static str, &'static str)> {
    let deep = "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))";
    let not_utf8 = "(i32.store8 (i32.const 256) (i32.const 255)) (return (call $reject (i32.const 256) (i32.const 1)))";
    let poll = "(i32.store8 (i32.const 264) (i32.const 0)) (i32.store (i32.const 272) (i32.const 1))
                (i64.store (i32.const 280) (i64.const 60000000000))
                (drop (call $poll_oneoff (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 768)))";
    vec![
        ("loops", doing("(loop $on (br $on))"), "overran", "cpu_ms"),
        ("sleeps", doing(poll), "overran", "call_ms"),
        ("traps", doing("unreachable"), "trapped", "unreachable"),
        ("divides-by-zero", doing("(drop (i32.div_u (i32.const 1) (i32.const 0)))"), "trapped", "zero"),
        ("reads-outside", doing("(drop (i32.load (i32.const -4)))"), "trapped", "memory"),
        ("grows", doing(GROW), "out_of_memory", ""),
        ("grows-at-once", doing("(drop (memory.grow (i32.const 30000)))"), "out_of_memory", ""),
        ("recurses", doing("(drop (call $deep (i32.const 1)))").with(deep), "trapped", "stack"),
        ("floods-for-ever", doing("(loop $on (call $log (i32.const 2) {flood}) (br $on))"), "overran", "cpu_ms"),
        ("logs-from-outside", doing("(call $log (i32.const 2) (i32.const 16) (i32.const -16))"), "trapped", ""),
        ("logs-at-no-level", doing("(call $log (i32.const 77) {hello})"), "trapped", ""),
        (
            "logs-a-huge-text",
            doing("(drop (memory.grow (i32.const 200))) (call $log (i32.const 2) (i32.const 0) (i32.const 12000000))"),
            "trapped",
            "",
        ),
        ("tells-no-utf8", doing(not_utf8), "trapped", "utf-8"),
        ("tells-from-outside", doing("(return (i32.const -8))"), "trapped", ""),
        (
            "answers-nothing-there-is",
            doing("(i32.store8 (i32.const 0) (i32.const 9)) (return (i32.const 0))"),
            "trapped",
            "",
        ),
        (
            "asks-wasi-for-much",
            doing(
                "(drop (memory.grow (i32.const 100))) (drop (call $random_get (i32.const 65536) (i32.const 6000000)))",
            ),
            "trapped",
            "",
        ),
    ]
}

#[test]
fn each_gets_its_outcome_is_dead_in_the_end_and_harms_nobody() {
    let home = Home::with(LIMITS);
    let hostile = bad_in_handle();
    home.install("healthy", Guest::wanting(&["*"]).component());
    for (name, guest, _, _) in &hostile {
        home.install(name, guest.module());
    }
    let gateway = Gateway::start(&home);
    for (name, ..) in &hostile {
        assert_eq!(gateway.slot(name), "live", "{name}: {}", gateway.why(name));
    }

    let sender = home.sender("github");
    let ids: Vec<String> = (0..3).map(|_| gateway.post(&sender.webhook("push")).id()).collect();

    let ledger = home.ledger();
    eventually("the healthy one has done all", || ledger.count("healthy", State::Done) == ids.len());
    for (name, _, outcome, why) in &hostile {
        eventually(&format!("{name} is dead"), || ledger.count(name, State::Dead) == ids.len());
        let attempts = ledger.attempts(name);
        assert_eq!(attempts.len(), 2 * ids.len(), "{name}");
        for attempt in attempts {
            assert_eq!(attempt.outcome, *outcome, "{name}: {attempt:?}");
            assert!(attempt.why.to_lowercase().contains(why), "{name}: {attempt:?}");
        }
    }
    assert!(ledger.attempts("healthy").iter().all(|attempt| attempt.outcome == "done"));
    assert_eq!(gateway.post(&sender.webhook("push")).status, 200);
}

#[test]
fn a_plugin_that_misbehaves_before_it_says_what_it_is_is_broken() {
    let home = Home::with(LIMITS);
    let good = || Guest::wanting(&["push"]);
    let not_utf8 = "(i32.store8 (i32.const 512) (i32.const 255)) (i32.store (i32.const 256) (i32.const 512))
                    (i32.store (i32.const 260) (i32.const 1)) (return (i32.const 256))";
    let much_memory = "(memory $more 1000)";
    let table = [
        ("loops", good().describing("(loop $on (br $on))"), "describe overran its cpu_ms"),
        ("traps", good().describing("unreachable"), "describe trapped: "),
        ("grows", good().describing(GROW), "describe ran out of memory"),
        ("lies", good().describing(not_utf8), "describe trapped: "),
        ("wants-nothing", Guest::wanting(&[]), "no subscription"),
        ("wants-nonsense", Guest::wanting(&["two words"]), "`two words`"),
        ("traps-at-start", good().with("(func $boom unreachable) (start $boom)"), "trapped: "),
        ("loops-at-start", good().with("(func $for-ever (loop $on (br $on))) (start $for-ever)"), "cpu_ms"),
        ("begins-big", good().memory_pages(1000), "memory"),
        ("has-two-memories", good().with(much_memory), "memor"),
    ];
    home.install("healthy", good().component());
    for (name, guest, _) in &table {
        home.install(name, guest.component());
    }
    let gateway = Gateway::start(&home);
    for (name, _, why) in &table {
        assert_eq!(gateway.slot(name), "broken", "{name}");
        assert!(gateway.why(name).contains(why), "{name}: {}", gateway.why(name));
    }
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("the healthy one does it", || home.ledger().state("healthy", &id) == Some(State::Done));
}

#[test]
fn no_more_random_bytes_are_given_than_the_contract_says_and_they_differ() {
    let home = Home::new();
    // Tells how many came when it asked for a gibibyte, and the first eight.
    let handle = "(call $random (i32.const 1073741824) (i32.const 256))
         (if (i32.ne (i32.load (i32.const 260)) (i32.const 4096)) (then unreachable))
         (if (i64.eqz (i64.load (i32.load (i32.const 256)))) (then unreachable))";
    home.install("greedy", doing(handle).component());
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is over", || home.ledger().outcomes("greedy", &id) == ["done"]);
}

#[test]
fn nothing_in_memory_outlives_a_call() {
    let home = Home::new();
    let handle = "(if (global.get $called) (then unreachable)) (global.set $called (i32.const 1))
                  (if (i32.load (i32.const 60000)) (then unreachable)) (i32.store (i32.const 60000) (i32.const 1))";
    home.install("forgetful", doing(handle).with("(global $called (mut i32) (i32.const 0))").component());
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let ids: Vec<String> = (0..50).map(|_| gateway.post(&sender.webhook("push")).id()).collect();
    eventually("all are over", || home.ledger().attempts("forgetful").len() == ids.len());
    assert!(home.ledger().attempts("forgetful").iter().all(|attempt| attempt.outcome == "done"));
}

#[test]
fn a_flood_of_log_lines_is_cut_and_made_harmless() {
    let home = Home::with("limits.log_bytes = 2000\nlimits.cpu_ms = 10000");
    let flood = "(local $n i32) (call $log (i32.const 2) (i32.const 256) (i32.const 0))
         (call $log (i32.const 3) {\u{1b}[31mred\nline})
         (loop $on (call $log (i32.const 2) {flooding}) (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $on (i32.lt_u (local.get $n) (i32.const 10000))))";
    // Locals come first in a function, so the flood is one of its own.
    let module = Guest::wanting(&["push"])
        .with(&format!("(func $flood {flood})"))
        .handling("(call $flood) (call $log (i32.const 2) {never seen})");
    home.install("flooder", module.component());
    let gateway = Process::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is done", || home.ledger().outcomes("flooder", &id) == ["done"]);
    eventually("it is cut", || gateway.log().contains("flooder: (the rest of the log is cut: log_bytes)"));
    let log = gateway.log();
    let lines = log.lines().filter(|line| line.contains("flooding")).count();
    assert!((5..=250).contains(&lines), "{lines} lines of 8 bytes in 2,000");
    assert!(!log.contains("never seen"));
    assert!(log.contains(r"flooder: \u{1b}[31mred\u{a}line"), "{log}");
}

#[test]
fn wasi_has_empty_hands_and_standard_output_is_log_lines() {
    let home = Home::new();
    let write = |fd: u32, words: &str| {
        format!(
            "(call $iovec {{{words}}}) (if (call $fd_write (i32.const {fd}) (i32.const 256) (i32.const 1) (i32.const 272)) (then unreachable))"
        )
    };
    let iovec = "(func $iovec (param i32 i32) (i32.store (i32.const 256) (local.get 0)) (i32.store (i32.const 260) (local.get 1)))";
    let handle = format!(
        "{}{}{}
         ;; No folder is open: 8 is EBADF.
         (if (i32.ne (call $fd_prestat_get (i32.const 3) (i32.const 288)) (i32.const 8)) (then unreachable))
         (if (call $environ_sizes_get (i32.const 296) (i32.const 300)) (then unreachable))
         (if (i32.load (i32.const 296)) (then unreachable))",
        write(1, "to out\n"),
        write(2, "to err\n"),
        write(1, "unfinished"),
    );
    home.install("wasi", Guest::wanting(&["push"]).with(iovec).handling(&handle).module());
    let gateway = Process::start(&home);
    assert_eq!(gateway.slot("wasi"), "live", "{}", gateway.why("wasi"));
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is over", || !home.ledger().outcomes("wasi", &id).is_empty());
    assert_eq!(home.ledger().outcomes("wasi", &id), ["done"]);
    for (level, line) in [("INFO", "wasi: to out"), ("WARN", "wasi: to err"), ("INFO", "wasi: unfinished")] {
        eventually("it is logged", || {
            gateway.log().lines().any(|logged| logged.contains(level) && logged.contains(line))
        });
    }
}

#[test]
fn a_log_that_goes_into_a_file_has_no_colours_in_it() {
    let home = Home::new();
    home.install("worker", doing("(call $log (i32.const 4) {hello})").component());
    let gateway = Process::start(&home);
    gateway.post(&home.sender("github").webhook("push"));
    eventually("it is logged", || gateway.log().contains("worker: hello"));
    assert!(!gateway.log().contains('\u{1b}'), "{}", gateway.log());
}
