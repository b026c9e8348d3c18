//! Files that older versions wrote: each is opened with all that is in it, and gone on from.
//!
//! `tests/versions/` has what they wrote, as it was then, whatever the code says of it now.

use std::collections::BTreeMap;
use std::time::Duration;

use hookgate::queue::Keep;
use hookgate::schedule::{Schedule, Schedules};
use hookgate_tests::{Gateway, Guest, Home, Ledger, Row, State, eventually};
use rusqlite::Connection;

const VERSIONS: [&str; 6] = [
    include_str!("../../versions/1.sql"),
    include_str!("../../versions/2.sql"),
    include_str!("../../versions/3.sql"),
    include_str!("../../versions/4.sql"),
    include_str!("../../versions/5.sql"),
    include_str!("../../versions/6.sql"),
];

/// A folder with the file that a version wrote.
fn written_by(version: usize) -> Home {
    let home = Home::new();
    std::fs::create_dir_all(home.data()).unwrap();
    let db = Connection::open(home.data().join("hookgate.db")).unwrap();
    db.execute_batch(VERSIONS[version - 1]).unwrap();
    home
}

/// Opens the queue of a folder in which nobody is there to run anything, and closes it.
fn bring_up(home: &Home) {
    let long = Duration::from_secs(1_000_000_000);
    let keep = Keep {
        events: long,
        bytes: None,
        open_deliveries: 1_000,
        data_bytes: None,
        repeat_keys: long,
        subscriptions: long,
    };
    let schedules = Schedules { plugins: Schedule(Vec::new()), webhooks: Schedule(Vec::new()) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (queue, _deliveries) = hookgate::queue::open(&home.data(), &schedules, keep).unwrap();
        queue.close().await.unwrap();
    });
}

/// Whether each row of a table is there with all the values that it had.
fn assert_same(table: &str, before: &[Row], after: &[Row]) {
    assert_eq!(before.len(), after.len(), "{table}");
    for (row, now) in before.iter().zip(after) {
        let kept: BTreeMap<_, _> = now.iter().filter(|(column, _)| row.contains_key(*column)).collect();
        assert_eq!(row.iter().collect::<BTreeMap<_, _>>(), kept, "{table}");
    }
}

#[test]
fn a_file_of_each_version_is_brought_up_with_every_row_and_looks_like_a_new_one() {
    let fresh = Home::new();
    std::fs::create_dir_all(fresh.data()).unwrap();
    bring_up(&fresh);
    for version in 1..=VERSIONS.len() {
        let home = written_by(version);
        let before = home.ledger().tables();
        assert!(before["event"].len() == 4 && before["delivery"].len() == 3, "version {version}");

        bring_up(&home);

        let after = home.ledger().tables();
        for (table, rows) in &before {
            assert_same(table, rows, &after[table]);
        }
        // What a version added is not edited once it is out: files have it as it was.
        assert_eq!(home.ledger().schema(), fresh.ledger().schema(), "version {version}");
    }
    let newest = fresh.ledger().version();
    assert_eq!(newest, VERSIONS.len() as i64, "tests/versions has a file of each version, the newest included");
}

#[test]
fn a_gateway_goes_on_from_a_file_of_each_version() {
    for version in 1..=VERSIONS.len() {
        let home = written_by(version);
        home.install("worker", Guest::wanting(&["push"]).component());
        let states = |ledger: Ledger| ledger.states("worker").into_iter().map(|(_, state)| state).collect::<Vec<_>>();
        assert_eq!(states(home.ledger()), [State::Done, State::Dead, State::Waiting], "version {version}");
        let bodies = home.ledger().bodies();

        let gateway = Gateway::start(&home);

        let all = [State::Done, State::Dead, State::Done];
        eventually("what waited is done", || states(home.ledger()) == all);
        assert_eq!(home.ledger().bodies(), bodies, "version {version}");
        gateway.post(&home.sender("github").webhook("push")).id();
        eventually("what is new is done", || home.ledger().count("worker", State::Done) == 3);
        assert_eq!(home.ledger().integrity(), "ok");
    }
}
