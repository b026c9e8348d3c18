//! What operators change by HTTP beside replay: the dead are tried again or let go of, plugins are held; and who did it is noted.

use hookgate_tests::{Gateway, Home, State, api, eventually};
use serde_json::{Value, json};

use crate::operator::{get, post, rejecting, state, worker};

#[test]
fn the_dead_are_listed_retried_and_dropped() {
    let home = Home::new();
    home.install("bad", rejecting(&["push", "issues.*"]).component());
    home.install("worse", rejecting(&["push"]).component());
    home.install("good", worker(&["push"]).component());
    let gateway = Gateway::start(&home);
    let push = gateway.post(&home.sender("github").webhook("push")).id();
    let issue = gateway.post(&home.sender("github").webhook("issues.opened")).id();
    eventually("all are over", || state(&gateway, &push) == "dead" && state(&gateway, &issue) == "dead");
    let dead = |query: &str| -> Vec<(String, String)> {
        let mut dead: Vec<_> = get(&gateway, &format!("/api/v1/dead?{query}"))["dead"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                assert_eq!((&one["why"], &one["outcome"]), (&json!("not this one"), &json!("reject")), "{one}");
                (one["event"].as_str().unwrap().to_owned(), one["plugin"].as_str().unwrap().to_owned())
            })
            .collect();
        dead.sort();
        dead
    };
    let pair = |id: &str, plugin: &str| (id.to_owned(), plugin.to_owned());
    assert_eq!(dead(""), [pair(&push, "bad"), pair(&push, "worse"), pair(&issue, "bad")]);
    assert_eq!(dead("plugin=bad&type=push"), [pair(&push, "bad")]);
    assert_eq!(dead("plugin=good"), []);
    let first = get(&gateway, "/api/v1/dead?limit=1");
    assert_eq!((first["dead"][0]["event"].as_str(), first["next"].as_str()), (Some(&*issue), Some(&*issue)));
    assert_eq!(
        dead(&format!("limit=1&before={issue}")),
        [pair(&push, "bad"), pair(&push, "worse")],
        "one event, dead at two"
    );

    home.install("worse", worker(&["push"]).version("2").component());
    eventually("it is better", || gateway.plugin("worse")["version"] == "2");
    let retried = post(&gateway, "/api/v1/dead/retry", json!({ "plugin": "worse" }));
    assert_eq!(retried, json!({ "matched": 1, "put_back": { "worse": 1 }, "next": null }));
    eventually("it is done now", || home.ledger().state("worse", &push) == Some(State::Done));
    assert_eq!(dead(""), [pair(&push, "bad"), pair(&issue, "bad")]);

    let dropped = post(&gateway, "/api/v1/dead/drop", json!({ "events": [push] }));
    assert_eq!(dropped, json!({ "matched": 1, "dropped": { "bad": 1 }, "next": null }));
    assert_eq!(dead(""), [pair(&issue, "bad")]);
    let shown = get(&gateway, &format!("/api/v1/events/{push}"));
    let bad = shown["deliveries"].as_array().unwrap().iter().find(|one| one["plugin"] == "bad").unwrap().clone();
    assert_eq!((&bad["state"], bad["attempts"].as_array().unwrap().len()), (&json!("dropped"), 1));
    assert_eq!(shown["state"], "done", "of what is left");
    let rest = post(&gateway, "/api/v1/dead/drop", json!({ "type": "issues.*" }));
    assert_eq!(rest["dropped"], json!({ "bad": 1 }));
    assert_eq!(gateway.status()["queue"]["dead"], 0);
    assert_eq!(api(gateway.admin, "", "POST", "/api/v1/dead/drop", Some(json!({ "plugin": "nobody" }))).status, 404);
}

#[test]
fn a_plugin_that_is_held_gets_nothing_until_it_is_let_go_across_a_restart() {
    let home = Home::new();
    home.install("held", worker(&["push"]).component());
    home.install("free", worker(&["push"]).component());
    let gateway = Gateway::start(&home);
    assert_eq!(post(&gateway, "/api/v1/plugins/held/pause", json!({})), json!({ "plugin": "held", "paused": true }));
    let before = gateway.post(&home.sender("github").with_body("push", "{\"n\":1}")).id();
    eventually("the other did it", || home.ledger().state("free", &before) == Some(State::Done));
    gateway.stop().unwrap();
    let gateway = Gateway::start(&home);
    assert_eq!(
        get(&gateway, "/api/v1/plugins").as_array().unwrap().iter().filter(|one| one["paused"] == true).count(),
        1
    );
    let after = gateway.post(&home.sender("github").with_body("push", "{\"n\":2}")).id();
    eventually("the other did that too", || home.ledger().state("free", &after) == Some(State::Done));
    for id in [&before, &after] {
        assert_eq!(
            (home.ledger().state("held", id), state(&gateway, id)),
            (Some(State::Waiting), "pending".to_owned())
        );
    }
    post(&gateway, "/api/v1/plugins/held/resume", json!({}));
    eventually("all is done", || {
        [&before, &after].iter().all(|id| home.ledger().state("held", id) == Some(State::Done))
    });
    assert_eq!(gateway.plugin("held")["paused"], false);
    for what in ["pause", "resume"] {
        assert_eq!(api(gateway.admin, "", "POST", &format!("/api/v1/plugins/nobody/{what}"), None).status, 404);
    }
}

#[test]
fn what_is_changed_by_hand_is_noted_with_who_did_it() {
    let home = Home::with("server.admin_token = { env = \"ADMIN_TOKEN\" }");
    let env = std::fs::read_to_string(home.path().join(".env")).unwrap();
    home.write(".env", &format!("{env}ADMIN_TOKEN=let-me-in\n"));
    home.install("worker", rejecting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let made = gateway.api("let-me-in", "POST", "/api/v1/keys", Some(json!({ "name": "alice", "role": "operate" })));
    let (alice, id) = (made.json()["key"].as_str().unwrap().to_owned(), made.json()["id"].as_str().unwrap().to_owned());
    let event = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is dead", || home.ledger().state("worker", &event) == Some(State::Dead));
    let ask = |path: &str, body: Value| assert_eq!(gateway.api(&alice, "POST", path, Some(body)).status, 200, "{path}");
    ask("/api/v1/plugins/worker/pause", json!({}));
    ask("/api/v1/replay", json!({ "events": [event], "dry_run": true }));
    ask("/api/v1/replay", json!({ "events": [event] }));
    ask("/api/v1/plugins/worker/resume", json!({}));
    eventually("it is dead again", || home.ledger().state("worker", &event) == Some(State::Dead));
    ask("/api/v1/dead/drop", json!({ "plugin": "worker" }));
    assert_eq!(gateway.api("let-me-in", "DELETE", "/api/v1/keys/alice", None).status, 204);

    let noted = gateway.api("let-me-in", "GET", "/api/v1/audit", None).json();

    let alice = format!("alice ({id})");
    let (token, alice) = ("admin token", alice.as_str());
    let expected = [
        (token, "key_revoked"),
        (alice, "drop"),
        (alice, "resume"),
        (alice, "replay"),
        (alice, "pause"),
        (token, "key_made"),
    ];
    let told: Vec<_> = noted
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["who"].as_str().unwrap(), one["what"]["action"].as_str().unwrap()))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(
        noted[3]["what"],
        json!({ "action": "replay", "asked": { "events": [event] }, "matched": 1, "put_back": { "worker": 1 } })
    );
    assert_eq!(noted[1]["what"]["dropped"], json!({ "worker": 1 }));
    assert_eq!(gateway.api("let-me-in", "GET", "/api/v1/audit?limit=1", None).json().as_array().unwrap().len(), 1);
    assert_eq!(gateway.api("let-me-in", "GET", "/api/v1/audit?limit=0", None).status, 422);
}
