//! The commands of operators, as they are typed.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Child;

use hookgate_tests::{Guest, Home, Process, Ran, State, eventually, run_hookgate, spawn_hookgate};
use serde_json::{Value, json};

fn rejecting(patterns: &[&str]) -> Guest {
    let handle = "(call $log (i32.const 3) {cannot do this}) (return (call $reject {not this one}))";
    Guest::wanting(patterns).handling(handle)
}

/// A gateway with one plugin that does pushes and one that rejects them, and somebody at its terminal.
pub(crate) struct Desk {
    pub(crate) home: Home,
    pub(crate) gateway: Process,
    admin: String,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        let home = Home::new();
        home.install("good", Guest::wanting(&["push"]).component());
        home.install("bad", rejecting(&["push"]).component());
        let gateway = Process::start(&home);
        let admin = format!("http://{}", gateway.admin);
        Desk { home, gateway, admin }
    }

    pub(crate) fn type_in(&self, words: &[&str]) -> Ran {
        run_hookgate(&self.home, &[words, &["--admin", &self.admin]].concat())
    }

    pub(crate) fn spawn(&self, words: &[&str]) -> Child {
        spawn_hookgate(&self.home, &[words, &["--admin", &self.admin]].concat())
    }

    /// What is printed; panics where it does not end well.
    pub(crate) fn out(&self, words: &[&str]) -> String {
        let ran = self.type_in(words);
        assert_eq!(ran.code, 0, "{words:?} {}{}", ran.out, ran.err);
        ran.out
    }

    pub(crate) fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.out(&[words, &["--json"]].concat())).unwrap()
    }

    /// Sends so many pushes and waits until they are over. The oldest first.
    pub(crate) fn pushes(&self, count: usize) -> Vec<String> {
        let begin = self.home.ledger().events();
        let body = |n: usize| format!("{{\"n\":{}}}", begin as usize + n);
        let push = |n| self.gateway.post(&self.home.sender("github").with_body("push", body(n))).id();
        let ids: Vec<String> = (0..count).map(push).collect();
        let is_over = |id: &String| {
            let ledger = self.home.ledger();
            ledger.state("bad", id) == Some(State::Dead) && ledger.state("good", id) == Some(State::Done)
        };
        eventually("all are over", || ids.iter().all(is_over));
        ids
    }

    pub(crate) fn attempts(&self, plugin: &str, id: &str) -> usize {
        let shown = self.json(&["show", id]);
        let own = shown["deliveries"].as_array().unwrap().iter().find(|one| one["plugin"] == plugin).cloned();
        own.unwrap()["attempts"].as_array().unwrap().len()
    }
}

#[test]
fn events_are_listed_in_a_table_and_as_json() {
    let desk = Desk::new();
    let ids = desk.pushes(3);
    let table = desk.out(&["events", "--source", "github"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("EVENT") && lines[0].ends_with("DELIVERIES"), "{table}");
    assert_eq!(lines.len(), 4);
    assert!(lines[1].starts_with(&ids[2]) && lines[3].starts_with(&ids[0]), "the newest first\n{table}");
    assert!(lines[1].contains("push") && lines[1].contains("bad dead") && lines[1].contains("good done"), "{table}");
    assert!(!table.contains('…'), "nothing is cut in a pipe");
    let two = desk.json(&["events", "--limit", "2"]);
    assert_eq!((two["events"].as_array().unwrap().len(), &two["next"]), (2, &json!(ids[1])));
    for (words, found) in [
        (&["--state", "dead"][..], 3),
        (&["--state", "done"], 0),
        (&["--state", "done", "--plugin", "good"], 3),
        (&["--type", "pu*"], 3),
        (&["--type", "issues.*"], 0),
        (&["--since", "2h"], 3),
        (&["--until", "2h"], 0),
        (&["--since", "yesterday 14:00", "--until", "2h"], 0),
        (&["--since", "2020-01-01"], 3),
        (&["--text", "\"n\":1"], 1),
    ] {
        let listed = desk.json(&[&["events"], words].concat());
        assert_eq!(listed["events"].as_array().unwrap().len(), found, "{words:?}");
    }
    let wrong = desk.type_in(&["events", "--since", "soon"]);
    assert!(wrong.code == 64 && wrong.err.contains("--since: `soon` is no time"), "{}", wrong.err);
    assert_eq!(desk.type_in(&["events", "--type", "a b"]).code, 64);
    assert_eq!(desk.type_in(&["events", "--state", "odd"]).code, 64);
    let nowhere = desk.type_in(&["events", "--config", "nowhere.toml"]);
    assert!(nowhere.code != 0 && nowhere.err.contains("nowhere.toml"), "{}", nowhere.err);
    let away = run_hookgate(&desk.home, &["events", "--admin", "http://127.0.0.1:1"]);
    assert!(away.code == 1 && away.err.contains("is it running"), "{}", away.err);
}

#[test]
fn events_are_followed_as_they_come_and_again_when_they_are_over() {
    let desk = Desk::new();
    let before = desk.pushes(1);
    desk.out(&["pause", "good"]);
    let words = ["events", "--follow", "--json", "--plugin", "good", "--since", "1h", "--admin", &desk.admin];
    let mut following = spawn_hookgate(&desk.home, &words);
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines().map(|line| {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let good = event["deliveries"].as_array().unwrap().iter().find(|one| one["plugin"] == "good").cloned().unwrap();
        (event["id"].as_str().unwrap().to_owned(), good["state"].as_str().unwrap().to_owned())
    });
    assert_eq!(lines.next().unwrap(), (before[0].clone(), "done".to_owned()));
    let id = desk.gateway.post(&desk.home.sender("github").webhook("push")).id();
    assert_eq!(lines.next().unwrap(), (id.clone(), "pending".to_owned()));
    // Looked for once more, and that the first is still pending is no news.
    let other = desk.gateway.post(&desk.home.sender("github").with_body("push", "[]")).id();
    assert_eq!(lines.next().unwrap(), (other.clone(), "pending".to_owned()));
    desk.out(&["resume", "good"]);
    let mut over = [lines.next().unwrap(), lines.next().unwrap()];
    over.sort();
    assert_eq!(over, [(id, "done".to_owned()), (other, "done".to_owned())]);
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn an_event_is_shown_with_a_timeline() {
    let desk = Desk::new();
    let ids = desk.pushes(1);
    let shown = desk.out(&["show", &ids[0], "--body"]);
    let generation = desk.gateway.plugin("bad")["generation"].as_str().unwrap().to_owned();
    for part in [
        &format!("{}  push of github (github): dead", ids[0]),
        "header     x-hub-signature-256: ***",
        "payload    7 bytes\n{\"n\":0}\n",
        " s  bad  attempt 1: reject in ",
        " computing, 0.1 MiB, generation ",
        &generation,
        "\n    not this one\n    | warn cannot do this\n",
        " s  good  attempt 1: done in ",
        "\nbad: dead\ngood: done\n",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    assert!(!desk.out(&["show", &ids[0]]).contains("{\"n\":0}"), "only where it is asked for");
    let unknown = desk.type_in(&["show", "evt_0000000000000"]);
    assert!(unknown.code == 1 && unknown.err.contains("no such event"), "{}", unknown.err);
}

#[test]
fn an_event_that_was_damaged_on_disk_is_told_and_neither_shown_nor_saved() {
    let desk = Desk::new();
    let id = desk.pushes(1).remove(0);
    desk.home.ledger().damage(&id);
    let shown = desk.out(&["show", &id, "--body"]);
    assert!(shown.contains("payload    damaged on disk") && !shown.contains("header "), "{shown}");
    assert!(!shown.contains("\"n\":"), "{shown}");
    let saved = desk.type_in(&["show", &id, "--save", "failing"]);
    assert!(saved.code == 1 && saved.err.contains("damaged on disk"), "{}", saved.err);
}

#[test]
fn what_was_saved_fails_again_where_it_is_tried() {
    let desk = Desk::new();
    let handle = "(if (i32.eq (local.get $payload_len) (i32.const 5)) (then unreachable))";
    desk.home.install("picky", Guest::wanting(&["push"]).handling(handle).component());
    eventually("it is live", || desk.gateway.slot("picky") == "live");
    let id = desk.gateway.post(&desk.home.sender("github").with_body("push", "[1,2]")).id();
    eventually("it is dead", || desk.home.ledger().state("picky", &id) == Some(State::Dead));
    let folder = desk.home.path().join("failing");
    desk.out(&["show", &id, "--save", "failing"]);
    std::fs::write(folder.join("payload"), "what was changed since, for all to read").unwrap();
    std::fs::set_permissions(folder.join("payload"), Permissions::from_mode(0o644)).unwrap();
    desk.out(&["show", &id, "--save", "failing"]);
    let mode = |name: &str| std::fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(["event.json", "payload", "headers"].map(mode), [0o600; 3]);
    assert_eq!(std::fs::read(folder.join("payload")).unwrap(), b"[1,2]");
    let headers = std::fs::read_to_string(folder.join("headers")).unwrap();
    assert!(headers.contains("x-github-event: push\n") && headers.contains("x-hub-signature-256: ***\n"), "{headers}");
    let event: Value = serde_json::from_slice(&std::fs::read(folder.join("event.json")).unwrap()).unwrap();
    assert_eq!(event["id"], json!(id));

    let tried = run_hookgate(&desk.home, &["try", "plugins/picky.wasm", "--event", "failing", "--json"]);
    let report: Value = serde_json::from_str(&tried.out).unwrap();
    assert_eq!(
        (tried.code, &report["outcome"], &report["event_type"]),
        (1, &json!("trapped"), &json!("push")),
        "{tried:?}"
    );
    desk.home.install("telling", Guest::telling(&["push"]).component());
    let told = run_hookgate(&desk.home, &["try", "plugins/telling.wasm", "--event", "failing", "--json"]);
    assert!(
        told.out.contains(&format!("[github][github][push][{id}]")) && told.out.contains("[[1,2]]"),
        "{}",
        told.out
    );
    std::fs::write(folder.join("payload"), "[1,2,3]").unwrap();
    let other = run_hookgate(&desk.home, &["try", "plugins/picky.wasm", "--event", "failing"]);
    assert_eq!(other.code, 0, "the payload is what is tried: {}{}", other.out, other.err);
    for more in [&["issues.opened"][..], &["--source", "frameio"]] {
        let both = run_hookgate(&desk.home, &[&["try", "plugins/picky.wasm", "--event", "failing"][..], more].concat());
        assert!(both.code == 64 && both.err.contains("leave TYPE and --source out"), "{}", both.err);
    }
}

#[test]
fn events_are_replayed_by_words_by_trial_and_in_pages() {
    let desk = Desk::new();
    let ids = desk.pushes(5);
    let words = |more: &[&'static str]| [&["replay", "--source", "github"], more].concat();
    let trial = desk.out(&words(&["--dry-run"]));
    assert_eq!(trial, "looked at 5 events: would put back bad 5, good 5\n");
    assert!(ids.iter().all(|id| desk.attempts("good", id) == 1));
    let one = desk.out(&["replay", &ids[0], "--plugin", "good"]);
    assert_eq!(one, "looked at 1 event: put back good 1\n");
    eventually("it is done again", || desk.attempts("good", &ids[0]) == 2);
    assert_eq!(desk.attempts("bad", &ids[0]), 1);

    // Two a second, so in pages of two.
    let cut = desk.type_in(&words(&["--plugin", "good", "--limit", "3", "--rate", "2"]));
    assert_eq!((cut.code, cut.out.as_str()), (0, "looked at 3 events: put back good 3\n"), "{}", cut.err);
    assert!(cut.err.contains("stopped after 3 events, and there may be more"), "{}", cut.err);
    eventually("the newest three are", || ids[2..].iter().all(|id| desk.attempts("good", id) == 2));
    assert_eq!(desk.attempts("good", &ids[1]), 1, "it was cut off");
    assert_eq!(desk.json(&["audit"])[0]["what"]["matched"], 1, "a page each");

    let named: Vec<&str> =
        ["replay", "--rate", "2", "--plugin", "good"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let all = desk.json(&named);
    assert_eq!((&all["matched"], &all["put_back"]), (&json!(5), &json!({ "good": 5 })));
    eventually("all of them", || desk.attempts("good", &ids[1]) == 2 && desk.attempts("good", &ids[4]) == 3);

    let nothing = desk.type_in(&["replay"]);
    assert!(nothing.code == 64 && nothing.err.contains("say which events"), "{}", nothing.err);
    assert_eq!(desk.type_in(&["replay", &ids[0], "--type", "push"]).code, 64);
    assert_eq!(desk.type_in(&["replay", "evt_1"]).code, 64);
    assert_eq!(desk.type_in(&["replay", "--plugin", "nobody"]).code, 1);
}

#[test]
fn the_dead_are_listed_retried_and_dropped() {
    let desk = Desk::new();
    let ids = desk.pushes(2);
    let table = desk.out(&["dead"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(
        table.contains(&ids[0]) && table.contains("bad") && table.contains("reject") && table.contains("not this one")
    );
    assert_eq!(desk.out(&["dead", "list", "--plugin", "bad"]), table);
    assert_eq!(desk.out(&["dead", "--plugin", "good"]).lines().count(), 1);
    assert_eq!(desk.json(&["dead", "--limit", "1"])["dead"][0]["event"], json!(ids[1]));
    assert_eq!(desk.out(&["dead", "retry", &ids[0]]), "looked at 1 event: put back bad 1\n");
    eventually("it is dead again", || desk.attempts("bad", &ids[0]) == 2);
    eventually("and over", || desk.home.ledger().count("bad", State::Dead) == 2);
    assert_eq!(desk.attempts("bad", &ids[1]), 1);

    let unsaid = desk.type_in(&["dead", "drop", "--plugin", "bad"]);
    assert!(unsaid.code == 64 && unsaid.err.contains("--yes"), "{}", unsaid.err);
    assert_eq!(desk.home.ledger().count("bad", State::Dead), 2);
    assert_eq!(desk.out(&["dead", "drop", &ids[0]]), "looked at 1 event: dropped bad 1\n");
    assert_eq!(desk.home.ledger().states("bad"), [(ids[1].clone(), State::Dead)]);
    assert_eq!(desk.out(&["dead", "drop", "--plugin", "bad", "--yes"]), "looked at 1 event: dropped bad 1\n");
    assert_eq!(desk.home.ledger().states("bad"), []);
}

#[test]
fn plugins_are_shown_held_and_let_go_and_the_audit_log_says_so() {
    let desk = Desk::new();
    desk.pushes(1);
    let table = desk.out(&["plugins"]);
    let row = |table: &str, name: &str| table.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let words: Vec<String> = row(&table, "bad").split_whitespace().map(str::to_owned).collect();
    assert_eq!((words[1].as_str(), words[4..9].join(" ")), ("live", "0 0 0 1 push".to_owned()), "{table}");
    desk.out(&["pause", "bad"]);
    assert!(row(&desk.out(&["plugins"]), "bad").contains("live, paused"));
    assert_eq!(desk.json(&["resume", "bad"]), json!({ "plugin": "bad", "paused": false }));
    assert!(!desk.out(&["plugins"]).contains("paused"));
    let unknown = desk.type_in(&["pause", "nobody"]);
    assert!(unknown.code == 1 && unknown.err.contains("no such plugin"), "{}", unknown.err);
    assert_eq!(desk.json(&["audit", "--since", "1h"]).as_array().unwrap().len(), 2);
    assert_eq!(desk.json(&["audit", "--until", "1h"]), json!([]));
    let audit = desk.out(&["audit"]);
    assert_eq!(audit.lines().count(), 3, "{audit}");
    assert!(audit.lines().nth(1).unwrap().contains("local  resume  {\"plugin\":\"bad\"}"), "{audit}");
}

#[test]
fn a_command_does_what_the_role_of_its_key_allows() {
    let desk = Desk::new();
    let made = desk.type_in(&["keys", "create", "dashboard", "--role", "read"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let list = desk.out(&["keys", "list"]);
    assert!(list.contains("dashboard") && list.contains("read"), "{list}");
    let env = std::fs::read_to_string(desk.home.path().join(".env")).unwrap();
    desk.home.write(".env", &format!("{env}HOOKGATE_ADMIN_TOKEN={}\n", made.out.trim()));
    assert_eq!(desk.type_in(&["events"]).code, 0);
    let refused = desk.type_in(&["pause", "good"]);
    assert!(refused.code == 1 && refused.err.contains("this needs the role operate"), "{}", refused.err);
    desk.home.write(".env", &format!("{env}HOOKGATE_ADMIN_TOKEN=hgk_garbage\n"));
    let unknown = desk.type_in(&["events"]);
    assert!(unknown.code == 1 && unknown.err.contains("unknown or was revoked"), "{}", unknown.err);
}

#[test]
fn every_command_has_an_example() {
    let home = Home::new();
    for words in [
        &["events"][..],
        &["show"],
        &["replay"],
        &["dead"],
        &["dead", "list"],
        &["dead", "retry"],
        &["dead", "drop"],
        &["plugins"],
        &["pause"],
        &["resume"],
        &["audit"],
        &["keys", "create"],
        &["keys", "revoke"],
    ] {
        let help = run_hookgate(&home, &[words, &["--help"]].concat());
        let example = format!("Example:  hookgate {}", words.join(" "));
        assert!(help.code == 0 && help.out.contains(&example), "{words:?}\n{}", help.out);
        assert!(help.out.contains("--json"), "{words:?}\n{}", help.out);
    }
}
