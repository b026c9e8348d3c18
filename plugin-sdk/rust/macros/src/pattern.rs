//! What the gateway would refuse is refused here, while the author still looks at it.

use syn::{Error, LitStr, Result};

/// The longest pattern that the gateway takes.
const PATTERN_BYTES: usize = 256;

/// Whether a pattern can be subscribed to.
pub fn check(pattern: &LitStr) -> Result<()> {
    match mistake(&pattern.value()) {
        Some(why) => Err(Error::new(pattern.span(), why)),
        None => Ok(()),
    }
}

fn mistake(pattern: &str) -> Option<&'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if pattern.is_empty() {
        Some("a pattern is not empty: for every event write `*`")
    } else if pattern.contains(odd) {
        Some("a pattern has no whitespace and no control characters")
    } else if pattern.len() > PATTERN_BYTES {
        Some("a pattern has at most 256 bytes")
    } else {
        mistake_at_colon(pattern)
    }
}

fn mistake_at_colon(pattern: &str) -> Option<&'static str> {
    match pattern.split_once(':')? {
        ("", _) => Some("before the colon stands the name of a source or of a provider: `github:push`"),
        (_, "") => Some("after the colon stands the type of an event: `github:push` or `github:*`"),
        _ => None,
    }
}
