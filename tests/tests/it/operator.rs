//! What operators ask by HTTP: which events came and how they went, and what is to be done about it.

use hookgate_tests::{Application, Doors, Gateway, Guest, Home, Receiver, Sender, State, api, eventually};
use serde_json::{Value, json};

pub(crate) fn get(doors: &Doors, path: &str) -> Value {
    let answer = doors.get(path);
    assert_eq!(answer.status, 200, "{path} {}", answer.text());
    answer.json()
}

pub(crate) fn post(doors: &Doors, path: &str, body: Value) -> Value {
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
pub(crate) fn worker(patterns: &[&str]) -> Guest {
    Guest::wanting(patterns).handling("(call $log (i32.const 2) {looked at it})")
}

/// One that never does.
pub(crate) fn rejecting(patterns: &[&str]) -> Guest {
    Guest::wanting(patterns).handling("(call $log (i32.const 3) {will not}) (return (call $reject {not this one}))")
}

pub(crate) fn state(doors: &Doors, id: &str) -> String {
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
fn headers_are_not_kept_where_the_config_says_so() {
    let home = Home::with("delivery.keep_headers = false");
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push").and("x-own", "here")).id();
    let shown = get(&gateway, &format!("/api/v1/events/{id}"));
    assert_eq!((&shown["headers"], shown["payload"].is_string()), (&json!([]), true));
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
    // Live, and written down as somebody who may get something.
    eventually("it is known", || {
        api(gateway.admin, "", "GET", "/api/v1/dead?plugin=later", None).status == 200
            && gateway.slot("later") == "live"
    });
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
