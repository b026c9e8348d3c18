//! The same delivery again: one event, one id, whenever and however often it comes.

use std::collections::HashSet;
use std::sync::Barrier;

use hookgate_tests::{Answer, Gateway, Guest, Home, Process, State, eventually};

fn home() -> Home {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["*"]).component());
    home
}

#[test]
fn a_repeat_is_answered_with_the_first_ones_id_and_not_run_again() {
    let home = home();
    let gateway = Gateway::start(&home);
    for (source, event_type) in
        [("frameio", "file.ready"), ("github", "push"), ("soundhash", "match.found"), ("standard", "invoice.paid")]
    {
        let webhook = home.sender(source).webhook(event_type);
        let first = gateway.post(&webhook);
        let id = first.id();
        eventually("it is done", || home.ledger().state("worker", &id) == Some(State::Done));
        let again = gateway.post(&webhook);
        assert_eq!((first.is_duplicate(), again.is_duplicate()), (false, true), "{source}");
        assert_eq!(again.id(), id);
        assert_eq!(home.ledger().outcomes("worker", &id), ["done"]);
    }
    assert_eq!(home.ledger().events(), 4);
    let status = gateway.status();
    let github = status["sources"].as_array().unwrap().iter().find(|one| one["name"] == "github").unwrap();
    assert_eq!((&github["accepted"], &github["duplicates"]), (&1.into(), &1.into()));
}

#[test]
fn what_tells_a_repeat_is_the_source_and_the_delivery_id() {
    let home = Home::with("[sources.other]\nprovider = \"github\"\nsecrets = [{ env = \"GITHUB_SECRET\" }]");
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let webhook = sender.webhook("push");
    let first = gateway.post(&webhook).id();

    let to_another_source = gateway.post(&webhook.clone().to("other"));
    let another_delivery = gateway.post(&webhook.clone().with("x-github-delivery", "another"));
    let same_delivery_of_another_body = gateway.post(
        &sender
            .with_body("push", r#"{"redelivered":true}"#)
            .with("x-github-delivery", webhook.header("x-github-delivery")),
    );

    assert!(!to_another_source.is_duplicate());
    assert!(!another_delivery.is_duplicate());
    assert_eq!(same_delivery_of_another_body.id(), first);
    assert_eq!(home.ledger().events(), 3);
}

#[test]
fn where_there_is_no_id_two_changes_with_equal_bodies_are_two_events() {
    let home = home();
    let gateway = Gateway::start(&home);
    let frameio = home.sender("frameio");
    let body = r#"{"type":"file.updated","resource":{"id":"r"}}"#;
    let now = hookgate::event::now_ms();
    let first = gateway.post(&frameio.signed_at("file.updated", body, now - 2_000));
    let later = gateway.post(&frameio.signed_at("file.updated", body, now));
    assert!(!first.is_duplicate() && !later.is_duplicate());
    assert_ne!(first.id(), later.id());
}

#[test]
fn a_hundred_at_once_are_one_event() {
    let home = home();
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");
    let (doors, together) = (*gateway, Barrier::new(100));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let post = || {
            together.wait();
            doors.post(&webhook)
        };
        let posting: Vec<_> = (0..100).map(|_| scope.spawn(post)).collect();
        posting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let ids: HashSet<String> = answers.iter().map(Answer::id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.is_duplicate()).count(), 1);
    assert_eq!(home.ledger().events(), 1);
    let id = ids.into_iter().next().unwrap();
    eventually("it is done", || home.ledger().state("worker", &id) == Some(State::Done));
    assert_eq!(home.ledger().outcomes("worker", &id), ["done"]);
}

#[test]
fn after_a_restart_and_after_a_crash_it_is_still_a_repeat() {
    let home = home();
    let webhook = home.sender("github").webhook("push");
    let gateway = Gateway::start(&home);
    let id = gateway.post(&webhook).id();
    drop(gateway);

    for _ in 0..2 {
        let gateway = Process::start(&home);
        let again = gateway.post(&webhook);
        assert_eq!((again.id(), again.is_duplicate()), (id.clone(), true));
        gateway.kill();
    }
    assert_eq!(home.ledger().events(), 1);
}

#[test]
fn a_repeat_of_a_dead_event_runs_it_again() {
    let home = Home::with("delivery.schedule_s = []");
    home.install("good", Guest::wanting(&["push"]).component());
    home.install("bad", Guest::wanting(&["push"]).handling("(return (call $reject {no}))").component());
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");
    let id = gateway.post(&webhook).id();
    let ledger = home.ledger();
    eventually("both are over", || {
        ledger.state("bad", &id) == Some(State::Dead) && ledger.state("good", &id) == Some(State::Done)
    });
    home.install("bad", Guest::wanting(&["push"]).component());
    eventually("it is repaired", || gateway.plugin("bad")["slot"] == "live" && repaired(&gateway, &home));

    let again = gateway.post(&webhook);

    assert_eq!((again.id(), again.is_duplicate()), (id.clone(), true));
    eventually("it is done after all", || ledger.state("bad", &id) == Some(State::Done));
    assert_eq!(ledger.outcomes("good", &id), ["done"], "what was done is not done again");
}

/// Whether new events go well with the plugin that was bad.
fn repaired(gateway: &Gateway, home: &Home) -> bool {
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    let ledger = home.ledger();
    eventually("it is over", || matches!(ledger.state("bad", &id), Some(State::Done | State::Dead)));
    ledger.state("bad", &id) == Some(State::Done)
}
