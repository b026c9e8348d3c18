//! `hookgate webhooks`: URLs that are registered for events, and a receiver to develop against.

mod deliveries;
mod listen;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::Usage;
use super::gateway::{Door, word};
use super::printed;
use super::table::{Column, harmless, print_table};
use super::when::local;

/// Register URLs for types of events, and see what they are sent
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate webhooks create --url https://example.com/hook --events video.processed --events 'match.*'"
)]
pub struct Webhooks {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Create(Create),
    List(List),
    Show(Show),
    Update(Update),
    Delete(Delete),
    Test(deliveries::Test),
    Rotate(Rotate),
    Deliveries(deliveries::Deliveries),
    Redeliver(deliveries::Redeliver),
    Publish(Publish),
    Listen(listen::Listen),
}

/// Register a webhook; its secret is shown this once
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate webhooks create --url https://example.com/hook --events video.processed --events 'match.*' --json"
)]
struct Create {
    /// Where events are posted to
    #[arg(long)]
    url: String,
    /// A type of events, with * for any characters; several times for several
    #[arg(long, required = true, value_name = "TYPE")]
    events: Vec<String>,
    /// A source that it may hear: of the config, `api`, `plugin` or `hookgate`; without it, all
    #[arg(long, value_name = "SOURCE")]
    source: Vec<String>,
    /// What signs; without it, a fresh secret is made
    #[arg(long)]
    secret: Option<String>,
    /// In your words
    #[arg(long)]
    description: Option<String>,
    /// A header that each request has
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// The most requests in any minute
    #[arg(long, value_name = "N")]
    rate_limit_per_minute: Option<u32>,
    /// Sign by an Ed25519 key pair too
    #[arg(long)]
    key_pair: bool,
    #[command(flatten)]
    common: Common,
}

/// List the webhooks
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks list")]
struct List {
    #[command(flatten)]
    common: Common,
}

/// Show a webhook and how its deliveries went
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks show whk_...")]
struct Show {
    /// Its id
    id: String,
    #[command(flatten)]
    common: Common,
}

/// Change a webhook
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks update whk_... --active false")]
struct Update {
    /// Its id
    id: String,
    /// Where events are posted to
    #[arg(long)]
    url: Option<String>,
    /// The types of events, in place of all that it had
    #[arg(long, value_name = "TYPE")]
    events: Vec<String>,
    /// The sources that it may hear, in place of all that it had
    #[arg(long, value_name = "SOURCE")]
    source: Vec<String>,
    /// In your words
    #[arg(long)]
    description: Option<String>,
    /// The headers that each request has, in place of all that it had
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// The most requests in any minute; 0 for no limit
    #[arg(long, value_name = "N")]
    rate_limit_per_minute: Option<u32>,
    /// What signs from now on, at once; `rotate` leaves time to change
    #[arg(long)]
    secret: Option<String>,
    /// Whether it gets anything
    #[arg(long, value_name = "true|false")]
    active: Option<bool>,
    #[command(flatten)]
    common: Common,
}

/// Take a webhook out; what waits for it is given up
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks delete whk_...")]
struct Delete {
    /// Its id
    id: String,
    #[command(flatten)]
    door: Door,
}

/// Give a webhook a new secret; the ones before sign beside it for a while
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks rotate whk_... --grace-s 3600")]
struct Rotate {
    /// Its id
    id: String,
    /// The new secret; without it, a fresh one is made
    #[arg(long)]
    secret: Option<String>,
    /// How long the ones before sign beside it; without it, a day
    #[arg(long, value_name = "SECONDS")]
    grace_s: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// Publish an event, as an application does
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks publish video.processed --data '{\"video_id\": 456}'")]
struct Publish {
    /// The event's type
    event_type: String,
    /// The event's data, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    data: String,
    /// What tells a repeat
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it like \"X-Tenant: 7\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

const ALL: &str = "/api/v1/webhooks";

fn one(id: &str) -> String {
    format!("{ALL}/{}", word(id))
}

impl Webhooks {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        super::block_on(async {
            match self.what {
                What::Create(create) => create.run().await,
                What::List(list) => list.run().await,
                What::Show(show) => show.run().await,
                What::Update(update) => update.run().await,
                What::Delete(delete) => delete.run().await,
                What::Test(test) => test.run().await,
                What::Rotate(rotate) => rotate.run().await,
                What::Deliveries(deliveries) => deliveries.run().await,
                What::Redeliver(redeliver) => redeliver.run().await,
                What::Publish(publish) => publish.run().await,
                What::Listen(listen) => listen.run().await,
            }
        })?
    }
}

impl Common {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        self.door.open()?.ask_by_key(method, path, body).await
    }

    /// Prints the answer as JSON, or as the command does.
    fn print(&self, answer: &Value, as_text: impl FnOnce(&Value)) -> anyhow::Result<ExitCode> {
        match self.json {
            true => outln!("{}", printed::pretty(answer)?),
            false => as_text(answer),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The fields that were said.
fn said<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let said = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(said.collect::<Map<_, _>>())
}

fn headers(of: Vec<(String, String)>) -> Option<Value> {
    (!of.is_empty()).then(|| Value::Object(of.into_iter().map(|(name, value)| (name, value.into())).collect()))
}

fn list(of: Vec<String>) -> Option<Value> {
    (!of.is_empty()).then(|| json!(of))
}

impl Create {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let body = said([
            ("url", Some(self.url.into())),
            ("events", Some(json!(self.events))),
            ("sources", list(self.source)),
            ("secret", self.secret.map(Value::from)),
            ("description", self.description.map(Value::from)),
            ("custom_headers", headers(self.header)),
            ("rate_limit_per_minute", self.rate_limit_per_minute.map(Value::from)),
            ("key_pair", self.key_pair.then_some(Value::Bool(true))),
        ]);
        let made = self.common.ask(Method::POST, ALL, Some(body)).await?;
        self.common.print(&made, print_made)
    }
}

fn print_made(made: &Value) {
    print_webhook(made);
    outln!("secret      {}  (shown this once)", text(made, "secret"));
}

fn print_webhook(webhook: &Value) {
    outln!("id          {}", text(webhook, "id"));
    outln!("url         {}", text(webhook, "url"));
    outln!("events      {}", joined(&webhook["events"]));
    outln!("sources     {}", joined(&webhook["sources"]));
    outln!("state       {}", state(webhook));
    for (label, field) in [("about      ", "description"), ("a minute   ", "rate_limit_per_minute")] {
        if !webhook[field].is_null() {
            outln!("{label} {}", text(webhook, field));
        }
    }
    for name in webhook["custom_headers"].as_object().into_iter().flat_map(Map::keys) {
        outln!("header      {}", harmless(name));
    }
    if !webhook["public_key"].is_null() {
        outln!("public key  {}", text(webhook, "public_key"));
    }
}

fn state(webhook: &Value) -> String {
    match (
        webhook["is_active"].as_bool(),
        webhook["disabled_reason"].as_str(),
        webhook.get("paused_until").filter(|until| until.is_string()),
    ) {
        (Some(true), _, Some(until)) => format!("active, left alone until {}", local(until)),
        (Some(true), ..) => "active".into(),
        (_, Some(why), _) => format!("disabled: {}", harmless(why)),
        _ => "not active".into(),
    }
}

fn joined(list: &Value) -> String {
    let texts: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    harmless(&texts.join(", "))
}

/// A field as a person reads it; nothing, where there is none.
fn text(of: &Value, field: &str) -> String {
    match &of[field] {
        Value::Null => String::new(),
        Value::String(text) => harmless(text),
        other => harmless(&other.to_string()),
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let webhooks = self.common.ask(Method::GET, ALL, None).await?;
        self.common.print(&webhooks, |webhooks| {
            let row = |webhook: &Value| {
                let counts = ["successful_deliveries", "failed_deliveries"].map(|field| text(webhook, field));
                let [done, dead] = counts;
                vec![text(webhook, "id"), state(webhook), joined(&webhook["events"]), done, dead, text(webhook, "url")]
            };
            let rows: Vec<_> = webhooks.as_array().into_iter().flatten().map(row).collect();
            let [id, done, dead] = ["ID", "DONE", "DEAD"].map(Column::whole);
            let [state, events, url] = ["STATE", "EVENTS", "URL"].map(Column::text);
            print_table(&[id, state, events, done, dead, url], &rows);
        })
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut webhook = self.common.ask(Method::GET, &one(&self.id), None).await?;
        let stats = self.common.ask(Method::GET, &format!("{}/stats", one(&self.id)), None).await?;
        webhook["stats"] = stats;
        self.common.print(&webhook, |webhook| {
            print_webhook(webhook);
            let stats = &webhook["stats"];
            outln!(
                "deliveries  {} done, {} dead, {} pending, after {} attempts of {} ms",
                text(stats, "successful_deliveries"),
                text(stats, "failed_deliveries"),
                text(stats, "pending_deliveries"),
                text(stats, "attempts"),
                stats["mean_duration_ms"].as_f64().map(|ms| format!("{ms:.1}")).unwrap_or("0".into())
            );
            if !stats["failing_since"].is_null() {
                outln!("failing     since {}", local(&stats["failing_since"]));
            }
        })
    }
}

impl Update {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let limit = |limit| if limit == 0 { Value::Null } else { Value::from(limit) };
        let body = said([
            ("url", self.url.map(Value::from)),
            ("events", list(self.events)),
            ("sources", list(self.source)),
            ("description", self.description.map(Value::from)),
            ("custom_headers", headers(self.header)),
            ("rate_limit_per_minute", self.rate_limit_per_minute.map(limit)),
            ("secret", self.secret.map(Value::from)),
            ("is_active", self.active.map(Value::from)),
        ]);
        if body.as_object().is_some_and(Map::is_empty) {
            return Err(Usage::error("say what is to change, as in --active false"));
        }
        let changed = self.common.ask(Method::PATCH, &one(&self.id), Some(body)).await?;
        self.common.print(&changed, print_webhook)
    }
}

impl Delete {
    async fn run(self) -> anyhow::Result<ExitCode> {
        self.door.open()?.ask_by_key(Method::DELETE, &one(&self.id), None).await?;
        outln!("{} is taken out", self.id);
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads data that was given on the command line.
fn data(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).map_err(|error| Usage::error(format!("--data: is no JSON: {error}")))
}

impl Publish {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let (event_type, data) = (self.event_type.into(), data(&self.data)?);
        let body = said([("type", Some(event_type)), ("data", Some(data)), ("id", self.id.map(Value::from))]);
        let published = self.common.ask(Method::POST, "/api/v1/events", Some(body)).await?;
        self.common.print(&published, |published| match published["duplicate"] == true {
            true => outln!("{}, which had been published before", text(published, "id")),
            false => outln!("{}", text(published, "id")),
        })
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let body = said([("secret", self.secret.map(Value::from)), ("grace_s", self.grace_s.map(Value::from))]);
        let rotated = self.common.ask(Method::POST, &format!("{}/rotate", one(&self.id)), Some(body)).await?;
        self.common.print(&rotated, print_made)
    }
}
