//! Receivers that do not take what they are sent: it is sent again, and whoever fails hurts nobody else.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookgate_tests::{Application, Gateway, Guest, Home, Process, Receiver, Reply, WEBHOOK_SECRET, eventually, within};
use serde_json::{Value, json};

#[test]
fn what_fails_is_sent_again_with_the_same_ids_until_it_is_taken() {
    let receiver = Receiver::answering(|_, nth| match nth {
        1 => Reply::Body(500, b"oh no".to_vec()),
        2 => Reply::HangUp,
        3 => Reply::With(302, "location", "/elsewhere".into()),
        _ => Reply::Body(201, b"thanks".to_vec()),
    });
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let event = application.publish("a", json!({}));

    eventually("it is delivered", || application.newest(&id) == "done");

    let hits = receiver.hits();
    assert_eq!(hits.len(), 4, "the redirect was not followed");
    assert!(hits.iter().all(|hit| hit.path == "/hook"
        && hit.body == hits[0].body
        && hit.is_signed("standard-webhooks", WEBHOOK_SECRET)));
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
    let home = Home::with_receivers(&[&receiver], "");
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
    let sent = |event: &str| receiver.hits().iter().filter(|hit| hit.header("webhook-id") == event).count();
    eventually("one that went well is sent again too", || {
        sent(&first) == 6 && gateway.status()["queue"]["running"] == 0
    });

    let delivery = application.deliveries(&id).into_iter().find(|one| one["event_id"] == first).unwrap();
    let numbers: Vec<_> = delivery["history"].as_array().unwrap().iter().map(|one| one["number"].as_u64()).collect();
    assert_eq!(numbers, (1..=6).map(Some).collect::<Vec<_>>(), "no attempt takes the place of another");
    let webhook = application.webhook(&id);
    let counts =
        ["total_deliveries", "successful_deliveries", "failed_deliveries"].map(|field| webhook[field].as_u64());
    assert_eq!(counts, [Some(2), Some(2), Some(0)], "a delivery counts once, by its last end");
}

#[test]
fn a_receiver_that_is_gone_is_disabled_and_whoever_asked_is_told() {
    let (gone, watcher) = (Receiver::answering(|_, _| Reply::Status(410)), Receiver::new());
    let home = Home::with_receivers(&[&gone, &watcher], "");
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
    let home = Home::with_receivers(&[&receiver], "outgoing.disable_after_s = 1\noutgoing.schedule_s = [1, 1, 1]");
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
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    application.publish("a", json!({}));
    eventually("it was asked, and heard", || application.deliveries(&id)[0]["history"][0].is_object());
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
    let home = Home::with_receivers(&[&receiver], "outgoing.timeout_ms = 500\noutgoing.schedule_s = []");
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
    let home = Home::with_receivers(&[&limited, &free], "");
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
fn what_was_published_and_not_delivered_outlives_the_process() {
    let well = Arc::new(AtomicBool::new(false));
    let told = well.clone();
    let receiver =
        Receiver::answering(move |_, _| if told.load(Ordering::SeqCst) { Reply::Status(200) } else { Reply::Silence });
    let many: Vec<String> = vec!["0".into(); 40];
    let home = Home::with_receivers(&[&receiver], &format!("outgoing.schedule_s = [{}]", many.join(", ")));
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
    let home = Home::with_receivers(&[&dead, &healthy], &format!("outgoing.schedule_s = [{}]", many.join(", ")));
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
fn what_waits_for_its_time_can_be_sent_now() {
    let well = Arc::new(AtomicBool::new(false));
    let told = well.clone();
    let receiver = Receiver::answering(move |_, _| Reply::Status(if told.load(Ordering::SeqCst) { 200 } else { 500 }));
    let home = Home::with_receivers(&[&receiver], "outgoing.schedule_s = [3600]");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let events = [application.publish("a", json!({})), application.publish("a", json!({}))];
    eventually("both were tried", || application.webhook(&id)["total_deliveries"] == 2);
    well.store(true, Ordering::SeqCst);
    let one = application.ask("POST", &format!("/webhooks/{id}/deliveries/{}/redeliver", events[0]), None);
    assert_eq!(one.json()["redelivered"], 1, "{}", one.text());
    eventually("one is done", || application.webhook(&id)["successful_deliveries"] == 1);
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    let rest = application.ask("POST", &format!("/webhooks/{id}/redeliver"), Some(since));
    assert_eq!(rest.json()["redelivered"], 1, "{}", rest.text());
    eventually("both are done", || application.webhook(&id)["successful_deliveries"] == 2);
    assert_eq!(receiver.count(), 4);
}

#[test]
fn what_waited_too_long_for_one_that_is_not_active_is_given_up_and_counted() {
    let receiver = Receiver::answering(|_, nth| Reply::Status(if nth == 1 { 500 } else { 200 }));
    let home = Home::with_receivers(&[&receiver], "outgoing.schedule_s = [3600]\ndelivery.keep_subscriptions_s = 1");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    let event = application.publish("a", json!({}));
    eventually("it was tried", || application.webhook(&id)["total_deliveries"] == 1);
    application.ask("PATCH", &format!("/webhooks/{id}"), Some(json!({ "is_active": false })));
    eventually("it is given up", || application.newest(&id) == "dead");
    assert_eq!(application.webhook(&id)["failed_deliveries"], 1);
    application.ask("PATCH", &format!("/webhooks/{id}"), Some(json!({ "is_active": true })));
    application.ask("POST", &format!("/webhooks/{id}/deliveries/{event}/redeliver"), None);
    eventually("it is delivered", || application.webhook(&id)["successful_deliveries"] == 1);
    assert_eq!(application.webhook(&id)["failed_deliveries"], 0);
}

/// How much a process has computed, in ticks of the clock.
fn computed(process: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_late_answer_wakes_nobody_who_was_deactivated() {
    let receiver = Receiver::answering(|_, nth| match nth {
        1 => {
            std::thread::sleep(Duration::from_millis(400));
            Reply::With(429, "retry-after", "1".into())
        }
        _ => {
            std::thread::sleep(Duration::from_millis(2000));
            Reply::Status(200)
        }
    });
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Process::start(&home);
    let application = Application::of(&gateway);
    let id = application.register(&receiver, &["a"]);
    application.publish("a", json!({}));
    application.publish("a", json!({}));
    eventually("both are under way", || receiver.count() == 2);
    application.ask("PATCH", &format!("/webhooks/{id}"), Some(json!({ "is_active": false })));
    eventually("one of them ended well", || application.webhook(&id)["successful_deliveries"] == 1);
    // The other has been due for long.
    std::thread::sleep(Duration::from_millis(300));
    let before = computed(&gateway);
    assert!(!within(Duration::from_millis(1500), || receiver.count() > 2));
    assert!(computed(&gateway) - before < 50, "it spins: {} ticks of 150", computed(&gateway) - before);
    // Which of the two reached the receiver first is nobody's promise.
    let deliveries = application.deliveries(&id);
    let mut states: Vec<_> = deliveries.iter().map(|delivery| delivery["status"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["done", "pending"]);
}

#[test]
fn whoever_hangs_up_leaves_nothing_half_done() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    for n in 0..100 {
        let body = json!({ "url": receiver.url(), "events": ["a"], "description": n.to_string() }).to_string();
        let head = format!(
            "POST /api/v1/webhooks HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            application.key,
            body.len()
        );
        let mut stream = std::net::TcpStream::connect(gateway.admin).unwrap();
        stream.write_all((head + &body).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_micros(20 * (n % 50)));
    }
    let listed = || application.ask("GET", "/webhooks", None).json().as_array().unwrap().len();
    let written = || home.ledger().subscribers("webhook:").len();
    eventually("all that began has ended", || {
        let before = written();
        std::thread::sleep(Duration::from_millis(300));
        before == written()
    });
    assert!(written() > 0);
    assert_eq!(listed(), written(), "what is on disk is in memory");
    application.publish("a", json!({}));
    eventually("each gets it", || receiver.count() == written());
}
