//! The names of hosts that can be asked for.

use syn::{Error, LitStr, Result};

const MISTAKE: &str = "a host is a name in lower case and nothing more: `api.example.com`, `*.example.com` for all \
                       below it, `*` for those that the operator names";

/// Whether it can be the name of a host, or of all below one.
pub fn check(name: &LitStr) -> Result<()> {
    match is_host(&name.value()) {
        true => Ok(()),
        false => Err(Error::new(name.span(), MISTAKE)),
    }
}

fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let known = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    text == "*" || name.split('.').all(|label| !label.is_empty() && label.bytes().all(known))
}
