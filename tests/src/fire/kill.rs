//! Killed with SIGKILL again and again while 64 connections send, one time in three while it stops, and started again on the same data.

use std::collections::{HashMap, HashSet};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::acks::{Ack, Acks};
use super::traffic::{CONNECTIONS, Connection, Until, body, drained};
use super::{Bound, Random, Report};
use crate::{Guest, Home, Process, State};

/// How many calls the plugin may have at a time: so many can be cut off by a kill.
const CALLS: u64 = 32;

/// How long a gateway that was asked to stop is left to it before it is killed, in milliseconds: mostly not as long as it takes, sometimes longer.
const STOPPING: [u64; 3] = [20, 100, 500];

/// How long senders who made pauses send as fast as they can before a kill.
const RUSH: Duration = Duration::from_millis(300);

/// Kills the gateway so often, and goes on until at least so many answers came. Senders who are ahead of that make pauses, but not when it is
/// killed: a fast machine would fill its disk otherwise, and a slow one accept more than it handles. Then everything is let end, and counted.
pub fn run(seed: u64, kills: u64, answers: u64) -> Report {
    let mut fire = Fire::new(seed);
    for kill in 1..=kills {
        eprintln!("kill {kill} of {kills}: {} answers", fire.acks.count());
        fire.live_and_be_killed(answers * kill / kills);
        if fire.random.once_in(4) {
            fire.be_killed_while_starting();
        }
    }
    let mut report = Report::new("kill", seed);
    report.tell("kills", fire.kills);
    // Some are done sooner than they are killed, so that a short run may have none.
    report.note("of them, of a gateway that was about to stop", fire.kills_while_stopping, Bound::AtLeast(kills / 50));
    let begun = Instant::now();
    fire.come_to_an_end(answers, &mut report);
    report.tell("the last life, to its end, s", begun.elapsed().as_secs());
    fire.count(answers, &mut report);
    report
}

struct Fire {
    home: Home,
    /// Beside the victim's folder.
    elsewhere: TempDir,
    acks: Arc<Acks>,
    connections: Vec<Connection>,
    random: Random,
    kills: u64,
    kills_while_stopping: u64,
    /// How often the plugin said of each event that it had started.
    starts: HashMap<String, u64>,
}

/// Says what it was started for, before anything else, and sleeps for a millisecond.
fn worker() -> Vec<u8> {
    let handle = "(call $log (i32.const 2) (local.get $id) (local.get $id_len))
         (i32.store (i32.const 272) (i32.const 1)) (i64.store (i32.const 280) (i64.const 1000000))
         (drop (call $poll_oneoff (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 768)))";
    Guest::wanting(&["push"]).handling(handle).module()
}

impl Fire {
    fn new(seed: u64) -> Fire {
        let many_retries = vec!["0"; 90].join(", ");
        let home = Home::with(&format!(
            "delivery.schedule_s = [{many_retries}]\nlimits.calls_at_once = {CALLS}\nlimits.instances = 64"
        ));
        home.install("worker", worker());
        Fire {
            home,
            elsewhere: tempfile::tempdir().unwrap(),
            acks: Arc::new(Acks::new()),
            connections: Connection::all(seed),
            random: Random::new(seed, 0),
            kills: 0,
            kills_while_stopping: 0,
            starts: HashMap::new(),
        }
    }

    fn live_and_be_killed(&mut self, plenty: u64) {
        let mut gateway = Process::start(&self.home);
        let for_a_while = self.random.millis(300, 3_000);
        let longest = STOPPING[self.random.below(3) as usize];
        let stopping = self.random.once_in(3).then(|| self.random.millis(0, longest));
        let (until, rush) = (Until::gone(), for_a_while.min(RUSH));
        until.resting.store(self.acks.count() > plenty, Ordering::Relaxed);
        self.send_while(&gateway, &until, || {
            std::thread::sleep(for_a_while - rush);
            until.resting.store(false, Ordering::Relaxed);
            std::thread::sleep(rush);
            if let Some(stopping) = stopping {
                gateway.terminate();
                std::thread::sleep(stopping);
            }
            gateway.signal(Signal::KILL);
        });
        // One that had stopped by then ended by itself.
        let was_killed = gateway.wait().signal().is_some();
        self.kills += u64::from(was_killed);
        self.kills_while_stopping += u64::from(was_killed && stopping.is_some());
        self.count_starts(&gateway.end());
    }

    /// What is taken up from the last life is as fragile as what is new.
    fn be_killed_while_starting(&mut self) {
        let log = self.elsewhere.path().join("log");
        let mut command = Process::command(&self.home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(self.random.millis(1, 400));
        child.kill().unwrap();
        child.wait().unwrap();
        self.kills += 1;
        self.count_starts(&std::fs::read_to_string(&log).unwrap());
    }

    fn come_to_an_end(&mut self, answers: u64, report: &mut Report) {
        let mut gateway = Process::start(&self.home);
        let acks = self.acks.clone();
        // Some more in any case, so that what was not answered before is asked again.
        let goal = answers.max(acks.count() + 10 * CONNECTIONS as u64);
        let until = Until::gone();
        self.send_while(&gateway, &until, || {
            while acks.count() < goal {
                std::thread::sleep(Duration::from_millis(10));
            }
            until.enough.store(true, Ordering::Relaxed);
        });
        let patience = Duration::from_secs(60 + self.acks.count() / 500);
        report.none("not drained", u64::from(!drained(&gateway, patience)));
        gateway.terminate();
        report.none("ended with another code than 0", u64::from(gateway.wait().code() != Some(0)));
        self.count_starts(&gateway.end());
    }

    fn send_while(&mut self, gateway: &Process, until: &Until, then: impl FnOnce()) {
        let (doors, sender, acks) = (**gateway, self.home.sender("github"), &self.acks);
        std::thread::scope(|scope| {
            for connection in &mut self.connections {
                let sender = &sender;
                scope.spawn(move || connection.send(doors, sender, acks, until));
            }
            then();
        });
    }

    fn count_starts(&mut self, log: &str) {
        let started = log.lines().filter_map(|line| line.split_once("worker: evt_"));
        for (_, rest) in started {
            let letters = rest.split(' ').next().unwrap_or_default();
            *self.starts.entry(format!("evt_{letters}")).or_default() += 1;
        }
    }

    /// Asks the ledger what became of everything.
    fn count(&self, answers: u64, report: &mut Report) {
        let ledger = self.home.ledger();
        let (acks, rows) = (self.acks.read(), ledger.bodies());
        report.note("acknowledged answers", acks.len() as u64, Bound::AtLeast(answers));
        report.tell("of them, sent although acknowledged before", self.sum(|one| one.repeated));
        report.tell("refused", self.sum(|one| one.refused));
        self.count_rows(&acks, &rows, report);
        let over: HashSet<String> = ledger
            .states("worker")
            .into_iter()
            .filter(|(_, state)| matches!(state, State::Done | State::Dead))
            .map(|(event, _)| event)
            .collect();
        let acked: HashSet<&String> = acks.iter().map(|ack| &ack.event).collect();
        let missing = |found: &dyn Fn(&String) -> bool| acked.iter().filter(|event| !found(event)).count() as u64;
        report.none("acknowledged, and neither done nor dead", missing(&|event| over.contains(event)));
        report.none("acknowledged, and never started", missing(&|event| self.starts.contains_key(event)));
        let lost = ledger.attempts("worker").iter().filter(|attempt| attempt.outcome == "lost").count() as u64;
        report.note("deliveries in flight at kills", lost, Bound::AtMost(CALLS * self.kills));
        let extra = self.starts.values().map(|starts| starts - 1).sum();
        report.note("starts beyond each event's first", extra, Bound::AtMost(lost));
        report.none("pages that are not as SQLite wrote them", u64::from(ledger.integrity() != "ok"));
    }

    fn count_rows(&self, acks: &[Ack], rows: &[(String, String)], report: &mut Report) {
        let stored: HashMap<&str, &str> = rows.iter().map(|(event, body)| (event.as_str(), body.as_str())).collect();
        let is_lost = |ack: &&Ack| stored.get(ack.event.as_str()).is_none_or(|stored| *stored != body(&ack.delivery));
        report.none("acknowledged and lost", acks.iter().filter(is_lost).count() as u64);
        let distinct: HashSet<&str> = rows.iter().map(|(_, body)| body.as_str()).collect();
        report.tell("events", rows.len() as u64);
        report.none("rows beyond one for each delivery", (rows.len() - distinct.len()) as u64);
        let mut ids: HashMap<&str, HashSet<&str>> = HashMap::new();
        for ack in acks {
            ids.entry(&ack.delivery).or_default().insert(&ack.event);
        }
        report.none("deliveries that were told two ids", ids.values().filter(|events| events.len() > 1).count() as u64);
        let acked: HashSet<&str> = acks.iter().map(|ack| ack.event.as_str()).collect();
        let unanswered = self.sum(|one| one.unanswered);
        // Most kills meet most of the connections; where it had stopped by then, none.
        report.note("requests in flight at kills", unanswered, Bound::AtLeast(self.kills));
        let never = rows.iter().filter(|(event, _)| !acked.contains(event.as_str())).count() as u64;
        report.note("rows that were never acknowledged", never, Bound::AtMost(unanswered));
    }

    fn sum(&self, of: impl Fn(&Connection) -> u64) -> u64 {
        self.connections.iter().map(of).sum()
    }
}
