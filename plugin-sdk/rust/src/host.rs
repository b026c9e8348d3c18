//! What the gateway offers to a plugin, and what stands in for it in a test.

#[cfg(not(target_family = "wasm"))]
pub(crate) mod native;
#[cfg(target_family = "wasm")]
mod wasm;

use std::time::SystemTime;

#[cfg(not(target_family = "wasm"))]
use native as imp;
#[cfg(target_family = "wasm")]
use wasm as imp;

pub(crate) use imp::{log, log_panics, use_defaults};

/// The most that the gateway gives in one call.
const RANDOM_BYTES: usize = 4096;

/// What the operator granted under `[plugins.<name>] settings`, or the default that the plugin gave.
///
/// Strings come as they are, numbers and booleans as TOML writes them, arrays and tables as JSON. Ask for settings with
/// `#[plugin(setting("key", default = "..."))]`.
pub fn setting(key: &str) -> Option<String> {
    imp::setting(key)
}

/// What the gateway's clock says.
pub fn now() -> SystemTime {
    imp::now()
}

/// Bytes that nobody can predict. In a test they are merely different each time.
pub fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        let missing = (count - bytes.len()).min(RANDOM_BYTES);
        bytes.extend(imp::random_bytes(missing));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_are_as_many_as_asked_for_and_differ() {
        for count in [0, 1, 7, 8, RANDOM_BYTES, RANDOM_BYTES + 1] {
            assert_eq!(random_bytes(count).len(), count);
        }
        assert_ne!(random_bytes(16), random_bytes(16));
    }
}
