//! The disk is full, damaged, or somebody else's; plugins fail. What was promised holds.

use std::process::Command;
use std::time::Duration;

use hookgate_tests::{Gateway, Guest, Home, Ledger, Process, State, eventually, eventually_within};

/// The command of a gateway whose data folder is a disk of a few megabytes, in a name space of its own.
fn on_a_small_disk(home: &Home, mebibytes: u32) -> Command {
    std::fs::create_dir(home.data()).unwrap();
    let serve = Process::command(home);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg(format!("mount -t tmpfs -o size={mebibytes}m tmpfs \"$0\" && exec \"$@\""));
    command.arg(home.data()).arg(serve.get_program()).args(serve.get_args());
    command
}

/// Whether this machine lets an ordinary process have a disk of its own.
fn can_have_a_small_disk() -> bool {
    let made = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .status();
    made.is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_is_answered_with_503_loses_nothing_and_is_gone_when_there_is_room() {
    if !can_have_a_small_disk() {
        println!("skipped: this machine lets no process mount a disk of its own");
        return;
    }
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).component());
    let gateway = Process::try_start(on_a_small_disk(&home, 8)).unwrap();
    // Seen from outside, its disk is below its own root.
    let disk = std::path::PathBuf::from(format!("/proc/{}/root{}", gateway.id(), home.data().display()));
    let filler = disk.join("filler");
    let sender = home.sender("github");
    let mut ids = vec![gateway.post(&sender.webhook("push")).id()];

    fill(&filler);
    let mut refused = None;
    eventually("it is refused", || {
        let answer = gateway.post(&sender.webhook("push"));
        match answer.status {
            200 => ids.push(answer.id()),
            _ => refused = Some(answer.clone()),
        }
        answer.status == 503
    });
    let refused = refused.unwrap();
    assert!(refused.header("retry-after").is_some() && refused.json()["error"].is_string());
    assert!(gateway.refused("github", "not_written") >= 1);
    assert_eq!(gateway.get("/healthz").status, 200);
    // What asks again while it is full is refused again, and ends nothing.
    assert_eq!(gateway.post(&sender.webhook("push")).status, 503);

    std::fs::remove_file(&filler).unwrap();
    eventually("it goes on by itself", || {
        let answer = gateway.post(&sender.webhook("push"));
        (answer.status == 200).then(|| ids.push(answer.id())).is_some()
    });

    let queue = || gateway.status()["queue"].clone();
    eventually("everything is over", || queue()["pending"] == 0 && queue()["running"] == 0);
    let copy = Home::new();
    for file in ["hookgate.db", "hookgate.db-wal"] {
        std::fs::copy(disk.join(file), copy.path().join(file)).unwrap();
    }
    let ledger = Ledger::of(copy.path());
    assert!(ids.iter().all(|id| ledger.state("worker", id) == Some(State::Done)));
    assert_eq!(ledger.events(), ids.len() as i64, "what was refused is not there");
    assert_eq!(ledger.integrity(), "ok");
}

/// Takes all the room that there is.
fn fill(filler: &std::path::Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(filler).unwrap();
    for size in [1 << 16, 1 << 12, 1 << 9, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[test]
fn a_tool_that_holds_the_database_for_a_while_is_survived() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let first = gateway.post(&sender.webhook("push")).id();
    eventually("it is done", || home.ledger().state("worker", &first) == Some(State::Done));

    let held = home.ledger().hold();
    let answer = gateway.post(&sender.webhook("push"));
    assert!([200, 503].contains(&answer.status), "{answer:?}");
    drop(held);

    let mut id = String::new();
    eventually("it goes on by itself", || {
        let answer = gateway.post(&sender.webhook("push"));
        (answer.status == 200).then(|| id = answer.id()).is_some()
    });
    eventually("it is done", || home.ledger().state("worker", &id) == Some(State::Done));
}

#[test]
fn a_second_gateway_on_the_same_data_is_refused() {
    let home = Home::new();
    let gateway = Process::start(&home);
    let told = Process::try_start(Process::command(&home)).err().unwrap();
    assert!(told.contains("another gateway is using the data folder") && told.contains("data_dir"), "{told}");
    assert_eq!(gateway.post(&home.sender("github").webhook("push")).status, 200);

    gateway.kill();
    Process::start(&home);
}

#[test]
fn data_of_a_newer_version_is_left_alone() {
    let home = Home::new();
    drop(Gateway::start(&home));
    home.ledger().set_version(99);
    let told = format!("{:#}", Gateway::try_start(&home).err().unwrap());
    assert!(told.contains("version 99") && told.contains("newer"), "{told}");
}

#[test]
fn an_event_whose_body_was_damaged_on_disk_is_not_delivered() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).component());
    drop(Gateway::start(&home));
    std::fs::remove_file(home.plugin("worker")).unwrap();
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let [damaged, whole] = [(), ()].map(|()| gateway.post(&sender.webhook("push")).id());
    drop(gateway);
    home.ledger().damage(&damaged);
    home.install("worker", Guest::wanting(&["push"]).component());

    let gateway = Gateway::start(&home);

    let ledger = home.ledger();
    eventually("the whole one is done", || ledger.state("worker", &whole) == Some(State::Done));
    eventually("the damaged one is dead", || ledger.state("worker", &damaged) == Some(State::Dead));
    assert_eq!(ledger.outcomes("worker", &damaged), ["damaged"]);
    let shown = |id: &str| gateway.get(&format!("/api/v1/events/{id}")).json();
    assert_eq!((&shown(&whole)["damaged"], shown(&whole)["payload"].is_string()), (&false.into(), true));
    let shown = shown(&damaged);
    assert_eq!((&shown["damaged"], shown["payload"].is_null()), (&true.into(), true));
    assert_eq!((&shown["attributes"], &shown["headers"]), (&serde_json::json!({}), &serde_json::json!([])));
}

#[test]
fn a_file_that_is_no_database_is_told_and_left_alone() {
    let home = Home::new();
    std::fs::create_dir(home.data()).unwrap();
    let nonsense = "this is no database ".repeat(1000);
    home.write("data/hookgate.db", &nonsense);
    let told = format!("{:#}", Gateway::try_start(&home).err().unwrap());
    assert!(told.contains("hookgate.db"), "{told}");
    assert_eq!(std::fs::read_to_string(home.data().join("hookgate.db")).unwrap(), nonsense);
}

#[test]
fn a_delivery_is_tried_as_the_schedule_says_and_then_dead_and_kept() {
    let home = Home::with("delivery.schedule_s = [0, 1]");
    home.install("busy", Guest::wanting(&["push"]).handling("(return (call $retry {too busy}))").component());
    let gateway = Gateway::start(&home);
    let begun = std::time::Instant::now();

    let id = gateway.post(&home.sender("github").webhook("push")).id();

    let ledger = home.ledger();
    eventually("it is dead", || ledger.state("busy", &id) == Some(State::Dead));
    assert!(begun.elapsed() >= Duration::from_secs(1), "the last attempt came too soon");
    let attempts = ledger.attempts("busy");
    let told: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.outcome, attempt.why.as_str())).collect();
    assert_eq!(told, [1, 2, 3].map(|number| (number, "retry", "too busy")));
    assert!(ledger.has(&id));
    assert_eq!(gateway.plugin("busy")["retried"], 2);
    assert_eq!(gateway.plugin("busy")["dead"], 1);
    assert_eq!(gateway.status()["queue"]["dead"], 1);
}

#[test]
fn a_plugin_may_ask_for_a_longer_wait_than_the_schedule_has() {
    let home = Home::with("delivery.schedule_s = [0]");
    home.install(
        "patient",
        Guest::wanting(&["push"]).handling("(return (call $retry_after {later} (i64.const 1500)))").component(),
    );
    home.install("eager", Guest::wanting(&["push"]).handling("(return (call $retry {now}))").component());
    let gateway = Gateway::start(&home);
    let begun = std::time::Instant::now();

    let id = gateway.post(&home.sender("github").webhook("push")).id();

    let ledger = home.ledger();
    eventually("the eager one is dead", || ledger.state("eager", &id) == Some(State::Dead));
    eventually("the patient one is dead", || ledger.state("patient", &id) == Some(State::Dead));
    assert!(begun.elapsed() >= Duration::from_millis(1500), "it was not waited for");
    assert_eq!(ledger.outcomes("patient", &id), ["retry", "retry"]);
}

#[test]
fn a_wait_goes_on_after_a_restart() {
    let home = Home::with("delivery.schedule_s = [2]");
    let handle = "(if (i32.eq (local.get $attempt) (i32.const 1)) (then (return (call $retry {later}))))";
    home.install("worker", Guest::wanting(&["push"]).handling(handle).component());
    let gateway = Process::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it waits", || home.ledger().outcomes("worker", &id) == ["retry"]);
    gateway.kill();

    let _gateway = Process::start(&home);
    eventually_within(Duration::from_secs(30), "it is done", || {
        home.ledger().state("worker", &id) == Some(State::Done)
    });
    assert_eq!(home.ledger().outcomes("worker", &id), ["retry", "done"]);
}

#[test]
fn what_is_rejected_is_dead_at_once() {
    let home = Home::with("delivery.schedule_s = [0, 0, 0]");
    home.install("picky", Guest::wanting(&["push"]).handling("(return (call $reject {not for me}))").component());
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    let ledger = home.ledger();
    eventually("it is dead", || ledger.state("picky", &id) == Some(State::Dead));
    assert_eq!(ledger.outcomes("picky", &id), ["reject"]);
    assert_eq!(ledger.attempts("picky")[0].why, "not for me");
}

#[test]
fn no_plugin_has_more_calls_at_a_time_than_it_may() {
    let home = Home::with(
        "plugins.slow.calls_at_once = 2\nlimits.cpu_ms = 60000\nlimits.call_ms = 60000\nserver.drain_ms = 1",
    );
    home.install("slow", Guest::wanting(&["push"]).handling("(loop $on (br $on))").component());
    home.install("quick", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let ids: Vec<String> = (0..10).map(|_| gateway.post(&sender.webhook("push")).id()).collect();
    let ledger = home.ledger();
    eventually("the quick one has done all", || ledger.count("quick", State::Done) == ids.len());
    assert_eq!((ledger.count("slow", State::Running), ledger.count("slow", State::Waiting)), (2, 8));
    // Oldest first.
    assert_eq!(ledger.state("slow", &ids[0]), Some(State::Running));
    assert_eq!(ledger.state("slow", &ids[1]), Some(State::Running));
    let queue = gateway.status()["queue"].clone();
    assert_eq!((&queue["running"], &queue["pending"], &queue["due"]), (&2.into(), &8.into(), &8.into()));
}

#[test]
fn a_backlog_larger_than_memory_holds_is_worked_off() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).component());
    drop(Gateway::start(&home));
    std::fs::remove_file(home.plugin("worker")).unwrap();
    let gateway = Gateway::start(&home);
    let (doors, sender) = (*gateway, home.sender("github"));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..650).for_each(|_| assert_eq!(doors.post(&sender.webhook("push")).status, 200)));
        }
    });
    home.install("worker", Guest::wanting(&["push"]).component());
    let queue = || gateway.status()["queue"].clone();
    eventually("it is worked off", || queue()["pending"] == 0 && queue()["running"] == 0);
    assert_eq!(home.ledger().count("worker", State::Done), 8 * 650);
}
