//! A disk that is full under the queue, and has room again.

use std::collections::BTreeSet;
use std::time::Duration;

use hookgate::attempt::Outcome;
use hookgate::event::NewEvent;
use hookgate::queue::{AcceptError, Queue, Settlement};
use hookgate::schedule::Verdict;
use hookgate_disk::{Chance, Disk, Outage};

use super::load::{Promises, SLOTS, event, open, subscribe, threads};
use super::proof::compare;

/// How long is waited for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a disk that was full went.
#[derive(Debug, Default)]
pub struct Full {
    /// What decided everything.
    pub seed: u64,
    /// How often it was full.
    pub times: u64,
    /// How often events were refused while it was, and how often they were taken again by themselves.
    pub refused: u64,
    /// How often events were taken again once there was room.
    pub resumed: u64,
    /// Of the accepted events, those that were not there afterwards.
    pub lost: u64,
    /// Everything else that cannot be.
    pub broken: Vec<String>,
}

/// Fills the disk under one queue so many times, and makes room again.
pub fn full(seed: u64, times: u64) -> Full {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    let (promises, mut chance) = (Promises::default(), Chance::of(seed));
    let mut report = Full { seed, times, ..Full::default() };
    let (queue, deliveries) = open(folder.path()).unwrap();
    threads().block_on(async {
        subscribe(&queue, SLOTS).await.unwrap();
        let loading = promises.load(&queue, deliveries, seed, 4_000 * times);
        let filling = async {
            for _ in 0..times {
                tokio::time::sleep(Duration::from_millis(chance.below(50))).await;
                disk.fill();
                report.refused +=
                    u64::from(until(&queue, |accepted| matches!(accepted, Err(AcceptError::NotNow(_)))).await);
                disk.free();
                report.resumed += u64::from(until(&queue, Result::is_ok).await);
            }
        };
        tokio::select! {
            ended = loading => report.broken.push(format!("all was sent before it was full, or it ended: {ended:?}")),
            () = filling => {}
        }
        if !queue.is_open() {
            report.broken.push(format!("it ended: {}", queue.failure().await));
        }
        if let Err(error) = queue.close().await {
            report.broken.push(format!("it does not close: {error:#}"));
        }
    });
    drop(queue);
    match compare(folder.path(), &promises) {
        Ok(findings) => {
            report.lost = findings.lost;
            report.broken.extend(findings.broken);
        }
        Err(error) => report.broken.push(format!("it cannot be read: {error}")),
    }
    report
}

/// Starts a queue on a disk that is full, with attempts that were running when the last process ended, and makes room after a while. What
/// does not come again is lost.
pub fn full_at_start(seed: u64) -> Full {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    let mut report = Full { seed, times: 1, ..Full::default() };
    let running = threads().block_on(async {
        let (queue, mut deliveries) = open(folder.path()).unwrap();
        subscribe(&queue, SLOTS).await.unwrap();
        queue.accept((0..SLOTS as u64).map(event).collect()).await.unwrap();
        let mut running = BTreeSet::new();
        while running.len() < SLOTS {
            running.insert(deliveries.recv().await.unwrap().event.id);
        }
        disk.cut_power();
        running
    });
    disk.settle(Outage::Clean).unwrap();
    // The process was not told that its disk failed: it was gone.
    let _ = std::fs::remove_file(folder.path().join("failed"));
    disk.fill();
    let (queue, mut deliveries) = match open(folder.path()) {
        Ok(opened) => opened,
        Err(error) => {
            report.broken.push(format!("it does not start: {error:#}"));
            return report;
        }
    };
    threads().block_on(async {
        let _ = subscribe(&queue, SLOTS).await;
        report.refused += u64::from(until(&queue, |accepted| matches!(accepted, Err(AcceptError::NotNow(_)))).await);
        if queue.refusing() != Some("the disk is full") || deliveries.try_recv().is_ok() {
            report.broken.push(format!("it says {:?}, or begins something", queue.refusing()));
        }
        disk.free();
        report.resumed += u64::from(until(&queue, Result::is_ok).await);
        let mut again = BTreeSet::new();
        let coming = async {
            while let Some(delivery) = deliveries.recv().await {
                let attempt = super::load::attempt(Outcome::Done);
                queue.settle(&delivery, Settlement::Judged { verdict: Verdict::Done, attempt });
                again.extend(Some(delivery.event.id).filter(|_| delivery.attempt == 2));
                if again == running {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(PATIENCE, coming).await;
        report.lost = running.difference(&again).count() as u64;
        if let Some(why) = queue.refusing() {
            report.broken.push(format!("it still says: {why}"));
        }
        if let Err(error) = queue.close().await {
            report.broken.push(format!("it does not close: {error:#}"));
        }
    });
    report
}

/// Posts one and the same event until the answer is such, and gives whether it came to be.
async fn until(queue: &Queue, is_so: impl Fn(&Result<(), AcceptError>) -> bool) -> bool {
    let asking = async {
        loop {
            let new = NewEvent { repeat_key: None, ..event(0) };
            if is_so(&queue.accept(vec![new]).await.map(drop)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.is_ok()
}
