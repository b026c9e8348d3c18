//! Whom a request is for: a host's name, and patterns of them.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use super::{Cause, NoAnswer};

/// A host, all below one (`*.example.com`, which is not the host itself), or, where a plugin asks, any (`*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// A name in lower-case ASCII, or an address.
    One(String),
    /// All names that end with this, a dot first.
    Below(String),
    /// Any.
    Any,
}

/// A text that names no host.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host: write `api.example.com`, or `*.example.com` for all below it; no scheme, no port, no path")]
pub struct NotAHost(String);

impl HostPattern {
    /// Whether a host's name, as [`name`] gives it, is meant.
    pub fn covers(&self, name: &str) -> bool {
        match self {
            HostPattern::One(one) => one == name,
            HostPattern::Below(end) => name.len() > end.len() && name.ends_with(&**end),
            HostPattern::Any => true,
        }
    }

    /// The more of a name it says, the more it means just that host.
    pub(super) fn length(&self) -> usize {
        match self {
            HostPattern::One(_) => usize::MAX,
            HostPattern::Below(end) => end.len(),
            HostPattern::Any => 0,
        }
    }
}

impl FromStr for HostPattern {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<HostPattern, NotAHost> {
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        let (name, is_below) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let wrong = || NotAHost(text.to_owned());
        if name.contains('*') {
            return Err(wrong());
        }
        let (host, is_address) = match Host::parse(name.trim_end_matches('.')).map_err(|_| wrong())? {
            Host::Domain(name) => (name, false),
            Host::Ipv4(address) => (address.to_string(), true),
            Host::Ipv6(address) => (format!("[{address}]"), true),
        };
        match is_below {
            // Below a name of one label would be half of the internet.
            true if is_address || !host.contains('.') => Err(wrong()),
            true => Ok(HostPattern::Below(format!(".{host}"))),
            false => Ok(HostPattern::One(host)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::One(name) => f.write_str(name),
            HostPattern::Below(end) => write!(f, "*{end}"),
            HostPattern::Any => f.write_str("*"),
        }
    }
}

/// The host's name of a URL: in lower-case ASCII, without the dot at its end, which is taken out of the URL too. Nothing else
/// may stand beside it.
pub(super) fn name(url: &mut Url) -> Result<String, NoAnswer> {
    let invalid = |told: &str| NoAnswer::new(Cause::Invalid, told);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("a URL with a user's name or password in it is not sent"));
    }
    let name = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
    if name.is_empty() || !url.has_host() {
        return Err(invalid("a URL without a host cannot be sent"));
    }
    if url.host_str() != Some(&name) {
        url.set_host(Some(&name)).map_err(|_| invalid("the URL's host is none"))?;
    }
    url.set_fragment(None);
    Ok(name)
}

/// Whether a path is a prefix, or goes on from it with a new part.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    // The root holds everything, so nothing leads out of it.
    if prefix != "/" && leads_up(rest) {
        return false;
    }
    rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/')
}

/// Whether a server that decodes a path before it resolves it would find a way up in it.
fn leads_up(path: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    // Some decode twice, and some take what stands behind a semicolon for no part of the name.
    let twice = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy();
    let names = twice.split(['/', '\\']).map(|part| part.split(';').next().unwrap_or_default());
    { names }.any(|name| name == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_whole_labels() {
        let table = [
            ("api.example.com", "api.example.com", true),
            ("API.Example.com.", "api.example.com", true),
            ("api.example.com", "evil-api.example.com", false),
            ("api.example.com", "api.example.com.evil.net", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "badexample.com", false),
            ("bücher.example", "xn--bcher-kva.example", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("[::1]", "[::1]", true),
            ("*", "anything", true),
        ];
        for (pattern, host, expected) in table {
            assert_eq!(pattern.parse::<HostPattern>().unwrap().covers(host), expected, "{pattern} on {host}");
        }
        for bad in
            ["", "https://x.com", "x.com/path", "x.com:80", "a b", "*.com", "*.127.0.0.1", "a.*.com", "user@x.com"]
        {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_ends_where_a_part_does() {
        let table = [
            ("/v4/accounts", "/v4", true),
            ("/v4", "/v4", true),
            ("/v44", "/v4", false),
            ("/v4/x", "/v4/", true),
            ("/anything", "/", true),
            ("/", "/v4", false),
            ("/v4/..%2fadmin", "/v4", false),
            ("/v4/%2e%2e%5cadmin", "/v4", false),
            ("/v4/..;x/admin", "/v4", false),
            ("/v4/%252e%252e%252fadmin", "/v4", false),
            ("/v4/a..b/c", "/v4", true),
            ("/..%2fadmin", "/", true),
        ];
        for (path, prefix, expected) in table {
            assert_eq!(is_below(path, prefix), expected, "{path} below {prefix}");
        }
    }
}
