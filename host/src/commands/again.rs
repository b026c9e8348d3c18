//! Having events delivered again: page by page, at a rate, until it is done or somebody says stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use hookgate::event::{EventId, rfc3339};
use http::Method;
use serde_json::{Map, Value, json};

use super::events::made_at;
use super::gateway::Gateway;

/// The most events of one request.
const PAGE: usize = 1000;

/// How much at a time
#[derive(Args)]
pub struct Pace {
    /// The most events
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// How many events a second
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub rate: u64,
}

/// What is asked, and of which events.
pub struct Again {
    /// Where it is asked.
    pub path: &'static str,
    /// What the answer calls what was done.
    pub done: &'static str,
    /// What is said beside the events.
    pub fields: Map<String, Value>,
    /// The events, where they are named.
    pub events: Vec<String>,
    /// How much at a time.
    pub pace: Pace,
    /// How it is told, in the words for what is done, and of how many.
    pub told: &'static str,
}

/// What was done in all.
struct Sum {
    matched: usize,
    done: Map<String, Value>,
    next: Value,
    /// Why it ended before the end.
    cut: Option<String>,
    /// What the command ends with.
    code: ExitCode,
}

impl Again {
    /// Does it, and prints what was done.
    pub async fn run(mut self, gateway: &Gateway, as_json: As) -> anyhow::Result<ExitCode> {
        let sum = self.all_pages(gateway).await?;
        let Sum { matched, done, next, cut, code } = &sum;
        match as_json {
            As::Json => {
                let printed = json!({ "matched": matched, self.done: done, "next": next });
                outln!("{}", serde_json::to_string_pretty(&printed)?);
            }
            As::Text => {
                let by_plugin: Vec<String> = done.iter().map(|(plugin, count)| format!("{plugin} {count}")).collect();
                let by_plugin = if by_plugin.is_empty() { "nothing".to_owned() } else { by_plugin.join(", ") };
                outln!("{} of {matched} events: {by_plugin}", self.told);
            }
        }
        if let Some(cut) = cut {
            eprintln!("{cut}");
        }
        Ok(*code)
    }

    async fn all_pages(&mut self, gateway: &Gateway) -> anyhow::Result<Sum> {
        let (stop, mut told) = (listen_for_stop(), Instant::now());
        let mut sum = Sum { matched: 0, done: Map::new(), next: Value::Null, cut: None, code: ExitCode::SUCCESS };
        let is_named = !self.events.is_empty();
        loop {
            let begun = Instant::now();
            let page = self.page(gateway, sum.matched).await?;
            let matched = page["matched"].as_u64().unwrap_or_default() as usize;
            sum.add(matched, &page[self.done]);
            sum.next = page["next"].clone();
            let is_end = if is_named { self.events.is_empty() } else { sum.next.is_null() };
            if is_end {
                return Ok(sum);
            }
            if sum.matched as u64 >= self.pace.limit {
                let limit = self.pace.limit;
                sum.cut = Some(format!("stopped after {limit} events, and there may be more: say --limit for more"));
                return Ok(sum);
            }
            if stop.load(Ordering::Relaxed) {
                let on = rest(&sum.next).map(|until| format!("; go on with --until {until}")).unwrap_or_default();
                sum.cut = Some(format!("stopped after {} events{on}", sum.matched));
                sum.code = ExitCode::FAILURE;
                return Ok(sum);
            }
            if told.elapsed() > Duration::from_secs(1) {
                told = Instant::now();
                eprintln!("{} events so far, back to {}", sum.matched, made_at(&sum.next));
            }
            if self.fields.get("dry_run").is_none() {
                let pace = Duration::from_secs_f64(matched as f64 / self.pace.rate as f64);
                tokio::time::sleep(pace.saturating_sub(begun.elapsed())).await;
            }
            self.fields.insert("before".into(), sum.next.clone());
        }
    }

    /// Asks for the next page.
    async fn page(&mut self, gateway: &Gateway, matched: usize) -> anyhow::Result<Value> {
        let left = usize::try_from(self.pace.limit).unwrap_or(usize::MAX).saturating_sub(matched);
        let most = left.min(self.pace.rate as usize).min(PAGE);
        let mut body = self.fields.clone();
        if self.events.is_empty() {
            body.insert("limit".into(), most.into());
        } else {
            body.remove("before");
            let rest = self.events.split_off(most.min(self.events.len()));
            body.insert("events".into(), std::mem::replace(&mut self.events, rest).into());
        }
        gateway.ask(Method::POST, self.path, Some(Value::Object(body))).await
    }
}

/// How it is printed.
#[derive(Clone, Copy)]
pub enum As {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl As {
    /// What a flag `--json` says.
    pub fn said(json: &bool) -> As {
        if *json { As::Json } else { As::Text }
    }
}

impl Sum {
    fn add(&mut self, matched: usize, done: &Value) {
        self.matched += matched;
        for (plugin, count) in done.as_object().into_iter().flatten() {
            let before = self.done.get(plugin).and_then(Value::as_u64).unwrap_or_default();
            self.done.insert(plugin.clone(), (before + count.as_u64().unwrap_or_default()).into());
        }
    }
}

/// Before when the rest is, where that is not named: what came in the same millisecond is part of it.
fn rest(next: &Value) -> Option<String> {
    let next: EventId = next.as_str()?.parse().ok()?;
    Some(rfc3339(next.made_at_ms() + 1))
}

/// Notes Ctrl-C, so that a page that was begun is ended.
fn listen_for_stop() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.store(true, Ordering::Relaxed);
        }
    });
    stop
}
