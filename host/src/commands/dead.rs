//! `hookgate dead`: what was given up.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hookgate::event::EventId;
use serde_json::{Value, json};

use super::Usage;
use super::again::{AGAIN, Again, As, Pace, there_may_be_more};
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
    /// The most that are listed; with --json, also the others of the last event
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
    after_help = "Example:  hookgate dead drop evt_... --plugin billing\n          hookgate dead drop --plugin billing --until 7d --dry-run\n          hookgate dead drop --plugin billing --until 7d --yes"
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
    /// The events; of the filters, only --plugin goes with them
    #[arg(value_name = "EVENT", conflicts_with_all = ["source", "event_type", "since", "until", "text"])]
    events: Vec<EventId>,
    #[command(flatten)]
    filter: Filter,
    /// Only find out what would be done
    #[arg(long)]
    dry_run: bool,
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
                Some(What::Retry(retry)) => retry.ones.run(AGAIN, "put_back", ["put back", "would put back"]).await,
                Some(What::Drop(drop)) => drop.run().await,
            }
        })?
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let (gateway, fields) = (self.door.open()?, self.filter.fields()?);
        let limit = self.limit as usize;
        let (mut dead, next) = pages(&gateway, "/api/v1/dead", "dead", fields, limit).await?;
        if dead.is_empty() {
            self.filter.tell_of_unknown(&gateway).await;
        }
        // The last event is told as a whole, and may be dead at several.
        if self.json {
            outln!("{}", printed::pretty(&json!({ "dead": dead, "next": next }))?);
            return Ok(ExitCode::SUCCESS);
        }
        let is_cut = dead.len() > limit || !next.is_null();
        dead.truncate(limit);
        let rows: Vec<Vec<String>> = dead.iter().map(row).collect();
        print_table(&COLUMNS, &rows);
        if is_cut {
            eprintln!("{}", there_may_be_more(limit, "line"));
        }
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
        if self.ones.events.is_empty() && !self.yes && !self.ones.dry_run {
            return Err(Usage::error(
                "nothing is left of what is dropped but its attempts: name events, look with --dry-run, or say --yes",
            ));
        }
        self.ones.run("/api/v1/dead/drop", "dropped", ["dropped", "would drop"]).await
    }
}

impl Ones {
    /// Does it, or only finds out what it would do: each in its words.
    async fn run(
        self,
        path: &'static str,
        done: &'static str,
        [told, would]: [&'static str; 2],
    ) -> anyhow::Result<ExitCode> {
        let mut wanted = self.filter.fields()?;
        let mut fields = wanted.clone();
        fields.retain(|name, _| name == "plugin");
        if path == AGAIN {
            fields.insert("state".into(), "dead".into());
        }
        if self.dry_run {
            fields.insert("dry_run".into(), true.into());
        }
        wanted.insert("state".into(), "dead".into());
        let told = if self.dry_run { would } else { told };
        let again =
            Again { path, done, filter: self.filter, wanted, fields, events: self.events, pace: self.pace, told };
        let (gateway, as_json) = (self.door.open()?, As::said(&self.json));
        // Putting back can be tried; dropping cannot.
        match self.dry_run && path != AGAIN {
            true => again.count_dead(&gateway, as_json).await,
            false => again.run(&gateway, as_json).await,
        }
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
