//! Events put back: in which order, which of their deliveries, how much of the queue they may take, and what is told where it ends early.

use hookgate::event::EventId;
use hookgate_tests::{
    Application, Doors, Gateway, Guest, Home, Ran, Receiver, Reply, State, api, eventually, run_hookgate,
};
use serde_json::{Value, json};

use crate::operator::{get, post, rejecting, worker};

fn command(home: &Home, doors: &Doors, words: &[&str]) -> Ran {
    let admin = format!("http://{}", doors.admin);
    run_hookgate(home, &[words, &["--admin", &admin]].concat())
}

/// What a command prints; panics where it does not end well.
fn out(home: &Home, doors: &Doors, words: &[&str]) -> String {
    let ran = command(home, doors, words);
    assert_eq!(ran.code, 0, "{words:?} {}{}", ran.out, ran.err);
    ran.out
}

fn attempts(doors: &Doors, plugin: &str, id: &str) -> usize {
    let shown = get(doors, &format!("/api/v1/events/{id}"));
    let own = shown["deliveries"].as_array().unwrap().iter().find(|delivery| delivery["plugin"] == plugin).cloned();
    own.map(|own| own["attempts"].as_array().unwrap().len()).unwrap_or_default()
}

#[test]
fn what_is_ordered_by_a_key_is_put_back_in_the_order_of_acceptance() {
    let ordered = |plugin: &str| format!("plugins.{plugin}.ordered_by = \"resource.id\"\n");
    let home = Home::with(&["worker", "bad", "later"].map(ordered).concat());
    // Long enough for the next commit to come first, were it of older events.
    let busy = "(call $work (i32.const 3000000))";
    home.install("worker", Guest::wanting(&["file.*"]).handling(busy).component());
    let rejecting = format!("{busy} (return (call $reject {{no}}))");
    home.install("bad", Guest::wanting(&["file.*"]).handling(&rejecting).component());
    let gateway = Gateway::start(&home);
    let body = |nth| format!(r#"{{"type":"file.ready","nth":{nth},"resource":{{"id":"one","type":"file"}}}}"#);
    let sender = home.sender("frameio");
    let ids: Vec<String> = (0..25).map(|nth| gateway.post(&sender.with_body("file.ready", body(nth))).id()).collect();
    let ledger = home.ledger();
    eventually("all are over", || ledger.count("worker", State::Done) + ledger.count("bad", State::Dead) == 50);
    home.install("later", Guest::wanting(&["file.*"]).handling(busy).component());
    eventually("it is live", || gateway.slot("later") == "live");
    let order = |plugin: &str, before: usize| {
        eventually("all are begun again", || ledger.attempts_in_order(plugin).len() == before + 25);
        let begun: Vec<String> = ledger.attempts_in_order(plugin).into_iter().map(|(event, ..)| event).collect();
        assert_eq!(begun[before..], ids, "{plugin}");
    };

    // In one request, by filter, and in several of a command's.
    post(&gateway, "/api/v1/replay", json!({ "source": "frameio", "plugin": "worker" }));
    order("worker", 25);
    out(&home, &gateway, &["replay", "--source", "frameio", "--plugin", "worker", "--rate", "10"]);
    order("worker", 50);
    out(&home, &gateway, &["replay", "--type", "file.*", "--plugin", "later", "--rate", "10"]);
    order("later", 0);
    out(&home, &gateway, &["dead", "retry", "--plugin", "bad", "--rate", "10"]);
    order("bad", 25);
    let backwards = ids.iter().rev().map(String::as_str);
    let named: Vec<&str> = ["replay", "--plugin", "worker", "--rate", "10"].into_iter().chain(backwards).collect();
    out(&home, &gateway, &named);
    order("worker", 75);
    let noted = get(&gateway, "/api/v1/audit")[0]["what"]["asked"].clone();
    assert_eq!(noted["events"], json!(ids[20..]), "the last page of it");
}

#[test]
fn many_events_are_noted_by_how_many_they_are_and_from_which_to_which() {
    let home = Home::new();
    home.install("worker", worker(&["push"]).component());
    let gateway = Gateway::start(&home);
    let ids: Vec<String> = (0..21).map(|_| gateway.post(&home.sender("github").webhook("push")).id()).collect();
    eventually("all are done", || home.ledger().count("worker", State::Done) == 21);
    post(&gateway, "/api/v1/replay", json!({ "events": ids }));
    let noted = get(&gateway, "/api/v1/audit")[0]["what"]["asked"].clone();
    assert_eq!(noted["events"], json!({ "many": 21, "from": ids[0], "to": ids[20] }));
}

#[test]
fn events_are_found_before_they_are_put_back() {
    let home = Home::new();
    home.install("worker", worker(&["push"]).component());
    let gateway = Gateway::start(&home);
    let ids: Vec<String> = (0..3).map(|_| gateway.post(&home.sender("github").webhook("push")).id()).collect();
    eventually("all are done", || home.ledger().count("worker", State::Done) == 3);
    let found = post(&gateway, "/api/v1/replay", json!({ "type": "push", "find": true, "limit": 2 }));
    assert_eq!(found, json!({ "matched": 2, "put_back": {}, "next": ids[1], "left": ids[1..] }), "the oldest first");
    let rest = post(&gateway, "/api/v1/replay", json!({ "type": "push", "find": true, "before": ids[1] }));
    assert_eq!(rest["left"], json!(ids[..1]));
    assert_eq!(get(&gateway, "/api/v1/audit"), json!([]), "nothing was changed");
}

#[test]
fn only_what_waits_is_put_back_where_that_is_meant() {
    let receiver = Receiver::answering(|_, _| Reply::Status(500));
    let home = Home::with_receivers(&[&receiver], "delivery.schedule_s = [3600]\noutgoing.schedule_s = [3600]");
    home.install("good", worker(&["push", "video.*"]).component());
    home.install("slow", Guest::wanting(&["push"]).handling("(return (call $retry {not yet}))").component());
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    application.register(&receiver, &["video.*"]);
    let video = application.publish("video.processed", json!({}));
    let push = gateway.post(&home.sender("github").webhook("push")).id();
    let both = |good: usize, slow: usize| {
        (attempts(&gateway, "good", &video), attempts(&gateway, "good", &push), attempts(&gateway, "slow", &push))
            == (good, good, slow)
    };
    eventually("each was tried once", || both(1, 1) && receiver.count() == 1);
    let waits = out(&home, &gateway, &["replay", "--state", "pending"]);
    assert_eq!(waits, "looked at 2 events: put back slow 1\n", "a webhook has `redeliver`");
    eventually("it is dead then", || home.ledger().state("slow", &push) == Some(State::Dead));
    assert!(both(1, 2), "what was done is not done again");
    // Nothing waits for either any more.
    assert_eq!(out(&home, &gateway, &["replay", &push, "--state", "pending"]), "looked at 1 event: put back nothing\n");
    for state in ["done", "let_go"] {
        let wrong = command(&home, &gateway, &["replay", &push, "--state", state]);
        let told =
            format!("hookgate: --state {state} finds events; of those that are named, say dead, pending or unrouted");
        assert!(wrong.code == 64 && wrong.err.starts_with(&told), "{state}: {} {}", wrong.code, wrong.err);
        let asked = Some(json!({ "events": [push], "state": state }));
        assert_eq!(api(gateway.admin, "", "POST", "/api/v1/replay", asked).status, 422);
    }
    let dead = out(&home, &gateway, &["replay", &push, "--state", "dead"]);
    assert_eq!(dead, "looked at 1 event: put back slow 1\n");
    let done = out(&home, &gateway, &["replay", "--state", "done", "--plugin", "good"]);
    assert_eq!(done, "looked at 2 events: put back good 2\n");
}

#[test]
fn events_that_are_named_and_that_there_are_none_of_are_told() {
    let home = Home::new();
    home.install("bad", rejecting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let push = gateway.post(&home.sender("github").webhook("push")).id();
    let dead = || eventually("it is dead", || home.ledger().state("bad", &push) == Some(State::Dead));
    dead();
    let none = "evt_0000000000007";
    for (words, done, told) in [
        (&["replay"][..], "put_back", "put back"),
        (&["dead", "retry"], "put_back", "put back"),
        (&["dead", "drop"], "dropped", "dropped"),
    ] {
        dead();
        let ran = command(&home, &gateway, &[words, &[none, &push]].concat());
        assert_eq!((ran.code, ran.out), (1, format!("looked at 1 event: {told} bad 1\n")), "{words:?} {}", ran.err);
        let told = format!("there is no event {none}, or its payload is not kept any more");
        assert!(ran.err.contains(&told), "{words:?} {}", ran.err);
        let json = command(&home, &gateway, &[words, &[none, "--json"]].concat());
        let printed: Value = serde_json::from_str(&json.out).unwrap();
        let expected = json!({ "matched": 0, done: {}, "next": null, "unknown": [none] });
        assert_eq!((json.code, printed), (1, expected), "{words:?}");
    }
}

#[test]
fn what_an_operator_puts_back_leaves_room_for_what_comes_in() {
    let home = Home::with("delivery.open_deliveries = 20");
    home.install("worker", worker(&["push"]).component());
    let gateway = Gateway::start(&home);
    let push = |nth: usize| {
        let id = gateway.post(&home.sender("github").webhook("push")).id();
        eventually("it is done", || home.ledger().count("worker", State::Done) == nth);
        id
    };
    let ids: Vec<String> = (1..=30).map(push).collect();
    post(&gateway, "/api/v1/plugins/worker/pause", json!({}));

    let first = post(&gateway, "/api/v1/replay", json!({ "type": "push" }));

    assert_eq!((&first["matched"], &first["put_back"]), (&json!(30), &json!({ "worker": 10 })));
    assert_eq!(first["left"], json!(ids[10..]), "where to go on");
    assert!(first["why"].as_str().unwrap().contains("open_deliveries"), "{first}");
    let second = api(gateway.admin, "", "POST", "/api/v1/replay", Some(json!({ "events": first["left"] })));
    assert_eq!((second.status, second.header("retry-after")), (503, Some("1")));
    assert!(second.text().contains("the last tenth of open_deliveries"), "{}", second.text());
    // Those that wait already take no more room.
    let waiting = post(&gateway, "/api/v1/replay", json!({ "events": ids[..10] }));
    assert_eq!(waiting["put_back"], json!({}));
    assert_eq!(gateway.post(&home.sender("github").webhook("push")).status, 200, "senders are not refused");
    post(&gateway, "/api/v1/plugins/worker/resume", json!({}));
    let words: Vec<&str> = ["replay"].into_iter().chain(ids[10..].iter().map(String::as_str)).collect();
    let ran = out(&home, &gateway, &words);
    assert_eq!(ran, "looked at 20 events: put back worker 20\n", "it waits for room");
    eventually("all are done", || home.ledger().count("worker", State::Done) == 31);
}

/// An admin address whose answers to replays are these, in turn, each with its status.
fn answering(answers: Vec<(u16, Value)>) -> (Home, Receiver, Doors) {
    let home = Home::new();
    let admin = Receiver::answering(move |_, nth| match &answers[nth - 1] {
        (status, Value::Null) => Reply::With(*status, "retry-after", "1".into()),
        (status, answer) => Reply::Body(*status, answer.to_string().into_bytes()),
    });
    let doors = Doors { hooks: admin.address(), admin: admin.address() };
    (home, admin, doors)
}

fn id(ms: u64) -> String {
    EventId::first_at(ms).to_string()
}

/// A second of 2026 in which nothing happened.
const THEN_MS: u64 = 1_795_000_000_000;

#[test]
fn what_ends_midway_tells_what_was_done_and_how_to_go_on() {
    let ids: Vec<String> = (0..4).map(|n| id(THEN_MS + n)).collect();
    let found = json!({ "matched": 4, "put_back": {}, "next": null, "left": ids });
    let two = json!({ "matched": 2, "put_back": { "a": 2, "b": 1 }, "next": null });
    let broken = (500, json!({ "error": "it broke\u{1b}[2J" }));
    let (home, admin, doors) = answering(vec![(200, found), (200, two.clone()), (503, Value::Null), broken.clone()]);

    let ran = command(&home, &doors, &["replay", "--source", "github", "--rate", "2"]);

    assert_eq!((ran.code, ran.out.as_str()), (1, "looked at 2 events: put back a 2, b 1\n"), "{}", ran.err);
    assert!(ran.err.contains("503 Service Unavailable: trying again in 1 s"), "{}", ran.err);
    let rest = "; 2 events are left: go on with --since 2026-11-18T11:06:40.002Z --until 2026-11-18T11:06:40.004Z";
    assert!(ran.err.contains(&format!("it broke\\u{{1b}}[2J{rest}")), "{}", ran.err);
    let asked: Vec<Value> = admin.hits().iter().map(|hit| hit.json()).collect();
    assert_eq!(asked[0], json!({ "source": "github", "find": true, "limit": 100 }));
    assert_eq!(asked[1..], [&ids[..2], &ids[2..], &ids[2..]].map(|page| json!({ "events": page, "rate": 2 })));

    // Those that were named are named again, and programs are told in a list.
    let (home, _admin, doors) = answering(vec![(200, two), broken]);
    let named = ids.iter().map(String::as_str);
    let words: Vec<&str> = ["replay", "--json", "--rate", "2"].into_iter().chain(named).collect();
    let ran = command(&home, &doors, &words);
    let printed: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &printed["matched"], &printed["left"]), (1, &json!(2), &json!(ids[2..])));
    assert!(ran.err.contains(&format!("; go on with {} {}", ids[2], ids[3])), "{}", ran.err);
}

#[test]
fn what_goes_no_further_for_now_is_asked_for_again() {
    let ids: Vec<String> = (0..3).map(|n| id(THEN_MS + n)).collect();
    let some = json!({ "matched": 3, "put_back": { "a": 1 }, "next": null, "left": ids[1..], "why": "it is full" });
    let rest = json!({ "matched": 2, "put_back": { "a": 2 }, "next": null });
    let (home, admin, doors) = answering(vec![(503, Value::Null), (200, some), (200, rest)]);
    let words: Vec<&str> = ["replay"].into_iter().chain(ids.iter().map(String::as_str)).collect();

    let ran = command(&home, &doors, &words);

    assert_eq!((ran.code, ran.out.as_str()), (0, "looked at 3 events: put back a 3\n"), "{}", ran.err);
    assert!(ran.err.contains("it is full: trying again in 1 s"), "{}", ran.err);
    let asked: Vec<Value> = admin.hits().iter().map(|hit| hit.json()["events"].clone()).collect();
    assert_eq!(asked, [json!(ids), json!(ids), json!(ids[1..])]);
}
