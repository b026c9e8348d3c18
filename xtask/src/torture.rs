//! The gateway under fire, on a large scale: the release build, by the drivers that the tests run for a minute.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::process::{announce, hand_over, run};
use crate::project::Project;

/// What `cargo xtask torture --help` teaches below the options.
pub const TORTURE: &str = "\
Drivers:
  kill         SIGKILL at random moments while 64 connections send
  supervision  SIGTERM under load; SIGKILL with a million events stored; one event that ends it each time
  power        the queue alone: the power goes, with all that was not synced, or with parts of it
  faults       the queue alone: calls of the disk fail, and it fills up
  damage       the queue alone: bits of its files are flipped, and files are cut off

Each counts what was promised and not kept, beside records that the gateway could not touch.
docs/reliability.md says what, and why. Tables come out at the end. The exit code is 1 where a promise
was broken, a goal was missed, or a driver did not come to its end.

Examples:
  cargo xtask torture                          all of them, some minutes
  cargo xtask torture --long --json out.json   500 kills, a million answers and more
  cargo xtask torture kill --seed 7            the choices of a run again; its table says its seed";

/// What to try, and how much.
#[derive(Args)]
pub struct Torture {
    /// Which drivers, in place of all
    names: Vec<String>,
    /// On the scale of a release: an hour and more
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
        let mut torture = project.command(&project.binary("release", "hookgate-torture"));
        torture.args(self.names).env("HOOKGATE_BIN", project.binary("release", "hookgate"));
        torture.args(self.long.then_some("--long"));
        torture.args(self.seed.map(|seed| format!("--seed={seed}")));
        if let Some(json) = self.json {
            // As whoever typed it meant it: the command runs in the root of the repository.
            torture.arg("--json").arg(std::path::absolute(json)?);
        }
        hand_over(&mut torture).context("the torture did not run")
    }
}
