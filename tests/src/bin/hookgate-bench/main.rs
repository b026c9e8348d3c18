//! Measures Hookgate beside what it is compared with, in one run on one machine, and prints the ratios.
//!
//! The gateway is the release binary in a process of its own, loaded by a real HTTP client over loopback, writing to a real
//! disk. What it is compared with runs in the same minutes, in turn, so that a machine whose speed drifts does not decide.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod abuse;
mod accepts;
mod disk;
mod instance;
mod languages;
mod load;
mod million;
mod neighbour;
mod outgoing;
mod powers;
mod report;
mod server;
mod start;
mod tls;
mod verify;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

/// Measure the gateway beside what it is compared with
#[derive(Parser)]
struct Cli {
    /// How long each figure is measured for
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How many rounds; the table shows medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Which parts: abuse, accepts, instance, languages, million, wire, neighbour, outgoing, powers, start, tls, verify
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How many events are stored in the part `million`
    #[arg(long, default_value_t = 1_000_000)]
    stored: u64,
    /// Write the table into this file too
    #[arg(long)]
    write: Option<PathBuf>,
    /// Serve the bare handler that accepts are compared with
    #[arg(long, hide = true)]
    serve_bare: bool,
    /// Post to these addresses as the bare client that deliveries are compared with
    #[arg(long, hide = true)]
    post_bare: Vec<std::net::SocketAddr>,
}

/// What every part needs.
pub struct Setting {
    /// How long each figure is measured for.
    pub time: Duration,
    /// How many rounds.
    pub rounds: usize,
    /// The gateway's binary.
    pub gateway: PathBuf,
    /// The sample plugins.
    pub samples: PathBuf,
}

impl Setting {
    /// The bytes of a sample plugin.
    pub fn sample(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let file = self.samples.join(format!("{name}.wasm"));
        std::fs::read(&file).with_context(|| format!("{} is missing: run `cargo xtask bench`", file.display()))
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if cli.serve_bare {
        return runtime.block_on(server::serve_bare());
    }
    if !cli.post_bare.is_empty() {
        return runtime.block_on(outgoing::post_bare(&cli.post_bare, Duration::from_secs_f64(cli.seconds)));
    }
    let variable = |name: &str| std::env::var(name).map(PathBuf::from).context("run `cargo xtask bench`");
    let setting = Setting {
        time: Duration::from_secs_f64(cli.seconds),
        rounds: cli.rounds.max(1),
        gateway: variable("HOOKGATE_BIN")?,
        samples: variable("HOOKGATE_SAMPLES")?,
    };
    let wanted = |part: &str| cli.only.is_empty() || cli.only.iter().any(|only| only == part);
    let mut report = report::Report::default();
    runtime.block_on(async {
        if wanted("accepts") {
            accepts::measure(&setting, &mut report).await?;
        }
        if wanted("tls") {
            tls::measure(&setting, &mut report).await?;
        }
        if wanted("wire") {
            wire::measure(&setting, &mut report).await?;
        }
        if wanted("neighbour") {
            neighbour::measure(&setting, &mut report).await?;
        }
        if wanted("abuse") {
            abuse::measure(&setting, &mut report).await?;
        }
        if wanted("outgoing") {
            outgoing::measure(&setting, &mut report).await?;
        }
        if wanted("million") {
            million::measure(&setting, &mut report, cli.stored).await?;
        }
        if wanted("start") {
            start::measure(&setting, &mut report).await?;
        }
        if wanted("powers") {
            powers::measure(&setting, &mut report).await?;
        }
        if wanted("languages") {
            languages::measure(&setting, &mut report).await?;
        }
        anyhow::Ok(())
    })?;
    if wanted("instance") {
        instance::measure(&setting, &mut report)?;
    }
    if wanted("verify") {
        verify::measure(&setting, &mut report)?;
    }
    println!("{}", report.text());
    if let Some(file) = cli.write {
        std::fs::write(&file, report.document())?;
        eprintln!("==> wrote {}", file.display());
    }
    Ok(())
}
