//! Whose turn is it: takes deliveries, calls plugins, judges, settles. How many run at a time is what it claims.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::{Attempt, Outcome};
use crate::event::now_ms;
use crate::plugins::{Change, Plugins};
use crate::queue::{Deliveries, Delivery, Queue, Settlement};
use crate::runtime::{Level, Line, Runtime};
use crate::schedule::{Schedule, Verdict, judge};

/// What is counted of attempts since the start.
#[derive(Clone)]
pub struct Counters {
    attempts: Family<AttemptLabels, Counter>,
    call_seconds: Family<PluginLabel, Histogram, fn() -> Histogram>,
    handled_seconds: Family<PluginLabel, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    plugin: String,
    outcome: String,
    verdict: String,
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
        };
        registry.register("hookgate_attempts", "Attempts by plugin, outcome and verdict", counters.attempts.clone());
        registry.register("hookgate_call_seconds", "How long calls of a plugin took", counters.call_seconds.clone());
        let help = "From receiving an event to the end of the first attempt";
        registry.register("hookgate_handled_seconds", help, counters.handled_seconds.clone());
        counters
    }

    /// The sums of one plugin.
    pub fn tally(&self, plugin: &str) -> Tally {
        let mut tally = Tally::default();
        for (outcome, verdict) in OUTCOMES.iter().flat_map(|outcome| VERDICTS.map(|verdict| (*outcome, verdict))) {
            let labels =
                AttemptLabels { plugin: plugin.to_owned(), outcome: outcome.to_owned(), verdict: verdict.to_owned() };
            let count = self.attempts.get(&labels).map_or(0, |counter| counter.get());
            match verdict {
                "done" => tally.done += count,
                "again" => tally.retried += count,
                _ => tally.dead += count,
            }
        }
        tally
    }

    fn count(&self, delivery: &Delivery, attempt: &Attempt, verdict: &Verdict) {
        let plugin = delivery.plugin.to_string();
        let labels = AttemptLabels {
            plugin: plugin.clone(),
            outcome: attempt.outcome.name().to_owned(),
            verdict: verdict_name(verdict).to_owned(),
        };
        self.attempts.get_or_create(&labels).inc();
        let label = PluginLabel { plugin };
        self.call_seconds.get_or_create(&label).observe(attempt.took.as_secs_f64());
        if let Some(handled) = handled_in(delivery) {
            self.handled_seconds.get_or_create(&label).observe(handled.as_secs_f64());
        }
    }
}

const OUTCOMES: [&str; 6] = ["done", "retry", "reject", "trapped", "overran", "out_of_memory"];
const VERDICTS: [&str; 3] = ["done", "again", "dead"];

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "done",
        Verdict::Again { .. } => "again",
        Verdict::Dead => "dead",
    }
}

/// Hands deliveries to plugins.
pub struct Dispatch {
    /// Where deliveries come from and go back to.
    pub queue: Queue,
    /// What calls.
    pub runtime: Arc<Runtime>,
    /// What is called.
    pub plugins: Arc<Plugins>,
    /// When it is tried again.
    pub schedule: Schedule,
    /// What is counted.
    pub counters: Counters,
}

impl Dispatch {
    /// Tells the queue about plugins that changed.
    pub async fn apply(&self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            let plugin = match &change {
                Change::Runs { plugin, .. } | Change::Waits { plugin, .. } | Change::Gone { plugin } => plugin.clone(),
            };
            if let Err(error) = self.apply_one(change).await {
                tracing::error!(plugin, "{plugin}: its subscriptions are not written down yet: {error}");
            }
        }
    }

    async fn apply_one(&self, change: Change) -> Result<(), crate::queue::AcceptError> {
        match change {
            Change::Runs { plugin, patterns, calls_at_once } => {
                self.queue.subscribe(&plugin, Some(patterns), calls_at_once).await?;
            }
            Change::Waits { plugin, patterns } => self.queue.subscribe(&plugin, patterns, 0).await?,
            Change::Gone { plugin } => self.queue.gone(&plugin),
        }
        Ok(())
    }

    /// Tells the queue about subscribers whose files went while nobody looked.
    pub async fn miss_the_gone(&self) {
        let standings = self.plugins.standings();
        for name in self.queue.subscribers().await {
            if !standings.iter().any(|standing| *standing.name == *name) {
                tracing::warn!(plugin = %name, "{name}: its file is gone; its deliveries wait for it");
                self.queue.gone(&name);
            }
        }
    }

    /// Works until it is told to stop, then waits for the calls that run, up to `drain`. Gives how many did not end.
    pub async fn run(
        self: Arc<Self>,
        mut deliveries: Deliveries,
        mut changes: UnboundedReceiver<Change>,
        stop: CancellationToken,
        drain: Duration,
    ) -> usize {
        let calls = TaskTracker::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(change) = changes.recv() => self.apply([change]).await,
                Some(delivery) = deliveries.recv() => {
                    self.runtime.threads().spawn(calls.track_future(self.clone().attempt(delivery)));
                }
            }
        }
        for standing in self.plugins.standings() {
            self.queue.claim(&standing.name, 0);
        }
        // When this is answered, so are the claims: no more deliveries come out.
        self.queue.subscribers().await;
        while let Ok(delivery) = deliveries.try_recv() {
            // Begun on paper only.
            self.queue.settle(&delivery, Settlement::Returned);
        }
        calls.close();
        let _ = tokio::time::timeout(drain, calls.wait()).await;
        calls.len()
    }

    async fn attempt(self: Arc<Self>, delivery: Delivery) {
        let Some(plugin) = self.plugins.live(&delivery.plugin) else {
            self.queue.settle(&delivery, Settlement::Returned);
            return;
        };
        let mut ending = Ending {
            dispatch: &self,
            delivery: &delivery,
            generation: plugin.generation.short(),
            begun_at_ms: now_ms(),
            over: false,
        };
        let (name, id) = (delivery.plugin.clone(), delivery.event.id);
        let on_line = move |line: &Line| log_line(&name, &id, line);
        let called = self.runtime.call(&plugin, &delivery.event, delivery.attempt, on_line).await;
        ending.settle(called.outcome, called.cost.wall);
    }

    fn settle(&self, delivery: &Delivery, attempt: Attempt) {
        let now = now_ms();
        let verdict = judge(&attempt.outcome, delivery.attempt, &self.schedule, now);
        self.counters.count(delivery, &attempt, &verdict);
        let (plugin, event, number, outcome) =
            (&delivery.plugin, delivery.event.id, delivery.attempt, &attempt.outcome);
        match &verdict {
            Verdict::Done => {
                let handled_us = handled_in(delivery).map(|handled| handled.as_micros() as u64);
                tracing::debug!(%plugin, %event, handled_us, "{plugin}: done in {:?}", attempt.took);
            }
            Verdict::Again { at_ms } => {
                let wait = Duration::from_millis(at_ms.saturating_sub(now));
                tracing::warn!(%plugin, %event, "{plugin}: attempt {number} {outcome}; again in {wait:?}");
            }
            Verdict::Dead => {
                tracing::error!(%plugin, %event, "{plugin}: attempt {number} {outcome}; dead, and kept")
            }
        }
        self.queue.settle(delivery, Settlement::Judged { verdict, attempt });
    }
}

/// From the receipt of an event to now, where this is its first attempt in the process that received it.
fn handled_in(delivery: &Delivery) -> Option<Duration> {
    delivery.event.received.filter(|_| delivery.attempt == 1).map(|received| received.elapsed())
}

/// An attempt that is settled whatever happens, a panic of ours included.
struct Ending<'a> {
    dispatch: &'a Dispatch,
    delivery: &'a Delivery,
    generation: u64,
    begun_at_ms: u64,
    over: bool,
}

impl Ending<'_> {
    fn settle(&mut self, outcome: Outcome, took: Duration) {
        self.over = true;
        let attempt = Attempt { generation: self.generation, started_at_ms: self.begun_at_ms, took, outcome };
        self.dispatch.settle(self.delivery, attempt);
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        // Only a panic in the host ends here: one that is dropped with the process is lost, and found at the next start.
        if !self.over && std::thread::panicking() {
            self.settle(Outcome::Trapped { why: "the host failed while it ran".into() }, Duration::ZERO);
        }
    }
}

fn log_line(plugin: &str, event: &crate::event::EventId, line: &Line) {
    let message = &line.message;
    match line.level {
        Level::Trace => tracing::trace!(target: "plugin", %event, "{plugin}: {message}"),
        Level::Debug => tracing::debug!(target: "plugin", %event, "{plugin}: {message}"),
        Level::Info => tracing::info!(target: "plugin", %event, "{plugin}: {message}"),
        Level::Warn => tracing::warn!(target: "plugin", %event, "{plugin}: {message}"),
        Level::Error => tracing::error!(target: "plugin", %event, "{plugin}: {message}"),
    }
}
