//! One sits at it and tells an engine what to do, when, and looks at what comes of it.

use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookgate::attempt::{Attempt, Outcome};
use hookgate::event::{NewEvent, Pattern, UnixMs, repeat_key};
use hookgate::queue::{Delivery, Keep, Queue, Settlement};
use hookgate::schedule::{Schedule, Schedules, Verdict, judge};

use super::Engine;

/// When it begins: long ago, so that whatever waits is due by the clock on the wall.
const BEGINNING: UnixMs = 1_600_000_000_000;

/// How many steps an answer may take.
const STEPS: usize = 8;

/// How long an attempt takes.
pub(super) const TOOK: Duration = Duration::from_millis(5);

/// Where chance says what is sent, nothing new is accepted while so many deliveries are not over.
pub(super) const OPEN: usize = 30;

/// What is tried again when: plugins twice, webhooks once.
pub(super) fn schedules() -> Schedules {
    let seconds = |all: &[u64]| Schedule(all.iter().map(|s| Duration::from_secs(*s)).collect());
    Schedules { plugins: seconds(&[1, 30]), webhooks: seconds(&[10]) }
}

/// Everything is kept for long.
pub(super) fn keep() -> Keep {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    Keep {
        events: days(400),
        bytes: None,
        open_deliveries: u64::MAX,
        data_bytes: None,
        repeat_keys: days(400),
        subscriptions: days(400),
    }
}

/// An event of a source; its body is its name, and so is its repeat key, where it has one.
pub(super) fn event(source: &str, event_type: &str, key: Option<&str>, now: UnixMs) -> NewEvent {
    NewEvent {
        source: source.into(),
        provider: "p".into(),
        event_type: event_type.into(),
        received_at_ms: now,
        received: Instant::now(),
        attributes: Vec::new(),
        payload: Bytes::from(format!("{source} {event_type} {}", key.unwrap_or("-"))),
        headers: None,
        repeat_key: key.map(|key| repeat_key(source, key.as_bytes())),
        trace: None,
    }
}

/// Patterns, read.
pub(super) fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// How an attempt ended at a time.
pub(super) fn attempt(now: UnixMs, outcome: Outcome) -> Attempt {
    Attempt::without_call(now, TOOK, outcome, None)
}

/// An engine, its folder and its clock.
pub(super) struct Desk<E> {
    engine: Option<E>,
    runtime: tokio::runtime::Runtime,
    scratch: tempfile::TempDir,
    keep: Keep,
    lives: u64,
    /// What came out and was not taken yet.
    pub came: Vec<Delivery>,
    /// What time it is.
    pub now: UnixMs,
}

impl<E: Engine> Desk<E> {
    /// A new queue in a folder of its own.
    pub fn new(keep: Keep) -> Desk<E> {
        let memory = Path::new("/dev/shm");
        let scratch = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut desk =
            Desk { engine: None, runtime, scratch: scratch.unwrap(), keep, lives: 0, came: Vec::new(), now: BEGINNING };
        desk.open();
        desk
    }

    fn open(&mut self) {
        self.lives += 1;
        let opened = E::open(self.scratch.path(), &schedules(), self.keep.clone(), self.now, self.lives);
        self.engine = Some(opened.unwrap());
    }

    fn engine(&mut self) -> &mut E {
        self.engine.as_mut().unwrap()
    }

    /// The way in.
    pub fn queue(&self) -> Queue {
        self.engine.as_ref().unwrap().queue().clone()
    }

    /// Does what was said.
    pub fn step(&mut self) {
        let now = self.now;
        self.engine().step(now);
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: UnixMs) {
        self.now += ms;
        self.step();
    }

    /// What came out.
    pub fn begun(&mut self) -> Vec<Delivery> {
        self.engine().deliveries()
    }

    /// Ends this process and begins the next: by `close`, or at once.
    pub fn restart(&mut self, ending: Ending) {
        if ending == Ending::Closed {
            let queue = self.queue();
            self.ask(async move { queue.close().await }).unwrap();
        }
        (self.engine, self.came) = (None, Vec::new());
        self.open();
    }

    /// Says something and gives the answer.
    pub fn ask<T>(&mut self, saying: impl Future<Output = T>) -> T {
        self.ask_all(vec![saying]).remove(0)
    }

    /// Says several things at once and gives the answers.
    pub fn ask_all<T>(&mut self, sayings: Vec<impl Future<Output = T>>) -> Vec<T> {
        let mut sayings: Vec<_> = sayings.into_iter().map(Box::pin).collect();
        let mut answers: Vec<Option<T>> = sayings.iter().map(|_| None).collect();
        for _ in 0..STEPS {
            for (saying, answer) in sayings.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
                if let Poll::Ready(told) = pin!(saying).poll(&mut Context::from_waker(Waker::noop())) {
                    *answer = Some(told);
                }
            }
            if answers.iter().all(Option::is_some) {
                return answers.into_iter().flatten().collect();
            }
            self.step();
        }
        panic!("no answer in {STEPS} steps");
    }

    /// Looks.
    pub fn look<T>(&self, looking: impl Future<Output = anyhow::Result<T>>) -> T {
        self.runtime.block_on(looking).unwrap()
    }

    /// Ends an attempt as an outcome says, by the schedules.
    pub fn end(&mut self, delivery: &Delivery, outcome: Outcome) {
        let verdict = judge(&outcome, delivery.nth(), schedules().of(&delivery.subscriber), self.now);
        self.settle(delivery, Settlement::Judged { verdict, attempt: attempt(self.now, outcome) });
    }

    /// Ends an attempt well.
    pub fn done(&mut self, delivery: &Delivery) {
        self.settle(delivery, Settlement::Judged { verdict: Verdict::Done, attempt: attempt(self.now, Outcome::Done) });
    }

    /// Says how a delivery ended.
    pub fn settle(&mut self, delivery: &Delivery, settlement: Settlement) {
        self.queue().settle(delivery, settlement);
        self.step();
    }
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It closes the queue.
    Closed,
    /// It is killed, with all that it said done.
    Killed,
}
