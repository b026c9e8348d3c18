//! What the gateway would refuse is refused here, while the author still looks at it.

use syn::{Error, LitStr, Result};

/// The longest pattern that the gateway takes.
const PATTERN_BYTES: usize = 256;

const SOURCE: &str = "the source of what a plugin emits is the plugin itself: name the type alone";

/// Whether a pattern can be subscribed to.
pub fn check(pattern: &LitStr) -> Result<()> {
    match mistake(&pattern.value()) {
        Some(why) => Err(Error::new(pattern.span(), why)),
        None => Ok(()),
    }
}

/// Whether a pattern means types and nothing else.
pub fn check_type(pattern: &LitStr) -> Result<()> {
    check(pattern)?;
    match pattern.value().split_once(':') {
        Some((from, _)) if is_name(from) => Err(Error::new(pattern.span(), SOURCE)),
        _ => Ok(()),
    }
}

/// Whether a text can be the name of a source or a provider. Some senders have colons in their types.
fn is_name(text: &str) -> bool {
    let known = |c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    !text.is_empty() && !text.starts_with(['-', '_']) && text.bytes().all(known)
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
