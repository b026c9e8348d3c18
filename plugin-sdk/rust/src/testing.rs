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
//! What a plugin asks for is granted while it is called, and nothing else. The state is in memory: what a call writes
//! is forgotten unless it returns `Ok`, and so is what it emits. Between calls, a test reads and writes it with the
//! very functions of [`state`](crate::state). Requests are answered by the test, and denied without that.
//!
//! ```
//! use hookgate_plugin::{Answer, Event, Failure, Plugin, Result, emit, http, plugin, state, testing};
//!
//! struct Once;
//!
//! #[plugin(state, host("api.example.com", methods = "POST"), emit("thing.made"))]
//! impl Once {
//!     #[on("thing.*")]
//!     fn thing(event: Event) -> Result {
//!         if state::compare_and_set(event.id(), None, "made")? {
//!             emit("thing.made", "")?;
//!             match http::Request::post("https://api.example.com/things").send()?.status() {
//!                 201 => {}
//!                 other => return Err(Failure::retry(other)),
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let event = testing::event("thing.wanted").id("evt_1").build();
//! testing::http(|_| Ok(Answer::new(503)));
//! assert_eq!(Once::handle(event.clone()), Err(Failure::retry(503)));
//! assert_eq!((state::get_text("evt_1"), testing::emitted().len()), (Ok(None), 0));
//!
//! testing::http(|_| Ok(Answer::new(201)));
//! assert_eq!(Once::handle(event), Ok(()));
//! assert_eq!((state::get_text("evt_1"), testing::emitted().len()), (Ok(Some("made".into())), 1));
//! ```
//!
//! A plugin with `#[respond(...)]` is asked by [`Responder::respond`](crate::Responder::respond).
//!
//! All of it belongs to the thread, so that tests do not disturb each other.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;

use crate::bindings::exports::hookgate::plugin::handler;
use crate::bindings::hookgate::plugin::{errors, http as gateway};
use crate::host::native;
use crate::host::native::fake::{self, RECEIVED_AT_MS};
use crate::power::{read_json, read_text};
use crate::{Event, PowerError, headers, http::Response};

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

/// Answers requests, in place of what answered before: `testing::http(|_| Ok(Answer::new(204)))`.
pub fn http(mut answer: impl FnMut(&Request) -> Result<Response, PowerError> + 'static) {
    fake::answer_with(Box::new(move |request| match answer(&Request::from(request.clone())) {
        Ok(answer) => Ok(answer.into()),
        Err(PowerError { kind, why }) => Err(errors::Error { kind, why }),
    }));
}

/// Takes the requests that were sent since this was last called, whatever became of them.
pub fn requests() -> Vec<Request> {
    fake::take_requests().into_iter().map(Request::from).collect()
}

/// Takes the events that were made, and kept, since this was last called. They can be given to a plugin.
pub fn emitted() -> Vec<Event> {
    fake::take_emitted().into_iter().map(Event::from).collect()
}

/// Lets time go by: for [`now`](crate::now), and for what the state keeps for a while.
pub fn advance(time: Duration) {
    native::advance(time);
}

/// A request as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What is to be done: `POST`.
    pub method: String,
    /// With what.
    pub url: String,
    /// The plugin's own headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it may take, if the plugin says it.
    pub timeout: Option<Duration>,
}

impl Request {
    /// The first header of a name, in capitals or not.
    pub fn header(&self, name: &str) -> Option<&str> {
        headers::find(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> Result<&str, PowerError> {
        read_text("the request", &self.body)
    }

    /// Reads the body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, PowerError> {
        read_json("the request", &self.body)
    }
}

impl From<gateway::Request> for Request {
    fn from(sent: gateway::Request) -> Request {
        let gateway::Request { method, url, headers, body, timeout_ms } = sent;
        Request { method, url, headers, body, timeout: timeout_ms.map(Duration::from_millis) }
    }
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
