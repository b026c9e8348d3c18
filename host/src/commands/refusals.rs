//! `hookgate refusals`: what a running gateway said no to lately.

use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::Value;

use super::again::there_may_be_more;
use super::filter::Filter;
use super::gateway::{Door, word};
use super::printed;
use super::table::{Column, print_table};
use super::when::{local, said};

/// How many the gateway remembers.
const MOST: usize = 200;

/// Show the last requests that were refused, and why
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate refusals --source github --cause bad_signature\n\nThe gateway remembers 200, without values of headers and without bodies."
)]
pub struct Refusals {
    /// Of one source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// For one cause, as /metrics names them
    #[arg(long)]
    cause: Option<String>,
    /// From this time on: 2h or 3d ago, "yesterday 14:00", 2026-11-20 or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The most that are shown
    #[arg(long, value_name = "N", default_value = "20")]
    limit: usize,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How refusals are shown.
const COLUMNS: [Column; 7] = [
    Column::whole("AT"),
    Column::whole("CAUSE"),
    Column::text("SOURCE"),
    Column::text("ADDRESS"),
    Column::whole("METHOD").spare(),
    Column::whole("BYTES").spare(),
    Column::sentence("HEADERS"),
];

impl Refusals {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let refused = super::block_on(self.ask())??;
        if self.json {
            outln!("{}", printed::pretty(&refused)?);
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = refused.as_array().into_iter().flatten().map(row).collect();
        print_table(&COLUMNS, &rows);
        if !rows.is_empty() && rows.len() == self.limit && self.limit < MOST {
            eprintln!("{}", there_may_be_more(self.limit, "line"));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask(&self) -> anyhow::Result<Value> {
        let gateway = self.door.open()?;
        let refused = gateway.ask(Method::GET, &self.path()?, None).await?;
        if refused.as_array().is_some_and(Vec::is_empty) {
            Filter { source: self.source.clone(), ..Filter::default() }.tell_of_unknown(&gateway).await;
        }
        Ok(refused)
    }

    fn path(&self) -> anyhow::Result<String> {
        let mut path = format!("/api/v1/refusals?limit={}", self.limit);
        let since = said("since", &self.since)?;
        for (name, value) in [("source", &self.source), ("cause", &self.cause), ("since", &since)] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", word(value)));
            }
        }
        Ok(path)
    }
}

fn row(refused: &Value) -> Vec<String> {
    let text = |field: &str| match &refused[field] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let headers = refused["headers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut row = vec![local(&refused["at"])];
    row.extend(["cause", "source", "address", "method", "body_bytes"].map(text));
    row.push(headers.collect::<Vec<_>>().join(" "));
    row
}
