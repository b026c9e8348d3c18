//! What a plugin's section of the config grants, and the limits of calls.

use super::millis;
use crate::event::is_name;
use crate::plugins::{Calls, Grant};
use crate::runtime::CallLimits;
use crate::section::Section;

/// Reads `[plugins.<name>]`.
pub(super) fn grant(name: &str, mut section: Section, default: &Calls) -> Grant {
    if !is_name(name) {
        section.mistake("", "is no name that a plugin can have");
    }
    let settings =
        section.section("settings").rest_with(|section, key| section.raw(key).map(setting_text).unwrap_or_default());
    let calls = Calls { per_instance: per_instance(&mut section), ..calls(&mut section, default) };
    section.finish();
    Grant { settings: settings.into_iter().collect(), calls }
}

/// Strings as they are, numbers and booleans as TOML writes them, the rest as JSON.
fn setting_text(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        toml::Value::Array(_) | toml::Value::Table(_) => serde_json::to_string(&value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// Reads the limits of a call.
pub(super) fn calls(section: &mut Section, default: &Calls) -> Calls {
    let each = &default.each;
    Calls {
        each: CallLimits {
            wall: millis(section, "call_ms", each.wall.as_millis() as u64),
            cpu: millis(section, "cpu_ms", each.cpu.as_millis() as u64),
            memory_bytes: (section.number("memory_mib", each.memory_bytes as u64 >> 20, 1..=4096) as usize) << 20,
            log_bytes: section.number("log_bytes", each.log_bytes as u64, 0..=16 << 20) as usize,
        },
        at_once: section.number("calls_at_once", default.at_once as u64, 1..=1000) as usize,
        per_instance: default.per_instance,
    }
}

/// How many calls an instance serves where `instances = "warm"` and nothing else is said.
const CALLS_PER_INSTANCE: u64 = 1000;

fn per_instance(section: &mut Section) -> u32 {
    let instances: String = section.or("instances", "fresh".to_owned());
    let calls: Option<u64> = section.optional("calls_per_instance");
    match (&*instances, calls) {
        ("fresh", None) => 1,
        ("warm", None) => CALLS_PER_INSTANCE as u32,
        ("warm", Some(calls @ 2..=1_000_000)) => calls as u32,
        ("warm", Some(_)) => {
            section.mistake("calls_per_instance", "must be from 2 to 1000000");
            1
        }
        ("fresh", Some(_)) => {
            section.mistake("calls_per_instance", "goes with instances = \"warm\"");
            1
        }
        _ => {
            section.mistake("instances", "must be \"fresh\" or \"warm\"");
            1
        }
    }
}
