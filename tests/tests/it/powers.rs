//! What plugins may do beside handling an event: each bit of it asked for, granted, bounded, and kept only with a good outcome.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hookgate_tests::{Gateway, Guest, Home, Process, Sender, State, eventually};

/// Where a call's result is put: out of the way of everything else.
const OUT: &str = "(i32.const 512)";

/// Sets a key for good.
fn set(key: &str, value: &str) -> String {
    format!("(call $state_set {{{key}}} {{{value}}} (i32.const 0) (i64.const 0) {OUT})")
}

/// Makes an event without attributes.
fn emit(event_type: &str, payload: &str) -> String {
    format!("(call $emit {{{event_type}}} {{{payload}}} (i32.const 0) (i32.const 0) {OUT})")
}

/// Asks a host with GET.
fn send(url: &str) -> String {
    let nothing = "(i32.const 0) (i32.const 0)";
    format!("(call $send {{GET}} {{{url}}} {nothing} {nothing} (i32.const 0) (i64.const 0) {OUT})")
}

/// Tells why the last call failed, and rejects with it; goes on where it did not fail. The error stands behind a tag whose
/// place depends on what a good result would be aligned to.
fn tell_error(at: usize) -> String {
    let text = format!("(i32.load (i32.const {})) (i32.load (i32.const {}))", 512 + at + 4, 512 + at + 8);
    format!("(if (i32.load8_u {OUT}) (then (return (call $reject {text}))))")
}

const GRANTED: &str = "[plugins.made]\nstate = true\nemit = [\"made.*\"]\n";

/// The same for one that makes two kinds of events.
const BOTH: &str = "[plugins.made]\nstate = true\nemit = [\"made.*\", \"found.*\"]\n";

fn with_powers(instructions: &str) -> Guest {
    Guest::wanting(&["push"]).asking_for("state", "", &[]).asking_for("emit", "made.*", &[]).handling(instructions)
}

#[test]
fn what_a_call_wrote_is_kept_if_it_ends_well_and_forgotten_if_not() {
    let home = Home::with(&format!("delivery.schedule_s = [0, 0, 0]\n{GRANTED}"));
    let twice = format!(
        "{} {} {}
         (if (i32.eq (local.get $attempt) (i32.const 1)) (then (return (call $retry {{not yet}}))))
         (if (i32.eq (local.get $attempt) (i32.const 2)) (then unreachable))",
        set("key", "value"),
        emit("made.it", "the body"),
        "(call $state_increment {tries} (i64.const 1) (i32.const 512))"
    );
    home.install("made", with_powers(&twice).component());
    home.install("hears", Guest::telling(&["plugin:made.*"]).component());
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    let ledger = home.ledger();
    eventually("it is done", || ledger.state("made", &id) == Some(State::Done));
    assert_eq!(ledger.outcomes("made", &id), ["retry", "trapped", "done"]);
    let expected = [("key", "value"), ("tries", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(ledger.remembered("made"), BTreeMap::from(expected));
    assert_eq!(ledger.emitted("made"), [("made.it".to_owned(), "the body".to_owned())]);
    eventually("the other one heard it", || ledger.count("hears", State::Dead) == 1);
    let told = &ledger.attempts("hears")[0].why;
    for part in ["[plugin:made][plugin][made.it]", "[emitted.depth=1]", &format!("[emitted.by={id}]"), "[the body]"] {
        assert!(told.contains(part), "{told} has no {part}");
    }
}

#[test]
fn a_plugin_without_what_it_needs_is_blocked_until_the_config_grants_it() {
    let home = Home::with("[plugins.made]\nemit = [\"other\"]");
    let guest = with_powers(&format!("{} {}", set("key", "value"), emit("made.it", "x")));
    let guest = guest.asking_for("host", "api.frame.io", &[("credential", "bearer"), ("methods", "POST")]);
    home.install("made", guest.asking_for("emit", "found.*", &[]).component());
    let gateway = Process::start(&home);
    assert_eq!(gateway.slot("made"), "blocked");
    let why = gateway.why("made");
    for line in [
        "host api.frame.io, state, emit made.*, emit found.*",
        "[plugins.made.hosts.\"api.frame.io\"]\nmethods = [\"POST\"]\nbearer = { env = \"...\" }",
        "[plugins.made]\nstate = true\nemit = [\"made.*\", \"found.*\"]",
    ] {
        assert!(why.contains(line), "{why}\nhas no\n{line}");
    }
    let id = gateway.post(&home.sender("github").webhook("push")).id();

    // A wrong config changes nothing, and says why.
    home.configure("[plugins.made]\nstate = 7");
    eventually("the wrong config is told", || gateway.log().contains("plugins.made.state: must be true, false"));
    assert_eq!(gateway.slot("made"), "blocked");

    home.configure(&format!("{BOTH}[plugins.made.hosts.\"api.frame.io\"]\nmethods = [\"POST\"]"));
    let ledger = home.ledger();
    eventually("what waited was done", || ledger.state("made", &id) == Some(State::Done));
    assert_eq!(gateway.slot("made"), "live");

    // Taken away, it is blocked again, and what it remembers stays.
    home.configure("");
    eventually("it is blocked again", || gateway.slot("made") == "blocked");
    assert_eq!(ledger.remembered("made")["key"], "value");
    let later = gateway.post(&home.sender("github").webhook("push")).id();
    home.configure(&format!("{BOTH}[plugins.made.hosts.\"api.frame.io\"]"));
    eventually("what waited was done", || ledger.state("made", &later) == Some(State::Done));
}

#[test]
fn status_check_and_log_show_what_a_plugin_asks_has_and_lacks() {
    let home = Home::with("[plugins.made]\nstate = true");
    let guest = Guest::wanting(&["push"]).asking_for("state", "", &[("about", "Counts pushes.")]);
    let guest = guest.asking_for("host", "*.example.com", &[("optional", "true")]);
    home.install("made", guest.component());
    let ran = hookgate_tests::run_hookgate(&home, &["check"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for line in
        ["has state  Counts pushes.", "can do without host *.example.com", "[plugins.made.hosts.\"*.example.com\"]"]
    {
        assert!(ran.out.contains(line), "{}\nhas no {line}", ran.out);
    }
    let gateway = Process::start(&home);
    let asks = gateway.status()["plugins"][0]["asks"].to_string();
    assert!(asks.contains(r#""what":"state","name":"","about":"Counts pushes.","granted":true"#), "{asks}");
    assert!(asks.contains(r#""name":"*.example.com","about":"","granted":false,"optional":true,"paste""#), "{asks}");
    assert!(gateway.log().contains("may use state; was not granted host *.example.com"), "{}", gateway.log());
}

#[test]
fn more_than_is_granted_is_an_error_with_a_sentence() {
    let home = Home::with(
        "delivery.schedule_s = []
         [plugins.keys]\nstate = { keys = 1 }\n[plugins.bytes]\nstate = { bytes = 5 }\n[plugins.types]\nemit = [\"made.*\"]
         [plugins.unasked]\nstate = true\nemit = [\"*\"]
         [plugins.pace]\nstate = true\nwrite_mib_per_minute = 1\n[plugins.noise]\nemit = [\"made.*\"]\nemit_per_minute = 2
         [plugins.url]\n[plugins.url.hosts.\"api.example.com\"]",
    );
    let state = |instructions: String| Guest::wanting(&["push"]).asking_for("state", "", &[]).handling(&instructions);
    let emits = |instructions: String| Guest::wanting(&["push"]).asking_for("emit", "*", &[]).handling(&instructions);
    let asks = |instructions: String| Guest::wanting(&["push"]).asking_for("host", "*", &[]).handling(&instructions);
    let large =
        "(call $state_set {large} (i32.const 0) (i32.const 600000) (i32.const 0) (i64.const 0) (i32.const 512))";
    let plain = |instructions: String| Guest::wanting(&["push"]).handling(&instructions);
    let table = [
        ("keys", state(format!("{}{}{}", set("a", "1"), set("b", "2"), tell_error(4))), "may remember"),
        ("bytes", state(format!("{}{}", set("abc", "123"), tell_error(4))), "it may remember 5 bytes"),
        ("types", emits(format!("{}{}", emit("other.it", "x"), tell_error(4))), "were not asked for or not granted"),
        (
            "pace",
            state(format!("{0}{0}{1}", large, tell_error(4))).memory_pages(12),
            "more than 1 MiB of state and events in a minute",
        ),
        (
            "noise",
            emits(format!("{0}{0}{0}{1}", emit("made.it", "x"), tell_error(4))),
            "more than 2 events in a minute",
        ),
        ("unasked", plain(format!("{}{}", set("a", "1"), tell_error(4))), "state was not asked for"),
        (
            "url",
            asks(format!("{}{}", send("https://api.other.com/"), tell_error(4))),
            "[plugins.url.hosts.\"api.other.com\"]",
        ),
    ];
    for (name, guest, _) in &table {
        home.install(name, guest.component());
    }
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    let ledger = home.ledger();
    for (name, _, expected) in &table {
        assert_eq!(gateway.slot(name), "live", "{}", gateway.why(name));
        eventually(&format!("{name} is dead"), || ledger.state(name, &id) == Some(State::Dead));
        let attempts = ledger.attempts(name);
        assert!(attempts[0].outcome == "reject" && attempts[0].why.contains(expected), "{name}: {attempts:?}");
        assert_eq!((ledger.remembered(name).len(), ledger.emitted(name).len()), (0, 0), "{name}");
    }
}

#[test]
fn a_secret_that_comes_after_the_config_is_noticed() {
    let home = Home::new();
    let gateway = Process::start(&home);
    home.configure("[sources.late]\nprovider = \"github\"\nsecrets = [{ file = \"late.secret\" }]");
    eventually("what is missing is told", || gateway.log().contains("sources.late.secrets[0].file: cannot read"));
    home.write("late.secret", "a-secret-that-came-late");
    let webhook = Sender::of("github", "late", "a-secret-that-came-late").webhook("push");
    eventually("it is taken", || gateway.post(&webhook).status == 200);
    // A config that was away for a while is looked at again when it is back.
    std::fs::rename(home.config(), home.path().join("away")).unwrap();
    eventually("that it is gone is told", || gateway.log().contains("the one before counts on: cannot read"));
    std::fs::rename(home.path().join("away"), home.config()).unwrap();
    home.configure("");
    eventually("the source is gone", || gateway.post(&webhook).status == 404);
}

#[test]
fn many_keys_in_one_call_cost_no_more_each() {
    let home = Home::with("[plugins.many]\nstate = true\ncpu_ms = 5000");
    let many = "(local $n i32)
        (loop $next
          (i32.store8 (i32.const 700) (i32.add (i32.const 32) (i32.and (local.get $n) (i32.const 63))))
          (i32.store8 (i32.const 701) (i32.add (i32.const 32) (i32.shr_u (local.get $n) (i32.const 6))))
          (call $state_set (i32.const 700) (i32.const 2) (i32.const 700) (i32.const 2) (i32.const 0) (i64.const 0) (i32.const 512))
          (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 2000))))";
    let code = format!("{many}{}", tell_error(4));
    home.install("many", Guest::wanting(&["push"]).asking_for("state", "", &[]).handling(&code).component());
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    let ledger = home.ledger();
    eventually("it is settled", || matches!(ledger.state("many", &id), Some(State::Done | State::Dead)));
    assert_eq!(ledger.outcomes("many", &id), ["done"], "{:?}", ledger.attempts("many"));
    assert_eq!(ledger.remembered("many").len(), 2000);
}

#[test]
fn plugins_that_make_events_of_each_others_come_to_an_end() {
    let home = Home::with("delivery.schedule_s = []\n[plugins.loops]\nemit = [\"push\"]");
    let again = format!("{}{}", emit("push", "x"), tell_error(4));
    home.install("loops", Guest::wanting(&["push"]).asking_for("emit", "push", &[]).handling(&again).component());
    let gateway = Gateway::start(&home);
    gateway.post(&home.sender("github").webhook("push"));
    let ledger = home.ledger();
    eventually("the last is dead", || ledger.count("loops", State::Dead) == 1);
    assert_eq!((ledger.count("loops", State::Done), ledger.emitted("loops").len()), (8, 8));
    let attempts = ledger.attempts("loops");
    let last = attempts.iter().find(|attempt| attempt.outcome == "reject").unwrap();
    assert!(last.why.contains("this looks like a loop"), "{last:?}");
}

/// Reads a number, works, and writes it plus one: what is lost where two do that at a time and nobody looks.
fn counter(work: u32) -> Guest {
    let digits = "
        (func $read (result i32) (local $at i32) (local $len i32) (local $sum i32)
          (call $state_get {n} (i32.const 512))
          (if (i32.eqz (i32.load8_u (i32.const 516))) (then (return (i32.const 0))))
          (local.set $at (i32.load (i32.const 520)))
          (local.set $len (i32.load (i32.const 524)))
          (loop $next
            (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 10))
              (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $len (i32.sub (local.get $len) (i32.const 1)))
            (br_if $next (local.get $len)))
          (local.get $sum))
        (func $write (param $n i32) (local $at i32)
          (local.set $at (i32.const 640))
          (loop $next
            (local.set $at (i32.sub (local.get $at) (i32.const 1)))
            (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
            (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
            (br_if $next (local.get $n)))
          (call $state_set {n} (local.get $at) (i32.sub (i32.const 640) (local.get $at)) (i32.const 0) (i64.const 0)
            (i32.const 512)))";
    Guest::wanting(&["push"]).asking_for("state", "", &[]).with(digits).handling(&format!(
        "(local $n i32) (local.set $n (call $read)) (call $work (i32.const {work})) (call $write (i32.add (local.get $n) (i32.const 1)))"
    ))
}

#[test]
fn calls_beside_each_other_lose_no_update() {
    let home = Home::with("[plugins.counts]\nstate = true\ncalls_at_once = 16");
    home.install("counts", counter(500_000).component());
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let posts = 200;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..posts / 4).for_each(|_| drop(gateway.post(&sender.webhook("push")))));
        }
    });
    let ledger = home.ledger();
    eventually("all is done", || ledger.count("counts", State::Done) == posts);
    assert_eq!(ledger.remembered("counts")["n"], posts.to_string());
    assert!(ledger.attempts("counts").iter().all(|attempt| attempt.number == 1 && attempt.outcome == "done"));
    let overtaken = gateway.metric("hookgate_overtaken_total{plugin=\"counts\"}");
    assert!(overtaken > 0.0, "nothing was overtaken, so this shows nothing");
}

#[test]
fn what_expires_is_gone_and_given_back() {
    let home = Home::with("[plugins.keeps]\nstate = { keys = 1 }");
    let keep = "(call $state_set {short} {x} (i32.const 1) (i64.const 300) (i32.const 512))";
    let guest = Guest::wanting(&["push"]).asking_for("state", "", &[]).handling(&format!("{keep}{}", tell_error(4)));
    home.install("keeps", guest.component());
    let gateway = Gateway::start(&home);
    let ledger = home.ledger();
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is done", || ledger.state("keeps", &id) == Some(State::Done));
    eventually("it is gone", || ledger.remembered("keeps").is_empty());
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("there is room again", || ledger.state("keeps", &id) == Some(State::Done));
}

/// 200 times killed at some moment, and after each what is on disk is told by the attempts that settled: no less, no more.
#[test]
fn killed_at_any_moment_state_and_events_are_those_of_settled_attempts() {
    let home = Home::with(
        "delivery.schedule_s = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
         [plugins.made]\nstate = true\nemit = [\"made.*\"]\ncalls_at_once = 4",
    );
    let does = "(call $state_increment {total} (i64.const 1) (i32.const 512))
         (call $work (i32.const 200000))
         (call $state_set (local.get $id) (local.get $id_len) {seen} (i32.const 0) (i64.const 0) (i32.const 512))
         (call $emit {made.it} (local.get $id) (local.get $id_len) (i32.const 0) (i32.const 0) (i32.const 512))";
    home.install("made", with_powers(does).component());
    let sender = home.sender("github");
    let (mut posted, ledger) = (0, home.ledger());
    let begun = Instant::now();
    for n in 0..200u64 {
        let gateway = Process::start(&home);
        for _ in 0..4 {
            gateway.post(&sender.webhook("push"));
            posted += 1;
        }
        // From right after the answer to some time after all is done, in steps that never repeat.
        std::thread::sleep(Duration::from_micros(n * 7919 % 12_000));
        gateway.kill();
        assert_settled(&ledger, &format!("after kill {n}"));
    }
    let gateway = Process::start(&home);
    eventually("all is done", || ledger.count("made", State::Done) + ledger.count("made", State::Dead) == posted);
    drop(gateway);
    assert_settled(&ledger, "in the end");
    assert_eq!((ledger.count("made", State::Done), ledger.integrity()), (posted, "ok".to_owned()));
    let lost = ledger.attempts("made").iter().filter(|attempt| attempt.outcome == "lost").count();
    assert!(lost > 0, "no kill came while a call ran, so this shows nothing");
    eprintln!("200 kills in {:?}: {posted} events, {lost} attempts lost", begun.elapsed());
}

/// What the attempts that are done wrote is there once, and nothing else is.
fn assert_settled(ledger: &hookgate_tests::Ledger, when: &str) {
    let mut done: Vec<String> =
        ledger.states("made").into_iter().filter(|(_, state)| *state == State::Done).map(|(id, _)| id).collect();
    done.sort();
    let mut remembered = ledger.remembered("made");
    let total = remembered.remove("total").unwrap_or_else(|| "0".into());
    assert_eq!(total, done.len().to_string(), "the total {when}");
    assert_eq!(remembered.into_keys().collect::<Vec<_>>(), done, "the keys {when}");
    let mut emitted: Vec<String> = ledger.emitted("made").into_iter().map(|(_, payload)| payload).collect();
    emitted.sort();
    assert_eq!(emitted, done, "the events {when}");
}
