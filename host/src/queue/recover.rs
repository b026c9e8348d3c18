//! What the last process left: subscribers and what waits for them, keys that tell repeats, attempts that were running when it ended.

use std::collections::HashMap;
use std::time::Duration;

use super::columns::State;
use super::retention::{DAY_MS, told_ms};
use super::seen::Seen;
use super::store::{Result, Store, StoreError, StoredDelivery, only_not_now};
use super::subscriber::Subscriber;
use super::track::Track;
use super::writer::{Writer, not_run, oldest};
use crate::attempt::Outcome;
use crate::event::{EventId, UnixMs, WRITTEN_MS};
use crate::schedule::{Schedules, Verdict, judge};

/// Everyone who ever subscribed.
pub(super) fn stored_subscribers(store: &Store, schedules: &Schedules, now: UnixMs) -> Result<Vec<Subscriber>> {
    let latest = now + schedules.longest().as_millis() as UnixMs;
    let mut subscribers = Vec::new();
    for stored in store.subscribers()? {
        // What was let go of never begins; what of it was not given up yet, is.
        let leaves_something = stored.is_forgotten() && store.leaves_something(stored.id)?;
        let mut waiting = if stored.is_forgotten() { Vec::new() } else { store.waiting(stored.id)? };
        if now >= WRITTEN_MS {
            // A clock that was ahead put it off for as long.
            for (line, due) in &mut waiting {
                if store.next_due_after(stored.id, *line, latest)?.is_some() {
                    store.sooner(stored.id, *line, latest).or_else(only_not_now)?;
                    *due = latest.min(*due);
                }
            }
        }
        let mut subscriber = Subscriber::stored(stored, waiting);
        subscriber.leaves_something = leaves_something;
        subscribers.push(subscriber);
    }
    Ok(subscribers)
}

/// A gap of more than a day in what was received, up to a time within the last day: what is before it may be as young as what is after it,
/// since it may be the clock that is ahead.
pub(super) struct Leap {
    /// When the last event before it came,
    before_ms: UnixMs,
    /// and the first after it, if one did.
    after_ms: UnixMs,
}

impl Leap {
    /// The last one, where that was less than a day ago.
    pub fn find(store: &Store, now: UnixMs) -> Result<Option<Leap>> {
        let yesterday = EventId::first_at(now.saturating_sub(DAY_MS));
        let Some(before) = store.last_before(yesterday)? else { return Ok(None) };
        let (before_ms, first) = (before.made_at_ms(), store.first_since(yesterday)?);
        let after_ms = first.map_or(now, |first| first.made_at_ms().min(now));
        Ok((before_ms + 2 * DAY_MS < now).then_some(Leap { before_ms, after_ms }))
    }

    /// From when on the time after it is believed.
    pub fn believed_from_ms(&self) -> UnixMs {
        self.after_ms + DAY_MS
    }
}

/// The keys of the last days.
pub(super) fn stored_keys(store: &Store, keep: Duration, leap: Option<&Leap>, now: UnixMs) -> Result<Seen> {
    let (newest, mut seen) = (store.last_id()?.made_at_ms(), Seen::default());
    // To a clock that has not been set yet, all would be of the future.
    let by = if now < WRITTEN_MS { now.max(newest) } else { now };
    let since = leap.map_or(by, |leap| leap.before_ms);
    store.repeat_keys_since(oldest(since, keep), |key, id, received_at_ms| {
        seen.insert(&key, id, told_ms(id, received_at_ms, by).min(by + DAY_MS));
    })?;
    Ok(seen)
}

impl Writer {
    /// Attempts that were running when the last process ended are lost; the schedule says what that means. Where that cannot be written
    /// down now they stay as they are on disk, where nobody takes them up, and it is tried again before anything else is done.
    pub(super) fn recover(&mut self) -> Result<()> {
        if self.lost.is_empty() {
            return Ok(());
        }
        match self.write_lost() {
            Ok(due) => {
                self.lost.clear();
                due.into_iter().for_each(|(n, line, due_ms)| self.subscribers[n].is_due_at(line, due_ms));
                self.refusing.written(false);
            }
            Err(StoreError::NotNow(why)) => {
                self.store.roll_back();
                self.refusing.failed(why, false);
            }
            Err(broken) => return Err(broken),
        }
        Ok(())
    }

    /// Judges what was lost, all of it or nothing. Gives what waits from then on: whose it is, in which line and until when.
    fn write_lost(&mut self) -> Result<Vec<(usize, i64, UnixMs)>> {
        let places: HashMap<i64, usize> = self.subscribers.iter().enumerate().map(|(n, one)| (one.id, n)).collect();
        let mut waits = Vec::new();
        self.store.begin()?;
        for (subscriber, line, lost) in &self.lost {
            let n = places.get(subscriber).copied();
            let due = self.write_one_lost(*subscriber, n, lost)?.map(|due| (*line, due));
            // One that is dead lets the next of its lane begin.
            let next = match (due, lost.lane) {
                (None, Some(lane)) => self.store.leave_lane(*subscriber, lane, lost.event, self.now)?,
                _ => None,
            };
            let due = due.or(next.map(|line| (line, self.now)));
            waits.extend(n.zip(due).map(|(n, (line, due))| (n, line, due)));
        }
        self.store.commit()?;
        Ok(waits)
    }

    /// Judges one attempt. Gives when it is tried again, if it is.
    fn write_one_lost(&self, subscriber: i64, n: Option<usize>, lost: &StoredDelivery) -> Result<Option<UnixMs>> {
        let one = n.map(|n| &self.subscribers[n]);
        let (event, number, now) = (lost.event, lost.attempts, self.now);
        let schedule = self.schedules.of(one.map_or("", |one| &*one.name));
        let due = match judge(&Outcome::Lost, number - lost.earlier, schedule, now) {
            Verdict::Again { at_ms } if one.is_some_and(|one| !one.is_forgotten) => Some(at_ms),
            Verdict::Again { .. } | Verdict::Done | Verdict::Dead => None,
        };
        let state = if due.is_some() { State::Waiting } else { State::Dead };
        self.store.move_delivery(subscriber, event, state, number, due.unwrap_or(now))?;
        if one.is_some_and(|one| one.is_webhook) {
            self.store.add_track(subscriber, &Track::lost(number, due.is_none()))?;
        }
        // Of one that runs, this is when it was begun; not later than now, whatever the clock said then.
        let begun = lost.due_ms.min(now);
        self.store.insert_attempt(subscriber, event, number, &not_run(Outcome::Lost, begun))?;
        Ok(due)
    }
}
