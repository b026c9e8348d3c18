//! Tests without the gateway: plain `cargo test`.
//!
//! ```
//! use hookgate_plugin::{log, plugin, setting, testing, Event, Plugin, Result};
//!
//! struct Greeter;
//!
//! #[plugin(setting("greeting", default = "Hi"))]
//! impl Greeter {
//!     #[on("user.created")]
//!     fn greet(event: Event) -> Result {
//!         let name = event.attribute("user.name").unwrap_or("stranger");
//!         log::info!("{}, {name}", setting("greeting").unwrap_or_default());
//!         Ok(())
//!     }
//! }
//!
//! let event = testing::event("user.created").attribute("user.name", "Ada").build();
//! Greeter::handle(event.clone()).unwrap();
//! testing::settings([("greeting", "Hello")]);
//! Greeter::handle(event).unwrap();
//! assert_eq!(testing::logs(), ["info: Hi, Ada", "info: Hello, Ada"]);
//! ```
//!
//! Settings and lines belong to the thread, so that tests do not disturb each other.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Event;
use crate::bindings::exports::hookgate::plugin::handler;
use crate::host::native;

/// What a made-up event was received at, so that a test is the same each day: 2026-01-01.
const RECEIVED_AT_MS: u64 = 1_767_225_600_000;

/// Begins an event of a type: the source and the provider are `test`, it is the first attempt, and the body is empty.
pub fn event(event_type: impl Into<String>) -> EventBuilder {
    EventBuilder(handler::Event {
        id: "evt_0000000000000".to_string(),
        source: "test".to_string(),
        provider: "test".to_string(),
        type_: event_type.into(),
        received_at_ms: RECEIVED_AT_MS,
        attempt: 1,
        attributes: Vec::new(),
        payload: Vec::new(),
    })
}

/// Grants settings to the plugin under test, in place of those that were granted before.
pub fn settings<K: Into<String>, V: Into<String>>(granted: impl IntoIterator<Item = (K, V)>) {
    native::grant(granted.into_iter().map(|(key, value)| (key.into(), value.into())).collect());
}

/// Takes the lines that were logged since this was last called, as `info: message`.
pub fn logs() -> Vec<String> {
    native::take_lines()
}

/// An event in the making.
#[derive(Debug, Clone)]
#[must_use = "`build` makes the event"]
pub struct EventBuilder(handler::Event);

impl EventBuilder {
    /// Sets the id.
    pub fn id(mut self, id: impl Into<String>) -> EventBuilder {
        self.0.id = id.into();
        self
    }

    /// Sets the source's name.
    pub fn source(mut self, source: impl Into<String>) -> EventBuilder {
        self.0.source = source.into();
        self
    }

    /// Sets the provider's name.
    pub fn provider(mut self, provider: impl Into<String>) -> EventBuilder {
        self.0.provider = provider.into();
        self
    }

    /// Sets when it was received, to the millisecond.
    pub fn received_at(mut self, at: SystemTime) -> EventBuilder {
        let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.received_at_ms = since_epoch.as_millis().try_into().unwrap_or(u64::MAX);
        self
    }

    /// Sets which try it is.
    pub fn attempt(mut self, attempt: u32) -> EventBuilder {
        self.0.attempt = attempt;
        self
    }

    /// Adds an attribute.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> EventBuilder {
        self.0.attributes.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> EventBuilder {
        self.0.payload = payload.into();
        self
    }

    /// The event.
    pub fn build(self) -> Event {
        Event::from(self.0)
    }
}
