//! `hookgate send`: what it signs, what it tells of the answers, and how it ends.

use hookgate_tests::{Guest, Home, Process, State, eventually, run_hookgate};
use serde_json::Value;

use crate::commands::{BAD_USAGE, FAILED, assert_fails, json};

#[test]
fn send_signs_as_the_sender_does_and_prints_the_answer() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["*"]).component());
    let gateway = Process::start(&home);
    for (source, event_type) in
        [("frameio", "file.ready"), ("github", "push"), ("soundhash", "match.found"), ("standard", "invoice.paid")]
    {
        let to = format!("http://{}/hooks/{source}", gateway.hooks);
        let ran = run_hookgate(&home, &["send", source, event_type, "--to", &to]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(
            ran.out.starts_with("200 {\"id\":\"evt_")
                && ran.out.contains("\"duplicate\":false")
                && ran.out.contains(" in "),
            "{}",
            ran.out
        );
    }
    let to = format!("http://{}/hooks/github", gateway.hooks);
    let told = json(&run_hookgate(&home, &["send", "github", "push", "--to", &to, "--json"]));
    assert_eq!(told["status"], 200);
    let id = told["answer"]["id"].as_str().unwrap();
    eventually("it is done", || home.ledger().state("worker", id) == Some(State::Done));
}

#[test]
fn send_sends_many_and_verifies_every_answer() {
    let home = Home::new();
    let gateway = Process::start(&home);
    let to = format!("http://{}/hooks/frameio", gateway.hooks);
    let words = ["send", "frameio", "file.ready", "--to", &to, "--count", "200", "--at-once", "8"];
    let ran = run_hookgate(&home, &words);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("200 accepted, 0 duplicates, 0 refused, 0 unanswered"), "{}", ran.out);
    assert_eq!(home.ledger().events(), 200);
    // Run after run in the same second, each is a new event.
    for run in 1..=4 {
        let words = ["send", "frameio", "file.ready", "--to", &to, "--count", "3", "--rate", "500", "--json"];
        let told = json(&run_hookgate(&home, &words));
        assert_eq!((&told["accepted"], &told["duplicates"]), (&3.into(), &0.into()), "run {run}: {told}");
    }
}

#[test]
fn send_fails_where_the_gateway_does_not_take_it() {
    let home = Home::new();
    let gateway = Process::start(&home);
    let to = format!("http://{}/hooks/github", gateway.hooks);
    let refused = run_hookgate(&home, &["send", "frameio", "file.ready", "--to", &to]);
    assert_eq!(refused.code, FAILED);
    assert!(refused.out.starts_with("401 "), "{refused:?}");
    gateway.kill();
    assert_fails(&run_hookgate(&home, &["send", "github", "push", "--to", &to]), FAILED, &["is the gateway running"]);
    assert_fails(
        &run_hookgate(&home, &["send", "gitub", "push"]),
        BAD_USAGE,
        &["there is no source `gitub`", "github"],
    );
    assert_fails(&run_hookgate(&home, &["send", "frameio", "file.redy"]), BAD_USAGE, &["file.redy", "file.ready"]);
}

#[test]
fn send_says_once_why_requests_are_not_answered() {
    let home = Home::new();
    let words = ["send", "github", "push", "--to", "http://127.0.0.1:1/hooks/github", "--count", "3"];
    let none = run_hookgate(&home, &words);
    assert_eq!(none.code, FAILED);
    let lines: Vec<&str> = none.out.lines().collect();
    assert!(lines.len() == 2 && lines[0].ends_with("0 accepted, 0 duplicates, 0 refused, 3 unanswered"), "{none:?}");
    assert!(lines[1].starts_with("the first that was not answered: cannot post to http://127.0.0.1:1/"), "{none:?}");
    assert!(lines[1].contains("Connection refused"), "{none:?}");
    let told = json(&run_hookgate(&home, &[&words[..], &["--json"]].concat()));
    assert_eq!((&told["p50_ms"], &told["p99_ms"], &told["unanswered"]), (&Value::Null, &Value::Null, &3.into()));
    assert!(told["unanswered_why"].as_str().unwrap().contains("is the gateway running"), "{told}");
    home.write("body.json", r#"{"type":"mine.own"}"#);
    let wrong = ["send", "frameio", "not.this", "--to", "http://127.0.0.1:1/", "--body", "body.json", "--count", "2"];
    assert_fails(&run_hookgate(&home, &wrong), BAD_USAGE, &["the body is of type `mine.own`, not `not.this`"]);
    for rate in ["0", "-1", "inf", "NaN", "fast"] {
        let rate = format!("--rate={rate}");
        assert_fails(&run_hookgate(&home, &[&words[..], &[&rate]].concat()), BAD_USAGE, &["write a number above 0"]);
    }
}

#[test]
fn send_takes_a_body_of_ones_own() {
    let home = Home::new();
    home.install("teller", Guest::telling(&["*"]).component());
    let gateway = Process::start(&home);
    home.write("body.json", r#"{"type":"mine.own","n":1}"#);
    let to = format!("http://{}/hooks/frameio", gateway.hooks);
    let ran = run_hookgate(&home, &["send", "frameio", "mine.own", "--to", &to, "--body", "body.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    eventually("it was told", || {
        home.ledger().attempts("teller").iter().any(|one| one.why.ends_with(r#"[{"type":"mine.own","n":1}]"#))
    });
    let other = run_hookgate(&home, &["send", "frameio", "not.this", "--to", &to, "--body", "body.json"]);
    assert_fails(&other, BAD_USAGE, &["the body is of type `mine.own`, not `not.this`"]);
}
