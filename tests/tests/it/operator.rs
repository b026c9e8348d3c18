//! What operators ask by HTTP: which events came and how they went, and what is to be done about it.

use hookgate_tests::{Application, Doors, Gateway, Guest, Home, Receiver, Sender, State, api, eventually};
use serde_json::{Value, json};

fn get(doors: &Doors, path: &str) -> Value {
    let answer = doors.get(path);
    assert_eq!(answer.status, 200, "{path} {}", answer.text());
    answer.json()
}

fn post(doors: &Doors, path: &str, body: Value) -> Value {
    let answer = api(doors.admin, "", "POST", path, Some(body));
    assert_eq!(answer.status, 200, "{path} {}", answer.text());
    answer.json()
}

/// The ids of what is listed, until the end.
fn listed(doors: &Doors, query: &str) -> Vec<String> {
    let (mut ids, mut before) = (Vec::new(), String::new());
    loop {
        let page = get(doors, &format!("/api/v1/events?{query}{before}"));
        ids.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return ids,
        }
    }
}

/// One that does its work.
fn worker(patterns: &[&str]) -> Guest {
    Guest::wanting(patterns).handling("(call $log (i32.const 2) {looked at it})")
}

/// One that never does.
fn rejecting(patterns: &[&str]) -> Guest {
    Guest::wanting(patterns).handling("(call $log (i32.const 3) {will not}) (return (call $reject {not this one}))")
}

fn state(doors: &Doors, id: &str) -> String {
    get(doors, &format!("/api/v1/events/{id}"))["state"].as_str().unwrap().to_owned()
}

#[test]
fn events_are_listed_by_every_filter() {
    let home = Home::new();
    home.install("worker", worker(&["push", "issues.*"]).component());
    home.install("bad", rejecting(&["issues.opened"]).component());
    let gateway = Gateway::start(&home);
    let github = home.sender("github");
    let push = gateway.post(&github.with_body("push", r#"{"needle":1}"#)).id();
    let opened = gateway.post(&github.webhook("issues.opened")).id();
    let unrouted = gateway.post(&home.sender("frameio").webhook("file.ready")).id();
    eventually("all are over", || {
        [(&push, "done"), (&opened, "dead"), (&unrouted, "unrouted")]
            .iter()
            .all(|(id, went)| state(&gateway, id) == *went)
    });

    let all = listed(&gateway, "");

    assert_eq!(all, [&unrouted, &opened, &push].map(String::as_str), "the newest first");
    for (query, expected) in [
        ("source=github", vec![&opened, &push]),
        ("source=nobody", vec![]),
        ("type=issues.*", vec![&opened]),
        ("type=github:*", vec![&opened, &push]),
        ("state=done", vec![&push]),
        ("state=dead", vec![&opened]),
        ("state=unrouted", vec![&unrouted]),
        ("state=pending", vec![]),
        ("state=let_go", vec![]),
        ("plugin=worker", vec![&opened, &push]),
        ("plugin=worker&state=done", vec![&opened, &push]),
        ("plugin=bad&state=dead", vec![&opened]),
        ("plugin=bad&state=done", vec![]),
        ("text=needle", vec![&push]),
        ("since=2020-01-01T00:00:00Z", vec![&unrouted, &opened, &push]),
        ("until=2020-01-01T00:00:00Z", vec![]),
        ("since=9999-01-01T00:00:00Z", vec![]),
        ("until=9999-01-01T00:00:00Z", vec![&unrouted, &opened, &push]),
        ("limit=1", vec![&unrouted, &opened, &push]),
        (&format!("before={opened}"), vec![&push]),
        (&format!("after={opened}"), vec![&unrouted]),
        (&format!("after={push}&before={unrouted}"), vec![&opened]),
    ] {
        assert_eq!(listed(&gateway, query).iter().collect::<Vec<_>>(), expected, "{query}");
    }
    for wrong in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "state=odd",
        "since=yesterday",
        "before=evt_1",
        "text=",
        "type=a%20b",
        "odd=1",
    ] {
        assert_eq!(gateway.get(&format!("/api/v1/events?{wrong}")).status, 422, "{wrong}");
    }
}

#[test]
fn an_event_is_listed_with_its_deliveries() {
    let home = Home::new();
    home.install("worker", worker(&["issues.*"]).component());
    home.install("bad", rejecting(&["issues.opened"]).component());
    let gateway = Gateway::start(&home);
    gateway.post(&home.sender("github").webhook("issues.opened")).id();
    let last = gateway.post(&home.sender("github").webhook("issues.opened")).id();
    eventually("both are over", || {
        home.ledger().count("bad", State::Dead) + home.ledger().count("worker", State::Done) == 4
    });
    let first = get(&gateway, "/api/v1/events?limit=1");
    assert_eq!((first["events"].as_array().unwrap().len(), &first["next"]), (1, &json!(last)));
    let opened = get(&gateway, "/api/v1/events?type=issues.opened&source=github")["events"][0].clone();
    assert_eq!(
        (&opened["source"], &opened["provider"], &opened["state"]),
        (&json!("github"), &json!("github"), &json!("dead"))
    );
    let mut stands: Vec<_> = opened["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["plugin"].as_str().unwrap(), one["state"].as_str().unwrap(), one["attempts"].as_u64().unwrap()))
        .collect();
    stands.sort_unstable();
    assert_eq!(stands, [("bad", "dead", 1), ("worker", "done", 1)]);
}

#[test]
fn one_event_is_shown_whole() {
    let home = Home::new();
    let handle = "(call $log (i32.const 2) {first}) (call $log (i32.const 3) {second}) (call $work (i32.const 2000000))
        (return (call $retry {not yet}))";
    home.install("worker", Guest::wanting(&["push"]).handling(handle).component());
    let gateway = Gateway::start(&home);
    let webhook =
        home.sender("github").with_body("push", r#"{"a":"ü"}"#).and("x-own", "here").and("x-own-token", "s3cret");
    let id = gateway.post(&webhook).id();
    eventually("it is given up", || state(&gateway, &id) == "dead");

    let shown = get(&gateway, &format!("/api/v1/events/{id}"));

    assert_eq!((&shown["id"], &shown["type"], &shown["source"]), (&json!(id), &json!("push"), &json!("github")));
    assert_eq!((&shown["payload"], &shown["payload_encoding"]), (&json!(r#"{"a":"ü"}"#), &json!("text")));
    assert!(shown["attributes"].is_object());
    let header = |name: &str| {
        let all = shown["headers"].as_array().unwrap().iter();
        { all }.find(|header| header["name"] == name).unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_eq!([header("x-own"), header("x-own-token"), header("x-hub-signature-256")], ["here", "***", "***"]);
    let delivery = &shown["deliveries"][0];
    assert_eq!((&delivery["plugin"], &delivery["state"]), (&json!("worker"), &json!("dead")));
    let attempts = delivery["attempts"].as_array().unwrap();
    assert_eq!(attempts.iter().map(|one| one["number"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    for attempt in attempts {
        assert_eq!((&attempt["outcome"], &attempt["why"]), (&json!("retry"), &json!("not yet")));
        assert_eq!(attempt["log"], json!(["info first", "warn second"]));
        assert!(attempt["cpu_us"].as_u64().unwrap() > 0 && attempt["took_us"].as_u64().unwrap() > 0, "{attempt}");
        assert_eq!(attempt["memory_bytes"], 2 * 65536);
        assert_eq!(attempt["generation"], gateway.plugin("worker")["generation"]);
        assert!(attempt["started_at"].as_str().unwrap() >= shown["received_at"].as_str().unwrap());
    }
    for unknown in ["evt_0000000000000", "evt_1", "nothing"] {
        assert_eq!(gateway.get(&format!("/api/v1/events/{unknown}")).status, 404);
    }
}

#[test]
fn a_payload_that_is_no_text_is_shown_in_base64() {
    let home = Home::with("[sources.slack]\nprovider = \"slack\"\nsecrets = [{ file = \"slack.secret\" }]");
    home.write("slack.secret", "a-signing-secret");
    let gateway = Gateway::start(&home);
    let sender = Sender::of("slack", "slack", "a-signing-secret");
    let id = gateway.post(&sender.with_body("command./go", &b"command=%2Fgo&text=\xff\xfe"[..])).id();
    let shown = get(&gateway, &format!("/api/v1/events/{id}"));
    assert_eq!(
        (&shown["payload"], &shown["payload_encoding"]),
        (&json!("Y29tbWFuZD0lMkZnbyZ0ZXh0Pf/+"), &json!("base64"))
    );
}

#[test]
fn what_a_webhooks_receiver_answered_is_shown() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let webhook = application.register(&receiver, &["a"]);
    let event = application.publish("a", json!({}));
    eventually("it is delivered", || state(&gateway, &event) == "done");
    let delivery = &get(&gateway, &format!("/api/v1/events/{event}"))["deliveries"][0];
    assert_eq!((&delivery["webhook"], &delivery["plugin"]), (&json!(webhook), &Value::Null));
    let attempt = &delivery["attempts"][0];
    assert_eq!(
        (&attempt["status"], &attempt["answer"], &attempt["generation"]),
        (&json!(200), &json!(""), &Value::Null)
    );
}

#[test]
fn events_are_put_back_one_by_one_by_filter_and_to_one_plugin() {
    let home = Home::new();
    home.install("one", worker(&["push"]).component());
    home.install("other", worker(&["push", "issues.*"]).component());
    let gateway = Gateway::start(&home);
    let pushes: Vec<String> =
        (0..3).map(|n| gateway.post(&home.sender("github").with_body("push", format!("{{\"n\":{n}}}"))).id()).collect();
    let issue = gateway.post(&home.sender("github").webhook("issues.opened")).id();
    let attempts = |plugin: &str, id: &str| {
        let shown = get(&gateway, &format!("/api/v1/events/{id}"));
        let deliveries = shown["deliveries"].as_array().unwrap();
        let own = deliveries.iter().find(|delivery| delivery["plugin"] == plugin);
        own.map(|own| own["attempts"].as_array().unwrap().len()).unwrap_or_default()
    };
    let are_done =
        |one: usize, other: usize| pushes.iter().all(|id| attempts("one", id) == one && attempts("other", id) == other);
    eventually("all are done", || are_done(1, 1) && attempts("other", &issue) == 1);

    let put_back = post(&gateway, "/api/v1/replay", json!({ "events": [pushes[0]] }));
    assert_eq!(put_back, json!({ "matched": 1, "put_back": { "one": 1, "other": 1 }, "next": null }));
    eventually("both did it again", || attempts("one", &pushes[0]) == 2 && attempts("other", &pushes[0]) == 2);

    let put_back = post(&gateway, "/api/v1/replay", json!({ "events": [pushes[1], pushes[2]], "plugin": "one" }));
    assert_eq!(put_back["put_back"], json!({ "one": 2 }));
    eventually("it did", || attempts("one", &pushes[1]) == 2 && attempts("one", &pushes[2]) == 2);
    assert_eq!((attempts("other", &pushes[1]), attempts("other", &pushes[2])), (1, 1), "and nobody else");

    let put_back = post(&gateway, "/api/v1/replay", json!({ "source": "github", "type": "push", "plugin": "other" }));
    assert_eq!((&put_back["matched"], &put_back["put_back"]), (&json!(3), &json!({ "other": 3 })));
    eventually("all by filter", || attempts("other", &pushes[0]) == 3 && attempts("other", &pushes[2]) == 2);
    assert_eq!(attempts("other", &issue), 1, "which is no push");
}

#[test]
fn a_plugin_that_comes_later_gets_what_was_before_it() {
    let home = Home::new();
    home.install("first", worker(&["push"]).component());
    let gateway = Gateway::start(&home);
    let push = gateway.post(&home.sender("github").webhook("push")).id();
    let issue = gateway.post(&home.sender("github").webhook("issues.opened")).id();
    eventually("it is done", || state(&gateway, &push) == "done");
    home.install("later", worker(&["push", "issues.*"]).component());
    eventually("it is live", || gateway.slot("later") == "live");
    assert_eq!(home.ledger().state("later", &push), None);

    let unrouted = post(&gateway, "/api/v1/replay", json!({ "state": "unrouted" }));
    assert_eq!((&unrouted["matched"], &unrouted["put_back"]), (&json!(1), &json!({ "later": 1 })));
    eventually("what nobody wanted is done", || home.ledger().state("later", &issue) == Some(State::Done));
    assert_eq!(home.ledger().state("later", &push), None, "the first had it");
    let missing = post(&gateway, "/api/v1/replay", json!({ "type": "push", "plugin": "later" }));
    assert_eq!(missing["put_back"], json!({ "later": 1 }));
    eventually("it got it", || home.ledger().state("later", &push) == Some(State::Done));
    assert_eq!(
        api(gateway.admin, "", "POST", "/api/v1/replay", Some(json!({ "type": "push", "plugin": "nobody" }))).status,
        404
    );
}

#[test]
fn a_trial_changes_nothing_and_tells_the_same() {
    let home = Home::new();
    home.install("worker", rejecting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let ids: Vec<String> =
        (0..3).map(|n| gateway.post(&home.sender("github").with_body("push", format!("{{\"n\":{n}}}"))).id()).collect();
    eventually("all are dead", || home.ledger().count("worker", State::Dead) == 3);
    let before = get(&gateway, "/api/v1/events");
    let trial = post(&gateway, "/api/v1/replay", json!({ "source": "github", "dry_run": true }));
    assert_eq!(trial, json!({ "matched": 3, "put_back": { "worker": 3 }, "next": null }));
    assert_eq!(get(&gateway, "/api/v1/audit"), json!([]));
    // Whatever would have been put back by it is put back before this, and would be tried before it.
    let last = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("what came after it is dead", || home.ledger().state("worker", &last) == Some(State::Dead));
    let after = get(&gateway, &format!("/api/v1/events?before={last}"));
    assert_eq!(after["events"], before["events"]);
    for id in &ids {
        assert_eq!(
            get(&gateway, &format!("/api/v1/events/{id}"))["deliveries"][0]["attempts"].as_array().unwrap().len(),
            1
        );
    }
    let real = post(&gateway, "/api/v1/replay", json!({ "source": "github", "before": last }));
    assert_eq!(real["put_back"], trial["put_back"]);
}

#[test]
fn no_more_is_put_back_than_was_said_and_the_answer_says_where_to_go_on() {
    let home = Home::new();
    home.install("worker", worker(&["push"]).component());
    let gateway = Gateway::start(&home);
    let mut ids: Vec<String> =
        (0..5).map(|n| gateway.post(&home.sender("github").with_body("push", format!("{{\"n\":{n}}}"))).id()).collect();
    ids.reverse();
    eventually("all are done", || home.ledger().count("worker", State::Done) == 5);
    let first = post(&gateway, "/api/v1/replay", json!({ "type": "push", "limit": 2.0 }));
    assert_eq!(first, json!({ "matched": 2, "put_back": { "worker": 2 }, "next": ids[1] }));
    let second = post(&gateway, "/api/v1/replay", json!({ "type": "push", "limit": 3, "before": first["next"] }));
    assert_eq!((&second["matched"], &second["put_back"]), (&json!(3), &json!({ "worker": 3 })));
    eventually("each was done twice", || {
        ids.iter().all(|id| {
            get(&gateway, &format!("/api/v1/events/{id}"))["deliveries"][0]["attempts"].as_array().unwrap().len() == 2
        })
    });
    for wrong in [
        json!({}),
        json!({ "limit": 5 }),
        json!({ "type": "push", "limit": 1001 }),
        json!({ "type": "push", "limit": 1.5 }),
        json!({ "events": [] }),
        json!({ "events": ["evt_1"] }),
        json!({ "events": [ids[0]], "type": "push" }),
        json!({ "events": vec![&ids[0]; 1001] }),
        json!({ "typ": "push" }),
    ] {
        let answer = api(gateway.admin, "", "POST", "/api/v1/replay", Some(wrong.clone()));
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
}

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
