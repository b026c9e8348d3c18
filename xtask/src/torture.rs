//! The gateway under fire, on a large scale: the release build, by the drivers that the tests run for a minute.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::process::{announce, hand_over, run};
use crate::project::Project;
use crate::{faketime, schemathesis, syncs};

/// What `cargo xtask torture --help` teaches below the options.
pub const TORTURE: &str = "\
Drivers:
  kill         SIGKILL at random moments, also while it stops, while 64 connections send
  supervision  SIGTERM under load; SIGKILL with a million events stored; one event that ends it each time
  syncs        syncs fail below it while 64 connections send
  power        the queue alone: the power goes, with all that was not synced, or with parts of it
  faults       the queue alone: calls of the disk fail, also while the log is moved, and it fills up
  damage       the queue alone: bits of its files are flipped, and files are cut off

Tests of `cargo xtask test`, on a larger scale:
  simulate     the queue, the schedule and the breaker by a seed: crashes, full disks, wrong clocks (long: a million seeds)
  conformance  the queue's verbs against a model in memory (long: 2,000 sequences)
  api          the API against its description, by schemathesis (long: 2,000 examples)
  clocks       the wall clock is set while it runs
  versions     files that older versions wrote, and copies

Each of the first counts what was promised and not kept, beside records that the gateway could not touch.
docs/reliability.md says what, and why. Tables come out at the end. The exit code is 1 where a promise
was broken, a goal was missed, a test failed, or a driver did not come to its end.

Examples:
  cargo xtask torture                          all of them, half an hour
  cargo xtask torture --long --json out.json   500 kills, a million answers, a million seeds and more
  cargo xtask torture kill --seed 7            the choices of a run again; its table says its seed";

/// What to try, and how much.
#[derive(Args)]
pub struct Torture {
    /// Which drivers, in place of all
    names: Vec<String>,
    /// On the scale of a release: some hours
    #[arg(long)]
    long: bool,
    /// Make the choices that this number decides
    #[arg(long)]
    seed: Option<u64>,
    /// Write the figures into this file too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Torture {
    /// Builds what is tried and what tries it, and becomes the latter.
    pub fn run(self, project: &Project) -> Result<()> {
        announce("building the gateway and what tries it (release)");
        run(project.cargo().args(["build", "--release", "-p", "hookgate", "-p", "hookgate-tests"]).args([
            "--bin",
            "hookgate",
            "--bin",
            "hookgate-torture",
        ]))?;
        let wants = |name: &str| self.names.is_empty() || self.names.iter().any(|wanted| wanted == name);
        let faketime = if wants("clocks") { faketime::set_up()? } else { OsString::new() };
        let schemathesis = if wants("api") { schemathesis::set_up(project)? } else { OsString::new() };
        let syncs = if wants("syncs") { syncs::build(project)? } else { OsString::new() };
        let mut torture = project.command(&project.binary("release", "hookgate-torture"));
        torture.args(&self.names).env("HOOKGATE_BIN", project.binary("release", "hookgate"));
        torture
            .env("HOOKGATE_FAKETIME", faketime)
            .env("HOOKGATE_SCHEMATHESIS", schemathesis)
            .env("HOOKGATE_SYNCS", syncs);
        // It runs tests as we would.
        torture.env("CARGO_TARGET_DIR", &project.target);
        torture.args(self.long.then_some("--long"));
        torture.args(self.seed.map(|seed| format!("--seed={seed}")));
        if let Some(json) = self.json {
            // As whoever typed it meant it: the command runs in the root of the repository.
            torture.arg("--json").arg(std::path::absolute(json)?);
        }
        hand_over(&mut torture).context("the torture did not run")
    }
}
