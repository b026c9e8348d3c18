//! `hookgate audit`: who changed what by hand.

use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::Value;

use super::gateway::Door;
use super::printed;
use super::table::{Column, print_table};
use super::when::local;

/// Show who changed what by hand, the newest first
#[derive(Args)]
#[command(after_help = "Example:  hookgate audit --limit 20")]
pub struct Audit {
    /// The most entries
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let path = format!("/api/v1/audit?limit={}", self.limit);
        let noted = super::block_on(async { self.door.open()?.ask(Method::GET, &path, None).await })??;
        if self.json {
            outln!("{}", printed::pretty(&noted)?);
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = noted.as_array().into_iter().flatten().map(row).collect();
        let columns = [Column::whole("AT"), Column::text("WHO"), Column::whole("ACTION"), Column::sentence("WHAT")];
        print_table(&columns, &rows);
        Ok(ExitCode::SUCCESS)
    }
}

fn row(noted: &Value) -> Vec<String> {
    let mut what = noted["what"].clone();
    let action = what.as_object_mut().and_then(|what| what.shift_remove("action"));
    let action = action.and_then(|action| action.as_str().map(str::to_owned)).unwrap_or_default();
    vec![local(&noted["at"]), noted["who"].as_str().unwrap_or_default().to_owned(), action, what.to_string()]
}
