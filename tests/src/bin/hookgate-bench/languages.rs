//! What a plugin costs in each language: to compile, to replace, to call.

use std::time::{Duration, Instant};

use hookgate::runtime::{Called, Generation};
use hookgate_tests::bare::{Bare, event};

use super::report::{Report, median, ms};
use super::{Setting, server};

/// The contract's plugin in each language, as `cargo xtask bench` builds it.
const GUESTS: [(&str, &str); 10] = [
    ("Rust", "contract-rust"),
    ("C", "contract-c"),
    ("C++", "contract-cpp"),
    ("Zig", "contract-zig"),
    ("AssemblyScript", "contract-assemblyscript"),
    ("JavaScript (QuickJS)", "contract-javascript"),
    ("JavaScript (StarlingMonkey)", "contract-starlingmonkey"),
    ("Go", "contract-go"),
    ("Python", "contract-python"),
    ("WASI command, in Go", "contract-command"),
];

/// How long a file may take to be live.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures every guest that is there.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    report.table(
        "The same plugin in each language",
        &[
            "language",
            "KiB",
            "live, compiled anew ms",
            "live after a change ms",
            "fresh call us",
            "warm call us",
            "peak MiB",
        ],
    );
    for (language, guest) in GUESTS {
        let Ok(bytes) = setting.sample(guest) else {
            eprintln!("    {language} is left out: {guest} is not built");
            continue;
        };
        let kib = bytes.len().div_ceil(1024);
        let (anew, changed) = replaced(setting, &bytes).await?;
        let calls = tokio::task::spawn_blocking(move || calls(bytes)).await??;
        let us = |micros: f64| if micros < 100.0 { format!("{micros:.1}") } else { format!("{micros:.0}") };
        report.row(&[
            language.to_owned(),
            kib.to_string(),
            ms(anew),
            ms(changed),
            us(calls.fresh_us),
            us(calls.warm_us),
            format!("{:.1}", calls.peak_bytes as f64 / f64::from(1 << 20)),
        ]);
    }
    report.note(
        "Live is from the moment that the file has its name in the plugins folder until /status shows its code, the quiet 100 ms \
         before a scan included. The change is of one constant, as a change of one line leaves it: the functions of a script's \
         interpreter stay the same. A call handles 2 KiB and logs one line. A WASI command is never warm.",
    );
    Ok(())
}

/// How long a file takes to be live when nothing of it is known, and when something in it was changed.
async fn replaced(setting: &Setting, bytes: &[u8]) -> anyhow::Result<(Duration, Duration)> {
    let server = server::gateway(setting, "", &[], &["--log-level", "error"])?;
    let anew = live(&server, bytes).await?;
    let mut after = Vec::new();
    for last in b'4'..b'4' + setting.rounds.min(5) as u8 {
        let version = format!("1.2.{}", char::from(last));
        after.push(live(&server, &changed(bytes, &version)).await?.as_secs_f64());
    }
    Ok((anew, Duration::from_secs_f64(median(after))))
}

async fn live(server: &server::Server, bytes: &[u8]) -> anyhow::Result<Duration> {
    let generation = Generation::of(bytes).to_string();
    let draft = server.folder.join("plugins/.contract.draft");
    std::fs::write(&draft, bytes)?;
    let begun = Instant::now();
    std::fs::rename(draft, server.folder.join("plugins/contract.wasm"))?;
    loop {
        let status = server.status().await?;
        let plugin = &status["plugins"][0];
        if plugin["generation"] == generation && plugin["slot"] == "live" {
            return Ok(begun.elapsed());
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "it is not live: {plugin}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The same plugin with another version in it, or with one behind it where its compiler took the text apart.
fn changed(bytes: &[u8], version: &str) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let mut found = false;
    for at in 0..changed.len().saturating_sub(5) {
        if changed[at..].starts_with(b"1.2.3") {
            changed[at..at + 5].copy_from_slice(version.as_bytes());
            found = true;
        }
    }
    if !found {
        // A custom section: its number, its size, the length of its name.
        changed.extend([0, version.len() as u8 + 1, version.len() as u8]);
        changed.extend(version.as_bytes());
    }
    changed
}

/// Medians of many calls.
struct Calls {
    fresh_us: f64,
    warm_us: f64,
    peak_bytes: usize,
}

/// How long each way of calling is measured.
const CALLING: Duration = Duration::from_secs(2);

fn calls(bytes: Vec<u8>) -> anyhow::Result<Calls> {
    let given = event("github", "contract.one", vec![b'x'; super::accepts::BODY_BYTES]);
    let measured = |per_instance: u32| {
        let plugin = Bare::load_reusing(bytes.clone(), &[], per_instance)?;
        let (begun, mut calls) = (Instant::now(), Vec::new());
        while begun.elapsed() < CALLING && calls.len() < 20_000 {
            calls.push(plugin.call(&given));
        }
        let wall = |called: &Called| called.cost.wall.as_secs_f64() * 1e6;
        let peak = calls.iter().map(|called| called.cost.memory_bytes).max().unwrap_or_default();
        anyhow::Ok((median(calls.iter().map(wall).collect()), peak))
    };
    let (fresh_us, peak_bytes) = measured(1)?;
    let (warm_us, _) = measured(u32::MAX)?;
    Ok(Calls { fresh_us, warm_us, peak_bytes })
}
