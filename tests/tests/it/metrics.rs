//! What is counted and measured, and that documentation and dashboard speak of what there is.

use std::collections::BTreeSet;

use hookgate_tests::{Application, Collector, Gateway, Guest, Home, Process, Receiver, State, api, eventually};
use serde_json::{Value, json};

const OPERATE: &str = include_str!("../../../docs/operate.md");
const DASHBOARD: &str = include_str!("../../../docs/grafana-dashboard.json");

/// Makes an event, and asks another host than the one that is granted.
const BUSY: &str = "(call $emit {made.it} {its body} (i32.const 0) (i32.const 0) (i32.const 256))
    (call $send {GET} {http://127.0.0.1:9/} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256))";

/// The names of all metrics of a gateway in which something of everything happened.
fn shown() -> BTreeSet<String> {
    let (collector, receiver) = (Collector::new(), Receiver::new());
    let plugins = "plugins.busy = { emit = [\"made.*\"], hosts = { \"api.example.com\" = {} } }\n[sources.github]\nanswer = \"plugin\"\nanswer_plugin = \"replier\"\n";
    let home = Home::with_receivers(&[&receiver], &format!("{}{plugins}", collector.config()));
    let busy = Guest::wanting(&["push"]).asking_for("emit", "made.*", &[]).asking_for("host", "api.example.com", &[]);
    home.install("busy", busy.handling(BUSY).component());
    home.install(
        "replier",
        Guest::wanting(&["nothing.else"])
            .asking_for("reply", "*", &[])
            .responding("(return (call $answer (i32.const 201) {yes}))")
            .component(),
    );
    let gateway = Gateway::start(&home);
    Application::of(&gateway).register(&receiver, &["made.it"]);
    gateway.post(&home.sender("github").webhook("push"));
    eventually("a webhook was sent", || {
        gateway.metric("hookgate_webhook_attempts_total{result=\"2xx\",verdict=\"done\"}") == 1.0
    });
    let text = gateway.get("/metrics").text();
    // What nothing happened of has no series; these two take a provider and two calls at once.
    let rare = ["hookgate_handshakes", "hookgate_overtaken"].map(str::to_owned);
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    typed.map(|line| with_suffix(line.split_once(' ').unwrap())).chain(rare.map(|name| name + "_total")).collect()
}

/// A metric's name as it is shown: counters end in `_total`.
fn with_suffix((name, kind): (&str, &str)) -> String {
    if kind == "counter" { format!("{name}_total") } else { name.to_owned() }
}

/// The names in a text that are a metric's.
fn named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("hookgate_") {
        let name: String = text[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
        names.insert(name);
    }
    names
}

#[test]
fn documentation_and_dashboard_name_the_metrics_that_there_are() {
    let shown = shown();
    let rows: String = OPERATE.lines().filter(|line| line.starts_with("| `hookgate_")).collect();
    assert_eq!(named(&rows), shown, "the table of docs/operate.md (left) and /metrics (right)");

    let (_, alerts) = OPERATE.split_once("What deserves an alert:").unwrap();
    let (alerts, _) = alerts.split_once("## ").unwrap();
    let alerts = named(alerts);
    assert!(alerts.len() >= 5 && alerts.is_subset(&shown), "the alerts of docs/operate.md: {alerts:?}");

    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let asked: String = targets.map(|target| format!("{} ", target["expr"].as_str().unwrap())).collect();
    let series: BTreeSet<String> = named(&asked);
    let is_there = |name: &String| {
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        of_histogram.map_or(shown.contains(name), |histogram| {
            histogram.ends_with("_seconds") && shown.contains(histogram) || histogram == "hookgate_commit_events"
        })
    };
    let unknown: Vec<_> = series.iter().filter(|name| !is_there(name)).collect();
    assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");
    let unshown: Vec<_> = shown.iter().filter(|name| !asked.contains(name.as_str())).collect();
    assert_eq!(unshown, ["hookgate_handshakes_total"], "the dashboard shows all else");
    let datasources = asked_datasources(panels);
    assert_eq!(datasources, BTreeSet::from(["${datasource}".to_owned()]), "whoever imports it chooses");
}

fn asked_datasources(panels: &[Value]) -> BTreeSet<String> {
    let with_one = panels.iter().filter_map(|panel| panel["datasource"]["uid"].as_str());
    with_one.map(str::to_owned).collect()
}

#[test]
fn every_step_is_measured_by_source_and_plugin() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "delivery.schedule_s = [0]");
    home.install("good", Guest::wanting(&["push"]).component());
    home.install("bad", Guest::wanting(&["push"]).handling("(unreachable)").component());
    let gateway = Gateway::start(&home);
    Application::of(&gateway).register(&receiver, &["github:push"]);

    let id = gateway.post(&home.sender("github").webhook("push")).id();
    gateway.post(&home.sender("frameio").webhook("file.ready")).id();

    let is_over = |plugin: &str, state| home.ledger().state(plugin, &id) == Some(state);
    eventually("all is over", || is_over("good", State::Done) && is_over("bad", State::Dead) && receiver.count() == 1);
    for (name, counted) in [
        ("hookgate_accept_seconds_count{source=\"github\"}", 1.0),
        ("hookgate_accept_seconds_count{source=\"frameio\"}", 1.0),
        ("hookgate_accept_seconds_count{source=\"soundhash\"}", 0.0),
        ("hookgate_commit_events_sum", 2.0),
        ("hookgate_wait_seconds_count{plugin=\"good\"}", 1.0),
        ("hookgate_wait_seconds_count{plugin=\"bad\"}", 1.0),
        ("hookgate_webhook_wait_seconds_count", 1.0),
        ("hookgate_call_seconds_count{plugin=\"bad\"}", 2.0),
    ] {
        assert_eq!(gateway.metric(name), counted, "{name}");
    }
    for (name, counted) in [
        ("hookgate_settle_seconds_count{plugin=\"good\"}", 1.0),
        ("hookgate_settle_seconds_count{plugin=\"bad\"}", 2.0),
        ("hookgate_webhook_settle_seconds_count", 1.0),
        ("hookgate_open_deliveries", 0.0),
        ("hookgate_dead", 1.0),
    ] {
        eventually(name, || gateway.metric(name) == counted);
    }
    assert!(gateway.metric("hookgate_commit_seconds_count") >= 2.0);
    // The handful of pages of an empty database, of 2 KiB each.
    assert!(gateway.metric("hookgate_database_bytes") >= 10.0 * 2048.0);
    assert!(gateway.metric("hookgate_database_wal_bytes") > 0.0);
}

/// Whether a series is there, whatever it says.
fn has_series(gateway: &Gateway, series: &str) -> bool {
    gateway.get("/metrics").text().lines().any(|line| line.starts_with(series))
}

#[test]
fn losses_are_counted_from_zero() {
    let home = Home::new();
    home.install("bad", Guest::wanting(&["push"]).handling("(return (call $reject {no}))").component());
    let gateway = Gateway::start(&home);
    // Who watches for an increase sees none where a series begins at 1.
    let rejected = "hookgate_attempts_total{plugin=\"bad\",outcome=\"reject\",verdict=\"dead\"}";
    for series in [
        rejected,
        "hookgate_attempts_total{plugin=\"bad\",outcome=\"trapped\",verdict=\"dead\"}",
        "hookgate_webhook_attempts_total{result=\"none\",verdict=\"dead\"}",
        "hookgate_webhook_attempts_total{result=\"4xx\",verdict=\"dead\"}",
    ] {
        assert!(has_series(&gateway, series) && gateway.metric(series) == 0.0, "{series}");
    }
    gateway.post(&home.sender("github").webhook("push"));
    eventually("it is counted", || gateway.metric(rejected) == 1.0);
    home.install("later", Guest::wanting(&["*"]).component());
    eventually("it is live", || gateway.slot("later") == "live");
    let later = "hookgate_attempts_total{plugin=\"later\",outcome=\"out_of_memory\",verdict=\"dead\"}";
    eventually("it is counted from zero", || has_series(&gateway, later));
}

#[test]
fn what_is_lost_with_the_process_is_seen_among_the_dead() {
    let home = Home::with("delivery.schedule_s = []\nlimits.cpu_ms = 600000\nlimits.call_ms = 600000");
    home.install("busy", Guest::wanting(&["push"]).handling("(loop $on (br $on))").component());
    let gateway = Process::start(&home);
    assert_eq!(gateway.metric("hookgate_dead"), 0.0);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it runs", || home.ledger().state("busy", &id) == Some(State::Running));
    gateway.kill();
    assert_eq!(Process::start(&home).metric("hookgate_dead"), 1.0);
}

#[test]
fn what_an_operator_put_back_did_not_wait_for_the_plugin() {
    let home = Home::new();
    home.install("first", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is done", || home.ledger().state("first", &id) == Some(State::Done));
    home.install("second", Guest::wanting(&["push"]).component());
    eventually("it is live", || gateway.slot("second") == "live");
    let again = Some(json!({ "events": [id] }));
    assert_eq!(api(gateway.admin, "", "POST", "/api/v1/replay", again).json()["put_back"]["second"], 1);
    let settled = |plugin: &str| gateway.metric(&format!("hookgate_settle_seconds_count{{plugin=\"{plugin}\"}}"));
    eventually("both did it", || settled("first") == 2.0 && settled("second") == 1.0);
    let waited = |plugin: &str| gateway.metric(&format!("hookgate_wait_seconds_count{{plugin=\"{plugin}\"}}"));
    assert_eq!((waited("first"), waited("second")), (1.0, 0.0));
}
