//! Syncs fail under the whole gateway: of the log, and of the file that the log is moved into.

use hookgate_tests::fire;

#[test]
fn a_gateway_whose_syncs_fail_ends_and_nothing_that_it_acknowledged_is_lost() {
    if let Some(report) = fire::unsynced::run(fire::seed("syncs"), 4) {
        report.assert_kept();
    }
}
