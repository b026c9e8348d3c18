//! Single bits of a queue's files are flipped, and files are cut off. What comes out is what was written, or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use hookgate::attempt::Outcome;
use hookgate::event::EventId;
use hookgate::queue::{Deliveries, Delivery, Queue, Settlement};
use hookgate::schedule::Verdict;
use hookgate_disk::{Chance, Disk};
use rusqlite::{Connection, OpenFlags};

use super::load::{Promises, SLOTS, WORKER, attempt, event, number, open, subscribe, threads};
use crate::slow::more_files;

/// How many events are in the file, of which the first are done, and how many in the log beside it.
const IN_FILE: u64 = 200;
const DONE: u64 = 60;
const IN_LOG: u64 = 100;

/// Where files are cut off.
const BOUNDARY: u64 = 4096;

/// How long one case may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing comes before a queue is asked whether that was all, and how often until it is believed that nothing comes any more.
const QUIET: Duration = Duration::from_millis(10);
const PAUSES: u32 = 300;

/// How the cases went.
#[derive(Debug, Default)]
pub struct Report {
    /// What decided everything.
    pub seed: u64,
    /// How many cases there were.
    pub cases: u64,
    /// In how many of them the queue did not open, and said why.
    pub refused: u64,
    /// In how many it opened and found the damage while it ran.
    pub failed: u64,
    /// Bodies that came out as they were written.
    pub intact: u64,
    /// Deliveries that were told to be damaged.
    pub damaged: u64,
    /// Deliveries that neither came nor were told, since the log ended at the damage: they, and all that came after them.
    pub behind_the_log: u64,
    /// Deliveries that neither came nor were told, since damage to the file hid that they are there,
    pub hidden: u64,
    /// and in how many cases there were such.
    pub hiding: u64,
    /// Everything that may not be, each with the case.
    pub broken: Vec<String>,
}

/// What is done to a file.
#[derive(Clone, Copy)]
enum Damage {
    Flip { file: &'static str, at: u64, bit: u8 },
    Cut { file: &'static str, to: u64 },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Flip { file, at, bit } => write!(f, "bit {bit} of byte {at} of {file}"),
            Damage::Cut { file, to } => write!(f, "{file} cut off at {to}"),
        }
    }
}

const DB: &str = "hookgate.db";
const WAL: &str = "hookgate.db-wal";

/// So many cases, each on a copy of the same files: the file with a log beside it, as a kill leaves them, or the file alone.
pub fn run(seed: u64, cases: u64) -> Report {
    // Each queue that is opened has some for as long as the process.
    more_files();
    let mut chance = Chance::of(seed);
    run_each(seed, |whole| {
        let damaged = (0..cases).map(|_| {
            let has_log = chance.once_in(2);
            (whole.damage(has_log, &mut chance), has_log)
        });
        damaged.collect()
    })
}

/// Each file is cut off at each boundary, once with a log beside it and once without.
pub fn run_cuts() -> Report {
    more_files();
    run_each(0, |whole| {
        let cuts = |file, len: usize| {
            (0..(len as u64).div_ceil(BOUNDARY)).map(move |nth| Damage::Cut { file, to: nth * BOUNDARY })
        };
        let (alone, beside) = (cuts(DB, whole.db.len()), cuts(DB, whole.db.len()));
        let with_log = beside.chain(cuts(WAL, whole.wal.len())).map(|cut| (cut, true));
        alone.map(|cut| (cut, false)).chain(with_log).collect()
    })
}

fn run_each(seed: u64, of: impl FnOnce(&Whole) -> Vec<(Damage, bool)>) -> Report {
    let whole = Whole::write();
    let cases = of(&whole);
    let mut report = Report { seed, cases: cases.len() as u64, ..Report::default() };
    for (damage, has_log) in cases {
        let mut broken = Vec::new();
        whole.try_with(damage, has_log, &mut report, &mut broken);
        report.broken.extend(broken.into_iter().map(|what| format!("{damage}, log {has_log}: {what}")));
    }
    report
}

/// A queue's files, and what is in them.
struct Whole {
    db: Vec<u8>,
    wal: Vec<u8>,
    /// All events that were accepted, by id,
    sent: BTreeMap<EventId, u64>,
    /// those of them that wait in the file,
    in_file: BTreeSet<EventId>,
    /// and those that wait in the log, or with it.
    in_log: BTreeSet<EventId>,
}

impl Whole {
    fn write() -> Whole {
        let folder = tempfile::tempdir().unwrap();
        let _disk = Disk::below(folder.path()).unwrap();
        let promises = Promises::default();
        let (queue, deliveries) = open(folder.path()).unwrap();
        threads().block_on(async {
            subscribe(&queue, SLOTS).await.unwrap();
            assert_eq!(promises.load(&queue, deliveries, 1, DONE).await, None);
            queue.claim(WORKER, 0);
            let in_file = accept(&queue, DONE + 10..IN_FILE).await;
            queue.close().await.unwrap();
            drop(queue);
            let (queue, _deliveries) = open(folder.path()).unwrap();
            subscribe(&queue, 0).await.unwrap();
            let in_log = accept(&queue, IN_FILE..IN_FILE + IN_LOG).await;
            let read = |name| std::fs::read(folder.path().join(name)).unwrap();
            let (db, wal, done) = (read(DB), read(WAL), promises.so_far().accepted.clone());
            let sent = done.into_iter().map(|(n, id)| (id, n)).chain(in_file.clone()).chain(in_log.clone()).collect();
            Whole { db, wal, sent, in_file: in_file.into_keys().collect(), in_log: in_log.into_keys().collect() }
        })
    }

    fn damage(&self, has_log: bool, chance: &mut Chance) -> Damage {
        let (file, bytes) = if has_log && chance.once_in(2) { (WAL, &self.wal) } else { (DB, &self.db) };
        let len = bytes.len() as u64;
        if chance.once_in(4) {
            return Damage::Cut { file, to: chance.below(len.div_ceil(BOUNDARY)) * BOUNDARY };
        }
        Damage::Flip { file, at: chance.below(len), bit: chance.below(8) as u8 }
    }

    fn try_with(&self, damage: Damage, has_log: bool, report: &mut Report, broken: &mut Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::below(folder.path()).unwrap();
        let (mut db, mut wal) = (self.db.clone(), self.wal.clone());
        let (Damage::Flip { file, .. } | Damage::Cut { file, .. }) = damage;
        let bytes = if file == DB { &mut db } else { &mut wal };
        match damage {
            Damage::Flip { at, bit, .. } => bytes[at as usize] ^= 1 << bit,
            Damage::Cut { to, .. } => bytes.truncate(to as usize),
        }
        std::fs::write(folder.path().join(DB), db).unwrap();
        if has_log {
            std::fs::write(folder.path().join(WAL), wal).unwrap();
        }
        let (tell, told) = mpsc::channel();
        let path = folder.path().to_owned();
        std::thread::spawn(move || tell.send(run_out(&path)));
        match told.recv_timeout(PATIENCE) {
            Ok(found) => self.judge(&found, (file, has_log), report, broken),
            Err(error) => broken.push(format!("it hangs or panicked: {error}")),
        }
        if let Err(error) = disk.until_closed() {
            broken.push(error.to_string());
        }
    }

    fn judge(&self, found: &Found, (file, has_log): (&str, bool), report: &mut Report, broken: &mut Vec<String>) {
        let wrong = found.delivered.iter().filter(|(id, n)| n.is_none() || self.sent.get(id) != n.as_ref());
        broken.extend(wrong.map(|(id, _)| format!("{id} came out and is not what was sent")));
        report.intact += found.delivered.values().flatten().count() as u64;
        report.damaged += found.damaged.len() as u64;
        match &found.end {
            End::Refused(why) => {
                report.refused += 1;
                broken.extend(says_what_to_do(why));
            }
            End::Failed { why, next } => {
                report.failed += 1;
                if why.contains("the thread that writes ended") {
                    broken.push("it panicked".into());
                }
                match next {
                    Some(next) => broken.extend(says_what_to_do(next)),
                    None => broken.push(format!("it failed ({why}), and the next start finds nothing")),
                }
            }
            End::Quiet => {
                let came = |id: &EventId| found.delivered.contains_key(id) || found.damaged.contains(id);
                let in_file = self.in_file.iter().filter(|id| !came(id)).count() as u64;
                let in_log: Vec<bool> = self.in_log.iter().filter(|_| has_log).map(came).collect();
                let missing = in_file + in_log.iter().filter(|came| !**came).count() as u64;
                if file == DB {
                    report.hidden += missing;
                    report.hiding += u64::from(missing > 0);
                } else {
                    report.behind_the_log += missing;
                    // A log ends where it is damaged: nothing before that is missing, and nothing after it is there.
                    if in_file > 0 || !in_log.is_sorted_by(|before, after| before >= after) {
                        broken.push(format!("{missing} are missing, and not all of them at the end of the log"));
                    }
                }
            }
        }
    }
}

/// Gives the events of these numbers, by the ids under which they were accepted.
async fn accept(queue: &Queue, numbers: std::ops::Range<u64>) -> BTreeMap<EventId, u64> {
    let mut accepted = BTreeMap::new();
    for n in numbers {
        accepted.insert(queue.accept(vec![event(n)]).await.unwrap().remove(0).id, n);
    }
    accepted
}

fn says_what_to_do(why: &str) -> Option<String> {
    let is_said = why.contains(DB) && why.contains("restore it from a copy");
    (!is_said).then(|| format!("it says only: {why}"))
}

/// What came out of a damaged queue.
struct Found {
    /// The deliveries, each with its number where it is what was sent under that.
    delivered: BTreeMap<EventId, Option<u64>>,
    /// The deliveries that are told to be damaged.
    damaged: BTreeSet<EventId>,
    end: End,
}

enum End {
    Refused(String),
    /// It found the damage while it ran; and what the next start said, where it did not open.
    Failed {
        why: String,
        next: Option<String>,
    },
    Quiet,
}

/// Opens a queue, has all of it delivered, and says how that went.
fn run_out(folder: &Path) -> Found {
    let mut delivered = BTreeMap::new();
    let end = match open(folder) {
        Err(error) => End::Refused(format!("{error:#}")),
        Ok((queue, deliveries)) => threads()
            .block_on(async {
                let _ = subscribe(&queue, SLOTS).await;
                let failed = tokio::select! {
                    why = queue.failure() => Some(why),
                    () = take_all(&queue, deliveries, &mut delivered) => None,
                };
                let _ = queue.close().await;
                drop(queue);
                failed
            })
            .map_or(End::Quiet, |why| End::Failed { why, next: open(folder).err().map(|error| format!("{error:#}")) }),
    };
    Found { delivered, damaged: damaged(folder), end }
}

async fn take_all(queue: &Queue, mut deliveries: Deliveries, delivered: &mut BTreeMap<EventId, Option<u64>>) {
    let mut pauses = 0;
    while pauses < PAUSES {
        match tokio::time::timeout(QUIET, deliveries.recv()).await {
            Ok(Some(delivery)) => {
                pauses = 0;
                delivered.insert(delivery.event.id, number(&delivery));
                settle(queue, &delivery);
            }
            // The queue says why.
            Ok(None) => std::future::pending().await,
            Err(_) if queue.counts().await.is_ok_and(|counts| counts.pending == 0 && counts.running == 0) => return,
            Err(_) => pauses += 1,
        }
    }
}

fn settle(queue: &Queue, delivery: &Delivery) {
    queue.settle(delivery, Settlement::Judged { verdict: Verdict::Done, attempt: attempt(Outcome::Done) });
}

/// The deliveries that are told to be damaged, as far as that can be read.
fn damaged(folder: &Path) -> BTreeSet<EventId> {
    let read = || -> rusqlite::Result<BTreeSet<EventId>> {
        let db = Connection::open_with_flags(folder.join(DB), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = db.prepare("SELECT event FROM attempt WHERE outcome = 7")?;
        statement.query_map([], |row| row.get(0).map(EventId::from_i64))?.collect()
    };
    read().unwrap_or_default()
}
