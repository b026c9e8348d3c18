//! `hookgate webhooks` and `hookgate keys` do what the API does.

use std::io::{BufRead, BufReader};

use hookgate_tests::{Application, Home, Process, Receiver, WEBHOOK_SECRET, eventually, run_hookgate, spawn_hookgate};
use serde_json::{Value, json};

#[test]
fn the_commands_do_the_same() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Process::start(&home);
    let admin = format!("http://{}", gateway.admin);
    let run = |words: &[&str]| run_hookgate(&home, &[words, &["--admin", &admin]].concat());
    let url = receiver.url();
    let made = run(&[
        "webhooks",
        "create",
        "--url",
        &url,
        "--events",
        "a.*",
        "--events",
        "b",
        "--secret",
        "a-secret-of-mine",
        "--header",
        "X-A: b",
        "--json",
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    assert_eq!((&made["secret"], &made["events"]), (&"a-secret-of-mine".into(), &json!(["a.*", "b"])));
    let id = made["id"].as_str().unwrap();
    let key = run(&["keys", "create", "--name", "shop"]);
    assert!(key.out.starts_with("hgk_") && key.out.lines().count() == 1, "{}", key.out);
    let published = gateway.api(key.out.trim(), "POST", "/api/v1/events", Some(json!({ "type": "a.b", "data": 1 })));
    let event = published.json()["id"].as_str().unwrap().to_owned();
    eventually("it is sent", || receiver.count() == 1);
    for (words, expected) in [
        (vec!["webhooks", "list"], url.as_str()),
        (vec!["webhooks", "show", id], "deliveries  1 done, 0 dead, 0 pending"),
        (vec!["webhooks", "test", id, "a.test", "--data", "{\"x\": 1}"], "delivered: answered 200"),
        (vec!["webhooks", "redeliver", id, &event], "1 to be delivered again"),
        (vec!["webhooks", "redeliver", id, "--since", "2020-01-01T00:00:00Z"], "0 to be delivered again"),
        (vec!["webhooks", "redeliver", id, "--since", "2h"], "0 to be delivered again"),
        (vec!["webhooks", "deliveries", id], &event),
        (vec!["webhooks", "deliveries", id, "--since", "1h"], &event),
        (vec!["webhooks", "rotate", id, "--grace-s", "60"], "secret      whsec_"),
        (vec!["webhooks", "update", id, "--active", "false"], "state       not active"),
        (vec!["keys", "list"], "shop"),
        (vec!["keys", "revoke", "shop"], "called \"shop\", is no key any more"),
        (vec!["webhooks", "delete", id], "is taken out"),
    ] {
        let ran = run(&words);
        assert!(ran.code == 0 && ran.out.contains(expected), "{words:?}\n{}{}", ran.out, ran.err);
    }
    let wrong = run(&["webhooks", "create", "--url", "http://127.0.0.1:1/", "--events", "a"]);
    assert_eq!(wrong.code, 64, "{}", wrong.err);
    assert!(wrong.err.contains("allow_private"), "{}", wrong.err);
    assert_eq!(run(&["webhooks", "show", "whk_none"]).code, 1);
    assert_eq!(run(&["webhooks", "update", "whk_none"]).code, 64);
    let away = run_hookgate(&home, &["webhooks", "list", "--admin", "http://127.0.0.1:1"]);
    assert!(away.code == 1 && away.err.contains("is it running"), "{}", away.err);
}

#[test]
fn listen_prints_verifies_and_answers_as_it_is_told() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::with(&format!("outgoing.allow_private = [\"{port}\"]\noutgoing.schedule_s = [0, 0]"));
    let address = port.to_string();
    let mut listening =
        spawn_hookgate(&home, &["webhooks", "listen", &address, "--secret", WEBHOOK_SECRET, "--fail", "1"]);
    let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), format!("listening on http://{port}"));
    let gateway = Process::start(&home);
    let application = Application::of(&gateway);
    let url = format!("http://{port}/hook");
    application.create(json!({ "url": url, "events": ["a"], "secret": WEBHOOK_SECRET }));
    application.create(json!({ "url": url, "events": ["b"], "secret": "whsec_YW5vdGhlciBzZWNyZXQ=" }));
    application.publish("a", json!({}));
    let first = lines.next().unwrap();
    assert!(
        first.contains("#1 a evt_") && first.contains("verified by x-webhook-signature and webhook-signature"),
        "{first}"
    );
    assert!(first.ends_with("answered 500"), "{first}");
    assert!(lines.next().unwrap().ends_with("answered 200"));
    application.publish("b", json!({}));
    let wrong = lines.next().unwrap();
    assert!(wrong.contains("NOT VERIFIED") && wrong.ends_with("answered 401"), "{wrong}");
    listening.kill().unwrap();
    listening.wait().unwrap();
}
