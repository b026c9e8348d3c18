//! Which code is current: scans the folder, watches it, and keeps the slot of each plugin.
//!
//! A generation is the SHA-256 of a file's bytes. The file system's notices are a doorbell and no letter: after a quiet
//! moment the folder is scanned and digests are compared, so half-written files, renames, links that are switched, deletes
//! and re-creates are all one case.

mod bell;
mod folder;
mod slot;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use crate::event::Pattern;
use crate::runtime::{CallLimits, Generation, Loaded, Manifest, Plugin, Refused, Runtime};
use folder::Folder;
pub use slot::{Found, Slot};
pub use standing::Standing;
use standing::{say, standing};

/// The limits of a plugin's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// What one call may use.
    pub each: CallLimits,
    /// How many calls of one plugin run at a time.
    pub at_once: usize,
    /// How many calls an instance serves, one after another: with 1, each call meets a fresh one.
    pub per_instance: u32,
}

/// What one plugin is granted.
#[derive(Debug, Clone)]
pub struct Grant {
    /// What `settings.get` gives it.
    pub settings: BTreeMap<String, String>,
    /// Its limits.
    pub calls: Calls,
}

/// What a plugin's section of the config grants, by its name.
pub type Grants = Arc<dyn Fn(&str) -> Grant + Send + Sync>;

/// Code that runs.
#[derive(Clone, Debug)]
pub struct Live {
    /// What is called.
    pub plugin: Arc<Plugin>,
    /// How many calls run at a time.
    pub calls_at_once: usize,
}

/// A file that does not run.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What was in the file.
    pub generation: Generation,
    /// Why it does not run, in a sentence.
    pub why: String,
    /// Whether it is worth another look though the file is the same.
    passing: bool,
    /// What it says of itself, where it only lacks what the operator can grant.
    pub blocked: Option<Manifest>,
}

type PluginSlot = Slot<Live, Refusal>;

/// What changed for whoever hands out deliveries.
#[derive(Debug, Clone)]
pub enum Change {
    /// Its code runs, and wants these events.
    Runs {
        /// The plugin.
        plugin: String,
        /// Its subscriptions.
        patterns: Vec<Pattern>,
        /// How many calls run at a time.
        calls_at_once: usize,
    },
    /// It does not run, and its deliveries wait. Its subscriptions are as given, or as they were.
    Waits {
        /// The plugin.
        plugin: String,
        /// Its subscriptions, where it could say them.
        patterns: Option<Vec<Pattern>>,
    },
    /// Its file is gone.
    Gone {
        /// The plugin.
        plugin: String,
    },
}

/// Files that are being loaded.
#[must_use = "they are loaded whether or not somebody waits"]
pub struct Loads(Vec<tokio::task::JoinHandle<()>>);

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

/// The plugins of a folder.
pub struct Plugins {
    path: PathBuf,
    runtime: Arc<Runtime>,
    grants: Grants,
    slots: RwLock<BTreeMap<String, PluginSlot>>,
    folder: tokio::sync::Mutex<Folder>,
    loading: Mutex<BTreeMap<String, Loading>>,
    /// Compiling takes a core and much memory each.
    loads_at_once: tokio::sync::Semaphore,
}

/// A file that is being loaded. A later one of the same name takes its place.
struct Loading {
    ticket: u64,
    compiling: bool,
    task: AbortHandle,
}

/// A file of at least this many bytes takes seconds to compile, which is worth a line.
const LARGE_BYTES: usize = 1 << 20;

impl Plugins {
    /// The plugins of a folder, none of them loaded yet.
    pub fn new(path: PathBuf, runtime: Arc<Runtime>, grants: Grants, file_bytes: usize) -> Arc<Plugins> {
        let folder = tokio::sync::Mutex::new(Folder::new(path.clone(), file_bytes));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let loads_at_once = tokio::sync::Semaphore::new(cores);
        let (slots, loading) = (RwLock::default(), Mutex::default());
        Arc::new(Plugins { path, runtime, grants, slots, folder, loading, loads_at_once })
    }

    /// The code of a plugin that runs now. A call holds on to it: it lives until its last call returns.
    pub fn live(&self, name: &str) -> Option<Arc<Plugin>> {
        self.slots().get(name)?.live().map(|live| live.plugin.clone())
    }

    /// How every plugin stands.
    pub fn standings(&self) -> Vec<Standing> {
        let loading = self.loading();
        let slots = self.slots();
        let mut standings: Vec<Standing> = slots.iter().map(|(name, slot)| standing(name, slot)).collect();
        for (name, _) in loading.iter().filter(|(_, loading)| loading.compiling) {
            match standings.iter_mut().find(|standing| standing.name == *name) {
                Some(standing) => standing.compiling = true,
                None => standings.push(Standing::compiling(name)),
            }
        }
        standings.sort_by(|a, b| a.name.cmp(&b.name));
        standings
    }

    fn loading(&self) -> MutexGuard<'_, BTreeMap<String, Loading>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, PluginSlot>> {
        self.slots.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Compares the folder with the slots, and begins to load what is new. Each change is told as it is made; whoever wants
    /// to know when all are waits for what this returns.
    pub async fn scan(self: &Arc<Self>, tell: &UnboundedSender<Change>) -> std::io::Result<Loads> {
        let mut folder = self.folder.lock().await;
        for name in self.worth_another_look() {
            folder.forget(&name);
        }
        let files = folder.files()?;
        for name in self.known().iter().filter(|name| !files.iter().any(|file| file.name == **name)) {
            self.stop_loading(name);
            if self.slots().contains_key(name) {
                self.turn(name, Found::Gone, tell);
            }
        }
        let mut loads = Vec::new();
        for file in files {
            match folder.changed(&file) {
                Ok(None) => {}
                Ok(Some(bytes)) => loads.push(self.begin_to_load(file.name, bytes, tell)),
                Err(why) if self.is_known_to_be(&file.name, &why) => {}
                Err(why) => {
                    self.stop_loading(&file.name);
                    let refused = Refusal { generation: Generation::of(b""), why, passing: false, blocked: None };
                    self.turn(&file.name, Found::Refused(refused), tell);
                }
            }
        }
        Ok(Loads(loads))
    }

    fn known(&self) -> BTreeSet<String> {
        // In the order in which they are taken everywhere.
        let (loading, slots) = (self.loading(), self.slots());
        slots.keys().chain(loading.keys()).cloned().collect()
    }

    /// Plugins whose file was refused for a cause that may be over.
    fn worth_another_look(&self) -> Vec<String> {
        let slots = self.slots();
        let passing = slots.iter().filter(|(_, slot)| slot.refused().is_some_and(|refused| refused.passing));
        passing.map(|(name, _)| name.clone()).collect()
    }

    /// Loads a file beside everything else. One of the same name that is being loaded is not wanted any more.
    fn begin_to_load(
        self: &Arc<Self>,
        name: String,
        bytes: Vec<u8>,
        tell: &UnboundedSender<Change>,
    ) -> tokio::task::JoinHandle<()> {
        static TICKETS: AtomicU64 = AtomicU64::new(0);
        let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
        let (plugins, tell, key) = (self.clone(), tell.clone(), name.clone());
        // Held until the ticket is written down, so that the task cannot end before.
        let mut loading = self.loading();
        // On the guests' threads: what a stranger made is hashed, loaded and asked there, never beside ingress.
        let task = self.runtime.threads().spawn(async move {
            let found = plugins.look_into(&name, bytes, ticket).await;
            plugins.end_loading(&name, ticket, found, &tell);
        });
        let begun = Loading { ticket, compiling: false, task: task.abort_handle() };
        if let Some(before) = loading.insert(key, begun) {
            before.task.abort();
        }
        task
    }

    fn stop_loading(&self, name: &str) {
        if let Some(loading) = self.loading().remove(name) {
            loading.task.abort();
        }
    }

    /// Turns the slot, unless something newer than this is being loaded.
    fn end_loading(
        &self,
        name: &str,
        ticket: u64,
        found: Option<Found<Live, Refusal>>,
        tell: &UnboundedSender<Change>,
    ) {
        let mut loading = self.loading();
        if loading.get(name).is_some_and(|current| current.ticket == ticket) {
            if let Some(found) = found {
                self.turn(name, found, tell);
            }
            loading.remove(name);
        }
    }

    fn note_compiling(&self, name: &str, ticket: u64, bytes: usize) {
        if let Some(loading) = self.loading().get_mut(name).filter(|loading| loading.ticket == ticket) {
            loading.compiling = true;
        }
        if bytes >= LARGE_BYTES {
            let mib = bytes as f64 / f64::from(1 << 20);
            tracing::info!(plugin = %name, "{name}: {mib:.1} MiB are being compiled, which can take seconds");
        }
    }

    fn is_known_to_be(&self, name: &str, why: &str) -> bool {
        self.slots().get(name).and_then(Slot::refused).is_some_and(|refused| refused.why == why)
    }

    /// Loads a file, unless what is in it is known already.
    async fn look_into(&self, name: &str, bytes: Vec<u8>, ticket: u64) -> Option<Found<Live, Refusal>> {
        let generation = Generation::of(&bytes);
        if let Some(slot) = self.slots().get(name) {
            match slot.live() {
                // The old file was put back, or touched.
                Some(live) if live.plugin.generation == generation => {
                    let is_back = slot.refused().is_some();
                    return is_back.then(|| Found::Loaded(live.clone()));
                }
                _ if slot.refused().is_some_and(|refused| refused.generation == generation && !refused.passing) => {
                    return None;
                }
                _ => {}
            }
        }
        let grant = (self.grants)(name);
        let _turn = self.loads_at_once.acquire().await;
        let size = bytes.len();
        let on_compile = || self.note_compiling(name, ticket, size);
        match self.runtime.load(bytes, &grant.calls.each, on_compile).await {
            Ok(loaded) => Some(self.granted(name, loaded, generation, grant)),
            Err(Refused { why, passing }) => Some(Found::Refused(Refusal { generation, why, passing, blocked: None })),
        }
    }

    /// What counts is what was asked for and granted both.
    fn granted(&self, name: &str, loaded: Loaded, generation: Generation, grant: Grant) -> Found<Live, Refusal> {
        match effective_settings(name, &loaded.manifest, &grant) {
            Ok(settings) => {
                let Calls { each, at_once, per_instance } = grant.calls;
                let plugin = Arc::new(loaded.grant(name, settings, each, per_instance));
                if plugin.is_command() && per_instance > 1 {
                    tracing::warn!(plugin = %name, "{name} is a command, whose main runs once: each call gets a fresh instance");
                }
                Found::Loaded(Live { plugin, calls_at_once: at_once })
            }
            Err(why) => Found::Refused(Refusal { generation, why, passing: false, blocked: Some(loaded.manifest) }),
        }
    }

    /// Turns a plugin's slot, and tells what it means.
    fn turn(&self, name: &str, found: Found<Live, Refusal>, tell: &UnboundedSender<Change>) {
        let mut slots = self.slots.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = slots.remove(name);
        let after = slot::next(before, found);
        let change = change(name, after.as_ref());
        match &after {
            Some(slot) => say(&standing(name, slot)),
            None => tracing::info!(plugin = %name, "{name}: its file is gone; its deliveries wait for it"),
        }
        if let Some(slot) = after {
            slots.insert(name.to_owned(), slot);
        }
        let _ = tell.send(change);
    }
}

fn change(name: &str, slot: Option<&PluginSlot>) -> Change {
    let plugin = name.to_owned();
    match slot {
        None => Change::Gone { plugin },
        Some(Slot::Live(live) | Slot::Stale { live, .. }) => {
            let patterns = live.plugin.manifest.subscriptions.clone();
            Change::Runs { plugin, patterns, calls_at_once: live.calls_at_once }
        }
        Some(Slot::Broken(refused)) => {
            let patterns = refused.blocked.as_ref().map(|manifest| manifest.subscriptions.clone());
            Change::Waits { plugin, patterns }
        }
    }
}

/// The operator's settings and, where there is none, the plugin's defaults.
fn effective_settings(name: &str, manifest: &Manifest, grant: &Grant) -> Result<BTreeMap<String, String>, String> {
    let mut settings = grant.settings.clone();
    let mut lacking = Vec::new();
    for ask in &manifest.settings {
        match &ask.default {
            _ if settings.contains_key(&ask.key) => {}
            Some(default) => drop(settings.insert(ask.key.clone(), default.clone())),
            None => lacking.push(format!("{:?} = \"...\"", ask.key)),
        }
    }
    if lacking.is_empty() {
        return Ok(settings);
    }
    let lacking = lacking.join("\n");
    Err(format!(
        "it needs settings that it was not given: add them to the config under [plugins.{name}.settings]\n{lacking}"
    ))
}
