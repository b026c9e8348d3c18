//! Deliveries to webhooks: the same path as a plugin's, with a request in place of a call.

use std::time::Duration;

use super::spans::onward;
use super::{Dispatch, Ending};
use crate::attempt::Attempt;
use crate::event::{UnixMs, WEBHOOK, now_ms};
use crate::queue::Delivery;
use crate::schedule::{Verdict, judge};
use crate::webhooks::Tried;

/// By how much of its length a wait is made longer at the most, so that what failed together does not come back together.
const JITTER: f64 = 0.1;

impl Dispatch {
    pub(super) async fn post(&self, delivery: Delivery) {
        let mut ending = Ending::begin(self, &delivery, 0);
        let trace = onward(&self.telemetry, &delivery);
        match self.webhooks.deliver(&delivery.subscriber, &delivery.event, trace).await {
            Tried::NotNow => ending.give_back(),
            Tried::Ended { attempt, disable } => {
                ending.settle_attempt(attempt);
                if let Some(why) = disable {
                    self.webhooks.disable(&delivery.subscriber, &why).await;
                }
            }
        }
    }

    pub(super) fn judge_post(&self, delivery: &Delivery, attempt: &Attempt) -> Verdict {
        let now = now_ms();
        let schedule = self.schedules.of(&delivery.subscriber);
        let verdict = jittered(judge(&attempt.outcome, delivery.nth(), schedule, now), now);
        self.counters.count_post(delivery, attempt, &verdict);
        let webhook = delivery.subscriber.strip_prefix(WEBHOOK).unwrap_or(&delivery.subscriber);
        let (event, number, why) = (delivery.event.id, delivery.attempt, attempt.outcome.why().unwrap_or("delivered"));
        match &verdict {
            Verdict::Done => tracing::debug!(webhook, %event, "{webhook}: delivered in {:?}", attempt.took),
            Verdict::Again { at_ms } => {
                let wait = Duration::from_millis(at_ms.saturating_sub(now));
                tracing::warn!(webhook, %event, "{webhook}: attempt {number}: {why}; again in {wait:.1?}");
            }
            Verdict::Dead => tracing::error!(webhook, %event, "{webhook}: attempt {number}: {why}; dead, and kept"),
        }
        verdict
    }
}

/// Makes a wait a little longer, by chance.
fn jittered(verdict: Verdict, now: UnixMs) -> Verdict {
    let Verdict::Again { at_ms } = verdict else { return verdict };
    let mut chance = [0u8; 4];
    // Without randomness, no jitter.
    let _ = getrandom::fill(&mut chance);
    let share = f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX) * JITTER;
    Verdict::Again { at_ms: at_ms + (at_ms.saturating_sub(now) as f64 * share) as UnixMs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_only_gets_longer_and_a_little() {
        let waits: Vec<UnixMs> = (0..100)
            .map(|_| match jittered(Verdict::Again { at_ms: 101_000 }, 1_000) {
                Verdict::Again { at_ms } => at_ms - 1_000,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(waits.iter().all(|wait| (100_000..=110_000).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]));
        assert_eq!(jittered(Verdict::Dead, 5), Verdict::Dead);
    }
}
