//! `hookgate dead`: what was given up.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hookgate::event::EventId;
use serde_json::{Value, json};

use super::Usage;
use super::again::{AGAIN, Again, As, Pace};
use super::events::pages;
use super::filter::Filter;
use super::gateway::Door;
use super::printed;
use super::table::{Column, print_table};
use super::when::local;

/// List what plugins could not do, try it again, or let go of it
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:  hookgate dead --plugin billing --since 1d\n          hookgate dead retry --plugin billing"
)]
pub struct Dead {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand)]
enum What {
    List(List),
    Retry(Retry),
    Drop(Drop),
}

/// List dead deliveries, those of the newest events first
#[derive(Args)]
#[command(after_help = "Example:  hookgate dead list --plugin billing --since 1d")]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// The most that are listed
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: u64,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Try dead deliveries again: those of events, of a filter, or all
#[derive(Args)]
#[command(after_help = "Example:  hookgate dead retry --plugin billing --since 1d --rate 20")]
struct Retry {
    #[command(flatten)]
    ones: Ones,
}

/// Let go of dead deliveries: nothing is left of them but their attempts
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate dead drop evt_... --plugin billing\n          hookgate dead drop --plugin billing --until 7d --yes"
)]
struct Drop {
    #[command(flatten)]
    ones: Ones,
    /// Do it, where no event is named
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
struct Ones {
    /// The events
    #[arg(value_name = "EVENT", conflicts_with_all = ["source", "event_type", "since", "until", "text"])]
    events: Vec<EventId>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How dead deliveries are shown.
const COLUMNS: [Column; 8] = [
    Column::whole("EVENT"),
    Column::whole("RECEIVED"),
    Column::text("SOURCE").spare(),
    Column::text("TYPE"),
    Column::text("PLUGIN"),
    Column::whole("ATTEMPTS").spare(),
    Column::whole("OUTCOME"),
    Column::sentence("WHY"),
];

impl Dead {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        super::block_on(async {
            match self.what {
                None => self.list.run().await,
                Some(What::List(list)) => list.run().await,
                Some(What::Retry(retry)) => retry.ones.run(AGAIN, "put_back", "put back dead deliveries").await,
                Some(What::Drop(drop)) => drop.run().await,
            }
        })?
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let (gateway, fields) = (self.door.open()?, self.filter.fields()?);
        let (mut dead, next) = pages(&gateway, "/api/v1/dead", "dead", fields, self.limit as usize).await?;
        if self.json {
            outln!("{}", printed::pretty(&json!({ "dead": dead, "next": next }))?);
            return Ok(ExitCode::SUCCESS);
        }
        // An event may be dead at several.
        dead.truncate(self.limit as usize);
        let rows: Vec<Vec<String>> = dead.iter().map(row).collect();
        print_table(&COLUMNS, &rows);
        Ok(ExitCode::SUCCESS)
    }
}

fn row(dead: &Value) -> Vec<String> {
    let text = |field: &str| match &dead[field] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut row = vec![text("event"), local(&dead["received_at"])];
    row.extend(["source", "type", "plugin", "attempts", "outcome", "why"].map(text));
    row
}

impl Drop {
    async fn run(self) -> anyhow::Result<ExitCode> {
        if self.ones.events.is_empty() && !self.yes {
            return Err(Usage::error("nothing is left of what is dropped but its attempts: name events, or say --yes"));
        }
        self.ones.run("/api/v1/dead/drop", "dropped", "dropped dead deliveries").await
    }
}

impl Ones {
    async fn run(self, path: &'static str, done: &'static str, told: &'static str) -> anyhow::Result<ExitCode> {
        let mut wanted = self.filter.fields()?;
        let mut fields = wanted.clone();
        fields.retain(|name, _| name == "plugin");
        if path == AGAIN {
            fields.insert("state".into(), "dead".into());
        }
        wanted.insert("state".into(), "dead".into());
        let again = Again { path, done, wanted, fields, events: self.events, pace: self.pace, told };
        again.run(&self.door.open()?, As::said(&self.json)).await
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::super::table::table;
    use super::*;

    #[test]
    fn a_table_of_the_dead_fits_80_columns_with_whole_ids_and_says_why() {
        let why = "the answer was 503 Service Unavailable, and what it said of it is much longer than a line of a terminal is";
        let dead = |outcome: &str| {
            json!({ "event": "evt_01m3pj7q2d0a1", "received_at": "2026-11-26T15:22:55.123Z", "source": "frameio",
                "type": "comment.created", "plugin": "frameio-comment", "attempts": 8, "outcome": outcome, "why": why })
        };
        let rows = [row(&dead("retry")), row(&dead("out_of_memory"))];
        let lines = table(&COLUMNS, &rows, Some(80));
        assert!(lines.iter().all(|line| line.width() <= 80), "{lines:#?}");
        for (at, outcome) in [(1, "retry"), (4, "out_of_memory")] {
            assert!(lines[at].starts_with(&format!("evt_01m3pj7q2d0a1  {}  ", rows[0][1])), "{lines:#?}");
            assert!(lines[at].contains(outcome), "{lines:#?}");
            assert_eq!(format!("{} {}", lines[at + 1].trim(), lines[at + 2].trim()), why, "{lines:#?}");
        }
    }
}
