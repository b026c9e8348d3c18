//! The section of outgoing webhooks: `[outgoing]`.

use std::net::SocketAddr;
use std::time::Duration;

use super::delivery::schedule;
use super::grants::allow_private;
use super::{Reading, millis};
use crate::schedule::Schedule;
use crate::secret::Secret;
use crate::section::Section;
use crate::webhooks::Limits;

/// What outgoing webhooks are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Where the API listens, beside the admin address.
    pub listen: Option<SocketAddr>,
    /// Receivers that may be reached though they are not on the public internet.
    pub allow_private: Vec<SocketAddr>,
    /// What secrets are sealed with; without it, a key in the data folder.
    pub key: Option<Secret>,
    /// How much, how long, how often.
    pub limits: Limits,
}

/// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h: what Svix and SoundHash do.
const SCHEDULE_S: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

impl Reading<'_> {
    /// Reads `[outgoing]`.
    pub(super) fn outgoing(&self, mut section: Section) -> (Outgoing, Schedule) {
        let listen = section.parsed("listen");
        let allow_private = allow_private(&mut section);
        let key = section.optional_section("key").and_then(|section| self.secret(section));
        let schedule = schedule(&mut section, &SCHEDULE_S);
        let limits = Limits {
            calls_at_once: section.number("calls_at_once", 16, 1..=1000) as usize,
            timeout: millis(&mut section, "timeout_ms", 15_000),
            disable_after: Duration::from_secs(section.number("disable_after_s", 5 * 86_400, 1..=31_536_000)),
        };
        section.finish();
        (Outgoing { listen, allow_private, key, limits }, schedule)
    }
}
