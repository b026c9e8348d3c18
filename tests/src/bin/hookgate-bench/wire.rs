//! From the wire to a settled delivery, with one plugin.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookgate::event::wall_ms;
use hookgate::provider::catalogue;
use hookgate::secret::Secret;
use http_body_util::Full;
use hyper::Request;

use super::load::{MakeRequest, Pace, load};
use super::report::{Report, median, ms, quantile};
use super::server::{SECRET, Server};
use super::{Setting, disk, server};

/// Events of Frame.io, each of another file, padded to 2 KiB.
fn file_ready(host: &str) -> anyhow::Result<MakeRequest> {
    let provider = catalogue::find("frameio").ok_or_else(|| anyhow::anyhow!("no frameio"))?;
    let key = provider.key(&Secret::new(SECRET))?;
    let host = host.to_owned();
    let filler = "x".repeat(super::accepts::BODY_BYTES - 140);
    Ok(Arc::new(move |nth| {
        let body = format!(
            r#"{{"type":"file.ready","resource":{{"id":"{nth:016x}-{:016x}","type":"file"}},"account":{{"id":"a"}},"note":"{filler}"}}"#,
            wall_ms()
        );
        let signed = provider.sign_as_is("file.ready", Bytes::from(body), &key, wall_ms(), None);
        let mut request =
            Request::post("/hooks/frameio").header("host", &host).body(Full::new(signed.body)).unwrap_or_default();
        request.headers_mut().extend(signed.headers);
        request
    }))
}

/// Measures the rate at full load and the delay when idle.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    report.table("From the wire to a settled delivery, one plugin (file-ready)", &["what", "figure"]);
    let mut rates = Vec::new();
    for _ in 0..setting.rounds {
        rates.push(settled_per_second(setting).await?);
    }
    report.row(&["events/s, 64 connections".to_owned(), format!("{:.0}", median(rates))]);
    let folder = tempfile::tempdir_in(server::disk_folder()?)?;
    let fsync = disk::fsync_median(folder.path(), Duration::from_millis(10)).await?;
    let mut handled = idle_delays(setting).await?;
    handled.sort();
    let (p50, p99) = (quantile(&handled, 0.5), quantile(&handled, 0.99));
    report.row(&["received to handled when idle, p50 / p99 ms".to_owned(), format!("{} / {}", ms(p50), ms(p99))]);
    report.row(&["append of 8 KiB + fdatasync at the same pace, p50 ms".to_owned(), ms(fsync)]);
    let ratio = p50.as_secs_f64() / fsync.as_secs_f64();
    report.row(&["received to handled, in fdatasyncs".to_owned(), format!("{ratio:.2}")]);
    Ok(())
}

async fn settled_per_second(setting: &Setting) -> anyhow::Result<f64> {
    let plugins = [("file-ready".to_owned(), setting.sample("file-ready")?)];
    let server = server::gateway(setting, "", &plugins, &["--log-level", "info"])?;
    let begun = Instant::now();
    let pace = Pace { time: Some(setting.time), count: None, rate: None };
    let sent = load(&server.hooks, 64, pace, file_ready(&server.hooks)?).await?;
    wait_until_settled(&server, sent.count).await?;
    Ok(sent.count as f64 / begun.elapsed().as_secs_f64())
}

async fn wait_until_settled(server: &Server, count: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let status = server.status().await?;
        let open = status["queue"]["pending"].as_u64().unwrap_or(1) + status["queue"]["running"].as_u64().unwrap_or(1);
        if open == 0 && status["plugins"][0]["done"].as_u64() == Some(count) {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "not settled in two minutes: {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One event at a time with pauses; the gateway's own log says how long each took from its receipt until it was handled.
async fn idle_delays(setting: &Setting) -> anyhow::Result<Vec<Duration>> {
    let plugins = [("file-ready".to_owned(), setting.sample("file-ready")?)];
    let server = server::gateway(setting, "", &plugins, &["--log", "json", "--log-level", "debug"])?;
    let pace = Pace { time: None, count: Some(300), rate: Some(100.0) };
    let sent = load(&server.hooks, 1, pace, file_ready(&server.hooks)?).await?;
    wait_until_settled(&server, sent.count).await?;
    let log = std::fs::read_to_string(&server.log)?;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    Ok(lines.filter_map(|line| line["fields"]["handled_us"].as_u64()).map(Duration::from_micros).collect())
}
