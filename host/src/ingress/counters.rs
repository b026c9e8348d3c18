//! What is counted of requests, and shown to operators.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Refusal;
use crate::listen::Closed;
use crate::provider::Source;
use crate::queue::Receipt;

/// What is counted of requests since the start.
#[derive(Clone)]
pub struct Counters {
    accepted: Family<SourceLabel, Counter>,
    duplicates: Family<SourceLabel, Counter>,
    refused: Family<RefusedLabels, Counter>,
    unknown: Counter,
    closed: Family<ClosedLabel, Counter>,
    verified: Family<SecretLabels, Counter>,
    answers: Family<AnswerLabels, Counter>,
    answer_seconds: Histogram,
    accept_seconds: Family<SourceLabel, Histogram, fn() -> Histogram>,
    handshakes: Family<SourceLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    source: String,
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClosedLabel {
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    source: String,
    secret: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    source: String,
    result: &'static str,
}

/// What came in by one source since the start.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Tally {
    /// Events written down.
    pub accepted: u64,
    /// Repeats of events that were.
    pub duplicates: u64,
    /// Requests refused, by cause.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// Makes the counters and registers them.
    pub fn new(registry: &mut Registry) -> Counters {
        let counters = Counters {
            accepted: Family::default(),
            duplicates: Family::default(),
            refused: Family::default(),
            unknown: Counter::default(),
            closed: Family::default(),
            verified: Family::default(),
            answers: Family::default(),
            handshakes: Family::default(),
            answer_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            accept_seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_25, 2.0, 14))),
        };
        registry.register("hookgate_accepted", "Events written down", counters.accepted.clone());
        registry.register(
            "hookgate_duplicates",
            "Repeats of events that were written down",
            counters.duplicates.clone(),
        );
        registry.register("hookgate_refused", "Requests refused, by cause", counters.refused.clone());
        registry.register(
            "hookgate_unknown_source",
            "Requests to sources that there are not",
            counters.unknown.clone(),
        );
        let help = "Connections that were closed for what their clients did, by cause";
        registry.register("hookgate_closed_connections", help, counters.closed.clone());
        for cause in Closed::ALL.map(Closed::cause) {
            drop(counters.closed.get_or_create(&ClosedLabel { cause }));
        }
        registry.register(
            "hookgate_verified",
            "Requests verified, by which of the source's secrets",
            counters.verified.clone(),
        );
        registry.register("hookgate_handshakes", "Handshakes answered", counters.handshakes.clone());
        let help = "Senders that waited for a plugin's answer: answered, late, or failed";
        registry.register("hookgate_answers", help, counters.answers.clone());
        let help = "From the commit of an event to the answer of a plugin";
        registry.register("hookgate_answer_seconds", help, counters.answer_seconds.clone());
        let help = "From a request's headers to the answer that it is on disk, by source";
        registry.register("hookgate_accept_seconds", help, counters.accept_seconds.clone());
        counters
    }

    /// Begins a source's counters at zero, so that the first refusal is an increase.
    pub fn begin(&self, source: &Source) {
        let label = SourceLabel { source: source.name.to_string() };
        drop(self.accepted.get_or_create(&label));
        drop(self.duplicates.get_or_create(&label));
        drop(self.accept_seconds.get_or_create(&label));
        for cause in Refusal::CAUSES {
            drop(self.refused.get_or_create(&RefusedLabels { source: source.name.to_string(), cause }));
        }
    }

    /// The sums of one source.
    pub fn tally(&self, source: &str) -> Tally {
        let label = SourceLabel { source: source.to_owned() };
        let refused = |cause| {
            let labels = RefusedLabels { source: source.to_owned(), cause };
            (cause, self.refused.get(&labels).map_or(0, |counter| counter.get()))
        };
        Tally {
            accepted: self.accepted.get(&label).map_or(0, |counter| counter.get()),
            duplicates: self.duplicates.get(&label).map_or(0, |counter| counter.get()),
            refused: Refusal::CAUSES.map(refused).into(),
        }
    }

    pub(super) fn count_refused(&self, source: &str, refusal: Refusal) {
        let labels = RefusedLabels { source: source.to_owned(), cause: refusal.cause() };
        self.refused.get_or_create(&labels).inc();
    }

    pub(super) fn count_accepted(&self, source: &str, receipts: &[Receipt]) {
        let label = SourceLabel { source: source.to_owned() };
        for receipt in receipts {
            let counter = if receipt.duplicate { &self.duplicates } else { &self.accepted };
            counter.get_or_create(&label).inc();
        }
    }

    /// A connection that was closed for what its client did.
    pub fn count_closed(&self, closed: Closed) {
        self.closed.get_or_create(&ClosedLabel { cause: closed.cause() }).inc();
    }

    pub(super) fn count_unknown(&self) {
        self.unknown.inc();
    }

    /// Which of a source's secrets verified a request.
    pub(super) fn count_verified(&self, source: &str, secret: usize) {
        let label = SecretLabels { source: source.to_owned(), secret: secret as u64 };
        self.verified.get_or_create(&label).inc();
    }

    pub(super) fn count_handshake(&self, source: &str) {
        self.handshakes.get_or_create(&SourceLabel { source: source.to_owned() }).inc();
    }

    pub(super) fn note_accepted_in(&self, source: &str, took: Duration) {
        let label = SourceLabel { source: source.to_owned() };
        self.accept_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// How the question to a plugin ended: `answered`, `late` or `failed`.
    pub(super) fn count_answer(&self, source: &str, result: &'static str, took: Duration) {
        if result == "answered" {
            self.answer_seconds.observe(took.as_secs_f64());
        }
        self.answers.get_or_create(&AnswerLabels { source: source.to_owned(), result }).inc();
    }
}
