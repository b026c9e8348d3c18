//! What a plugin may do beside handling an event: remember, ask the web, make events. Each bit of it was asked for and granted.
//!
//! What a call does to what outlives it gathers in a [`Draft`], and is kept only if the call ends well.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use wasmtime::component::Linker;

use super::bindings::hookgate::plugin::errors::{Error, Kind};
use super::bindings::hookgate::plugin::{errors, events, state};
use super::guest::Guest;
use crate::effects::{Blank, DEPTH, Effects, Emitted, Memory, Quota, Range, Read, Value, may_emit};
use crate::event::{Pattern, RESERVED, TYPE_BYTES, now_ms};
use crate::outbound::Hosts;
use crate::pace::Pace;

/// What a plugin may do: what it asked for and was granted both.
#[derive(Clone)]
pub struct Powers {
    /// What `settings.get` gives it.
    pub settings: Arc<BTreeMap<String, String>>,
    /// Whom it may ask.
    pub hosts: Arc<Hosts>,
    /// How much it may remember, if anything.
    pub state: Option<Quota>,
    /// What it remembers.
    pub memory: Arc<dyn Memory>,
    /// The types of events that it asked to make.
    pub asked_to_emit: Vec<Pattern>,
    /// The types of events that it may make.
    pub may_emit: Vec<Pattern>,
    /// How many of them there are in a minute.
    pub emit_pace: Arc<Pace>,
    /// How many bytes of state and events it may write in a minute.
    pub write_pace: Arc<Pace>,
}

impl Powers {
    /// Nothing but settings, for a plugin of this name.
    pub fn only_settings(plugin: &str, settings: BTreeMap<String, String>) -> Powers {
        Powers {
            settings: Arc::new(settings),
            hosts: Hosts::none(plugin),
            state: None,
            memory: Arc::new(Blank),
            asked_to_emit: Vec::new(),
            may_emit: Vec::new(),
            emit_pace: Arc::new(Pace::new(0)),
            write_pace: Arc::new(Pace::new(0)),
        }
    }
}

/// The longest key, in bytes, and the largest value.
const KEY_BYTES: usize = 512;
const VALUE_BYTES: usize = 1 << 20;

/// The most keys that one look gives.
const KEYS_AT_ONCE: u32 = 1000;

/// The most that one call may read of its state, and write, by number: what it read is compared when it is kept.
const READS: usize = 2_000;
const WRITTEN_BYTES: usize = 2 << 20;
const RANGES: usize = 20;
const READ_BYTES: usize = 16 << 20;
const WRITES: usize = 2_000;

/// The most events that one call makes, the largest of them, and the most attributes of one.
const EMITTED: usize = 100;
const EMITTED_BYTES: usize = 1 << 20;
const ATTRIBUTES: usize = 64;
const ATTRIBUTE_BYTES: usize = 1024;

/// How many plugins may stand between an event and the request that began it all.
const DEPTH_MOST: u32 = 8;

/// What one call did, so far.
#[derive(Default)]
pub(super) struct Draft {
    /// The plugin's name and the event that it handles.
    plugin: String,
    event: String,
    /// How many plugins stand between this event and the request that began it all.
    depth: u32,
    read: BTreeMap<String, Option<Value>>,
    ranges: Vec<(Range, Vec<String>)>,
    writes: BTreeMap<String, Option<Value>>,
    /// How much is kept if this is, once it wrote something.
    used: Option<Quota>,
    read_bytes: usize,
    written_bytes: usize,
    emitted: Vec<Emitted>,
    emitted_bytes: usize,
}

impl Draft {
    /// For a call of a plugin with an event.
    pub fn new(plugin: &str, event: String, depth: u32) -> Draft {
        Draft { plugin: plugin.to_owned(), event, depth, ..Draft::default() }
    }

    /// The id of the event.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Counts what was read, which the host holds until the call ends.
    fn note_read(&mut self, bytes: usize) -> Result<(), Error> {
        self.read_bytes += bytes;
        if self.read_bytes > READ_BYTES {
            return Err(error(Kind::Limit, format!("one call may read at most {READ_BYTES} bytes of its state")));
        }
        Ok(())
    }

    /// What is to be kept of it.
    pub fn effects(self, quota: Option<Quota>) -> Effects {
        let keys = self.read.into_iter().map(|(key, seen)| Read::Key { key, seen });
        let ranges = self.ranges.into_iter().map(|(range, seen)| Read::Keys { range, seen });
        Effects {
            reads: keys.chain(ranges).collect(),
            writes: self.writes,
            emitted: self.emitted,
            quota: quota.unwrap_or_default(),
            depth: self.depth.saturating_add(1),
            trace: None,
        }
    }
}

pub(super) fn error(kind: Kind, why: impl Into<String>) -> Error {
    Error { kind, why: why.into() }
}

impl errors::Host for Guest {}

impl Guest {
    fn quota(&self) -> Result<Quota, Error> {
        let told = || {
            let plugin = &self.draft.plugin;
            error(
                Kind::Denied,
                format!("state was not asked for or not granted: write state = true under [plugins.{plugin}]"),
            )
        };
        self.powers.state.ok_or_else(told)
    }

    /// The value of a key as this call sees it, noted as read.
    fn look(&mut self, key: &str) -> Result<Option<Value>, Error> {
        self.quota()?;
        check_key(key)?;
        let now = now_ms();
        if let Some(written) = self.draft.writes.get(key) {
            let there = written.as_ref().filter(|value| value.expires_ms.is_none_or(|at| at > now));
            return Ok(there.cloned());
        }
        let reads = self.draft.read.len();
        match self.draft.read.entry(key.to_owned()) {
            Entry::Occupied(seen) => Ok(seen.get().clone()),
            Entry::Vacant(_) if reads >= READS => Err(too_many("read", READS)),
            Entry::Vacant(unseen) => {
                let found = self.powers.memory.get(&self.draft.plugin, key, now);
                let found = found.map_err(|why| error(Kind::Failed, why))?;
                self.draft.read_bytes += found.as_ref().map_or(0, |value| value.bytes.len());
                if self.draft.read_bytes > READ_BYTES {
                    return Err(error(
                        Kind::Limit,
                        format!("one call may read at most {READ_BYTES} bytes of its state"),
                    ));
                }
                Ok(unseen.insert(found).clone())
            }
        }
    }

    fn write(&mut self, key: String, value: Option<Value>) -> Result<(), Error> {
        let quota = self.quota()?;
        check_key(&key)?;
        let (length, is_there) = (value.as_ref().map_or(0, |value| value.bytes.len()), value.is_some());
        if length > VALUE_BYTES {
            return Err(error(Kind::Limit, format!("a value of {length} bytes, and {VALUE_BYTES} is the most")));
        }
        if self.draft.writes.len() >= WRITES && !self.draft.writes.contains_key(&key) {
            return Err(too_many("write", WRITES));
        }
        let written = self.draft.written_bytes + key.len() + length;
        if written > WRITTEN_BYTES {
            return Err(error(Kind::Limit, format!("one call may write at most {WRITTEN_BYTES} bytes of its state")));
        }
        // Before the database is asked: who is over the pace costs nobody anything.
        self.pay_for(key.len() + length)?;
        let used = self.would_use(&key, value.as_ref())?;
        // Removing always fits, even where others have filled it meanwhile.
        if is_there && !quota.holds(used) {
            let Quota { bytes, keys } = quota;
            return Err(error(Kind::Limit, format!("it may remember {bytes} bytes under {keys} keys, and no more")));
        }
        self.draft.written_bytes = written;
        self.draft.used = Some(used);
        self.draft.writes.insert(key, value);
        Ok(())
    }

    /// What is written to disk delays those who wait for it: nobody writes as fast as the disk can.
    fn pay_for(&self, bytes: usize) -> Result<(), Error> {
        if self.powers.write_pace.take(bytes as u64) {
            return Ok(());
        }
        let mib = self.powers.write_pace.per_minute() >> 20;
        Err(error(Kind::Busy, format!("more than {mib} MiB of state and events in a minute (write_mib_per_minute)")))
    }

    /// How much would be kept if all that this call wrote were, with this key as it would be now.
    fn would_use(&mut self, key: &str, value: Option<&Value>) -> Result<Quota, Error> {
        let failed = |why| error(Kind::Failed, why);
        let (memory, plugin) = (&self.powers.memory, &self.draft.plugin);
        let mut used = match self.draft.used {
            Some(used) => used,
            None => memory.used(plugin).map_err(failed)?,
        };
        // What this takes the place of: what the call wrote before, or what is kept.
        let before = match (self.draft.writes.get(key), self.draft.read.get(key)) {
            (Some(written), _) => written.clone(),
            (None, Some(seen)) => seen.clone(),
            (None, None) => memory.get(plugin, key, now_ms()).map_err(failed)?,
        };
        if let Some(before) = before {
            used.keys = used.keys.saturating_sub(1);
            used.bytes = used.bytes.saturating_sub((key.len() + before.bytes.len()) as u64);
        }
        if let Some(value) = value {
            used.keys += 1;
            used.bytes += (key.len() + value.bytes.len()) as u64;
        }
        Ok(used)
    }
}

fn too_many(what: &str, most: usize) -> Error {
    error(Kind::Limit, format!("one call may {what} at most {most} keys"))
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(error(Kind::Invalid, format!("a key has 1 to {KEY_BYTES} bytes, and this has {}", key.len())));
    }
    Ok(())
}

fn value(bytes: Vec<u8>, keep_ms: Option<u64>) -> Option<Value> {
    Some(Value { bytes: bytes.into(), expires_ms: keep_ms.map(|keep| now_ms().saturating_add(keep)) })
}

impl state::Host for Guest {
    fn get(&mut self, key: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.look(&key)?.map(|value| value.bytes.to_vec()))
    }

    fn set(&mut self, key: String, bytes: Vec<u8>, keep_ms: Option<u64>) -> Result<(), Error> {
        self.write(key, value(bytes, keep_ms))
    }

    fn delete(&mut self, key: String) -> Result<(), Error> {
        self.write(key, None)
    }

    fn keys(&mut self, prefix: String, after: Option<String>, limit: u32) -> Result<Vec<String>, Error> {
        self.quota()?;
        if self.draft.ranges.len() >= RANGES {
            return Err(error(Kind::Limit, format!("one call may ask for keys at most {RANGES} times")));
        }
        let limit = limit.min(KEYS_AT_ONCE) as usize;
        // As many more as this call may have removed of them.
        let range = Range { prefix, after, limit: limit + self.draft.writes.len() };
        let now = now_ms();
        let found = self.powers.memory.keys(&self.draft.plugin, &range, now);
        let found = found.map_err(|why| error(Kind::Failed, why))?;
        self.draft.note_read(found.iter().map(String::len).sum())?;
        let is_written = |key: &String| self.draft.writes.contains_key(key);
        let mut keys: Vec<String> = found.iter().filter(|key| !is_written(key)).cloned().collect();
        let is_there =
            |value: &Option<Value>| value.as_ref().is_some_and(|value| value.expires_ms.is_none_or(|at| at > now));
        let within =
            |key: &&String| key.starts_with(&range.prefix) && range.after.as_ref().is_none_or(|after| *key > after);
        keys.extend(
            self.draft.writes.iter().filter(|(_, value)| is_there(value)).map(|(key, _)| key).filter(within).cloned(),
        );
        keys.sort();
        keys.truncate(limit);
        self.draft.ranges.push((range, found));
        Ok(keys)
    }

    fn increment(&mut self, key: String, by: i64) -> Result<i64, Error> {
        let before = self.look(&key)?;
        let number = match &before {
            None => Some(0),
            Some(value) => std::str::from_utf8(&value.bytes).ok().and_then(|text| text.parse::<i64>().ok()),
        };
        let number = number.ok_or_else(|| error(Kind::Invalid, "what stands under this key is no number"))?;
        let sum = number.checked_add(by).ok_or_else(|| error(Kind::Invalid, "the sum is out of range"))?;
        let expires_ms = before.and_then(|value| value.expires_ms);
        self.write(key, Some(Value { bytes: sum.to_string().into(), expires_ms }))?;
        Ok(sum)
    }

    fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        bytes: Vec<u8>,
        keep_ms: Option<u64>,
    ) -> Result<bool, Error> {
        let there = self.look(&key)?;
        if there.as_ref().map(|value| &*value.bytes) != expected.as_deref() {
            return Ok(false);
        }
        self.write(key, value(bytes, keep_ms))?;
        Ok(true)
    }
}

impl events::Host for Guest {
    fn emit(&mut self, event_type: String, payload: Vec<u8>, attributes: Vec<(String, String)>) -> Result<(), Error> {
        let Powers { asked_to_emit, may_emit: granted, .. } = &*self.powers;
        let plugin = &self.draft.plugin;
        if !may_emit(asked_to_emit, granted, &event_type) {
            let told: String = event_type.chars().take(TYPE_BYTES).collect();
            let told = format!(
                "events of type {told:?} were not asked for or not granted: emit = [...] under [plugins.{plugin}]"
            );
            return Err(error(Kind::Denied, told));
        }
        check_emitted(&event_type, &attributes)?;
        if self.draft.depth >= DEPTH_MOST {
            let told = format!(
                "{DEPTH_MOST} plugins have made events of each other's already ({DEPTH}): this looks like a loop"
            );
            return Err(error(Kind::Limit, told));
        }
        let emitted = Emitted { event_type, attributes, payload: payload.into() };
        let bytes = self.draft.emitted_bytes + emitted.bytes();
        if self.draft.emitted.len() >= EMITTED || bytes > EMITTED_BYTES {
            let told = format!("one call makes at most {EMITTED} events, of {EMITTED_BYTES} bytes together");
            return Err(error(Kind::Limit, told));
        }
        self.pay_for(emitted.bytes())?;
        if !self.powers.emit_pace.take(1) {
            let most = self.powers.emit_pace.per_minute();
            return Err(error(Kind::Busy, format!("more than {most} events in a minute (emit_per_minute)")));
        }
        self.draft.emitted_bytes = bytes;
        self.draft.emitted.push(emitted);
        Ok(())
    }
}

fn check_emitted(event_type: &str, attributes: &[(String, String)]) -> Result<(), Error> {
    let odd = event_type.chars().any(|c| c.is_whitespace() || c.is_control());
    if odd || event_type.is_empty() || event_type.len() > TYPE_BYTES {
        return Err(error(Kind::Invalid, format!("an event's type is a word of at most {TYPE_BYTES} bytes")));
    }
    let too_long = |(name, value): &(String, String)| name.is_empty() || name.len() + value.len() > ATTRIBUTE_BYTES;
    if attributes.len() > ATTRIBUTES || attributes.iter().any(too_long) {
        let told = format!(
            "an event has at most {ATTRIBUTES} attributes of at most {ATTRIBUTE_BYTES} bytes, each with a name"
        );
        return Err(error(Kind::Limit, told));
    }
    let mut names: Vec<&str> = attributes.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(error(Kind::Invalid, "an attribute has one value: a name appears twice"));
    }
    if names.iter().any(|name| name.starts_with(RESERVED)) {
        return Err(error(Kind::Invalid, format!("attributes that begin with {RESERVED} are the gateway's own")));
    }
    Ok(())
}

/// Offers `wasi:http`'s outgoing half too, under the very same policy.
pub(super) fn add_wasi_http(linker: &mut Linker<Guest>) -> anyhow::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker).map_err(anyhow::Error::from)
}
