//! Files that are being loaded, beside everything else: one at a time of each name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use super::folder::Contents;
use super::{Change, Found, Live, Plugins, Refusal};
use crate::runtime::Generation;

/// Files that are being loaded.
#[must_use = "they are loaded whether or not somebody waits"]
pub struct Loads(pub(super) Vec<tokio::task::JoinHandle<()>>);

impl Loads {
    /// Waits until each is loaded, refused, or not wanted any more.
    pub async fn ended(self) {
        for load in self.0 {
            if let Err(error) = load.await
                && error.is_panic()
            {
                tracing::error!("loading a plugin failed in the host: {error}");
            }
        }
    }
}

/// A file that is being loaded. A later one of the same name takes its place.
pub(super) struct Loading {
    ticket: u64,
    generation: Generation,
    signature: Option<String>,
    pub compiling: bool,
    task: AbortHandle,
}

/// One load of a file, which is over when this is gone, however that happens.
struct Load<'a> {
    plugins: &'a Plugins,
    name: &'a str,
    ticket: u64,
}

impl Load<'_> {
    /// Turns the slot, unless something newer than this is being loaded.
    fn end(&self, found: Option<Found<Live, Refusal>>, tell: &UnboundedSender<Change>) {
        let loading = self.plugins.loading();
        let is_current = loading.get(self.name).is_some_and(|current| current.ticket == self.ticket);
        if let (true, Some(found)) = (is_current, found) {
            self.plugins.turn(self.name, found, tell);
            // What was granted may have changed since the load began.
            self.plugins.regrant(self.name, tell);
        }
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        let mut loading = self.plugins.loading();
        if loading.get(self.name).is_some_and(|current| current.ticket == self.ticket) {
            loading.remove(self.name);
        }
    }
}

/// A file of at least this many bytes takes seconds to compile, which is worth a line.
const LARGE_BYTES: usize = 1 << 20;

impl Plugins {
    pub(super) fn loading(&self) -> MutexGuard<'_, BTreeMap<String, Loading>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads a file beside everything else, unless the same bytes are being loaded already. Others of the same name that are
    /// being loaded are not wanted any more.
    pub(super) fn begin_to_load(
        self: &Arc<Self>,
        name: String,
        contents: Contents,
        tell: &UnboundedSender<Change>,
    ) -> Option<tokio::task::JoinHandle<()>> {
        static TICKETS: AtomicU64 = AtomicU64::new(0);
        let generation = Generation::of(&contents.bytes);
        // Held until the ticket is written down, so that the task cannot end before.
        let mut loading = self.loading();
        let is_the_same =
            |loading: &Loading| loading.generation == generation && loading.signature == contents.signature;
        if loading.get(&name).is_some_and(is_the_same) {
            return None;
        }
        let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
        let (plugins, tell, key, signature) = (self.clone(), tell.clone(), name.clone(), contents.signature.clone());
        // On the guests' threads: what a stranger made is loaded and asked there, never beside ingress.
        let task = self.runtime.threads().spawn(async move {
            let load = Load { plugins: &plugins, name: &name, ticket };
            let found = plugins.look_into(&name, contents, generation, ticket).await;
            load.end(found, &tell);
        });
        let begun = Loading { ticket, generation, signature, compiling: false, task: task.abort_handle() };
        if let Some(before) = loading.insert(key, begun) {
            before.task.abort();
        }
        Some(task)
    }

    /// Ends a load that is not wanted any more.
    pub(super) fn stop_loading(&self, name: &str) {
        if let Some(loading) = self.loading().remove(name) {
            loading.task.abort();
        }
    }

    /// Notes that a file is being compiled, and says so of a large one.
    pub(super) fn note_compiling(&self, name: &str, ticket: u64, bytes: usize) {
        if let Some(loading) = self.loading().get_mut(name).filter(|loading| loading.ticket == ticket) {
            loading.compiling = true;
        }
        if bytes >= LARGE_BYTES {
            let mib = bytes as f64 / f64::from(1 << 20);
            tracing::info!(plugin = %name, "{name}: {mib:.1} MiB are being compiled, which can take seconds");
        }
    }
}
