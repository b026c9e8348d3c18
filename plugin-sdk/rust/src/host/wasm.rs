//! In the gateway.

use std::panic;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bindings::hookgate::plugin as gateway;
use crate::log::Level;
use crate::{Manifest, Result};

pub(crate) use gateway::{events, http, state};

pub(crate) fn log(level: Level, message: &str) {
    gateway::log::log(level, message);
}

pub(crate) fn setting(key: &str) -> Option<String> {
    gateway::settings::get(key)
}

/// The gateway knows the manifest, and what of a call is kept.
pub(crate) fn call<T>(_describe: fn() -> Manifest, work: impl FnOnce() -> Result<T>) -> Result<T> {
    work()
}

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(gateway::clock::now_ms())
}

pub(crate) fn random_bytes(count: usize) -> Vec<u8> {
    gateway::random::bytes(count as u32)
}

/// This target has no standard error: without this, all that is left of a panic is `unreachable`.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string().replace('\n', " "))));
}
