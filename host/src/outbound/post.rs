//! Posting to URLs that strangers gave: whatever answers, it gets no more of us than one request.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use url::Url;

use super::connect::{Connector, Reach};
use super::exchange::{Http, http, told};
use super::{Cause, NoAnswer, Outbound, Schemes, target};

/// How much of an answer's body is read and kept, in bytes.
pub const ANSWER_BYTES: usize = 16 << 10;

/// How long the body of an answer may take once its status is there: the status is what counts.
const BODY: Duration = Duration::from_secs(2);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Idle connections that are kept to one host.
const IDLE: usize = 16;

/// Posts bodies to URLs that strangers gave.
pub struct Poster {
    http: Http,
    connector: Connector,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The status.
    pub status: StatusCode,
    /// How long to wait before the next request, where that is said (RFC 9110, section 10.2.3).
    pub retry_after: Option<Duration>,
    /// The first [`ANSWER_BYTES`] of the body.
    pub body: Bytes,
}

impl Poster {
    /// One that reaches the public internet, and these addresses beside it.
    pub fn new(outbound: &Outbound, allow_private: Vec<SocketAddr>) -> Poster {
        let reach = Reach {
            allow_private,
            has_credential: false,
            within: CONNECT,
            fix: "write allow_private = [\"ADDRESS\"] into [outgoing] of the config",
        };
        let connector = Connector::new(outbound, reach);
        let both = Schemes { https: true, http: true };
        Poster { http: http(outbound, connector.clone(), both, IDLE), connector }
    }

    /// Whether a URL can be posted to at all, as far as that can be known before. The error is a sentence.
    pub async fn check(&self, url: &Url) -> Result<(), NoAnswer> {
        let uri = uri(url)?;
        self.connector.check(&uri).await.map_err(|denied| (&denied).into())
    }

    /// Posts a body within a time. No redirect is followed, and no more is read of the answer than is kept.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes, within: Duration) -> Result<Posted, NoAnswer> {
        let begun = Instant::now();
        let mut request = http::Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, uri(url)?);
        *request.headers_mut() = headers;
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(concat!("hookgate/", env!("CARGO_PKG_VERSION"))));
        let answer = tokio::time::timeout(within, self.http.request(request)).await;
        let answer = answer.map_err(|_| late(within))?.map_err(|error| told(&error))?;
        let (head, body) = answer.into_parts();
        let left = within.saturating_sub(begun.elapsed()).min(BODY);
        let body = beginning(body, left).await;
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| wait(value.to_str().ok()?));
        Ok(Posted { status: head.status, retry_after, body })
    }
}

fn uri(url: &Url) -> Result<Uri, NoAnswer> {
    let mut url = url.clone();
    if !matches!(url.scheme(), "http" | "https") {
        return Err(NoAnswer::new(Cause::Invalid, "a webhook's URL begins with https:// or http://"));
    }
    target::name(&mut url)?;
    url.as_str().parse().map_err(|error| NoAnswer::new(Cause::Invalid, format!("the URL cannot be sent: {error}")))
}

fn late(within: Duration) -> NoAnswer {
    NoAnswer::new(Cause::Timeout, format!("no answer within {} ms", within.as_millis()))
}

/// The beginning of a body, as far as it comes in time. Whether there is more, or an end, is nobody's business.
async fn beginning(mut body: Incoming, within: Duration) -> Bytes {
    let mut read = BytesMut::new();
    let _ = tokio::time::timeout(within, async {
        while read.len() < ANSWER_BYTES {
            let Some(Ok(frame)) = body.frame().await else { break };
            if let Ok(data) = frame.into_data() {
                read.extend_from_slice(&data[..data.len().min(ANSWER_BYTES - read.len())]);
            }
        }
    })
    .await;
    read.freeze()
}

/// Reads `Retry-After`: seconds, or a date.
fn wait(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        assert_eq!(wait(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let soon = SystemTime::now() + Duration::from_secs(100);
        let read = wait(&httpdate::fmt_http_date(soon)).unwrap().as_secs();
        assert!((95..=100).contains(&read), "{read}");
        for none in ["", "soon", "-1", "99999999999999999999999"] {
            assert_eq!(wait(none), None, "{none}");
        }
    }
}
