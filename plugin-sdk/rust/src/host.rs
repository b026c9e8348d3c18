//! What the gateway offers to a plugin, and what stands in for it in a test.

#[cfg(not(target_family = "wasm"))]
pub(crate) mod native;
#[cfg(target_family = "wasm")]
mod wasm;

use std::time::SystemTime;

use serde::de::DeserializeOwned;

use crate::{Failure, Result};

#[cfg(not(target_family = "wasm"))]
use native as imp;
#[cfg(target_family = "wasm")]
use wasm as imp;

pub(crate) use imp::{call, events, http, log, log_panics, state};

/// The most that the gateway gives in one call.
const RANDOM_BYTES: usize = 4096;

/// What the operator granted under `[plugins.<name>] settings`, or the default that the plugin gave.
///
/// Strings come as they are, numbers and booleans as TOML writes them, arrays and tables as JSON. Ask for settings with
/// `#[plugin(setting("key", default = "..."))]`, and read one with a type by [`setting_as`].
pub fn setting(key: &str) -> Option<String> {
    imp::setting(key)
}

/// The same as a value: for a setting whose type is `integer`, `number`, `boolean` or `json`.
///
/// ```
/// # use hookgate_plugin::{Event, Plugin, Result, plugin, setting_as, testing};
/// # struct Mine;
/// #[plugin(setting("limit", type = "integer", default = 3))]
/// impl Mine {
///     #[on("*")]
///     fn any(_: Event) -> Result {
///         let limit: u32 = setting_as("limit")?;
/// #       assert_eq!(limit, 3);
///         Ok(())
///     }
/// }
/// # Mine::handle(testing::event("x").build()).unwrap();
/// ```
///
/// One that is neither granted nor has a default, or does not fit, is a retry: an operator can mend that.
pub fn setting_as<T: DeserializeOwned>(key: &str) -> Result<T> {
    let value = setting(key)
        .ok_or_else(|| Failure::retry(format_args!("the setting `{key}` is neither granted nor has it a default")))?;
    serde_json::from_str(&value)
        .map_err(|why| Failure::retry(format_args!("the setting `{key}` is not what was expected: {why}")))
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

    #[test]
    fn settings_with_a_type_are_values() {
        crate::testing::settings([("limit", "3"), ("share", "0.5"), ("on", "true"), ("all", "[1,2]"), ("word", "x")]);
        assert_eq!((setting_as("limit"), setting_as("share")), (Ok(3_u8), Ok(0.5)));
        assert_eq!((setting_as("on"), setting_as("all")), (Ok(true), Ok([1, 2])));
        for key in ["word", "share", "none"] {
            assert!(matches!(setting_as::<u8>(key), Err(Failure::Retry { after: None, .. })), "{key}");
        }
    }
}
