//! Outgoing webhooks: what is registered is sent, signed, until it is taken; and whoever does not take it hurts nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookgate_tests::{Application, Gateway, Guest, Home, Receiver, Reply, WEBHOOK_SECRET, eventually, within};
use serde_json::{Value, json};

#[test]
fn an_event_is_sent_as_soundhash_and_standard_webhooks_say() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.create(json!({
        "url": receiver.url(), "events": ["video.*"], "secret": WEBHOOK_SECRET, "custom_headers": { "X-Tenant": "7" }, "key_pair": true,
    }));

    let resource = json!({ "id": "456", "type": "video" });
    let body = json!({ "type": "video.processed", "data": { "title": "Grüße", "n": 1.5 }, "resource": resource });
    let published = application.ask("POST", "/events", Some(body)).json();

    eventually("it is there", || receiver.count() == 1);
    let hit = &receiver.hits()[0];
    assert!(
        hit.is_signed("soundhash", WEBHOOK_SECRET) && hit.is_signed("standard-webhooks", WEBHOOK_SECRET),
        "{hit:?}"
    );
    assert!(!hit.is_signed("soundhash", "another-secret"));
    let (event, delivery) = (published["id"].as_str().unwrap(), format!("{}:{id}", published["id"].as_str().unwrap()));
    for (name, expected) in [
        ("content-type", "application/json"),
        ("x-webhook-event", "video.processed"),
        ("x-webhook-id", &*id),
        ("x-delivery-id", &*delivery),
        ("webhook-id", event),
        ("x-tenant", "7"),
    ] {
        assert_eq!(hit.header(name), expected, "{name}");
    }
    assert!(hit.header("user-agent").starts_with("hookgate/"));
    assert_eq!(hit.header("webhook-timestamp"), hit.header("x-webhook-timestamp"));
    assert!(hit.header("webhook-signature").contains(" v1a,"), "{}", hit.header("webhook-signature"));
    let sent = hit.json();
    assert_eq!((&sent["id"], &sent["type"], &sent["event"]), (&event.into(), &"video.processed".into(), &sent["type"]));
    assert_eq!((&sent["data"]["title"], &sent["resource_id"]), (&"Grüße".into(), &"456".into()));
    assert_eq!(sent["resource_type"], "video");
    assert!(hookgate::event::read_rfc3339(sent["created_at"].as_str().unwrap()).is_some());
}

#[test]
fn what_senders_plugins_and_applications_say_is_heard_as_far_as_was_agreed() {
    let (all, api, plugin, github) = (Receiver::new(), Receiver::new(), Receiver::new(), Receiver::new());
    let home = Home::with_receivers(&[&all, &api, &plugin, &github], "plugins.maker = { emit = [\"video.*\"] }");
    home.install(
        "maker",
        Guest::wanting(&["file.ready"]).asking_for("emit", "video.*", &[]).handling(EMITS).component(),
    );
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let register = |receiver: &Receiver, events: &[&str], sources: &[&str]| {
        application
            .create(json!({ "url": receiver.url(), "events": events, "sources": sources, "secret": WEBHOOK_SECRET }))
    };
    register(&all, &["*"], &["*"]);
    register(&api, &["*"], &["api"]);
    register(&plugin, &["video.*"], &["plugin"]);
    register(&github, &["github:push"], &["*"]);

    gateway.post(&home.sender("frameio").webhook("file.ready")).id();
    gateway.post(&home.sender("github").webhook("push")).id();
    application.publish("video.uploaded", json!({}));

    let heard = |receiver: &Receiver| {
        let mut types: Vec<String> =
            receiver.hits().iter().map(|hit| hit.header("x-webhook-event").to_owned()).collect();
        types.sort();
        types
    };
    eventually("all of it is heard", || {
        all.count() == 4 && api.count() == 1 && plugin.count() == 1 && github.count() == 1
    });
    assert_eq!(heard(&all), ["file.ready", "push", "video.processed", "video.uploaded"]);
    assert_eq!(
        (heard(&api), heard(&plugin), heard(&github)),
        (vec!["video.uploaded".to_owned()], vec!["video.processed".to_owned()], vec!["push".to_owned()],)
    );
    let of_frameio = all.hits().into_iter().find(|hit| hit.header("x-webhook-event") == "file.ready").unwrap().json();
    assert_eq!(of_frameio["data"]["type"], "file.ready", "the sender's own body is the data");
    assert_eq!(of_frameio["resource_type"], "file");
}

/// Makes the event `video.processed`.
const EMITS: &str = "(call $emit {video.processed} {[456]} (i32.const 0) (i32.const 0) (i32.const 512))";

#[test]
fn plugins_hear_what_is_published() {
    let home = Home::new();
    home.install("hears", Guest::wanting(&["api:video.*"]).component());
    let gateway = Gateway::start(&home);
    Application::of(&gateway).publish("video.processed", json!({ "a": 1 }));
    eventually("it is handled", || gateway.plugin("hears")["done"] == 1);
}

#[test]
fn a_repeat_of_what_was_published_is_none() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    application.register(&receiver, &["*"]);
    let publish = |headers: &str, id: Option<&str>| {
        let mut body = json!({ "type": "a", "data": 1 });
        if let Some(id) = id {
            body["id"] = id.into();
        }
        let key = format!("x-api-key: {}\r\n{headers}", application.key);
        hookgate_tests::api(gateway.admin, &key, "POST", "/api/v1/events", Some(body)).json()
    };
    let first = publish("", Some("one"));
    assert_eq!(first["duplicate"], false);
    assert_eq!(publish("", Some("one")), json!({ "id": first["id"], "duplicate": true }));
    assert_eq!(publish("idempotency-key: one\r\n", None), json!({ "id": first["id"], "duplicate": true }));
    assert_eq!(publish("idempotency-key: two\r\n", None)["duplicate"], false);
    assert_eq!((&publish("", None)["duplicate"], &publish("", None)["duplicate"]), (&false.into(), &false.into()));
    for (header, told) in
        [("idempotency-key: \u{e9}\r\n", "visible ASCII"), ("idempotency-key: \r\n", "1 to 256 bytes")]
    {
        let refused = publish(header, Some("three"));
        assert!(refused["error"].as_str().unwrap().contains(told), "{refused}");
    }
    eventually("each is sent once", || receiver.count() == 4);
    assert!(!within(Duration::from_millis(300), || receiver.count() > 4));
}

#[test]
fn nothing_is_delivered_again_that_was_not_for_it() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let body = json!({ "url": receiver.url(), "events": ["push"], "sources": ["github"] });
    let id = application.create(body);
    let other = application.publish("push", json!({ "for": "somebody else" }));
    let again = application.ask("POST", &format!("/webhooks/{id}/deliveries/{other}/redeliver"), None);
    assert_eq!(again.status, 409, "{}", again.text());
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    let all = application.ask("POST", &format!("/webhooks/{id}/redeliver"), Some(since)).json();
    assert_eq!(all["redelivered"], 0);
    assert!(!within(Duration::from_millis(300), || receiver.count() > 0));
}

#[test]
fn while_a_secret_takes_the_place_of_another_both_sign() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let rotate = |body: Value| application.ask("POST", &format!("/webhooks/{id}/rotate"), Some(body)).json();
    let second = rotate(json!({}))["secret"].as_str().unwrap().to_owned();
    assert!(second.starts_with("whsec_") && second != WEBHOOK_SECRET);
    application.publish("a", json!({}));
    eventually("it is sent", || receiver.count() == 1);
    let hit = &receiver.hits()[0];
    assert!(hit.is_signed("standard-webhooks", WEBHOOK_SECRET) && hit.is_signed("standard-webhooks", &second));
    assert!(hit.is_signed("soundhash", WEBHOOK_SECRET), "its receiver has the older one still");

    let third = rotate(json!({ "secret": "a-third-secret", "grace_s": 0 }))["secret"].as_str().unwrap().to_owned();
    application.publish("a", json!({}));
    eventually("it is sent", || receiver.count() == 2);
    let hit = &receiver.hits()[1];
    assert!(hit.is_signed("soundhash", &third), "without a grace the others sign no more");
    assert!(!hit.is_signed("standard-webhooks", WEBHOOK_SECRET) && !hit.is_signed("standard-webhooks", &second));
}

#[test]
fn a_receiver_that_changes_its_secret_is_found_by_the_next_attempt() {
    let secret = Arc::new(std::sync::Mutex::new(WEBHOOK_SECRET.to_owned()));
    let known = secret.clone();
    let receiver = Receiver::answering(move |hit, _| {
        Reply::Status(if hit.is_signed("soundhash", &known.lock().unwrap()) { 200 } else { 401 })
    });
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let rotated = application.ask("POST", &format!("/webhooks/{id}/rotate"), Some(json!({}))).json();
    let attempts = |event: &str| {
        eventually("it is delivered", || application.newest(&id) == "done");
        application.deliveries(&id).iter().find(|one| one["event_id"] == event).unwrap()["attempts"].clone()
    };
    assert_eq!(attempts(&application.publish("a", json!({}))), 1);
    *secret.lock().unwrap() = rotated["secret"].as_str().unwrap().to_owned();
    assert_eq!(attempts(&application.publish("a", json!({}))), 2);
    assert_eq!(attempts(&application.publish("a", json!({}))), 1);
}

#[test]
fn a_test_is_sent_at_once_and_told() {
    let receiver = Receiver::answering(|hit, _| match hit.header("x-webhook-event") {
        "bad" => Reply::Body(422, b"no such thing".to_vec()),
        _ => Reply::Body(200, b"fine".to_vec()),
    });
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let test = |event_type: &str| {
        let body = json!({ "event_type": event_type, "test_data": { "x": 1 } });
        application.ask("POST", &format!("/webhooks/{id}/test"), Some(body)).json()
    };
    let good = test("good");
    assert_eq!(
        (&good["success"], &good["status_code"], &good["response_body"]),
        (&true.into(), &200.into(), &"fine".into())
    );
    assert!(good["duration_ms"].as_f64().unwrap() > 0.0 && good["error_message"].is_null());
    assert!(
        receiver.hits()[0].is_signed("standard-webhooks", WEBHOOK_SECRET)
            && receiver.hits()[0].json()["data"]["x"] == 1
    );
    let bad = test("bad");
    assert_eq!((&bad["success"], &bad["status_code"]), (&false.into(), &422.into()));
    assert!(application.deliveries(&id).is_empty(), "nothing of it is kept");
}

#[test]
fn a_webhook_that_is_taken_out_gets_nothing_more() {
    let receiver = Receiver::answering(|_, _| Reply::Status(500));
    let home = Home::with_receivers(&[&receiver], "outgoing.schedule_s = [1, 1, 1]");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    application.publish("a", json!({}));
    eventually("it was tried", || receiver.count() == 1);
    assert_eq!(application.ask("DELETE", &format!("/webhooks/{id}"), None).status, 204);
    application.publish("a", json!({}));
    assert!(!within(Duration::from_millis(1500), || receiver.count() > 1));
    assert_eq!(application.ask("GET", &format!("/webhooks/{id}"), None).status, 404);
    eventually("what waited is given up", || gateway.status()["queue"]["pending"] == 0);
}

#[test]
fn where_the_key_is_another_webhooks_wait_for_the_right_one() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let (id, key) = {
        let application = Application::of(&gateway);
        (application.register(&receiver, &["a"]), application.key)
    };
    gateway.stop().unwrap();
    let right = std::fs::read(home.data().join("outgoing.key")).unwrap();
    let stored: Vec<u8> = ["hookgate.db", "hookgate.db-wal"]
        .iter()
        .flat_map(|name| std::fs::read(home.data().join(name)).unwrap_or_default())
        .collect();
    let shows = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(
        shows(&id) && !shows(WEBHOOK_SECRET) && !shows("QSB3ZWJob29r") && !shows(&key),
        "secrets and keys are not in clear"
    );

    std::fs::write(home.data().join("outgoing.key"), "another key, which is wrong").unwrap();
    let gateway = Gateway::start(&home);
    let application = Application { doors: &gateway, key: key.clone() };
    let closed = application.ask("GET", &format!("/webhooks/{id}"), None);
    assert!(closed.status == 409 && closed.text().contains("another key"), "{}", closed.text());
    assert_eq!(gateway.status()["webhooks"]["unreadable"], 1);
    application.publish("a", json!({}));
    gateway.stop().unwrap();
    assert_eq!(receiver.count(), 0);

    std::fs::write(home.data().join("outgoing.key"), right).unwrap();
    let _gateway = Gateway::start(&home);
    eventually("it is delivered", || receiver.count() == 1);
}

#[test]
fn an_orderly_stop_waits_for_requests_under_way() {
    let receiver = Receiver::answering(|_, _| {
        std::thread::sleep(Duration::from_millis(500));
        Reply::Status(200)
    });
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    application.register(&receiver, &["a"]);
    application.publish("a", json!({}));
    eventually("it is under way", || receiver.count() == 1);
    let begun = Instant::now();
    gateway.stop().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let _gateway = Gateway::start(&home);
    assert!(!within(Duration::from_millis(500), || receiver.count() > 1), "it was done");
}
