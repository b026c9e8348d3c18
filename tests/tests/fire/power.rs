//! The power goes while events come in. Each test is told by a seed, which it prints; `HOOKGATE_SEED` has it again.

use hookgate_tests::fire::power::{Report, Way, run};
use hookgate_tests::fire::seed;

/// Often enough for each kind of moment.
const CUTS: u64 = 10;

fn assert_it_holds(report: &Report) {
    assert!(report.broken.is_empty() && report.lost == 0 && report.unsettled == 0, "{report:#?}");
    assert!(report.acknowledged > 100 && report.settled > 100, "that was no load: {report:#?}");
}

#[test]
fn what_was_acknowledged_is_there_when_the_power_is_back() {
    assert_it_holds(&run(seed("power"), CUTS, Way::Clean));
}

#[test]
fn what_was_acknowledged_is_there_when_the_disk_was_torn() {
    assert_it_holds(&run(seed("torn"), CUTS, Way::Torn));
}

/// Otherwise the two before would hold of any queue.
#[test]
fn a_queue_that_does_not_sync_is_found_to_lose_what_it_acknowledged() {
    let report = run(seed("unsynced"), CUTS, Way::Unsynced);
    assert!(report.lost > 0 && report.cuts == CUTS, "{report:#?}");
    assert!(report.broken.is_empty(), "what it lost, it lost silently: {report:#?}");
}
