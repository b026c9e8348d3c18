//! What powers cost: a read and a write of state, a request beside a plain client's, an answer to a sender that waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use hookgate::attempt::{Attempt, Outcome};
use hookgate::config::DEFAULT_CALLS;
use hookgate::effects::{Effects, Memory, Quota, Value};
use hookgate::event::{Event, EventId, now_ms};
use hookgate::outbound::{HostGrant, HostLimits, HostPattern, Hosts, Outbound, Roots, Schemes};
use hookgate::pace;
use hookgate::queue::{self, Keep};
use hookgate::runtime::{CompileLimits, Compiler, EngineLimits, Plugin, Powers, Runtime};
use hookgate::schedule::{Schedule, Schedules};
use hookgate_tests::Guest;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::load::{Pace, load};
use super::report::{Report, median, ms};
use super::{Setting, accepts, server};

/// How many of each one call does, and how often the call is taken.
const TIMES: usize = 1000;
const TURNS: usize = 31;

/// Measures all of it.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    within_a_call(report).await?;
    answers(setting, report).await
}

/// A guest that does something a number of times, with two bytes at 700 that differ each time.
fn guest(once: &str) -> Guest {
    let guest = Guest::wanting(&["push"]).asking_for("state", "", &[]).asking_for("host", "*", &[]);
    guest.handling(&format!(
        "(local $n i32)
         (loop $next
           (i32.store8 (i32.const 700) (i32.add (i32.const 32) (i32.and (local.get $n) (i32.const 63))))
           (i32.store8 (i32.const 701) (i32.add (i32.const 32) (i32.shr_u (local.get $n) (i32.const 6))))
           {once}
           (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {TIMES}))))"
    ))
}

async fn within_a_call(report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(server::disk_folder()?)?;
    let memory = seeded(folder.path()).await?;
    let address = plain_server().await?;
    let url = format!("http://{address}/ok");
    let runtime = Runtime::new(EngineLimits {
        memory_bytes: DEFAULT_CALLS.each.memory_bytes,
        instances: 16,
        plugin_bytes: 32 << 20,
        cache_folder: None,
        compiler: Compiler::Inside,
        compile: CompileLimits::default(),
    })?;
    let get = "(call $state_get {known} (i32.const 512))";
    let set = "(call $state_set (i32.const 700) (i32.const 2) {a value} (i32.const 0) (i64.const 0) (i32.const 512))";
    let nothing = "(i32.const 0) (i32.const 0)";
    let send =
        format!("(call $send {{GET}} {{{url}}} {nothing} {nothing} (i32.const 0) (i64.const 0) (i32.const 512))");
    let other = "(call $state_get (i32.const 700) (i32.const 2) (i32.const 512))";
    let mut plugins = Vec::new();
    for code in ["", get, other, set, &send] {
        plugins.push(load_guest(&runtime, guest(code).component(), memory.clone(), address).await?);
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut took = vec![Vec::new(); plugins.len() + 1];
    for _ in 0..TURNS {
        for (plugin, took) in plugins.iter().zip(&mut took) {
            took.push(call(&runtime, plugin).await?);
        }
        let begun = Instant::now();
        for _ in 0..TIMES {
            client.get(url.parse()?).await?.into_body().collect().await?;
        }
        took[plugins.len()].push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let took: Vec<f64> = took.into_iter().map(median).collect();
    let each = |n: usize| (took[n] - took[0]) / TIMES as f64;
    report.table("What a plugin does within a call, each 1,000 times", &["what", "us", "beside"]);
    report.row(&[
        "state get, of one key again and again".to_owned(),
        format!("{:.2}", each(1)),
        "after the first it is known".to_owned(),
    ]);
    report.row(&[
        "state get, of another key each time".to_owned(),
        format!("{:.2}", each(2)),
        "each reads the database".to_owned(),
    ]);
    report.row(&[
        "state set, of another key each time".to_owned(),
        format!("{:.2}", each(3)),
        "written with the outcome".to_owned(),
    ]);
    let plain = took[plugins.len()] / TIMES as f64;
    report.row(&[
        "http.send to a server on loopback".to_owned(),
        format!("{:.1}", each(4)),
        format!("{:.2} of a plain hyper client ({plain:.1} us)", each(4) / plain),
    ]);
    Ok(())
}

/// What a plugin remembers that has one key.
async fn seeded(folder: &std::path::Path) -> anyhow::Result<Arc<dyn Memory>> {
    let day = Duration::from_secs(86_400);
    let keep = Keep {
        events: day,
        bytes: None,
        open_deliveries: u64::MAX,
        data_bytes: None,
        repeat_keys: day,
        subscriptions: day,
    };
    let schedules = Schedules { plugins: Schedule(Vec::new()), webhooks: Schedule(Vec::new()) };
    let (queue, _deliveries) = queue::open(folder, &schedules, keep)?;
    queue.subscribe("bench", Some(Vec::new()), None, 0).await?;
    let value = Value { bytes: Bytes::from_static(b"a value"), expires_ms: None };
    let effects = Effects {
        writes: [("known".to_owned(), Some(value))].into(),
        quota: Quota { bytes: 1 << 20, keys: 10_000 },
        ..Effects::default()
    };
    let attempt = Attempt::without_call(now_ms(), Duration::ZERO, Outcome::Done, None);
    queue.remember(&"bench".into(), EventId::from_i64(1), attempt, effects).await?;
    Ok(queue.memory())
}

async fn plain_server() -> anyhow::Result<std::net::SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/ok", get(async || "a short answer"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn load_guest(
    runtime: &Runtime,
    wasm: Vec<u8>,
    memory: Arc<dyn Memory>,
    address: std::net::SocketAddr,
) -> anyhow::Result<Plugin> {
    let grant = HostGrant {
        host: HostPattern::One(address.ip().to_string()),
        schemes: Schemes::HTTP,
        ports: vec![address.port()],
        methods: Vec::new(),
        path_prefix: "/".into(),
        limits: HostLimits {
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(15),
            request_bytes: 1 << 20,
            response_bytes: 1 << 20,
            at_once: 4,
            per_minute: 1_000_000,
        },
        credential: None,
        allow_private: vec![address],
    };
    let loaded = runtime.load(wasm, &DEFAULT_CALLS.each, || {}).await?;
    let outbound = Outbound::of_a_command(Roots::default());
    let powers = Powers {
        hosts: Hosts::new(&outbound, "bench", vec![HostPattern::Any], &[grant]),
        state: Some(Quota { bytes: 1 << 20, keys: 10_000 }),
        write_pace: Arc::new(pace::Pace::new(1 << 40)),
        memory,
        ..Powers::only_settings("bench", Default::default())
    };
    Ok(loaded.grant("bench", powers, DEFAULT_CALLS.each, 1))
}

/// Microseconds of a call, which must end well.
async fn call(runtime: &Runtime, plugin: &Plugin) -> anyhow::Result<f64> {
    let event = Event {
        id: EventId::next(EventId::from_i64(0), now_ms(), 7),
        source: "github".into(),
        provider: "github".into(),
        event_type: "push".into(),
        received_at_ms: now_ms(),
        received: None,
        attributes: Vec::new(),
        payload: Bytes::new(),
    };
    let begun = Instant::now();
    let called = runtime.call(plugin, &event, 1, |_| {}).await;
    anyhow::ensure!(called.outcome == Outcome::Done, "it ended with {}", called.outcome);
    Ok(begun.elapsed().as_secs_f64() * 1e6)
}

/// Requests a second: some load, and room beside it.
const RATE: f64 = 500.0;

/// Where nobody ever answers.
async fn black_hole() -> anyhow::Result<std::net::SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    Ok(address)
}

/// Fills what it may remember, makes as many events as it may, and then waits for an answer that never comes.
fn hostile(address: std::net::SocketAddr) -> Guest {
    let nothing = "(i32.const 0) (i32.const 0)";
    let fill = "(local $n i32) (loop $next
        (i32.store (i32.const 768) (local.get $n))
        (call $state_set (i32.const 1024) (i32.and (local.get $n) (i32.const 63)) (i32.const 0) (i32.const 65536) (i32.const 0) (i64.const 0) (i32.const 512))
        (call $emit {noise} {x} (i32.const 0) (i32.const 0) (i32.const 512))
        (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 200))))";
    let wait = format!(
        "(call $send {{GET}} {{http://{address}/}} {nothing} {nothing} (i32.const 0) (i64.const 0) (i32.const 512))"
    );
    let guest = Guest::wanting(&["push"]).asking_for("state", "", &[]).asking_for("emit", "noise", &[]);
    guest.asking_for("host", "*", &[]).memory_pages(4).handling(&format!("{fill}{wait}"))
}

async fn answers(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let columns = ["who answers", "p50 ms", "p99 ms", "of a responder's p99"];
    report.table("Answers at 500/s over 16 connections", &columns);
    let echo = "(call $answer (i32.const 200) (local.get $type) (local.get $type_len))";
    let guest = Guest::wanting(&["nothing.else"]).asking_for("reply", "*", &[]).responding(echo).component();
    let hole = black_hole().await?;
    let hostile = hostile(hole).component();
    let asks = "answer = \"plugin\"\nanswer_plugin = \"answers\"\n";
    let beside = format!(
        "{asks}[plugins.hostile]\nstate = true\nemit = [\"noise\"]\n[plugins.hostile.hosts.\"127.0.0.1\"]\nschemes = [\"http\"]\n\
         allow_private = [\"{hole}\"]\ntimeout_ms = 500\nper_minute = 100000\n"
    );
    let names = [
        "the gateway",
        "a plugin's responder",
        "the same, beside a plugin that fills its state, makes events and asks a host that never answers",
    ];
    let mut found = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..setting.rounds.max(5) {
        for (config, found) in ["", asks, &beside].into_iter().zip(&mut found) {
            let mut plugins = vec![("answers".to_owned(), guest.clone())];
            if config == beside {
                plugins.push(("hostile".to_owned(), hostile.clone()));
            }
            let server = server::gateway_answering(setting, config, &plugins)?;
            let warm = Pace { time: Some(Duration::from_millis(800)), count: None, rate: Some(RATE) };
            load(&server.hooks, 16, warm, accepts::pushes(&server.hooks)).await?;
            let pace = Pace { time: Some(setting.time), ..warm };
            let loaded = load(&server.hooks, 16, pace, accepts::pushes(&server.hooks)).await?;
            found.push((loaded.at(0.5), loaded.at(0.99)));
        }
    }
    for (n, name) in names.into_iter().enumerate() {
        let middle = |of: fn(&(Duration, Duration)) -> Duration| {
            let figures = found[n].iter().map(|each| of(each).as_secs_f64()).collect();
            ms(Duration::from_secs_f64(median(figures)))
        };
        let ratios = found[n].iter().zip(&found[1]).map(|(one, plain)| one.1.as_secs_f64() / plain.1.as_secs_f64());
        let ratio = format!("{:.2}", median(ratios.collect()));
        report.row(&[name.to_owned(), middle(|each| each.0), middle(|each| each.1), ratio]);
    }
    report.note("All write the event down first. The ratio is the median of what was found round by round.");
    Ok(())
}
