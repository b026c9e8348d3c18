//! What a handler is called with, and how other types are read from it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;

use crate::bindings::exports::hookgate::plugin::handler;
use crate::{Failure, Result};

/// One verified webhook.
#[derive(Clone, PartialEq)]
pub struct Event(handler::Event);

impl Event {
    /// `evt_...`: the same on every attempt and after a crash. Use it to notice a repeat.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The source that it came in by, a name of the operator's choice.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// How its sender signs and shapes webhooks: `frameio`, `github`, ...
    pub fn provider(&self) -> &str {
        &self.0.provider
    }

    /// What happened, in the sender's words: `file.ready`.
    pub fn event_type(&self) -> &str {
        &self.0.type_
    }

    /// When Hookgate received it.
    pub fn received_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.received_at_ms)
    }

    /// 1 on the first try.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// What the provider's description finds in the request under a name: `resource.id`, `account.id`, ...
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// All that the provider's description finds in the request, as names and values.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The attribute `resource.id`: what it happened to.
    pub fn resource_id(&self) -> Option<&str> {
        self.attribute("resource.id")
    }

    /// The attribute `resource.type`: what kind of thing that is.
    pub fn resource_type(&self) -> Option<&str> {
        self.attribute("resource.type")
    }

    /// The attribute `account.id`.
    pub fn account_id(&self) -> Option<&str> {
        self.attribute("account.id")
    }

    /// The attribute `user.id`: who did it.
    pub fn user_id(&self) -> Option<&str> {
        self.attribute("user.id")
    }

    /// The attribute `project.id`.
    pub fn project_id(&self) -> Option<&str> {
        self.attribute("project.id")
    }

    /// The attribute `workspace.id`.
    pub fn workspace_id(&self) -> Option<&str> {
        self.attribute("workspace.id")
    }

    /// The body as it was signed, byte for byte. It need not be text.
    pub fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    /// The body as text. One that is not UTF-8 is rejected: it will be the same on the next attempt.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(self.payload())
            .map_err(|why| Failure::reject(format_args!("the body is not UTF-8 text: {why}")))
    }

    /// Reads the body as JSON. One that does not fit is rejected: it will be the same on the next attempt.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(self.payload())
            .map_err(|why| Failure::reject(format_args!("the body is not the JSON that was expected: {why}")))
    }
}

impl From<handler::Event> for Event {
    fn from(event: handler::Event) -> Event {
        Event(event)
    }
}

impl fmt::Debug for Event {
    /// A payload of a mebibyte would drown the rest: its size is shown instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id())
            .field("source", &self.source())
            .field("provider", &self.provider())
            .field("event_type", &self.event_type())
            .field("attempt", &self.attempt())
            .field("attributes", &self.0.attributes)
            .field("payload_bytes", &self.payload().len())
            .finish_non_exhaustive()
    }
}

/// What a handler can take as its one argument. Implement it for types of your own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an event",
    label = "a handler takes `Event`, `Json<T>`, `frameio::Webhook`, `soundhash::Webhook`, ...",
    note = "implement `FromEvent` for a type of your own"
)]
pub trait FromEvent: Sized {
    /// Reads it, or says why the event cannot be handled: mostly a [`Failure::reject`].
    fn from_event(event: Event) -> Result<Self>;
}

impl FromEvent for Event {
    fn from_event(event: Event) -> Result<Event> {
        Ok(event)
    }
}

/// The body, read as JSON into a type of yours. A body that does not fit is rejected.
///
/// ```
/// use hookgate_plugin::{log, plugin, Json, Result};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     number: u64,
/// }
///
/// struct Orders;
///
/// #[plugin]
/// impl Orders {
///     #[on("order.*")]
///     fn changed(Json(order): Json<Order>) -> Result {
///         log::info!("order {} changed", order.number);
///         Ok(())
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromEvent for Json<T> {
    fn from_event(event: Event) -> Result<Json<T>> {
        event.json().map(Json)
    }
}
