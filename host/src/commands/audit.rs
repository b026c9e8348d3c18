//! `hookgate audit`: who changed what by hand.

use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::{Map, Value};

use super::again::there_may_be_more;
use super::filter::with_query;
use super::gateway::Door;
use super::printed;
use super::table::{Column, print_table};
use super::when::{in_order, local, said};

/// The most entries that the gateway tells.
const MOST: u64 = 1000;

/// Show who changed what by hand, the newest first
#[derive(Args)]
#[command(after_help = "Example:  hookgate audit --since yesterday")]
pub struct Audit {
    /// Done from this time on: 2h or 3d ago, "yesterday 14:00", 2026-11-20 or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Done before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The most entries
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    limit: u64,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.path()?;
        let noted = super::block_on(async { self.door.open()?.ask(Method::GET, &path, None).await })??;
        if self.json {
            outln!("{}", printed::pretty(&noted)?);
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = noted.as_array().into_iter().flatten().map(row).collect();
        let columns = [Column::whole("AT"), Column::text("WHO"), Column::whole("ACTION"), Column::sentence("WHAT")];
        print_table(&columns, &rows);
        if rows.len() as u64 == self.limit && self.limit < MOST {
            eprintln!("{}", there_may_be_more(rows.len(), "line"));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn path(&self) -> anyhow::Result<String> {
        let (since, until) = (said("since", &self.since)?, said("until", &self.until)?);
        in_order(&since, &until)?;
        let mut fields = Map::from_iter([("limit".to_owned(), Value::from(self.limit))]);
        let times = [("since", since), ("until", until)];
        fields.extend(times.into_iter().filter_map(|(name, time)| Some((name.to_owned(), Value::String(time?)))));
        Ok(with_query("/api/v1/audit", &fields))
    }
}

fn row(noted: &Value) -> Vec<String> {
    let mut what = noted["what"].clone();
    let action = what.as_object_mut().and_then(|what| what.shift_remove("action"));
    let action = action.and_then(|action| action.as_str().map(str::to_owned)).unwrap_or_default();
    vec![local(&noted["at"]), noted["who"].as_str().unwrap_or_default().to_owned(), action, what.to_string()]
}
