//! What a million stored events cost: accepts and claims, looking for events, replaying many of them beside live traffic, a restart.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hookgate::attempt::{Attempt, Outcome};
use hookgate::event::{NewEvent, now_ms};
use hookgate::queue::{self, Deliveries, Keep, Queue, Settlement};
use hookgate::schedule::{Schedule, Schedules, Verdict};
use hookgate_tests::Guest;

use super::load::{Pace, load};
use super::report::{Report, median, ms};
use super::server::Server;
use super::{Setting, accepts, server};

/// The plugin that gets everything, and does nothing.
const PLUGIN: &str = "worker";

/// How many webhooks one figure of accepts and claims is of.
const LIVE: u64 = 20_000;

/// Live traffic beside a replay: requests a second.
const RATE: f64 = 500.0;

/// How many events are replayed.
const REPLAYED: u64 = 100_000;

/// Measures with so many stored events.
pub async fn measure(setting: &Setting, report: &mut Report, stored: u64) -> anyhow::Result<()> {
    let plugins = [(PLUGIN.to_owned(), Guest::wanting(&["*"]).component())];
    let full = server::folder("", &plugins)?;
    let begun = Instant::now();
    fill(&full.path().join("data"), stored).await?;
    eprintln!("==> {stored} events were stored in {:.0} s", begun.elapsed().as_secs_f64());
    live(setting, report, full.path(), stored).await?;
    looks(setting, report, full.path(), stored).await?;
    beside_replay(setting, report, full.path()).await?;
    Ok(())
}

fn kind(nth: u64) -> (&'static str, String) {
    match nth {
        n if n % 10_000 == 7 => ("rare", "seldom".into()),
        n if n % 7 == 0 => ("frameio", format!("file.{}", n % 5)),
        n if n % 50 == 1 => ("github", "unwanted".into()),
        n => ("github", format!("kind.{}", n % 40)),
    }
}

fn event(nth: u64, at_ms: u64) -> NewEvent {
    let (source, event_type) = kind(nth);
    let needle = if nth % 1_000 == 3 { "needle" } else { "hay" };
    NewEvent {
        source: source.into(),
        provider: if source == "frameio" { "frameio" } else { "github" }.into(),
        event_type: event_type.into(),
        received_at_ms: at_ms,
        received: Instant::now(),
        attributes: vec![("resource.id".into(), (nth % 1_000).to_string())],
        payload: Bytes::from(format!("{{\"nth\":{nth},\"{needle}\":\"{}\"}}", "x".repeat(960))),
        headers: Some("content-type: application/json\nuser-agent: bench\n".into()),
        repeat_key: Some(hookgate::event::repeat_key("bench", &nth.to_be_bytes())),
        trace: None,
    }
}

/// Makes a queue of so many events: nearly all done, one of a hundred dead, a thousand that wait.
async fn fill(folder: &Path, stored: u64) -> anyhow::Result<()> {
    let keep = Keep {
        events: Duration::from_secs(14 * 86_400),
        bytes: None,
        open_deliveries: u64::MAX,
        data_bytes: None,
        repeat_keys: Duration::from_secs(3 * 86_400),
        subscriptions: Duration::from_secs(86_400),
    };
    let schedule = || Schedule(vec![Duration::from_secs(1)]);
    let (queue, deliveries) = queue::open(folder, &Schedules { plugins: schedule(), webhooks: schedule() }, keep)?;
    let wanted = ["kind.*", "file.*", "seldom"].map(str::parse).into_iter().collect::<Result<_, _>>()?;
    queue.subscribe(PLUGIN, Some(wanted), None, 256).await?;
    let settling = tokio::spawn(settle(queue.clone(), deliveries));
    for first in (0..stored).step_by(512) {
        let events = (first..stored.min(first + 512)).map(|nth| event(nth, now_ms()));
        queue.accept(events.collect()).await.map_err(anyhow::Error::from)?;
    }
    while queue.counts().await?.due > 0 || queue.counts().await?.running > 0 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    queue.close().await?;
    settling.abort();
    Ok(())
}

async fn settle(queue: Queue, mut deliveries: Deliveries) {
    let mut nth = 0u64;
    while let Some(delivery) = deliveries.recv().await {
        nth += 1;
        let (outcome, verdict) = match nth {
            n if n % 100 == 0 => (Outcome::Reject { why: "no".into() }, Verdict::Dead),
            n if n < 1_000 => (
                Outcome::Retry { why: "later".into(), after: None },
                Verdict::Again { at_ms: now_ms() + 7 * 86_400_000 },
            ),
            _ => (Outcome::Done, Verdict::Done),
        };
        let attempt = Attempt::without_call(now_ms(), Duration::from_micros(30), outcome, None);
        queue.settle(&delivery, Settlement::Judged { verdict, attempt });
    }
}

/// Accepts and claims, beside those of a queue in which nothing is.
async fn live(setting: &Setting, report: &mut Report, full: &Path, stored: u64) -> anyhow::Result<()> {
    report.table(
        &format!("With {stored} stored events: accepts and claims at 64 connections, and a restart"),
        &["queue", "accepts/s", "accepted and handled/s", "ready after ms"],
    );
    let plugins = [(PLUGIN.to_owned(), Guest::wanting(&["*"]).component())];
    let mut rounds: [Vec<(f64, f64, f64)>; 2] = Default::default();
    for _ in 0..setting.rounds {
        let empty = server::folder("", &plugins)?;
        for (folder, rounds) in [empty.path(), full].into_iter().zip(&mut rounds) {
            let server = server::gateway_in(setting, folder, &["--log-level", "error"])?;
            rounds.push(round(&server).await?);
        }
    }
    let of =
        |rounds: &[(f64, f64, f64)], figure: fn(&(f64, f64, f64)) -> f64| median(rounds.iter().map(figure).collect());
    for (name, rounds) in ["empty", "full"].iter().zip(&rounds) {
        report.row(&[
            (*name).to_owned(),
            format!("{:.0}", of(rounds, |round| round.0)),
            format!("{:.0}", of(rounds, |round| round.1)),
            format!("{:.0}", of(rounds, |round| round.2)),
        ]);
    }
    let ratio = |figure: fn(&(f64, f64, f64)) -> f64| {
        median(rounds[0].iter().zip(&rounds[1]).map(|(empty, full)| figure(empty) / figure(full)).collect())
    };
    report.note(&format!(
        "Empty is {:.2} times as fast as full in accepts, and {:.2} times in accepted and handled.",
        ratio(|round| round.0),
        ratio(|round| round.1)
    ));
    Ok(())
}

async fn round(server: &Server) -> anyhow::Result<(f64, f64, f64)> {
    let begun = Instant::now();
    let pace = Pace { time: None, count: Some(LIVE), rate: None };
    let loaded = load(&server.hooks, 64, pace, accepts::pushes(&server.hooks)).await?;
    while done(server).await? < LIVE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let handled = LIVE as f64 / begun.elapsed().as_secs_f64();
    Ok((loaded.per_second(), handled, server.ready_in.as_secs_f64() * 1e3))
}

async fn done(server: &Server) -> anyhow::Result<u64> {
    let status = server.status().await?;
    let plugins = status["plugins"].as_array().context("no plugins")?;
    Ok(plugins.iter().find(|plugin| plugin["name"] == PLUGIN).and_then(|plugin| plugin["done"].as_u64()).unwrap_or(0))
}

/// Looks for fifty events by each filter.
async fn looks(setting: &Setting, report: &mut Report, full: &Path, stored: u64) -> anyhow::Result<()> {
    report.table(
        &format!("With {stored} stored events: one look for 50 of them"),
        &["filter", "found", "median ms", "longest ms", "whole search"],
    );
    let server = server::gateway_in(setting, full, &["--log-level", "error"])?;
    let caught_up = caught_up(&server).await?;
    let hour_ago = hookgate::event::rfc3339(now_ms() - 3_600_000);
    for filter in [
        "",
        "source=github",
        "source=rare",
        "type=kind.7",
        "type=file.*",
        "type=seldom",
        "state=done",
        "state=dead",
        "state=pending",
        "state=unrouted",
        "plugin=worker",
        "plugin=worker&state=dead",
        "source=frameio&state=dead",
        &format!("since={hour_ago}"),
        &format!("until={hour_ago}"),
        "text=needle",
        "text=no-such-text",
        "source=rare&text=hay",
    ] {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..20 {
            let begun = Instant::now();
            let page = server.get(&format!("/api/v1/events?limit=50&{filter}")).await?;
            times.push(begun.elapsed());
            found = page["events"].as_array().context("no events")?.len();
        }
        times.sort();
        let whole = whole_search(&server, filter).await?;
        let middle = ms(times[times.len() / 2]);
        let longest = ms(times[times.len() - 1]);
        let name = if filter.is_empty() { "none" } else { filter };
        report.row(&[name.replace(&hour_ago, "an hour ago"), found.to_string(), middle, longest, whole]);
    }
    report.note("One look takes a bounded time: where it ends before 50 were found, it says where to look on. The whole search is until 50 were found or there are no more.");
    report.note(&format!(
        "Texts in payloads are found by an index, which had caught up {} ms after the start.",
        ms(caught_up)
    ));
    Ok(())
}

/// How long it takes until a text that nobody has is not found in one look.
async fn caught_up(server: &Server) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(120) {
        if server.get("/api/v1/events?text=no-such-text").await?["next"].is_null() {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the index of texts does not catch up")
}

async fn whole_search(server: &Server, filter: &str) -> anyhow::Result<String> {
    let (begun, mut found, mut looks, mut before) = (Instant::now(), 0, 0, String::new());
    loop {
        let page = server.get(&format!("/api/v1/events?limit={}&{filter}{before}", 50 - found)).await?;
        looks += 1;
        found += page["events"].as_array().context("no events")?.len();
        match page["next"].as_str().filter(|_| found < 50) {
            Some(next) => before = format!("&before={next}"),
            None => return Ok(format!("{found} in {} ms, {looks} looks", ms(begun.elapsed()))),
        }
    }
}

/// What runs beside live traffic.
#[derive(Clone, Copy)]
struct Beside {
    name: &'static str,
    replay: Option<Replay>,
    retention: bool,
}

/// What a replay does first, and then.
#[derive(Clone, Copy)]
enum Replay {
    Finds,
    PutsBack,
}

impl Replay {
    /// How many events it is of: it looks for as long as there are more.
    fn limit(self) -> u64 {
        match self {
            Replay::Finds => 100 * REPLAYED,
            Replay::PutsBack => REPLAYED,
        }
    }

    /// What it tells meanwhile.
    fn tells(self) -> &'static str {
        match self {
            Replay::Finds => "events so far",
            Replay::PutsBack => "so far, up to",
        }
    }
}

/// Live traffic's p99 alone, beside a replay of many events, and beside that with retention running: each in every round.
async fn beside_replay(setting: &Setting, report: &mut Report, full: &Path) -> anyhow::Result<()> {
    report.table(
        &format!("Accepts at {RATE}/s over 16 connections, beside a replay of {REPLAYED} events"),
        &["beside", "p50 ms", "p99 ms", "of p99 alone", "of that in each round"],
    );
    let beside = [
        Beside { name: "nothing", replay: None, retention: false },
        Beside { name: "the replay, while it finds all that are meant", replay: Some(Replay::Finds), retention: false },
        Beside { name: "the replay", replay: Some(Replay::PutsBack), retention: false },
        Beside { name: "the replay and retention", replay: Some(Replay::PutsBack), retention: true },
    ];
    let size = std::fs::metadata(full.join("data/hookgate.db"))?.len() >> 20;
    let mut found = vec![Vec::new(); beside.len()];
    for round in 1..=setting.rounds as u64 {
        // What was let go of in a round is not there in the next.
        let keep_mib = size - size * round / (setting.rounds as u64 + 2);
        for (beside, found) in beside.iter().zip(&mut found) {
            found.push(beside_one(setting, full, *beside, keep_mib).await?);
        }
    }
    let alone = found[0].clone();
    for (beside, found) in beside.iter().zip(found) {
        let of_alone: Vec<f64> = found.iter().zip(&alone).map(|(found, alone)| found.1 / alone.1).collect();
        let each = of_alone.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(" ");
        report.row(&[
            beside.name.to_owned(),
            format!("{:.2}", median(found.iter().map(|found| found.0).collect())),
            format!("{:.2}", median(found.iter().map(|found| found.1).collect())),
            format!("{:.2}", median(of_alone)),
            each,
        ]);
    }
    Ok(())
}

/// The median and the p99 of live traffic, in milliseconds.
async fn beside_one(setting: &Setting, full: &Path, beside: Beside, keep_mib: u64) -> anyhow::Result<(f64, f64)> {
    let config = full.join("hookgate.toml");
    let before = std::fs::read_to_string(&config)?;
    let more = if beside.retention { format!("[delivery]\nkeep_mib = {keep_mib}\n") } else { String::new() };
    std::fs::write(&config, format!("{before}{more}"))?;
    let server = server::gateway_in(setting, full, &["--log-level", "error"])?;
    let replaying = beside.replay.map(|stage| replay(setting, &server, stage)).transpose()?;
    let pace = Pace { time: Some(Duration::from_secs(20)), count: None, rate: Some(RATE) };
    let loaded = load(&server.hooks, 16, pace, accepts::pushes(&server.hooks)).await?;
    if let Some(mut replaying) = replaying {
        anyhow::ensure!(replaying.try_wait()?.is_none(), "the replay ended while it was measured");
        replaying.kill()?;
        replaying.wait()?;
    }
    drop(server);
    std::fs::write(&config, before)?;
    Ok((loaded.at(0.5).as_secs_f64() * 1e3, loaded.at(0.99).as_secs_f64() * 1e3))
}

/// Begins a replay at the rate that it has where nothing is said, and waits until it is at what is wanted of it.
fn replay(setting: &Setting, server: &Server, stage: Replay) -> anyhow::Result<std::process::Child> {
    let mut command = std::process::Command::new(&setting.gateway);
    let limit = stage.limit().to_string();
    command.args(["replay", "--source", "github", "--limit", &limit, "--admin", &server.admin]);
    let command = command.current_dir(&server.folder).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut replaying = command.spawn().context("cannot start the replay")?;
    let mut told = BufReader::new(replaying.stderr.take().context("no standard error")?).lines().map_while(Result::ok);
    anyhow::ensure!(told.any(|line| line.contains(stage.tells())), "the replay does not begin");
    std::thread::spawn(move || told.for_each(drop));
    Ok(replaying)
}
