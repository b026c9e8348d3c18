//! Syncs fail under the whole gateway, of its log or of its file, while 64 connections send: it ends, and is started again on the same data.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::acks::Acks;
use super::traffic::{CONNECTIONS, Connection, Until, drained};
use super::{Bound, Random, Report};
use crate::{Guest, Home, Process};

/// What fails in turn: what a commit syncs, and what is synced where the log was moved.
const FILES: [&str; 2] = ["/hookgate.db-wal", "/hookgate.db"];

/// How soon it should have ended.
const ENDED: Duration = Duration::from_secs(1);

/// How long is waited for what has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Has syncs fail so many times. Nothing where there is nothing by which they could, which is told.
pub fn run(seed: u64, rounds: u64) -> Option<Report> {
    let Some(library) = std::env::var_os("HOOKGATE_SYNCS").filter(|library| !library.is_empty()) else {
        eprintln!("skipped: there is nothing here by which syncs could fail");
        return None;
    };
    let home = Home::with("delivery.schedule_s = [0, 0, 0, 0]");
    home.install("worker", Guest::wanting(&["push"]).component());
    let mut trial = Trial {
        home,
        failing: Failing { folder: tempfile::tempdir().unwrap(), library: library.into() },
        acks: Acks::new(),
        connections: Connection::all(seed),
        random: Random::new(seed, 0),
        found: Found::default(),
    };
    for round in 0..rounds {
        let file = FILES[round as usize % FILES.len()];
        eprintln!("round {} of {rounds}: {} answers; now syncs of {file} fail", round + 1, trial.acks.count());
        trial.fail(file);
        trial.start_again();
    }
    Some(trial.count(seed, rounds))
}

struct Trial {
    home: Home,
    failing: Failing,
    acks: Acks,
    connections: Vec<Connection>,
    random: Random,
    found: Found,
}

#[derive(Default)]
struct Found {
    /// The longest from the first sync that failed to the end of the process.
    longest: Duration,
    /// How often it did not end, or with another code than 1, or did not say why.
    bad_ends: u64,
    /// How many answers said that an event was accepted, after a sync of the log had failed and beside those that were on their way.
    promised: u64,
    /// How often it was not done with everything after the next start.
    not_drained: u64,
}

impl Trial {
    /// Syncs of a file fail, until the gateway has ended.
    fn fail(&mut self, file: &str) {
        let mut gateway = Process::try_start(self.failing.command(&self.home)).unwrap();
        let (doors, sender, acks, until) = (*gateway, self.home.sender("github"), &self.acks, Until::gone());
        let (failing, before) = (&self.failing, self.random.millis(100, 1_000));
        let found = &mut self.found;
        std::thread::scope(|scope| {
            for connection in &mut self.connections {
                let (sender, until) = (&sender, &until);
                scope.spawn(move || connection.send(doors, sender, acks, until));
            }
            std::thread::sleep(before);
            failing.begin(file);
            let has_failed = crate::within(PATIENCE, || failing.has_failed());
            let (begun, promised) = (Instant::now(), acks.count());
            let ended = crate::within(PATIENCE, || gateway.has_ended());
            found.longest = found.longest.max(begun.elapsed());
            if !ended {
                gateway.signal(rustix::process::Signal::KILL);
            }
            found.bad_ends += u64::from(!has_failed || !ended || gateway.wait().code() != Some(1));
            until.enough.store(true, std::sync::atomic::Ordering::Relaxed);
            // What was moved is in the log too, which is synced: as long as that is, an answer is kept.
            if file == FILES[0] {
                found.promised += (acks.count() - promised).saturating_sub(CONNECTIONS as u64);
            }
        });
        let log = gateway.end();
        if !log.contains("cannot keep its promises") {
            eprintln!("it did not say why it ended: {log}");
            self.found.bad_ends += 1;
        }
        self.failing.end();
    }

    /// The disk is well again.
    fn start_again(&mut self) {
        let mut gateway = Process::start(&self.home);
        self.found.not_drained += u64::from(!drained(&gateway, PATIENCE));
        gateway.terminate();
        self.found.bad_ends += u64::from(gateway.wait().code() != Some(0));
    }

    fn count(&self, seed: u64, rounds: u64) -> Report {
        let (mut report, ledger) = (Report::new("syncs", seed), self.home.ledger());
        let stored: std::collections::HashSet<String> = ledger.bodies().into_iter().map(|(event, _)| event).collect();
        let acks = self.acks.read();
        report.tell("times that syncs failed", rounds);
        report.note("acknowledged", acks.len() as u64, Bound::AtLeast(rounds * CONNECTIONS as u64));
        report.tell("refused", self.connections.iter().map(|one| one.refused).sum());
        let lost = acks.iter().filter(|ack| !stored.contains(&ack.event)).count();
        report.none("acknowledged and lost", lost as u64);
        report.none("acknowledged after a sync of the log had failed", self.found.promised);
        report.none("ends that did not come, or with another code than 1, or without a word", self.found.bad_ends);
        report.none("starts after it that did not come to their end", self.found.not_drained);
        let (longest, goal) = (self.found.longest.as_millis() as u64, ENDED.as_millis() as u64);
        report.note("the longest from a sync that failed to the end, ms", longest, Bound::Goal(goal));
        report.none("pages that are not as SQLite wrote them", u64::from(ledger.integrity() != "ok"));
        report
    }
}

/// What has the syncs of one process fail.
struct Failing {
    folder: TempDir,
    library: PathBuf,
}

impl Failing {
    /// A gateway whose syncs can.
    fn command(&self, home: &Home) -> std::process::Command {
        let mut command = Process::command(home);
        command.env("LD_PRELOAD", &self.library).env("HOOKGATE_SYNCS_FAIL", self.file("file"));
        command
    }

    fn begin(&self, file: &str) {
        std::fs::write(self.file("draft"), file).unwrap();
        std::fs::rename(self.file("draft"), self.file("file")).unwrap();
    }

    fn has_failed(&self) -> bool {
        self.file("file.told").exists()
    }

    fn end(&self) {
        for name in ["file", "file.told"] {
            let _ = std::fs::remove_file(self.file(name));
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
