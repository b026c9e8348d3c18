//! Traces, for operators: what happened to an event when, told to a collector over OTLP. Off unless the config names one.
//!
//! An event's trace needs no memory: its ids are made of the event's own, so that an attempt a day later, or after a restart, stands
//! in the same tree. [`Telemetry::trace`] says whether an event is traced, [`Trace::span`] tells of a step. What is told waits in a
//! bounded queue for [`Exporting`]; what finds no room is left out and counted, and nobody ever waits.

mod collector;
mod export;
mod trace;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::HeaderName;
use opentelemetry_proto::tonic::trace::v1::Span;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use url::Url;

use crate::event::{EventId, TraceParent};
use crate::secret::Held;

pub use export::{Exporting, Flush};
pub use trace::{Draft, Kind, Origin, Step, Trace};

use collector::Collector;
use trace::{Ids, Share};

/// Who is told, and of how much.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The collector's address for spans.
    pub otlp: Url,
    /// What is shown to it, beside what OTLP asks for.
    pub headers: Vec<(HeaderName, Held)>,
    /// The share of events that are traced, 0 to 1, whatever their senders say.
    pub sample: f64,
    /// What this gateway is called there.
    pub service_name: String,
}

/// How many spans wait for the collector at the most.
const WAITING: usize = 8192;

/// A moment, on the clock that people share and on the one that never jumps.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// On this process's own clock.
    pub at: Instant,
    /// Nanoseconds since 1970-01-01 UTC.
    pub unix_ns: u64,
}

impl Moment {
    /// This one.
    pub fn now() -> Moment {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { at: Instant::now(), unix_ns: since_epoch.as_nanos() as u64 }
    }

    /// This one, told from an earlier one: what began after another then never seems to have begun before it.
    pub fn later(self) -> Moment {
        let at = Instant::now();
        Moment { at, unix_ns: self.unix_ns + at.saturating_duration_since(self.at).as_nanos() as u64 }
    }

    /// A moment that is only known by its milliseconds since 1970, `unix_ms`, before this one.
    pub fn back_to(self, unix_ms: u64) -> Moment {
        let unix_ns = (unix_ms * 1_000_000).min(self.unix_ns);
        let ago = Duration::from_nanos(self.unix_ns - unix_ns);
        Moment { at: self.at.checked_sub(ago).unwrap_or(self.at), unix_ns }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn unix_ms(self) -> u64 {
        self.unix_ns / 1_000_000
    }

    /// How long it is ago.
    pub fn elapsed(self) -> Duration {
        self.at.elapsed()
    }
}

/// What is counted of spans.
#[derive(Clone, Default)]
struct Counters {
    spans: Family<ResultLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

impl Counters {
    fn new(registry: &mut Registry) -> Counters {
        let counters = Counters::default();
        let help = "Spans that the collector took, that it did not take (failed), that found no room before (dropped)";
        registry.register("hookgate_spans", help, counters.spans.clone());
        for result in ["sent", "failed", "dropped"] {
            counters.count(result, 0);
        }
        counters
    }

    fn count(&self, result: &'static str, spans: u64) {
        self.spans.get_or_create(&ResultLabel { result }).inc_by(spans);
    }
}

/// The way to tell; clones are the same. Without a collector it tells nobody, and costs a comparison.
#[derive(Clone, Default)]
pub struct Telemetry(Option<Arc<Telling>>);

/// What there is while a collector is told.
struct Telling {
    spans: mpsc::Sender<Span>,
    share: Share,
    counters: Counters,
}

impl Telling {
    fn tell(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.counters.count("dropped", 1);
        }
    }
}

impl Telemetry {
    /// Tells nobody.
    pub fn off() -> Telemetry {
        Telemetry::default()
    }

    /// Tells a collector, once [`Exporting`] is started. `tls` is what is believed of servers, asked for only where the address is
    /// one of `https`.
    pub fn new(
        settings: &Settings,
        registry: &mut Registry,
        tls: impl FnOnce() -> Arc<rustls::ClientConfig>,
    ) -> (Telemetry, Exporting) {
        let counters = Counters::new(registry);
        let (spans, told) = mpsc::channel(WAITING);
        let telling = Telling { spans, share: Share::new(settings.sample), counters: counters.clone() };
        let exporting = Exporting::new(told, Collector::new(settings, tls), &settings.service_name, counters);
        (Telemetry(Some(Arc::new(telling))), exporting)
    }

    /// Whether anybody is told anything.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The trace of an event, where it is traced. `parent` is what its sender, or what made it, said of its own.
    pub fn trace(&self, event: EventId, parent: Option<TraceParent>, origin: Origin) -> Option<Trace> {
        let telling = self.0.as_ref()?;
        let ids = Ids::new(event, parent, origin);
        ids.is_sampled(telling.share).then(|| Trace::new(telling.clone(), ids))
    }

    /// What others are told who go on from a step of an event, so that theirs stands under it. Nothing where telemetry is off.
    pub fn onward(
        &self,
        event: EventId,
        parent: Option<TraceParent>,
        origin: Origin,
        step: Step<'_>,
    ) -> Option<TraceParent> {
        let telling = self.0.as_ref()?;
        Some(Ids::new(event, parent, origin).onward(step, telling.share))
    }
}

#[cfg(test)]
mod tests;
