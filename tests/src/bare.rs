//! A plugin without a gateway: the runtime alone, called as dispatch calls it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hookgate::config::DEFAULT_CALLS;
use hookgate::event::{Event, EventId};
use hookgate::runtime::{
    CallLimits, Called, CompileLimits, Compiler, EngineLimits, Level, Plugin, Powers, Refused, Runtime,
};

use crate::process::from_environment;

/// A plugin that was loaded by itself.
pub struct Bare {
    runtime: Arc<Runtime>,
    plugin: Plugin,
}

/// Those of the gateway, but for more time: the slowest engine takes seconds to look at a mebibyte byte by byte.
const LIMITS: CallLimits =
    CallLimits { cpu: Duration::from_secs(30), wall: Duration::from_secs(300), ..DEFAULT_CALLS.each };

/// The compiled code of what was loaded before stays from run to run: a script's interpreter takes long to compile.
fn runtime() -> Arc<Runtime> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    RUNTIME.get_or_init(|| runtime_of(16)).clone()
}

/// A runtime of its own, for so many instances.
pub fn runtime_of(instances: usize) -> Arc<Runtime> {
    Runtime::new(EngineLimits {
        memory_bytes: LIMITS.memory_bytes,
        instances,
        plugin_bytes: 64 << 20,
        cache_folder: Some(from_environment("HOOKGATE_SAMPLES").join("compiled")),
        compiler: Compiler::Child(from_environment("HOOKGATE_BIN")),
        compile: CompileLimits::default(),
    })
    .unwrap()
}

impl Bare {
    /// Loads a plugin, with these settings beside its defaults. Each call meets a fresh instance.
    pub fn load(bytes: Vec<u8>, settings: &[(&str, &str)]) -> Result<Bare, Refused> {
        Bare::load_reusing(bytes, settings, 1)
    }

    /// The same, where an instance serves several calls.
    pub fn load_reusing(bytes: Vec<u8>, settings: &[(&str, &str)], per_instance: u32) -> Result<Bare, Refused> {
        Bare::load_on(runtime(), bytes, settings, per_instance)
    }

    /// The same on a runtime of the caller's.
    pub fn load_on(
        runtime: Arc<Runtime>,
        bytes: Vec<u8>,
        settings: &[(&str, &str)],
        per_instance: u32,
    ) -> Result<Bare, Refused> {
        let loaded = runtime.threads().block_on(runtime.load(bytes, &LIMITS, || {}))?;
        let defaults = loaded.manifest.settings.iter().filter_map(|ask| Some((ask.key.clone(), ask.default.clone()?)));
        let granted = settings.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let settings: BTreeMap<String, String> = defaults.chain(granted).collect();
        let plugin = loaded.grant("bare", Powers::only_settings("bare", settings), LIMITS, per_instance);
        Ok(Bare { runtime, plugin })
    }

    /// What it says of itself, and how it is called.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// Calls it with an event.
    pub fn call(&self, event: &Event) -> Called {
        self.runtime.threads().block_on(self.runtime.call(&self.plugin, event, 2, |_| {}))
    }
}

/// An event of a provider and type, with a body and no attributes.
pub fn event(provider: &str, event_type: &str, payload: impl Into<Vec<u8>>) -> Event {
    Event {
        id: EventId::next(EventId::from_i64(0), 1_767_225_600_123, 7),
        source: "studio".into(),
        provider: provider.into(),
        event_type: event_type.into(),
        received_at_ms: 1_767_225_600_123,
        received: None,
        attributes: Vec::new(),
        payload: payload.into().into(),
        trace: None,
    }
}

/// The lines of a call as `level: message`.
pub fn lines(called: &Called) -> Vec<String> {
    let level = |level| match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    called.lines.iter().map(|line| format!("{}: {}", level(line.level), line.message)).collect()
}
