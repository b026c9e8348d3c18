//! Which code is current: scans the folder, watches it, and keeps the slot of each plugin.
//!
//! A generation is the SHA-256 of a file's bytes. The file system's notices are a doorbell and no letter: after a quiet
//! moment the folder is scanned and digests are compared, so half-written files, renames, links that are switched, deletes
//! and re-creates are all one case.

mod bell;
mod folder;
mod grant;
mod granting;
mod loading;
mod slot;
mod standing;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use crate::effects::Memory;
use crate::event::Pattern;
use crate::outbound::{HostGrant, HostPattern, Hosts, Outbound};
use crate::runtime::{CallLimits, Generation, Manifest, Plugin, Refused, Runtime};
use folder::{Contents, Folder};
pub use grant::{Asked, EMIT_PER_MINUTE, Grant, WRITE_MIB_PER_MINUTE, asked};
use granting::Code;
pub use granting::Granting;
use loading::Loading;
pub use loading::Loads;
pub use slot::{Found, Slot};
pub use standing::Standing;
use standing::{say, standing};
pub use trust::{Trust, Trusted};

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

/// Code that runs.
#[derive(Clone, Debug)]
pub struct Live {
    /// What is called.
    pub plugin: Arc<Plugin>,
    /// How many calls run at a time.
    pub calls_at_once: usize,
    /// What it was granted.
    pub grant: Grant,
    /// What its file was trusted for.
    pub trusted: Trusted,
}

/// A file that does not run.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What was in the file.
    pub generation: Generation,
    /// Why it does not run, in a sentence.
    pub why: String,
    /// When it is worth another look though the file is the same, if ever.
    passing: Option<Passing>,
    /// What it says of itself, where it only lacks what the operator can grant.
    pub blocked: Option<Box<Manifest>>,
    /// Whether nobody who is trusted vouches for it.
    pub untrusted: bool,
}

impl Refusal {
    fn new(generation: Generation, why: String) -> Refusal {
        Refusal { generation, why, passing: None, blocked: None, untrusted: false }
    }

    /// Whether it says something of the config, which may change, and not of the file alone.
    fn is_of_the_config(&self) -> bool {
        self.blocked.is_some() || self.untrusted
    }
}

/// A cause that may be over at another time.
#[derive(Clone, Debug)]
struct Passing {
    /// How often in a row it was met.
    times: usize,
    again_at: Instant,
}

/// How long after each refusal for a passing cause the file is looked at again; after the last, always as long.
const LOOK_AGAIN: [Duration; 4] =
    [Duration::from_secs(3), Duration::from_secs(30), Duration::from_secs(180), Duration::from_secs(600)];

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
        /// The attribute whose values are handled one event after another.
        ordered_by: Option<Arc<str>>,
        /// How many calls run at a time.
        calls_at_once: usize,
    },
    /// It does not run, and its deliveries wait. Its subscriptions are as given, or as they were.
    Waits {
        /// The plugin.
        plugin: String,
        /// Its subscriptions, where it could say them.
        patterns: Option<Vec<Pattern>>,
        /// As above.
        ordered_by: Option<Arc<str>>,
    },
    /// Its file is gone.
    Gone {
        /// The plugin.
        plugin: String,
    },
}

/// The hosts that a plugin was granted and had asked for, with the connections to them.
type Granted = (Vec<HostGrant>, Vec<HostPattern>, Arc<Hosts>);

/// The plugins of a folder.
pub struct Plugins {
    path: PathBuf,
    runtime: Arc<Runtime>,
    outbound: Arc<Outbound>,
    memory: Arc<dyn Memory>,
    granting: RwLock<Arc<Granting>>,
    /// The hosts of each plugin, with the connections to them, as they were last granted.
    hosts: Mutex<BTreeMap<String, Granted>>,
    slots: RwLock<BTreeMap<String, PluginSlot>>,
    folder: tokio::sync::Mutex<Folder>,
    loading: Mutex<BTreeMap<String, Loading>>,
}

impl Plugins {
    /// The plugins of a folder, none of them loaded yet.
    pub fn new(
        path: PathBuf,
        runtime: Arc<Runtime>,
        outbound: Arc<Outbound>,
        memory: Arc<dyn Memory>,
        granting: Granting,
        file_bytes: usize,
    ) -> Arc<Plugins> {
        let folder = tokio::sync::Mutex::new(Folder::new(path.clone(), file_bytes));
        let (slots, loading, hosts) = (RwLock::default(), Mutex::default(), Mutex::default());
        let granting = RwLock::new(Arc::new(granting));
        Arc::new(Plugins { path, runtime, outbound, memory, granting, hosts, slots, folder, loading })
    }

    fn granting(&self) -> Arc<Granting> {
        self.granting.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The code of a plugin that runs now. A call holds on to it: it lives until its last call returns.
    pub fn live(&self, name: &str) -> Option<Arc<Plugin>> {
        self.slots().get(name)?.live().map(|live| live.plugin.clone())
    }

    /// The same, with how many of its calls run at a time.
    pub fn live_with_calls(&self, name: &str) -> Option<(Arc<Plugin>, usize)> {
        let slots = self.slots();
        let live = slots.get(name)?.live()?;
        Some((live.plugin.clone(), live.calls_at_once))
    }

    /// How every plugin stands.
    pub fn standings(&self) -> Vec<Standing> {
        let granting = self.granting();
        let loading = self.loading();
        let slots = self.slots();
        let mut standings: Vec<Standing> =
            slots.iter().map(|(name, slot)| standing(name, slot, &(granting.grants)(name))).collect();
        for (name, _) in loading.iter().filter(|(_, loading)| loading.compiling) {
            match standings.iter_mut().find(|standing| standing.name == *name) {
                Some(standing) => standing.compiling = true,
                None => standings.push(Standing::compiling(name)),
            }
        }
        standings.sort_by(|a, b| a.name.cmp(&b.name));
        standings
    }

    fn slots(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, PluginSlot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
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
                Ok(Some(contents)) => loads.extend(self.begin_to_load(file.name, contents, tell)),
                Err(why) if self.is_known_to_be(&file.name, &why) => {}
                Err(why) => {
                    self.stop_loading(&file.name);
                    let refused = Refusal::new(Generation::of(b""), why);
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

    /// Plugins whose file was refused for a cause that may be over, where it is time, or that lack nothing any more; and that
    /// are not being loaded already.
    fn worth_another_look(&self) -> Vec<String> {
        let granting = self.granting();
        let (loading, slots) = (self.loading(), self.slots());
        let is_worth = |name: &str, refused: &Refusal| match (&refused.passing, &refused.blocked) {
            (Some(passing), _) => passing.again_at <= Instant::now(),
            (None, Some(manifest)) => grant::lacking(name, manifest, &(granting.grants)(name)).is_none(),
            // Somebody may vouch for it now.
            (None, None) => refused.untrusted,
        };
        let worth = slots.iter().filter(|(name, slot)| slot.refused().is_some_and(|refused| is_worth(name, refused)));
        worth.map(|(name, _)| name.clone()).filter(|name| !loading.contains_key(name)).collect()
    }

    fn is_known_to_be(&self, name: &str, why: &str) -> bool {
        self.slots().get(name).and_then(Slot::refused).is_some_and(|refused| refused.why == why)
    }

    /// Loads a file, unless what is in it is known already.
    async fn look_into(
        &self,
        name: &str,
        contents: Contents,
        generation: Generation,
        ticket: u64,
    ) -> Option<Found<Live, Refusal>> {
        let granting = self.granting();
        let grant = (granting.grants)(name);
        let Contents { bytes, signature } = contents;
        let trusted = match granting.trust.check(name, &bytes, generation, signature.as_deref(), &grant) {
            Ok(trusted) => trusted,
            Err(why) if self.is_known_to_be(name, &why) => return None,
            Err(why) => return Some(Found::Refused(Refusal { untrusted: true, ..Refusal::new(generation, why) })),
        };
        let mut met_before = 0;
        if let Some(slot) = self.slots().get(name) {
            match slot.live() {
                // The old file was put back, or touched.
                Some(live) if live.plugin.generation == generation => {
                    let is_news = slot.refused().is_some() || live.trusted != trusted;
                    return is_news.then(|| Found::Loaded(Live { trusted, ..live.clone() }));
                }
                _ => match slot.refused().filter(|refused| refused.generation == generation) {
                    Some(Refusal { passing: Some(passing), .. }) => met_before = passing.times,
                    Some(refused) if !refused.is_of_the_config() => return None,
                    _ => {}
                },
            }
        }
        let size = bytes.len();
        let on_compile = || self.note_compiling(name, ticket, size);
        Some(match self.runtime.load(bytes, &grant.calls.each, on_compile).await {
            Ok(loaded) => {
                let manifest = loaded.manifest.clone();
                let make = |name: &str, powers, calls: &Calls| {
                    loaded.grant(name, powers, calls.each.clone(), calls.per_instance)
                };
                let code = Code { manifest: &manifest, generation, make: Box::new(make) };
                // The config may have changed while it was compiled.
                let grant = (self.granting().grants)(name);
                match self.granted(name, code, &grant, trusted) {
                    Ok(live) => Found::Loaded(live),
                    Err(refused) if self.is_known_to_be(name, &refused.why) => return None,
                    Err(refused) => Found::Refused(refused),
                }
            }
            Err(Refused { why, passing }) => {
                let passing = passing.then(|| Passing {
                    times: met_before + 1,
                    again_at: Instant::now() + LOOK_AGAIN[met_before.min(LOOK_AGAIN.len() - 1)],
                });
                Found::Refused(Refusal { passing, ..Refusal::new(generation, why) })
            }
        })
    }

    /// Turns a plugin's slot by what was found, and tells what it means.
    fn turn(&self, name: &str, found: Found<Live, Refusal>, tell: &UnboundedSender<Change>) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let before = slots.remove(name);
        let after = slot::next(before, found);
        self.put(&mut slots, name, after, tell);
    }

    /// Puts another slot in the place of a plugin's, if there is one to put.
    fn turn_with(
        &self,
        name: &str,
        tell: &UnboundedSender<Change>,
        next: impl FnOnce(&PluginSlot) -> Option<PluginSlot>,
    ) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(after) = slots.get(name).and_then(next) {
            self.put(&mut slots, name, Some(after), tell);
        }
    }

    fn put(
        &self,
        slots: &mut BTreeMap<String, PluginSlot>,
        name: &str,
        after: Option<PluginSlot>,
        tell: &UnboundedSender<Change>,
    ) {
        let grant = (self.granting().grants)(name);
        let change = change(name, after.as_ref(), grant.ordered_by.clone());
        match &after {
            Some(slot) => say(&standing(name, slot, &grant)),
            None => {
                self.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
                tracing::info!(plugin = %name, "{name}: its file is gone; its deliveries wait for it");
            }
        }
        if let Some(slot) = after {
            slots.insert(name.to_owned(), slot);
        }
        let _ = tell.send(change);
    }
}

fn change(name: &str, slot: Option<&PluginSlot>, ordered_by: Option<Arc<str>>) -> Change {
    let plugin = name.to_owned();
    match slot {
        None => Change::Gone { plugin },
        Some(Slot::Live(live) | Slot::Stale { live, .. }) => {
            let patterns = live.plugin.manifest.subscriptions.clone();
            Change::Runs { plugin, patterns, ordered_by, calls_at_once: live.calls_at_once }
        }
        Some(Slot::Broken(refused)) => {
            let patterns = refused.blocked.as_ref().map(|manifest| manifest.subscriptions.clone());
            Change::Waits { plugin, patterns, ordered_by }
        }
    }
}
