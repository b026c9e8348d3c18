//! `hookgate show`: one event, and each attempt at it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hookgate::event::EventId;
use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::gateway::{Door, PLUGINS};
use super::hold::first_line;
use super::table::harmless;
use super::when::local;
use super::{Usage, printed, saved};

/// Show an event: where it came from, what is in it, and each attempt at it with what the plugin logged
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate show evt_... --body\n          hookgate show evt_... --save failing && hookgate try plugins/billing.wasm --event failing --config hookgate.toml"
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
        let (event, plugins) = super::block_on(self.ask())??;
        if let Some(folder) = &self.save {
            saved::save(&event, folder)?;
            // What the plugin is granted and set to counts for how it fails, and stands there.
            let config = self.door.file().map(|file| format!(" --config {}", file.display())).unwrap_or_default();
            eprintln!("saved into {}: hookgate try PLUGIN.wasm --event {0}{config}", folder.display());
        }
        match self.json {
            true => outln!("{}", printed::pretty(&event)?),
            false => self.print(&event, plugins.as_ref()),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The event, and, where something of it waits for a plugin, how plugins stand, as far as that can be had.
    async fn ask(&self) -> anyhow::Result<(Value, Option<Value>)> {
        let id = self.event.parse::<EventId>().map_err(|error| {
            Usage::error(format!("`{}`: {error}, as in evt_1m8c77mn1355d: `hookgate events` lists them", self.event))
        })?;
        let gateway = self.door.open()?;
        let event = gateway.ask(Method::GET, &format!("/api/v1/events/{id}"), None).await?;
        let waits = |delivery: &Value| delivery["state"] == "pending" && delivery["plugin"].is_string();
        if self.json || !array(&event, "deliveries").any(waits) {
            return Ok((event, None));
        }
        let plugins = gateway.ask(Method::GET, PLUGINS, None).await.ok();
        Ok((event, plugins))
    }

    fn print(&self, event: &Value, plugins: Option<&Value>) {
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
        array(event, "deliveries").for_each(|delivery| outln!("{}", stands(delivery, plugins)));
    }

    fn payload(&self, event: &Value) -> String {
        if saved::is_damaged(event) {
            return saved::DAMAGED.to_owned();
        }
        match saved::payload(event) {
            Ok(Some(payload)) if self.body && event["payload_encoding"] == "base64" => {
                format!("{} bytes, no text, and printed in Base64", payload.len())
            }
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

/// Each attempt with what it logged, by the time at which it began.
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
    let how = match attempt["outcome"].as_str() {
        // Nobody knows how long it took.
        Some("lost") => "lost: the process ended".to_owned(),
        _ => format!("{} in {}", text(attempt, "outcome"), us("took_us").unwrap_or_default()),
    };
    let mut told = vec![format!("{number}: {how}")];
    told.extend(us("cpu_us").map(|cpu| format!("{cpu} computing")));
    told.extend(attempt["memory_bytes"].as_f64().map(|bytes| format!("{:.1} MiB", bytes / f64::from(1 << 20))));
    told.extend(attempt["status"].as_u64().map(|status| format!("answered {status}")));
    told.extend(attempt["generation"].as_str().map(|generation| format!("generation {generation}")));
    told.join(", ")
}

/// Where a delivery stands, and what it waits for, where that is known.
fn stands(delivery: &Value, plugins: Option<&Value>) -> String {
    let due = delivery["due_at"].as_str().map(|_| format!(", due {}", local(&delivery["due_at"])));
    let waits = plugins.filter(|_| delivery["state"] == "pending" && delivery["plugin"].is_string());
    let why = waits.map(|plugins| held(delivery, plugins)).unwrap_or_default();
    let why: String = why.iter().map(|why| format!("; {why}")).collect();
    format!("{}: {}{}{}", whose(delivery), text(delivery, "state"), due.unwrap_or_default(), harmless(&why))
}

/// Why a plugin is given nothing now, as far as how it stands tells.
fn held(delivery: &Value, plugins: &Value) -> Vec<String> {
    let own = plugins.as_array().into_iter().flatten().find(|plugin| plugin["name"] == delivery["plugin"]);
    let Some(own) = own else { return vec!["its file is gone".to_owned()] };
    let mut why = Vec::new();
    if own["paused"] == true {
        why.push("it is paused (hookgate resume)".to_owned());
    }
    match (own["slot"].as_str().unwrap_or_default(), own["why"].as_str()) {
        // Of a stale one the code before runs on.
        ("live" | "stale", _) => {}
        ("gone", _) => why.push("its file is gone".to_owned()),
        (slot, Some(told)) => why.push(format!("it is {slot}: {}", first_line(told))),
        (slot, None) => why.push(format!("it is {slot}")),
    }
    if let Some(until) = own["left_alone"].get("until") {
        let failures = own["left_alone"]["failures"].as_u64().unwrap_or_default();
        let failures = super::counted(failures as usize, "failure");
        why.push(format!("it is left alone until {}, after {failures}", local(until)));
    }
    why
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delivery_that_waits_tells_why() {
        let until = json!({ "until": "2026-11-26T15:30:00.000Z", "failures": 11 });
        let plugins = json!([
            { "name": "fine", "slot": "live", "paused": false, "left_alone": null },
            { "name": "stale", "slot": "stale", "why": "the file is not WebAssembly", "left_alone": null },
            { "name": "held", "slot": "broken", "why": "one\ntwo", "paused": true },
            { "name": "failing", "slot": "live", "why": null, "paused": false, "left_alone": until },
            { "name": "new", "slot": "compiling", "why": null },
            { "name": "gone", "slot": "gone", "why": null },
        ]);
        let waiting =
            |name: &str| stands(&json!({ "plugin": name, "state": "pending", "due_at": null }), Some(&plugins));
        for (name, why) in [
            ("fine", ""),
            ("stale", ""),
            ("held", "; it is paused (hookgate resume); it is broken: one (`hookgate check` tells the rest)"),
            ("new", "; it is compiling"),
            ("gone", "; its file is gone"),
            ("unknown", "; its file is gone"),
        ] {
            assert_eq!(waiting(name), format!("{name}: pending{why}"));
        }
        let failing = waiting("failing");
        assert!(failing.starts_with("failing: pending; it is left alone until 2026-11-26 "), "{failing}");
        assert!(failing.ends_with(", after 11 failures"), "{failing}");
        for done in [json!({ "plugin": "unknown", "state": "done" }), json!({ "webhook": "whk_1", "state": "pending" })]
        {
            assert!(!stands(&done, Some(&plugins)).contains(';'), "{done}");
        }
        assert_eq!(stands(&json!({ "plugin": "held", "state": "pending" }), None), "held: pending");
    }

    #[test]
    fn of_an_attempt_that_was_lost_no_time_is_told() {
        let attempt = json!({ "number": 1, "outcome": "lost", "took_us": 0 });
        assert_eq!(told(&attempt), "attempt 1: lost: the process ended");
        let attempt = json!({ "number": 2, "outcome": "done", "took_us": 1500, "status": 200 });
        assert_eq!(told(&attempt), "attempt 2: done in 1.5 ms, answered 200");
    }
}
