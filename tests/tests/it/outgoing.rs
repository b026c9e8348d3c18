//! Outgoing webhooks: what is registered is sent, signed, until it is taken; and whoever does not take it hurts nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hookgate_tests::{Answer, Doors, Gateway, Guest, Home, Process, Receiver, Reply, eventually, within};
use serde_json::{Value, json};

const SECRET: &str = "whsec_QSB3ZWJob29rJ3Mgb3duIHNlY3JldCwgMDEyMzQ=";

/// A gateway's folder whose webhooks may be received by these.
fn home(receivers: &[&Receiver], more: &str) -> Home {
    let allowed: Vec<String> = receivers.iter().map(|receiver| format!("\"{}\"", receiver.address())).collect();
    let quick = if more.contains("schedule_s") { "" } else { "outgoing.schedule_s = [0, 0, 0]" };
    Home::with(&format!("outgoing.allow_private = [{}]\n{quick}\n{more}", allowed.join(", ")))
}

/// An application that speaks to a gateway.
struct Application<'a> {
    doors: &'a Doors,
    key: String,
}

impl Application<'_> {
    fn of(doors: &Doors) -> Application<'_> {
        Application { doors, key: doors.key() }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.doors.api(&self.key, method, &format!("/api/v1{path}"), body)
    }

    fn create(&self, body: Value) -> String {
        let made = self.ask("POST", "/webhooks", Some(body));
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["id"].as_str().unwrap().to_owned()
    }

    /// Registers a receiver for types of events.
    fn register(&self, receiver: &Receiver, events: &[&str]) -> String {
        self.create(json!({ "url": receiver.url(), "events": events, "secret": SECRET }))
    }

    fn publish(&self, event_type: &str, data: Value) -> String {
        let published = self.ask("POST", "/events", Some(json!({ "type": event_type, "data": data })));
        assert_eq!(published.status, 202, "{}", published.text());
        published.json()["id"].as_str().unwrap().to_owned()
    }

    fn webhook(&self, id: &str) -> Value {
        self.ask("GET", &format!("/webhooks/{id}"), None).json()
    }

    fn deliveries(&self, id: &str) -> Vec<Value> {
        self.ask("GET", &format!("/webhooks/{id}/deliveries"), None).json().as_array().unwrap().clone()
    }

    /// The status of the newest delivery.
    fn newest(&self, id: &str) -> String {
        let deliveries = self.deliveries(id);
        deliveries.first().map(|delivery| delivery["status"].as_str().unwrap().to_owned()).unwrap_or_default()
    }
}

#[test]
fn an_event_is_sent_as_soundhash_and_standard_webhooks_say() {
    let receiver = Receiver::new();
    let home = home(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.create(json!({
        "url": receiver.url(), "events": ["video.*"], "secret": SECRET, "custom_headers": { "X-Tenant": "7" }, "key_pair": true,
    }));

    let resource = json!({ "id": "456", "type": "video" });
    let body = json!({ "type": "video.processed", "data": { "title": "Grüße", "n": 1.5 }, "resource": resource });
    let published = application.ask("POST", "/events", Some(body)).json();

    eventually("it is there", || receiver.count() == 1);
    let hit = &receiver.hits()[0];
    assert!(hit.is_signed("soundhash", SECRET) && hit.is_signed("standard-webhooks", SECRET), "{hit:?}");
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
    assert!(hookgate::webhooks::read_rfc3339(sent["created_at"].as_str().unwrap()).is_some());
}

#[test]
fn what_senders_plugins_and_applications_say_is_heard_as_far_as_was_agreed() {
    let (all, api, plugin, github) = (Receiver::new(), Receiver::new(), Receiver::new(), Receiver::new());
    let home = home(&[&all, &api, &plugin, &github], "plugins.maker = { emit = [\"video.*\"] }");
    home.install(
        "maker",
        Guest::wanting(&["file.ready"]).asking_for("emit", "video.*", &[]).handling(EMITS).component(),
    );
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let register = |receiver: &Receiver, events: &[&str], sources: &[&str]| {
        application.create(json!({ "url": receiver.url(), "events": events, "sources": sources, "secret": SECRET }))
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
    let home = home(&[&receiver], "");
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
    eventually("each is sent once", || receiver.count() == 4);
    assert!(!within(Duration::from_millis(300), || receiver.count() > 4));
}

#[test]
fn what_fails_is_sent_again_with_the_same_ids_until_it_is_taken() {
    let receiver = Receiver::answering(|_, nth| match nth {
        1 => Reply::Body(500, b"oh no".to_vec()),
        2 => Reply::HangUp,
        3 => Reply::With(302, "location", "/elsewhere".into()),
        _ => Reply::Body(201, b"thanks".to_vec()),
    });
    let home = home(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let event = application.publish("a", json!({}));

    eventually("it is delivered", || application.newest(&id) == "done");

    let hits = receiver.hits();
    assert_eq!(hits.len(), 4, "the redirect was not followed");
    assert!(
        hits.iter()
            .all(|hit| hit.path == "/hook" && hit.body == hits[0].body && hit.is_signed("standard-webhooks", SECRET))
    );
    assert!(hits.iter().all(|hit| hit.header("webhook-id") == event));
    let delivery = &application.deliveries(&id)[0];
    assert_eq!((&delivery["attempts"], &delivery["event_id"]), (&4.into(), &event.as_str().into()));
    let history = delivery["history"].as_array().unwrap();
    let told: Vec<_> =
        history.iter().map(|one| (&one["status_code"], &one["response_body"], &one["outcome"])).collect();
    assert_eq!(told[0], (&500.into(), &"oh no".into(), &"retry".into()));
    assert_eq!(told[1], (&Value::Null, &Value::Null, &"retry".into()));
    assert_eq!(told[3], (&201.into(), &"thanks".into(), &"done".into()));
    assert!(history[2]["error_message"].as_str().unwrap().contains("redirects are not followed"));
    let webhook = application.webhook(&id);
    assert_eq!((&webhook["total_deliveries"], &webhook["successful_deliveries"]), (&1.into(), &1.into()));
    let stats = application.ask("GET", &format!("/webhooks/{id}/stats"), None).json();
    assert_eq!(
        (&stats["attempts"], &stats["success_rate"], &stats["failing_since"]),
        (&4.into(), &1.0.into(), &Value::Null)
    );
}

#[test]
fn what_is_given_up_is_dead_and_can_be_delivered_again() {
    let well = Arc::new(AtomicBool::new(false));
    let told = well.clone();
    let receiver = Receiver::answering(move |_, _| Reply::Status(if told.load(Ordering::SeqCst) { 200 } else { 500 }));
    let home = home(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let first = application.publish("a", json!({}));
    eventually("it is dead", || application.newest(&id) == "dead");
    assert_eq!(receiver.count(), 4, "one attempt and three more");
    assert_eq!(application.webhook(&id)["failed_deliveries"], 1);
    let paused = application.ask("PATCH", &format!("/webhooks/{id}"), Some(json!({ "is_active": false })));
    assert_eq!(paused.json()["is_active"], false);
    let second = application.publish("a", json!({}));
    let redeliver = |body: Value| application.ask("POST", &format!("/webhooks/{id}/redeliver"), Some(body));
    let since = "2020-01-01T00:00:00Z";
    assert_eq!(redeliver(json!({ "since": since })).status, 409, "it is not active");

    well.store(true, Ordering::SeqCst);
    application.ask("PATCH", &format!("/webhooks/{id}"), Some(json!({ "is_active": true })));
    assert!(!within(Duration::from_millis(300), || receiver.count() > 4), "what came meanwhile is not for it");
    assert_eq!(redeliver(json!({ "since": "2099-01-01T00:00:00Z" })).json()["redelivered"], 0);
    let put_back = redeliver(json!({ "since": since }));

    assert_eq!((put_back.status, &put_back.json()["redelivered"]), (202, &2.into()));
    eventually("both are done", || {
        let done = |event: &str| {
            application.deliveries(&id).iter().any(|one| one["event_id"] == event && one["status"] == "done")
        };
        done(&first) && done(&second)
    });
    assert_eq!(redeliver(json!({ "since": since })).json()["redelivered"], 0, "nothing is left");
    let again = application.ask("POST", &format!("/webhooks/{id}/deliveries/{first}/redeliver"), None);
    assert_eq!(again.status, 202, "{}", again.text());
    eventually("one that went well is sent again too", || receiver.count() == 7);
}

#[test]
fn a_receiver_that_is_gone_is_disabled_and_whoever_asked_is_told() {
    let (gone, watcher) = (Receiver::answering(|_, _| Reply::Status(410)), Receiver::new());
    let home = home(&[&gone, &watcher], "");
    home.install("told", Guest::wanting(&["hookgate:webhook.disabled"]).component());
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&gone, &["a"]);
    application.register(&watcher, &["webhook.disabled"]);
    application.publish("a", json!({}));

    eventually("it is told", || watcher.count() == 1 && gateway.plugin("told")["done"] == 1);

    let told = watcher.hits()[0].json();
    assert_eq!((&told["data"]["webhook_id"], &told["resource_type"]), (&id.as_str().into(), &"webhook".into()));
    assert!(told["data"]["reason"].as_str().unwrap().contains("410"));
    let webhook = application.webhook(&id);
    assert_eq!(webhook["is_active"], false);
    assert!(webhook["disabled_reason"].as_str().unwrap().contains("410"));
    application.publish("a", json!({}));
    assert!(!within(Duration::from_millis(300), || gone.count() > 1), "nothing more is sent");
}

#[test]
fn a_receiver_that_fails_for_long_is_disabled() {
    let receiver = Receiver::answering(|_, _| Reply::Status(500));
    let home = home(&[&receiver], "outgoing.disable_after_s = 1\noutgoing.schedule_s = [1, 1, 1]");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    application.publish("a", json!({}));
    eventually("it is disabled", || application.webhook(&id)["is_active"] == false);
    let webhook = application.webhook(&id);
    assert!(webhook["disabled_reason"].as_str().unwrap().contains("disable_after_s"), "{webhook}");
    let waiting = application.deliveries(&id);
    assert_eq!(waiting[0]["status"], "pending", "what waits, waits until it is active again: {waiting:?}");
}

#[test]
fn a_wait_that_is_asked_for_is_kept() {
    let receiver = Receiver::answering(|_, nth| match nth {
        1 => Reply::With(429, "retry-after", "2".into()),
        2 => Reply::With(503, "retry-after", "1".into()),
        _ => Reply::Status(200),
    });
    let home = home(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    application.publish("a", json!({}));
    eventually("it was asked", || receiver.count() == 1);
    // The receiver as a whole is left alone, not just what it answered so.
    application.publish("a", json!({}));
    eventually("both are done", || application.webhook(&id)["successful_deliveries"] == 2);
    let hits = receiver.hits();
    assert!(hits[1].at - hits[0].at >= Duration::from_millis(1900), "{hits:?}");
    assert!(hits[2].at - hits[1].at >= Duration::from_millis(900), "{hits:?}");
}

#[test]
fn no_answer_takes_more_than_its_time_and_no_more_is_kept_than_16_kib() {
    let receiver = Receiver::answering(|hit, _| match hit.header("x-webhook-event") {
        "endless" => Reply::Endless(200),
        "failing" => Reply::Endless(500),
        "drip" => Reply::Drip,
        _ => Reply::Silence,
    });
    let home = home(&[&receiver], "outgoing.timeout_ms = 500\noutgoing.schedule_s = []");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["*"]);
    for event_type in ["endless", "failing", "drip", "silence"] {
        application.publish(event_type, json!({}));
    }
    let over = |deliveries: &[Value]| deliveries.iter().all(|one| one["status"] == "done" || one["status"] == "dead");
    eventually("all are over", || {
        let deliveries = application.deliveries(&id);
        deliveries.len() == 4 && over(&deliveries)
    });
    let attempt = |event_type: &str| {
        let deliveries = application.deliveries(&id);
        let one = deliveries.iter().find(|one| one["event_type"] == event_type).unwrap().clone();
        (one["status"].as_str().unwrap().to_owned(), one["history"][0].clone())
    };
    let (status, endless) = attempt("endless");
    assert_eq!((&*status, endless["response_body"].as_str().unwrap().len()), ("done", 16 << 10));
    assert_eq!((attempt("failing").0.as_str(), &attempt("failing").1["status_code"]), ("dead", &500.into()));
    for event_type in ["drip", "silence"] {
        let (status, attempt) = attempt(event_type);
        assert_eq!(status, "dead", "{event_type}");
        assert!(attempt["error_message"].as_str().unwrap().contains("no answer within 500 ms"), "{attempt}");
    }
}

#[test]
fn no_more_is_sent_in_a_minute_than_was_agreed() {
    let (limited, free) = (Receiver::new(), Receiver::new());
    let home = home(&[&limited, &free], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.create(json!({ "url": limited.url(), "events": ["a"], "rate_limit_per_minute": 5 }));
    application.register(&free, &["a"]);
    for _ in 0..20 {
        application.publish("a", json!({}));
    }
    eventually("the other has all", || free.count() == 20);
    eventually("five are sent", || limited.count() == 5);
    assert!(!within(Duration::from_millis(700), || limited.count() > 5));
    let waiting = application.ask("GET", &format!("/webhooks/{id}/deliveries?status=pending"), None).json();
    assert_eq!(waiting.as_array().unwrap().len(), 15);
    assert!(waiting.as_array().unwrap().iter().all(|one| one["attempts"] == 0), "waiting is no attempt: {waiting}");
    // Without the limit they go out at once.
    application.ask("PATCH", &format!("/webhooks/{id}"), Some(json!({ "rate_limit_per_minute": null })));
    eventually("all are sent", || limited.count() == 20);
}

#[test]
fn while_a_secret_takes_the_place_of_another_both_sign() {
    let receiver = Receiver::new();
    let home = home(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let rotate = |body: Value| application.ask("POST", &format!("/webhooks/{id}/rotate"), Some(body)).json();
    let second = rotate(json!({}))["secret"].as_str().unwrap().to_owned();
    assert!(second.starts_with("whsec_") && second != SECRET);
    application.publish("a", json!({}));
    eventually("it is sent", || receiver.count() == 1);
    let hit = &receiver.hits()[0];
    assert!(hit.is_signed("standard-webhooks", SECRET) && hit.is_signed("standard-webhooks", &second));
    assert!(hit.is_signed("soundhash", SECRET), "its receiver has the older one still");

    let third = rotate(json!({ "secret": "a-third-secret", "grace_s": 0 }))["secret"].as_str().unwrap().to_owned();
    application.publish("a", json!({}));
    eventually("it is sent", || receiver.count() == 2);
    let hit = &receiver.hits()[1];
    assert!(hit.is_signed("soundhash", &third), "without a grace the others sign no more");
    assert!(!hit.is_signed("standard-webhooks", SECRET) && !hit.is_signed("standard-webhooks", &second));
}

#[test]
fn a_receiver_that_changes_its_secret_is_found_by_the_next_attempt() {
    let secret = Arc::new(std::sync::Mutex::new(SECRET.to_owned()));
    let known = secret.clone();
    let receiver = Receiver::answering(move |hit, _| {
        Reply::Status(if hit.is_signed("soundhash", &known.lock().unwrap()) { 200 } else { 401 })
    });
    let home = home(&[&receiver], "");
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
fn what_was_published_and_not_delivered_outlives_the_process() {
    let well = Arc::new(AtomicBool::new(false));
    let told = well.clone();
    let receiver =
        Receiver::answering(move |_, _| if told.load(Ordering::SeqCst) { Reply::Status(200) } else { Reply::Silence });
    let many: Vec<String> = vec!["0".into(); 40];
    let home = home(&[&receiver], &format!("outgoing.schedule_s = [{}]", many.join(", ")));
    let mut gateway = Process::start(&home);
    let application = Application::of(&gateway);
    let (id, key) = (application.register(&receiver, &["a"]), application.key.clone());
    let mut ids: Vec<String> = (0..50).map(|n| application.publish("a", json!({ "n": n }))).collect();
    for _ in 0..3 {
        gateway.kill();
        gateway = Process::start(&home);
        let application = Application { doors: &gateway, key: key.clone() };
        ids.extend((0..10).map(|n| application.publish("a", json!({ "m": n }))));
    }
    well.store(true, Ordering::SeqCst);
    let got = |id: &String| receiver.hits().iter().any(|hit| hit.header("webhook-id") == id);
    eventually("each is there", || ids.iter().all(got));
    let application = Application { doors: &gateway, key };
    eventually("and known to be", || application.webhook(&id)["successful_deliveries"].as_u64() >= Some(80));
}

#[test]
fn a_dead_receiver_with_much_to_get_holds_nobody_up_and_is_found_when_it_is_back() {
    let well = Arc::new(AtomicBool::new(false));
    let told = well.clone();
    let dead =
        Receiver::answering(move |_, _| if told.load(Ordering::SeqCst) { Reply::Status(200) } else { Reply::HangUp });
    let healthy = Receiver::new();
    let many: Vec<String> = vec!["1".into(); 90];
    let home = home(&[&dead, &healthy], &format!("outgoing.schedule_s = [{}]", many.join(", ")));
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let (id, _) = (application.register(&dead, &["a"]), application.register(&healthy, &["a"]));
    for n in 0..200 {
        application.publish("a", json!({ "n": n }));
    }
    eventually("the healthy one has all", || healthy.count() == 200);
    eventually("the dead one is left alone", || application.webhook(&id)["paused_until"].is_string());
    let before = dead.count();
    assert!(!within(Duration::from_millis(1500), || dead.count() > before + 2), "it is only probed");
    well.store(true, Ordering::SeqCst);
    eventually("it has all", || application.webhook(&id)["successful_deliveries"] == 200);
}

#[test]
fn a_test_is_sent_at_once_and_told() {
    let receiver = Receiver::answering(|hit, _| match hit.header("x-webhook-event") {
        "bad" => Reply::Body(422, b"no such thing".to_vec()),
        _ => Reply::Body(200, b"fine".to_vec()),
    });
    let home = home(&[&receiver], "");
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
    assert!(receiver.hits()[0].is_signed("standard-webhooks", SECRET) && receiver.hits()[0].json()["data"]["x"] == 1);
    let bad = test("bad");
    assert_eq!((&bad["success"], &bad["status_code"]), (&false.into(), &422.into()));
    assert!(application.deliveries(&id).is_empty(), "nothing of it is kept");
}

#[test]
fn a_webhook_that_is_taken_out_gets_nothing_more() {
    let receiver = Receiver::answering(|_, _| Reply::Status(500));
    let home = home(&[&receiver], "outgoing.schedule_s = [1, 1, 1]");
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
    let home = home(&[&receiver], "");
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
        shows(&id) && !shows(SECRET) && !shows("QSB3ZWJob29r") && !shows(&key),
        "secrets and keys are not in clear"
    );

    std::fs::write(home.data().join("outgoing.key"), "another key, which is wrong").unwrap();
    let gateway = Gateway::start(&home);
    let application = Application { doors: &gateway, key: key.clone() };
    assert_eq!(application.ask("GET", &format!("/webhooks/{id}"), None).status, 404);
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
    let home = home(&[&receiver], "");
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
