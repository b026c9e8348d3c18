//! Bits of the queue's files are flipped, and files are cut off.

use hookgate_tests::fire::damage::run;
use hookgate_tests::fire::seed;

const CASES: u64 = 200;

#[test]
fn what_comes_out_of_damaged_files_is_what_was_written_or_nothing() {
    let report = run(seed("damage"), CASES);
    assert!(report.broken.is_empty(), "{report:#?}");
    assert!(report.intact > CASES && report.damaged > 0 && report.refused > 0, "that was no damage: {report:#?}");
}
