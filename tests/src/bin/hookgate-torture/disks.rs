//! A disk that loses power, fails, or flips bits, mostly below the queue alone: what its drivers counted, in the form of the others.

use hookgate_tests::fire::power::{self, Way};
use hookgate_tests::fire::{Bound, Report, damage, faults, full, unsynced};

/// Syncs fail so many times below the whole gateway.
pub fn syncs(seed: u64, rounds: u64) -> Report {
    unsynced::run(seed, rounds).unwrap_or_else(|| {
        let mut report = Report::new("syncs", seed);
        report.note("HOOKGATE_SYNCS is set", 0, Bound::AtLeast(1));
        report
    })
}

/// The power goes so many times: with all that was not synced, with parts of it, with these while what is done is let go of, and without
/// syncs, which must be found to lose. So many of the times at least it has to go while the log is being moved.
pub fn power(seed: u64, cuts: u64, moving: u64) -> Report {
    let mut report = Report::new("power", seed);
    for (name, way) in [("clean", Way::Clean), ("torn", Way::Torn), ("letting go", Way::TornWhileLettingGo)] {
        let run = power::run(seed, cuts, way);
        report.tell(format!("{name}: power cuts"), run.cuts);
        report.tell(format!("{name}: of them, while it was being opened"), run.while_opening);
        report.note(format!("{name}: of them, while the log was moved"), run.while_moving, Bound::AtLeast(moving));
        report.note(format!("{name}: acknowledged"), run.acknowledged, Bound::AtLeast(100));
        let let_go = u64::from(way == Way::TornWhileLettingGo);
        report.note(format!("{name}: of them, done and let go of"), run.let_go, Bound::AtLeast(let_go));
        report.none(format!("{name}: acknowledged and lost"), run.lost);
        report.none(format!("{name}: settled and not so any more"), run.unsettled);
        report.none(format!("{name}: what else cannot be"), told(&run.broken));
    }
    let control = power::run(seed, 10, Way::Unsynced);
    report.note("control without syncs: acknowledged and lost", control.lost, Bound::AtLeast(1));
    report.none("control without syncs: what else cannot be", told(&control.broken));
    report
}

/// Calls of the disk fail: so many in small runs with each of so many seeds, and so many while the log is moved. And it fills up.
pub fn faults(seed: u64, (points, seeds): (u64, u64), moving: u64) -> Report {
    let mut report = Report::new("faults", seed);
    let small =
        (0..seeds).map(|nth| faults::run(seed + nth, points)).fold(faults::Report::default(), faults::Report::and);
    note_faults(&mut report, "", &small);
    let moved = faults::run_moving(seed, moving);
    note_faults(&mut report, "log moved: ", &moved);
    report.note("log moved: of them, those that struck while it was", moved.while_moving, Bound::AtLeast(moving / 4));
    let full = full::full(seed, 5 + points / 30);
    report.tell("times that the disk was full", full.times);
    report.note("times that it was refused and then taken again", full.resumed, Bound::AtLeast(full.times));
    report.none("full: acknowledged and lost", full.lost);
    report.none("full: what else cannot be", told(&full.broken));
    report
}

fn note_faults(report: &mut Report, prefix: &str, run: &faults::Report) {
    report.tell(format!("{prefix}faults"), run.points);
    report.note(format!("{prefix}of them, those that struck"), run.struck, Bound::AtLeast(run.points / 2));
    report.tell(format!("{prefix}acknowledged"), run.acknowledged);
    report.none(format!("{prefix}acknowledged and lost"), run.lost);
    report.none(format!("{prefix}what else cannot be"), told(&run.broken));
}

/// So many bits are flipped and files cut off; and, where that is wanted, each file at each boundary.
pub fn damage(seed: u64, cases: u64, each_cut: bool) -> Report {
    let mut report = Report::new("damage", seed);
    note_damage(&mut report, "", &damage::run(seed, cases));
    if each_cut {
        note_damage(&mut report, "each cut: ", &damage::run_cuts());
    }
    report
}

fn note_damage(report: &mut Report, prefix: &str, run: &damage::Report) {
    report.tell(format!("{prefix}cases"), run.cases);
    report.tell(format!("{prefix}of them, not opened, with the reason"), run.refused);
    report.tell(format!("{prefix}found while it ran"), run.failed);
    report.tell(format!("{prefix}bodies that came out as they were written"), run.intact);
    report.tell(format!("{prefix}deliveries that were told to be damaged"), run.damaged);
    report.tell(format!("{prefix}deliveries behind the damaged end of the log"), run.behind_the_log);
    report.tell(format!("{prefix}cases in which damage to the file hid deliveries"), run.hiding);
    report.tell(format!("{prefix}deliveries that it hid"), run.hidden);
    report.none(format!("{prefix}what may not be"), told(&run.broken));
}

/// How many, each told on the way.
fn told(broken: &[String]) -> u64 {
    broken.iter().for_each(|what| eprintln!("broken: {what}"));
    broken.len() as u64
}
