//! From the bytes of a file to a plugin, from the cheapest check to the dearest.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::bindings::PluginPre;
use super::bindings::exports::hookgate::plugin::handler::{Ask, Manifest as Described};
use super::cache::Cache;
use super::guest::Guest;
use super::{CallLimits, Generation, Manifest, Plugin, Runtime, SettingAsk, wasm};
use crate::event::Pattern;

/// The contract that this gateway speaks, as it stands in a plugin's export.
const HANDLER: &str = "hookgate:plugin/handler@0.1.0";
const HANDLER_ANY: &str = "hookgate:plugin/handler@";

/// What starts the names of all that can be imported.
const OFFERED: [&str; 10] = [
    "hookgate:plugin/log@0.1.",
    "hookgate:plugin/settings@0.1.",
    "hookgate:plugin/clock@0.1.",
    "hookgate:plugin/random@0.1.",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// The most subscriptions and asks of a plugin, and the longest text of each, in bytes.
const LIST: usize = 256;
const TEXT_BYTES: usize = 1024;

/// Why a file is no plugin, in a sentence for its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// A plugin's code and what it says of itself, before anything is granted.
pub struct Loaded {
    /// What it says of itself.
    pub manifest: Manifest,
    generation: Generation,
    pre: PluginPre<Guest>,
}

impl Loaded {
    /// Makes it callable under a name, with these settings and limits.
    pub fn grant(self, name: &str, settings: BTreeMap<String, String>, limits: CallLimits) -> Plugin {
        Plugin {
            name: name.into(),
            manifest: self.manifest,
            generation: self.generation,
            limits,
            settings: Arc::new(settings),
            pre: self.pre,
        }
    }
}

impl Runtime {
    /// Makes a plugin of a file's bytes. `limits` hold for its `describe`.
    pub async fn load(&self, bytes: Vec<u8>, limits: &CallLimits) -> Result<Loaded, Refused> {
        let most = self.limits.plugin_bytes;
        if bytes.len() > most {
            return Err(Refused(format!(
                "the file has {} bytes, more than the {most} that plugin_bytes allows",
                bytes.len()
            )));
        }
        let (engine, cache_folder) = (self.engine.clone(), self.limits.cache_folder.clone());
        let compiling = self.threads().spawn_blocking(move || {
            let cache = cache_folder.and_then(|folder| Cache::open(&folder));
            compile(&engine, bytes, cache.as_ref())
        });
        let (generation, component) = compiling.await.map_err(|_| Refused("compiling it failed".into()))??;
        check_exports(&self.engine, &component)?;
        check_imports(&self.engine, &component)?;
        let pre = self.linker.instantiate_pre(&component).and_then(PluginPre::new);
        let pre = pre.map_err(|error| Refused(format!("it does not fit {HANDLER}: {}", first_line(&error))))?;
        let described = self.describe(&pre, limits).await?;
        Ok(Loaded { manifest: check_manifest(described)?, generation, pre })
    }
}

fn compile(engine: &Engine, bytes: Vec<u8>, cache: Option<&Cache>) -> Result<(Generation, Component), Refused> {
    let generation = Generation::of(&bytes);
    let bytes = wasm::component(bytes).map_err(Refused)?;
    let compiled = match cache {
        Some(cache) => cache.component(engine, generation, &bytes),
        None => Component::from_binary(engine, &bytes),
    };
    let component = compiled.map_err(|error| Refused(format!("it cannot be compiled: {}", first_line(&error))))?;
    Ok((generation, component))
}

fn check_exports(engine: &Engine, component: &Component) -> Result<(), Refused> {
    let names: Vec<String> = component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect();
    if names.iter().any(|name| name.starts_with("hookgate:plugin/handler@0.1.")) {
        return Ok(());
    }
    let told = match names.iter().find(|name| name.starts_with(HANDLER_ANY)) {
        Some(other) => {
            format!("it speaks {other}, and this gateway speaks {HANDLER}: build it with the SDK of this version")
        }
        None if names.is_empty() => format!("it exports nothing, and a plugin exports {HANDLER}"),
        None => format!("it exports {}, and a plugin exports {HANDLER}", names.join(", ")),
    };
    Err(Refused(told))
}

fn check_imports(engine: &Engine, component: &Component) -> Result<(), Refused> {
    let ty = component.component_type();
    let unknown: Vec<&str> = ty
        .imports(engine)
        .map(|(name, _)| name)
        .filter(|name| !OFFERED.iter().any(|known| name.starts_with(known)))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refused(format!("it imports {}, which this gateway does not offer", unknown.join(", "))))
}

/// Checks what a plugin says of itself.
fn check_manifest(described: Described) -> Result<Manifest, Refused> {
    let too_long = |text: &String| text.len() > TEXT_BYTES || text.chars().any(char::is_control);
    if described.subscriptions.is_empty() {
        return Err(Refused("its describe gives no subscription, so it would never run".into()));
    }
    if described.subscriptions.len() > LIST || described.asks.len() > LIST {
        return Err(Refused(format!("its describe gives more than {LIST} subscriptions or asks")));
    }
    if [&described.name, &described.version].into_iter().any(too_long) {
        return Err(Refused(format!(
            "its describe gives a name or version of more than {TEXT_BYTES} bytes or with control characters"
        )));
    }
    let subscriptions: Result<Vec<Pattern>, _> = described.subscriptions.iter().map(|text| text.parse()).collect();
    let settings: Result<Vec<SettingAsk>, _> = described.asks.into_iter().map(check_ask).collect();
    Ok(Manifest {
        name: described.name,
        version: described.version,
        subscriptions: subscriptions
            .map_err(|error| Refused(format!("its describe gives a wrong subscription: {error}")))?,
        settings: settings?,
    })
}

fn check_ask(ask: Ask) -> Result<SettingAsk, Refused> {
    if ask.what != "setting" {
        let (what, name) = (ask.what.escape_debug(), ask.name.escape_debug());
        return Err(Refused(format!("it asks for {what} {name}, and this gateway can grant settings only")));
    }
    if ask.name.is_empty() || ask.name.len() > TEXT_BYTES || ask.name.chars().any(char::is_control) {
        return Err(Refused("it asks for a setting whose key is empty, too long or not text".into()));
    }
    let detail = |name: &str| ask.detail.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let about = detail("about").unwrap_or_default().replace(char::is_control, " ");
    let default = detail("default");
    Ok(SettingAsk { key: ask.name, about, default })
}

/// The cause of an error in one line.
pub(super) fn first_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(512).collect()
}
