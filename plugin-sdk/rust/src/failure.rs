//! Why a handler could not do its work, and what the gateway makes of it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::bindings::exports::hookgate::plugin::handler;

/// What a handler returns.
///
/// `?` makes a retry of any error, since what fails may work later. Say [`Failure::reject`] where it never will.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Why a plugin could not do its work.
///
/// It is no [`Error`] itself: that is what lets `?` turn every error into one. So are [`PowerError`](crate::PowerError)
/// and [`FrameioError`](crate::frameio::FrameioError) none: they know which of the two they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It never will: the delivery is dead at once, and kept.
    Reject(String),
    /// It may later: the delivery is tried again.
    Retry {
        /// What the operator reads.
        why: String,
        /// How long to wait at least; without it, the operator's schedule decides.
        after: Option<Duration>,
    },
}

impl Failure {
    /// This event can never be handled: the delivery is dead at once, and kept for the operator to look at.
    pub fn reject(why: impl fmt::Display) -> Failure {
        Failure::Reject(why.to_string())
    }

    /// It may work later: the delivery is tried again when the operator's schedule says so.
    pub fn retry(why: impl fmt::Display) -> Failure {
        Failure::Retry { why: why.to_string(), after: None }
    }

    /// Puts the next attempt off by at least this long. A reject has no next attempt and stays what it is.
    ///
    /// ```
    /// # use {hookgate_plugin::Failure, std::time::Duration};
    /// Failure::retry("the service asks for patience").after(Duration::from_secs(30));
    /// ```
    pub fn after(self, wait: Duration) -> Failure {
        match self {
            Failure::Retry { why, .. } => Failure::Retry { why, after: Some(wait) },
            reject => reject,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Reject(why) | Failure::Retry { why, .. } => f.write_str(why),
        }
    }
}

impl<E: Error> From<E> for Failure {
    /// A retry that tells the error and everything that caused it.
    fn from(error: E) -> Failure {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        Failure::retry(why)
    }
}

impl From<Failure> for handler::Failure {
    fn from(failure: Failure) -> handler::Failure {
        match failure {
            Failure::Reject(why) => handler::Failure::Reject(why),
            Failure::Retry { why, after } => {
                handler::Failure::Retry(handler::Retry { why, after_ms: after.map(millis) })
            }
        }
    }
}

/// Whole milliseconds, rounded up, where what is too long to count is the longest that can be said.
pub(crate) fn millis(wait: Duration) -> u64 {
    wait.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no number")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn any_error_becomes_a_retry_with_its_causes() {
        fn handler() -> Result {
            "x".parse::<u8>().map_err(Outer)?;
            Ok(())
        }
        assert_eq!(handler(), Err(Failure::retry("no number: invalid digit found in string")));
    }

    #[test]
    fn a_retry_waits_and_a_reject_does_not() {
        let wait = Duration::from_millis(1500);
        let retry = handler::Failure::from(Failure::retry("later").after(wait));
        assert_eq!(retry, handler::Failure::Retry(handler::Retry { why: "later".into(), after_ms: Some(1500) }));
        assert_eq!(Failure::reject("never").after(wait), Failure::reject("never"));
        let rounded =
            [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(1_001), Duration::MAX].map(millis);
        assert_eq!(rounded, [0, 1, 2, u64::MAX]);
    }
}
