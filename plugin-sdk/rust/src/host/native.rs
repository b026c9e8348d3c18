//! In a test. Everything belongs to the thread, so that tests beside each other do not meet.

pub(crate) mod fake;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::time::{Duration, SystemTime};

use crate::log::Level;
use crate::{Ask, Manifest};

pub(crate) use fake::{call, events, http, state};

type Settings = HashMap<String, String>;

thread_local! {
    static GRANTED: RefCell<Settings> = RefCell::default();
    static DEFAULTS: RefCell<Settings> = RefCell::default();
    static LINES: RefCell<Vec<String>> = RefCell::default();
    static GONE_BY: Cell<Duration> = Cell::default();
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
fn use_defaults(manifest: &Manifest) {
    DEFAULTS.set(manifest.asks.iter().filter_map(default_of).collect());
}

fn default_of(ask: &Ask) -> Option<(String, String)> {
    let (_, default) = ask.detail.iter().find(|(key, _)| key == "default")?;
    (ask.what == "setting").then(|| (ask.name.clone(), default.clone()))
}

pub(crate) fn now() -> SystemTime {
    SystemTime::now() + GONE_BY.get()
}

pub(crate) fn advance(time: Duration) {
    GONE_BY.set(GONE_BY.get() + time);
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
