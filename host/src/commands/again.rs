//! Having events delivered again: all that are meant are found first, and then put back from the oldest on, page by page and at a rate. So
//! what is ordered by a key is delivered in that order.

mod trial;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use hookgate::event::{EventId, rfc3339};
use http::Method;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::filter::Filter;
use super::gateway::{Gateway, NotNow};
use super::table::harmless;
use super::when::local_ms;
use super::{counted, printed};

/// The most events of one request.
const PAGE: usize = 1000;

/// The most that are found by one request, and how many times as long as that took nothing is asked: what comes in goes first.
const FOUND: usize = 100;
const REST: u32 = 9;

/// Where events are put back, and found.
pub const AGAIN: &str = "/api/v1/replay";

/// How often it is tried again where it goes no further: after as long as the gateway says, and then after twice as long each time.
const TRIES: u32 = 4;

/// How much at a time
#[derive(Args)]
pub struct Pace {
    /// The most events
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// How many events a second; the gateway takes no more than 2,500
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub rate: u64,
}

/// What is asked, and of which events.
pub struct Again {
    /// Where it is asked.
    pub path: &'static str,
    /// What the answer calls what was done.
    pub done: &'static str,
    /// What was said of which events are meant,
    pub filter: Filter,
    /// and which are looked for, where none are named.
    pub wanted: Map<String, Value>,
    /// What is said beside the events.
    pub fields: Map<String, Value>,
    /// The events, where they are named.
    pub events: Vec<EventId>,
    /// How much at a time.
    pub pace: Pace,
    /// What was done, or would be, in the words that stand before whose deliveries, and how many.
    pub told: &'static str,
}

/// What was done in all.
#[derive(Default)]
struct Sum {
    matched: usize,
    done: Map<String, Value>,
    /// Those that were named and that there are none of.
    unknown: Vec<Value>,
    /// Those that are still to be done, the oldest first.
    left: Vec<EventId>,
    /// Why they are.
    why: Option<String>,
}

impl Sum {
    /// One more of a plugin's.
    fn count(&mut self, plugin: &Value) {
        self.add(plugin.as_str().unwrap_or_default(), 1);
    }

    /// So many more of a plugin's.
    fn add(&mut self, plugin: &str, count: u64) {
        let before = self.done.get(plugin).and_then(Value::as_u64).unwrap_or_default();
        self.done.insert(plugin.to_owned(), (before + count).into());
    }
}

fn at_the_limit(limit: usize) -> String {
    format!("stopped after {}, which is --limit", counted(limit, "event"))
}

impl Again {
    fn limit(&self) -> usize {
        usize::try_from(self.pace.limit).unwrap_or(usize::MAX)
    }

    /// Does it, and prints what was done.
    pub async fn run(self, gateway: &Gateway, as_json: As) -> anyhow::Result<ExitCode> {
        let (stop, limit) = (listen_for_stop(), self.limit());
        let (events, next) = match self.events.is_empty() {
            true => self.find(gateway, &stop, limit).await?,
            false => (self.named(), Value::Null),
        };
        if events.is_empty() {
            self.filter.tell_of_unknown(gateway).await;
        }
        let is_cut = events.len() > limit || (events.len() == limit && !next.is_null());
        let (mut events, mut rest) = (events, Vec::new());
        if events.len() > limit {
            rest = events.split_off(limit);
        }
        let mut sum = self.all_pages(gateway, &stop, events).await?;
        if !self.events.is_empty() && !rest.is_empty() {
            // They were meant, each of them.
            sum.why.get_or_insert_with(|| at_the_limit(limit));
            sum.left.append(&mut rest);
        }
        self.tell(&sum, &next, is_cut, as_json)
    }

    /// Prints what was done, and how it ended.
    fn tell(&self, sum: &Sum, next: &Value, is_cut: bool, as_json: As) -> anyhow::Result<ExitCode> {
        self.print(sum, next, as_json)?;
        if is_cut && sum.why.is_none() {
            eprintln!("{}", there_may_be_more(self.limit(), "event"));
        }
        if let Some(why) = &sum.why {
            eprintln!("{why}{}", self.rest(&sum.left));
        }
        // What was found may have been let go of meanwhile; what was named should be there.
        let unknown: Vec<&str> = sum.unknown.iter().filter_map(Value::as_str).collect();
        let is_unknown = !self.events.is_empty() && !unknown.is_empty();
        if is_unknown {
            eprintln!("there is no event {}, or its payload is not kept any more", harmless(&unknown.join(", ")));
        }
        Ok(if sum.why.is_some() || is_unknown { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn print(&self, sum: &Sum, next: &Value, as_json: As) -> anyhow::Result<()> {
        let Sum { matched, done, unknown, left, .. } = sum;
        match as_json {
            As::Json => {
                let mut printed = json!({ "matched": matched, self.done: done, "next": next });
                for (name, events) in [("left", texts(left)), ("unknown", unknown.clone())] {
                    if !events.is_empty() {
                        printed[name] = events.into();
                    }
                }
                outln!("{}", printed::pretty(&printed)?);
            }
            As::Text => {
                let by_plugin: Vec<String> = done.iter().map(|(plugin, count)| format!("{plugin} {count}")).collect();
                let by_plugin = if by_plugin.is_empty() { "nothing".to_owned() } else { by_plugin.join(", ") };
                outln!("looked at {}: {} {}", counted(*matched, "event"), self.told, harmless(&by_plugin));
            }
        }
        Ok(())
    }

    /// The events that are named, the oldest first.
    fn named(&self) -> Vec<EventId> {
        let mut events = self.events.clone();
        events.sort_unstable();
        events.dedup();
        events
    }

    /// Finds the newest that are meant. Gives them with the oldest first, and where those are that are older.
    async fn find(
        &self,
        gateway: &Gateway,
        stop: &CancellationToken,
        limit: usize,
    ) -> anyhow::Result<(Vec<EventId>, Value)> {
        let (mut found, mut told, mut fields) = (Vec::new(), Instant::now(), self.wanted.clone());
        fields.insert("find".into(), true.into());
        loop {
            let begun = Instant::now();
            fields.insert("limit".into(), (limit - found.len()).min(FOUND).into());
            let page = gateway.ask(Method::POST, AGAIN, Some(Value::Object(fields.clone()))).await?;
            found.extend(ids(&page["left"]).into_iter().rev());
            let next = &page["next"];
            if next.is_null() || found.len() >= limit {
                found.reverse();
                return Ok((found, next.clone()));
            }
            anyhow::ensure!(!stop.is_cancelled(), "stopped before anything was done");
            if told.elapsed() > Duration::from_secs(1) {
                told = Instant::now();
                eprintln!("found {} events so far", found.len());
            }
            fields.insert("before".into(), next.clone());
            tokio::time::sleep(REST * begun.elapsed()).await;
        }
    }

    /// Asks for page after page, until all is done or it goes no further.
    async fn all_pages(&self, gateway: &Gateway, stop: &CancellationToken, left: Vec<EventId>) -> anyhow::Result<Sum> {
        let (mut sum, mut told, mut tries) = (Sum { left, ..Sum::default() }, Instant::now(), 0);
        while let Some(first) = sum.left.first().copied() {
            if stop.is_cancelled() {
                sum.why = Some(format!("stopped after {}", counted(sum.matched, "event")));
                break;
            }
            if told.elapsed() > Duration::from_secs(1) {
                told = Instant::now();
                eprintln!("{} events so far, up to {}", sum.matched, local_ms(first.made_at_ms()));
            }
            let (begun, many) = (Instant::now(), sum.left.len());
            let not_now = match self.page(gateway, &mut sum).await {
                Ok(not_now) => not_now,
                Err(error) if sum.matched == 0 => return Err(error),
                Err(error) => {
                    sum.why = Some(format!("{error:#}"));
                    break;
                }
            };
            let done = many - sum.left.len();
            tries = if done > 0 { 0 } else { tries + 1 };
            let pause = match not_now {
                Some(NotNow { told, .. }) if tries > TRIES => {
                    sum.why = Some(told);
                    break;
                }
                Some(NotNow { told, after }) => {
                    let pause = after * (1 << tries.saturating_sub(1));
                    eprintln!("{told}: trying again in {} s", pause.as_secs());
                    pause
                }
                None if sum.left.is_empty() || self.fields.contains_key("dry_run") => Duration::ZERO,
                None => Duration::from_secs_f64(done as f64 / self.pace.rate as f64).saturating_sub(begun.elapsed()),
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(sum)
    }

    /// Asks for the next page, and adds what was done. Gives why it went no further, where that may be over soon.
    async fn page(&self, gateway: &Gateway, sum: &mut Sum) -> anyhow::Result<Option<NotNow>> {
        let many = (self.pace.rate as usize).min(PAGE).min(sum.left.len());
        let mut body = self.fields.clone();
        body.insert("events".into(), texts(&sum.left[..many]).into());
        if self.path == AGAIN {
            body.insert("rate".into(), self.pace.rate.into());
        }
        let answer = match gateway.ask(Method::POST, self.path, Some(Value::Object(body))).await {
            Ok(answer) => answer,
            Err(error) => return error.downcast::<NotNow>().map(Some),
        };
        let left = ids(&answer["left"]);
        let matched = answer["matched"].as_u64().unwrap_or_default() as usize;
        sum.matched += matched.saturating_sub(left.len());
        for (plugin, count) in answer[self.done].as_object().into_iter().flatten() {
            sum.add(plugin, count.as_u64().unwrap_or_default());
        }
        sum.unknown.extend(answer["unknown"].as_array().into_iter().flatten().cloned());
        sum.left.splice(..many, left);
        let why = answer["why"].as_str();
        Ok(why.map(|why| NotNow { told: harmless(why), after: Duration::from_secs(1) }))
    }

    /// How to go on with what is left: by the ids where they were named, otherwise by the times of the first and the last.
    fn rest(&self, left: &[EventId]) -> String {
        let (Some(first), Some(last)) = (left.first(), left.last()) else { return String::new() };
        if self.events.is_empty() {
            let (since, until) = (rfc3339(first.made_at_ms()), rfc3339(last.made_at_ms() + 1));
            let are = if left.len() == 1 { "is" } else { "are" };
            format!("; {} {are} left: go on with --since {since} --until {until}", counted(left.len(), "event"))
        } else {
            let left: Vec<String> = left.iter().map(EventId::to_string).collect();
            format!("; go on with {}", left.join(" "))
        }
    }
}

/// What is said where as many were found as were asked for.
pub fn there_may_be_more(limit: usize, what: &str) -> String {
    format!("stopped after {}, and there may be more: say --limit for more", counted(limit, what))
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

fn texts(events: &[EventId]) -> Vec<Value> {
    events.iter().map(|event| event.to_string().into()).collect()
}

fn ids(list: &Value) -> Vec<EventId> {
    list.as_array().into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
}

/// Notes Ctrl-C, so that a page that was begun is ended.
fn listen_for_stop() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.cancel();
        }
    });
    stop
}
