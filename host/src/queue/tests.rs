//! What a simulation does to the queue from below, and asks of its file.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::core::{Core, Stepped};
use super::{Keep, Note, Queue, Registration};
use crate::event::{EventId, UnixMs};
use crate::schedule::{Schedule, Schedules};

impl Core {
    /// Whether all that was said is done.
    pub fn is_done(&self) -> bool {
        self.next.is_none()
    }

    /// Fails in the midst of a step, after about so many steps of the engine.
    pub fn fail_after(&mut self, steps: i32) {
        let _ = self.writer.store.db.progress_handler(steps, Some(|| true));
    }

    /// Fails at the next commit.
    pub fn fail_commit(&mut self) {
        let _ = self.writer.store.db.commit_hook(Some(|| true));
    }

    /// Lets the disk be full, until [`Core::free`].
    pub fn fill(&self) {
        let _ = self.writer.store.db.query_row("PRAGMA max_page_count = 1", [], |_| Ok(()));
    }

    /// Gives it room again.
    pub fn free(&self) {
        let _ = self.writer.store.db.query_row("PRAGMA max_page_count = 4294967294", [], |_| Ok(()));
    }

    /// Somebody who reads until it is dropped.
    pub fn reads_for_long(&self) -> rusqlite::Connection {
        let reader = rusqlite::Connection::open(self.writer.store.db.path().unwrap()).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM event;").unwrap();
        reader
    }

    fn number(&self, sql: &str) -> i64 {
        self.writer.store.number(sql, []).unwrap()
    }

    /// How many deliveries are not over.
    pub fn open_deliveries(&self) -> i64 {
        let open = self.number("SELECT count(*) FROM delivery WHERE state IN (0, 1)");
        assert_eq!(open as u64, self.writer.store.open_deliveries(), "it is counted as it is");
        open
    }

    /// When the next delivery is due after a time.
    pub fn next_due(&self, now: UnixMs) -> Option<UnixMs> {
        let due = self.number(&format!(
            "SELECT ifnull(min(due_ms), 0) FROM delivery WHERE state = 0 AND due_ms > {now} AND due_ms < {}",
            i64::MAX
        ));
        Some(due as UnixMs).filter(|due| *due > 0)
    }

    /// How many events there are with a key that another has.
    pub fn keys_that_are_there_twice(&self) -> i64 {
        self.number("SELECT count(*) - count(DISTINCT repeat_key) FROM event")
    }

    /// How many deliveries have a place in a lane.
    pub fn places_in_lanes(&self) -> i64 {
        self.number("SELECT count(*) FROM lane")
    }

    /// Whether an event is there with its body.
    pub fn has_whole(&self, event: EventId) -> bool {
        self.writer.store.event(event).is_ok()
    }

    /// How many deliveries of an event are over and had an attempt that is kept.
    pub fn over_and_tried(&self, event: EventId) -> i64 {
        self.number(&format!(
            "SELECT count(*) FROM delivery d WHERE event = {id} AND state IN (2, 3) AND attempt > 0
             AND EXISTS (SELECT 1 FROM attempt a WHERE a.subscriber = d.subscriber AND a.event = {id})",
            id = event.to_i64()
        ))
    }

    /// Whether the file is as it must be.
    pub fn is_intact(&self) -> bool {
        self.number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") == 0
    }
}

/// The queue of a folder, and a way to tell it something.
fn open(folder: &std::path::Path) -> (Core, Queue) {
    let day = Duration::from_secs(86_400);
    let keep =
        Keep { events: day, bytes: None, open_deliveries: 100, data_bytes: None, repeat_keys: day, subscriptions: day };
    let schedules = Schedules { plugins: Schedule(Vec::new()), webhooks: Schedule(Vec::new()) };
    let (core, queue, _) = Core::open(folder, &schedules, keep, 1, 1).unwrap();
    (core, queue)
}

/// Says something, does a step, and gives the answer.
fn ask<T>(core: &mut Core, asking: impl Future<Output = T>) -> (Stepped, Option<T>) {
    let (mut asking, mut context) = (pin!(asking), Context::from_waker(Waker::noop()));
    assert!(asking.as_mut().poll(&mut context).is_pending());
    let stepped = core.step(2);
    match asking.poll(&mut context) {
        Poll::Ready(answer) => (stepped, Some(answer)),
        Poll::Pending => (stepped, None),
    }
}

#[test]
fn a_change_that_cannot_be_noted_is_not_made() {
    let note = || Some(Note { who: "somebody".into(), what: "{}".into() });
    let made = || {
        let body = Some(b"it".to_vec());
        Registration { kind: "key", id: "k".into(), body, subscribing: None, event: None, note: note() }
    };
    for is_register in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (mut core, queue) = open(folder.path());
        let (_, subscribed) = ask(&mut core, queue.subscribe("a", Some(Vec::new()), None, 1));
        assert!(subscribed.unwrap().is_ok());
        let broken = "CREATE TEMP TRIGGER t BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END";
        core.writer.store.db.execute_batch(broken).unwrap();
        let failed = match is_register {
            true => ask(&mut core, queue.register(made())).1.map(|told| told.is_err()),
            false => ask(&mut core, queue.pause("a", note())).1.map(|told| told.is_err()),
        };
        assert_ne!(failed, Some(false), "it is not said to be done");
        drop((core, queue));
        let (core, _queue) = open(folder.path());
        assert_eq!(core.number("SELECT count(*) FROM record"), 0);
        assert_eq!(core.number("SELECT count(*) FROM subscriber WHERE paused_at_ms IS NOT NULL"), 0);
        assert_eq!(core.number("SELECT count(*) FROM audit"), 0);
    }
}

#[test]
fn the_word_of_a_failure_stays_until_nothing_is_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut core, queue) = open(folder.path());
    let (_, subscribed) = ask(&mut core, queue.subscribe("a", Some(Vec::new()), None, 1));
    assert!(subscribed.unwrap().is_ok());
    let reader = core.reads_for_long();
    drop((core, queue));
    let marker = folder.path().join("failed");
    std::fs::write(&marker, "it failed").unwrap();

    drop(open(folder.path()));

    assert!(marker.exists(), "this process dealt with nothing of it");
    drop(reader);
    drop(open(folder.path()));
    assert!(!marker.exists());
}
