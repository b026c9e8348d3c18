//! `http.send`: a request as the contract has it, and its answer.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::bindings::hookgate::plugin::errors::{Error, Kind};
use super::bindings::hookgate::plugin::http as wit_http;
use super::guest::Guest;
use super::powers::error;
use crate::outbound::{Cause, HEADERS, NoAnswer, Request, Response, too_many_headers};

/// The longest URL and the longest method, in bytes.
const URL_BYTES: usize = 8 << 10;
const METHOD_BYTES: usize = 32;

impl wit_http::Host for Guest {
    async fn send(&mut self, request: wit_http::Request) -> Result<wit_http::Response, Error> {
        self.wasi_http.way.count().map_err(guest_error)?;
        let request = read(request).map_err(guest_error)?;
        let sent = self.powers.hosts.clone().send(request, self.draft.event()).await;
        let Response { status, headers, body } = sent.map_err(guest_error)?;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Ok(wit_http::Response { status: status.as_u16(), headers, body: body.to_vec() })
    }
}

fn read(request: wit_http::Request) -> Result<Request, NoAnswer> {
    let invalid = |told: String| NoAnswer::new(Cause::Invalid, told);
    let wit_http::Request { method, url, headers, body, timeout_ms } = request;
    if url.len() > URL_BYTES || method.len() > METHOD_BYTES {
        return Err(invalid(format!("a URL has at most {URL_BYTES} bytes, and a method {METHOD_BYTES}")));
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| invalid(format!("{method:?} is no method")))?;
    let url = url.parse().map_err(|error| invalid(format!("the URL cannot be read: {error}")))?;
    if headers.len() > HEADERS {
        return Err(NoAnswer::new(Cause::Limit, too_many_headers()));
    }
    let mut read = HeaderMap::new();
    for (name, value) in headers {
        let wrong = || invalid(format!("the header {:?} is none", name.chars().take(100).collect::<String>()));
        let (name, value) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value));
        read.try_append(name.map_err(|_| wrong())?, value.map_err(|_| wrong())?).map_err(|_| wrong())?;
    }
    Ok(Request { method, url, headers: read, body: body.into(), timeout: timeout_ms.map(Duration::from_millis) })
}

fn guest_error(failed: NoAnswer) -> Error {
    let kind = match failed.kind {
        Cause::Denied => Kind::Denied,
        Cause::Invalid => Kind::Invalid,
        Cause::Limit => Kind::Limit,
        Cause::Busy => Kind::Busy,
        Cause::Timeout => Kind::Timeout,
        Cause::Failed => Kind::Failed,
    };
    error(kind, failed.why)
}
