//! A collector of spans, as OTLP over HTTP has it: decodes what it is sent, and knows nothing else of the gateway.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::{Hit, Receiver, Reply};

/// A collector, for as long as the test runs.
pub struct Collector(Receiver);

/// A span that it was told of.
#[derive(Debug, Clone)]
pub struct Told {
    /// What was done.
    pub name: String,
    /// The trace, in hex.
    pub trace: String,
    /// The span, in hex.
    pub id: String,
    /// What it stands under, in hex; empty where that is nothing.
    pub parent: String,
    /// Whether that is somebody else's.
    pub is_parent_remote: bool,
    /// When it began and ended, in nanoseconds since 1970.
    pub times: (u64, u64),
    /// What is said of it; numbers as texts.
    pub attributes: BTreeMap<String, String>,
    /// How it failed, where it did.
    pub failure: Option<String>,
    /// The service that told it.
    pub service: String,
}

impl Told {
    /// An attribute; empty where there is none.
    pub fn says(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

impl Collector {
    /// One that takes everything.
    pub fn new() -> Collector {
        Collector(Receiver::new())
    }

    /// One that is asked for each request, and which one it is: 1 is the first.
    pub fn answering(answers: impl Fn(&Hit, usize) -> Reply + Send + Sync + 'static) -> Collector {
        Collector(Receiver::answering(answers))
    }

    /// Lines of a config that have it told of everything.
    pub fn config(&self) -> String {
        format!("telemetry.otlp = \"http://{}\"\n", self.0.address())
    }

    /// The requests as they came.
    pub fn hits(&self) -> Vec<Hit> {
        self.0.hits()
    }

    /// Every span that it was told of.
    pub fn spans(&self) -> Vec<Told> {
        self.hits().iter().flat_map(|hit| decoded(&hit.body)).collect()
    }

    /// The spans of one event.
    pub fn of(&self, event: &str) -> Vec<Told> {
        self.spans().into_iter().filter(|span| span.says("hookgate.event.id") == event).collect()
    }

    /// The spans of one event with a name, in the order of their beginnings.
    pub fn named(&self, event: &str, name: &str) -> Vec<Told> {
        let mut named: Vec<Told> = self.of(event).into_iter().filter(|span| span.name == name).collect();
        named.sort_by_key(|span| span.times);
        named
    }
}

impl Default for Collector {
    fn default() -> Collector {
        Collector::new()
    }
}

fn decoded(body: &[u8]) -> Vec<Told> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut told = Vec::new();
    for of_service in request.resource_spans {
        let service = texts(&of_service.resource.unwrap().attributes)["service.name"].clone();
        let spans = of_service.scope_spans.into_iter().flat_map(|scope| scope.spans);
        told.extend(spans.map(|span| read(span, &service)));
    }
    told
}

fn read(span: Span, service: &str) -> Told {
    Told {
        trace: hex::encode(span.trace_id),
        id: hex::encode(span.span_id),
        parent: hex::encode(span.parent_span_id),
        // OTLP's SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK.
        is_parent_remote: span.flags & 0x200 != 0,
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
        attributes: texts(&span.attributes),
        failure: span.status.filter(|status| status.code == 2).map(|status| status.message),
        name: span.name,
        service: service.to_owned(),
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let text = match attribute.value.clone().and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            other => panic!("{} has an odd value: {other:?}", attribute.key),
        };
        (attribute.key.clone(), text)
    };
    attributes.iter().map(text).collect()
}
