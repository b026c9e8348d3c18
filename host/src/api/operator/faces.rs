//! What the operator's API shows: names and forms that commands and scripts rely on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::event::{WEBHOOK, rfc3339};
use crate::queue::{Listed, Shown, Stand, Standing, Tried, Went};

/// How an event went, all its deliveries together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// All of it is done.
    Done,
    /// Something is still to be done.
    Pending,
    /// Nothing is to be done any more, and something of it is dead.
    Dead,
    /// Nobody wanted it.
    Unrouted,
    /// It is so old that only its key is kept.
    LetGo,
}

/// Which deliveries of events that are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// Those that wait for their next attempt.
    Pending,
    /// Those that are dead.
    Dead,
    /// Those that there never were.
    Unrouted,
}

impl From<Part> for State {
    fn from(part: Part) -> State {
        match part {
            Part::Pending => State::Pending,
            Part::Dead => State::Dead,
            Part::Unrouted => State::Unrouted,
        }
    }
}

impl From<Went> for State {
    fn from(went: Went) -> State {
        match went {
            Went::Done => State::Done,
            Went::Pending => State::Pending,
            Went::Dead => State::Dead,
            Went::Unrouted => State::Unrouted,
            Went::LetGo => State::LetGo,
        }
    }
}

impl From<State> for Went {
    fn from(state: State) -> Went {
        match state {
            State::Done => Went::Done,
            State::Pending => Went::Pending,
            State::Dead => Went::Dead,
            State::Unrouted => Went::Unrouted,
            State::LetGo => Went::LetGo,
        }
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeliveryState {
    /// It waits until it is due, or for others.
    Pending,
    /// An attempt was begun.
    Running,
    /// Over, well.
    Done,
    /// Over, not well.
    Dead,
    /// An operator dropped it.
    Dropped,
}

impl From<Option<Standing>> for DeliveryState {
    fn from(standing: Option<Standing>) -> DeliveryState {
        match standing {
            Some(Standing::Pending) => DeliveryState::Pending,
            Some(Standing::Running) => DeliveryState::Running,
            Some(Standing::Done) => DeliveryState::Done,
            Some(Standing::Dead) => DeliveryState::Dead,
            None => DeliveryState::Dropped,
        }
    }
}

/// Events, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    pub events: Vec<EventFace>,
    /// Where to look on, as `before`. Nothing, where that was the end: a page may be short, or empty, and not the last.
    pub next: Option<String>,
}

/// An event, as it is listed. Times are RFC 3339.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct EventFace {
    id: String,
    received_at: String,
    source: String,
    provider: String,
    #[serde(rename = "type")]
    event_type: String,
    state: State,
    deliveries: Vec<StandFace>,
}

/// A delivery, as it is listed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stand)]
struct StandFace {
    /// Whose it is, where that is a plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// Whose it is, where that is a webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<String>,
    state: DeliveryState,
    /// How many were begun.
    attempts: u32,
    /// When it is due, where it waits for that.
    due_at: Option<String>,
}

/// A plugin's name, or a webhook's id.
fn names(subscriber: &str) -> (Option<String>, Option<String>) {
    match subscriber.strip_prefix(WEBHOOK) {
        Some(webhook) => (None, Some(webhook.to_owned())),
        None => (Some(subscriber.to_owned()), None),
    }
}

impl From<Stand> for StandFace {
    fn from(stand: Stand) -> StandFace {
        let (plugin, webhook) = names(&stand.subscriber);
        let (state, due_at) = (stand.standing.into(), stand.due_ms.map(rfc3339));
        StandFace { plugin, webhook, state, attempts: stand.attempts, due_at }
    }
}

impl From<Listed> for EventFace {
    fn from(listed: Listed) -> EventFace {
        EventFace {
            id: listed.id.to_string(),
            received_at: rfc3339(listed.received_at_ms),
            source: listed.source,
            provider: listed.provider,
            event_type: listed.event_type,
            state: listed.went.into(),
            deliveries: listed.deliveries.into_iter().map(StandFace::from).collect(),
        }
    }
}

/// An event, whole. Times are RFC 3339.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShownEvent)]
pub(super) struct ShownFace {
    id: String,
    received_at: String,
    source: String,
    provider: String,
    #[serde(rename = "type")]
    event_type: String,
    state: State,
    /// What its provider's description found, by name.
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// Those of its request, what authenticates masked.
    headers: Vec<HeaderFace>,
    /// Whether what is stored is not what was written: it is not delivered, and neither payload, headers nor attributes are shown.
    damaged: bool,
    /// As it was signed; nothing, where it is not kept any more, or damaged.
    payload: Option<String>,
    /// How the payload is written here: `text`, or `base64` where it is none.
    payload_encoding: &'static str,
    /// Plugins' first.
    deliveries: Vec<DeliveryFace>,
}

/// A header.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Header)]
struct HeaderFace {
    name: String,
    value: String,
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShownDelivery)]
struct DeliveryFace {
    /// Whose it is, where that is a plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// Whose it is, where that is a webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<String>,
    state: DeliveryState,
    /// When it is due, where it waits for that.
    due_at: Option<String>,
    /// Those that ended and are kept, in their order.
    attempts: Vec<AttemptFace>,
}

/// An attempt that ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShownAttempt)]
struct AttemptFace {
    /// 1 is the first; 0 answered the sender.
    number: u32,
    started_at: String,
    took_us: u64,
    /// What it computed, where a plugin ran.
    cpu_us: Option<u64>,
    /// The most memory that it had, where a plugin ran.
    memory_bytes: Option<u64>,
    outcome: &'static str,
    /// Why it did not go well.
    why: Option<String>,
    /// Which code ran: as plugins show it.
    generation: Option<String>,
    /// The end of what it logged.
    log: Vec<String>,
    /// What a webhook's receiver answered,
    status: Option<u16>,
    /// and the beginning of its words.
    answer: Option<String>,
}

impl From<Tried> for AttemptFace {
    fn from(tried: Tried) -> AttemptFace {
        let (status, answer) = match tried.reply {
            Some(reply) => (Some(reply.status), Some(String::from_utf8_lossy(&reply.body).into_owned())),
            None => (None, None),
        };
        AttemptFace {
            number: tried.number,
            started_at: rfc3339(tried.started_at_ms),
            took_us: tried.took_us,
            cpu_us: tried.spent.map(|spent| spent.cpu.as_micros() as u64),
            memory_bytes: tried.spent.map(|spent| spent.memory_bytes as u64),
            outcome: tried.outcome,
            why: tried.why,
            // As many digits as a plugin's standing has.
            generation: tried.generation.map(|generation| format!("{:012x}", generation >> 16)),
            log: tried.log.iter().flat_map(|log| log.lines()).map(str::to_owned).collect(),
            status,
            answer,
        }
    }
}

impl From<Shown> for ShownFace {
    fn from(shown: Shown) -> ShownFace {
        let Shown { listed, is_damaged, attributes, headers, payload, deliveries } = shown;
        let (payload, payload_encoding) = match payload.map(|payload| String::from_utf8(payload.into())) {
            Some(Ok(text)) => (Some(text), "text"),
            Some(Err(bytes)) => (Some(STANDARD.encode(bytes.as_bytes())), "base64"),
            None => (None, "text"),
        };
        let headers = headers.unwrap_or_default();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some(HeaderFace { name: name.to_owned(), value: value.to_owned() })
        };
        ShownFace {
            id: listed.id.to_string(),
            received_at: rfc3339(listed.received_at_ms),
            source: listed.source,
            provider: listed.provider,
            event_type: listed.event_type,
            state: listed.went.into(),
            attributes: attributes.into_iter().map(|(name, value)| (name, Value::String(value))).collect(),
            headers: headers.lines().filter_map(header).collect(),
            damaged: is_damaged,
            payload,
            payload_encoding,
            deliveries: deliveries.into_iter().map(|(stand, history)| DeliveryFace::new(stand, history)).collect(),
        }
    }
}

impl DeliveryFace {
    fn new(stand: Stand, history: Vec<Tried>) -> DeliveryFace {
        let StandFace { plugin, webhook, state, due_at, .. } = stand.into();
        DeliveryFace { plugin, webhook, state, due_at, attempts: history.into_iter().map(AttemptFace::from).collect() }
    }
}

/// What was put back, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PutBack {
    /// How many events were meant.
    pub matched: usize,
    /// How many deliveries were put back, by plugin.
    #[schema(value_type = Object)]
    pub put_back: Map<String, Value>,
    /// Where to go on, as `before`; nothing, where that was the end.
    pub next: Option<String>,
    /// Those of them that are still to be put back, the oldest first: all, where they were only to be found, or the rest, where this took
    /// long or went no further.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Why it went no further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Those that were named and that there are none of, or whose payload is not kept any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// What was dropped.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Dropped {
    /// How many events were meant.
    pub matched: usize,
    /// How many deliveries were dropped, by plugin.
    #[schema(value_type = Object)]
    pub dropped: Map<String, Value>,
    /// Where to go on, as `before`; nothing, where that was the end.
    pub next: Option<String>,
    /// Those that were named and that there are none of, or whose payload is not kept any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// Dead deliveries, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Dead {
    pub dead: Vec<DeadFace>,
    /// Where to look on, as `before`; nothing, where that was the end.
    pub next: Option<String>,
}

/// A dead delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadDelivery)]
pub(super) struct DeadFace {
    pub event: String,
    pub received_at: String,
    pub source: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub plugin: String,
    pub attempts: u32,
    /// How the last attempt ended,
    pub outcome: Option<String>,
    /// and why.
    pub why: Option<String>,
}

/// Whether a plugin is held.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Held {
    pub plugin: String,
    pub paused: bool,
}

/// A change that was made by hand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Audited)]
pub(super) struct AuditedFace {
    pub at: String,
    /// A key's name and id, `admin token`, or `local`.
    pub who: String,
    /// What was done, and how much that was.
    #[schema(value_type = Object)]
    pub what: Value,
}
