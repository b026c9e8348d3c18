//! Events that a plugin makes.

use serde::Serialize;

use crate::PowerError;
use crate::host::events;
use crate::power::write_json;

/// Makes an event, to which others can subscribe as `plugin:<type>`. Ask for it with `#[plugin(emit("video.*"))]`.
///
/// It is accepted in the same commit that says that the call returned `Ok`, and not at all if it did not. [`Emission`]
/// is one with attributes.
pub fn emit(event_type: &str, payload: impl AsRef<[u8]>) -> Result<(), PowerError> {
    Ok(events::emit(event_type, payload.as_ref(), &[])?)
}

/// Makes an event whose payload is a value, written as JSON.
pub fn emit_json(event_type: &str, payload: &(impl Serialize + ?Sized)) -> Result<(), PowerError> {
    emit(event_type, write_json(payload)?)
}

/// An event in the making, with attributes.
///
/// ```
/// # use hookgate_plugin::{Emission, Event, Result, plugin};
/// # struct Mine;
/// # #[plugin(emit("video.*"))]
/// # impl Mine {
/// #     #[on("*")]
/// #     fn any(_: Event) -> Result {
/// Emission::new("video.checked").json(&["v1"]).attribute("resource.id", "v1").emit()?;
/// #         Ok(())
/// #     }
/// # }
/// # use hookgate_plugin::{Plugin, testing};
/// # assert_eq!(Mine::handle(testing::event("x").build()), Ok(()));
/// # assert_eq!(testing::emitted()[0].resource_id(), Some("v1"));
/// ```
#[derive(Debug, Clone)]
#[must_use = "`emit` makes the event"]
pub struct Emission {
    event_type: String,
    payload: Result<Vec<u8>, PowerError>,
    attributes: Vec<(String, String)>,
}

impl Emission {
    /// Begins an event of a type, whose payload is empty.
    pub fn new(event_type: impl Into<String>) -> Emission {
        Emission { event_type: event_type.into(), payload: Ok(Vec::new()), attributes: Vec::new() }
    }

    /// Sets the payload.
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Emission {
        self.payload = Ok(payload.into());
        self
    }

    /// Sets the payload to a value, written as JSON.
    pub fn json(mut self, payload: &(impl Serialize + ?Sized)) -> Emission {
        self.payload = write_json(payload);
        self
    }

    /// Adds an attribute. A name can be given once.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Emission {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Makes the event, as [`emit`] does.
    pub fn emit(self) -> Result<(), PowerError> {
        Ok(events::emit(&self.event_type, &self.payload?, &self.attributes)?)
    }
}
