//! Who may look and operate, by the role of what a request shows.

use std::net::IpAddr;
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

/// What a request that shows nothing may call the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// Anything: for what tells nobody anything, so that whoever probes it need not know where it runs.
    Any,
    /// This machine: a page in a browser can have a name of its own lead here, and what is sent for it then still says that name.
    Loopback,
}

/// A way in: for whom it is.
#[derive(Clone)]
pub struct Door {
    guard: Arc<Guard>,
    needed: Role,
    hosts: Hosts,
}

/// Who asks, as the audit log has it: a key by its name and id, `admin token`, or `local`.
#[derive(Debug, Clone)]
pub(super) struct Who(pub String);

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

    fn admit(&self, headers: &HeaderMap) -> Result<Who, Refusal> {
        let Guard { keys, token } = &*self.guard;
        let shows_nothing = !headers.contains_key(AUTHORIZATION) && !headers.contains_key("x-api-key");
        let (role, who) = match (shown(headers), token) {
            (Some(shown), Some(token)) if token.equals(shown) => (Role::Operate, "admin token".to_owned()),
            (Some(shown), _) => keys.know(shown).ok_or(Refusal::UnknownToken)?,
            (None, None) if shows_nothing && self.is_meant(headers) => (Role::Operate, "local".to_owned()),
            (None, None) if shows_nothing => return Err(Refusal::Host(self.needed)),
            (None, _) => return Err(Refusal::NoToken),
        };
        if role.covers(self.needed) { Ok(Who(who)) } else { Err(Refusal::Role(self.needed)) }
    }

    fn is_meant(&self, headers: &HeaderMap) -> bool {
        let hosts = headers.get_all(HOST);
        let is_here = headers.contains_key(HOST) && hosts.iter().all(|host| host.to_str().is_ok_and(is_loopback));
        !is_of_a_page(headers) && (self.hosts == Hosts::Any || is_here)
    }
}

/// Whether a browser sends it for a page, which says so in one of these.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    headers.contains_key(ORIGIN) || site.is_some_and(|site| site != b"none")
}

/// Whether a `Host` is this machine's own name for itself. Without a token it is bound to nothing else.
fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|c| c.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
    fn only_this_machine_is_loopback() {
        for good in ["127.0.0.1:8081", "127.0.0.1", "127.8.8.8:1", "[::1]:8081", "[::1]", "localhost:1", "LocalHost"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            ":8081",
            "evil.example",
            "evil.example:8081",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "evil.localhost",
            "10.0.0.5",
            "0.0.0.0:8081",
            "[::]:8081",
            "[fe80::1]",
            "127.0.0.1:evil",
            "user@localhost",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
