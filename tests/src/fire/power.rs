//! The power goes, again and again, at any moment. What was acknowledged is there when it is back.

use std::path::Path;
use std::time::Duration;

use hookgate_disk::{Chance, Disk, Outage};

use super::load::{LONG, Promises, SLOTS, open, open_keeping, subscribe, threads};
use super::proof::compare;
use crate::slow::more_files;

/// What goes with the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All that was not synced.
    Clean,
    /// Of what was not synced, what chance says, down to single sectors.
    Torn,
    /// The same, where what is done is let go of as soon as it can be: those commits are not synced.
    TornWhileLettingGo,
    /// All that was not synced, where nothing is synced before it is acknowledged: this must be found to lose.
    Unsynced,
}

/// How a run went.
#[derive(Debug, Default)]
pub struct Report {
    /// What decided everything.
    pub seed: u64,
    /// How often the power went.
    pub cuts: u64,
    /// How many of them came while the queue was being opened,
    pub while_opening: u64,
    /// and how many while the log was being moved into the file beside the writer.
    pub while_moving: u64,
    /// How many events were accepted, and how many deliveries settled.
    pub acknowledged: u64,
    /// Deliveries that were said to be settled.
    pub settled: u64,
    /// Of the accepted events, those that were done, and let go of.
    pub let_go: u64,
    /// Of the accepted events, those that were not there any more.
    pub lost: u64,
    /// Of the settled deliveries, those that were not so any more.
    pub unsettled: u64,
    /// Everything else that cannot be.
    pub broken: Vec<String>,
}

/// Runs a queue under load in one folder and cuts the power so many times.
pub fn run(seed: u64, cuts: u64, way: Way) -> Report {
    // Each queue that is opened has some for as long as the process.
    more_files();
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    if way == Way::Unsynced {
        disk.relax();
    }
    let (promises, mut chance) = (Promises::default(), Chance::of(seed));
    let mut report = Report { seed, ..Report::default() };
    for _ in 0..cuts {
        let disk = &disk;
        let opened = std::thread::scope(|scope| {
            match way.moment(&mut chance) {
                Moment::AfterCalls(calls) => disk.cut_power_after(calls),
                Moment::After(life) => {
                    scope.spawn(move || {
                        std::thread::sleep(life);
                        disk.cut_power();
                    });
                }
            }
            load_until_it_is_off(folder.path(), way, &promises, chance.number(), &mut report)
        });
        report.while_opening += u64::from(!opened);
        report.while_moving += u64::from(opened && disk.was_unsynced("hookgate.db"));
        report.cuts += 1;
        let outage = if way.tears() { Outage::Torn(chance.number()) } else { Outage::Clean };
        if let Err(error) = disk.settle(outage) {
            report.broken.push(format!("cut {}: {error}", report.cuts));
            break;
        }
        look(folder.path(), &promises, &mut report);
    }
    if report.let_go > 0 && way.keeps() == LONG {
        report.broken.push(format!("{} were let go of that are kept for long", report.let_go));
    }
    let promised = promises.so_far();
    report.acknowledged = promised.accepted.len() as u64 + report.lost;
    report.settled = promised.settled.len() as u64 + report.unsettled;
    report
}

/// When the power goes.
enum Moment {
    /// After so many calls of the disk.
    AfterCalls(u64),
    /// After a time, however fast the disk is.
    After(Duration),
}

impl Way {
    fn moment(self, chance: &mut Chance) -> Moment {
        // Nothing is let go of in its first second.
        if self == Way::TornWhileLettingGo {
            return Moment::After(Duration::from_millis(1_100 + chance.below(400)));
        }
        // Now while it opens, now while it writes, now when it has grown so that the log is moved into the file.
        let calls = [200, 4_000, 40_000][chance.below(3) as usize];
        Moment::AfterCalls(chance.below(calls))
    }

    fn tears(self) -> bool {
        matches!(self, Way::Torn | Way::TornWhileLettingGo)
    }

    /// How long what is done is kept.
    fn keeps(self) -> Duration {
        if self == Way::TornWhileLettingGo { Duration::from_millis(100) } else { LONG }
    }
}

/// Gives whether it came to be opened.
fn load_until_it_is_off(folder: &Path, way: Way, promises: &Promises, seed: u64, report: &mut Report) -> bool {
    let Ok((queue, deliveries)) = open_keeping(folder, way.keeps()) else { return false };
    threads().block_on(async {
        if subscribe(&queue, SLOTS).await.is_ok() && promises.load(&queue, deliveries, seed, 1_000_000).await.is_none()
        {
            report.broken.push("the power went, and it went on".into());
        }
    });
    true
}

fn look(folder: &Path, promises: &Promises, report: &mut Report) {
    let cut = report.cuts;
    // As the next start finds it.
    let opened = open(folder).map_err(|error| report.broken.push(format!("cut {cut}: it does not open: {error:#}")));
    let Ok((queue, _deliveries)) = opened else { return };
    match compare(folder, promises) {
        Ok(findings) => {
            report.lost += findings.lost;
            report.unsettled += findings.unsettled;
            // All that are, each time.
            report.let_go = findings.let_go;
            report.broken.extend(findings.broken.into_iter().map(|what| format!("cut {cut}: {what}")));
        }
        Err(error) => report.broken.push(format!("cut {cut}: it cannot be read: {error}")),
    }
    if let Err(error) = threads().block_on(queue.close()) {
        report.broken.push(format!("cut {cut}: it does not close: {error:#}"));
    }
}
