//! What a simulation does to the queue from below, and asks of its file.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::core::{Core, Stepped};
use super::{Deliveries, Delivery, Keep, Note, Queue, Registration, Settlement};
use crate::attempt::{Attempt, Outcome};
use crate::event::{EventId, NewEvent, UnixMs};
use crate::schedule::{Schedule, Schedules, Verdict};

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
        let sql = "SELECT ifnull(min(due_ms), 0) FROM delivery WHERE state = 0 AND due_ms > ?1 AND due_ms < ?2";
        let due = self.writer.store.number(sql, [now as i64, i64::MAX]).unwrap();
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

    /// How many keys plugins keep, those included that have expired and are still there.
    pub fn keys(&self) -> i64 {
        self.number("SELECT count(*) FROM state")
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
fn open(folder: &std::path::Path) -> (Core, Queue, Deliveries) {
    let day = Duration::from_secs(86_400);
    let keep =
        Keep { events: day, bytes: None, open_deliveries: 100, data_bytes: None, repeat_keys: day, subscriptions: day };
    let schedules = Schedules { plugins: Schedule(Vec::new()), webhooks: Schedule(Vec::new()) };
    Core::open(folder, &schedules, keep, 1, 1).unwrap()
}

/// The same with somebody who wants everything, one at a time.
fn open_with_one(folder: &std::path::Path) -> (Core, Queue, Deliveries) {
    let (mut core, queue, deliveries) = open(folder);
    let (_, subscribed) = ask(&mut core, queue.subscribe("a", Some(vec!["*".parse().unwrap()]), None, 1));
    subscribed.unwrap().unwrap();
    (core, queue, deliveries)
}

/// Sends some events of so many bytes, and gives whether they were taken.
fn send(core: &mut Core, queue: &Queue, many: usize, bytes: usize) -> bool {
    let event = || NewEvent {
        source: "s".into(),
        provider: "p".into(),
        event_type: "t".into(),
        received_at_ms: 1,
        received: std::time::Instant::now(),
        attributes: Vec::new(),
        payload: vec![b' '; bytes].into(),
        headers: None,
        repeat_key: None,
        trace: None,
    };
    let events = (0..many).map(|_| event()).collect();
    ask(core, queue.accept(events)).1.unwrap().is_ok()
}

/// Says that a delivery is over, with so many bytes of why, and does a step.
fn end(core: &mut Core, queue: &Queue, delivery: &Delivery, bytes: usize) {
    let attempt = Attempt::without_call(2, Duration::ZERO, Outcome::Reject { why: "w".repeat(bytes) }, None);
    queue.settle(delivery, Settlement::Judged { verdict: Verdict::Dead, attempt });
    assert!(matches!(core.step(2), Stepped::On));
}

/// What is logged while something is done.
fn logged(doing: impl FnOnce()) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    let log = tracing_subscriber::fmt().with_writer(std::sync::Arc::new(file.reopen().unwrap())).finish();
    tracing::subscriber::with_default(log, doing);
    std::fs::read_to_string(file.path()).unwrap()
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
        let (mut core, queue, _) = open_with_one(folder.path());
        let broken = "CREATE TEMP TRIGGER t BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END";
        core.writer.store.db.execute_batch(broken).unwrap();
        let failed = match is_register {
            true => ask(&mut core, queue.register(made())).1.map(|told| told.is_err()),
            false => ask(&mut core, queue.pause("a", note())).1.map(|told| told.is_err()),
        };
        assert_ne!(failed, Some(false), "it is not said to be done");
        drop((core, queue));
        let (core, _queue, _) = open(folder.path());
        assert_eq!(core.number("SELECT count(*) FROM record"), 0);
        assert_eq!(core.number("SELECT count(*) FROM subscriber WHERE paused_at_ms IS NOT NULL"), 0);
        assert_eq!(core.number("SELECT count(*) FROM audit"), 0);
    }
}

#[test]
fn a_change_is_logged_once_it_is_on_disk_and_not_before() {
    let note = |what: &str| Note { who: "somebody".into(), what: what.into() };
    let made = |what| Registration {
        kind: "key",
        id: "k".into(),
        body: Some(b"it".to_vec()),
        subscribing: None,
        event: None,
        note: Some(note(what)),
    };
    for (nth, what) in ["held", "made", "replayed"].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let (mut core, queue, _) = open_with_one(folder.path());
        let change = |core: &mut Core| match nth {
            0 => ask(core, queue.pause("a", Some(note(what)))).1.is_some_and(|told| told.is_ok()),
            1 => ask(core, queue.register(made(what))).1.is_some_and(|told| told.is_ok()),
            _ => ask(core, queue.note(None, note(what))).1.is_some_and(|told| told.is_ok()),
        };
        let log = logged(|| assert!(change(&mut core)));
        assert!(log.contains("changed by hand") && log.contains("somebody") && log.contains(what), "{log}");
        core.fail_commit();
        let log = logged(|| assert!(!change(&mut core)));
        assert!(log.contains("the disk failed") && !log.contains("changed by hand"), "{log}");
    }
}

#[test]
fn a_disk_is_full_until_an_event_is_written_whatever_small_is_before() {
    let (folder, full) = (tempfile::tempdir().unwrap(), Some("the disk is full"));
    let (mut core, queue, mut deliveries) = open_with_one(folder.path());
    assert!(send(&mut core, &queue, 1, 1) && queue.refusing().is_none());
    let small = deliveries.try_recv().unwrap();

    core.fill();
    assert!(!send(&mut core, &queue, 1, 100_000));
    assert_eq!(queue.refusing(), full);
    end(&mut core, &queue, &small, 1);
    assert_eq!(
        (core.open_deliveries(), queue.refusing()),
        (0, full),
        "it is written, and says nothing of the next event"
    );
    assert!(!send(&mut core, &queue, 1, 100_000));
    core.free();
    assert!(send(&mut core, &queue, 1, 100_000) && queue.refusing().is_none());

    // What failed without an event is tried again, and is as large then.
    let large = deliveries.try_recv().unwrap();
    core.fill();
    end(&mut core, &queue, &large, 100_000);
    assert_eq!((core.open_deliveries(), queue.refusing()), (1, full));
    core.free();
    assert!(matches!(core.step(2), Stepped::On));
    assert_eq!((core.open_deliveries(), queue.refusing()), (0, None));
}

#[test]
fn a_queue_that_is_as_full_as_it_may_be_says_so_for_as_long() {
    let folder = tempfile::tempdir().unwrap();
    let (mut core, queue, mut deliveries) = open_with_one(folder.path());
    assert!(send(&mut core, &queue, 99, 1) && queue.refusing().is_none());
    assert!(send(&mut core, &queue, 1, 1));
    let full = Some("as many deliveries wait as may (open_deliveries)");
    assert_eq!(queue.refusing(), full);
    assert!(!send(&mut core, &queue, 1, 1));
    assert_eq!(queue.refusing(), full);
    let first = deliveries.try_recv().unwrap();
    end(&mut core, &queue, &first, 1);
    assert_eq!(queue.refusing(), None);
    assert!(send(&mut core, &queue, 1, 1));
}
