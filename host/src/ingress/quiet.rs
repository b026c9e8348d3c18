//! Says each cause of each source once a second: strangers do not write the operator's log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Refusal;

/// What was said lately.
#[derive(Default)]
pub(super) struct Quiet {
    said: Mutex<HashMap<(Arc<str>, &'static str), Said>>,
}

/// When something was last said, and how often it was not since.
type Said = (Instant, u64);

const SAY_EVERY: Duration = Duration::from_secs(1);

impl Quiet {
    pub(super) fn refused(&self, source: &Arc<str>, refusal: Refusal) {
        let cause = refusal.cause();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let unsaid = match said.get_mut(&(source.clone(), cause)) {
            Some((at, unsaid)) if at.elapsed() < SAY_EVERY => {
                *unsaid += 1;
                return;
            }
            Some((_, unsaid)) => *unsaid,
            None => 0,
        };
        said.insert((source.clone(), cause), (Instant::now(), 0));
        drop(said);
        match unsaid {
            0 => tracing::warn!(%source, cause, "{source}: refused: {refusal}"),
            more => {
                tracing::warn!(%source, cause, "{source}: refused: {refusal} (and {more} more)")
            }
        }
    }
}
