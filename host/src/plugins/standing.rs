//! How a plugin stands, for people.

use super::{Asked, Grant, PluginSlot, Refusal, Slot, asked};
use crate::event::{Pattern, UnixMs, rfc3339};

/// How a plugin stands, for people.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// `live`, `stale`, `broken` or `blocked`; `compiling` before it was any of these, `gone` where its file is.
    pub slot: &'static str,
    /// Whether a file is being compiled for it. What runs goes on meanwhile.
    pub compiling: bool,
    /// Which code runs; which does not, where none runs.
    pub generation: String,
    /// What it calls its version.
    pub version: String,
    /// Which events it wants.
    pub subscriptions: Vec<String>,
    /// Why its file does not run.
    pub why: Option<String>,
    /// What it asks for, and what of it it has.
    pub asks: Vec<Asked>,
    /// Whether it answers senders.
    pub answers: bool,
}

impl Standing {
    /// A plugin of which nothing is known yet.
    pub(super) fn compiling(name: &str) -> Standing {
        Standing { compiling: true, ..Standing::nothing(name, "compiling") }
    }

    /// A plugin whose file is gone, and whose subscriptions are kept.
    pub fn gone(name: &str, since_ms: UnixMs, subscriptions: Vec<String>) -> Standing {
        let since = rfc3339(since_ms);
        let why =
            format!("its file is gone since {since}: what comes for it waits, until keep_subscriptions_s is over");
        Standing { subscriptions, why: Some(why), ..Standing::nothing(name, "gone") }
    }

    fn nothing(name: &str, slot: &'static str) -> Standing {
        Standing {
            name: name.to_owned(),
            slot,
            compiling: false,
            generation: String::new(),
            version: String::new(),
            subscriptions: Vec::new(),
            why: None,
            asks: Vec::new(),
            answers: false,
        }
    }
}

pub(super) fn standing(name: &str, slot: &PluginSlot, grant: &Grant) -> Standing {
    let manifest = slot.live().map(|live| &live.plugin.manifest);
    let manifest = manifest.or_else(|| slot.refused()?.blocked.as_deref());
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
        compiling: false,
        generation: generation.map(|generation| generation.to_string()).unwrap_or_default(),
        version: manifest.map(|manifest| manifest.version.clone()).unwrap_or_default(),
        subscriptions: manifest
            .map(|manifest| manifest.subscriptions.iter().map(Pattern::to_string).collect())
            .unwrap_or_default(),
        why: slot.refused().map(|refused| refused.why.clone()),
        asks: manifest.map(|manifest| asked(name, manifest, grant)).unwrap_or_default(),
        answers: slot.live().is_some_and(|live| live.plugin.answers()),
    }
}

/// Tells how it stands.
pub(super) fn say(standing: &Standing) {
    let Standing { name, slot, generation, subscriptions, why, asks, .. } = standing;
    match why {
        None => {
            let has = said(asks.iter().filter(|asked| asked.granted && asked.what != "setting"), "; may use ");
            let lacks =
                said(asks.iter().filter(|asked| !asked.granted && asked.what != "setting"), "; was not granted ");
            let wants = subscriptions.join(", ");
            let wants = if wants.is_empty() { String::new() } else { format!(", wants {wants}") };
            tracing::info!(plugin = %name, "{name} is live: {generation}{wants}{has}{lacks}")
        }
        Some(why) => tracing::warn!(plugin = %name, "{name} is {slot}: {why}"),
    }
}

fn said<'a>(asked: impl Iterator<Item = &'a Asked>, before: &str) -> String {
    let said: Vec<String> = asked.map(Asked::to_string).collect();
    if said.is_empty() { String::new() } else { format!("{before}{}", said.join(", ")) }
}
