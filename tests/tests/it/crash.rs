//! What was acknowledged survives the end of the process, at moments that are chosen. By chance and under load it ends in `kill_loop` and `supervision`.

use std::collections::HashMap;
use std::time::Duration;

use hookgate_tests::{Guest, Home, Ledger, Process, State, eventually, within};

/// Takes some milliseconds for each event, so that something always runs when the end comes.
fn worker() -> Vec<u8> {
    Guest::wanting(&["push"]).handling("(call $work (i32.const 5000000))").component()
}

fn home() -> Home {
    let many_retries = vec!["0"; 90].join(", ");
    let home = Home::with(&format!("delivery.schedule_s = [{many_retries}]\nlimits.calls_at_once = 4"));
    home.install("worker", worker());
    home
}

/// Everything that was acknowledged is there, and in the end the plugin has done all of it.
fn assert_all_handled(home: &Home, ids: &[String]) {
    let ledger = home.ledger();
    // What was written down and not answered any more is there too, and does not count.
    within(Duration::from_secs(60), || not_done(&ledger, ids).is_empty());
    let lost = not_done(&ledger, ids);
    assert!(lost.is_empty(), "{} of {} were lost: {lost:?}", lost.len(), ids.len());
    let attempts = ledger.attempts("worker");
    let done = |id: &String| attempts.iter().any(|attempt| attempt.event == *id && attempt.outcome == "done");
    assert!(ids.iter().all(done), "each was handled at least once");
    assert!(attempts.iter().all(|attempt| ["done", "lost"].contains(&attempt.outcome)), "{attempts:?}");
    assert_eq!(ledger.integrity(), "ok");
}

fn not_done(ledger: &Ledger, ids: &[String]) -> Vec<(String, Option<State>)> {
    let states: HashMap<String, State> = ledger.states("worker").into_iter().collect();
    let stands = ids.iter().map(|id| (id.clone(), states.get(id).copied()));
    stands.filter(|(_, state)| *state != Some(State::Done)).collect()
}

#[test]
fn killed_right_after_the_nth_answer_nothing_acknowledged_is_lost() {
    let home = home();
    let sender = home.sender("github");
    let mut ids = Vec::new();
    for n in 1..=50 {
        let gateway = Process::start(&home);
        for _ in 0..n {
            ids.push(gateway.post(&sender.webhook("push")).id());
        }
        gateway.kill();
    }

    let _gateway = Process::start(&home);
    assert_eq!(ids.len(), 1275);
    assert_all_handled(&home, &ids);
}

#[test]
fn a_request_that_was_begun_before_the_stop_is_answered() {
    use std::io::{Read, Write};
    let home = home();
    let mut gateway = Process::start(&home);
    let request = home.sender("github").webhook("push").request();
    let (most, rest) = request.split_at(request.len() - 10);
    let mut stream = std::net::TcpStream::connect(gateway.hooks).unwrap();
    stream.write_all(most).unwrap();
    // A request after it that is answered shows that the one before was taken up.
    gateway.post(&home.sender("github").webhook("push")).id();

    gateway.terminate();
    eventually("nothing new is taken", || std::net::TcpStream::connect(gateway.hooks).is_err());
    stream.write_all(rest).unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();

    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
    assert_eq!(gateway.wait().code(), Some(0));
    assert_eq!(home.ledger().events(), 2);
}

#[test]
fn an_idle_gateway_stops_at_once() {
    let home = home();
    let mut gateway = Process::start(&home);
    gateway.terminate();
    let begun = std::time::Instant::now();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(9), "an idle one needs no grace: {:?}", begun.elapsed());
}

#[test]
fn a_call_that_runs_when_it_is_asked_to_stop_is_let_end() {
    let home = Home::new();
    // Says that it has begun, and sleeps for a second.
    let handle = "(call $log (i32.const 2) {begun})
         (i32.store (i32.const 272) (i32.const 1)) (i64.store (i32.const 280) (i64.const 1000000000))
         (drop (call $poll_oneoff (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 768)))";
    home.install("sleeper", Guest::wanting(&["push"]).handling(handle).module());
    let mut gateway = Process::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it runs", || gateway.log().contains("sleeper: begun"));

    gateway.terminate();

    assert_eq!(gateway.wait().code(), Some(0), "{}", gateway.log());
    assert_eq!(home.ledger().outcomes("sleeper", &id), ["done"]);
    assert_eq!(home.ledger().state("sleeper", &id), Some(State::Done));
}

#[test]
fn while_calls_end_before_a_stop_operators_are_told_so_and_can_look() {
    let home = Home::with("server.drain_ms = 60000");
    let handle = "(call $log (i32.const 2) {begun})
         (i32.store (i32.const 272) (i32.const 1)) (i64.store (i32.const 280) (i64.const 5000000000))
         (drop (call $poll_oneoff (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 768)))";
    home.install("sleeper", Guest::wanting(&["push"]).handling(handle).module());
    let mut gateway = Process::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it runs", || gateway.log().contains("sleeper: begun"));
    assert_eq!(gateway.get("/readyz").status, 200);

    gateway.terminate();

    eventually("nothing new is taken", || std::net::TcpStream::connect(gateway.hooks).is_err());
    let ready = gateway.get("/readyz");
    assert_eq!((ready.status, &*ready.text()), (503, "stopping\n"));
    assert_eq!((gateway.slot("sleeper").as_str(), &gateway.status()["queue"]["running"]), ("live", &1.into()));
    assert_eq!(gateway.get(&format!("/api/v1/events/{id}")).json()["state"], "pending");
    assert_eq!(gateway.wait().code(), Some(0), "{}", gateway.log());
    assert_eq!(home.ledger().outcomes("sleeper", &id), ["done"]);
    let log = gateway.end();
    assert!(
        log.lines().last().is_some_and(|line| line.contains("everything that was acknowledged is on disk")),
        "{log}"
    );
}

#[test]
fn what_fails_while_it_stops_is_told_and_does_not_end_well() {
    let home = Home::with("server.drain_ms = 60000");
    // Longer than it takes to take the folder away.
    let handle = "(call $log (i32.const 2) {begun})
         (i32.store (i32.const 272) (i32.const 1)) (i64.store (i32.const 280) (i64.const 16000000000))
         (drop (call $poll_oneoff (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 768)))";
    home.install("sleeper", Guest::wanting(&["push"]).handling(handle).module());
    let mut gateway = Process::start(&home);
    gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it runs", || gateway.log().contains("sleeper: begun"));

    gateway.terminate();
    eventually("it stops", || gateway.log().contains("stopping"));
    // What is written down from now on is in a file that nobody finds.
    std::fs::rename(home.data(), home.path().join("taken-away")).unwrap();

    assert_eq!(gateway.wait().code(), Some(1), "{}", gateway.log());
    let log = gateway.log();
    assert!(log.contains("cannot keep its promises") && log.contains("hookgate.db"), "{log}");
    assert!(!log.contains("everything that was acknowledged is on disk"), "{log}");
}

#[test]
fn a_start_beside_somebody_who_reads_takes_webhooks_at_once() {
    let home = home();
    let (sender, gateway) = (home.sender("github"), Process::start(&home));
    let mut ids = vec![gateway.post(&sender.webhook("push")).id()];
    let reader = home.ledger().reads();
    ids.push(gateway.post(&sender.webhook("push")).id());
    gateway.kill();

    let gateway = Process::start(&home);
    assert_eq!(gateway.get("/readyz").status, 200);
    for _ in 0..20 {
        ids.push(gateway.post(&sender.webhook("push")).id());
    }
    gateway.kill();

    // Neither what was there nor what came behind it is gone, whoever reads when.
    let _gateway = Process::start(&home);
    drop(reader);
    assert_all_handled(&home, &ids);
}

#[test]
fn a_call_that_does_not_end_in_time_is_cut_off_and_tried_again() {
    let home = Home::with("server.drain_ms = 200\nlimits.cpu_ms = 60000\nlimits.call_ms = 60000");
    // Runs for ever the first time.
    let handle = "(call $log (i32.const 2) {begun})
         (if (i32.eq (local.get $attempt) (i32.const 1)) (then (loop $on (br $on))))";
    home.install("stuck", Guest::wanting(&["push"]).handling(handle).component());
    let mut gateway = Process::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it runs", || gateway.log().contains("stuck: begun"));

    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0), "{}", gateway.log());
    assert!(gateway.log().contains("1 calls did not end in time"), "{}", gateway.log());

    let _gateway = Process::start(&home);
    eventually("it is done", || home.ledger().state("stuck", &id) == Some(State::Done));
    assert_eq!(home.ledger().outcomes("stuck", &id), ["lost", "done"]);
}
