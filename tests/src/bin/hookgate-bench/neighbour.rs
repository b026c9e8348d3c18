//! What a plugin that never ends does to those who only want an answer.

use std::time::Duration;

use super::load::{Pace, load};
use super::report::{Report, median};
use super::{Setting, accepts, server};

/// Requests a second: some load, and room beside it.
const RATE: f64 = 500.0;

/// How long the load runs before it is measured.
const WARM: Duration = Duration::from_millis(800);

/// Measures the accepts' p99 without and with a plugin in an endless loop.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    report.table(
        "Accepts at 500/s over 16 connections, beside a plugin in an endless loop",
        &["plugin", "p50 ms", "p99 ms"],
    );
    let (mut quiet, mut looping) = (Vec::new(), Vec::new());
    for _ in 0..setting.rounds.max(5) {
        quiet.push(round(setting, "").await?);
        looping.push(round(setting, "(loop $again br $again)").await?);
    }
    let column = |rounds: &[(f64, f64)], second: bool| {
        median(rounds.iter().map(|round| if second { round.1 } else { round.0 }).collect())
    };
    for (name, rounds) in [("ends at once", &quiet), ("never ends", &looping)] {
        report.row(&[name.to_owned(), format!("{:.2}", column(rounds, false)), format!("{:.2}", column(rounds, true))]);
    }
    let ratios = quiet.iter().zip(&looping).map(|(quiet, looping)| looping.1 / quiet.1).collect();
    report.note(&format!("p99 beside the loop, of p99 without it, round by round: {:.2}.", median(ratios)));
    Ok(())
}

async fn round(setting: &Setting, handle: &str) -> anyhow::Result<(f64, f64)> {
    let guest = super::instance::guest(handle)?;
    let limits = "[limits]\ncpu_ms = 60000\ncall_ms = 60000\n";
    let server = server::gateway(setting, limits, &[("looping".into(), guest)], &["--log-level", "error"])?;
    // Every call begins as if it were short, so the first moments with so many new ones are not the state that lasts.
    let warm = Pace { time: Some(WARM), count: None, rate: Some(RATE) };
    load(&server.hooks, 16, warm, accepts::pushes(&server.hooks)).await?;
    let pace = Pace { time: Some(setting.time), count: None, rate: Some(RATE) };
    let loaded = load(&server.hooks, 16, pace, accepts::pushes(&server.hooks)).await?;
    Ok((loaded.at(0.5).as_secs_f64() * 1e3, loaded.at(0.99).as_secs_f64() * 1e3))
}
