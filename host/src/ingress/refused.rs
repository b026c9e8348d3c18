//! The last requests that were refused, for the operator: enough to see who sends what wrongly, and nothing of what was sent.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, Method};
use serde::Serialize;
use utoipa::ToSchema;

use crate::event::{UnixMs, wall_ms};
use crate::listen::Closed;

/// How many are remembered.
const REMEMBERED: usize = 200;

/// How many of them may be of no source: anybody can make those, and must not hide what senders do.
const OF_NO_SOURCE: usize = 50;

/// How many names of headers are remembered of each.
const NAMES: usize = 20;

/// How much of a name is shown: names are a stranger's too.
const NAME_BYTES: usize = 64;

/// The last that were refused; clones are the same.
#[derive(Clone, Default)]
pub struct Refused(Arc<Mutex<Ring>>);

#[derive(Default)]
struct Ring {
    last: VecDeque<Entry>,
    /// When a connection was noted last, by its cause: a flood of them must not hide the requests.
    connections: HashMap<&'static str, Instant>,
}

/// How often a connection is noted for a cause.
const CONNECTION_EVERY: Duration = Duration::from_secs(1);

struct Entry {
    at_ms: UnixMs,
    cause: &'static str,
    source: Option<Arc<str>>,
    address: IpAddr,
    method: Option<Method>,
    headers: Vec<HeaderName>,
    body_bytes: Option<u64>,
}

/// What is known of a request, whatever becomes of it.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Who asks.
    pub address: IpAddr,
    method: Method,
    headers: Vec<HeaderName>,
    /// What was announced, or what arrived.
    pub body_bytes: Option<u64>,
}

impl Arrival {
    pub(super) fn new(address: IpAddr, method: &Method, headers: &HeaderMap, announced: Option<u64>) -> Arrival {
        let headers = headers.keys().take(NAMES).cloned().collect();
        Arrival { address, method: method.clone(), headers, body_bytes: announced }
    }
}

/// Which of them are wanted.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Of one source.
    pub source: Option<String>,
    /// For one cause.
    pub cause: Option<String>,
    /// From this time on.
    pub since_ms: UnixMs,
    /// So many at the most.
    pub limit: Option<usize>,
}

/// One of them as operators see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refused)]
pub struct RefusedFace {
    at: String,
    cause: &'static str,
    source: Option<String>,
    #[schema(value_type = String)]
    address: IpAddr,
    method: Option<String>,
    headers: Vec<String>,
    body_bytes: Option<u64>,
}

impl Refused {
    /// Notes a request. The source is one of the config's.
    pub(super) fn note(&self, cause: &'static str, source: Option<Arc<str>>, arrival: Arrival) {
        let Arrival { address, method, headers, body_bytes } = arrival;
        let method = Some(method);
        self.lock().push(Entry { at_ms: wall_ms(), cause, source, address, method, headers, body_bytes });
    }

    /// Notes a connection that was closed for what its client did.
    pub fn note_connection(&self, closed: Closed, address: IpAddr) {
        let (cause, now) = (closed.cause(), Instant::now());
        let mut ring = self.lock();
        if ring.connections.get(cause).is_some_and(|at| now.duration_since(*at) < CONNECTION_EVERY) {
            return;
        }
        ring.connections.insert(cause, now);
        let (source, method, headers, body_bytes) = (None, None, Vec::new(), None);
        ring.push(Entry { at_ms: wall_ms(), cause, source, address, method, headers, body_bytes });
    }

    /// Those that are wanted, the newest first.
    pub fn newest(&self, wanted: &Wanted) -> Vec<RefusedFace> {
        let is_wanted = |entry: &&Entry| {
            wanted.source.as_ref().is_none_or(|source| entry.source.as_deref() == Some(&**source))
                && wanted.cause.as_ref().is_none_or(|cause| entry.cause == *cause)
                && entry.at_ms >= wanted.since_ms
        };
        let ring = self.lock();
        let newest = ring.last.iter().rev().filter(is_wanted);
        newest.take(wanted.limit.unwrap_or(REMEMBERED)).map(Entry::face).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, entry: Entry) {
        let mut of_none = self.last.iter().enumerate().filter(|(_, entry)| entry.source.is_none()).map(|(at, _)| at);
        let oldest = of_none.next().filter(|_| entry.source.is_none() && of_none.count() + 1 >= OF_NO_SOURCE);
        if let Some(at) = oldest {
            self.last.remove(at);
        } else if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(entry);
    }
}

impl Entry {
    fn face(&self) -> RefusedFace {
        let at = jiff::Timestamp::from_millisecond(self.at_ms as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        // Names and methods are of letters and a few signs: nothing else gets as far as this.
        let cut = |name: &str| name.get(..NAME_BYTES).unwrap_or(name).to_owned();
        RefusedFace {
            at: format!("{at:.3}"),
            cause: self.cause,
            source: self.source.as_deref().map(str::to_owned),
            address: self.address,
            method: self.method.as_ref().map(|method| cut(method.as_str())),
            headers: self.headers.iter().map(|name| cut(name.as_str())).collect(),
            body_bytes: self.body_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(body_bytes: u64) -> Arrival {
        let headers = HeaderMap::from_iter([("x-signature".parse().unwrap(), "the value".parse().unwrap())]);
        Arrival::new("192.0.2.1".parse().unwrap(), &Method::POST, &headers, Some(body_bytes))
    }

    #[test]
    fn the_newest_are_remembered_without_a_value() {
        let refused = Refused::default();
        (0..250).for_each(|n| refused.note("bad_signature", Some("github".into()), arrival(n)));
        let all = refused.newest(&Wanted::default());
        assert_eq!((all.len(), all[0].body_bytes, all[199].body_bytes), (200, Some(249), Some(50)));
        let json = serde_json::to_string(&all[0]).unwrap();
        assert!(json.contains("\"x-signature\"") && !json.contains("the value"), "{json}");
        assert!(all[0].at.ends_with('Z') && all[0].at.contains('T'), "{json}");
    }

    #[test]
    fn those_that_are_wanted_are_given() {
        let refused = Refused::default();
        refused.note("busy", Some("github".into()), arrival(1));
        refused.note("bad_signature", Some("github".into()), arrival(2));
        refused.note("unknown_source", None, arrival(3));
        let bytes = |source: Option<&str>, cause: Option<&str>, limit| {
            let (source, cause) = (source.map(str::to_owned), cause.map(str::to_owned));
            let wanted = Wanted { source, cause, since_ms: 0, limit };
            refused.newest(&wanted).iter().map(|face| face.body_bytes.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(bytes(None, None, None), [3, 2, 1]);
        assert_eq!(bytes(Some("github"), None, None), [2, 1]);
        assert_eq!(bytes(Some("github"), Some("busy"), None), [1]);
        assert_eq!(bytes(None, None, Some(1)), [3]);
        assert!(bytes(Some("other"), None, None).is_empty());
        let since = |since_ms| refused.newest(&Wanted { since_ms, ..Wanted::default() }).len();
        assert_eq!((since(wall_ms() - 60_000), since(wall_ms() + 60_000)), (3, 0));
    }

    #[test]
    fn a_flood_of_connections_does_not_hide_requests() {
        let refused = Refused::default();
        refused.note("busy", None, arrival(1));
        (0..1000).for_each(|_| refused.note_connection(Closed::TooMany, "192.0.2.1".parse().unwrap()));
        assert_eq!(refused.newest(&Wanted::default()).len(), 2);
    }

    #[test]
    fn a_flood_of_no_source_leaves_the_others_their_places() {
        let refused = Refused::default();
        (0..250).for_each(|n| refused.note("bad_signature", Some("github".into()), arrival(n)));
        (0..1000).for_each(|n| refused.note("unknown_source", None, arrival(n)));
        let all = refused.newest(&Wanted::default());
        let of = |cause: &str| all.iter().filter(|face| face.cause == cause).count();
        assert_eq!((all.len(), of("bad_signature"), of("unknown_source")), (200, 150, 50));
        assert_eq!((all[0].body_bytes, all[49].body_bytes), (Some(999), Some(950)), "the newest of them are left");
        (0..200).for_each(|n| refused.note("bad_signature", Some("github".into()), arrival(n)));
        assert_eq!(refused.newest(&Wanted { cause: Some("unknown_source".into()), ..Wanted::default() }).len(), 0);
    }

    #[test]
    fn so_many_names_are_remembered() {
        let header = |n| (format!("x-{n}").parse().unwrap(), "y".parse().unwrap());
        let arrival = Arrival::new("::1".parse().unwrap(), &Method::GET, &(0..60).map(header).collect(), None);
        assert_eq!(arrival.headers.len(), NAMES);
    }

    #[test]
    fn long_names_are_cut() {
        let headers = HeaderMap::from_iter([("x".repeat(500).parse().unwrap(), "y".parse().unwrap())]);
        let refused = Refused::default();
        refused.note("busy", None, Arrival::new("::1".parse().unwrap(), &Method::GET, &headers, None));
        assert_eq!(refused.newest(&Wanted::default())[0].headers[0].len(), 64);
    }
}
