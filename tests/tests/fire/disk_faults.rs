//! Calls of the disk fail, it fills up, and it goes away.

use hookgate_tests::fire::faults::{full, run};
use hookgate_tests::fire::seed;
use hookgate_tests::{Home, Process};

const POINTS: u64 = 30;

#[test]
fn whatever_call_of_the_disk_fails_nothing_is_acknowledged_that_is_not_there() {
    let report = run(seed("faults"), POINTS);
    assert!(report.broken.is_empty() && report.lost == 0, "{report:#?}");
    assert!(report.failed > POINTS / 4 && report.while_opening > 0, "most failed nothing: {report:#?}");
}

#[test]
fn a_full_disk_refuses_and_takes_again_by_itself() {
    let report = full(seed("full"), 5);
    assert!(report.broken.is_empty() && report.lost == 0, "{report:#?}");
    assert_eq!((report.refused, report.resumed), (5, 5), "{report:#?}");
}

#[test]
fn a_data_folder_that_is_taken_away_is_not_written_to_any_more() {
    let home = Home::new();
    let mut gateway = Process::start(&home);
    let sender = home.sender("github");
    gateway.post(&sender.webhook("push")).id();

    std::fs::rename(home.data(), home.path().join("taken-away")).unwrap();

    // What is in a file that nobody finds again is not on disk.
    let answer = gateway.try_post(&sender.webhook("push"));
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 503));
    assert_eq!(gateway.wait().code(), Some(1), "{}", gateway.log());
    assert!(gateway.log().contains("hookgate.db"), "{}", gateway.log());
}
