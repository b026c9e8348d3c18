//! One call of a guest: an instance, two clocks, and an outcome whatever it does.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use super::bindings::PluginPre;
use super::bindings::exports::hookgate::plugin::handler::{Event as GuestEvent, Failure, Manifest as Described};
use super::guest::{Guest, Memory};
use super::lines::{Line, OnLine, take_lines};
use super::load::{Code, Refused, told};
use super::powers::{Draft, Powers};
use super::respond::Answer;
use super::warm::Instance;
use super::{CallLimits, Plugin, Runtime};
use crate::attempt::Outcome;
use crate::effects::Effects;
use crate::event::Event;

/// How much may be copied between guest and host in one call of a function, in bytes, beside the event itself.
const HOST_CALL_BYTES: usize = 8 << 20;

/// How long a call may compute on the threads where calls begin, as it is seen at each tick.
const LONG: Duration = Duration::from_millis(4);

/// How long `describe` may take at the most, whatever a call may: a start waits for it.
pub(super) const DESCRIBE: Duration = Duration::from_secs(5);

/// The longest reason that is kept of what a plugin says, in bytes.
const WHY_BYTES: usize = 1024;

/// How a call went.
#[derive(Debug)]
pub struct Called {
    /// How it ended.
    pub outcome: Outcome,
    /// What was logged.
    pub lines: Vec<Line>,
    /// What it took.
    pub cost: Cost,
    /// What is to be kept of it; nothing, where it did not end well.
    pub effects: Effects,
    /// What the sender is to be told, where that was asked and it ended well.
    pub answer: Option<Answer>,
}

/// What a call took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From before the instance was made until after it was gone.
    pub wall: Duration,
    /// Of it, computing in the plugin's own code and for it.
    pub cpu: Duration,
    /// The most linear memory that there was.
    pub memory_bytes: usize,
}

impl Instance {
    /// Takes what the call that ended did.
    pub(super) fn effects(&mut self) -> Effects {
        let guest = self.store.data_mut();
        std::mem::take(&mut guest.draft).effects(guest.powers.state)
    }
}

impl Runtime {
    /// Runs an event through an instance: a fresh one, unless the plugin's may serve more calls than one. Each log line is
    /// given to `on_line` as it is written.
    pub async fn call(
        &self,
        plugin: &Plugin,
        event: &Event,
        attempt: u32,
        on_line: impl Fn(&Line) + Send + Sync + 'static,
    ) -> Called {
        match &plugin.code {
            Code::Handler(pre) | Code::Responder(pre, _) => {
                self.call_handler(plugin, pre, event, attempt, Arc::new(on_line)).await
            }
            Code::Command(command) => self.call_command(plugin, command, event, attempt, Arc::new(on_line)).await,
        }
    }

    async fn call_handler(
        &self,
        plugin: &Plugin,
        pre: &PluginPre<Guest>,
        event: &Event,
        attempt: u32,
        on_line: OnLine,
    ) -> Called {
        let waiting = match plugin.warm.take() {
            Some(instance) => Place::Taken(instance),
            None => Place::Free(self.place().await),
        };
        let begun = Instant::now();
        let mut instance = match waiting {
            Place::Taken(instance) => instance,
            Place::Free(place) => self.instance(&plugin.limits, plugin.powers.clone(), place),
        };
        instance.begin(plugin.limits.log_bytes, on_line, plugin.draft(event));
        let (seen, log, pre) = (instance.seen.clone(), instance.store.data().log(), pre.clone());
        let event = guest_event(event, attempt);
        let work = async move {
            let ended = instance.handle(&pre, &event).await;
            ended.map(|ended| (ended, instance))
        };
        let (outcome, instance) = match self.run(work, &seen.meter, plugin.limits.wall).await {
            None => (Outcome::Overran { limit: "call_ms" }, None),
            Some(Ok((Ok(()), instance))) => (Outcome::Done, Some(instance)),
            Some(Ok((Err(failure), instance))) => (failed(failure), Some(instance)),
            Some(Err(error)) => (trapped(&error, &seen), None),
        };
        // One that ended as it should may be called again.
        let mut effects = Effects::default();
        if let Some(mut instance) = instance {
            if outcome == Outcome::Done {
                effects = instance.effects();
            }
            instance.store.data_mut().end();
            plugin.warm.keep(instance);
        }
        Called { outcome, lines: take_lines(&log), cost: seen.cost(begun), effects, answer: None }
    }

    /// A place for an instance. Where there is none left, one that only waits for another call goes first.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = self.instances.clone().try_acquire_owned() {
            return place;
        }
        let _wanted = self.idle.want();
        match self.instances.clone().acquire_owned().await {
            Ok(place) => place,
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    pub(super) fn instance(&self, limits: &CallLimits, powers: Arc<Powers>, place: OwnedSemaphorePermit) -> Instance {
        let seen = Seen::default();
        let guest = Guest::new(limits, powers, seen.memory.clone());
        Instance { store: self.store(guest, limits, &seen.meter), handler: None, seen, calls: 0, _place: place }
    }

    /// Asks a plugin what it is, under the limits of a call, and in less time.
    pub(super) async fn describe(&self, pre: &PluginPre<Guest>, limits: &CallLimits) -> Result<Described, Refused> {
        let mut instance = self.instance(limits, self.powerless.clone(), self.place().await);
        instance.begin(limits.log_bytes, Arc::new(|_| {}), Draft::default());
        let (seen, pre) = (instance.seen.clone(), pre.clone());
        let work = async move { instance.describe(&pre).await };
        let ended = self.run(work, &seen.meter, limits.wall.min(DESCRIBE)).await;
        described(ended, &seen)
    }

    /// Runs a guest until it ends or its time is over. One that computes for long goes on where it is in nobody's way.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        meter: &Arc<Meter>,
        wall: Duration,
    ) -> Option<T> {
        let short = Turns { meter: meter.clone(), work: Box::pin(work), most: Some(LONG) };
        let ended = async {
            match short.await {
                Turned::Ended(ended) => Some(ended),
                Turned::Long(work) => {
                    let long = Turns { meter: meter.clone(), work, most: None };
                    let mut going_on = Aborting(self.idle_threads.handle().spawn(long));
                    match (&mut going_on.0).await {
                        Ok(Turned::Ended(ended)) => Some(ended),
                        Ok(Turned::Long(_)) | Err(_) => None,
                    }
                }
            }
        };
        tokio::time::timeout(wall, ended).await.ok().flatten()
    }

    pub(super) fn store(&self, guest: Guest, limits: &CallLimits, meter: &Arc<Meter>) -> Store<Guest> {
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_epoch_deadline(1);
        let (meter, most) = (meter.clone(), limits.cpu);
        store.epoch_deadline_callback(move |_| {
            if meter.used_so_far() > most {
                return Err(wasmtime::Error::from(CpuSpent));
            }
            // Others may go first; the next look is a tick after this one goes on.
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }
}

/// Where a call's instance comes from.
enum Place {
    /// One that served a call before.
    Taken(Instance),
    /// A place for a fresh one.
    Free(OwnedSemaphorePermit),
}

/// What a plugin's `describe` gave, or why it did not.
pub(super) fn described<T>(ended: Option<wasmtime::Result<T>>, seen: &Seen) -> Result<T, Refused> {
    match ended {
        Some(Ok(described)) => Ok(described),
        Some(Err(error)) => Err(Refused::new(format!("its describe {}", trapped(&error, seen)))),
        None => Err(Refused::passing("its describe overran its call_ms")),
    }
}

/// The end of a guest that computed for too long.
#[derive(Debug, thiserror::Error)]
#[error("it computed for longer than cpu_ms")]
struct CpuSpent;

pub(super) fn guest_event(event: &Event, attempt: u32) -> GuestEvent {
    GuestEvent {
        id: event.id.to_string(),
        source: event.source.to_string(),
        provider: event.provider.to_string(),
        type_: event.event_type.to_string(),
        received_at_ms: event.received_at_ms,
        attempt,
        attributes: event.attributes.clone(),
        payload: event.payload.to_vec(),
    }
}

pub(super) fn failed(failure: Failure) -> Outcome {
    match failure {
        Failure::Reject(why) => Outcome::Reject { why: shortened(&why) },
        Failure::Retry(retry) => {
            Outcome::Retry { why: shortened(&retry.why), after: retry.after_ms.map(Duration::from_millis) }
        }
    }
}

pub(super) fn trapped(error: &wasmtime::Error, seen: &Seen) -> Outcome {
    if seen.memory.refused.load(Ordering::Relaxed) {
        Outcome::OutOfMemory
    } else if error.downcast_ref::<CpuSpent>().is_some() {
        Outcome::Overran { limit: "cpu_ms" }
    } else if let Some(exit) = error.downcast_ref::<I32Exit>() {
        Outcome::Trapped { why: format!("it ended itself with exit code {}", exit.0) }
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        Outcome::Trapped { why: trap.to_string() }
    } else {
        // Behind where it happened stands why.
        Outcome::Trapped { why: told(&error.root_cause().to_string()) }
    }
}

pub(super) fn shortened(why: &str) -> String {
    let end = why.floor_char_boundary(WHY_BYTES.min(why.len()));
    why[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Counts the processor time of one call over all its turns, so that waiting, for the host or for others, costs nothing.
#[derive(Default)]
pub(super) struct Meter {
    /// Nanoseconds of the turns that are over.
    used: AtomicU64,
    /// The thread's own clock when this turn began. A turn never changes threads.
    turn_began: AtomicU64,
}

impl Meter {
    /// Begins anew, for another call of the same instance.
    pub fn begin(&self) {
        self.used.store(0, Ordering::Relaxed);
    }

    fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }

    fn used_so_far(&self) -> Duration {
        let this_turn = thread_cpu_ns().saturating_sub(self.turn_began.load(Ordering::Relaxed));
        self.used() + Duration::from_nanos(this_turn)
    }
}

fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What is known of a call while it runs and after.
#[derive(Default, Clone)]
pub(super) struct Seen {
    pub meter: Arc<Meter>,
    pub memory: Arc<Memory>,
}

impl Seen {
    /// What a call took that began then.
    pub fn cost(&self, begun: Instant) -> Cost {
        let memory_bytes = self.memory.peak.load(Ordering::Relaxed);
        Cost { wall: begun.elapsed(), cpu: self.meter.used(), memory_bytes }
    }
}

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A guest's turns on a thread, metered.
struct Turns<T> {
    meter: Arc<Meter>,
    work: Work<T>,
    /// How long it may compute here.
    most: Option<Duration>,
}

/// How a guest's turns on a thread ended.
enum Turned<T> {
    /// It is over.
    Ended(T),
    /// It computed for longer than it may here; this is the rest of it.
    Long(Work<T>),
}

impl<T: 'static> Future for Turns<T> {
    type Output = Turned<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Turned<T>> {
        self.meter.turn_began.store(thread_cpu_ns(), Ordering::Relaxed);
        let polled = self.work.as_mut().poll(context);
        let used = self.meter.used_so_far();
        self.meter.used.store(used.as_nanos() as u64, Ordering::Relaxed);
        match polled {
            Poll::Ready(ended) => Poll::Ready(Turned::Ended(ended)),
            Poll::Pending if self.most.is_some_and(|most| used > most) => {
                let rest = std::mem::replace(&mut self.work, Box::pin(std::future::pending()));
                Poll::Ready(Turned::Long(rest))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// A task that ends with whoever waits for it.
struct Aborting<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Aborting<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
