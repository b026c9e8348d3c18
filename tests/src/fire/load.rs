//! Senders that post as fast as they are answered, a worker that settles what it gets, and what both were promised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hookgate::attempt::{Attempt, Outcome};
use hookgate::effects::{Effects, Quota, Value};
use hookgate::event::{EventId, NewEvent, RepeatKey, now_ms, repeat_key};
use hookgate::queue::{AcceptError, Deliveries, Delivery, Keep, Queue, Receipt, Settlement};
use hookgate::schedule::{Schedule, Schedules, Verdict};
use hookgate_disk::Chance;
use tokio::task::JoinSet;

/// The one subscriber.
pub const WORKER: &str = "worker";

/// How many deliveries it has in hand.
pub const SLOTS: usize = 16;

/// How many post at the same time.
const SENDERS: u64 = 8;

/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(1_000_000);

/// Opens the queue of a folder. Nothing in it is ever too old, and nothing is tried too often.
pub fn open(folder: &Path) -> anyhow::Result<(Queue, Deliveries)> {
    open_keeping(folder, LONG)
}

/// The same, where events are kept for so long.
pub fn open_keeping(folder: &Path, events: Duration) -> anyhow::Result<(Queue, Deliveries)> {
    let again_and_again = Schedule(vec![Duration::ZERO; 1_000]);
    let schedules = Schedules { plugins: again_and_again.clone(), webhooks: again_and_again };
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let keep = Keep {
            events,
            bytes: None,
            open_deliveries: u64::MAX,
            data_bytes: None,
            repeat_keys: LONG,
            subscriptions: LONG,
        };
        match hookgate::queue::open(folder, &schedules, keep) {
            // The thread that wrote before is about to end.
            Err(error) if error.to_string().contains("another gateway") && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => return opened,
        }
    }
}

/// Has the worker get everything.
pub async fn subscribe(queue: &Queue, slots: usize) -> Result<(), AcceptError> {
    queue.subscribe(WORKER, Some(vec!["*".parse().unwrap()]), None, slots).await
}

/// Threads to drive a queue from.
pub fn threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// From which number on events are large.
const LARGE: u64 = 1 << 40;

/// The body of the n-th event: mostly small, sometimes of many pages.
pub fn body(n: u64) -> Vec<u8> {
    let mut chance = Chance::of(n ^ 0xb0d1);
    if n >= LARGE {
        return chance.number().to_le_bytes().repeat(5_000 + chance.below(5_000) as usize);
    }
    let most = if chance.once_in(16) { 60_000 } else { 3_000 };
    let bytes = 8 + chance.below(most);
    std::iter::repeat_with(|| chance.number().to_le_bytes()).flatten().take(bytes as usize).collect()
}

/// What tells repeats of the n-th event.
pub fn key(n: u64) -> RepeatKey {
    repeat_key("fire", &n.to_le_bytes())
}

/// The n-th event.
pub fn event(n: u64) -> NewEvent {
    NewEvent {
        source: "fire".into(),
        provider: "fire".into(),
        event_type: format!("kind.{}", n % 5).into(),
        received_at_ms: now_ms(),
        received: Instant::now(),
        attributes: vec![("n".into(), n.to_string())],
        payload: body(n).into(),
        headers: None,
        repeat_key: Some(key(n)),
        trace: None,
    }
}

/// The number of a delivered event, where it is what was sent under that number.
pub fn number(delivery: &Delivery) -> Option<u64> {
    let came = &delivery.event;
    let n = came.attributes.iter().find(|(name, _)| name == "n")?.1.parse().ok()?;
    let sent = event(n);
    let is_same = came.payload == sent.payload
        && came.attributes == sent.attributes
        && (&came.source, &came.provider, &came.event_type) == (&sent.source, &sent.provider, &sent.event_type);
    is_same.then_some(n)
}

/// What the queue said.
#[derive(Default)]
pub struct Promised {
    /// The events that were accepted, by number.
    pub accepted: BTreeMap<u64, EventId>,
    /// Of them, those whose delivery was said to be settled.
    pub settled: BTreeSet<u64>,
    /// The events of which nobody knows whether they were accepted: their senders repeat them.
    in_doubt: BTreeSet<u64>,
    /// How many there were.
    sent: u64,
    /// Whatever the queue said or gave that cannot be.
    pub broken: Vec<String>,
}

/// What was promised, for senders and worker to add to.
#[derive(Clone, Default)]
pub struct Promises(Arc<Mutex<Promised>>);

impl Promises {
    /// Of events that are all large, so that the log is soon as large as it may be.
    pub fn of_large() -> Promises {
        Promises(Arc::new(Mutex::new(Promised { sent: LARGE, ..Promised::default() })))
    }

    /// What was promised until now.
    pub fn so_far(&self) -> MutexGuard<'_, Promised> {
        self.0.lock().unwrap()
    }

    /// Sends up to so many new events, repeats those that are in doubt and some that are not, and settles what comes out; until all is
    /// sent and settled, or the queue is closed. Gives why it ended, where it was not at its end.
    pub async fn load(&self, queue: &Queue, deliveries: Deliveries, seed: u64, events: u64) -> Option<AcceptError> {
        let until = self.so_far().sent + events;
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            let (promises, queue) = (self.clone(), queue.clone());
            let chance = Chance::of(seed ^ (sender << 32));
            senders.spawn(async move { promises.send(&queue, chance, until).await });
        }
        let worker = tokio::spawn(self.clone().work(queue.clone(), deliveries));
        let ended: Vec<_> = senders.join_all().await.into_iter().flatten().collect();
        if ended.is_empty() {
            self.until_all_is_settled(queue).await;
            worker.abort();
        }
        // Where the queue is closed, nothing comes out any more.
        let _ = worker.await;
        ended.into_iter().next()
    }

    async fn send(&self, queue: &Queue, mut chance: Chance, until: u64) -> Option<AcceptError> {
        while let Some(numbers) = self.next(&mut chance, until) {
            match queue.accept(numbers.iter().map(|n| event(*n)).collect()).await {
                Ok(receipts) => self.took(&numbers, &receipts),
                Err(refused) => {
                    self.so_far().in_doubt.extend(numbers);
                    if refused == AcceptError::Closed {
                        return Some(refused);
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
        None
    }

    /// The numbers of the next request: one that is in doubt, one that was accepted before, or new ones.
    fn next(&self, chance: &mut Chance, until: u64) -> Option<Vec<u64>> {
        let mut promised = self.so_far();
        if let Some(n) = promised.in_doubt.pop_first() {
            return Some(vec![n]);
        }
        if promised.sent >= until {
            return None;
        }
        if chance.once_in(10) && !promised.accepted.is_empty() {
            let nth = chance.below(promised.accepted.len() as u64);
            return promised.accepted.keys().nth(nth as usize).map(|n| vec![*n]);
        }
        let first = promised.sent;
        promised.sent += if chance.once_in(8) { 3 } else { 1 };
        Some((first..promised.sent).collect())
    }

    fn took(&self, numbers: &[u64], receipts: &[Receipt]) {
        let mut promised = self.so_far();
        if numbers.len() != receipts.len() {
            promised.broken.push(format!("{} receipts for {} events", receipts.len(), numbers.len()));
        }
        for (n, receipt) in numbers.iter().zip(receipts) {
            let known = promised.accepted.insert(*n, receipt.id);
            if known.is_some_and(|known| known != receipt.id || !receipt.duplicate) {
                promised.broken.push(format!("event {n} was accepted as {known:?} and again as {receipt:?}"));
            }
        }
    }

    async fn work(self, queue: Queue, mut deliveries: Deliveries) {
        let mut settling = JoinSet::new();
        while let Some(delivery) = deliveries.recv().await {
            let (promises, queue) = (self.clone(), queue.clone());
            settling.spawn(async move { promises.settle(&queue, &delivery).await });
        }
        settling.join_all().await;
    }

    /// Settles a delivery together with something that the worker remembers; every seventh only when it comes again.
    async fn settle(&self, queue: &Queue, delivery: &Delivery) {
        let Some(n) = number(delivery) else {
            self.so_far().broken.push(format!("{} was delivered and is not what was sent", delivery.event.id));
            return;
        };
        if n.is_multiple_of(7) && delivery.attempt == 1 {
            let attempt = attempt(Outcome::Retry { why: "later".into(), after: None });
            queue.settle(delivery, Settlement::Judged { verdict: Verdict::Again { at_ms: now_ms() }, attempt });
            return;
        }
        let settlement = Settlement::Judged { verdict: Verdict::Done, attempt: attempt(Outcome::Done) };
        if queue.settle_with(delivery, settlement, remembering(n)).await.is_ok() {
            self.so_far().settled.insert(n);
        }
    }

    async fn until_all_is_settled(&self, queue: &Queue) {
        let until = Instant::now() + Duration::from_secs(20);
        while queue.is_open() && Instant::now() < until {
            if queue.counts().await.is_ok_and(|counts| counts.pending == 0 && counts.running == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// An attempt that ended.
pub fn attempt(outcome: Outcome) -> Attempt {
    Attempt::without_call(now_ms(), Duration::from_micros(1), outcome, None)
}

/// What the worker remembers of the n-th event.
fn remembering(n: u64) -> Effects {
    let value = Value { bytes: n.to_string().into(), expires_ms: None };
    let quota = Quota { bytes: u64::MAX >> 1, keys: u64::MAX >> 1 };
    Effects { writes: BTreeMap::from([(n.to_string(), Some(value))]), quota, ..Effects::default() }
}
