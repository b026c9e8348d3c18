//! `hookgate events`: what came in and how it went.

mod follow;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use hookgate::event::EventId;
use http::Method;
use serde_json::{Map, Value, json};

use super::again::there_may_be_more;
use super::filter::{Filter, with_query};
use super::gateway::{Door, Gateway};
use super::printed;
use super::table::{Column, print_table};
use super::when::{local, local_ms};

/// List what came in and how it went, the newest first
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate events --source github --state dead --since 2h\n          hookgate events --type 'file.*' --follow"
)]
pub struct Events {
    #[command(flatten)]
    filter: Filter,
    /// Those that went so; with --plugin, its delivery
    #[arg(long, value_enum)]
    state: Option<State>,
    /// The most that are listed
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: u64,
    /// Print new ones as they come, and again when what was pending is over, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    door: Door,
    /// Print JSON; with --follow, an event in each line
    #[arg(long)]
    json: bool,
}

/// How an event went.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum State {
    /// All of it is done, or was dropped when it was dead
    Done,
    /// Something is still to be done
    Pending,
    /// Nothing is to be done any more, and something of it is dead
    Dead,
    /// Nobody wanted it
    Unrouted,
    /// Only its key is kept: it is older than keep_days, or keep_mib or data_mib had no room for it
    LetGo,
}

impl State {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Pending => "pending",
            State::Dead => "dead",
            State::Unrouted => "unrouted",
            State::LetGo => "let_go",
        }
    }
}

const PATH: &str = "/api/v1/events";

/// The most events on a page.
const PAGE: usize = 1000;

/// How events are shown.
const COLUMNS: [Column; 6] = [
    Column::whole("EVENT"),
    Column::whole("RECEIVED"),
    Column::text("SOURCE").spare(),
    Column::text("TYPE"),
    Column::whole("STATE"),
    Column::text("DELIVERIES").spare(),
];

impl Events {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        super::block_on(async {
            let gateway = self.door.open()?;
            if self.follow { self.follow(&gateway).await } else { self.list(&gateway).await }
        })?
    }

    async fn list(&self, gateway: &Gateway) -> anyhow::Result<ExitCode> {
        let mut fields = self.filter.fields()?;
        if let Some(state) = self.state {
            fields.insert("state".into(), state.name().into());
        }
        let limit = self.limit as usize;
        let (events, next) = pages(gateway, PATH, "events", fields, limit).await?;
        if events.is_empty() {
            self.filter.tell_of_unknown(gateway).await;
        }
        if self.json {
            outln!("{}", printed::pretty(&json!({ "events": events, "next": next }))?);
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = events.iter().map(row).collect();
        print_table(&COLUMNS, &rows);
        if !next.is_null() {
            eprintln!("{}", there_may_be_more(limit, "event"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks page by page, until there is enough or no more. Gives what was found, and where to look on.
pub async fn pages(
    gateway: &Gateway,
    path: &str,
    list: &str,
    mut fields: Map<String, Value>,
    limit: usize,
) -> anyhow::Result<(Vec<Value>, Value)> {
    let (mut found, mut told) = (Vec::new(), Instant::now());
    loop {
        fields.insert("limit".into(), (limit - found.len()).min(PAGE).into());
        let mut page = gateway.ask(Method::GET, &with_query(path, &fields), None).await?;
        if let Value::Array(more) = page[list].take() {
            found.extend(more);
        }
        let next = page["next"].take();
        if next.is_null() || found.len() >= limit {
            return Ok((found, next));
        }
        if told.elapsed() > Duration::from_secs(1) {
            told = Instant::now();
            eprintln!("looked back to {}, found {}", made_at(&next), found.len());
        }
        fields.insert("before".into(), next);
    }
}

/// When the event of an id was made.
fn made_at(id: &Value) -> String {
    let id = id.as_str().and_then(|text| text.parse::<EventId>().ok());
    id.map(|id| local_ms(id.made_at_ms())).unwrap_or_default()
}

fn row(event: &Value) -> Vec<String> {
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let mut row = vec![text("id"), local(&event["received_at"])];
    row.extend(["source", "type", "state"].map(text));
    row.push(deliveries(event));
    row
}

/// Whose deliveries stand how, in a word or two each.
fn deliveries(event: &Value) -> String {
    let told = |delivery: &Value| {
        let whose = delivery["plugin"].as_str().or(delivery["webhook"].as_str()).unwrap_or_default();
        let (state, attempts) = (delivery["state"].as_str().unwrap_or_default(), &delivery["attempts"]);
        let times = attempts.as_u64().filter(|attempts| *attempts > 1);
        format!("{whose} {state}{}", times.map(|times| format!(" ({times} attempts)")).unwrap_or_default())
    };
    event["deliveries"].as_array().into_iter().flatten().map(told).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::super::table::{lines_of_row, table};
    use super::*;

    const ID: &str = "evt_01m3pj7q2d0a1";

    fn listed(source: &str, event_type: &str) -> Value {
        let delivery = |plugin: &str| json!({ "plugin": plugin, "state": "dead", "attempts": 8 });
        json!({ "id": ID, "received_at": "2026-11-26T15:22:55.123Z", "source": source, "type": event_type, "state": "unrouted",
            "deliveries": [delivery("frameio-comment"), delivery("a-plugin-with-a-long-name")] })
    }

    #[test]
    fn a_table_of_events_fits_80_columns_with_whole_ids() {
        let rows =
            [row(&listed("frameio-of-a-customer", "comment.created")), row(&listed("動画", "動画.処理が完了しました"))];
        for room in [80, 70, 60] {
            let lines = table(&COLUMNS, &rows, Some(room));
            assert!(lines.iter().all(|line| line.width() <= room), "{lines:#?}");
            let is_whole =
                |line: &String| line.starts_with(&format!("{ID}  {}  ", rows[0][1])) && line.contains("unrouted");
            assert!(lines[1..].iter().all(is_whole), "{lines:#?}");
            assert_eq!(lines[0].contains("DELIVER"), room > 70, "{lines:#?}");
        }
        assert!(table(&COLUMNS, &rows, Some(80))[2].contains("動画 "));
    }

    #[test]
    fn an_event_that_is_followed_has_a_line_that_fits() {
        let row = row(&listed("frameio-of-a-customer", "動画.処理が完了しました"));
        let lines = lines_of_row(&COLUMNS, &follow::WIDTHS, &row, Some(80));
        assert!(lines.len() == 1 && lines[0].width() <= 80 && lines[0].starts_with(ID), "{lines:#?}");
        let whole = lines_of_row(&COLUMNS, &follow::WIDTHS, &row, None);
        assert!(whole[0].ends_with("a-plugin-with-a-long-name dead (8 attempts)"), "{whole:#?}");
    }
}
