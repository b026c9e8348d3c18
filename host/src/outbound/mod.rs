//! How requests leave: a plugin's to hosts that it asked for and the operator granted, a webhook's to its URL, and nowhere else.
//!
//! One policy, whoever speaks: [`Hosts::send`] checks the request, [`connect`] looks at the very address that it connects to,
//! and the host's own credential is put in last and taken out of the answer first. [`Poster`] goes the same way to addresses that
//! strangers gave.

mod address;
mod connect;
mod exchange;
mod fetch;
mod post;
mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use url::Url;

pub use address::is_public;
pub use connect::{Outbound, Resolve, Resolving, Roots, SystemNames};
pub(crate) use exchange::is_the_hosts_own;
pub use fetch::Fetcher;
pub use post::{ANSWER_BYTES, Posted, Poster};
pub use target::{HostPattern, NotAHost};

use crate::pace::Pace;
use crate::secret::Held;
use exchange::Client;

/// What one host is granted to one plugin: `[plugins.<name>.hosts."<host>"]`.
#[derive(Debug, Clone, PartialEq)]
pub struct HostGrant {
    /// Which host, or all below one.
    pub host: HostPattern,
    /// What may be spoken.
    pub schemes: Schemes,
    /// The ports that may be connected to.
    pub ports: Vec<u16>,
    /// The methods that may be used; all of them, where there is none.
    pub methods: Vec<Method>,
    /// What the path begins with.
    pub path_prefix: String,
    /// How much, how long, how often.
    pub limits: HostLimits,
    /// What the gateway adds to each request.
    pub credential: Option<Credential>,
    /// Addresses that may be connected to though they are not the public internet's.
    pub allow_private: Vec<std::net::SocketAddr>,
}

/// What may be spoken with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schemes {
    /// `https`
    pub https: bool,
    /// `http`
    pub http: bool,
}

impl Schemes {
    /// `https` alone.
    pub const HTTPS: Schemes = Schemes { https: true, http: false };
    /// `http` alone.
    pub const HTTP: Schemes = Schemes { https: false, http: true };
}

/// How much, how long and how often a host may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLimits {
    /// How long a connection may take (`connect_ms`).
    pub connect: Duration,
    /// How long a request may take from its beginning to the end of the answer (`timeout_ms`).
    pub whole: Duration,
    /// The largest body of a request (`request_bytes`).
    pub request_bytes: usize,
    /// The largest body of an answer (`response_bytes`).
    pub response_bytes: usize,
    /// How many requests of a plugin are under way at a time (`calls_at_once`).
    pub at_once: usize,
    /// How many requests of a plugin there are in a minute (`per_minute`).
    pub per_minute: u32,
}

/// What the gateway adds to a request, unseen by the plugin.
#[derive(Debug, Clone, PartialEq)]
pub enum Credential {
    /// `Authorization: Bearer ...`
    Bearer(Held),
    /// `Authorization: Basic ...` (RFC 7617)
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: Held,
    },
    /// A header of its own.
    Header {
        /// Which.
        name: HeaderName,
        /// Its value.
        value: Held,
    },
}

/// A request that a plugin makes.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// With what.
    pub url: Url,
    /// The plugin's own headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long it may take, where that is less than the operator allows.
    pub timeout: Option<Duration>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: http::StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoAnswer {
    /// What kind of cause.
    pub kind: Cause,
    /// In a sentence for the plugin's author and the operator.
    pub why: String,
}

/// What kind of cause there is for having no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was not asked for, or not granted.
    Denied,
    /// It makes no sense.
    Invalid,
    /// It is larger than it may be.
    Limit,
    /// There are too many.
    Busy,
    /// It took too long.
    Timeout,
    /// It could not be done.
    Failed,
}

impl Cause {
    /// A short name: bounded, for metrics and the log.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Denied => "denied",
            Cause::Invalid => "invalid",
            Cause::Limit => "limit",
            Cause::Busy => "busy",
            Cause::Timeout => "timeout",
            Cause::Failed => "failed",
        }
    }
}

impl NoAnswer {
    /// Tells why there is no answer.
    pub fn new(kind: Cause, why: impl Into<String>) -> NoAnswer {
        NoAnswer { kind, why: why.into() }
    }
}

/// What is counted of requests that leave.
#[derive(Clone, Default)]
pub struct Counters {
    requests: Family<RequestLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    plugin: String,
    host: String,
    result: &'static str,
}

impl Counters {
    /// Makes the counters and registers them.
    pub fn new(registry: &mut Registry) -> Counters {
        let counters = Counters::default();
        let help = "Requests of plugins, by the host that was granted and how they ended";
        registry.register("hookgate_outbound_requests", help, counters.requests.clone());
        counters
    }
}

/// The hosts of one plugin: what it asked for and what it was granted.
pub struct Hosts {
    plugin: Arc<str>,
    asked: Vec<HostPattern>,
    gates: Vec<Gate>,
    counters: Counters,
}

/// One granted host, with the connections to it.
struct Gate {
    grant: HostGrant,
    client: Client,
    places: Semaphore,
    pace: Pace,
}

/// The most headers of a request, and the most bytes of them.
pub const HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 << 10;

/// What is told of a request with more.
pub fn too_many_headers() -> String {
    format!("a request has at most {HEADERS} headers and {HEADER_BYTES} bytes of them")
}

impl Hosts {
    /// No hosts.
    pub fn none(plugin: &str) -> Arc<Hosts> {
        Arc::new(Hosts { plugin: plugin.into(), asked: Vec::new(), gates: Vec::new(), counters: Counters::default() })
    }

    /// The hosts that a plugin asked for and was granted.
    pub fn new(outbound: &Outbound, plugin: &str, asked: Vec<HostPattern>, granted: &[HostGrant]) -> Arc<Hosts> {
        let gate = |grant: &HostGrant| Gate {
            client: Client::new(outbound, grant),
            places: Semaphore::new(grant.limits.at_once),
            pace: Pace::new(grant.limits.per_minute.into()),
            grant: grant.clone(),
        };
        let gates = granted.iter().map(gate).collect();
        Arc::new(Hosts { plugin: plugin.into(), asked, gates, counters: outbound.counters.clone() })
    }

    /// Sends a request on behalf of an event, which is named in the log.
    pub async fn send(&self, mut request: Request, event: &str) -> Result<Response, NoAnswer> {
        let begun = Instant::now();
        let (host, sent) = match self.gate(&mut request) {
            Ok(gate) => (gate.grant.host.to_string(), gate.send(&request).await),
            Err(denied) => ("-".to_owned(), Err(denied)),
        };
        self.note(&request, &host, &sent, event, begun.elapsed());
        sent
    }

    /// The grant that a request goes by: the host's own before one for all below another.
    fn gate(&self, request: &mut Request) -> Result<&Gate, NoAnswer> {
        let plugin = &self.plugin;
        let name = target::name(&mut request.url)?;
        if !self.asked.iter().any(|asked| asked.covers(&name)) {
            let told = format!("the plugin did not ask for the host {name} in its describe");
            return Err(NoAnswer::new(Cause::Denied, told));
        }
        let granted = self.gates.iter().filter(|gate| gate.grant.host.covers(&name));
        granted.max_by_key(|gate| gate.grant.host.length()).ok_or_else(|| {
            let told = format!("the host {name} is not granted: add [plugins.{plugin}.hosts.\"{name}\"] to the config");
            NoAnswer::new(Cause::Denied, told)
        })
    }

    /// One line for each request, without its query: who asked whom for what, and how it went.
    fn note(&self, request: &Request, host: &str, sent: &Result<Response, NoAnswer>, event: &str, took: Duration) {
        let (plugin, method) = (&self.plugin, &request.method);
        let result = match sent {
            Ok(response) => status_class(response.status),
            Err(failed) => failed.kind.name(),
        };
        let labels = RequestLabels { plugin: plugin.to_string(), host: host.to_owned(), result };
        self.counters.requests.get_or_create(&labels).inc();
        let to = request.url.host_str().unwrap_or_default();
        let took_ms = took.as_millis() as u64;
        match sent {
            Ok(Response { status, body, .. }) => {
                let (status, bytes) = (status.as_u16(), body.len());
                tracing::info!(%plugin, event, took_ms, "{plugin}: {method} {to}: {status}, {bytes} bytes");
            }
            Err(failed) => {
                let kind = failed.kind.name();
                tracing::warn!(%plugin, event, took_ms, kind, "{plugin}: {method} {to}: {failed}");
            }
        }
    }
}

fn status_class(status: http::StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

impl Gate {
    async fn send(&self, request: &Request) -> Result<Response, NoAnswer> {
        self.check(request)?;
        self.keep_pace()?;
        let most = self.grant.limits.whole;
        let most = request.timeout.map_or(most, |asked| asked.min(most));
        let sending = async {
            // It is never closed.
            let _place = self.places.acquire().await;
            self.client.exchange(&self.grant, request).await
        };
        tokio::time::timeout(most, sending).await.unwrap_or_else(|_| {
            let told = format!("no whole answer within {} ms", most.as_millis());
            Err(NoAnswer::new(Cause::Timeout, told))
        })
    }

    fn check(&self, request: &Request) -> Result<(), NoAnswer> {
        let HostGrant { schemes, ports, methods, path_prefix, limits, .. } = &self.grant;
        let denied = |told: String| Err(NoAnswer::new(Cause::Denied, told));
        let (url, method) = (&request.url, &request.method);
        match url.scheme() {
            "https" if schemes.https => {}
            "http" if schemes.http => {}
            other => return denied(format!("{other} is not granted for this host (schemes)")),
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !ports.contains(&port) {
            return denied(format!("port {port} is not granted for this host (ports)"));
        }
        if !methods.is_empty() && !methods.contains(method) {
            return denied(format!("{method} is not granted for this host (methods)"));
        }
        if *method == Method::CONNECT {
            return denied("CONNECT asks for a connection, and only requests are granted".into());
        }
        if !target::is_below(url.path(), path_prefix) {
            return denied(format!("only paths that begin with {path_prefix} are granted for this host (path_prefix)"));
        }
        let bytes: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if request.headers.len() > HEADERS || bytes > HEADER_BYTES {
            return Err(NoAnswer::new(Cause::Limit, too_many_headers()));
        }
        let most = limits.request_bytes;
        if request.body.len() > most {
            let told = format!("the body has {} bytes, and request_bytes allows {most}", request.body.len());
            return Err(NoAnswer::new(Cause::Limit, told));
        }
        Ok(())
    }

    fn keep_pace(&self) -> Result<(), NoAnswer> {
        if self.pace.take(1) {
            return Ok(());
        }
        let told = format!("more than {} requests in a minute (per_minute)", self.pace.per_minute());
        Err(NoAnswer::new(Cause::Busy, told))
    }
}

#[cfg(test)]
mod tests;
