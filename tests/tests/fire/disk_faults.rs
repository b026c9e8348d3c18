//! Calls of the disk fail, it fills up, and it goes away.

use std::time::Duration;

use hookgate::queue::Keep;
use hookgate::schedule::{Schedule, Schedules};
use hookgate_disk::{Disk, Fault, Outage};
use hookgate_tests::fire::faults::{beside_the_writer, run, run_moving, while_closing};
use hookgate_tests::fire::full::{full, full_at_start};
use hookgate_tests::fire::load::{event, open, threads};
use hookgate_tests::fire::seed;
use hookgate_tests::{Home, Process};

/// Ten are one call of each kind, from the opening and from when it is open.
const POINTS: u64 = 100;

#[test]
fn whatever_call_of_the_disk_fails_nothing_is_acknowledged_that_is_not_there() {
    let report = run(seed("faults"), POINTS);
    assert!(report.broken.is_empty() && report.lost == 0, "{report:#?}");
    assert!(report.failed > POINTS / 4 && report.while_opening > 0, "most failed nothing: {report:#?}");
}

#[test]
fn a_disk_that_fails_under_the_last_that_is_done_is_told() {
    let broken = while_closing();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn nothing_is_acknowledged_after_the_disk_failed_beside_the_writer() {
    let (acknowledged, broken) = beside_the_writer();
    assert!(broken.is_empty(), "{broken:#?}");
    // While the word of it came over. Otherwise it is found a second later.
    assert!(acknowledged < 20, "{acknowledged}");
}

#[test]
fn whatever_call_fails_while_the_log_is_moved_nothing_is_acknowledged_that_is_not_there() {
    // One of each kind.
    let report = run_moving(seed("faults while the log is moved"), 6);
    assert!(report.broken.is_empty() && report.lost == 0, "{report:#?}");
    assert!(report.struck >= 3 && report.while_moving > 0, "most failed nothing: {report:#?}");
}

#[test]
fn a_full_disk_refuses_and_takes_again_by_itself() {
    let report = full(seed("full"), 5);
    assert!(report.broken.is_empty() && report.lost == 0, "{report:#?}");
    assert_eq!((report.refused, report.resumed), (5, 5), "{report:#?}");
}

#[test]
fn a_start_on_a_full_disk_refuses_and_goes_on_with_what_ran_by_itself() {
    let report = full_at_start(seed("full at the start"));
    assert!(report.broken.is_empty() && report.lost == 0, "{report:#?}");
    assert_eq!((report.refused, report.resumed), (1, 1), "{report:#?}");
}

#[test]
fn a_start_with_nothing_on_a_full_disk_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    disk.fill();
    let day = Duration::from_secs(86_400);
    let keep = Keep {
        events: day,
        bytes: None,
        open_deliveries: 1_000,
        data_bytes: None,
        repeat_keys: day,
        subscriptions: day,
    };
    let schedules = Schedules { plugins: Schedule(Vec::new()), webhooks: Schedule(Vec::new()) };
    let told = hookgate::queue::open(folder.path(), &schedules, keep).err().unwrap().to_string();
    assert!(told.contains("full") && told.contains("make room"), "{told}");
}

#[test]
fn a_start_under_which_the_disk_fails_tells_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    let (queue, _) = open(folder.path()).unwrap();
    let accepted = threads().block_on(queue.accept((0..5).map(event).collect())).unwrap();
    // It leaves its log.
    disk.cut_power();
    drop(queue);
    disk.settle(Outage::Clean).unwrap();
    let marker = folder.path().join("failed");
    assert!(!marker.exists());

    disk.fail(Fault::Sync(1));
    assert!(open(folder.path()).is_err() && disk.has_struck());
    assert!(marker.exists(), "the system tells it once");

    let (queue, _) = open(folder.path()).unwrap();
    assert!(!marker.exists(), "all was read");
    threads().block_on(async {
        let ids = accepted.iter().map(|receipt| receipt.id).collect();
        assert!(queue.unknown(ids).await.unwrap().is_empty());
        queue.close().await.unwrap();
    });
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
