//! The queue alone, on a disk that loses power, fails, or flips bits: what its drivers counted, in the form of the others.

use hookgate_tests::fire::power::{self, Way};
use hookgate_tests::fire::{Bound, Report, damage, faults};

/// The power goes so many times: once with all that was not synced, once with parts of it, and once without syncs, which must be found to
/// lose.
pub fn power(seed: u64, cuts: u64) -> Report {
    let mut report = Report::new("power", seed);
    for (name, way) in [("clean", Way::Clean), ("torn", Way::Torn)] {
        let run = power::run(seed, cuts, way);
        report.tell(format!("{name}: power cuts"), run.cuts);
        report.tell(format!("{name}: of them, while it was being opened"), run.while_opening);
        report.note(format!("{name}: acknowledged"), run.acknowledged, Bound::AtLeast(100));
        report.none(format!("{name}: acknowledged and lost"), run.lost);
        report.none(format!("{name}: settled and not so any more"), run.unsettled);
        report.none(format!("{name}: what else cannot be"), told(&run.broken));
    }
    let control = power::run(seed, 10, Way::Unsynced);
    report.note("control without syncs: acknowledged and lost", control.lost, Bound::AtLeast(1));
    report
}

/// So many calls of the disk fail, and it fills up.
pub fn faults(seed: u64, points: u64) -> Report {
    let mut report = Report::new("faults", seed);
    let run = faults::run(seed, points);
    report.tell("faults", run.points);
    report.note("of them, those that struck", run.struck, Bound::AtLeast(points / 4));
    report.tell("acknowledged", run.acknowledged);
    report.none("acknowledged and lost", run.lost);
    report.none("what else cannot be", told(&run.broken));
    let full = faults::full(seed, 5 + points / 30);
    report.tell("times that the disk was full", full.times);
    report.note("times that it was refused and then taken again", full.resumed, Bound::AtLeast(full.times));
    report.none("full: acknowledged and lost", full.lost);
    report.none("full: what else cannot be", told(&full.broken));
    report
}

/// So many bits are flipped and files cut off.
pub fn damage(seed: u64, cases: u64) -> Report {
    let mut report = Report::new("damage", seed);
    let run = damage::run(seed, cases);
    report.tell("cases", run.cases);
    report.tell("of them, not opened, with the reason", run.refused);
    report.tell("found while it ran", run.failed);
    report.tell("bodies that came out as they were written", run.intact);
    report.tell("deliveries that were told to be damaged", run.damaged);
    report.tell("deliveries that the damage hid", run.missing);
    report.none("what may not be", told(&run.broken));
    report
}

/// How many, each told on the way.
fn told(broken: &[String]) -> u64 {
    broken.iter().for_each(|what| eprintln!("broken: {what}"));
    broken.len() as u64
}
