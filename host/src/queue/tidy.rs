//! What the writer does beside the path of an event: subscriptions, and letting go of what is old.

use std::sync::Arc;
use std::time::Duration;

use super::retention::{DAY_MS, Going};
use super::store::{LOG_BYTES, StoreError, only_not_now};
use super::subscriber::Subscriber;
use super::writer::{CHECKPOINT_BYTES, Subscription, THIN_KEYS_EVERY_MS, TIDY_EVERY_MS, Writer};
use crate::event::{EventId, Pattern, UnixMs, WRITTEN_MS};

/// How soon there is another step where there is more to let go.
const TIDY_ON_MS: UnixMs = 20;

/// How many events go in one step, how many where more come in than that, and how many where none does: what comes in meanwhile waits for
/// it, and the disk has to take what it writes.
const FEW: usize = 8;
const MANY: usize = 1_536;
const WHILE_IDLE: usize = 64;

/// How many deliveries are given up in one step: each is narrow, and nothing of its event is touched.
const GIVE_UP: usize = 256;

/// How many keys of plugins that have expired go in one step: they are narrow, too, and count until they are gone.
const EXPIRE: usize = 128;

/// How many subscribers that have been gone for long are forgotten in one step.
const FORGET: usize = 32;

impl Writer {
    /// What waits for a plugin that does not run, waits on disk.
    pub(super) fn set_slots(&mut self, n: usize, slots: usize) {
        let slots = if self.resting { 0 } else { slots };
        let subscriber = &mut self.subscribers[n];
        subscriber.slots = slots;
        if slots == 0 {
            self.ready_bytes = self.ready_bytes.saturating_sub(subscriber.forget_ready(self.now));
        }
    }

    /// Tries again what could not be written.
    pub(super) fn subscribe_held(&mut self) -> Result<(), StoreError> {
        for subscription in std::mem::take(&mut self.held_subscriptions) {
            match self.subscribe(&subscription) {
                Err(StoreError::NotNow(_)) => {
                    self.store.roll_back();
                    self.held_subscriptions.push(subscription);
                }
                written => written?,
            }
        }
        Ok(())
    }

    pub(super) fn subscribe(&mut self, subscription: &Subscription) -> Result<(), StoreError> {
        let Subscription { subscriber: name, patterns, ordered_by, slots } = subscription;
        let known = self.find(name);
        self.may_come(name)?;
        let Some(patterns) = patterns.clone().or_else(|| known.map(|n| self.subscribers[n].patterns.clone())) else {
            return Ok(());
        };
        let is_new = known.is_none_or(|n| {
            let one = &self.subscribers[n];
            one.gone_at_ms.is_some() || one.patterns != patterns || one.ordered_by != *ordered_by
        });
        if is_new {
            self.store.begin()?;
            let id = self.store.subscribe(name, &patterns)?;
            self.store.set_ordered_by(id, ordered_by.as_deref())?;
            self.store.commit()?;
            self.subscribed(id, name, patterns, *slots);
            if let Some(n) = self.find(name) {
                self.subscribers[n].ordered_by = ordered_by.clone();
            }
        } else if let Some(n) = known {
            self.set_slots(n, *slots);
        }
        Ok(())
    }

    /// Who is forgotten comes back when all that waited for it is given up: what was let go of never begins.
    pub(super) fn may_come(&self, name: &str) -> Result<(), StoreError> {
        let leaves = self.find(name).is_some_and(|n| self.subscribers[n].leaves_something);
        if leaves { Err(StoreError::NotNow("what waited for it before is still being given up")) } else { Ok(()) }
    }

    /// Somebody's subscriptions are on disk.
    pub(super) fn subscribed(&mut self, id: i64, name: &Arc<str>, patterns: Vec<Pattern>, slots: usize) {
        match self.find(name) {
            Some(n) => {
                let one = &mut self.subscribers[n];
                (one.patterns, one.gone_at_ms, one.is_forgotten) = (patterns, None, false);
                self.set_slots(n, slots);
            }
            None => {
                let n = self.add(Subscriber::new(id, name.clone(), patterns));
                self.set_slots(n, slots);
            }
        }
    }

    /// Why nothing new is accepted, where the queue is as full as it may be.
    pub(super) fn why_full(&self) -> Option<&'static str> {
        if self.store.open_deliveries() >= self.keep.open_deliveries {
            return Some("as many deliveries wait as may (open_deliveries)");
        }
        let most = self.keep.data_bytes?;
        // Who reads for long keeps the log from being moved into the file.
        let log = self.store.log_bytes().saturating_sub(LOG_BYTES);
        (self.used_bytes + log >= most).then_some("the data takes as much room as it may (data_mib)")
    }

    /// Lets go of what has been kept long enough, a little at a time.
    pub(super) fn tidy(&mut self) -> Result<(), StoreError> {
        if self.now < self.tidy_at_ms {
            return Ok(());
        }
        let now = self.now;
        // Earlier where there is little else to do.
        let is_busy = now < self.tidied_at_ms + TIDY_EVERY_MS;
        self.store.checkpoint(if is_busy { CHECKPOINT_BYTES } else { CHECKPOINT_BYTES / 4 }).or_else(only_not_now)?;
        let mut more = false;
        let steps =
            [Writer::forget_gone, Writer::give_up, Writer::let_go, Writer::forget_events, Writer::delete_expired];
        for step in steps {
            more |= match step(self) {
                Err(StoreError::NotNow(_)) => {
                    self.store.roll_back();
                    false
                }
                goes_on => goes_on?,
            };
        }
        // Soon where there is more to do, so that whoever waits goes first; after a while where not.
        self.tidy_at_ms = now + if more { TIDY_ON_MS } else { TIDY_EVERY_MS };
        (self.tidied_at_ms, self.came_in) = (now, 0);
        if now >= self.thin_at_ms {
            if self.time_of_old().is_some() {
                self.seen.forget_before(now.saturating_sub(self.keep.repeat_keys.as_millis() as UnixMs));
            }
            self.thin_at_ms = now + THIN_KEYS_EVERY_MS;
        }
        Ok(())
    }

    /// Goes on to a time. One that leaps may be wrong: by it nothing is old before a day has passed, in which it can be set.
    pub(super) fn go_to(&mut self, now: UnixMs, wall: UnixMs) {
        if now > self.now + DAY_MS {
            self.believed_from_ms = now + DAY_MS;
        }
        (self.now, self.wall) = (now, wall);
    }

    /// The time by which something is old: the earlier of ours and the wall clock's; nothing, where ours may be wrong.
    fn time_of_old(&self) -> Option<UnixMs> {
        (self.now >= self.believed_from_ms).then(|| self.now.min(self.wall))
    }

    /// Which events are older than they are kept, if that can be said.
    fn going(&self, keep: Duration) -> Option<Going> {
        self.time_of_old().map(|now| Going::Before { ms: now.saturating_sub(keep.as_millis() as UnixMs), now })
    }

    /// How many events go in this step. Where many come in, half as many again, so that there comes an end to it.
    fn few(&self) -> usize {
        if self.came_in == 0 {
            return WHILE_IDLE;
        }
        usize::try_from(self.share(self.came_in) * 3 / 2).unwrap_or(MANY).clamp(FEW, MANY)
    }

    /// What a step has to make up for of what there has been since the last one of the same work, which may have been a while ago where each
    /// commit takes long; of an idle while, its share.
    fn share(&self, since: u64) -> u64 {
        let passed = self.now.saturating_sub(self.tidied_at_ms).max(1);
        if passed < TIDY_EVERY_MS { since } else { since * TIDY_ON_MS / passed }
    }

    fn delete_expired(&mut self) -> Result<bool, StoreError> {
        let Some(now) = self.time_of_old() else { return Ok(false) };
        self.store.begin_unsynced()?;
        let expired = self.store.delete_expired(now, EXPIRE)?;
        self.store.commit()?;
        Ok(expired == EXPIRE)
    }

    /// Lets go of bodies that are old, or the oldest where they are too many. Gives whether there are more.
    fn let_go(&mut self) -> Result<bool, StoreError> {
        let (before, used) = (self.used_bytes, self.store.used_bytes()?);
        self.used_bytes = used;
        let going = match (self.keep.bytes.filter(|most| used > *most), self.going(self.keep.events)) {
            // It grows no further, however much larger what comes is than what goes.
            (Some(down_to), _) => Going::Oldest { until: used - self.share(used.saturating_sub(before)), down_to },
            (None, Some(going)) => going,
            (None, None) => return Ok(false),
        };
        self.store.begin_unsynced()?;
        let came_to = self.store.let_go(self.let_go_to, going, self.few())?;
        self.store.commit()?;
        self.used_bytes = self.store.used_bytes()?;
        self.let_go_to = came_to.unwrap_or(EventId::from_i64(0));
        Ok(came_to.is_some())
    }

    /// Forgets events whose bodies are gone and whose keys tell no repeats any more: rows that are narrow. Gives whether there are more.
    fn forget_events(&mut self) -> Result<bool, StoreError> {
        let Some(going) = self.going(self.keep.events.max(self.keep.repeat_keys)) else { return Ok(false) };
        self.store.begin_unsynced()?;
        let came_to = self.store.forget_events(self.forgot_to, going, 4 * self.few())?;
        self.store.commit()?;
        self.forgot_to = came_to.unwrap_or(EventId::from_i64(0));
        Ok(came_to.is_some())
    }

    /// Gives up some of what waits for those that are forgotten, one after another. Gives whether there is more.
    fn give_up(&mut self) -> Result<bool, StoreError> {
        let Some(n) = self.subscribers.iter().position(|one| one.leaves_something) else { return Ok(false) };
        self.store.begin_unsynced()?;
        let more = self.store.give_up(self.subscribers[n].id, GIVE_UP)?;
        self.store.commit()?;
        self.subscribers[n].leaves_something = more;
        Ok(self.subscribers.iter().any(|one| one.leaves_something))
    }

    /// Ends the subscriptions of some of those that have been gone for long. Gives whether there may be more.
    fn forget_gone(&mut self) -> Result<bool, StoreError> {
        let Some(now) = self.time_of_old() else { return Ok(false) };
        let long_ago = now.saturating_sub(self.keep.subscriptions.as_millis() as UnixMs);
        // It was gone before the clock could be right: since when, nobody knows.
        let came_early = |gone: UnixMs| gone < WRITTEN_MS && now >= WRITTEN_MS;
        let gone_of = |one: &Subscriber| one.gone_at_ms.filter(|_| !one.is_forgotten);
        let is_meant = |one: &&mut Subscriber| gone_of(one).is_some_and(|gone| came_early(gone) || gone < long_ago);
        let mut some: Vec<&mut Subscriber> = self.subscribers.iter_mut().filter(is_meant).take(FORGET).collect();
        if some.is_empty() {
            return Ok(false);
        }
        self.store.begin()?;
        for one in &some {
            match gone_of(one) {
                Some(gone) if came_early(gone) => self.store.set_gone(one.id, Some(now))?,
                _ => self.store.forget(one.id)?,
            }
        }
        self.store.commit()?;
        for one in &mut some {
            if gone_of(one).is_some_and(came_early) {
                one.gone_at_ms = Some(now);
                continue;
            }
            tracing::warn!(subscriber = %one.name, "{}: gone, or not active, for keep_subscriptions_s: what waits for it is given up", one.name);
            one.forgotten();
        }
        Ok(some.len() == FORGET)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::attempt::{Attempt, Outcome};
    use crate::effects::{Effects, Quota, Value};
    use crate::event::NewEvent;
    use crate::queue::{AcceptError, Core, Deliveries, Keep, Queue, Receipt, Settlement, Stepped};
    use crate::schedule::{Schedule, Schedules, Verdict};

    /// Whose file will be gone, and how much waits for it then.
    const NAME: &str = "gone";
    const BACKLOG: u64 = 2 * GIVE_UP as u64 + 50;

    const BEGAN_MS: UnixMs = 1_800_000_000_000;

    struct Life {
        core: Core,
        queue: Queue,
        deliveries: Deliveries,
        now: UnixMs,
    }

    /// How much data there may be.
    const DATA_BYTES: u64 = 48 << 20;

    impl Life {
        fn open(folder: &Path, now: UnixMs) -> Life {
            let seconds = |seconds| Duration::from_secs(seconds);
            let keep = Keep {
                events: seconds(86_400),
                bytes: None,
                open_deliveries: u64::MAX,
                data_bytes: Some(DATA_BYTES),
                repeat_keys: seconds(86_400),
                subscriptions: seconds(60),
            };
            let schedules = Schedules { plugins: Schedule(vec![]), webhooks: Schedule(vec![]) };
            let (core, queue, deliveries) = Core::open(folder, &schedules, keep, now, 1).unwrap();
            Life { core, queue, deliveries, now }
        }

        /// Has the queue do what was said, and gives the answer, if there is one by then.
        fn ask<T>(&mut self, asked: impl Future<Output = T>) -> Option<T> {
            use std::task::{Context, Poll, Waker};
            let mut asked = std::pin::pin!(asked);
            let mut poll = || asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(poll().is_pending());
            assert!(matches!(self.core.step(self.now), Stepped::On));
            if let Poll::Ready(answer) = poll() { Some(answer) } else { None }
        }

        fn wants(&mut self, slots: usize) -> Result<(), AcceptError> {
            let (queue, all) = (self.queue.clone(), vec!["*".parse().unwrap()]);
            self.ask(async move { queue.subscribe(NAME, Some(all), Some("lane".into()), slots).await }).unwrap()
        }

        fn send(&mut self, events: u64) -> Vec<Receipt> {
            self.try_send(events, 2).unwrap()
        }

        fn try_send(&mut self, events: u64, bytes: usize) -> Result<Vec<Receipt>, AcceptError> {
            let (queue, at) = (self.queue.clone(), self.now);
            let event = |n: u64| NewEvent {
                source: "s".into(),
                provider: "p".into(),
                event_type: "t".into(),
                received_at_ms: at,
                received: std::time::Instant::now(),
                attributes: vec![("lane".into(), (n % 7).to_string())],
                payload: vec![b' '; bytes].into(),
                headers: None,
                repeat_key: None,
                trace: None,
            };
            let events = (0..events).map(event).collect();
            self.ask(async move { queue.accept(events).await }).unwrap()
        }

        /// All that was begun goes well.
        fn does_all(&mut self) {
            while let Ok(delivery) = self.deliveries.try_recv() {
                let attempt = Attempt::without_call(self.now, Duration::ZERO, Outcome::Done, None);
                self.queue.settle(&delivery, Settlement::Judged { verdict: Verdict::Done, attempt });
            }
        }

        fn pass(&mut self, ms: UnixMs) -> i64 {
            self.now += ms;
            assert!(matches!(self.core.step(self.now), Stepped::On));
            self.core.open_deliveries()
        }
    }

    /// A queue in which a backlog waits for somebody who has just been let go of: the first step is done.
    fn let_go(folder: &Path) -> Life {
        let mut life = Life::open(folder, BEGAN_MS);
        life.wants(0).unwrap();
        life.send(BACKLOG);
        life.queue.gone(NAME);
        assert_eq!(life.pass(10), BACKLOG as i64);
        assert_eq!(life.pass(62_000), BACKLOG as i64 - GIVE_UP as i64);
        life
    }

    #[test]
    fn a_large_backlog_is_given_up_in_small_steps_and_nothing_of_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let mut life = let_go(folder.path());
        // It comes back in the midst of that: what was let go of does not begin, and it has to wait.
        assert!(life.wants(9).is_err());
        let mut steps = 0;
        while life.pass(TIDY_ON_MS) > 0 {
            steps += 1;
            assert!(life.deliveries.try_recv().is_err() && steps < 9);
        }
        assert_eq!((steps, life.core.places_in_lanes()), (1, 0));
        // By then it is there again by itself, for what is new.
        life.pass(TIDY_ON_MS);
        assert!(life.deliveries.try_recv().is_err());
        let new = life.send(1)[0].id;
        assert_eq!(life.deliveries.try_recv().unwrap().event.id, new);
    }

    #[test]
    fn what_was_not_given_up_when_the_process_ended_is_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let life = let_go(folder.path());
        let now = life.now;
        drop(life);
        let mut life = Life::open(folder.path(), now + 1);
        assert_eq!(life.core.open_deliveries(), BACKLOG as i64 - GIVE_UP as i64);
        assert!(life.wants(9).is_err());
        while life.pass(1_000) > 0 {
            assert!(life.deliveries.try_recv().is_err());
        }
        life.pass(TIDY_ON_MS);
        assert!(life.deliveries.try_recv().is_err());
        life.send(1);
        assert!(life.deliveries.try_recv().is_ok());
    }

    #[test]
    fn many_that_have_been_gone_for_long_are_forgotten_some_at_a_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut life = Life::open(folder.path(), BEGAN_MS);
        for n in 0..2 * FORGET + 5 {
            let (queue, name) = (life.queue.clone(), format!("s{n}"));
            let all = Some(vec!["*".parse().unwrap()]);
            life.ask(async move { queue.subscribe(&name, all, None, 0).await }).unwrap().unwrap();
            life.queue.gone(&format!("s{n}"));
            life.pass(1);
        }
        let forgotten = |life: &Life| life.core.writer.subscribers.iter().filter(|one| one.is_forgotten).count();
        assert_eq!(forgotten(&life), 0);
        for so_far in [FORGET, 2 * FORGET, 2 * FORGET + 5] {
            life.pass(if so_far == FORGET { 62_000 } else { TIDY_ON_MS });
            assert_eq!(forgotten(&life), so_far);
        }
    }

    #[test]
    fn as_much_goes_as_comes_in_however_much_that_is() {
        const MOST: u64 = 2 << 20;
        // At each step of ours, where each commit takes so long that there are few, where many want each, and where what comes is ten times
        // as large as what there is. It begins after a second.
        for (times, at_once, each_ms, wanting, kib) in [
            (600, 24, TIDY_ON_MS, 1, 1),
            (100, 100, 40, 1, 1),
            (200, 8, TIDY_ON_MS, 20, 1),
            (300, 8, TIDY_ON_MS, 1, 10),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut life = Life::open(folder.path(), BEGAN_MS);
            life.core.writer.keep.bytes = Some(MOST);
            for nth in 0..wanting {
                let (queue, all) = (life.queue.clone(), Some(vec!["*".parse().unwrap()]));
                let name = format!("{NAME}-{nth}");
                life.ask(async move { queue.subscribe(&name, all, None, 1_000).await }).unwrap().unwrap();
            }
            if kib > 1 {
                life.try_send(MOST >> 10, 1 << 10).unwrap();
                life.does_all();
                life.pass(1);
            }
            let mut least = u64::MAX;
            for nth in 0..times {
                life.try_send(at_once, kib << 10).unwrap();
                life.does_all();
                life.pass(each_ms);
                if nth > times / 2 {
                    least = least.min(life.core.writer.store.used_bytes().unwrap());
                }
            }
            let at = format!("{at_once} events of {kib} KiB for {wanting} each {each_ms} ms");
            assert!(least <= MOST, "there comes no end to it: {least} bytes, at {at}");
        }
    }

    #[test]
    fn keys_that_expire_go_as_they_come() {
        const KEYS: u64 = 80;
        const LIVE_MS: UnixMs = 100;
        let folder = tempfile::tempdir().unwrap();
        let mut life = Life::open(folder.path(), BEGAN_MS);
        life.wants(1_000).unwrap();
        for nth in 0..200 {
            life.send(1);
            let delivery = life.deliveries.try_recv().unwrap();
            let value = Value { bytes: "v".into(), expires_ms: Some(life.now + LIVE_MS) };
            let writes = (0..KEYS).map(|key| (format!("{nth}-{key}"), Some(value.clone()))).collect();
            let quota = Quota { bytes: u64::MAX >> 1, keys: u64::MAX >> 1 };
            let attempt = Attempt::without_call(life.now, Duration::ZERO, Outcome::Done, None);
            let settlement = Settlement::Judged { verdict: Verdict::Done, attempt };
            let (queue, effects) = (life.queue.clone(), Effects { writes, quota, ..Effects::default() });
            life.ask(async move { queue.settle_with(&delivery, settlement, effects).await }).unwrap().unwrap();
            life.pass(TIDY_ON_MS);
        }
        let keys = life.core.keys() as u64;
        // What is live, and what expires until it is looked for again: not half of what there ever was.
        assert!(keys < KEYS * (LIVE_MS + 3 * TIDY_EVERY_MS / 2) / TIDY_ON_MS, "{keys} are there");
    }

    #[test]
    fn a_log_that_somebody_keeps_from_getting_shorter_is_data_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut life = Life::open(folder.path(), BEGAN_MS);
        let reader = life.core.reads_for_long();
        let mut sent = 0;
        while life.try_send(1, 1 << 20).is_ok() {
            life.pass(TIDY_EVERY_MS);
            sent += 1;
        }
        assert!((30..45).contains(&sent), "{sent} MiB, and as much in the log");
        assert_eq!(life.queue.refusing(), Some("the data takes as much room as it may (data_mib)"));
        drop(reader);
        life.pass(TIDY_EVERY_MS);
        assert_eq!(life.queue.refusing(), None);
        assert!(life.try_send(1, 1 << 20).is_ok());
        let (_, log) = life.queue.sizes();
        assert!(log <= LOG_BYTES, "{log}");
    }
}
