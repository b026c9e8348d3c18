//! Stopped under load, killed with a long history, and taken down by what one plugin is given.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hookgate::config::{Config, Overrides};
use hookgate::event::repeat_key;
use hookgate::queue;
use rustix::process::Signal;

use super::traffic::{CONNECTIONS, drained, webhook};
use super::{Bound, Random, Report};
use crate::http::Kept;
use crate::{Guest, Home, Process, Sender, State, eventually, within};

/// How long a stop may take: what the config's `drain_ms` says.
const DRAIN: Duration = Duration::from_secs(10);

/// How soon a gateway with a long history should be ready.
const READY: Duration = Duration::from_secs(2);

/// So often each: stopped with SIGTERM under load; killed, with so many events stored, and started again; and one event that takes the process
/// down at each attempt.
pub fn run(seed: u64, rounds: u64, stored: u64) -> Report {
    let mut report = Report::new("supervision", seed);
    let mut random = Random::new(seed, 0);
    stop_under_load(&mut random, rounds, &mut report);
    restart_with_a_history(&mut random, rounds, stored, &mut report);
    be_taken_down(&mut random, &mut report);
    report
}

fn quick_home(more: &str) -> Home {
    let home = Home::with(&format!("delivery.schedule_s = [0, 0, 0, 0]\nlimits.calls_at_once = 8\n{more}"));
    home.install("worker", Guest::wanting(&["push"]).handling("(call $work (i32.const 500000))").component());
    home
}

/// Sends one after the other, and connects again where that ends, until all is over. Gives the ids of the events that were acknowledged.
fn send(gateway: std::net::SocketAddr, sender: &Sender, name: &str, over: &AtomicBool) -> Vec<String> {
    let (mut kept, mut acks) = (None, Vec::new());
    for nth in 1.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let open = kept.take().map_or_else(|| Kept::open(gateway), Ok);
        let posted = open.and_then(|mut open| Ok((open.post(&webhook(sender, &format!("{name}-{nth}")))?, open)));
        match posted {
            Ok((answer, open)) => {
                acks.extend((answer.status == 200).then(|| answer.id()));
                kept = Some(open);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    acks
}

fn stop_under_load(random: &mut Random, rounds: u64, report: &mut Report) {
    let home = quick_home("");
    let (mut acks, mut longest, mut bad_ends) = (Vec::new(), Duration::ZERO, 0);
    for round in 1..=rounds {
        eprintln!("stop {round} of {rounds} under load");
        let mut gateway = Process::start(&home);
        let name = format!("stop-{:x}", random.draw());
        let (seen, took) = send_and_stop(&home, &mut gateway, random.millis(300, 1_500), &name);
        longest = longest.max(took);
        bad_ends += u64::from(gateway.wait().code() != Some(0));
        acks.extend(seen);
    }
    report.tell("stops under load", rounds);
    report.note("acknowledged until then", acks.len() as u64, Bound::AtLeast(rounds * CONNECTIONS as u64));
    report.none("stops that did not end with 0", bad_ends);
    report.note("the longest stop, ms", longest.as_millis() as u64, Bound::Goal(DRAIN.as_millis() as u64));
    let ledger = home.ledger();
    report.none("left running", ledger.count("worker", State::Running) as u64);
    let cut_off = ledger.attempts("worker").iter().filter(|attempt| attempt.outcome != "done").count();
    report.none("calls that were cut off", cut_off as u64);
    let gateway = Process::start(&home);
    report.none("not drained after it", u64::from(!drained(&gateway, Duration::from_secs(300))));
    report.none("acknowledged and not done", not_done(&home, &acks));
}

/// Gives the events that were acknowledged, to the last answer, and how long the stop took.
fn send_and_stop(home: &Home, gateway: &mut Process, after: Duration, name: &str) -> (Vec<String>, Duration) {
    let (hooks, sender, over) = (gateway.hooks, home.sender("github"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (sender, over) = (&sender, &over);
        let sending: Vec<_> = (0..CONNECTIONS)
            .map(|number| scope.spawn(move || send(hooks, sender, &format!("{name}-{number}"), over)))
            .collect();
        std::thread::sleep(after);
        let begun = Instant::now();
        gateway.terminate();
        within(Duration::from_secs(60), || {
            gateway.log().contains("stopped; everything that was acknowledged is on disk")
        });
        gateway.wait();
        let took = begun.elapsed();
        over.store(true, Ordering::Relaxed);
        (sending.into_iter().flat_map(|one| one.join().unwrap()).collect(), took)
    })
}

fn not_done(home: &Home, acks: &[String]) -> u64 {
    let states = home.ledger().states("worker");
    let done: HashSet<String> =
        states.into_iter().filter(|(_, state)| *state == State::Done).map(|(event, _)| event).collect();
    acks.iter().filter(|event| !done.contains(*event)).count() as u64
}

fn restart_with_a_history(random: &mut Random, rounds: u64, stored: u64, report: &mut Report) {
    let home = quick_home("");
    let begun = Instant::now();
    write_history(&home, stored);
    eprintln!("{stored} events were stored in {:?}", begun.elapsed());
    let sender = home.sender("github");
    // The first start compiles the plugin.
    let mut gateway = Process::start(&home);
    let (mut acks, mut longest) = (Vec::new(), Duration::ZERO);
    for round in 1..=rounds {
        let posted = (0..20).map(|nth| gateway.post(&webhook(&sender, &format!("{round}-{nth}"))).id());
        acks.extend(posted.collect::<Vec<_>>());
        std::thread::sleep(random.millis(1, 300));
        gateway.signal(Signal::KILL);
        gateway.end();
        let begun = Instant::now();
        gateway = Process::start(&home);
        eventually("it is ready", || gateway.get("/readyz").status == 200);
        longest = longest.max(begun.elapsed());
    }
    let ledger = home.ledger();
    report.note("events stored at the restarts", ledger.events() as u64, Bound::AtLeast(stored + acks.len() as u64));
    report.note(
        "the longest from SIGKILL to ready, ms",
        longest.as_millis() as u64,
        Bound::Goal(READY.as_millis() as u64),
    );
    report.none("acknowledged before a restart and lost", acks.iter().filter(|id| !ledger.has(id)).count() as u64);
    let again = gateway.post(&webhook(&sender, "1-0"));
    report.none("repeats that were taken for new", u64::from(!again.is_duplicate()));
}

/// Writes events down as the gateway does, half of them with a delivery that waits.
fn write_history(home: &Home, stored: u64) {
    let config = Config::read(&home.config(), &Overrides::default()).unwrap();
    let sender = home.sender("github");
    let waiting = sender.event(&webhook(&sender, "history"));
    let unrouted = hookgate::event::NewEvent { event_type: "history".into(), ..waiting.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (queue, _deliveries) = queue::open(&home.data(), &config.schedules, config.keep.clone()).unwrap();
        queue.subscribe("worker", Some(vec!["push".parse().unwrap()]), None, 0).await.unwrap();
        let numbers: Vec<u64> = (0..stored).collect();
        for some in numbers.chunks(1_000) {
            let event = |nth: &u64| {
                let kind = if nth.is_multiple_of(2) { &waiting } else { &unrouted };
                let repeat_key = Some(repeat_key("github", format!("history-{nth}").as_bytes()));
                hookgate::event::NewEvent { repeat_key, ..kind.clone() }
            };
            queue.accept(some.iter().map(event).collect()).await.unwrap();
        }
        queue.close().await.unwrap();
    });
}

/// There is no way for a plugin to end the host's process. So it is killed whenever a certain event's attempt has begun.
fn be_taken_down(random: &mut Random, report: &mut Report) {
    let home = quick_home("limits.cpu_ms = 60000\nlimits.call_ms = 60000\nserver.drain_ms = 1");
    home.install("deadly", Guest::wanting(&["ping"]).handling("(loop $on (br $on))").component());
    let (ledger, sender) = (home.ledger(), home.sender("github"));
    let (mut deadly, mut others, mut kills) = (String::new(), Vec::new(), 0);
    while deadly.is_empty() || ledger.state("deadly", &deadly) != Some(State::Dead) {
        let gateway = Process::start(&home);
        if deadly.is_empty() {
            deadly = gateway.post(&sender.webhook("ping")).id();
        }
        let some: Vec<String> = (0..5).map(|_| gateway.post(&sender.webhook("push")).id()).collect();
        others.extend(some.clone());
        // Dead at the start that has found it lost often enough.
        let is_over = || ledger.state("deadly", &deadly) == Some(State::Dead);
        let runs = || ledger.state("deadly", &deadly) == Some(State::Running);
        eventually("it has begun again, or is dead", || is_over() || runs());
        eventually("the others' go on beside it", || not_done(&home, &some) == 0);
        if is_over() {
            break;
        }
        std::thread::sleep(random.millis(1, 100));
        gateway.signal(Signal::KILL);
        gateway.end();
        kills += 1;
        assert!(kills <= 20, "it is not given up: {:?}", ledger.attempts("deadly"));
    }
    report.note("times that one event took the process down", kills, Bound::AtLeast(5));
    let attempts = ledger.attempts("deadly");
    let as_said =
        |(n, attempt): (usize, &crate::AttemptRow)| attempt.number as usize == n + 1 && attempt.outcome == "lost";
    report.note("its attempts, of the schedule's", attempts.len() as u64, Bound::AtMost(5));
    report.none(
        "of them not numbered in turn, or not lost",
        attempts.iter().enumerate().filter(|one| !as_said(*one)).count() as u64,
    );
    let gateway = Process::start(&home);
    others.push(gateway.post(&sender.webhook("push")).id());
    eventually("the others' go on after it", || not_done(&home, &others) == 0);
    report.none("tried again although dead", ledger.attempts("deadly").len().abs_diff(attempts.len()) as u64);
    report.none("others' that were not done", not_done(&home, &others));
}
