//! Does to the gateway what machines do, on a large scale, and tells what became of its promises.
//!
//! Most drivers are those of the tests, in `hookgate_tests::fire`; here they run for longer, against the release binary. The others are
//! tests, run as such.

#![allow(clippy::print_stdout, reason = "what was found is printed")]

mod disks;
mod suites;

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use hookgate_tests::fire::{self, Report};

use crate::suites::Suite;

/// Kill the gateway, stop it, take its disk away, and count what became of its promises
#[derive(Parser)]
#[command(bin_name = "cargo xtask torture")]
struct Cli {
    /// Which drivers, in place of all
    #[arg(value_parser = NAMES.to_vec())]
    names: Vec<String>,
    /// On the scale of a release, in place of a few minutes
    #[arg(long)]
    long: bool,
    /// Replay the choices of a run
    #[arg(long)]
    seed: Option<u64>,
    /// Write the figures into this file too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What tries one kind of trouble.
struct Driver {
    name: &'static str,
    run: fn(u64, Scale) -> Report,
}

/// How much of it.
#[derive(Clone, Copy)]
enum Scale {
    Usual,
    Long,
}

impl Scale {
    fn of<T>(self, usual: T, long: T) -> T {
        match self {
            Scale::Usual => usual,
            Scale::Long => long,
        }
    }
}

const NAMES: [&str; 11] = [
    "kill",
    "supervision",
    "syncs",
    "power",
    "faults",
    "damage",
    "simulate",
    "conformance",
    "api",
    "clocks",
    "versions",
];

/// All drivers, in the order in which they run. Another one is a line here, one in `NAMES`, and one in the help of xtask.
const DRIVERS: [Driver; NAMES.len()] = [
    // One round in three is a stop that may have ended before it is killed: so many rounds are at least 25 kills, and 500.
    Driver { name: "kill", run: |seed, scale| fire::kill::run(seed, scale.of(38, 750), scale.of(50_000, 1_000_000)) },
    Driver { name: "supervision", run: |seed, scale| fire::supervision::run(seed, scale.of(5, 50), 1_000_000) },
    Driver { name: "syncs", run: |seed, scale| disks::syncs(seed, scale.of(20, 200)) },
    Driver { name: "power", run: |seed, scale| disks::power(seed, scale.of(20, 200), scale.of(0, 1)) },
    // Ten points are one call of each kind, from the opening and from when it is open.
    Driver {
        name: "faults",
        run: |seed, scale| disks::faults(seed, scale.of((400, 1), (2_000, 3)), scale.of(18, 180)),
    },
    Driver { name: "damage", run: |seed, scale| disks::damage(seed, scale.of(400, 2_000), scale.of(false, true)) },
    Driver { name: "simulate", run: |_, scale| simulate(scale).run() },
    Driver { name: "conformance", run: |_, scale| conformance(scale).run() },
    Driver { name: "api", run: |_, scale| api(scale).run() },
    Driver { name: "clocks", run: |_, _| CLOCKS.run() },
    Driver { name: "versions", run: |_, _| VERSIONS.run() },
];

fn simulate(scale: Scale) -> Suite {
    let scale = ("seeds, from 0", "HOOKGATE_SEEDS", scale.of(20_000, 1_000_000));
    Suite { name: "simulate", tests: &["dispatch::tests"], scale: Some(scale), needs: None }
}

fn conformance(scale: Scale) -> Suite {
    let scale = ("sequences, from 0", "HOOKGATE_SEQUENCES", scale.of(1_000, 2_000));
    Suite { name: "conformance", tests: &["conformance::"], scale: Some(scale), needs: None }
}

fn api(scale: Scale) -> Suite {
    let scale = ("examples of each sort for each operation", "HOOKGATE_EXAMPLES", scale.of(200, 2_000));
    let tests = &["schema::applications", "schema::operators"];
    Suite { name: "api", tests, scale: Some(scale), needs: Some("HOOKGATE_SCHEMATHESIS") }
}

const CLOCKS: Suite = Suite { name: "clocks", tests: &["clocks::"], scale: None, needs: Some("HOOKGATE_FAKETIME") };

const VERSIONS: Suite =
    Suite { name: "versions", tests: &["queue::schema::", "versions::", "backup::"], scale: None, needs: None };

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    std::env::var("HOOKGATE_BIN").context("run `cargo xtask torture`")?;
    let seed = cli.seed.unwrap_or_else(|| fire::seed("torture"));
    let scale = if cli.long { Scale::Long } else { Scale::Usual };
    let wanted = |driver: &&Driver| cli.names.is_empty() || cli.names.iter().any(|name| name == driver.name);
    let mut reports = Vec::new();
    let mut failed = Vec::new();
    for driver in DRIVERS.iter().filter(wanted) {
        eprintln!("==> {} with seed {seed}", driver.name);
        let begun = Instant::now();
        // What a driver cannot go on after is a panic, as in a test; the others run all the same.
        match catch_unwind(|| (driver.run)(seed, scale)) {
            Ok(mut report) => {
                report.tell("took, s", begun.elapsed().as_secs());
                reports.push(report);
            }
            Err(_) => failed.push(driver.name),
        }
    }
    reports.iter().for_each(|report| println!("{report}"));
    failed.iter().for_each(|name| println!("{name} (seed {seed}) did not come to its end: see above\n"));
    if let Some(file) = cli.json {
        let json = serde_json::Value::from(reports.iter().map(Report::json).collect::<Vec<_>>());
        let told = serde_json::json!({ "seed": seed, "did_not_end": failed, "reports": json });
        std::fs::write(&file, format!("{told:#}\n")).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let kept =
        failed.is_empty() && reports.iter().all(|report| report.broken().is_empty() && report.missed().is_empty());
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
