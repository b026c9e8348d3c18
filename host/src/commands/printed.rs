//! JSON for programs, which people read too.

use std::fmt::Write;

use hookgate::runtime::acts;
use serde::Serialize;

/// A value as JSON over several lines. What would do something to a terminal is escaped, and means the same.
pub fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|json| escaped(&json))
}

/// The same in one line.
pub fn in_a_line(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|json| escaped(&json))
}

/// Inside strings there is no end of a line any more.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && acts(c) {
            // None of them has more than four digits.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_would_do_something_is_escaped_and_means_the_same() {
        let odd = json!({ "häuser": "日本🎉\u{1b}[2J\r\n\u{7f}\u{9b}31m\u{202e}\u{2066}" });
        for printed in [pretty(&odd).unwrap(), in_a_line(&odd).unwrap()] {
            assert!(printed.chars().all(|c| c == '\n' || !acts(c)), "{printed:?}");
            assert!(
                printed.contains("häuser") && printed.contains("日本🎉") && printed.contains("\\u202e"),
                "{printed}"
            );
            assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), odd);
        }
        assert_eq!(in_a_line(&odd).unwrap().lines().count(), 1);
    }
}
