//! The power goes while events come in. Each test is told by a seed, which it prints; `HOOKGATE_SEED` has it again.

use std::ops::Range;
use std::time::{Duration, Instant};

use hookgate::event::EventId;
use hookgate::queue::Queue;
use hookgate_disk::{Disk, Outage};
use hookgate_tests::fire::load::{event, open, open_keeping, threads};
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

#[test]
fn what_was_acknowledged_is_there_whatever_is_let_go_of_meanwhile() {
    let report = run(seed("letting go"), CUTS / 2, Way::TornWhileLettingGo);
    assert_it_holds(&report);
    assert!(report.let_go > 100, "little was let go of: {report:#?}");
}

/// Otherwise the three before would hold of any queue.
#[test]
fn a_queue_that_does_not_sync_is_found_to_lose_what_it_acknowledged() {
    let report = run(seed("unsynced"), CUTS, Way::Unsynced);
    assert!(report.lost > 0 && report.cuts == CUTS, "{report:#?}");
    assert!(report.broken.is_empty(), "what it lost, it lost silently: {report:#?}");
}

/// How many events are let go of, and how many at each step where nothing comes in.
const OLD: u64 = 960;
const STEP: u64 = 64;

/// How long they are kept.
const KEPT: Duration = Duration::from_secs(3);

async fn accept(queue: &Queue, numbers: Range<u64>) -> Vec<EventId> {
    let receipts = queue.accept(numbers.map(event).collect()).await.unwrap();
    receipts.iter().map(|receipt| receipt.id).collect()
}

async fn until_gone(queue: &Queue, events: &[EventId]) {
    let until = Instant::now() + Duration::from_secs(60);
    while queue.unknown(events.to_vec()).await.unwrap().len() < events.len() {
        assert!(Instant::now() < until, "they are kept for longer than they should be");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn what_is_let_go_of_waits_for_no_disk_and_what_is_accepted_after_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path()).unwrap();
    let power_goes = |queue: Queue| {
        disk.cut_power();
        drop(queue);
        disk.settle(Outage::Clean).unwrap();
    };
    let (queue, _) = open_keeping(folder.path(), KEPT).unwrap();
    let old = threads().block_on(async {
        let old = accept(&queue, 0..OLD).await;
        let before = disk.counts().syncs;
        until_gone(&queue, &old).await;
        let syncs = disk.counts().syncs - before;
        assert!(syncs < OLD / STEP / 2, "{syncs} syncs for {} steps", OLD / STEP);
        old
    });
    power_goes(queue);

    // Some are back where they are kept for long, and go again where they are not.
    let (queue, _) = open(folder.path()).unwrap();
    threads().block_on(async {
        assert!(queue.unknown(old.clone()).await.unwrap().len() < old.len(), "none is back: the trial is blind");
        queue.close().await.unwrap();
    });
    drop(queue);
    let (queue, _) = open_keeping(folder.path(), KEPT).unwrap();
    let new = threads().block_on(async {
        until_gone(&queue, &old).await;
        accept(&queue, OLD..OLD + 1).await
    });
    power_goes(queue);

    let (queue, _) = open(folder.path()).unwrap();
    threads().block_on(async {
        assert!(queue.unknown(new).await.unwrap().is_empty(), "what was acknowledged is gone");
        assert_eq!(queue.unknown(old.clone()).await.unwrap().len(), old.len(), "what went before it is back");
        queue.close().await.unwrap();
    });
}
