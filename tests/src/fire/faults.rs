//! Single calls of the disk fail, one in each run, and the disk fills up. What was not written is not acknowledged, and a queue whose disk
//! failed says so and stops.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use hookgate::attempt::Outcome;
use hookgate::event::NewEvent;
use hookgate::queue::{AcceptError, Queue, Settlement};
use hookgate::schedule::Verdict;
use hookgate_disk::{Chance, Disk, Fault, Outage};

use super::load::{Promises, SLOTS, event, open, subscribe, threads};
use super::proof::compare;

/// How many events each run is to take.
const EVENTS: u64 = 60;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the runs went.
#[derive(Debug, Default)]
pub struct Report {
    /// What decided everything.
    pub seed: u64,
    /// How many runs there were.
    pub points: u64,
    /// In how many of them the call that was to fail came,
    pub struck: u64,
    /// and in how many of those while the queue was being opened,
    pub while_opening: u64,
    /// and in how many of them it said that its disk had failed.
    pub failed: u64,
    /// How many events were accepted.
    pub acknowledged: u64,
    /// Of them, those that were not there afterwards.
    pub lost: u64,
    /// Everything else that cannot be, each with the fault after which it was.
    pub broken: Vec<String>,
}

/// From when on calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Opening,
    Running,
}

/// So many runs, each in a folder of its own: the first call of each kind fails, then the second, and so on, counted from the opening and from
/// when it is open; writes, of which there are many, in strides.
pub fn run(seed: u64, points: u64) -> Report {
    let mut chance = Chance::of(seed);
    let mut report = Report { seed, points, ..Report::default() };
    for point in 0..points {
        let when = if point / 5 % 2 == 0 { When::Running } else { When::Opening };
        let nth = 1 + point / 10;
        let stride = nth * 20 - chance.below(20);
        let fault = match point % 5 {
            0 => Fault::Sync(nth),
            1 => Fault::SyncForgetting(nth),
            2 => Fault::Write(stride),
            3 => Fault::ShortWrite(stride),
            _ => Fault::Read(nth),
        };
        let mut broken = Vec::new();
        strike(fault, when, &mut chance, &mut report, &mut broken);
        report.broken.extend(broken.into_iter().map(|what| format!("{when:?}, {fault:?}: {what}")));
    }
    report
}

/// One run: a fault while events come in, a start after it, and then the power goes, too.
fn strike(fault: Fault, when: When, chance: &mut Chance, report: &mut Report, broken: &mut Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    let promises = Promises::default();
    if when == When::Opening {
        disk.fail(fault);
    }
    let opened = open(folder.path());
    if opened.is_ok() && disk.has_struck() && !matches!(fault, Fault::Read(_)) {
        broken.push("it opened all the same".into());
    }
    if when == When::Running {
        disk.fail(fault);
    }
    match opened {
        Err(_) => report.while_opening += 1,
        Ok((queue, deliveries)) => threads().block_on(async {
            let subscribed = subscribe(&queue, SLOTS).await.is_ok();
            let ended = if subscribed {
                promises.load(&queue, deliveries, chance.number(), EVENTS).await
            } else {
                Some(AcceptError::Closed)
            };
            if ended.is_some() {
                report.failed += 1;
                broken.extend(is_closed(&queue).await);
            } else {
                broken.extend(closes(&queue, &disk, fault).await);
            }
        }),
    }
    if let Err(error) = disk.until_closed() {
        return broken.push(error.to_string());
    }
    report.struck += u64::from(disk.has_struck());
    // While it is opened nothing is promised yet, and the engine undoes what it began.
    let is_of_sync = when == When::Running && matches!(fault, Fault::Sync(_) | Fault::SyncForgetting(_));
    if is_of_sync && disk.has_struck() && disk.counts().syncs_after_fault > 0 {
        broken.push(format!("{} syncs after the one that failed", disk.counts().syncs_after_fault));
    }
    look(folder.path(), &promises, report, broken);
    // What the next start found counts from then on, whatever the system thought of it.
    disk.cut_power();
    if let Err(error) = disk.settle(Outage::Clean) {
        return broken.push(error.to_string());
    }
    look(folder.path(), &promises, report, broken);
    report.acknowledged += promises.so_far().accepted.len() as u64;
}

/// What is wrong with how a queue closes, if anything is: one whose disk fails meanwhile must not close well. A read that fails may be one
/// that nobody needs.
async fn closes(queue: &Queue, disk: &Disk, fault: Fault) -> Option<String> {
    let had_struck = disk.has_struck();
    let closed = queue.close().await;
    let is_hidden = closed.is_ok() && !had_struck && disk.has_struck() && !matches!(fault, Fault::Read(_));
    is_hidden.then(|| "its disk failed while it closed, and it closed well".into())
}

/// What is wrong with a queue whose disk failed, if anything is.
async fn is_closed(queue: &Queue) -> Option<String> {
    let Ok(why) = tokio::time::timeout(PATIENCE, queue.failure()).await else {
        return Some("it does not say that it failed".into());
    };
    let accepted = queue.accept(vec![event(u64::MAX)]).await;
    let is_refused = accepted == Err(AcceptError::Closed) && !queue.is_open();
    (!is_refused).then(|| format!("it failed ({why}), and says {accepted:?} to the next event"))
}

/// A start that goes well, reads the whole file where the last one failed, and takes one more event.
fn look(folder: &Path, promises: &Promises, report: &mut Report, broken: &mut Vec<String>) {
    let opened = open(folder);
    if folder.join("failed").exists() {
        broken.push("the file was not read whole".into());
    }
    let (queue, deliveries) = match opened {
        Ok(opened) => opened,
        Err(error) => return broken.push(format!("it does not open any more: {error:#}")),
    };
    threads().block_on(async {
        let subscribed = subscribe(&queue, SLOTS).await;
        let ended = promises.load(&queue, deliveries, report.seed, 1).await;
        if subscribed.is_err() || ended.is_some() {
            broken.push(format!("it does not go on: {subscribed:?}, {ended:?}"));
        }
    });
    match compare(folder, promises) {
        Ok(findings) => {
            report.lost += findings.lost;
            broken.extend(findings.broken);
            if findings.unsettled > 0 {
                broken.push(format!("{} deliveries are not settled any more", findings.unsettled));
            }
        }
        Err(error) => broken.push(format!("it cannot be read: {error}")),
    }
    if let Err(error) = threads().block_on(queue.close()) {
        broken.push(format!("it does not close: {error:#}"));
    }
}

/// Whether a queue whose disk fails under the last of what it does says so when it is closed, and leaves word of it to the next start. So
/// for each sync that there is then.
pub fn while_closing() -> Vec<String> {
    let mut broken = Vec::new();
    for nth in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::below(folder.path()).unwrap();
        let (queue, _deliveries) = open(folder.path()).unwrap();
        threads().block_on(async {
            queue.accept(vec![event(nth)]).await.unwrap();
            disk.fail(Fault::Sync(nth));
            let closed = queue.close().await;
            let is_told = closed.is_err() && folder.path().join("failed").exists();
            if disk.has_struck() && !is_told {
                broken.push(format!("sync {nth} failed, and it says {closed:?}"));
            }
        });
        if !disk.has_struck() {
            broken.extend((nth == 1).then(|| "nothing is synced when it is closed".into()));
            break;
        }
    }
    broken
}

/// How many events were acknowledged after the disk failed under what moves the log beside the writer, and what else cannot be.
pub fn beside_the_writer() -> (u64, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    let (queue, _deliveries) = open(folder.path()).unwrap();
    disk.fail(Fault::SyncOfFile(1));
    threads().block_on(async {
        // As much as has the log moved when nothing else is to be done.
        for n in 0..6 {
            queue.accept(vec![NewEvent { payload: vec![b' '; 1 << 20].into(), ..event(n) }]).await.unwrap();
        }
        let (mut acknowledged, until) = (0, Instant::now() + PATIENCE);
        while !disk.has_struck() {
            if Instant::now() > until {
                return (0, vec!["the log is never moved".into()]);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        while queue.accept(vec![event(100 + acknowledged)]).await.is_ok() && Instant::now() < until {
            acknowledged += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (acknowledged, is_closed(&queue).await.into_iter().collect())
    })
}

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
