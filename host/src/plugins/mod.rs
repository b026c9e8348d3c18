//! Which code is current: scans the folder, watches it, and keeps the slot of each plugin.
//!
//! A generation is the SHA-256 of a file's bytes. The file system's notices are a doorbell and no letter: after a quiet
//! moment the folder is scanned and digests are compared, so half-written files, renames, links that are switched, deletes
//! and re-creates are all one case.

mod folder;
mod slot;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::sync::CancellationToken;

use crate::event::Pattern;
use crate::runtime::{CallLimits, Generation, Loaded, Manifest, Plugin, Refused, Runtime};
use folder::{File, Folder};
pub use slot::{Found, Slot};

/// The limits of a plugin's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// What one call may use.
    pub each: CallLimits,
    /// How many calls of one plugin run at a time.
    pub at_once: usize,
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

/// How a plugin stands, for people.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// `live`, `stale`, `broken` or `blocked`.
    pub slot: &'static str,
    /// Which code runs; which does not, where none runs.
    pub generation: String,
    /// What it calls its version.
    pub version: String,
    /// Which events it wants.
    pub subscriptions: Vec<String>,
    /// Why its file does not run.
    pub why: Option<String>,
}

/// The plugins of a folder.
pub struct Plugins {
    path: PathBuf,
    runtime: Arc<Runtime>,
    grants: Grants,
    slots: RwLock<BTreeMap<String, PluginSlot>>,
    folder: tokio::sync::Mutex<Folder>,
    /// Compiling takes a core and much memory each.
    loads_at_once: tokio::sync::Semaphore,
}

/// How long the folder must be quiet before it is scanned, and how long at the most that is waited for.
const QUIET: Duration = Duration::from_millis(100);
const NOT_QUIET: Duration = Duration::from_secs(1);

/// How often it is scanned without being rung for: some file systems have no bell.
const SLOW_SCAN: Duration = Duration::from_secs(5);

impl Plugins {
    /// The plugins of a folder, none of them loaded yet.
    pub fn new(path: PathBuf, runtime: Arc<Runtime>, grants: Grants, file_bytes: usize) -> Arc<Plugins> {
        let folder = tokio::sync::Mutex::new(Folder::new(path.clone(), file_bytes));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let loads_at_once = tokio::sync::Semaphore::new(cores);
        Arc::new(Plugins { path, runtime, grants, slots: RwLock::default(), folder, loads_at_once })
    }

    /// The code of a plugin that runs now. A call holds on to it: it lives until its last call returns.
    pub fn live(&self, name: &str) -> Option<Arc<Plugin>> {
        self.slots().get(name)?.live().map(|live| live.plugin.clone())
    }

    /// How every plugin stands.
    pub fn standings(&self) -> Vec<Standing> {
        self.slots().iter().map(|(name, slot)| standing(name, slot)).collect()
    }

    fn slots(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, PluginSlot>> {
        self.slots.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Compares the folder with the slots, loads what is new, and tells each change as it is made.
    pub async fn scan(self: &Arc<Self>, tell: &UnboundedSender<Change>) -> std::io::Result<()> {
        let mut folder = self.folder.lock().await;
        let files = folder.files()?;
        let mut loading = tokio::task::JoinSet::new();
        let gone: Vec<String> =
            self.slots().keys().filter(|name| !files.iter().any(|file| file.name == **name)).cloned().collect();
        for name in gone {
            self.turn(&name, Found::Gone, tell);
        }
        for file in files {
            match folder.changed(&file) {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    let plugins = self.clone();
                    // On the guests' threads: what a stranger made is hashed, compiled and asked there, never beside ingress.
                    loading.spawn_on(async move { plugins.look_into(file, bytes).await }, self.runtime.threads());
                }
                Err(why) if self.is_known_to_be(&file.name, &why) => {}
                Err(why) => self.turn(&file.name, Found::Refused(refusal(Generation::of(b""), why)), tell),
            }
        }
        while let Some(loaded) = loading.join_next().await {
            match loaded {
                Ok(Some((name, found))) => self.turn(&name, found, tell),
                Ok(None) => {}
                Err(error) => tracing::error!("loading a plugin failed in the host: {error}"),
            }
        }
        Ok(())
    }

    fn is_known_to_be(&self, name: &str, why: &str) -> bool {
        self.slots().get(name).and_then(Slot::refused).is_some_and(|refused| refused.why == why)
    }

    /// Loads a file, unless what is in it is known already.
    async fn look_into(&self, file: File, bytes: Vec<u8>) -> Option<(String, Found<Live, Refusal>)> {
        let generation = Generation::of(&bytes);
        if let Some(slot) = self.slots().get(&file.name) {
            match slot.live() {
                // The old file was put back, or touched.
                Some(live) if live.plugin.generation == generation => {
                    let is_back = slot.refused().is_some();
                    return is_back.then(|| (file.name.clone(), Found::Loaded(live.clone())));
                }
                _ if slot.refused().is_some_and(|refused| refused.generation == generation) => {
                    return None;
                }
                _ => {}
            }
        }
        let grant = (self.grants)(&file.name);
        let _turn = self.loads_at_once.acquire().await;
        let found = match self.runtime.load(bytes, &grant.calls.each).await {
            Ok(loaded) => self.granted(&file.name, loaded, generation, grant),
            Err(Refused(why)) => Found::Refused(refusal(generation, why)),
        };
        Some((file.name, found))
    }

    /// What counts is what was asked for and granted both.
    fn granted(&self, name: &str, loaded: Loaded, generation: Generation, grant: Grant) -> Found<Live, Refusal> {
        match effective_settings(name, &loaded.manifest, &grant) {
            Ok(settings) => {
                let plugin = Arc::new(loaded.grant(name, settings, grant.calls.each));
                Found::Loaded(Live { plugin, calls_at_once: grant.calls.at_once })
            }
            Err(why) => Found::Refused(Refusal { generation, why, blocked: Some(loaded.manifest) }),
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

    /// Scans whenever the folder changes, until it is told to stop, and tells what changed.
    pub async fn watch(self: Arc<Self>, tell: UnboundedSender<Change>, stop: CancellationToken) {
        let (ring, mut bell) = mpsc::channel(1);
        let on_notice = move |notice: notify::Result<notify::Event>| {
            // Our own reading rings too, and must not.
            if notice.is_ok_and(|notice| !is_reading(notice.kind)) {
                let _ = ring.try_send(());
            }
        };
        let watching = notify::recommended_watcher(on_notice)
            .and_then(|mut watcher| watcher.watch(&self.path, RecursiveMode::NonRecursive).map(|()| watcher));
        if let Err(error) = &watching {
            tracing::warn!("{} is looked at every {} s only: {error}", self.path.display(), SLOW_SCAN.as_secs());
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(()) = bell.recv() => quiet(&mut bell).await,
                () = tokio::time::sleep(SLOW_SCAN) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                scanned = self.scan(&tell) => {
                    if let Err(error) = scanned {
                        tracing::warn!("cannot look into {}: {error}", self.path.display());
                    }
                }
            }
        }
    }
}

fn is_reading(kind: notify::EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode, EventKind};
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Waits until nothing was rung for a moment.
async fn quiet(bell: &mut mpsc::Receiver<()>) {
    let until_quiet =
        async { while tokio::time::timeout(QUIET, bell.recv()).await.is_ok_and(|rung| rung.is_some()) {} };
    let _ = tokio::time::timeout(NOT_QUIET, until_quiet).await;
}

fn refusal(generation: Generation, why: String) -> Refusal {
    Refusal { generation, why, blocked: None }
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

fn standing(name: &str, slot: &PluginSlot) -> Standing {
    let manifest = slot.live().map(|live| &live.plugin.manifest);
    let manifest = manifest.or_else(|| slot.refused()?.blocked.as_ref());
    let generation =
        slot.live().map(|live| live.plugin.generation).or_else(|| slot.refused().map(|refused| refused.generation));
    Standing {
        name: name.to_owned(),
        slot: match slot {
            Slot::Live(_) => "live",
            Slot::Stale { .. } => "stale",
            Slot::Broken(Refusal { blocked: Some(_), .. }) => "blocked",
            Slot::Broken(_) => "broken",
        },
        generation: generation.map(|generation| generation.to_string()).unwrap_or_default(),
        version: manifest.map(|manifest| manifest.version.clone()).unwrap_or_default(),
        subscriptions: manifest
            .map(|manifest| manifest.subscriptions.iter().map(Pattern::to_string).collect())
            .unwrap_or_default(),
        why: slot.refused().map(|refused| refused.why.clone()),
    }
}

fn say(standing: &Standing) {
    let Standing { name, slot, generation, subscriptions, why, .. } = standing;
    match why {
        None => {
            tracing::info!(plugin = %name, "{name} is live: {generation}, wants {}", subscriptions.join(", "))
        }
        Some(why) => tracing::warn!(plugin = %name, "{name} is {slot}: {why}"),
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
