//! What clients that only hold connections do to those who only want an answer.

use std::time::Duration;

use anyhow::Context;
use hookgate_tests::slow::{Attack, Slow};

use super::load::{Pace, load};
use super::report::{Report, median};
use super::{Setting, accepts, server};

/// Requests a second of good senders.
const RATE: f64 = 500.0;

/// How many connections slow clients hold.
const SLOW: usize = 2000;

/// How long they have to come.
const COMING: Duration = Duration::from_secs(3);

/// Measures the accepts' p99 beside each kind of slow client.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let columns = ["beside", "lost", "p50 ms", "p99 ms", "of p99 beside nobody"];
    report.table("Accepts at 500/s over 16 connections, beside 2,000 slow clients", &columns);
    let kinds = [
        ("nobody", None),
        ("headers that never end", Some(Attack::Headers)),
        ("bodies that never end", Some(Attack::Body)),
        ("answers that are not read", Some(Attack::Read)),
    ];
    let mut rounds = [const { Vec::new() }; 4];
    for _ in 0..setting.rounds.max(3) {
        for ((_, attack), rounds) in kinds.iter().zip(&mut rounds) {
            rounds.push(round(setting, *attack).await?);
        }
    }
    let (alone, of) =
        (rounds[0].clone(), |rounds: &[Round], figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect()));
    for ((name, _), rounds) in kinds.iter().zip(&rounds) {
        let ratio = median(alone.iter().zip(rounds).map(|(alone, beside)| beside.p99_ms / alone.p99_ms).collect());
        report.row(&[
            (*name).to_owned(),
            format!("{:.0}", rounds.iter().map(|round| round.lost).sum::<f64>()),
            format!("{:.2}", of(rounds, |round| round.p50_ms)),
            format!("{:.2}", of(rounds, |round| round.p99_ms)),
            format!("{ratio:.2}"),
        ]);
    }
    report.note("Slow clients come from 40 addresses of this machine, each says something once a second, and comes again when it is closed.");
    Ok(())
}

#[derive(Clone)]
struct Round {
    lost: f64,
    p50_ms: f64,
    p99_ms: f64,
}

async fn round(setting: &Setting, attack: Option<Attack>) -> anyhow::Result<Round> {
    let server = server::gateway(setting, "", &[], &["--log-level", "error"])?;
    let to = server.hooks.parse().context("no address")?;
    let slow = attack.map(|attack| Slow::begin(attack, to, SLOW));
    if slow.is_some() {
        tokio::time::sleep(COMING).await;
    }
    let pace = Pace { time: Some(setting.time), count: None, rate: Some(RATE) };
    let loaded = load(&server.hooks, 16, pace, accepts::pushes(&server.hooks)).await?;
    let sent = RATE * setting.time.as_secs_f64();
    let ms = |part| loaded.at(part).as_secs_f64() * 1e3;
    let round = Round { lost: (sent - loaded.count as f64 - 16.0).max(0.0), p50_ms: ms(0.5), p99_ms: ms(0.99) };
    // Its threads must not be waited for where others run.
    tokio::task::spawn_blocking(move || drop(slow)).await?;
    Ok(round)
}
