//! A copy of everything while it runs, and a gateway that goes on from it.

use std::collections::BTreeMap;
use std::path::Path;

use hookgate_tests::{Gateway, Guest, Home, Ledger, Process, Ran, Row, State, eventually, run_hookgate};

fn backup(home: &Home, to: &Path) -> Ran {
    run_hookgate(home, &["backup", to.to_str().unwrap()])
}

fn restore(home: &Home, from: &Path, more: &[&str]) -> Ran {
    run_hookgate(home, &[&["restore", from.to_str().unwrap()], more].concat())
}

/// Every row of a copy, without those of the files beside the queue.
fn rows_of_copy(copy: &Path) -> BTreeMap<String, Vec<Row>> {
    let mut tables = Ledger::of_file(copy).tables();
    tables.remove("beside").expect("it is a copy");
    tables
}

#[test]
fn a_copy_that_was_made_under_load_has_all_that_was_acknowledged_before_and_goes_on() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).handling("(call $work (i32.const 3000000))").component());
    let gateway = Process::start(&home);
    let sender = home.sender("github");
    let copy = home.path().join("copy.db");
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let bodies: Vec<String> = (0..200).map(|n| format!(r#"{{"nth":{n},"text":"grüße"}}"#)).collect();
    before.extend(bodies.iter().map(|body| gateway.post(&sender.with_body("push", body.clone())).id()));
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| backup(&home, &copy));
        while !copying.is_finished() {
            after.push(gateway.post(&sender.webhook("push")).id());
        }
        let ran = copying.join().unwrap();
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.starts_with("copied to "), "{}", ran.out);
    });
    gateway.kill();
    let still = home.path().join("still.db");
    assert_eq!(backup(&home, &still).code, 0);
    assert!(home.ledger().tables() == rows_of_copy(&still), "a copy has every row");

    let other = Home::new();
    other.install("worker", Guest::wanting(&["push"]).component());
    let ran = restore(&other, &copy, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(other.ledger().tables() == rows_of_copy(&copy), "what was restored has every row of the copy");
    let payloads = other.ledger().payloads();
    for (id, body) in before.iter().zip(&bodies) {
        assert_eq!(payloads.get(id).map(|payload| &payload[..]), Some(body.as_bytes()), "{id}");
    }
    let _gateway = Gateway::start(&other);
    let ledger = other.ledger();
    eventually("all of it is done", || before.iter().all(|id| ledger.state("worker", id) == Some(State::Done)));
    assert_eq!(ledger.integrity(), "ok");
}

#[test]
fn the_secrets_of_webhooks_come_along() {
    let home = Home::new();
    let gateway = Process::start(&home);
    let key = gateway.key();
    let made = gateway.api(
        &key,
        "POST",
        "/api/v1/webhooks",
        Some(serde_json::json!({ "url": "https://example.com/", "events": ["*"] })),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let copy = home.path().join("copy.db");
    assert_eq!(backup(&home, &copy).code, 0);

    let other = Home::new();
    assert_eq!(restore(&other, &copy, &[]).code, 0);
    let gateway = Process::start(&other);
    assert_eq!(gateway.status()["webhooks"]["active"], 1);
    assert_eq!(gateway.status()["webhooks"]["unreadable"], 0);
}

#[test]
fn nothing_is_written_over() {
    let home = Home::new();
    let gateway = Process::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    let copy = home.path().join("copy.db");
    assert_eq!(backup(&home, &copy).code, 0);
    let again = backup(&home, &copy);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("is there already"), "{}", again.err);

    let running = restore(&home, &copy, &["--replace"]);
    assert_eq!(running.code, 1);
    assert!(running.err.contains("another gateway is using the data folder"), "{}", running.err);
    gateway.kill();
    let there = restore(&home, &copy, &[]);
    assert_eq!(there.code, 1);
    assert!(there.err.contains("--replace"), "{}", there.err);
    let replaced = restore(&home, &copy, &["--replace"]);
    assert_eq!(replaced.code, 0, "{}", replaced.err);
    assert!(replaced.err.contains("what was there is now"), "{}", replaced.err);
    assert!(home.ledger().has(&id));
}

#[test]
fn a_log_that_is_left_of_other_data_is_not_taken_for_that_of_the_copy() {
    let home = Home::new();
    let gateway = Process::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    let copy = home.path().join("copy.db");
    assert_eq!(backup(&home, &copy).code, 0);
    (0..200).for_each(|_| drop(gateway.post(&home.sender("github").webhook("push")).id()));
    gateway.kill();
    // Somebody took away the file, which was damaged, and not the log beside it.
    std::fs::remove_file(home.data().join("hookgate.db")).unwrap();
    assert!(home.data().join("hookgate.db-wal").exists());

    let ran = restore(&home, &copy, &[]);

    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!((home.ledger().events(), home.ledger().has(&id)), (1, true));
    let _gateway = Process::start(&home);
    assert_eq!((home.ledger().integrity().as_str(), home.ledger().events()), ("ok", 1));
}

#[test]
fn what_is_no_copy_is_told_and_leaves_nothing_behind() {
    let home = Home::new();
    drop(Process::start(&home));
    let copy = home.path().join("copy.db");
    assert_eq!(backup(&home, &copy).code, 0);
    let other = Home::new();
    let file = |name: &str| other.path().join(name);
    std::fs::write(file("text"), "no database").unwrap();
    let mut damaged = std::fs::read(&copy).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 4096].fill(0xa5);
    std::fs::write(file("damaged"), damaged).unwrap();
    std::fs::copy(&copy, file("newer")).unwrap();
    Ledger::of_file(&file("newer")).set_version(99);
    for (name, why) in
        [("missing", "there is no file"), ("text", "not a database"), ("damaged", "damaged"), ("newer", "version 99")]
    {
        let ran = restore(&other, &file(name), &[]);
        assert_eq!(ran.code, 1, "{name}");
        assert!(ran.err.contains(why) || name == "damaged" && ran.err.contains("malformed"), "{name}: {}", ran.err);
        assert!(
            !other.data().join("hookgate.db").exists() && !other.data().join("hookgate.db.part").exists(),
            "{name}"
        );
    }
    let nothing = Home::new();
    let ran = backup(&nothing, &file("never"));
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("nothing was ever accepted there"), "{}", ran.err);
    assert!(!file("never").exists() && !file("never.part").exists());
}
