//! What one plugin asks for, what it is granted, and what of it counts: both.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Calls;
use crate::effects::{Memory, Quota};
use crate::event::Pattern;
use crate::outbound::{HostGrant, HostPattern, Hosts};
use crate::pace::Pace;
use crate::runtime::{HostAsk, Manifest, Powers, SettingAsk};

/// What one plugin is granted.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// What `settings.get` gives it.
    pub settings: BTreeMap<String, String>,
    /// Its limits.
    pub calls: Calls,
    /// The hosts that it may speak to.
    pub hosts: Vec<HostGrant>,
    /// How much it may remember, if anything.
    pub state: Option<Quota>,
    /// The types of events that it may make.
    pub emit: Vec<Pattern>,
    /// How many of them there are in a minute.
    pub emit_per_minute: u64,
    /// How many bytes of state and events it may write in a minute.
    pub write_bytes_per_minute: u64,
    /// The attribute whose values are handled one event after another, in the order of acceptance.
    pub ordered_by: Option<Arc<str>>,
    /// The sources whose senders it answers.
    pub answers: Vec<String>,
    /// The digests that its file may have, where that counts.
    pub sha256: Vec<[u8; 32]>,
}

/// How many events a plugin may make in a minute where nothing is said.
pub const EMIT_PER_MINUTE: u64 = 6_000;

/// How many MiB of state and events a plugin may write in a minute where nothing is said, and how many of them at once.
pub const WRITE_MIB_PER_MINUTE: u64 = 64;
const WRITE_MIB_AT_ONCE: u64 = 8;

impl Grant {
    /// What a plugin has of which the config says nothing.
    pub fn nothing(calls: &Calls) -> Grant {
        Grant {
            settings: BTreeMap::new(),
            calls: calls.clone(),
            hosts: Vec::new(),
            state: None,
            emit: Vec::new(),
            emit_per_minute: EMIT_PER_MINUTE,
            write_bytes_per_minute: WRITE_MIB_PER_MINUTE << 20,
            ordered_by: None,
            answers: Vec::new(),
            sha256: Vec::new(),
        }
    }

    fn write_pace(&self) -> Pace {
        Pace::saving(self.write_bytes_per_minute, self.write_bytes_per_minute.min(WRITE_MIB_AT_ONCE << 20))
    }

    /// What a plugin may do that says this of itself.
    pub fn powers(&self, manifest: &Manifest, hosts: Arc<Hosts>, memory: Arc<dyn Memory>) -> Powers {
        Powers {
            settings: Arc::new(settings(manifest, self)),
            hosts,
            state: manifest.state.as_ref().and(self.state),
            memory,
            asked_to_emit: manifest.emits.iter().map(|(pattern, _)| pattern.clone()).collect(),
            may_emit: self.emit.clone(),
            emit_pace: Arc::new(Pace::new(self.emit_per_minute)),
            write_pace: Arc::new(self.write_pace()),
        }
    }
}

/// One thing that a plugin asked for, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// `setting`, `host`, `state`, `emit` or `reply`.
    pub what: &'static str,
    /// Which.
    pub name: String,
    /// What the plugin says of it.
    pub about: String,
    /// Whether it has it.
    pub granted: bool,
    /// Whether it runs without it too.
    pub optional: bool,
    /// What to write into the config where it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paste: Option<String>,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.name {
            "" => f.write_str(self.what),
            name => write!(f, "{} {name}", self.what),
        }
    }
}

/// All that a plugin asks for, and what of it it was granted.
pub fn asked(name: &str, manifest: &Manifest, grant: &Grant) -> Vec<Asked> {
    let settings = manifest.settings.iter().map(|ask| setting(name, ask, grant));
    let hosts = manifest.hosts.iter().map(|ask| host(name, ask, grant));
    let state = manifest.state.iter().map(|want| Asked {
        what: "state",
        name: String::new(),
        about: want.about.clone(),
        granted: grant.state.is_some(),
        optional: want.optional,
        paste: Some(format!("[plugins.{name}]\nstate = true")),
    });
    let emits = manifest.emits.iter().map(|(pattern, want)| Asked {
        what: "emit",
        name: pattern.to_string(),
        about: want.about.clone(),
        granted: !grant.emit.is_empty() && grant.emit.iter().any(|granted| may_meet(granted, pattern)),
        optional: want.optional,
        paste: Some(format!("[plugins.{name}]\nemit = [{:?}]", pattern.to_string())),
    });
    let replies = manifest.replies.iter().map(|pattern| Asked {
        what: "reply",
        name: pattern.to_string(),
        about: String::new(),
        granted: !grant.answers.is_empty(),
        // What it handles besides it can handle all the same.
        optional: true,
        paste: Some(format!("[sources.NAME]\nanswer = \"plugin\"\nanswer_plugin = \"{name}\"")),
    });
    let all = settings.chain(hosts).chain(state).chain(emits).chain(replies);
    all.map(|asked| Asked { paste: asked.paste.filter(|_| !asked.granted), ..asked }).collect()
}

fn setting(name: &str, ask: &SettingAsk, grant: &Grant) -> Asked {
    let granted = grant.settings.get(&ask.key).is_some_and(|value| ask.kind.takes(value));
    let example = match ask.kind.name() {
        "integer" | "number" => "0",
        "boolean" => "true",
        "json" => "{}",
        _ => "\"...\"",
    };
    Asked {
        what: "setting",
        name: ask.key.clone(),
        about: ask.about.clone(),
        granted,
        // A value of another type is no better than none.
        optional: ask.default.is_some() && !grant.settings.contains_key(&ask.key),
        paste: Some(format!("[plugins.{name}.settings]\n{:?} = {example}", ask.key)),
    }
}

fn host(name: &str, ask: &HostAsk, grant: &Grant) -> Asked {
    let granted = grant.hosts.iter().any(|granted| may_be_the_same(&granted.host, &ask.host));
    let key = match &ask.host {
        HostPattern::Any => "api.example.com".to_owned(),
        other => other.to_string(),
    };
    let credential = match ask.credential.as_deref() {
        Some("bearer") => "\nbearer = { env = \"...\" }",
        Some("basic") => "\nbasic = { username = \"...\", password = { env = \"...\" } }",
        Some("header") => "\nheader = { name = \"...\", value = { env = \"...\" } }",
        _ => "",
    };
    let methods = match ask.methods.as_slice() {
        [] => String::new(),
        methods => format!("\nmethods = {methods:?}"),
    };
    Asked {
        what: "host",
        name: ask.host.to_string(),
        about: ask.want.about.clone(),
        granted,
        optional: ask.want.optional,
        paste: Some(format!("[plugins.{name}.hosts.\"{key}\"]{methods}{credential}")),
    }
}

/// Whether there is a host that both mean.
fn may_be_the_same(one: &HostPattern, other: &HostPattern) -> bool {
    match (one, other) {
        (HostPattern::One(name), pattern) | (pattern, HostPattern::One(name)) => pattern.covers(name),
        (HostPattern::Below(one), HostPattern::Below(other)) => one.ends_with(&**other) || other.ends_with(&**one),
        (HostPattern::Any, _) | (_, HostPattern::Any) => true,
    }
}

/// Whether one pattern covers the other as if it were a type; that is enough for people.
fn may_meet(one: &Pattern, other: &Pattern) -> bool {
    one.matches("", "", other.event_type()) || other.matches("", "", one.event_type())
}

/// The operator's settings and, where there is none, the plugin's defaults.
fn settings(manifest: &Manifest, grant: &Grant) -> BTreeMap<String, String> {
    let mut settings = grant.settings.clone();
    for ask in &manifest.settings {
        if let Some(default) = &ask.default {
            settings.entry(ask.key.clone()).or_insert_with(|| default.clone());
        }
    }
    settings
}

/// Why a plugin cannot run with what it was granted, with what to write.
pub(super) fn lacking(name: &str, manifest: &Manifest, grant: &Grant) -> Option<String> {
    let asked = asked(name, manifest, grant);
    let lacks: Vec<&Asked> = asked.iter().filter(|asked| !asked.granted && !asked.optional).collect();
    if lacks.is_empty() {
        return None;
    }
    let told = |asked: &&Asked| match (asked.what, grant.settings.get(&asked.name)) {
        ("setting", Some(_)) => format!("the setting {} as {}", asked.name, kind_of(manifest, &asked.name)),
        ("setting", None) => format!("the setting {}", asked.name),
        ("state", _) => "state".to_owned(),
        (what, _) => format!("{what} {}", asked.name),
    };
    let told: Vec<String> = lacks.iter().map(told).collect();
    let emits: Vec<&str> = lacks.iter().filter(|asked| asked.what == "emit").map(|asked| &*asked.name).collect();
    let emit = format!("emit = {emits:?}");
    let mut paste: Vec<(&str, Vec<&str>)> = Vec::new();
    for lines in lacks.iter().filter_map(|asked| asked.paste.as_deref()) {
        let (section, line) = lines.split_once('\n').unwrap_or((lines, ""));
        // A key stands once in a section: all patterns go into one list.
        let line = if line.starts_with("emit = ") { &*emit } else { line };
        match paste.iter_mut().find(|(known, _)| *known == section) {
            Some((_, rest)) if rest.contains(&line) => {}
            Some((_, rest)) => rest.push(line),
            None => paste.push((section, vec![line])),
        }
    }
    let paste: Vec<String> = paste.iter().map(|(section, lines)| format!("{section}\n{}", lines.join("\n"))).collect();
    let paste = paste.join("\n").trim_end().to_owned();
    Some(format!("it needs what it was not granted: {}. Add to the config:\n{paste}", told.join(", ")))
}

fn kind_of(manifest: &Manifest, key: &str) -> &'static str {
    let ask = manifest.settings.iter().find(|ask| ask.key == key);
    ask.map_or("text", |ask| ask.kind.name())
}
