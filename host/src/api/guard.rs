//! Who may look and operate, by the role of what a request shows.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;
use super::shown;
use crate::keys::{Keys, Role};
use crate::secret::Secret;

/// What is looked at to know who asks.
pub struct Guard {
    /// The keys, each with its role.
    pub keys: Arc<Keys>,
    /// What counts as `operate` beside them. Where there is none, whoever is on this machine operates it.
    pub token: Option<Secret>,
}

/// The sort of address that a request may be sent to that shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// Any.
    Any,
    /// No name: a page in a browser can have a name of its own lead to this machine, but not an address.
    Addresses,
}

/// A way in: for whom it is.
#[derive(Clone)]
pub struct Door {
    guard: Arc<Guard>,
    needed: Role,
    hosts: Hosts,
}

/// Who asks, as the audit log has it.
#[derive(Debug, Clone)]
pub(super) struct Operator(pub String);

impl Guard {
    /// A way in for whoever has a role.
    pub fn door(self: &Arc<Guard>, needed: Role, hosts: Hosts) -> Door {
        Door { guard: self.clone(), needed, hosts }
    }
}

impl Door {
    /// Lets in who may come in, and tells those behind who that is.
    pub async fn check(State(door): State<Door>, mut request: Request, next: Next) -> Response {
        match door.admit(request.headers()) {
            Ok(who) => {
                request.extensions_mut().insert(who);
                next.run(request).await
            }
            Err(refusal) => refusal.into_response(),
        }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<Operator, Refusal> {
        let Guard { keys, token } = &*self.guard;
        let shows_nothing = !headers.contains_key(AUTHORIZATION) && !headers.contains_key("x-api-key");
        let (role, who) = match (shown(headers), token) {
            (Some(shown), Some(token)) if token.equals(shown) => (Role::Operate, "admin token".to_owned()),
            (Some(shown), _) => keys.know(shown).ok_or(Refusal::NoToken)?,
            (None, None) if shows_nothing && self.is_meant(headers) => (Role::Operate, "local".to_owned()),
            (None, None) if shows_nothing => return Err(Refusal::Host),
            (None, _) => return Err(Refusal::NoToken),
        };
        if role.covers(self.needed) { Ok(Operator(who)) } else { Err(Refusal::Role(self.needed)) }
    }

    fn is_meant(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|value| value.to_str().ok());
        !is_of_a_page(headers) && (self.hosts == Hosts::Any || host.is_some_and(is_address))
    }
}

/// Whether a browser sends it for a page, which says so in one of these.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    headers.contains_key(ORIGIN) || site.is_some_and(|site| site != b"none")
}

fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_sends_is_told_from_what_a_person_does() {
        let of = |name: &'static str, value: &'static str| {
            is_of_a_page(&HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]))
        };
        assert!(of("origin", "https://evil.example") && of("origin", "null"));
        assert!(of("sec-fetch-site", "cross-site") && of("sec-fetch-site", "same-site"));
        assert!(!of("sec-fetch-site", "none") && !of("user-agent", "curl"));
    }

    #[test]
    fn only_addresses_are_no_names() {
        for good in ["127.0.0.1:8081", "127.0.0.1", "[::1]:8081", "localhost:1", "10.0.0.5"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example:80"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
