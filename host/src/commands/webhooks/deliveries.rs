//! What webhooks were sent, and sending it again.

use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::super::table::{Column, harmless, print_table};
use super::super::when::{self, local};
use super::{Common, one, said, text, word};

/// List what a webhook was sent, the newest first
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks deliveries whk_... --status dead")]
pub(super) struct Deliveries {
    /// Its id
    id: String,
    /// pending, running, done or dead
    #[arg(long)]
    status: Option<String>,
    /// A type of events, with * for any characters
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Only those received from this time on: 2h or 3d ago, "yesterday 14:00", 2026-11-20 or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The most of them
    #[arg(long, default_value = "50")]
    limit: usize,
    #[command(flatten)]
    common: Common,
}

/// Deliver again: one event, or all since a time that did not get there
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks redeliver whk_... --since 2026-01-31T12:00:00Z")]
pub(super) struct Redeliver {
    /// The webhook's id
    id: String,
    /// The event's id
    #[arg(required_unless_present = "since", conflicts_with = "since")]
    event: Option<String>,
    /// All from this time on that did not get there: 2h or 3d ago, "yesterday 14:00", 2026-11-20 or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Send a webhook a made-up event now
#[derive(Args)]
#[command(after_help = "Example:  hookgate webhooks test whk_... video.processed --data '{\"video_id\": 456}'")]
pub(super) struct Test {
    /// Its id
    id: String,
    /// The event's type
    event_type: String,
    /// The event's data, as JSON
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Test {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = self.data.as_deref().map(super::data).transpose()?;
        let body = said([("event_type", Some(self.event_type.into())), ("test_data", data)]);
        let tested = self.common.ask(Method::POST, &format!("{}/test", one(&self.id)), Some(body)).await?;
        self.common.print(&tested, |tested| {
            let took = tested["duration_ms"].as_f64().unwrap_or_default();
            let what = match tested["success"] == true {
                true => format!("delivered: answered {}", text(tested, "status_code")),
                false => format!("not delivered: {}", text(tested, "error_message")),
            };
            outln!("{what} in {took:.1} ms");
            if let Some(body) = tested["response_body"].as_str().filter(|body| !body.is_empty()) {
                // A stranger wrote it: nothing in it may reach the terminal as a command.
                body.trim_end().lines().for_each(|line| outln!("{}", harmless(line)));
            }
        })?;
        Ok(if tested["success"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// How deliveries are shown.
const COLUMNS: [Column; 6] = [
    Column::whole("EVENT"),
    Column::text("TYPE"),
    Column::whole("STATUS"),
    Column::whole("ATTEMPTS").spare(),
    Column::sentence("LAST"),
    Column::whole("NEXT").spare(),
];

impl Deliveries {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut path = format!("{}/deliveries?limit={}", one(&self.id), self.limit);
        let since = when::said("since", &self.since)?;
        for (name, value) in [("status", &self.status), ("event_type", &self.event_type), ("since", &since)] {
            if let Some(value) = value {
                path += &format!("&{name}={}", word(value));
            }
        }
        let deliveries = self.common.ask(Method::GET, &path, None).await?;
        self.common.print(&deliveries, |deliveries| {
            let rows: Vec<_> = deliveries.as_array().into_iter().flatten().map(delivery_row).collect();
            print_table(&COLUMNS, &rows);
        })
    }
}

fn delivery_row(delivery: &Value) -> Vec<String> {
    let last = delivery["history"].as_array().and_then(|history| history.last()).unwrap_or(&Value::Null);
    let why = match last["error_message"].as_str() {
        Some(why) => why.to_owned(),
        None => text(last, "status_code"),
    };
    let [event, event_type, status, attempts] =
        ["event_id", "event_type", "status", "attempts"].map(|field| text(delivery, field));
    vec![event, event_type, status, attempts, why, local(&delivery["next_attempt_at"])]
}

impl Redeliver {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let (path, body) = match &self.event {
            Some(event) => (format!("{}/deliveries/{}/redeliver", one(&self.id), word(event)), None),
            None => {
                let since = when::said("since", &self.since)?;
                (format!("{}/redeliver", one(&self.id)), Some(json!({ "since": since })))
            }
        };
        let put_back = self.common.ask(Method::POST, &path, body).await?;
        self.common.print(&put_back, |put_back| outln!("{} to be delivered again", text(put_back, "redelivered")))
    }
}
