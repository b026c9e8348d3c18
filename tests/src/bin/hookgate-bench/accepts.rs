//! Durable accepts a second, beside a bare handler that keeps nothing and beside the disk alone.

use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http_body_util::Full;
use hyper::Request;
use sha2::Sha256;

use super::load::{Loaded, MakeRequest, Pace, load};
use super::report::{Report, median, ms};
use super::server::SECRET;
use super::{Setting, disk, server};

/// How large the bodies are.
pub const BODY_BYTES: usize = 2048;

/// Pushes of GitHub with one body, each a delivery of its own.
pub fn pushes(host: &str) -> MakeRequest {
    let mut body = String::from(r#"{"ref":"refs/heads/main","repository":{"full_name":"octo-org/octo-repo"},"note":""#);
    let filler = "Some text that makes this body as long as it is said to be. ";
    while body.len() < BODY_BYTES - 2 {
        body.push(filler.as_bytes()[body.len() % filler.len()] as char);
    }
    body.push_str("\"}");
    let body = Bytes::from(body);
    let signature = sign(&body);
    let host = host.to_owned();
    let run = std::process::id();
    Arc::new(move |nth| {
        Request::post("/hooks/github")
            .header("host", &host)
            .header("content-type", "application/json")
            .header("x-github-event", "push")
            .header("x-github-delivery", format!("{run:08x}-bench-{nth:016x}-{:08x}", salt()))
            .header("x-hub-signature-256", &signature)
            .body(Full::new(body.clone()))
            .unwrap_or_default()
    })
}

/// So that two loads of one gateway never send the same delivery.
fn salt() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn sign(body: &[u8]) -> String {
    let mut mac: Hmac<Sha256> =
        Mac::new_from_slice(SECRET.as_bytes()).unwrap_or_else(|_| unreachable!("a key may be of any length"));
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

struct Round {
    raw: f64,
    bare: Loaded,
    durable: Loaded,
    written: f64,
}

/// Measures at 1, 8, 64 and 256 connections.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    report.table(
        "Durable accepts, 2 KiB signed bodies",
        &[
            "connections",
            "accepts/s",
            "p50 ms",
            "p99 ms",
            "bare handler/s",
            "of bare",
            "append+fdatasync/s",
            "of append",
            "bytes written an event",
            "of its own",
        ],
    );
    for connections in [1, 8, 64, 256] {
        let mut rounds = Vec::new();
        for _ in 0..setting.rounds {
            rounds.push(round(setting, connections).await?);
        }
        let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        let seconds = |part: f64| std::time::Duration::from_secs_f64(of(&|round| round.durable.at(part).as_secs_f64()));
        let written = of(&|round| round.written);
        report.row(&[
            connections.to_string(),
            format!("{:.0}", of(&|round| round.durable.per_second())),
            ms(seconds(0.5)),
            ms(seconds(0.99)),
            format!("{:.0}", of(&|round| round.bare.per_second())),
            format!("{:.2}", of(&|round| round.durable.per_second() / round.bare.per_second())),
            format!("{:.0}", of(&|round| round.raw)),
            format!("{:.2}", of(&|round| round.durable.per_second() / round.raw)),
            format!("{written:.0}"),
            format!("{:.2}", written / BODY_BYTES as f64),
        ]);
    }
    report.note("Bytes written are those that the kernel counts for the gateway's process, the log of the database and its file both.");
    Ok(())
}

async fn round(setting: &Setting, connections: usize) -> anyhow::Result<Round> {
    let pace = Pace { time: Some(setting.time), count: None, rate: None };
    let folder = tempfile::tempdir_in(server::disk_folder()?)?;
    let raw = disk::appends_per_second(folder.path(), connections, BODY_BYTES, setting.time).await?;
    let bare = {
        let server = server::bare()?;
        load(&server.hooks, connections, pace, pushes(&server.hooks)).await?
    };
    let server = server::gateway(setting, "[limits]\nrequests_at_once = 1024\n", &[], &["--log-level", "error"])?;
    let before = server.proc("io", "write_bytes:");
    let durable = load(&server.hooks, connections, pace, pushes(&server.hooks)).await?;
    // What still waits to be moved from the log into the file is written soon after.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let written = (server.proc("io", "write_bytes:") - before) as f64 / durable.count as f64;
    Ok(Round { raw, bare, durable, written })
}
