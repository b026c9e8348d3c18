//! Requests to hosts that the operator granted.
//!
//! ```
//! use hookgate_plugin::{Event, Failure, Result, http, plugin};
//!
//! struct Thing;
//!
//! #[plugin(host("api.example.com", methods = "POST", credential = "bearer"))]
//! impl Thing {
//!     #[on("thing.created")]
//!     fn created(event: Event) -> Result {
//!         let answer = http::Request::post("https://api.example.com/v1/things").json(&["one"]).send()?;
//!         match answer.status() {
//!             201 => Ok(()),
//!             other => Err(Failure::retry(format_args!("no thing was made: {other}"))),
//!         }
//!     }
//! }
//! ```
//!
//! The gateway adds the operator's secret for the host on the way out: the plugin never holds it. What is sent is sent,
//! whatever becomes of the event afterwards.

use std::time::Duration;

use serde::Serialize;

use crate::bindings::hookgate::plugin::http;
use crate::failure::millis;
use crate::power::write_json;
use crate::{PowerError, headers, host};

#[doc(inline)]
pub use crate::Answer as Response;

/// A request in the making.
#[derive(Debug, Clone)]
#[must_use = "`send` sends it"]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Result<Vec<u8>, PowerError>,
    timeout: Option<Duration>,
}

impl Request {
    /// Begins a request with any method, in capital letters.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Request {
        Request { method: method.into(), url: url.into(), headers: Vec::new(), body: Ok(Vec::new()), timeout: None }
    }

    /// Begins a GET request.
    pub fn get(url: impl Into<String>) -> Request {
        Request::new("GET", url)
    }

    /// Begins a POST request.
    pub fn post(url: impl Into<String>) -> Request {
        Request::new("POST", url)
    }

    /// Begins a PUT request.
    pub fn put(url: impl Into<String>) -> Request {
        Request::new("PUT", url)
    }

    /// Begins a PATCH request.
    pub fn patch(url: impl Into<String>) -> Request {
        Request::new("PATCH", url)
    }

    /// Begins a DELETE request.
    pub fn delete(url: impl Into<String>) -> Request {
        Request::new("DELETE", url)
    }

    /// Adds a header. `host`, `content-length` and what belongs to a connection are the gateway's own.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        headers::add(&mut self.headers, name.into(), value.into());
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Ok(body.into());
        self
    }

    /// Sets the body to a value, written as JSON. One that cannot be written so is not sent.
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Request {
        headers::add_content_type(&mut self.headers, headers::JSON);
        self.body = write_json(value);
        self
    }

    /// Sets how long all of it may take; at most, and without it, what the operator allows.
    pub fn timeout(mut self, timeout: Duration) -> Request {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it and waits for all of the answer, whatever its status. Redirects are answers and not followed.
    pub fn send(self) -> Result<Response, PowerError> {
        let Request { method, url, headers, body, timeout } = self;
        let request = http::Request { method, url, headers, body: body?, timeout_ms: timeout.map(millis) };
        Ok(host::http::send(&request)?.into())
    }
}
