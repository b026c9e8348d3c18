//! `hookgate backup` and `hookgate restore`: a copy of all that was accepted, while it runs; and taking one up.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hookgate::config::{Config, FILE, Overrides};
use hookgate::queue::{Already, Copied, back_up, restore};
use hookgate::webhooks::KEY_FILE;

use super::printed;

/// Copy all that was accepted into one file, whether or not the gateway runs
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate backup /backups/hookgate-$(date +%F).db\n\nThe file holds payloads and, where the config has no key of its own, the key of outgoing webhooks' secrets: keep it as safe as the data folder."
)]
pub struct Backup {
    /// Where the copy goes; there must be no such file
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Put a copy that `hookgate backup` made into the data folder, while no gateway runs on it
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate restore /backups/hookgate-2026-11-20.db --data /var/lib/hookgate\n\nWhat was under way when the copy was made is tried again at the next start."
)]
pub struct Restore {
    /// The copy
    file: PathBuf,
    /// Move data that is there already aside
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: Place,
}

/// Which data is meant
#[derive(Args)]
struct Place {
    /// The config of the gateway
    #[arg(long, default_value = FILE)]
    config: PathBuf,
    /// Its data folder, in place of the one in the config
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Place {
    fn folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.data {
            return Ok(folder.clone());
        }
        let overrides = Overrides { secrets_may_be_missing: true, ..Overrides::default() };
        Ok(Config::read(&self.config, &overrides)?.server.data_dir)
    }

    fn print(&self, copied: &Copied, told: String) -> anyhow::Result<()> {
        if self.json {
            outln!("{}", printed::pretty(copied)?);
            return Ok(());
        }
        let Copied { events, open, bytes } = copied;
        outln!("{told}: {events} events, {open} deliveries to be done, {:.1} MiB", *bytes as f64 / f64::from(1 << 20));
        Ok(())
    }
}

impl Backup {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let copied = back_up(&self.place.folder()?, &self.file, &[KEY_FILE])?;
        self.place.print(&copied, format!("copied to {}", self.file.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let folder = self.place.folder()?;
        let there = if self.replace { Already::MoveAside } else { Already::Refuse };
        let (copied, aside) = restore(&self.file, &folder, there)?;
        if let Some(aside) = aside {
            eprintln!("what was there is now {}", Path::new(&aside).display());
        }
        self.place.print(&copied, format!("restored into {}", folder.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
