//! Single calls of the disk fail, one in each run. What was not written is not acknowledged, and a queue whose disk failed says so and
//! stops.

use std::path::Path;
use std::time::{Duration, Instant};

use hookgate::event::NewEvent;
use hookgate::queue::{AcceptError, Queue};
use hookgate_disk::{Chance, Disk, Fault, Outage};
use tempfile::TempDir;

use super::load::{Promises, SLOTS, event, open, subscribe, threads};
use super::proof::compare;
use crate::slow::more_files;

/// How many events each run is to take, and how many more for each call that goes well before the one that fails.
const EVENTS: u64 = 60;
const MORE_EVENTS: u64 = 4;

/// How many large ones: 40 MiB, so that the log is moved into the file more than once while they come.
const LARGE_EVENTS: u64 = 700;

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
    /// and in how many while the log was being moved into the file,
    pub while_moving: u64,
    /// and in how many of them it said that its disk had failed.
    pub failed: u64,
    /// How many events were accepted.
    pub acknowledged: u64,
    /// Of them, those that were not there afterwards.
    pub lost: u64,
    /// Everything else that cannot be, each with the fault after which it was.
    pub broken: Vec<String>,
}

impl Report {
    /// Both together, under the seed of the first.
    pub fn and(mut self, other: Report) -> Report {
        self.points += other.points;
        self.struck += other.struck;
        self.while_opening += other.while_opening;
        self.while_moving += other.while_moving;
        self.failed += other.failed;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.broken.extend(other.broken);
        self
    }
}

/// From when on calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Opening,
    Running,
    /// From when it is open, on one file, under so much load that the log is moved.
    Moving(&'static str),
}

/// So many runs, each in a folder of its own: the first call of each kind fails, then the second, and so on, counted from the opening and from
/// when it is open; writes, of which there are many, in strides.
pub fn run(seed: u64, points: u64) -> Report {
    // Each queue that is opened has some for as long as the process.
    more_files();
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
        strike(Trial::of(fault, when), (chance.number(), EVENTS + MORE_EVENTS * nth), &mut report);
    }
    report
}

/// So many runs under a load that has the log moved into the file beside the writer: syncs, writes and reads of that fail, and syncs of the
/// log meanwhile.
pub fn run_moving(seed: u64, points: u64) -> Report {
    more_files();
    let mut chance = Chance::of(seed);
    let mut report = Report { seed, points, ..Report::default() };
    for point in 0..points {
        // What is moved are thousands of pages; of syncs of the file there are one or two each time, of the log some hundred.
        let (file, fault) = match point % 6 {
            0 => (DB, Fault::Sync(1 + chance.below(3))),
            1 => (DB, Fault::SyncForgetting(1 + chance.below(3))),
            2 => (DB, Fault::Write(1 + chance.below(8_000))),
            3 => (DB, Fault::ShortWrite(1 + chance.below(8_000))),
            4 => (LOG, Fault::Read(1 + chance.below(8_000))),
            _ => (LOG, Fault::Sync(1 + chance.below(100))),
        };
        strike(Trial::of(fault, When::Moving(file)), (chance.number(), LARGE_EVENTS), &mut report);
    }
    report
}

const DB: &str = "hookgate.db";
const LOG: &str = "hookgate.db-wal";

/// One run: a fault while events come in, a start after it, and then the power goes, too.
fn strike(mut trial: Trial, (seed, events): (u64, u64), report: &mut Report) {
    trial.live((seed, events), report);
    match trial.disk.until_closed() {
        Ok(()) => trial.judge(report),
        Err(error) => trial.broken.push(error.to_string()),
    }
    report.acknowledged += trial.promises.so_far().accepted.len() as u64;
    let Trial { fault, when, broken, .. } = trial;
    let seed = report.seed;
    report.broken.extend(broken.into_iter().map(|what| format!("seed {seed}, {when:?}, {fault:?}: {what}")));
}

struct Trial {
    fault: Fault,
    when: When,
    folder: TempDir,
    disk: Disk,
    promises: Promises,
    /// Whether it came to be opened.
    was_opened: bool,
    broken: Vec<String>,
}

impl Trial {
    fn of(fault: Fault, when: When) -> Trial {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::below(folder.path()).unwrap();
        let promises = if matches!(when, When::Moving(_)) { Promises::of_large() } else { Promises::default() };
        Trial { fault, when, folder, disk, promises, was_opened: false, broken: Vec::new() }
    }

    /// Opens a queue and has events come in, until its disk fails or all is done.
    fn live(&mut self, (seed, events): (u64, u64), report: &mut Report) {
        if self.when == When::Opening {
            self.disk.fail(self.fault);
        }
        let opened = open(self.folder.path());
        if opened.is_ok() && self.disk.has_struck() && !matches!(self.fault, Fault::Read(_)) {
            self.broken.push("it opened all the same".into());
        }
        match self.when {
            When::Opening => {}
            When::Running => self.disk.fail(self.fault),
            When::Moving(file) => self.disk.fail_in(file, self.fault),
        }
        self.was_opened = opened.is_ok();
        let Ok((queue, deliveries)) = opened else {
            report.while_opening += 1;
            return;
        };
        threads().block_on(async {
            let subscribed = subscribe(&queue, SLOTS).await.is_ok();
            let ended = if subscribed {
                self.promises.load(&queue, deliveries, seed, events).await
            } else {
                Some(AcceptError::Closed)
            };
            if ended.is_some() {
                report.failed += 1;
                self.broken.extend(is_closed(&queue).await);
            } else {
                self.broken.extend(closes(&queue, &self.disk, self.fault).await);
            }
        });
    }

    /// What came of it, as it stands, and once more without what was not synced.
    fn judge(&mut self, report: &mut Report) {
        let (folder, has_struck) = (self.folder.path(), self.disk.has_struck());
        report.struck += u64::from(has_struck);
        report.while_moving += u64::from(self.was_opened && has_struck && self.disk.was_unsynced(DB));
        if has_struck && self.was_opened && !matches!(self.fault, Fault::Read(_)) && !folder.join("failed").exists() {
            self.broken.push("it went on as if nothing had happened".into());
        }
        // While it is opened nothing is promised yet, and the engine undoes what it began. While the log is moved, two sync.
        let is_of_sync = self.when == When::Running && matches!(self.fault, Fault::Sync(_) | Fault::SyncForgetting(_));
        let syncs_after = self.disk.counts().syncs_after_fault;
        if is_of_sync && has_struck && syncs_after > 0 {
            self.broken.push(format!("{syncs_after} syncs after the one that failed"));
        }
        // What came less often than the fault says fails nothing now.
        self.disk.spare();
        look(folder, &self.promises, report, &mut self.broken);
        // What the next start found counts from then on, whatever the system thought of it.
        self.disk.cut_power();
        if let Err(error) = self.disk.settle(Outage::Clean) {
            return self.broken.push(error.to_string());
        }
        look(folder, &self.promises, report, &mut self.broken);
    }
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
    disk.fail_in("hookgate.db", Fault::Sync(1));
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
