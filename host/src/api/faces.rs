//! What the API shows of things: names and forms that applications rely on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::event::{UnixMs, rfc3339};
use crate::queue::{Looked, Standing, Track, Tried};
use crate::webhooks::{Entry, Exchange, Webhook, whole};

/// Why something was not done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Error {
    /// In a sentence.
    pub error: String,
}

/// A webhook. Times are RFC 3339.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookFace {
    id: String,
    url: String,
    description: Option<String>,
    /// The types of events, with `*` for any characters.
    events: Vec<String>,
    /// The sources that it may hear; `*` is all.
    sources: Vec<String>,
    is_active: bool,
    /// Why the gateway disabled it.
    disabled_reason: Option<String>,
    /// Until when its receiver is left alone: it failed, or asked for that, or got all that it may get in a minute.
    paused_until: Option<String>,
    rate_limit_per_minute: Option<u32>,
    custom_headers: BTreeMap<String, String>,
    /// What verifies its `v1a` signatures, where it has a key pair.
    public_key: Option<String>,
    /// Deliveries of which an attempt ended.
    total_deliveries: u64,
    successful_deliveries: u64,
    /// Deliveries that were given up.
    failed_deliveries: u64,
    last_delivery_at: Option<String>,
    last_success_at: Option<String>,
    last_failure_at: Option<String>,
    created_at: String,
    updated_at: String,
    /// Only where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

fn time(ms: Option<UnixMs>) -> Option<String> {
    ms.map(rfc3339)
}

impl WebhookFace {
    /// A webhook and its sums.
    pub fn new(entry: &Entry, track: &Track) -> WebhookFace {
        let webhook = entry.webhook();
        WebhookFace {
            id: webhook.id.to_string(),
            url: webhook.url.to_string(),
            description: webhook.description.clone(),
            events: webhook.events.clone(),
            sources: webhook.sources.clone(),
            is_active: webhook.is_active,
            disabled_reason: webhook.disabled_reason.clone(),
            paused_until: time(entry.paused_until_ms()),
            rate_limit_per_minute: webhook.rate_limit_per_minute,
            custom_headers: webhook.custom_headers.clone(),
            public_key: webhook.public_key(),
            total_deliveries: track.deliveries,
            successful_deliveries: track.done,
            failed_deliveries: track.dead,
            last_delivery_at: time(track.last_ms),
            last_success_at: time(track.last_done_ms),
            last_failure_at: time(track.last_failed_ms),
            created_at: rfc3339(webhook.created_at_ms),
            updated_at: rfc3339(webhook.updated_at_ms),
            secret: None,
        }
    }

    /// The same with its secret, this once.
    pub fn with_secret(self, webhook: &Webhook) -> WebhookFace {
        let newest = webhook.signers.first();
        let secret = newest.map(|signer| String::from_utf8_lossy(signer.secret.expose()).into_owned());
        WebhookFace { secret, ..self }
    }
}

/// Which webhooks are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those that are active, or only those that are not.
    pub is_active: Option<bool>,
}

/// A new secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The new secret. Without it, a fresh one is made.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 512, pattern = "^[!-~]+$")]
    pub secret: Option<String>,
    /// How long the ones before sign beside it, in seconds. Without it, a day.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 2592000)]
    pub grace_s: Option<u64>,
}

/// An event that is made up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Its type.
    #[schema(min_length = 1, max_length = 256, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]+$")]
    pub event_type: String,
    /// Its data.
    #[serde(default)]
    pub test_data: Option<serde_json::Value>,
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestResult {
    pub success: bool,
    status_code: Option<u16>,
    /// The first 16 KiB of it.
    response_body: Option<String>,
    error_message: Option<String>,
    duration_ms: f64,
}

impl From<Exchange> for TestResult {
    fn from(exchange: Exchange) -> TestResult {
        let success = exchange.outcome == crate::attempt::Outcome::Done;
        TestResult {
            success,
            status_code: exchange.reply.as_ref().map(|reply| reply.status),
            response_body: exchange.reply.map(|reply| String::from_utf8_lossy(&reply.body).into_owned()),
            error_message: exchange.outcome.why().map(str::to_owned),
            duration_ms: exchange.took.as_micros() as f64 / 1e3,
        }
    }
}

/// Which deliveries are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// Where they stand.
    #[param(inline)]
    pub status: Option<Status>,
    /// The type of their events, with `*` for any characters.
    #[param(min_length = 1, max_length = 256, pattern = r"^(?![a-z0-9][a-z0-9_-]{0,63}:$)[^\s\x00-\x1f\x7f-\x9f]+$")]
    pub event_type: Option<String>,
    /// Only those of events that were received from this time on (RFC 3339),
    #[param(format = DateTime)]
    pub since: Option<String>,
    /// and before this one.
    #[param(format = DateTime)]
    pub until: Option<String>,
    /// The most of them. Without it, 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// Only those of events before this one: the last one's of the page before.
    #[param(pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")]
    pub before: Option<String>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It waits until it is due.
    Pending,
    /// A request is under way.
    Running,
    /// It was delivered.
    #[serde(alias = "success", alias = "delivered")]
    Done,
    /// It was given up.
    #[serde(alias = "failed")]
    Dead,
}

impl From<Status> for Standing {
    fn from(status: Status) -> Standing {
        match status {
            Status::Pending => Standing::Pending,
            Status::Running => Standing::Running,
            Status::Done => Standing::Done,
            Status::Dead => Standing::Dead,
        }
    }
}

impl From<Standing> for Status {
    fn from(standing: Standing) -> Status {
        match standing {
            Standing::Pending => Status::Pending,
            Standing::Running => Status::Running,
            Standing::Done => Status::Done,
            Standing::Dead => Status::Dead,
        }
    }
}

/// One event on its way to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryFace {
    /// What its requests say in `X-Delivery-ID`.
    id: String,
    webhook_id: String,
    event_id: String,
    event_type: String,
    status: Status,
    /// How many attempts were begun.
    attempts: u32,
    created_at: String,
    /// When it is due, where it waits.
    next_attempt_at: Option<String>,
    /// The attempts that ended, in their order.
    history: Vec<AttemptFace>,
}

/// One attempt that ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptFace {
    number: u32,
    started_at: String,
    duration_ms: f64,
    /// `done`, `retry`, `reject`, or `lost` where the gateway stopped.
    outcome: &'static str,
    status_code: Option<u16>,
    /// The first 16 KiB of it.
    response_body: Option<String>,
    error_message: Option<String>,
}

impl DeliveryFace {
    /// A delivery to a webhook, which gets nothing until a time.
    pub fn new(webhook: &str, paused_until_ms: UnixMs, looked: Looked) -> DeliveryFace {
        let event = looked.event.to_string();
        DeliveryFace {
            id: format!("{event}:{webhook}"),
            webhook_id: webhook.to_owned(),
            event_id: event,
            event_type: looked.event_type,
            status: looked.standing.into(),
            attempts: looked.attempts,
            created_at: rfc3339(looked.received_at_ms),
            next_attempt_at: (looked.standing == Standing::Pending)
                .then(|| rfc3339(looked.due_ms.max(paused_until_ms))),
            history: looked.history.into_iter().map(AttemptFace::from).collect(),
        }
    }
}

impl From<Tried> for AttemptFace {
    fn from(tried: Tried) -> AttemptFace {
        AttemptFace {
            number: tried.number,
            started_at: rfc3339(tried.started_at_ms),
            duration_ms: tried.took_us as f64 / 1e3,
            outcome: tried.outcome,
            status_code: tried.reply.as_ref().map(|reply| reply.status),
            response_body: tried.reply.map(|reply| String::from_utf8_lossy(&reply.body).into_owned()),
            error_message: tried.why,
        }
    }
}

/// From when to when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redelivery {
    /// From this time on (RFC 3339).
    #[schema(format = DateTime)]
    pub since: String,
    /// Before this one. Without it, until now.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// How many deliveries were put back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redelivered {
    /// So many.
    pub redelivered: usize,
}

/// How a webhook's deliveries went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stats {
    total_deliveries: u64,
    successful_deliveries: u64,
    failed_deliveries: u64,
    /// Those that are not over.
    pending_deliveries: u64,
    attempts: u64,
    /// Of those that are over, from 0 to 1.
    success_rate: Option<f64>,
    /// Of an attempt.
    mean_duration_ms: Option<f64>,
    last_delivery_at: Option<String>,
    last_success_at: Option<String>,
    last_failure_at: Option<String>,
    /// The first attempt that failed after the last that did not.
    failing_since: Option<String>,
}

impl Stats {
    /// From sums.
    pub fn new(track: &Track, pending: u64) -> Stats {
        let over = track.done + track.dead;
        Stats {
            total_deliveries: track.deliveries,
            successful_deliveries: track.done,
            failed_deliveries: track.dead,
            pending_deliveries: pending,
            attempts: track.attempts,
            success_rate: (over > 0).then(|| track.done as f64 / over as f64),
            mean_duration_ms: (track.attempts > 0).then(|| track.took_us as f64 / 1e3 / track.attempts as f64),
            last_delivery_at: time(track.last_ms),
            last_success_at: time(track.last_done_ms),
            last_failure_at: time(track.last_failed_ms),
            failing_since: time(track.failing_since_ms),
        }
    }
}

/// The types that are known.
#[derive(Debug, Serialize, ToSchema)]
pub struct Types {
    /// In the order of the alphabet.
    pub events: Vec<String>,
}
