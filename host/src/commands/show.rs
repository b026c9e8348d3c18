//! `hookgate show`: one event, and each attempt at it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::gateway::{Door, word};
use super::printed;
use super::saved;
use super::table::harmless;
use super::when::local;

/// Show an event: where it came from, what is in it, and each attempt at it with what the plugin logged
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate show evt_... --body\n          hookgate show evt_... --save failing && hookgate try plugins/billing.wasm --event failing"
)]
pub struct Show {
    /// The event's id
    event: String,
    /// Print its payload, too
    #[arg(long)]
    body: bool,
    /// Save it into a folder: event.json, payload and headers, for `hookgate try --event`
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let path = format!("/api/v1/events/{}", word(&self.event));
        let event = super::block_on(async { self.door.open()?.ask(Method::GET, &path, None).await })??;
        if let Some(folder) = &self.save {
            saved::save(&event, folder)?;
            eprintln!("saved into {}: hookgate try PLUGIN.wasm --event {0}", folder.display());
        }
        match self.json {
            true => outln!("{}", printed::pretty(&event)?),
            false => self.print(&event),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, event: &Value) {
        let [id, event_type, source, provider, state] =
            ["id", "type", "source", "provider", "state"].map(|field| text(event, field));
        outln!("{id}  {event_type} of {source} ({provider}): {state}");
        outln!("received   {}", local(&event["received_at"]));
        for (name, value) in event["attributes"].as_object().into_iter().flatten() {
            outln!("attribute  {}: {}", harmless(name), harmless(value.as_str().unwrap_or_default()));
        }
        for header in array(event, "headers") {
            outln!("header     {}: {}", text(header, "name"), text(header, "value"));
        }
        outln!("payload    {}", self.payload(event));
        if self.body {
            // A stranger wrote it: nothing in it may reach the terminal as a command, and its lines stay lines.
            array_of_lines(event).iter().for_each(|line| outln!("{line}"));
        }
        timeline(event).iter().for_each(|line| outln!("{line}"));
    }

    fn payload(&self, event: &Value) -> String {
        if saved::is_damaged(event) {
            return saved::DAMAGED.to_owned();
        }
        match saved::payload(event) {
            Ok(Some(payload)) if self.body => format!("{} bytes", payload.len()),
            Ok(Some(payload)) => format!("{} bytes (--body prints it)", payload.len()),
            Ok(None) => "not kept any more".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        }
    }
}

fn text(of: &Value, field: &str) -> String {
    harmless(of[field].as_str().unwrap_or_default())
}

fn array<'a>(of: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    of[field].as_array().into_iter().flatten()
}

fn array_of_lines(event: &Value) -> Vec<String> {
    event["payload"].as_str().unwrap_or_default().lines().map(harmless).collect()
}

/// Each attempt with what it logged, by the time at which it began, and then what is still to come.
fn timeline(event: &Value) -> Vec<String> {
    let received = time(&event["received_at"]);
    let mut attempts: Vec<(Option<Timestamp>, String, &Value)> = Vec::new();
    for delivery in array(event, "deliveries") {
        attempts.extend(
            array(delivery, "attempts").map(|attempt| (time(&attempt["started_at"]), whose(delivery), attempt)),
        );
    }
    attempts.sort_by_key(|(at, ..)| *at);
    let mut lines = Vec::new();
    for (at, whose, attempt) in attempts {
        let after =
            at.zip(received).map(|(at, received)| at.duration_since(received).as_secs_f64()).unwrap_or_default();
        lines.push(format!("+{after:.3} s  {whose}  {}", told(attempt)));
        if let Some(why) = attempt["why"].as_str() {
            lines.push(format!("    {}", harmless(why)));
        }
        lines
            .extend(array(attempt, "log").map(|line| format!("    | {}", harmless(line.as_str().unwrap_or_default()))));
        lines.extend(
            attempt["answer"]
                .as_str()
                .filter(|answer| !answer.is_empty())
                .map(|answer| format!("    answered {}", harmless(answer))),
        );
    }
    lines.extend(array(event, "deliveries").map(stands));
    lines
}

fn whose(delivery: &Value) -> String {
    harmless(delivery["plugin"].as_str().or(delivery["webhook"].as_str()).unwrap_or_default())
}

/// How an attempt went, in a line.
fn told(attempt: &Value) -> String {
    let us = |field: &str| attempt[field].as_u64().map(|us| super::brief(Duration::from_micros(us)));
    let number = match attempt["number"].as_u64() {
        Some(0) => "answering the sender".to_owned(),
        number => format!("attempt {}", number.unwrap_or_default()),
    };
    let mut told = vec![format!("{number}: {} in {}", text(attempt, "outcome"), us("took_us").unwrap_or_default())];
    told.extend(us("cpu_us").map(|cpu| format!("{cpu} computing")));
    told.extend(attempt["memory_bytes"].as_f64().map(|bytes| format!("{:.1} MiB", bytes / f64::from(1 << 20))));
    told.extend(attempt["status"].as_u64().map(|status| format!("answered {status}")));
    told.extend(attempt["generation"].as_str().map(|generation| format!("generation {generation}")));
    told.join(", ")
}

/// Where a delivery stands.
fn stands(delivery: &Value) -> String {
    let due = delivery["due_at"].as_str().map(|_| format!(", due {}", local(&delivery["due_at"])));
    format!("{}: {}{}", whose(delivery), text(delivery, "state"), due.unwrap_or_default())
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}
