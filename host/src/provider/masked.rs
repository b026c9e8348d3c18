//! What is kept of a request's headers for whoever looks at the event later: all of them, without what authenticates.

use std::sync::Arc;

use http::header::{HeaderMap, HeaderName};

use super::description::Provider;

/// The most that is kept of one request, in bytes.
const KEPT_BYTES: usize = 8 << 10;

/// What stands in place of a value that authenticates.
const MASK: &str = "***";

/// Parts of the names of headers that authenticate, beside those that the provider signs by.
const SECRET: [&str; 14] = [
    "auth",
    "cookie",
    "sig",
    "token",
    "secret",
    "key",
    "passw",
    "jwt",
    "assertion",
    "oidc",
    "credential",
    "session",
    "hmac",
    "digest",
];

impl Provider {
    /// What is kept of a request's headers, `name: value` in a line each.
    pub fn kept_headers(&self, headers: &HeaderMap) -> Arc<str> {
        kept(headers, self).into()
    }
}

fn kept(headers: &HeaderMap, provider: &Provider) -> String {
    let mut text = String::with_capacity(1024);
    for (name, value) in headers {
        let value = match value.to_str() {
            _ if is_secret(name, provider) => MASK,
            Ok(value) => value,
            Err(_) => "(not text)",
        };
        if text.len() + name.as_str().len() + value.len() + 3 > KEPT_BYTES {
            continue;
        }
        text.extend([name.as_str(), ": ", value, "\n"]);
    }
    text
}

fn is_secret(name: &HeaderName, provider: &Provider) -> bool {
    // Of what the provider signs by, the time is no secret, and tells an operator much.
    let is_time = name.as_str().contains("timestamp") || name.as_str().ends_with("-time");
    SECRET.iter().any(|part| name.as_str().contains(part))
        || !is_time && provider.signature_headers().any(|signs| signs == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_authenticates_is_masked_and_the_rest_is_there() {
        let provider = crate::provider::catalogue::find("stripe").unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("stripe-signature", "t=1,v1=00"),
            ("authorization", "Bearer x"),
            ("x-gitlab-token", "x"),
            ("x-own-timestamp", "17"),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers.insert("x-odd", http::HeaderValue::from_bytes(b"\xff").unwrap());
        headers.insert("x-long", "y".repeat(KEPT_BYTES).parse().unwrap());
        let mut lines: Vec<String> = kept(&headers, &provider).lines().map(str::to_owned).collect();
        lines.sort();
        let expected = [
            "authorization: ***",
            "content-type: application/json",
            "stripe-signature: ***",
            "x-gitlab-token: ***",
            "x-odd: (not text)",
            "x-own-timestamp: 17",
        ];
        assert_eq!(lines, expected);
    }
}
