//! The ids of an event's trace, and the spans in it.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use sha2::{Digest, Sha256};

use super::{Moment, Telling};
use crate::event::{EventId, TraceParent};

/// Where an event came from, and with that, what stands at the top of its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Somebody sent it: the span of its acceptance.
    Sent,
    /// The gateway or a plugin made it: the span that made it, if there is one.
    Made,
}

/// A step of an event's way. Who knows it knows the id of its span.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// What is done.
    pub name: &'static str,
    /// For whom; empty where it is for all.
    pub subscriber: &'a str,
    /// Which attempt it belongs to; 0 where it is none of an attempt.
    pub attempt: u32,
}

impl Step<'static> {
    /// Taking the event: the root of what was sent.
    pub const ACCEPT: Step<'static> = Step::once("accept");

    /// A step that there is once for an event.
    pub const fn once(name: &'static str) -> Step<'static> {
        Step { name, subscriber: "", attempt: 0 }
    }
}

/// What is on the other side of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sender that waits for an answer.
    Server,
    /// A receiver that is waited for.
    Client,
    /// A queue that it was taken from.
    Consumer,
    /// Nobody.
    Internal,
}

/// The share of events that are told: those whose own traces' ids are below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share(f64);

impl Share {
    pub fn new(share: f64) -> Share {
        Share(share.clamp(0.0, 1.0))
    }

    fn takes(self, trace_id: &[u8; 16]) -> bool {
        // The half of an id that is chance in everybody's ids.
        let half = trace_id.last_chunk().map_or(0, |half| u64::from_be_bytes(*half));
        // Exact at both ends, which a product need not be.
        self.0 >= 1.0 || (half as f64) < self.0 * 2f64.powi(64)
    }
}

/// What an event's trace and the spans in it are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    event: EventId,
    parent: Option<TraceParent>,
    origin: Origin,
    trace_id: [u8; 16],
}

impl Ids {
    pub fn new(event: EventId, parent: Option<TraceParent>, origin: Origin) -> Ids {
        Ids { event, parent, origin, trace_id: parent.map_or_else(|| own(event), |parent| parent.trace_id) }
    }

    /// What we made is told if what made it is. Of what was sent, neither the sender's flag decides nor its trace's id, both of which a
    /// sender chooses: how much is told is the operator's to say.
    pub fn is_sampled(&self, share: Share) -> bool {
        let made_by = self.parent.filter(|_| self.origin == Origin::Made);
        made_by.map_or_else(|| share.takes(&own(self.event)), TraceParent::is_sampled)
    }

    fn span_id(&self, step: Step<'_>) -> [u8; 8] {
        let id = hashed(self.event, step.name, step.subscriber, step.attempt);
        id.first_chunk().copied().unwrap_or_default()
    }

    /// What a step stands under.
    fn above(&self, step: Step<'_>) -> Option<[u8; 8]> {
        match self.origin {
            Origin::Sent if step.name != Step::ACCEPT.name => Some(self.span_id(Step::ACCEPT)),
            _ => self.parent.map(|parent| parent.span_id),
        }
    }

    pub fn onward(&self, step: Step<'_>, share: Share) -> TraceParent {
        let flags = if self.is_sampled(share) { TraceParent::SAMPLED } else { 0 };
        TraceParent { trace_id: self.trace_id, span_id: self.span_id(step), flags }
    }
}

/// The id of a trace that is an event's own.
fn own(event: EventId) -> [u8; 16] {
    hashed(event, "trace", "", 0).first_chunk().copied().unwrap_or_default()
}

/// Nobody can tell an id from chance, and everybody who knows the event can make it again. (None is zero: 64 bits never are, in practice.)
fn hashed(event: EventId, name: &str, subscriber: &str, attempt: u32) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(event.to_i64().to_be_bytes());
    for part in [name, "\0", subscriber, "\0"] {
        hash.update(part);
    }
    hash.update(attempt.to_be_bytes());
    hash.finalize().into()
}

/// An event's trace that somebody is told of.
#[derive(Clone)]
pub struct Trace {
    telling: Arc<Telling>,
    ids: Ids,
}

impl Trace {
    pub(super) fn new(telling: Arc<Telling>, ids: Ids) -> Trace {
        Trace { telling, ids }
    }

    /// A step that began and ended. It is told of when the draft is.
    pub fn span(&self, step: Step<'_>, kind: Kind, begun: Moment, ended: Moment) -> Draft {
        let Ids { trace_id, event, origin, .. } = self.ids;
        let kind = match kind {
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Internal => SpanKind::Internal,
        };
        let is_remote = origin == Origin::Sent && step.name == Step::ACCEPT.name && self.ids.parent.is_some();
        let span = Span {
            trace_id: trace_id.to_vec(),
            span_id: self.ids.span_id(step).to_vec(),
            parent_span_id: self.ids.above(step).map(Vec::from).unwrap_or_default(),
            flags: u32::from(TraceParent::SAMPLED) | KNOWS_REMOTE | if is_remote { IS_REMOTE } else { 0 },
            name: step.name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: begun.unix_ns,
            ..Span::default()
        };
        let draft = Draft { telling: self.telling.clone(), begun, span };
        draft.until(ended).text("hookgate.event.id", event.to_string())
    }
}

/// OTLP's flags of a span: whether its parent is somebody else's is known, and is so.
const KNOWS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// A span that is being written. Nothing of a payload, of headers or of what a plugin says belongs into one.
pub struct Draft {
    telling: Arc<Telling>,
    begun: Moment,
    span: Span,
}

impl Draft {
    /// Says that it ended then, and not before.
    pub fn until(mut self, ended: Moment) -> Draft {
        // The wall clock may have been set back meanwhile.
        let took = ended.at.saturating_duration_since(self.begun.at);
        self.span.end_time_unix_nano = self.begun.unix_ns + took.as_nanos() as u64;
        self
    }

    /// Adds a word.
    pub fn text(self, key: &str, value: impl Into<String>) -> Draft {
        self.with(key, Value::StringValue(value.into()))
    }

    /// Adds a number.
    pub fn number(self, key: &str, value: impl Into<i64>) -> Draft {
        self.with(key, Value::IntValue(value.into()))
    }

    fn with(mut self, key: &str, value: Value) -> Draft {
        let value = Some(AnyValue { value: Some(value) });
        self.span.attributes.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
        self
    }

    /// Says that it did not go well, in a word of ours.
    pub fn failed(mut self, why: &str) -> Draft {
        self.span.status = Some(Status { message: why.to_owned(), code: StatusCode::Error.into() });
        self
    }

    /// Tells of it.
    pub fn tell(self) {
        self.telling.tell(self.span);
    }
}
