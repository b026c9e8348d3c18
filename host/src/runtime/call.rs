//! One call of a guest: a fresh instance, two clocks, and an outcome whatever it does.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Store, Trap, UpdateDeadline};

use super::bindings::PluginPre;
use super::bindings::exports::hookgate::plugin::handler::{Event as GuestEvent, Failure, Manifest as Described};
use super::guest::{Guest, Line, OnLine};
use super::load::{Refused, first_line};
use super::{CallLimits, Plugin, Runtime};
use crate::attempt::Outcome;
use crate::event::Event;

/// How much may be copied between guest and host in one call of a function, in bytes, beside the event itself.
const HOST_CALL_BYTES: usize = 8 << 20;

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

impl Runtime {
    /// Runs an event through a fresh instance. Each log line is given to `on_line` as it is written.
    pub async fn call(&self, plugin: &Plugin, event: &Event, attempt: u32, on_line: impl Fn(&Line) + Send + Sync + 'static) -> Called {
        let _instance = self.instances.acquire().await;
        let begun = Instant::now();
        let guest = Guest::new(&plugin.limits, plugin.settings.clone(), Arc::new(on_line));
        let meter = Arc::new(Meter::default());
        let mut store = self.store(guest, &plugin.limits, &meter);
        let given = guest_event(event, attempt);
        let call = async {
            let instance = plugin.pre.instantiate_async(&mut store).await?;
            instance.hookgate_plugin_handler().call_handle(&mut store, &given).await
        };
        let ended = tokio::time::timeout(plugin.limits.wall, Metered { meter: &meter, call: Box::pin(call) }).await;
        let guest = store.into_data();
        let outcome = match ended {
            Err(_elapsed) => Outcome::Overran { limit: "call_ms" },
            Ok(Ok(Ok(()))) => Outcome::Done,
            Ok(Ok(Err(failure))) => failed(failure),
            Ok(Err(error)) => trapped(&error, &guest),
        };
        let memory_bytes = guest.limiter.peak_bytes;
        let lines = guest.into_lines();
        Called { outcome, lines, cost: Cost { wall: begun.elapsed(), cpu: meter.used(), memory_bytes } }
    }

    /// Asks a plugin what it is, under the limits of a call.
    pub(super) async fn describe(&self, pre: &PluginPre<Guest>, limits: &CallLimits) -> Result<Described, Refused> {
        let _instance = self.instances.acquire().await;
        let quiet: OnLine = Arc::new(|_| {});
        let meter = Arc::new(Meter::default());
        let mut store = self.store(Guest::new(limits, Arc::default(), quiet), limits, &meter);
        let call = async {
            let instance = pre.instantiate_async(&mut store).await?;
            instance.hookgate_plugin_handler().call_describe(&mut store).await
        };
        let ended = tokio::time::timeout(limits.wall, Metered { meter: &meter, call: Box::pin(call) }).await;
        match ended {
            Ok(Ok(described)) => Ok(described),
            Ok(Err(error)) => {
                let outcome = trapped(&error, store.data());
                Err(Refused(format!("its describe {outcome}")))
            }
            Err(_elapsed) => Err(Refused("its describe overran its call_ms".into())),
        }
    }

    fn store(&self, guest: Guest, limits: &CallLimits, meter: &Arc<Meter>) -> Store<Guest> {
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

/// The end of a guest that computed for too long.
#[derive(Debug, thiserror::Error)]
#[error("it computed for longer than cpu_ms")]
struct CpuSpent;

fn guest_event(event: &Event, attempt: u32) -> GuestEvent {
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

fn failed(failure: Failure) -> Outcome {
    match failure {
        Failure::Reject(why) => Outcome::Reject { why: shortened(&why) },
        Failure::Retry(retry) => {
            Outcome::Retry { why: shortened(&retry.why), after: retry.after_ms.map(Duration::from_millis) }
        }
    }
}

fn trapped(error: &wasmtime::Error, guest: &Guest) -> Outcome {
    if guest.limiter.refused {
        Outcome::OutOfMemory
    } else if error.downcast_ref::<CpuSpent>().is_some() {
        Outcome::Overran { limit: "cpu_ms" }
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        Outcome::Trapped { why: trap.to_string() }
    } else {
        Outcome::Trapped { why: first_line(error) }
    }
}

fn shortened(why: &str) -> String {
    let end = why.floor_char_boundary(WHY_BYTES.min(why.len()));
    why[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Counts the processor time of one call over all its turns, so that waiting, for the host or for others, costs nothing.
#[derive(Default)]
struct Meter {
    /// Nanoseconds of the turns that are over.
    used: AtomicU64,
    /// The thread's own clock when this turn began. A turn never changes threads.
    turn_began: AtomicU64,
}

impl Meter {
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

/// A call whose turns are metered.
struct Metered<'a, F> {
    meter: &'a Meter,
    call: Pin<Box<F>>,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.turn_began.store(thread_cpu_ns(), Ordering::Relaxed);
        let polled = self.call.as_mut().poll(context);
        let used = self.meter.used_so_far();
        self.meter.used.store(used.as_nanos() as u64, Ordering::Relaxed);
        polled
    }
}
