//! Instances, and those that wait for another call: a plugin of a dear language may keep some, if its operator says so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::Store;

use super::bindings::exports::hookgate::plugin::handler::{Event, Failure, Manifest};
use super::bindings::{Plugin, PluginPre};
use super::call::Seen;
use super::guest::Guest;
use super::lines::OnLine;
use super::powers::Draft;

/// One instance of a plugin's code.
pub(super) struct Instance {
    pub store: Store<Guest>,
    /// Made by its first call, and paid for by it.
    pub handler: Option<Plugin>,
    pub seen: Seen,
    /// How many it has served.
    pub calls: u32,
    /// Given back after the store, whose slot it stands for.
    pub _place: OwnedSemaphorePermit,
}

impl Instance {
    /// Begins a call.
    pub fn begin(&mut self, log_bytes: usize, on_line: OnLine, draft: Draft) {
        self.calls += 1;
        self.seen.meter.begin();
        self.store.data_mut().begin(log_bytes, on_line, draft);
        self.store.set_epoch_deadline(1);
    }

    /// Has it handle an event.
    pub async fn handle(&mut self, pre: &PluginPre<Guest>, event: &Event) -> wasmtime::Result<Result<(), Failure>> {
        let Instance { store, handler, .. } = self;
        let handler = match handler {
            Some(handler) => handler,
            None => handler.insert(pre.instantiate_async(&mut *store).await?),
        };
        handler.hookgate_plugin_handler().call_handle(store, event).await
    }

    /// Has it describe itself.
    pub async fn describe(&mut self, pre: &PluginPre<Guest>) -> wasmtime::Result<Manifest> {
        let instance = pre.instantiate_async(&mut self.store).await?;
        instance.hookgate_plugin_handler().call_describe(&mut self.store).await
    }
}

/// All instances that wait for another call, the one that has waited longest first, each with the number of its plugin.
#[derive(Default)]
pub(super) struct Idle {
    waiting: Mutex<VecDeque<(u64, Instance)>>,
    /// How many calls want a place and find none.
    wanted: AtomicUsize,
}

/// A call that wants a place.
pub(super) struct Wanted<'a>(&'a Idle);

impl Idle {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(u64, Instance)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a call, if one waits: by whoever comes last of a call that says that it wants a place and an instance
    /// that takes its place among those that wait.
    pub fn want(&self) -> Wanted<'_> {
        self.wanted.fetch_add(1, Ordering::SeqCst);
        self.let_one_go();
        Wanted(self)
    }

    /// Ends the one that has waited longest.
    fn let_one_go(&self) {
        // Taken out first: an end takes time, and nobody else shall wait for it.
        let oldest = self.waiting().pop_front();
        drop(oldest);
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.wanted.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The instances of one plugin that wait for another call.
pub(super) struct Warm {
    idle: Arc<Idle>,
    number: u64,
    per_instance: u32,
}

impl Warm {
    pub fn new(idle: Arc<Idle>, per_instance: u32) -> Warm {
        static PLUGINS: AtomicU64 = AtomicU64::new(0);
        Warm { idle, number: PLUGINS.fetch_add(1, Ordering::Relaxed), per_instance }
    }

    /// For another plugin beside this one.
    pub fn anew(&self, per_instance: u32) -> Warm {
        Warm::new(self.idle.clone(), per_instance)
    }

    /// The one that was called last: what it touches is most likely still at hand.
    pub fn take(&self) -> Option<Instance> {
        if self.per_instance <= 1 {
            return None;
        }
        let mut waiting = self.idle.waiting();
        let at = waiting.iter().rposition(|(number, _)| *number == self.number)?;
        waiting.remove(at).map(|(_, instance)| instance)
    }

    /// Keeps one for another call, unless it has served as many as it may.
    pub fn keep(&self, instance: Instance) {
        if instance.calls >= self.per_instance {
            return;
        }
        self.idle.waiting().push_back((self.number, instance));
        if self.idle.wanted.load(Ordering::SeqCst) > 0 {
            self.idle.let_one_go();
        }
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        if self.per_instance <= 1 {
            return;
        }
        let mut waiting = self.idle.waiting();
        let (ours, others) = std::mem::take(&mut *waiting).into_iter().partition(|(number, _)| *number == self.number);
        *waiting = others;
        drop(waiting);
        let _: VecDeque<_> = ours;
    }
}
