//! Whose turn is it: takes deliveries, calls plugins or has webhooks posted, judges, settles. How many run at a time is what it claims.

mod breaker;
mod breakers;
mod counters;
mod posting;
mod ran;
mod spans;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use breakers::{Breakers, Open};
pub use counters::{Counters, Tally};
use ran::Ran;
use tokio::sync::RwLock;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::{Attempt, Outcome};
use crate::effects::Effects;
use crate::event::{Event, is_webhook, now_ms};
use crate::plugins::{Change, Plugins};
use crate::queue::{Deliveries, Delivery, NotKept, Queue, Settlement};
use crate::runtime::{Answer, Called, Level, Line, Plugin, Runtime};
use crate::schedule::{Schedules, Verdict, judge};
use crate::telemetry::{Moment, Telemetry};
use crate::webhooks::Webhooks;

/// Hands deliveries to plugins and webhooks.
pub struct Dispatch {
    /// Where deliveries come from and go back to.
    pub queue: Queue,
    /// What calls.
    pub runtime: Arc<Runtime>,
    /// What is called.
    pub plugins: Arc<Plugins>,
    /// What posts.
    pub webhooks: Arc<Webhooks>,
    /// When it is tried again.
    pub schedules: Schedules,
    /// What is counted.
    pub counters: Counters,
    /// Who is told of what happened when.
    pub telemetry: Telemetry,
    /// Who may run beside whom.
    pub lanes: Lanes,
    /// Who is left alone for a while.
    pub breakers: Breakers,
}

/// A lane for each plugin.
#[derive(Default)]
pub struct Lanes(Mutex<HashMap<Arc<str>, Arc<Lane>>>);

/// Who of a plugin's calls may run beside whom.
#[derive(Default)]
struct Lane {
    /// Calls run beside each other, until one is overtaken: it then runs again, alone.
    order: RwLock<()>,
    /// How many answer senders.
    answering: AtomicUsize,
}

impl Lanes {
    fn of(&self, plugin: &Arc<str>) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(plugin.clone()).or_default().clone()
    }
}

/// One that answers a sender, until it is dropped.
struct Answering<'a>(&'a AtomicUsize);

impl Lane {
    /// As many senders are answered at a time as deliveries are handled.
    fn answer(&self, at_once: usize) -> Option<Answering<'_>> {
        let answering = Answering(&self.answering);
        (self.answering.fetch_add(1, Ordering::SeqCst) < at_once).then_some(answering)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
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
            Change::Runs { plugin, patterns, ordered_by, calls_at_once } => {
                self.counters.begin(&plugin);
                self.queue.subscribe(&plugin, Some(patterns), ordered_by, calls_at_once).await?;
                // Other code, or other limits: it is tried anew.
                self.breakers.forget(&plugin, || self.queue.claim(&plugin, calls_at_once));
            }
            Change::Waits { plugin, patterns, ordered_by } => {
                self.queue.subscribe(&plugin, patterns, ordered_by, 0).await?
            }
            Change::Gone { plugin } => self.queue.gone(&plugin),
        }
        Ok(())
    }

    /// Tells the queue about the plugins that there are at the start.
    pub async fn take_up(&self, changes: &mut UnboundedReceiver<Change>) {
        self.apply(std::iter::from_fn(|| changes.try_recv().ok())).await;
        self.miss_the_gone().await;
    }

    /// Tells the queue about subscribers whose files went while nobody looked.
    async fn miss_the_gone(&self) {
        let standings = self.plugins.standings();
        for name in self.queue.subscribers().await {
            if !is_webhook(&name) && !standings.iter().any(|standing| *standing.name == *name) {
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
        self.queue.rest();
        // When this is answered, it rests: no more deliveries come out.
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
        if is_webhook(&delivery.subscriber) {
            return self.post(delivery).await;
        }
        let Some(plugin) = self.plugins.live(&delivery.subscriber) else {
            self.queue.settle(&delivery, Settlement::Returned);
            return;
        };
        let mut ending = Ending::begin(&self, &delivery, plugin.generation.short());
        if !plugin.remembers() {
            let called = self.call(&plugin, &delivery).await;
            return ending.settle(called).await;
        }
        let lane = self.lanes.of(&delivery.subscriber);
        let beside = lane.order.read().await;
        // What it was granted may have been taken away while it waited for its turn.
        let Some(plugin) = self.plugins.live(&delivery.subscriber) else { return ending.give_back() };
        let called = self.call(&plugin, &delivery).await;
        if ending.keep(called).await {
            return;
        }
        drop(beside);
        let _alone = lane.order.write().await;
        self.counters.count_overtaken(&delivery.subscriber);
        let Some(plugin) = self.plugins.live(&delivery.subscriber) else { return ending.give_back() };
        let called = self.call(&plugin, &delivery).await;
        ending.settle(called).await;
    }

    async fn call(&self, plugin: &Plugin, delivery: &Delivery) -> Called {
        let (name, id) = (delivery.subscriber.clone(), delivery.event.id);
        let on_line = move |line: &Line| log_line(&name, &id, line);
        self.runtime.call(plugin, &delivery.event, delivery.nth(), on_line).await
    }

    /// Has a plugin answer the sender of an event, if it asked for that. What it did is on disk when this gives an answer. The error is
    /// a sentence for the operator.
    pub async fn respond(&self, plugin: &str, event: &Event) -> Result<Option<Answer>, String> {
        let not_running = "it does not run";
        let (plugin, at_once) = self.plugins.live_with_calls(plugin).ok_or(not_running)?;
        if plugin.answers() && !plugin.manifest.answers(event) {
            return Ok(None);
        }
        let lane = self.lanes.of(&plugin.name);
        let _place = lane.answer(at_once).ok_or("as many answers are under way as calls_at_once allows")?;
        let beside = lane.order.read().await;
        let plugin = self.plugins.live(&plugin.name).ok_or(not_running)?;
        match self.respond_once(&plugin, event).await? {
            Ok(answer) => return Ok(Some(answer)),
            Err(NotKept::Closed) => return Err(NotKept::Closed.to_string()),
            Err(NotKept::Overtaken) => self.counters.count_overtaken(&plugin.name),
        }
        drop(beside);
        let _alone = lane.order.write().await;
        let plugin = self.plugins.live(&plugin.name).ok_or(not_running)?;
        self.respond_once(&plugin, event).await?.map(Some).map_err(|not_kept| not_kept.to_string())
    }

    async fn respond_once(&self, plugin: &Plugin, event: &Event) -> Result<Result<Answer, NotKept>, String> {
        let (name, id, started_at_ms) = (plugin.name.clone(), event.id, now_ms());
        let called = self.runtime.respond(plugin, event, move |line: &Line| log_line(&name, &id, line)).await;
        let Some(answer) = called.answer else { return Err(called.outcome.to_string()) };
        if !called.effects.is_empty() {
            let emitted = called.effects.emitted.len();
            let trace = spans::onward_from_answer(&self.telemetry, event);
            let effects = Effects { trace, ..called.effects };
            let ran = Ran::of(&called.cost, &called.lines);
            let attempt = ran.attempt(plugin.generation.short(), started_at_ms, Outcome::Done);
            if let Err(not_kept) = self.queue.remember(&plugin.name, event.id, attempt, effects).await {
                return Ok(Err(not_kept));
            }
            self.counters.count_emitted(&plugin.name, emitted);
        }
        Ok(Ok(answer))
    }

    /// Judges an attempt, counts it and tells how it went.
    fn judge(&self, delivery: &Delivery, attempt: &Attempt) -> Verdict {
        let now = now_ms();
        let verdict = judge(&attempt.outcome, delivery.nth(), self.schedules.of(&delivery.subscriber), now);
        self.note(&delivery.subscriber, &attempt.outcome, now);
        self.counters.count(delivery, attempt, &verdict);
        let (plugin, event, number, outcome) =
            (&delivery.subscriber, delivery.event.id, delivery.attempt, &attempt.outcome);
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
        verdict
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
    begun: Moment,
    over: bool,
}

impl<'a> Ending<'a> {
    fn begin(dispatch: &'a Dispatch, delivery: &'a Delivery, generation: u64) -> Ending<'a> {
        Ending { dispatch, delivery, generation, begun: Moment::now(), over: false }
    }

    /// Settles with what the call did. One that was overtaken even now is tried again later.
    async fn settle(&mut self, called: Called) {
        if !self.keep(called).await {
            let why = "its state was changed by others again and again".to_owned();
            self.settle_without(Outcome::Retry { why, after: None }, Ran::default());
        }
    }

    /// Settles with what the call did, unless it was overtaken: then nothing happened.
    async fn keep(&mut self, called: Called) -> bool {
        let Called { outcome, cost, effects, lines, .. } = called;
        let ran = Ran::of(&cost, &lines);
        if outcome != Outcome::Done || effects.is_empty() {
            self.settle_without(outcome, ran);
            return true;
        }
        let (ended, attempt) = (self.begun.later(), ran.attempt(self.generation, self.begun.unix_ms(), outcome));
        let effects = Effects { trace: spans::onward(&self.dispatch.telemetry, self.delivery), ..effects };
        let settlement = Settlement::Judged { verdict: Verdict::Done, attempt: attempt.clone() };
        let emitted = effects.emitted.len();
        match self.dispatch.queue.settle_with(self.delivery, settlement, effects).await {
            Err(NotKept::Overtaken) => false,
            // Where the queue is closed, the attempt is found as lost at the next start.
            Err(NotKept::Closed) => {
                self.over = true;
                true
            }
            Ok(()) => {
                self.over = true;
                let verdict = self.dispatch.judge(self.delivery, &attempt);
                self.tell(ended, &attempt, &verdict)();
                self.dispatch.counters.count_emitted(&self.delivery.subscriber, emitted);
                true
            }
        }
    }

    /// Nothing was begun after all.
    fn give_back(&mut self) {
        self.over = true;
        self.dispatch.queue.settle(self.delivery, Settlement::Returned);
    }

    fn settle_without(&mut self, outcome: Outcome, ran: Ran) {
        self.settle_attempt(ran.attempt(self.generation, self.begun.unix_ms(), outcome));
    }

    fn settle_attempt(&mut self, attempt: Attempt) {
        self.over = true;
        let ended = self.begun.later();
        let verdict = match is_webhook(&self.delivery.subscriber) {
            true => self.dispatch.judge_post(self.delivery, &attempt),
            false => self.dispatch.judge(self.delivery, &attempt),
        };
        let told = self.tell(ended, &attempt, &verdict);
        self.dispatch.queue.settle_then(self.delivery, Settlement::Judged { verdict, attempt }, told);
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        // Only a panic in the host ends here: one that is dropped with the process is lost, and found at the next start.
        if !self.over && std::thread::panicking() {
            self.settle_without(Outcome::Trapped { why: "the host failed while it ran".into() }, Ran::default());
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

#[cfg(test)]
mod tests;
