//! Outgoing webhooks: how many are delivered in a second beside a bare client, what 100,000 that wait cost, and what bad receivers do to
//! good ones.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::load::{Pace, load};
use super::report::{Report, median, ms, quantile};
use super::server::Server;
use super::{Setting, accepts, server};

/// How many deliveries wait when a rate is measured, and when memory is.
const BACKLOG: u64 = 20_000;
const PENDING: u64 = 100_000;

/// The crowd: receivers that are well, dead, slow and hostile.
const WELL: usize = 920;
const DEAD: usize = 50;
const SLOW: usize = 20;
const HOSTILE: usize = 10;

/// How many events a second the crowd is sent, each to all.
const CROWD_RATE: f64 = 2.0;

/// Measures all of it.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    rates(setting, report).await?;
    memory(setting, report).await?;
    crowd(setting, report).await
}

/// A receiver in this process, which counts, and notes when each event came.
#[derive(Default)]
struct Seen {
    count: AtomicU64,
    hits: Mutex<Vec<(String, Instant)>>,
}

impl Seen {
    /// How many a second came, from the first to the last.
    fn per_second(&self) -> f64 {
        let hits = self.hits.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let times = || hits.iter().map(|(_, at)| *at);
        match times().min().zip(times().max()) {
            Some((first, last)) if last > first => (hits.len() - 1) as f64 / (last - first).as_secs_f64(),
            _ => 0.0,
        }
    }
}

async fn receiver(seen: Arc<Seen>) -> anyhow::Result<SocketAddr> {
    let hook = async |State(seen): State<Arc<Seen>>, headers: HeaderMap, _body: Bytes| {
        let at = Instant::now();
        seen.count.fetch_add(1, Ordering::SeqCst);
        if let Some(id) = headers.get("webhook-id").and_then(|id| id.to_str().ok()) {
            seen.hits.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((id.to_owned(), at));
        }
        StatusCode::OK
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(hook).with_state(seen);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

type Http = Client<HttpConnector, Full<Bytes>>;

fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// An application with a key of a gateway's.
struct Application {
    http: Http,
    base: String,
    key: String,
}

impl Application {
    async fn of(server: &Server) -> anyhow::Result<Application> {
        let mut application =
            Application { http: http(), base: format!("http://{}", server.admin), key: String::new() };
        let made = application.ask("POST", "/keys", json!({ "name": "bench" })).await?;
        application.key = made["key"].as_str().context("no key")?.to_owned();
        Ok(application)
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> anyhow::Result<Value> {
        let request = Request::builder().method(method).uri(format!("{}/api/v1{path}", self.base));
        let request = request.header("x-api-key", &self.key).header("content-type", "application/json");
        let response = self.http.request(request.body(Full::new(body.to_string().into()))?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn register(&self, url: &str, events: &[&str]) -> anyhow::Result<String> {
        let made = self.ask("POST", "/webhooks", json!({ "url": url, "events": events })).await?;
        Ok(made["id"].as_str().context("no id")?.to_owned())
    }
}

fn allowing(addresses: &[SocketAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    format!("[outgoing]\nallow_private = [{}]\n", texts.join(", "))
}

async fn fill(server: &Server, events: u64) -> anyhow::Result<()> {
    let pace = Pace { time: None, count: Some(events), rate: None };
    let sent = load(&server.hooks, 64, pace, accepts::pushes(&server.hooks)).await?;
    ensure!(sent.count == events, "{} of {events} were accepted", sent.count);
    Ok(())
}

async fn rates(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let columns = ["receivers", "deliveries/s", "a bare hyper client's", "ratio"];
    report.table("Outgoing webhooks: 20,000 that wait, to receivers on loopback", &columns);
    for receivers in [1, 8] {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..setting.rounds {
            ours.push(delivered_per_second(setting, receivers).await?);
            bare.push(posted_per_second(setting, receivers).await?);
        }
        let (ours, bare) = (median(ours), median(bare));
        let cells = [receivers.to_string(), format!("{ours:.0}"), format!("{bare:.0}"), format!("{:.2}", ours / bare)];
        report.row(&cells);
    }
    Ok(())
}

/// Events wait until webhooks are registered, and are then delivered all at once.
async fn delivered_per_second(setting: &Setting, receivers: usize) -> anyhow::Result<f64> {
    let seen = Arc::<Seen>::default();
    let mut addresses = Vec::new();
    for _ in 0..receivers {
        addresses.push(receiver(seen.clone()).await?);
    }
    let server = server::gateway(setting, &allowing(&addresses), &[], &["--log-level", "error"])?;
    let application = Application::of(&server).await?;
    fill(&server, BACKLOG / receivers as u64).await?;
    let mut ids = Vec::new();
    for address in &addresses {
        ids.push(application.register(&format!("http://{address}/hook"), &["push"]).await?);
    }
    for id in &ids {
        let since = json!({ "since": "2020-01-01T00:00:00Z" });
        application.ask("POST", &format!("/webhooks/{id}/redeliver"), since).await?;
    }
    let expected = BACKLOG / receivers as u64 * receivers as u64;
    wait_for(&seen, expected).await?;
    let rate = seen.per_second();
    for id in &ids {
        let webhook = application.ask("GET", &format!("/webhooks/{id}"), Value::Null).await?;
        ensure!(webhook["last_failure_at"].is_null(), "a delivery failed: {webhook}");
    }
    Ok(rate)
}

async fn wait_for(seen: &Seen, expected: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    while seen.count.load(Ordering::SeqCst) < expected {
        ensure!(Instant::now() < deadline, "{} of {expected} came", seen.count.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// What loops of a client come to that keep nothing and sign nothing, one for each receiver: in a process of their own, as the gateway is.
async fn posted_per_second(setting: &Setting, receivers: usize) -> anyhow::Result<f64> {
    let seen = Arc::<Seen>::default();
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.arg("--seconds").arg(setting.time.as_secs_f64().to_string());
    for _ in 0..receivers {
        command.arg("--post-bare").arg(receiver(seen.clone()).await?.to_string());
    }
    let ended = command.status().await?;
    ensure!(ended.success(), "the bare client failed");
    Ok(seen.per_second())
}

/// Posts to each of these addresses in a loop, for a time.
pub async fn post_bare(addresses: &[SocketAddr], time: Duration) -> anyhow::Result<()> {
    let body = Bytes::from(vec![b'x'; accepts::BODY_BYTES + 200]);
    let begun = Instant::now();
    let mut loops = Vec::new();
    for address in addresses {
        let (body, http, url) = (body.clone(), http(), format!("http://{address}/hook"));
        loops.push(tokio::spawn(async move {
            while begun.elapsed() < time {
                let request =
                    Request::post(&url).header("webhook-id", "evt_0000000000000").body(Full::new(body.clone()))?;
                http.request(request).await?.into_body().collect().await?;
            }
            anyhow::Ok(())
        }));
    }
    for each in loops {
        each.await??;
    }
    Ok(())
}

async fn memory(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let dead = closed().await?;
    let server = server::gateway(setting, &allowing(&[dead]), &[], &["--log-level", "off"])?;
    let application = Application::of(&server).await?;
    fill(&server, 1000).await?;
    let before = server.proc("status", "VmRSS:");
    application.register(&format!("http://{dead}/hook"), &["push"]).await?;
    fill(&server, PENDING).await?;
    let status = server.status().await?;
    let (after, most) = (server.proc("status", "VmRSS:"), server.proc("status", "VmHWM:"));
    report.table("Memory with 100,000 deliveries of 2 KiB that wait for a dead receiver", &["what", "MiB"]);
    report.row(&["before".to_owned(), (before >> 10).to_string()]);
    report.row(&[format!("with {} that wait", status["queue"]["pending"]), (after >> 10).to_string()]);
    report.row(&["the most on the way".to_owned(), (most >> 10).to_string()]);
    Ok(())
}

/// An address where nobody listens.
async fn closed() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

async fn crowd(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let title = "1,000 webhooks, each sent every event: 920 are well, 50 dead, 20 slow, 10 hostile";
    report.table(title, &["receivers", "accepted to delivered, p50 / p99 ms", "deliveries/s"]);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..setting.rounds {
        alone.push(crowd_delays(setting, false).await?);
        beside.push(crowd_delays(setting, true).await?);
    }
    let figures = |runs: &[Vec<Duration>], part: f64| {
        median(runs.iter().map(|sorted| quantile(sorted, part).as_secs_f64()).collect())
    };
    for (name, runs) in [("the 920 alone", &alone), ("beside the 80", &beside)] {
        let [p50, p99] = [0.5, 0.99].map(|part| ms(Duration::from_secs_f64(figures(runs, part))));
        report.row(&[name.to_owned(), format!("{p50} / {p99}"), format!("{:.0}", CROWD_RATE * WELL as f64)]);
    }
    let ratio = figures(&beside, 0.99) / figures(&alone, 0.99);
    report.row(&["p99, ratio".to_owned(), format!("{ratio:.2}"), String::new()]);
    Ok(())
}

/// From the publication of an event until each of those that are well has it, sorted.
async fn crowd_delays(setting: &Setting, with_bad_ones: bool) -> anyhow::Result<Vec<Duration>> {
    let seen = Arc::<Seen>::default();
    let (well, dead, slow) = (receiver(seen.clone()).await?, closed().await?, slow().await?);
    let hostile = [endless().await?, drip().await?, redirecting(well).await?];
    let all: Vec<SocketAddr> = [well, dead, slow].into_iter().chain(hostile).collect();
    let server = server::gateway(setting, &allowing(&all), &[], &["--log-level", "off"])?;
    let application = Application::of(&server).await?;
    for n in 0..WELL {
        application.register(&format!("http://{well}/{n}"), &["crowd.*"]).await?;
    }
    if with_bad_ones {
        for n in 0..DEAD {
            application.register(&format!("http://{dead}/{n}"), &["crowd.*"]).await?;
        }
        for n in 0..SLOW {
            application.register(&format!("http://{slow}/{n}"), &["crowd.*"]).await?;
        }
        for n in 0..HOSTILE {
            // The last kind speaks no TLS where it is asked for.
            let url = match hostile.get(n % 4) {
                Some(address) => format!("http://{address}/{n}"),
                None => format!("https://{well}/{n}"),
            };
            application.register(&url, &["crowd.*"]).await?;
        }
    }
    // Long enough for requests to bad ones to pile up.
    let events = (setting.time.as_secs_f64().max(5.0) * CROWD_RATE * 2.0) as usize;
    let mut published = HashMap::new();
    let begun = tokio::time::Instant::now();
    for n in 0..events {
        tokio::time::sleep_until(begun + Duration::from_secs_f64(n as f64 / CROWD_RATE)).await;
        let at = Instant::now();
        let body = json!({ "type": "crowd.event", "data": { "filler": "x".repeat(1000) } });
        let event = application.ask("POST", "/events", body).await?;
        published.insert(event["id"].as_str().context("no id")?.to_owned(), at);
    }
    wait_for(&seen, (events * WELL) as u64).await?;
    let hits = std::mem::take(&mut *seen.hits.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    let delay = |(id, at): &(String, Instant)| published.get(id).map(|begun| at.saturating_duration_since(*begun));
    let mut delays: Vec<Duration> = hits.iter().filter_map(delay).collect();
    delays.sort();
    Ok(delays)
}

/// Takes five seconds for each answer.
async fn slow() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(async || {
        tokio::time::sleep(Duration::from_secs(5)).await;
        StatusCode::OK
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Answers whatever comes with these bytes, again and again, with a pause between.
async fn answering(first: String, then: Vec<u8>, pause: Duration) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (first, then) = (first.clone(), then.clone());
            tokio::spawn(async move {
                let mut sent = stream.write_all(first.as_bytes()).await;
                while sent.is_ok() && !then.is_empty() {
                    tokio::time::sleep(pause).await;
                    sent = stream.write_all(&then).await;
                }
            });
        }
    });
    Ok(address)
}

async fn endless() -> anyhow::Result<SocketAddr> {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n";
    answering(head.to_owned(), vec![b'x'; 16 << 10], Duration::from_millis(1)).await
}

async fn drip() -> anyhow::Result<SocketAddr> {
    answering("HTTP/1.1 200 OK\r\nx-drip: ".to_owned(), vec![b'x'], Duration::from_millis(500)).await
}

async fn redirecting(to: SocketAddr) -> anyhow::Result<SocketAddr> {
    let head = format!("HTTP/1.1 302 Found\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n");
    answering(head, Vec::new(), Duration::ZERO).await
}
