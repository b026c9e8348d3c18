//! What a call wants kept if it ends well: the leaf that the runtime fills in and the queue commits with the outcome.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::event::{Pattern, TraceParent, UnixMs, attributes_bytes};

/// Everything that a call did to what outlives it.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Effects {
    /// What it read of its state, as it was then: what it writes follows from that.
    pub reads: Vec<Read>,
    /// What it wrote, by key; nothing where it removed the key.
    pub writes: BTreeMap<String, Option<Value>>,
    /// The events that it made.
    pub emitted: Vec<Emitted>,
    /// How much the plugin may remember.
    pub quota: Quota,
    /// How many plugins stand between these events and the request that began it all.
    pub depth: u32,
    /// What these events stand under in a trace.
    pub trace: Option<TraceParent>,
}

impl Effects {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.emitted.is_empty()
    }

    /// How many things there are to compare and to write.
    pub fn steps(&self) -> usize {
        self.reads.len() + self.writes.len() + self.emitted.len()
    }

    /// About how much there is to write, in bytes.
    pub fn bytes(&self) -> usize {
        let values =
            self.writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |value| value.bytes.len()));
        values.sum::<usize>() + self.emitted.iter().map(Emitted::bytes).sum::<usize>()
    }
}

/// Something that a call read, with what it saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// The value of a key.
    Key {
        /// Which.
        key: String,
        /// Its value; nothing where it was not there.
        seen: Option<Value>,
    },
    /// The keys with a prefix.
    Keys {
        /// What they were asked for by.
        range: Range,
        /// All that were found.
        seen: Vec<String>,
    },
}

/// Some keys, in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// What they begin with.
    pub prefix: String,
    /// Only those that come after this one.
    pub after: Option<String>,
    /// The most of them.
    pub limit: usize,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The plugin's bytes.
    pub bytes: Bytes,
    /// From when on it is not there any more.
    pub expires_ms: Option<UnixMs>,
}

/// An event that a plugin made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// What happened, in the plugin's words.
    pub event_type: String,
    /// What the plugin says of it, by name.
    pub attributes: Vec<(String, String)>,
    /// The body.
    pub payload: Bytes,
}

impl Emitted {
    /// How much there is of it, in bytes.
    pub fn bytes(&self) -> usize {
        self.event_type.len() + attributes_bytes(&self.attributes) + self.payload.len()
    }
}

/// How much of something a plugin may keep.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Of keys and values together, in bytes.
    pub bytes: u64,
    /// Of keys.
    pub keys: u64,
}

impl Quota {
    /// Whether so much fits.
    pub fn holds(&self, used: Quota) -> bool {
        used.bytes <= self.bytes && used.keys <= self.keys
    }
}

/// What plugins remember, to be read while one runs.
pub trait Memory: Send + Sync {
    /// The value of a plugin's key at a time. The error is a sentence.
    fn get(&self, plugin: &str, key: &str, now_ms: UnixMs) -> Result<Option<Value>, String>;

    /// A plugin's keys in a range at a time. The error is a sentence.
    fn keys(&self, plugin: &str, range: &Range, now_ms: UnixMs) -> Result<Vec<String>, String>;

    /// How much a plugin keeps. The error is a sentence.
    fn used(&self, plugin: &str) -> Result<Quota, String>;
}

/// A memory with nothing in it, for calls whose effects nobody keeps.
pub struct Blank;

impl Memory for Blank {
    fn get(&self, _: &str, _: &str, _: UnixMs) -> Result<Option<Value>, String> {
        Ok(None)
    }

    fn keys(&self, _: &str, _: &Range, _: UnixMs) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    fn used(&self, _: &str) -> Result<Quota, String> {
        Ok(Quota::default())
    }
}

/// The provider of events that plugins make, as subscriptions name it: `plugin:video.*`.
pub const PLUGIN: &str = "plugin";

/// The attribute that says how many plugins stand between an event and the request that began it all.
pub const DEPTH: &str = "emitted.depth";

/// The attribute that names the event that a plugin was handling when it made this one.
pub const CAUSE: &str = "emitted.by";

/// How many plugins stand between an event and the request that began it all.
pub fn depth(attributes: &[(String, String)]) -> u32 {
    let said = attributes.iter().find(|(name, _)| name == DEPTH);
    said.and_then(|(_, depth)| depth.parse().ok()).unwrap_or(0)
}

/// Whether a plugin that asked for these and was granted those may emit a type.
pub fn may_emit(asked: &[Pattern], granted: &[Pattern], event_type: &str) -> bool {
    let among = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches("", "", event_type));
    among(asked) && among(granted)
}
