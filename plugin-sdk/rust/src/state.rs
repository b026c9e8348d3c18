//! What a plugin remembers from one event to the next: bytes under keys, its own alone.
//!
//! ```
//! use hookgate_plugin::{Event, Result, log, plugin, state};
//!
//! struct Count;
//!
//! #[plugin(state(about = "How many events there were."))]
//! impl Count {
//!     #[on("*")]
//!     fn count(_: Event) -> Result {
//!         if state::increment("seen", 1)? == 100 {
//!             log::info!("a hundred events");
//!         }
//!         Ok(())
//!     }
//! }
//! ```
//!
//! What a call writes is kept if it returns `Ok`, in the same commit that says so, and forgotten if it does not. A call
//! sees what it wrote itself. It is as if the calls that write or emit had run one after another.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PowerError;
use crate::failure::millis;
use crate::host::state;
use crate::power::{read_json, read_text, write_json};

type Result<T, E = PowerError> = std::result::Result<T, E>;

/// The most keys that come at once.
const KEYS: u32 = 1000;

/// The value of a key, if it is there.
pub fn get(key: &str) -> Result<Option<Vec<u8>>> {
    Ok(state::get(key)?)
}

/// The value of a key as text, if it is there.
pub fn get_text(key: &str) -> Result<Option<String>> {
    let Some(value) = get(key)? else { return Ok(None) };
    let text = read_text(format_args!("the value of `{key}`"), &value)?;
    Ok(Some(text.to_string()))
}

/// The value of a key, read as JSON, if it is there.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    let Some(value) = get(key)? else { return Ok(None) };
    read_json(format_args!("the value of `{key}`"), &value).map(Some)
}

/// Sets a key for good.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<()> {
    Ok(state::set(key, value.as_ref(), None)?)
}

/// Sets a key for so long from now.
pub fn set_for(key: &str, value: impl AsRef<[u8]>, keep: Duration) -> Result<()> {
    Ok(state::set(key, value.as_ref(), Some(millis(keep)))?)
}

/// Sets a key to a value, written as JSON, for good.
pub fn set_json(key: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
    set(key, write_json(value)?)
}

/// Removes a key, whether it is there or not.
pub fn delete(key: &str) -> Result<()> {
    Ok(state::delete(key)?)
}

/// The first 1,000 keys that begin with a prefix, in the order of their bytes.
pub fn keys(prefix: &str) -> Result<Vec<String>> {
    Ok(state::keys(prefix, None, KEYS)?)
}

/// The keys that begin with a prefix and come after another, in the order of their bytes; at most 1,000.
pub fn keys_after(prefix: &str, after: &str, limit: u32) -> Result<Vec<String>> {
    Ok(state::keys(prefix, Some(after), limit)?)
}

/// Adds to a number, which is kept as decimal text, and gives the sum. A key that is not there counts as 0; when a key
/// expires stays as it is.
pub fn increment(key: &str, by: i64) -> Result<i64> {
    Ok(state::increment(key, by)?)
}

/// Sets a key for good if its value is as expected (`None`: it is not there), and tells whether it was.
pub fn compare_and_set(key: &str, expected: Option<&[u8]>, value: impl AsRef<[u8]>) -> Result<bool> {
    Ok(state::compare_and_set(key, expected, value.as_ref(), None)?)
}

/// As [`compare_and_set`], for so long from now.
pub fn compare_and_set_for(
    key: &str,
    expected: Option<&[u8]>,
    value: impl AsRef<[u8]>,
    keep: Duration,
) -> Result<bool> {
    Ok(state::compare_and_set(key, expected, value.as_ref(), Some(millis(keep)))?)
}
