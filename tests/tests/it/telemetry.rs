//! Traces: what a collector is told of an event, and that nobody waits for it.

use std::collections::BTreeSet;
use std::net::TcpListener;

use hookgate_tests::frameio::Frameio;
use hookgate_tests::{
    Application, Collector, Gateway, Guest, Home, Process, Receiver, Reply, Sender, State, Told, WEBHOOK_SECRET,
    Webhook, eventually,
};
use serde_json::json;

const SENDERS_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SENDERS_SPAN: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{SENDERS_TRACE}-{SENDERS_SPAN}-{flags}")
}

/// Waits until an event has so many spans, and gives them.
fn whole(collector: &Collector, event: &str, spans: usize) -> Vec<Told> {
    eventually(&format!("{spans} spans are told"), || collector.of(event).len() >= spans);
    collector.of(event)
}

fn one<'a>(spans: &'a [Told], name: &str) -> &'a Told {
    let named: Vec<&Told> = spans.iter().filter(|span| span.name == name).collect();
    let [one] = named.as_slice() else { panic!("{} spans are called {name}: {spans:#?}", named.len()) };
    one
}

#[test]
fn the_spans_of_an_event_are_one_tree() {
    let collector = Collector::new();
    let home = Home::with(&format!("{}telemetry.service_name = \"gate-7\"", collector.config()));
    home.install("worker", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);

    let id = gateway.post(&home.sender("github").webhook("push")).id();

    let spans = whole(&collector, &id, 6);
    let root = one(&spans, "accept");
    assert_eq!((&*root.parent, root.is_parent_remote), ("", false));
    assert_eq!(spans.iter().map(|span| &span.id).collect::<BTreeSet<_>>().len(), 6, "no id is there twice");
    for span in &spans {
        assert_eq!((&span.trace, &*span.service), (&root.trace, "gate-7"), "{span:?}");
        assert!(span.id == root.id || span.parent == root.id, "{span:?}");
        assert!(span.times.0 <= span.times.1 && span.failure.is_none(), "{span:?}");
    }
    let [verify, commit, wait, call, settle] =
        ["verify", "commit", "wait", "call", "settle"].map(|name| one(&spans, name));
    assert!(root.times.0 <= verify.times.0 && verify.times.1 <= commit.times.0, "{spans:#?}");
    assert!(commit.times.1 <= root.times.1 && wait.times.1 == call.times.0, "{spans:#?}");
    assert!(call.times.1 <= settle.times.0, "{spans:#?}");
    for (key, value) in [
        ("hookgate.source", "github"),
        ("hookgate.event.type", "push"),
        ("http.request.method", "POST"),
        ("http.route", "/hooks/{source}"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(root.says(key), value, "{key}");
    }
    let generation = gateway.plugin("worker")["generation"].as_str().unwrap().to_owned();
    for (key, value) in [
        ("hookgate.plugin", "worker"),
        ("hookgate.attempt", "1"),
        ("hookgate.outcome", "done"),
        ("hookgate.generation", &generation),
    ] {
        assert_eq!(call.says(key), value, "{key}");
    }
    assert_eq!(settle.says("hookgate.verdict"), "done");
    assert_eq!(collector.hits()[0].path, "/v1/traces");
    assert_eq!(collector.hits()[0].header("content-type"), "application/x-protobuf");
}

#[test]
fn a_senders_trace_is_gone_on_with() {
    let collector = Collector::new();
    let home = Home::with(&collector.config());
    home.install("worker", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    for flags in ["00", "01"] {
        let webhook = home.sender("github").webhook("push").with("traceparent", &traceparent(flags));
        let spans = whole(&collector, &gateway.post(&webhook).id(), 6);

        let root = one(&spans, "accept");
        assert_eq!((&*root.parent, root.is_parent_remote), (SENDERS_SPAN, true));
        assert!(spans.iter().all(|span| span.trace == SENDERS_TRACE), "{spans:#?}");
        assert!(spans.iter().all(|span| span.id == root.id || span.parent == root.id), "{spans:#?}");
    }
}

#[test]
fn no_sender_says_how_much_is_told() {
    let (collector, receiver) = (Collector::new(), Receiver::new());
    let home = Home::with_receivers(&[&receiver], &format!("{}telemetry.sample = 0", collector.config()));
    let gateway = Gateway::start(&home);
    Application::of(&gateway).register(&receiver, &["github:*"]);
    let lowest = "00-000000000000000f0000000000000000-b7ad6b7169203331-01".to_owned();
    for said in [traceparent("00"), traceparent("01"), lowest] {
        gateway.post(&home.sender("github").webhook("push").with("traceparent", &said)).id();
    }
    eventually("all are delivered", || receiver.count() == 3);
    gateway.stop().unwrap();
    assert_eq!(collector.spans().len(), 0);
    let is_unkept = |hit: &hookgate_tests::Hit| hit.header("traceparent").ends_with("-00");
    assert!(receiver.hits().iter().all(is_unkept), "nobody after us is told that it is kept");
}

#[test]
fn a_share_of_events_is_told_whole() {
    let collector = Collector::new();
    let home = Home::with(&format!("{}telemetry.sample = 0.5", collector.config()));
    let gateway = Gateway::start(&home);

    let ids: Vec<String> = (0..60).map(|_| gateway.post(&home.sender("github").webhook("push")).id()).collect();

    gateway.stop().unwrap();
    let told: Vec<usize> = ids.iter().map(|id| collector.of(id).len()).collect();
    assert!(told.iter().all(|spans| [0, 3].contains(spans)), "{told:?}");
    assert!([0, 3].iter().all(|spans| told.contains(spans)), "{told:?}");
}

#[test]
fn a_traceparent_that_is_none_is_not_heard() {
    let collector = Collector::new();
    let home = Home::with(&collector.config());
    let gateway = Gateway::start(&home);
    let garbage = [&traceparent("01").to_uppercase(), "00-0-0-01", "garbage", &traceparent("01").replace("00-", "ff-")];

    let mut ids: Vec<String> = { garbage }
        .iter()
        .map(|text| gateway.post(&home.sender("github").webhook("push").with("traceparent", text)).id())
        .collect();
    let twice = home.sender("github").webhook("push").and("traceparent", &traceparent("01"));
    ids.push(gateway.post(&twice.and("traceparent", &traceparent("01"))).id());

    let traces: BTreeSet<String> = ids
        .iter()
        .map(|id| {
            let spans = whole(&collector, id, 3);
            assert_eq!(one(&spans, "accept").parent, "", "{spans:#?}");
            spans[0].trace.clone()
        })
        .collect();
    assert_eq!(traces.len(), ids.len(), "each has its own");
    assert!(!traces.contains(SENDERS_TRACE));
}

#[test]
fn attempts_stand_in_one_trace_whatever_comes_between() {
    stand_in_one_trace(|webhook| webhook);
}

#[test]
fn attempts_stand_in_the_senders_trace_after_a_restart_too() {
    let root = stand_in_one_trace(|webhook| webhook.with("traceparent", &traceparent("01")));
    assert_eq!((&*root.trace, &*root.parent), (SENDERS_TRACE, SENDERS_SPAN));
}

/// Three attempts at an event, with a restart before the last. Gives the root of the trace in which they are.
fn stand_in_one_trace(sent: impl FnOnce(Webhook) -> Webhook) -> Told {
    let collector = Collector::new();
    let home = Home::with(&format!("{}delivery.schedule_s = [0, 3]", collector.config()));
    let fails = "(if (i32.lt_u (local.get $attempt) (i32.const 3)) (then (return (call $retry {not yet}))))";
    home.install("third", Guest::wanting(&["push"]).handling(fails).component());
    let gateway = Gateway::start(&home);

    let id = gateway.post(&sent(home.sender("github").webhook("push"))).id();

    eventually("two attempts are over", || home.ledger().attempts("third").len() == 2);
    gateway.stop().unwrap();
    assert_eq!(collector.named(&id, "settle").len(), 2, "all is sent before it ends");
    let gateway = Gateway::start(&home);
    eventually("it is done", || home.ledger().state("third", &id) == Some(State::Done));
    gateway.stop().unwrap();

    let spans = collector.of(&id);
    assert_eq!(spans.len(), 3 + 3 * 3, "{spans:#?}");
    let root = one(&spans, "accept").clone();
    assert!(spans.iter().all(|span| span.trace == root.trace), "{spans:#?}");
    assert!(spans.iter().all(|span| span.id == root.id || span.parent == root.id), "{spans:#?}");
    let calls = collector.named(&id, "call");
    let told: Vec<_> = calls.iter().map(|call| (call.says("hookgate.attempt"), call.failure.as_deref())).collect();
    assert_eq!(told, [("1", Some("retry")), ("2", Some("retry")), ("3", None)]);
    let verdicts = collector.named(&id, "settle");
    let verdicts: Vec<_> = verdicts.iter().map(|settle| settle.says("hookgate.verdict")).collect();
    assert_eq!(verdicts, ["again", "again", "done"]);
    root
}

#[test]
fn a_repeat_is_not_told_again() {
    let collector = Collector::new();
    let home = Home::with(&collector.config());
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");

    let id = gateway.post(&webhook).id();
    assert!(gateway.post(&webhook).is_duplicate());

    gateway.stop().unwrap();
    assert_eq!(collector.spans().len(), 3);
    assert_eq!(collector.of(&id).len(), 3);
}

/// Makes an event of the type `made.it`.
const EMITS: &str = "(call $emit {made.it} {its body} (i32.const 0) (i32.const 0) (i32.const 256))";

#[test]
fn what_a_plugin_makes_stands_under_the_call_that_made_it() {
    let collector = Collector::new();
    let home = Home::with(&format!("{}plugins.maker = {{ emit = [\"made.*\"] }}", collector.config()));
    let maker = Guest::wanting(&["push"]).asking_for("emit", "made.*", &[]).handling(EMITS);
    home.install("maker", maker.component());
    home.install("taker", Guest::wanting(&["made.it"]).component());
    let gateway = Gateway::start(&home);

    let id = gateway.post(&home.sender("github").webhook("push")).id();

    let call = whole(&collector, &id, 6).into_iter().find(|span| span.name == "call").unwrap();
    let of_taker = || collector.spans().into_iter().filter(|span| span.says("hookgate.plugin") == "taker");
    eventually("the other's attempt is told", || of_taker().count() == 3);
    for span in of_taker() {
        assert_eq!((&span.trace, &span.parent), (&call.trace, &call.id), "{span:?}");
        assert_ne!(span.says("hookgate.event.id"), id);
    }
}

#[test]
fn a_receiver_is_told_what_it_stands_under() {
    let (collector, receiver) =
        (Collector::new(), Receiver::answering(|_, nth| Reply::Status(if nth == 1 { 500 } else { 200 })));
    let home = Home::with_receivers(&[&receiver], &collector.config());
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let webhook = application.register(&receiver, &["video.*"]);

    let id = application.publish("video.processed", json!({ "title": "x" }));

    let spans = whole(&collector, &id, 8);
    let calls = collector.named(&id, "call");
    let sent: Vec<String> = receiver.hits().iter().map(|hit| hit.header("traceparent").to_owned()).collect();
    let expected: Vec<String> = calls.iter().map(|call| format!("00-{}-{}-01", call.trace, call.id)).collect();
    assert_eq!(sent, expected);
    assert_eq!(one(&spans, "accept").says("hookgate.source"), "api");
    let told: Vec<_> =
        calls.iter().map(|call| (call.says("http.response.status_code"), call.failure.as_deref())).collect();
    assert_eq!(told, [("500", Some("retry")), ("200", None)]);
    assert!(calls.iter().all(|call| call.says("hookgate.webhook") == webhook), "{calls:#?}");
}

#[test]
fn a_plugin_that_answers_a_sender_is_told_of() {
    let collector = Collector::new();
    let answers = "sources.github = { answer = \"plugin\", answer_plugin = \"replier\" }\n";
    let home = Home::with(&format!("{}{answers}", collector.config()));
    let replies = "(return (call $answer (i32.const 201) {a plugin's words}))";
    home.install(
        "replier",
        Guest::wanting(&["nothing.else"]).asking_for("reply", "*", &[]).responding(replies).component(),
    );
    let gateway = Gateway::start(&home);

    assert_eq!(gateway.post(&home.sender("github").webhook("push")).status, 201);

    gateway.stop().unwrap();
    let spans = collector.spans();
    let (root, answer) = (one(&spans, "accept"), one(&spans, "answer"));
    assert_eq!((root.says("http.response.status_code"), &answer.parent), ("201", &root.id));
    assert_eq!((answer.says("hookgate.plugin"), answer.says("hookgate.result")), ("replier", "answered"));
    assert!(answer.times.0 >= one(&spans, "commit").times.1 && answer.times.1 <= root.times.1, "{spans:#?}");
}

#[test]
fn without_telemetry_nobody_is_told_anything() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    application.register(&receiver, &["github:*"]);

    gateway.post(&home.sender("github").webhook("push").with("traceparent", &traceparent("01"))).id();

    eventually("it is there", || receiver.count() == 1);
    assert_eq!(receiver.hits()[0].header("traceparent"), "");
    assert!(!gateway.get("/metrics").text().contains("hookgate_spans"));
}

#[test]
fn neither_secrets_nor_what_was_said_are_told() {
    let (collector, receiver) =
        (Collector::new(), Receiver::answering(|_, _| Reply::Body(500, b"receivers-words".to_vec())));
    let header = "telemetry.headers.authorization = { env = \"OTLP_TOKEN\" }\n";
    let home = Home::with_receivers(&[&receiver], &format!("{}{header}", collector.config()));
    let env = std::fs::read_to_string(home.path().join(".env")).unwrap();
    home.write(".env", &format!("{env}OTLP_TOKEN=\"Bearer the-collectors-token\"\n"));
    home.install("teller", Guest::telling(&["push"]).component());
    let gateway = Process::start_logging(&home, "trace");
    let application = Application::of(&gateway);
    application.register(&receiver, &["github:*"]);

    let webhook = home.sender("github").with_body("push", r#"{"words":"of-the-payload"}"#);
    let id = gateway.post(&webhook.with("x-other", "of-a-header")).id();

    whole(&collector, &id, 3 + 3 + 4 * 3);
    let hits = collector.hits();
    assert!(hits.iter().all(|hit| hit.header("authorization") == "Bearer the-collectors-token"));
    let told = hits.iter().flat_map(|hit| hit.body.clone()).collect::<Vec<u8>>();
    let told = String::from_utf8_lossy(&told).into_owned() + &gateway.log() + &gateway.get("/metrics").text();
    let secrets = ["the-secret-of-github", WEBHOOK_SECRET, "the-collectors-token"];
    for word in secrets.iter().chain(&["of-the-payload", "of-a-header", "receivers-words"]) {
        // The log has a plugin's and a receiver's reasons, which are in their words.
        let told = if secrets.contains(word) { told.clone() } else { spans_text(&collector) };
        assert!(!told.contains(word), "{word} is told");
    }
}

fn spans_text(collector: &Collector) -> String {
    collector.hits().iter().map(|hit| String::from_utf8_lossy(&hit.body).into_owned()).collect()
}

#[test]
fn a_collector_is_spoken_to_by_tls_where_it_is_believed() {
    let home = Home::new();
    // Any server will do: what counts is whether the request comes, and this one has no such path.
    let server = Frameio::start(&home.path().join("ca.pem"));
    let otlp = format!("telemetry.otlp = \"{}\"\n", server.url());
    let failed = "hookgate_spans_total{result=\"failed\"}";
    for (more, requests) in [("", 0), ("outbound.ca_file = \"ca.pem\"", 1)] {
        home.configure(&format!("{otlp}{more}"));
        let gateway = Gateway::start(&home);
        gateway.post(&home.sender("github").webhook("push")).id();
        eventually("they are given up", || gateway.metric(failed) == 3.0);
        assert_eq!(server.requests(), vec!["POST /v1/traces"; requests]);
    }
}

#[test]
fn a_collector_that_is_not_there_harms_nobody() {
    // Bound and let go of: nobody listens there.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::with(&format!("telemetry.otlp = \"http://{nowhere}\""));
    home.install("worker", Guest::wanting(&["push"]).component());
    let mut gateway = Process::start(&home);
    let (failed, dropped) = ("hookgate_spans_total{result=\"failed\"}", "hookgate_spans_total{result=\"dropped\"}");

    let ids: Vec<String> = (0..20).map(|_| gateway.post(&home.sender("github").webhook("push")).id()).collect();
    eventually("all are done", || home.ledger().count("worker", State::Done) == ids.len());
    eventually("they are given up", || gateway.metric(failed) > 0.0);
    gateway.post(&home.sender("github").webhook("push")).id();
    let before = gateway.metric(failed);
    eventually("later ones are given up too", || gateway.metric(failed) > before);

    let told = gateway.log().lines().filter(|line| line.contains("takes no spans")).count();
    assert_eq!(told, 1, "it is told once:\n{}", gateway.log());
    assert_eq!(gateway.metric(dropped), 0.0, "there was room for so few");
    gateway.terminate();
    assert!(gateway.wait().success());
}

#[test]
fn a_collector_that_answers_nothing_holds_up_no_stop_and_what_has_no_room_is_counted() {
    let collector = Collector::answering(|_, _| Reply::Silence);
    let meta = "sources.meta = { provider = \"meta\", secrets = [{ env = \"GITHUB_SECRET\" }], verify_token = { env = \"SOUNDHASH_SECRET\" } }\n";
    let home = Home::with(&format!("{}{meta}", collector.config()));
    let gateway = Gateway::start(&home);
    let dropped = "hookgate_spans_total{result=\"dropped\"}";

    // 3,000 spans each; 8,192 wait at the most, and 512 are on their way.
    for nth in 1..=4 {
        let change = |n| format!(r#"{{"field":"feed","value":{{"n":{n}}}}}"#);
        let changes = (0..1000).map(change).collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"object":"page","entry":[{{"id":"7","time":{nth},"changes":[{changes}]}}]}}"#);
        let sender = Sender::of("meta", "meta", "the-secret-of-github");
        assert_eq!(gateway.post(&sender.with_body("page.feed", body)).status, 200);
    }

    eventually("some found no room", || gateway.metric(dropped) > 0.0);
    gateway.stop().unwrap();
}

#[test]
fn a_collector_that_comes_back_is_told_again() {
    let collector = Collector::answering(|_, nth| Reply::Status(if nth == 1 { 503 } else { 200 }));
    let home = Home::with(&collector.config());
    let gateway = Process::start(&home);

    let id = gateway.post(&home.sender("github").webhook("push")).id();

    // The same request once more: a collector that answered 503 took none of it.
    eventually("it is tried again", || collector.hits().len() == 2);
    assert_eq!(collector.hits()[0].body, collector.hits()[1].body);
    assert_eq!(collector.of(&id).len(), 6);
    eventually("that is counted once", || gateway.metric("hookgate_spans_total{result=\"sent\"}") == 3.0);
    assert_eq!(gateway.metric("hookgate_spans_total{result=\"failed\"}"), 0.0);
    eventually("that is told", || gateway.log().contains("takes spans again"));
}
