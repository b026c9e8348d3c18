//! How each kind of sender signs and shapes its webhooks: data, not code.
//!
//! One description says everything, and both directions read it: [`Provider::verify`] and [`Provider::parse_events`] on the
//! way in, [`Provider::sign`] for whoever plays the sender.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod canonical;
pub mod catalogue;
mod certificate;
mod description;
mod handshake;
mod json;
mod key;
mod looking;
mod masked;
mod names;
mod parse;
mod scheme;
mod seek;
mod sign;
mod tags;
mod template;
#[cfg(test)]
mod tests;
mod timestamp;
mod vector;
mod verify;

pub use certificate::Certificate;
pub use description::{Failure, Late, Provider};
pub use handshake::{BadHandshake, HandshakeAnswer};
pub use key::{BadKey, Key};
pub use parse::Unreadable;
pub use sign::{CannotSign, Signed, fresh_id};
pub use verify::{Received, Unverified, Verified};

use crate::secret::Secret;

/// One configured sender.
#[derive(Clone)]
pub struct Source {
    /// Its name, and the end of its path.
    pub name: Arc<str>,
    /// How it signs and shapes.
    pub provider: Arc<Provider>,
    /// Its secrets, made ready. There is at least one.
    pub keys: Vec<Key>,
    /// What its sender shows in a handshake that is not signed.
    pub verify_token: Option<Secret>,
    /// The largest body that is taken, in bytes.
    pub body_bytes: usize,
    /// The address that senders see, where one is configured.
    pub url: Option<Arc<str>>,
    /// The files that its secrets are read from, those that are not there yet included.
    pub secret_files: Vec<PathBuf>,
    /// Who answers, where it is not the gateway at once.
    pub answering: Option<Answering>,
    /// The most verified requests a second, where there is such a limit.
    pub requests_per_s: Option<NonZeroU32>,
    /// Whether its events are kept with the headers of their requests.
    pub keeps_headers: bool,
}

/// Who answers a sender that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answering {
    /// The name of who does.
    pub plugin: Arc<str>,
    /// How long the sender can wait for it.
    pub within: Duration,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} of {}, {} secrets)", self.name, self.provider.name, self.keys.len())
    }
}
