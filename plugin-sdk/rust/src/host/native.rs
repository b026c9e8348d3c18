//! In a test. Everything belongs to the thread, so that tests beside each other do not meet.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::time::SystemTime;

use crate::log::Level;
use crate::{Ask, Manifest};

type Settings = HashMap<String, String>;

thread_local! {
    static GRANTED: RefCell<Settings> = RefCell::default();
    static DEFAULTS: RefCell<Settings> = RefCell::default();
    static LINES: RefCell<Vec<String>> = RefCell::default();
}

pub(crate) fn log(level: Level, message: &str) {
    let line = format!("{}: {message}", level_name(level));
    eprintln!("{line}");
    LINES.with_borrow_mut(|lines| lines.push(line));
}

pub(crate) fn take_lines() -> Vec<String> {
    LINES.with_borrow_mut(mem::take)
}

pub(crate) fn setting(key: &str) -> Option<String> {
    let granted = GRANTED.with_borrow(|settings| settings.get(key).cloned());
    granted.or_else(|| DEFAULTS.with_borrow(|settings| settings.get(key).cloned()))
}

pub(crate) fn grant(settings: Settings) {
    GRANTED.set(settings);
}

/// The gateway does this when it loads a plugin; here the next event decides whose defaults count.
pub(crate) fn use_defaults(describe: fn() -> Manifest) {
    DEFAULTS.set(describe().asks.into_iter().filter_map(default_of).collect());
}

fn default_of(ask: Ask) -> Option<(String, String)> {
    let (_, default) = ask.detail.into_iter().find(|(key, _)| key == "default")?;
    (ask.what == "setting").then_some((ask.name, default))
}

pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// The standard library has no generator, but it seeds its hash tables at random.
pub(crate) fn random_bytes(count: usize) -> Vec<u8> {
    let seed = RandomState::new();
    let words = (0..count).step_by(8).flat_map(|place| seed.hash_one(place).to_le_bytes());
    words.take(count).collect()
}

/// A test's own report says all.
pub(crate) fn log_panics() {}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
