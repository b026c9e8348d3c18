//! What the commands of operators say where something is not as it was meant, or is not to be seen at once.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;

use hookgate_tests::{Gateway, Guest, Home, Ran, State, eventually, run_hookgate};
use serde_json::{Value, json};

use crate::operator_commands::Desk;

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn assert_usage(ran: &Ran, told: &str) {
    assert!(ran.code == 64 && ran.err.contains(told), "{} {}{}", ran.code, ran.out, ran.err);
}

#[test]
fn of_two_keys_of_a_name_one_is_revoked_by_its_id() {
    let desk = Desk::new();
    let make = || desk.json(&["keys", "create", "shop"])["id"].as_str().unwrap().to_owned();
    let ids = [make(), make()];
    let both = desk.type_in(&["keys", "revoke", "shop"]);
    assert!(both.code == 1 && both.err.contains("2 keys are meant by \"shop\", and none was revoked"), "{}", both.err);
    assert!(ids.iter().all(|id| both.err.contains(&format!("\n  {id}  publish  made 2"))), "{}", both.err);
    assert_eq!(desk.json(&["keys", "list"]).as_array().unwrap().len(), 2);

    let ended = desk.json(&["keys", "revoke", &ids[0]]);
    assert_eq!((&ended["id"], &ended["name"], ended.get("key")), (&json!(ids[0]), &json!("shop"), None));
    // There is one alone of that name now.
    let last = desk.out(&["keys", "revoke", "shop"]);
    assert_eq!(last, format!("{}, called \"shop\", is no key any more\n", ids[1]));
    let none = desk.type_in(&["keys", "revoke", "shop"]);
    assert!(none.code == 1 && none.err.contains("no such key"), "{}", none.err);
}

#[test]
fn what_depends_on_a_setting_fails_again_with_the_config_that_saving_names() {
    let handle = "(call $setting {mood} (i32.const 8))
        (if (i32.eq (i32.load (i32.const 16)) (i32.const 5)) (then unreachable))";
    let home = Home::with("[plugins.moody.settings]\nmood = \"angry\"");
    home.install("moody", Guest::wanting(&["push"]).asking("mood", Some("fine")).handling(handle).component());
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is dead", || home.ledger().state("moody", &id) == Some(State::Dead));
    let admin = format!("http://{}", gateway.admin);
    let saved = run_hookgate(&home, &["show", &id, "--save", "failing/it", "--admin", &admin]);
    let told = "saved into failing/it: hookgate try PLUGIN.wasm --event failing/it --config hookgate.toml";
    assert!(saved.code == 0 && saved.err.contains(told), "{}", saved.err);
    assert_eq!(["failing", "failing/it"].map(|name| mode(&home.path().join(name))), [0o700; 2]);

    let tried = |more: &[&str]| {
        run_hookgate(&home, &[&["try", "plugins/moody.wasm", "--event", "failing/it"][..], more].concat())
    };
    let (with, without) = (tried(&["--config", "hookgate.toml"]), tried(&[]));
    assert!(with.code == 1 && with.out.contains("trapped: ") && with.err.is_empty(), "{with:?}");
    let told = "hookgate.toml has a section for moody, which counts with --config hookgate.toml alone";
    assert!(without.code == 0 && without.err.contains(told), "{without:?}");
    home.install("other", Guest::wanting(&["push"]).component());
    let other = run_hookgate(&home, &["try", "plugins/other.wasm"]);
    assert!(other.code == 0 && other.err.is_empty(), "it has no section: {other:?}");
}

#[test]
fn an_event_is_saved_where_nothing_else_is() {
    let desk = Desk::new();
    let ids = desk.pushes(2);
    let save = |id: &str, folder: &str| desk.type_in(&["show", id, "--save", folder]);
    assert_eq!(save(&ids[0], "one").code, 0);
    assert_eq!(save(&ids[0], "one").code, 0, "the same event");
    let other = save(&ids[1], "one");
    assert!(other.code == 1 && other.err.contains(&format!("one has the event {} in it", ids[0])), "{}", other.err);
    let payload = std::fs::read_to_string(desk.home.path().join("one/payload")).unwrap();
    assert_eq!(payload, "{\"n\":0}", "it is as it was");
    let full = save(&ids[1], "plugins");
    assert!(full.code == 1 && full.err.contains("plugins is not empty"), "{}", full.err);
    std::fs::create_dir(desk.home.path().join("empty")).unwrap();
    assert_eq!(save(&ids[1], "empty").code, 0);
}

#[test]
fn what_is_no_id_is_told_what_one_looks_like() {
    let desk = Desk::new();
    for odd in ["", "42", "evt_1", "key_abcdefgh"] {
        assert_usage(&desk.type_in(&["show", odd]), "an event's id is evt_ and 13 characters, as in evt_");
    }
}

#[test]
fn what_waits_is_shown_with_why() {
    let desk = Desk::new();
    desk.home.install("moody", Guest::wanting(&["push"]).asking("mood", None).component());
    eventually("it is blocked", || desk.gateway.slot("moody") == "blocked");
    desk.out(&["pause", "good"]);
    let id = desk.gateway.post(&desk.home.sender("github").webhook("push")).id();
    let line = |name: &str| {
        let shown = desk.out(&["show", &id]);
        shown.lines().rfind(|line| line.starts_with(&format!("{name}: "))).unwrap_or_default().to_owned()
    };
    eventually("one is over", || line("bad") == "bad: dead");
    assert!(line("good").starts_with("good: pending") && line("good").ends_with("; it is paused (hookgate resume)"));
    let blocked = line("moody");
    let told =
        "; it is blocked: it needs what it was not granted: the setting mood. Add to the config: (`hookgate check`";
    assert!(blocked.starts_with("moody: pending") && blocked.contains(told), "{blocked}");
    assert!(desk.json(&["show", &id]).get("plugins").is_none(), "to programs nothing is added");
    std::fs::remove_file(desk.home.plugin("moody")).unwrap();
    eventually("its file is missed", || line("moody").ends_with("; its file is gone"));
    desk.out(&["resume", "good"]);
    eventually("it is done", || line("good") == "good: done");
}

#[test]
fn what_would_be_retried_or_dropped_is_found_out_without_doing_it() {
    let desk = Desk::new();
    let ids = desk.pushes(3);
    let none = "evt_0000000000007";
    for (words, out) in [
        (&["retry", "--plugin", "bad"][..], "looked at 3 events: would put back bad 3\n"),
        (&["retry", &ids[0]], "looked at 1 event: would put back bad 1\n"),
        (&["drop", "--plugin", "bad"], "looked at 3 events: would drop bad 3\n"),
        (&["drop", "--until", "1d"], "looked at 0 events: would drop nothing\n"),
        (&["drop", "--source", "github", "--yes"], "looked at 3 events: would drop bad 3\n"),
        (&["drop", &ids[0], &ids[2]], "looked at 2 events: would drop bad 2\n"),
        (&["drop", &ids[0], "--plugin", "good"], "looked at 1 event: would drop nothing\n"),
    ] {
        assert_eq!(desk.out(&[&["dead"], words, &["--dry-run"]].concat()), out, "{words:?}");
    }
    let cut = desk.type_in(&["dead", "drop", "--limit", "2", "--dry-run"]);
    assert_eq!((cut.code, cut.out.as_str()), (0, "looked at 2 events: would drop bad 2\n"), "{}", cut.err);
    assert!(cut.err.contains("stopped after 2 events, and there may be more"), "{}", cut.err);
    let unknown = desk.type_in(&["dead", "drop", none, &ids[0], "--dry-run", "--json"]);
    let printed: Value = serde_json::from_str(&unknown.out).unwrap();
    assert_eq!(printed, json!({ "matched": 1, "dropped": { "bad": 1 }, "next": null, "unknown": [none] }));
    assert!(unknown.code == 1 && unknown.err.contains(&format!("there is no event {none}")), "{}", unknown.err);
    assert_eq!(desk.home.ledger().count("bad", State::Dead), 3, "nothing was done");
    assert!(ids.iter().all(|id| desk.attempts("bad", id) == 1));
    assert_eq!(desk.json(&["audit"]), json!([]), "nor noted");
}

#[test]
fn times_the_wrong_way_round_are_told() {
    let desk = Desk::new();
    for words in
        [&["events"][..], &["events", "--follow"], &["replay"], &["dead"], &["dead", "retry"], &["dead", "drop"]]
    {
        let ran = desk.type_in(&[words, &["--since", "1h", "--until", "2h"]].concat());
        let needs = if words == ["dead", "drop"] { "--yes" } else { "is later than --until (" };
        assert_usage(&ran, needs);
    }
    let words = ["dead", "drop", "--yes", "--since", "1h", "--until", "1d"];
    assert_usage(&desk.type_in(&words), "is later than --until (");
}

#[test]
fn what_is_cut_and_who_is_unknown_is_said_beside_the_list() {
    let desk = Desk::new();
    desk.pushes(3);
    for (command, what) in [("events", "events"), ("dead", "lines")] {
        let cut = desk.type_in(&[command, "--limit", "2"]);
        let told = format!("stopped after 2 {what}, and there may be more: say --limit for more\n");
        assert_eq!((cut.out.lines().count(), cut.err), (3, told));
        assert_eq!(desk.type_in(&[command, "--limit", "4"]).err, "");
        assert_eq!(desk.type_in(&[command, "--limit", "2", "--json"]).err, "", "programs have `next`");
    }
    let told = "there is no plugin `nope` now; there are: bad, good\n";
    let unknown = desk.type_in(&["events", "--plugin", "nope"]);
    assert_eq!((unknown.code, unknown.err.as_str()), (0, told));
    assert_eq!(desk.type_in(&["events", "--plugin", "good", "--until", "2h"]).err, "");
    let unknown = desk.type_in(&["events", "--source", "nope"]);
    assert!(unknown.err.starts_with("there is no source `nope` now; there are: ") && unknown.err.contains("github"));
    for known in ["github", "plugin:good", "api"] {
        assert_eq!(desk.type_in(&["events", "--source", known, "--until", "2h"]).err, "", "{known}");
    }
    for words in [&["replay"][..], &["dead"], &["dead", "retry"], &["dead", "drop", "--dry-run"], &["refusals"]] {
        let unknown = desk.type_in(&[words, &["--source", "nope"]].concat());
        let is_told = unknown.err.starts_with("there is no source `nope` now; there are: ");
        assert!(unknown.code == 0 && is_told, "{words:?}: {}", unknown.err);
    }
    desk.out(&["pause", "good"]);
    desk.out(&["resume", "good"]);
    let told = "stopped after 1 line, and there may be more: say --limit for more\n";
    assert_eq!(desk.type_in(&["audit", "--limit", "1"]).err, told);
    assert_eq!(desk.type_in(&["audit", "--limit", "3"]).err, "");
    let told = "there is no plugin `nope` now; there are: bad, good\n";
    let mut following = desk.spawn(&["events", "--follow", "--plugin", "nope"]);
    let mut line = String::new();
    BufReader::new(following.stderr.take().unwrap()).read_line(&mut line).unwrap();
    following.kill().unwrap();
    following.wait().unwrap();
    assert_eq!(line, told);
}
