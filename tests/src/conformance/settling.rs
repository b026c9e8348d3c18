//! The model's own half of settling: how deliveries end, what calls keep, and what is lost.

use anyhow::Context;
use hookgate::attempt::Outcome;
use hookgate::effects::{Effects, Quota, Range, Read, Value};
use hookgate::event::{EventId, UnixMs, is_webhook};
use hookgate::queue::{NotKept, Standing, Track};
use hookgate::schedule::{Verdict, judge};

use super::desk::{TOOK, schedules};
use super::model::{Model, Subscriber};
use super::told::Attempted;

/// The number of the answer to a sender.
pub(super) const ANSWER: u32 = 0;

impl Model {
    /// An attempt ended.
    pub fn settle(&mut self, name: &str, event: EventId, outcome: &Outcome, verdict: &Verdict) {
        let now = self.now;
        let Some(one) = self.subscribers.get_mut(name) else { return };
        let number = one.deliveries[&event].attempts;
        let (standing, due) = match verdict {
            Verdict::Done => (Standing::Done, now),
            Verdict::Again { at_ms } if !one.is_forgotten => (Standing::Pending, *at_ms),
            Verdict::Again { .. } | Verdict::Dead => (Standing::Dead, now),
        };
        one.history.insert((event, number), (outcome.name(), now, TOOK.as_micros() as u64));
        if is_webhook(name) {
            let track = one.track.get_or_insert_default();
            count(track, number, *outcome == Outcome::Done, now);
            track.dead += u64::from(standing == Standing::Dead);
        }
        self.move_on(name, event, standing, due);
    }

    /// An attempt was not begun after all.
    pub fn give_back(&mut self, name: &str, event: EventId) {
        let now = self.now;
        let Some(one) = self.subscribers.get_mut(name) else { return };
        let standing = if one.is_forgotten { Standing::Dead } else { Standing::Pending };
        if let Some(told) = one.deliveries.get_mut(&event) {
            told.attempts -= 1;
        }
        self.move_on(name, event, standing, now);
    }

    /// The process ended while an attempt ran.
    pub fn lose(&mut self, name: &str, event: EventId) {
        let now = self.now;
        let Some(one) = self.subscribers.get_mut(name) else { return };
        let told = &one.deliveries[&event];
        let (number, nth, begun) = (told.attempts, told.attempts - told.earlier, told.due_ms.unwrap_or(now));
        let (standing, due) = match judge(&Outcome::Lost, nth, schedules().of(name), now) {
            Verdict::Again { at_ms } if !one.is_forgotten => (Standing::Pending, at_ms),
            _ => (Standing::Dead, now),
        };
        one.history.insert((event, number), (Outcome::Lost.name(), begun, 0));
        if is_webhook(name) {
            let track = one.track.get_or_insert_default();
            track.deliveries += u64::from(number == 1);
            track.dead += u64::from(standing == Standing::Dead);
        }
        self.move_on(name, event, standing, due);
    }

    fn move_on(&mut self, name: &str, event: EventId, standing: Standing, due: UnixMs) {
        let (now, step) = (self.now, self.step);
        let Some(one) = self.subscribers.get_mut(name) else { return };
        if let Some(told) = one.deliveries.get_mut(&event) {
            told.wait_from(standing, due, step);
        }
        if standing != Standing::Pending {
            one.leave_lane(event, (now, step));
        }
    }

    /// What became of a call that wants something kept.
    pub fn would_keep(&self, name: &str, effects: &Effects) -> Result<(), NotKept> {
        let one = self.subscribers.get(name).ok_or(NotKept::Overtaken)?;
        let is_so = effects.reads.iter().all(|read| match read {
            Read::Key { key, seen } => one.kept.get(key) == seen.as_ref(),
            Read::Keys { range, seen } => keys(one, range) == *seen,
        });
        let mut kept = one.kept.clone();
        write(&mut kept, effects);
        let adds = effects.writes.values().any(Option::is_some);
        let fits = !adds || effects.quota.holds(used(&kept));
        if is_so && fits { Ok(()) } else { Err(NotKept::Overtaken) }
    }

    /// Keeps what a call wrote.
    pub fn keep(&mut self, name: &str, effects: &Effects) {
        if let Some(one) = self.subscribers.get_mut(name) {
            write(&mut one.kept, effects);
        }
    }

    /// Whether an event's sender was answered by somebody before.
    pub fn has_answered(&self, name: &str, event: EventId) -> bool {
        self.subscribers.get(name).is_some_and(|one| one.history.contains_key(&(event, ANSWER)))
    }

    /// An event's sender was answered.
    pub fn answer(&mut self, name: &str, event: EventId) -> anyhow::Result<()> {
        let attempted: Attempted = (Outcome::Done.name(), self.now, TOOK.as_micros() as u64);
        let one = self.subscribers.get_mut(name).with_context(|| format!("nobody is called {name}"))?;
        one.history.insert((event, ANSWER), attempted);
        Ok(())
    }
}

/// How much somebody keeps.
pub(super) fn used(kept: &std::collections::BTreeMap<String, Value>) -> Quota {
    let bytes = kept.iter().map(|(key, value)| (key.len() + value.bytes.len()) as u64).sum();
    Quota { bytes, keys: kept.len() as u64 }
}

/// Somebody's keys in a range.
pub(super) fn keys(one: &Subscriber, range: &Range) -> Vec<String> {
    let after = |key: &&String| range.after.as_ref().is_none_or(|after| *key > after);
    let keys = one.kept.keys().filter(|key| key.starts_with(&range.prefix)).filter(after);
    keys.take(range.limit).cloned().collect()
}

fn write(kept: &mut std::collections::BTreeMap<String, Value>, effects: &Effects) {
    for (key, value) in &effects.writes {
        match value {
            Some(value) => drop(kept.insert(key.clone(), value.clone())),
            None => drop(kept.remove(key)),
        }
    }
}

fn count(track: &mut Track, number: u32, is_done: bool, now: UnixMs) {
    track.deliveries += u64::from(number == 1);
    track.attempts += 1;
    track.took_us += TOOK.as_micros() as u64;
    track.last_ms = Some(now);
    if is_done {
        track.done += 1;
        (track.last_done_ms, track.failing_since_ms) = (Some(now), None);
    } else {
        track.last_failed_ms = Some(now);
        track.failing_since_ms = track.failing_since_ms.or(Some(now));
    }
}
