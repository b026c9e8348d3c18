//! How each kind of sender signs and shapes its webhooks: data, not code.
//!
//! One description says everything, and both directions read it: [`Provider::verify`] and [`Provider::parse_event`] on the
//! way in, [`Provider::sign`] for whoever plays the sender.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub mod catalogue;
mod description;
mod handshake;
mod parse;
mod sign;
mod template;
mod verify;

pub use description::{Late, Provider};
pub use handshake::HandshakeAnswer;
pub use parse::Unreadable;
pub use sign::{CannotSign, Signed, fresh_id};
pub use verify::{BadKey, Key, Received, Unverified, Verified};

/// One configured sender.
#[derive(Clone)]
pub struct Source {
    /// Its name, and the end of its path.
    pub name: Arc<str>,
    /// How it signs and shapes.
    pub provider: Arc<Provider>,
    /// Its secrets, made ready. There is at least one.
    pub keys: Vec<Key>,
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
