//! What goes wrong with what a plugin was granted, or was not.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;
use crate::bindings::hookgate::plugin::errors;

pub use crate::bindings::hookgate::plugin::errors::Kind as ErrorKind;

/// The gateway did not do what it was asked for: a request, something with the state, an event.
///
/// With `?`, the delivery is tried again. One of the kind [`ErrorKind::Invalid`] is rejected: it would be the same
/// then.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// A sentence for people.
    pub why: String,
}

impl PowerError {
    /// For the answers that a test gives.
    pub fn new(kind: ErrorKind, why: impl fmt::Display) -> PowerError {
        PowerError { kind, why: why.to_string() }
    }
}

impl fmt::Display for PowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<PowerError> for Failure {
    fn from(error: PowerError) -> Failure {
        match error.kind {
            ErrorKind::Invalid => Failure::reject(error),
            _ => Failure::retry(error),
        }
    }
}

impl From<errors::Error> for PowerError {
    fn from(error: errors::Error) -> PowerError {
        PowerError { kind: error.kind, why: error.why }
    }
}

/// Writes a value as JSON.
pub(crate) fn write_json(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, PowerError> {
    serde_json::to_vec(value)
        .map_err(|why| PowerError::new(ErrorKind::Invalid, format_args!("this cannot be written as JSON: {why}")))
}

/// Reads JSON that somebody else wrote: what does not fit now may fit on the next attempt.
pub(crate) fn read_json<T: DeserializeOwned>(what: impl fmt::Display, bytes: &[u8]) -> Result<T, PowerError> {
    serde_json::from_slice(bytes).map_err(|why| {
        PowerError::new(ErrorKind::Failed, format_args!("{what} is not the JSON that was expected: {why}"))
    })
}

/// Reads text that somebody else wrote.
pub(crate) fn read_text(what: impl fmt::Display, bytes: &[u8]) -> Result<&str, PowerError> {
    std::str::from_utf8(bytes)
        .map_err(|why| PowerError::new(ErrorKind::Failed, format_args!("{what} is not UTF-8 text: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Result;

    #[test]
    fn only_what_makes_no_sense_is_rejected() {
        use ErrorKind::{Busy, Denied, Failed, Invalid, Limit, Timeout};
        fn handler(kind: ErrorKind) -> Result {
            Err(PowerError::new(kind, "why"))?;
            Ok(())
        }
        assert_eq!(handler(Invalid), Err(Failure::reject("why")));
        for kind in [Busy, Denied, Failed, Limit, Timeout] {
            assert_eq!(handler(kind), Err(Failure::retry("why")), "{kind:?}");
        }
    }
}
