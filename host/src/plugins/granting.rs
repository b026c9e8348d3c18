//! What a plugin's code may do is what it asked for and was granted both; and that can change while it runs.

use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::grant::lacking;
use super::{Calls, Change, Grant, Live, Loads, PluginSlot, Plugins, Refusal, Slot, Trust, Trusted};
use crate::outbound::Hosts;
use crate::runtime::{Generation, Manifest, Plugin, Powers};

/// What is granted: to whom, and to which files.
pub struct Granting {
    /// What a plugin's section of the config grants, by its name.
    pub grants: Box<dyn Fn(&str) -> Grant + Send + Sync>,
    /// Which files are taken for plugins.
    pub trust: Trust,
}

/// Makes a plugin of code, under a name, with powers and limits.
type Make<'a> = Box<dyn FnOnce(&str, Powers, &Calls) -> Plugin + 'a>;

/// Code that can be granted something: just loaded, or what runs already.
pub(super) struct Code<'a> {
    pub manifest: &'a Manifest,
    pub generation: Generation,
    pub make: Make<'a>,
}

impl Plugins {
    /// Grants anew. What runs goes on with what it is granted now, or not at all; files that were refused for what the config
    /// said are looked at again.
    pub async fn grant_anew(
        self: &Arc<Self>,
        granting: Granting,
        tell: &UnboundedSender<Change>,
    ) -> std::io::Result<Loads> {
        *self.granting.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(granting);
        for name in self.named(|slot| slot.live().is_some()) {
            self.regrant(&name, tell);
        }
        // What just stopped since nobody vouches for it any more may have another who does.
        let waiting = self.named(|slot| slot.refused().is_some_and(Refusal::is_of_the_config));
        let mut folder = self.folder.lock().await;
        waiting.iter().for_each(|name| folder.forget(name));
        drop(folder);
        self.scan(tell).await
    }

    fn named(&self, is_meant: impl Fn(&PluginSlot) -> bool) -> Vec<String> {
        self.slots().iter().filter(|(_, slot)| is_meant(slot)).map(|(name, _)| name.clone()).collect()
    }

    /// Has what runs of a plugin go on with what it is granted now.
    pub(super) fn regrant(&self, name: &str, tell: &UnboundedSender<Change>) {
        let granting = self.granting();
        let grant = (granting.grants)(name);
        self.turn_with(name, tell, |slot| {
            let live = slot.live()?;
            let plugin = &live.plugin;
            let trusted = granting.trust.holds(name, plugin.generation, &live.trusted, &grant);
            if trusted.is_ok() && live.grant == grant {
                return None;
            }
            let again = match trusted {
                Ok(()) => {
                    let make = |_: &str, powers, calls: &Calls| {
                        plugin.granted_anew(powers, calls.each.clone(), calls.per_instance)
                    };
                    let code = Code { manifest: &plugin.manifest, generation: plugin.generation, make: Box::new(make) };
                    self.granted(name, code, &grant, live.trusted.clone())
                }
                Err(why) => Err(Refusal { untrusted: true, ..Refusal::new(plugin.generation, why) }),
            };
            Some(match (again, slot.refused()) {
                (Ok(live), None) => Slot::Live(live),
                (Ok(live), Some(refused)) => Slot::Stale { live, refused: refused.clone() },
                // Not even what ran before may run with less than it needs.
                (Err(refused), _) => Slot::Broken(refused),
            })
        });
    }

    /// What counts is what was asked for and granted both.
    pub(super) fn granted(&self, name: &str, code: Code<'_>, grant: &Grant, trusted: Trusted) -> Result<Live, Refusal> {
        let Code { manifest, generation, .. } = code;
        if let Some(why) = lacking(name, manifest, grant) {
            return Err(Refusal { blocked: Some(Box::new(manifest.clone())), ..Refusal::new(generation, why) });
        }
        let plugin = Arc::new((code.make)(name, self.powers(name, manifest, grant), &grant.calls));
        if plugin.is_command() && grant.calls.per_instance > 1 {
            tracing::warn!(plugin = %name, "{name} is a command, whose main runs once: each call gets a fresh instance");
        }
        Ok(Live { plugin, calls_at_once: grant.calls.at_once, grant: grant.clone(), trusted })
    }

    fn powers(&self, name: &str, manifest: &Manifest, grant: &Grant) -> Powers {
        grant.powers(manifest, self.hosts(name, manifest, grant), self.memory.clone())
    }

    /// The same as before, with the connections that there are, where nothing of it changed.
    fn hosts(&self, name: &str, manifest: &Manifest, grant: &Grant) -> Arc<Hosts> {
        let asked: Vec<_> = manifest.hosts.iter().map(|ask| ask.host.clone()).collect();
        let mut known = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((granted, before, hosts)) = known.get(name)
            && (granted, before) == (&grant.hosts, &asked)
        {
            return hosts.clone();
        }
        let hosts = Hosts::new(&self.outbound, name, asked.clone(), &grant.hosts);
        known.insert(name.to_owned(), (grant.hosts.clone(), asked, hosts.clone()));
        hosts
    }
}
