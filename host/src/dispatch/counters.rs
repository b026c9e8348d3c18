//! What is counted of attempts, and shown to operators.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::handled_in;
use crate::attempt::Attempt;
use crate::event::is_webhook;
use crate::queue::Delivery;
use crate::schedule::Verdict;
use crate::telemetry::Moment;

/// What is counted of attempts since the start.
#[derive(Clone)]
pub struct Counters {
    attempts: Family<AttemptLabels, Counter>,
    call_seconds: Family<PluginLabel, Histogram, fn() -> Histogram>,
    handled_seconds: Family<PluginLabel, Histogram, fn() -> Histogram>,
    overtaken: Family<PluginLabel, Counter>,
    emitted: Family<PluginLabel, Counter>,
    posts: Family<PostLabels, Counter>,
    post_seconds: Histogram,
    delivered_seconds: Histogram,
    wait_seconds: Family<PluginLabel, Histogram, fn() -> Histogram>,
    settle_seconds: Family<PluginLabel, Histogram, fn() -> Histogram>,
    webhook_wait_seconds: Histogram,
    webhook_settle_seconds: Histogram,
}

/// Webhooks are too many to have labels of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PostLabels {
    result: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    plugin: String,
    outcome: &'static str,
    verdict: &'static str,
}

impl AttemptLabels {
    fn of(plugin: &str, outcome: &'static str, verdict: &'static str) -> AttemptLabels {
        AttemptLabels { plugin: plugin.to_owned(), outcome, verdict }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabel {
    plugin: String,
}

/// How many attempts of a plugin ended how since the start.
#[derive(Debug, Default, Clone, Copy, serde::Serialize)]
pub struct Tally {
    /// Well.
    pub done: u64,
    /// To be tried again.
    pub retried: u64,
    /// For good, not well.
    pub dead: u64,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_025, 4.0, 12))
}

impl Counters {
    /// Makes the counters and registers them.
    pub fn new(registry: &mut Registry) -> Counters {
        let counters = Counters {
            attempts: Family::default(),
            call_seconds: Family::new_with_constructor(seconds),
            handled_seconds: Family::new_with_constructor(seconds),
            overtaken: Family::default(),
            emitted: Family::default(),
            posts: Family::default(),
            post_seconds: seconds(),
            delivered_seconds: seconds(),
            wait_seconds: Family::new_with_constructor(seconds),
            settle_seconds: Family::new_with_constructor(seconds),
            webhook_wait_seconds: seconds(),
            webhook_settle_seconds: seconds(),
        };
        registry.register("hookgate_attempts", "Attempts by plugin, outcome and verdict", counters.attempts.clone());
        registry.register("hookgate_call_seconds", "How long calls of a plugin took", counters.call_seconds.clone());
        let help = "From receiving an event to the end of the first attempt";
        registry.register("hookgate_handled_seconds", help, counters.handled_seconds.clone());
        let help = "Calls that ran again, alone, since another changed the state that they had read";
        registry.register("hookgate_overtaken", help, counters.overtaken.clone());
        registry.register("hookgate_emitted", "Events that plugins made", counters.emitted.clone());
        let help = "Attempts to post to webhooks, by what was answered and the verdict";
        registry.register("hookgate_webhook_attempts", help, counters.posts.clone());
        let help = "How long requests to webhooks took";
        registry.register("hookgate_webhook_seconds", help, counters.post_seconds.clone());
        let help = "From accepting an event to the end of the first attempt that was delivered to a webhook";
        registry.register("hookgate_delivered_seconds", help, counters.delivered_seconds.clone());
        counters.register_waits(registry);
        let results = RESULTS.iter().flat_map(|result| ["again", "dead"].map(|verdict| (*result, verdict)));
        for (result, verdict) in results.chain([("2xx", "done")]) {
            drop(counters.posts.get_or_create(&PostLabels { result, verdict }));
        }
        counters
    }

    /// Has the attempts of a plugin counted from 0: what appears with its first loss is no increase to those who watch.
    pub(super) fn begin(&self, plugin: &str) {
        for (outcome, verdict) in ENDS {
            drop(self.attempts.get_or_create(&AttemptLabels::of(plugin, outcome, verdict)));
        }
    }

    fn register_waits(&self, registry: &mut Registry) {
        let help = "From receiving an event to the beginning of its first attempt, by plugin";
        registry.register("hookgate_wait_seconds", help, self.wait_seconds.clone());
        let help = "From receiving an event to the beginning of its first attempt, of all webhooks";
        registry.register("hookgate_webhook_wait_seconds", help, self.webhook_wait_seconds.clone());
        let help = "From the end of a plugin's call to its verdict on disk";
        registry.register("hookgate_settle_seconds", help, self.settle_seconds.clone());
        let help = "From the end of a request to a webhook to its verdict on disk";
        registry.register("hookgate_webhook_settle_seconds", help, self.webhook_settle_seconds.clone());
    }

    /// The sums of one plugin.
    pub fn tally(&self, plugin: &str) -> Tally {
        let mut tally = Tally::default();
        for (outcome, verdict) in ENDS {
            let labels = AttemptLabels::of(plugin, outcome, verdict);
            let count = self.attempts.get(&labels).map_or(0, |counter| counter.get());
            match verdict {
                "done" => tally.done += count,
                "again" => tally.retried += count,
                _ => tally.dead += count,
            }
        }
        tally
    }

    pub(super) fn count(&self, delivery: &Delivery, attempt: &Attempt, verdict: &Verdict) {
        let labels = AttemptLabels::of(&delivery.subscriber, attempt.outcome.name(), verdict_name(verdict));
        self.attempts.get_or_create(&labels).inc();
        let label = PluginLabel { plugin: delivery.subscriber.to_string() };
        self.call_seconds.get_or_create(&label).observe(attempt.took.as_secs_f64());
        if let Some(handled) = handled_in(delivery) {
            self.handled_seconds.get_or_create(&label).observe(handled.as_secs_f64());
        }
    }

    pub(super) fn count_post(&self, delivery: &Delivery, attempt: &Attempt, verdict: &Verdict) {
        let result = match attempt.reply.as_ref().map(|reply| reply.status) {
            None => "none",
            Some(200..=299) => "2xx",
            Some(300..=399) => "3xx",
            Some(400..=499) => "4xx",
            Some(500..=599) => "5xx",
            Some(_) => "other",
        };
        self.posts.get_or_create(&PostLabels { result, verdict: verdict_name(verdict) }).inc();
        self.post_seconds.observe(attempt.took.as_secs_f64());
        if let Some(handled) = handled_in(delivery).filter(|_| *verdict == Verdict::Done) {
            self.delivered_seconds.observe(handled.as_secs_f64());
        }
    }

    /// Counts how long an attempt waited that began then, if it was the first, and of an event that came to be handled then. Gives where
    /// its settling is counted.
    pub(super) fn count_wait(&self, delivery: &Delivery, begun: Moment) -> Histogram {
        let (wait, settle) = match is_webhook(&delivery.subscriber) {
            true => (self.webhook_wait_seconds.clone(), self.webhook_settle_seconds.clone()),
            false => {
                let label = PluginLabel { plugin: delivery.subscriber.to_string() };
                let of = |family: &Family<_, Histogram, _>| Histogram::clone(&family.get_or_create(&label));
                (of(&self.wait_seconds), of(&self.settle_seconds))
            }
        };
        // What an operator put back waited for the operator.
        if delivery.attempt == 1 && !delivery.was_put_back() {
            let received = begun.back_to(delivery.event.received_at_ms).at;
            let received = delivery.event.received.unwrap_or(received);
            wait.observe(begun.at.saturating_duration_since(received).as_secs_f64());
        }
        settle
    }

    pub(super) fn count_overtaken(&self, plugin: &str) {
        self.overtaken.get_or_create(&PluginLabel { plugin: plugin.to_owned() }).inc();
    }

    pub(super) fn count_emitted(&self, plugin: &str, events: usize) {
        if events > 0 {
            self.emitted.get_or_create(&PluginLabel { plugin: plugin.to_owned() }).inc_by(events as u64);
        }
    }
}

/// How attempts of a plugin can end, and what that can mean.
const ENDS: [(&str, &str); 10] = [
    ("done", "done"),
    ("retry", "again"),
    ("retry", "dead"),
    ("reject", "dead"),
    ("trapped", "again"),
    ("trapped", "dead"),
    ("overran", "again"),
    ("overran", "dead"),
    ("out_of_memory", "again"),
    ("out_of_memory", "dead"),
];

/// What a receiver can answer beside 2xx, which is success.
const RESULTS: [&str; 5] = ["none", "3xx", "4xx", "5xx", "other"];

pub(super) fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "done",
        Verdict::Again { .. } => "again",
        Verdict::Dead => "dead",
    }
}
