//! What a plugin that never ends, or that is being compiled, does to those who only want an answer.

use std::time::Duration;

use hookgate_tests::Guest;

use super::load::{Pace, load};
use super::report::{Report, median};
use super::{Setting, accepts, server};

/// Requests a second: some load, and room beside it.
const RATE: f64 = 500.0;

/// How long the load runs before it is measured.
const WARM: Duration = Duration::from_millis(800);

/// What goes on beside the accepts.
#[derive(Clone, Copy)]
enum Beside {
    /// A plugin that ends at once.
    Nothing,
    /// A plugin in an endless loop.
    Loop,
    /// A file that is being compiled for as long as it is measured.
    Compiling,
}

/// Measures the accepts' p99 beside each.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    report.table(
        "Accepts at 500/s over 16 connections, beside other work",
        &["beside", "p50 ms", "p99 ms", "of p99 beside nothing"],
    );
    let mut quiet = Vec::new();
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..setting.rounds.max(5) {
        quiet.push(round(setting, Beside::Nothing).await?);
        rounds[0].push(round(setting, Beside::Loop).await?);
        rounds[1].push(round(setting, Beside::Compiling).await?);
    }
    let column = |rounds: &[(f64, f64)], second: bool| {
        median(rounds.iter().map(|round| if second { round.1 } else { round.0 }).collect())
    };
    let names = ["a plugin that ends at once", "a plugin in an endless loop", "the compiling of a million functions"];
    for (name, rounds) in names.into_iter().zip([&quiet, &rounds[0], &rounds[1]]) {
        let ratio = median(quiet.iter().zip(rounds).map(|(quiet, beside)| beside.1 / quiet.1).collect());
        let (p50, p99) = (column(rounds, false), column(rounds, true));
        report.row(&[name.to_owned(), format!("{p50:.2}"), format!("{p99:.2}"), format!("{ratio:.2}")]);
    }
    report.note("The ratio is the median of what was found round by round.");
    Ok(())
}

/// A file that takes longer to compile than anything here is measured.
fn slow() -> Vec<u8> {
    Guest::wanting(&["never"]).with(&"(func (drop (i32.const 1)))\n".repeat(990_000)).module()
}

async fn round(setting: &Setting, beside: Beside) -> anyhow::Result<(f64, f64)> {
    let guest = super::instance::guest(if matches!(beside, Beside::Loop) { "(loop $again br $again)" } else { "" })?;
    let limits = "[limits]\ncpu_ms = 60000\ncall_ms = 60000\n";
    let server = server::gateway(setting, limits, &[("looping".into(), guest)], &["--log-level", "error"])?;
    if matches!(beside, Beside::Compiling) {
        std::fs::write(server.folder.join("plugins/slow.wasm"), slow())?;
    }
    // Every call begins as if it were short, so the first moments with so many new ones are not the state that lasts.
    let warm = Pace { time: Some(WARM), count: None, rate: Some(RATE) };
    load(&server.hooks, 16, warm, accepts::pushes(&server.hooks)).await?;
    let pace = Pace { time: Some(setting.time), count: None, rate: Some(RATE) };
    let loaded = load(&server.hooks, 16, pace, accepts::pushes(&server.hooks)).await?;
    if matches!(beside, Beside::Compiling) {
        let plugins = server.status().await?["plugins"].to_string();
        anyhow::ensure!(plugins.contains("\"compiling\":true"), "it was compiled too soon: {plugins}");
    }
    Ok((loaded.at(0.5).as_secs_f64() * 1e3, loaded.at(0.99).as_secs_f64() * 1e3))
}
