//! One slow plugin, one flooding source, one key, one full queue: whom it concerns, and whom it does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookgate_tests::{
    Gateway, Guest, Home, Process, Receiver, Reply, State, eventually, eventually_within, run_hookgate,
};

/// Takes some milliseconds for each event.
fn slow() -> Guest {
    Guest::wanting(&["*"]).handling("(call $work (i32.const 5000000))")
}

#[test]
fn a_source_that_floods_delays_no_other() {
    let home = Home::with("limits.calls_at_once = 1");
    home.install("worker", slow().component());
    let gateway = Gateway::start(&home);
    let flood = home.sender("github");
    let flooded: Vec<String> = (0..300).map(|_| gateway.post(&flood.webhook("push")).id()).collect();

    let quiet = gateway.post(&home.sender("soundhash").webhook("video.processed")).id();

    let ledger = home.ledger();
    eventually("the quiet source's is done", || ledger.state("worker", &quiet) == Some(State::Done));
    let order = begun(&ledger.attempts_in_order("worker"));
    let (place, behind) =
        (order[&quiet], flooded.iter().filter(|id| order.get(*id).is_none_or(|at| *at > order[&quiet])));
    assert!(behind.count() > 0, "it was number {place} of {}, behind all that came before it", order.len());
}

/// Has those answered who wait for it, at the latest where a test ends.
struct Answers(Arc<AtomicBool>);

impl Drop for Answers {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_slow_plugin_with_a_backlog_delays_no_other() {
    let told = Arc::new(AtomicBool::new(false));
    let answers = told.clone();
    // Whoever asks here waits, until it is said that they get an answer.
    let upstream = Receiver::answering(move |_, _| {
        while !told.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Reply::Status(200)
    });
    let address = upstream.address();
    let home = Home::with(&format!(
        "limits.calls_at_once = 2\nlimits.call_ms = 600000\n[plugins.slow.hosts.\"127.0.0.1\"]\nschemes = [\"http\"]
         allow_private = [\"{address}\"]\ntimeout_ms = 600000\nper_minute = 100000"
    ));
    let none = "(i32.const 0) (i32.const 0)";
    let ask =
        format!("(call $send {{GET}} {{http://{address}/}} {none} {none} (i32.const 0) (i64.const 0) (i32.const 256))");
    let slow = Guest::wanting(&["push"]).asking_for("host", "127.0.0.1", &[]).handling(&ask);
    home.install("slow", slow.component());
    home.install("quick", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    // It goes before the gateway does, which waits for calls that are under way.
    let answers = Answers(answers);
    let sender = home.sender("github");

    (0..300).for_each(|_| drop(gateway.post(&sender.webhook("push")).id()));

    let ledger = home.ledger();
    eventually("the quick one has done all", || ledger.count("quick", State::Done) == 300);
    eventually("the slow one asks", || upstream.count() == 2);
    let (done, waiting) = (ledger.count("slow", State::Done), ledger.count("slow", State::Waiting));
    drop(answers);
    assert_eq!((done, waiting), (0, 298), "of the slow one's");
    eventually("the slow one has done all", || ledger.count("slow", State::Done) == 300);
}

#[test]
fn a_plugin_that_can_hold_all_instances_is_told_of_before_it_does() {
    let home = Home::with("[plugins.worker]\ncalls_at_once = 32");
    let checked = run_hookgate(&home, &["check"]);
    let warning =
        "warning: plugins.worker.calls_at_once: 32 calls of one plugin may be all the instances that there are";
    assert!(checked.err.contains(warning) && checked.err.contains("raise limits.instances"), "{}", checked.err);
    let gateway = Process::start(&home);
    assert!(gateway.log().contains("plugins.worker.calls_at_once: 32"), "{}", gateway.log());
}

/// Which event was begun as which.
fn begun(attempts: &[(String, u64, u64)]) -> BTreeMap<String, usize> {
    attempts.iter().enumerate().rev().map(|(n, (event, ..))| (event.clone(), n)).collect()
}

#[test]
fn events_of_one_key_are_handled_one_after_another_in_the_order_of_acceptance() {
    let home = Home::with("plugins.worker.ordered_by = \"resource.id\"\nlimits.calls_at_once = 8");
    // The first attempt of each fails, so that what comes behind it would overtake it.
    let fails_once = "(if (i32.eq (local.get $attempt) (i32.const 1)) (then (return (call $retry {not yet}))))";
    let handling = format!("(call $work (i32.const 1000000)) {fails_once}");
    home.install("worker", Guest::wanting(&["file.*"]).handling(&handling).component());
    let gateway = Gateway::start(&home);
    let sender = home.sender("frameio");
    let mut by_key: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for nth in 0..60 {
        let key = ["a", "b", "c"][nth % 3];
        let body = format!(r#"{{"type":"file.ready","nth":{nth},"resource":{{"id":"{key}","type":"file"}}}}"#);
        by_key.entry(key).or_default().push(gateway.post(&sender.with_body("file.ready", body)).id());
    }

    eventually_within(Duration::from_secs(60), "all is done", || home.ledger().count("worker", State::Done) == 60);

    let attempts = home.ledger().attempts_in_order("worker");
    for (key, ids) in by_key {
        let own: Vec<_> = attempts.iter().filter(|(event, ..)| ids.contains(event)).collect();
        let order: Vec<&String> = own.iter().map(|(event, ..)| event).collect();
        let expected: Vec<&String> = ids.iter().flat_map(|id| [id, id]).collect();
        assert_eq!(order, expected, "key {key}");
        // Times are kept to the millisecond.
        let overlaps = own.windows(2).filter(|pair| pair[1].1 + 1 < pair[0].2);
        assert_eq!(overlaps.count(), 0, "key {key}: {own:?}");
    }
}

#[test]
fn a_plugin_that_fails_all_the_time_is_left_alone_until_a_probe_goes_well() {
    let home = Home::with(&format!("delivery.schedule_s = [{}]", vec!["0"; 90].join(", ")));
    home.install("worker", Guest::wanting(&["*"]).handling("unreachable").component());
    let gateway = Gateway::start(&home);
    let ids: Vec<String> = (0..20).map(|_| gateway.post(&home.sender("github").webhook("push")).id()).collect();

    eventually("it is left alone", || gateway.plugin("worker")["left_alone"]["failures"].as_u64() >= Some(10));
    assert!(gateway.plugin("worker")["left_alone"]["until"].is_string());
    let tried = home.ledger().attempts("worker").len();
    assert!(tried < 20 * 91, "its attempts are not used up: {tried}");

    home.install("worker", Guest::wanting(&["*"]).version("2").component());
    let ledger = home.ledger();
    eventually("all is done by the new code", || ids.iter().all(|id| ledger.state("worker", id) == Some(State::Done)));
    assert!(gateway.plugin("worker")["left_alone"].is_null());
}

#[test]
fn a_queue_that_is_as_long_as_it_may_be_takes_repeats_and_nothing_new() {
    let home = Home::with("delivery.open_deliveries = 3");
    home.install("worker", Guest::wanting(&["*"]).component());
    drop(Gateway::start(&home));
    home.install("worker", "no plugin");
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let first = sender.webhook("push");
    let mut ids = vec![gateway.post(&first).id()];
    ids.extend((0..2).map(|_| gateway.post(&sender.webhook("push")).id()));

    let refused = gateway.post(&sender.webhook("push"));
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(gateway.status()["refusing"], "as many deliveries wait as may (open_deliveries)");
    let again = gateway.post(&first);
    assert_eq!((again.status, again.id(), again.is_duplicate()), (200, ids[0].clone(), true));

    home.install("worker", Guest::wanting(&["*"]).component());
    let ledger = home.ledger();
    eventually("what waits is done", || ids.iter().all(|id| ledger.state("worker", id) == Some(State::Done)));
    eventually("it says that there is room", || gateway.status()["refusing"].is_null());
    assert_eq!(gateway.post(&sender.webhook("push")).status, 200);
    assert_eq!(ledger.events(), 4, "what was refused is not there");
}

#[test]
fn a_queue_that_is_as_long_as_it_may_be_has_the_dead_delivered_again_that_their_sender_repeats() {
    let home = Home::with("delivery.open_deliveries = 3");
    home.install("worker", Guest::wanting(&["push"]).handling("(return (call $reject {no}))").component());
    home.install("other", Guest::wanting(&["ping"]).component());
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let webhook = sender.webhook("push");
    let id = gateway.post(&webhook).id();
    let ledger = home.ledger();
    eventually("it is dead", || ledger.state("worker", &id) == Some(State::Dead));
    home.install("worker", Guest::wanting(&["push"]).version("2").component());
    eventually("its new code is live", || gateway.plugin("worker")["version"] == "2");
    std::fs::remove_file(home.plugin("other")).unwrap();
    eventually("it is gone", || gateway.slot("other") == "gone");
    (0..3).for_each(|_| drop(gateway.post(&sender.webhook("ping")).id()));
    assert_eq!(gateway.post(&sender.webhook("ping")).status, 503);

    assert!(gateway.post(&webhook).is_duplicate());

    eventually("it is done", || ledger.state("worker", &id) == Some(State::Done));
}

#[test]
fn the_oldest_bodies_go_where_they_are_too_many_and_their_repeats_are_still_known() {
    let home = Home::with("delivery.keep_mib = 16");
    home.install("worker", Guest::wanting(&["*"]).component());
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let body = |nth: usize| format!(r#"{{"nth":{nth},"filling":"{}"}}"#, "x".repeat(900_000));
    let first = sender.with_body("push", body(0));
    let first_id = gateway.post(&first).id();
    let ids: Vec<String> = (1..40).map(|nth| gateway.post(&sender.with_body("push", body(nth))).id()).collect();

    let ledger = home.ledger();
    eventually_within(Duration::from_secs(30), "the oldest are let go", || ledger.kept_bodies() <= 18);
    assert!(ledger.kept_bodies() >= 8, "no more go than must");
    eventually("the newest is done", || ledger.state("worker", ids.last().unwrap()) == Some(State::Done));
    assert_eq!(ledger.state("worker", &first_id), None);
    let again = gateway.post(&first);
    assert_eq!((again.id(), again.is_duplicate()), (first_id, true));
    assert_eq!(ledger.events(), 40);
}
