//! One request to the collector: OTLP over HTTP, in protobuf.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, Error, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use rustls::ClientConfig;
use url::Url;

use super::Settings;
use crate::secret::Held;

/// How long a request may take, connecting included.
const WITHIN: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 64 << 10;

/// The answers after which the same may go later (OTLP 1.7, "OTLP/HTTP Response").
const LATER: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Where spans go.
pub(super) struct Collector {
    http: Http,
    url: Url,
    headers: Vec<(HeaderName, Held)>,
}

enum Http {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// Why spans were not taken, in a sentence without a secret.
#[derive(Debug)]
pub(super) struct NotTaken {
    pub why: String,
    /// Whether the same may be taken a moment later.
    pub may_go_later: bool,
}

impl NotTaken {
    fn later(why: String) -> NotTaken {
        NotTaken { why, may_go_later: true }
    }

    fn never(why: String) -> NotTaken {
        NotTaken { why, may_go_later: false }
    }
}

impl Collector {
    pub fn new(settings: &Settings, tls: impl FnOnce() -> Arc<ClientConfig>) -> Collector {
        let client = || Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).clone();
        let http = match settings.otlp.scheme() {
            "https" => {
                let tls = HttpsConnectorBuilder::new().with_tls_config((*tls()).clone());
                Http::Tls(client().build(tls.https_only().enable_http1().build()))
            }
            _ => Http::Plain(client().build(HttpConnector::new())),
        };
        Collector { http, url: settings.otlp.clone(), headers: settings.headers.clone() }
    }

    /// Where that is, for the log.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sends an encoded request. Gives how many spans of it were refused.
    pub async fn send(&self, body: Bytes) -> Result<u64, NotTaken> {
        let request = self.request(body)?;
        let exchange = async {
            let answer = self.http.request(request).await.map_err(|error| NotTaken::later(told(&error)))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
            match status {
                status if status.is_success() => Ok(body.map_or(0, |body| refused(&body.to_bytes()))),
                status if LATER.contains(&status) => Err(NotTaken::later(format!("it answers {status}"))),
                status => Err(NotTaken::never(format!("it answers {status}"))),
            }
        };
        let late = |_| Err(NotTaken::later(format!("no answer within {} s", WITHIN.as_secs())));
        tokio::time::timeout(WITHIN, exchange).await.unwrap_or_else(late)
    }

    fn request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, NotTaken> {
        let mut request = Request::new(Full::new(body));
        let uri: Uri = self.url.as_str().parse().map_err(|error| NotTaken::never(format!("the address: {error}")))?;
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, uri);
        *request.headers_mut() = self.headers()?;
        Ok(request)
    }

    fn headers(&self) -> Result<HeaderMap, NotTaken> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let value = value.now().map_err(NotTaken::later)?;
            let value = HeaderValue::from_bytes(value.expose());
            let mut value = value.map_err(|_| NotTaken::never(format!("the value of {name} is none for a header")))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Ok(headers)
    }
}

impl Http {
    async fn request(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        match self {
            Http::Plain(client) => client.request(request).await,
            Http::Tls(client) => client.request(request).await,
        }
    }
}

/// The deepest cause says most: the others say that a request failed.
fn told(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// How many spans an answer refuses; what is no such answer refuses none.
fn refused(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    answer.partial_success.map_or(0, |partly| partly.rejected_spans.max(0) as u64)
}
