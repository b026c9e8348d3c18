//! Clients that hold connections without using them, two thousand at a time, and senders beside them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookgate_tests::slow::{Attack, Slow};
use hookgate_tests::{Home, Process, eventually, eventually_within};

/// How many connections slow clients have.
const SLOW: usize = 2000;

/// Each of these tests has all the connections that a machine can well have, so they run one after another.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many good events there are meanwhile, and for how long.
const PER_SECOND: u32 = 500;
const SECONDS: u32 = 10;

/// Half of the slow clients are held, whatever the gateway closes of them; every good event is taken.
fn nothing_is_lost_beside(attack: Attack) {
    let _alone = alone();
    let home = Home::with(
        "limits.header_ms = 3000\nlimits.request_ms = 4000\nlimits.body_grace_ms = 1000\nlimits.idle_ms = 3000\n\
         limits.shed_ms = 60000\nlimits.requests_per_s_by_address = 100000",
    );
    let gateway = Process::start(&home);
    let slow = Slow::begin(attack, gateway.hooks, SLOW);
    eventually("they are here", || slow.open() + slow.closed() > SLOW / 2);
    let sender = home.sender("github");
    let begun = Instant::now();
    let senders = 8;
    let lost: usize = std::thread::scope(|scope| {
        let send = |nth: u32| {
            let (sender, gateway) = (sender.clone(), &gateway);
            move || {
                let each = PER_SECOND * SECONDS / senders;
                let is_lost = |n: u32| {
                    let due = Duration::from_secs_f64(f64::from(n * senders + nth) / f64::from(PER_SECOND));
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    let answer = gateway.try_post(&sender.webhook("push"));
                    !answer.is_ok_and(|answer| answer.status == 200)
                };
                (0..each).filter(|n| is_lost(*n)).count()
            }
        };
        let all: Vec<_> = (0..senders).map(|nth| scope.spawn(send(nth))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(
        lost,
        0,
        "of {}, {} slow ones were open and {} closed",
        PER_SECOND * SECONDS,
        slow.open(),
        slow.closed()
    );
    assert_eq!(home.ledger().events() as u32, PER_SECOND * SECONDS);
    if attack == Attack::Read {
        let closed = "hookgate_closed_connections_total{cause=\"slow_reader\"}";
        eventually("who never reads is closed", || gateway.metric(closed) >= 1.0);
    } else {
        assert!(slow.closed() > SLOW / 4, "{} of the slow ones were closed", slow.closed());
    }
}

#[test]
fn headers_that_never_end() {
    nothing_is_lost_beside(Attack::Headers);
}

#[test]
fn bodies_that_never_end() {
    nothing_is_lost_beside(Attack::Body);
}

#[test]
fn answers_that_are_not_read() {
    nothing_is_lost_beside(Attack::Read);
}

#[test]
fn two_thousand_that_were_idle_and_post_at_once_are_all_answered() {
    use std::io::{Read, Write};
    let _alone = alone();
    hookgate_tests::slow::more_files();
    let home = Home::with(
        "limits.connections_by_address = 3000\nlimits.requests_per_s_by_address = 100000\nlimits.idle_ms = 60000\nlimits.header_ms = 60000",
    );
    let gateway = Process::start(&home);
    let sender = home.sender("github");
    let connect = |_| {
        let stream = std::net::TcpStream::connect(gateway.hooks).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    };
    let mut idle: Vec<_> = (0..SLOW).map(connect).collect();
    let requests: Vec<Vec<u8>> = (0..SLOW).map(|_| sender.webhook("push").request()).collect();
    for (stream, request) in idle.iter_mut().zip(&requests) {
        stream.write_all(request).unwrap();
    }
    let status = |stream: &mut std::net::TcpStream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let statuses: Vec<String> = idle.iter_mut().map(status).collect();
    let taken = statuses.iter().filter(|status| *status == "200").count();
    let busy = statuses.iter().filter(|status| *status == "503").count();
    assert_eq!(taken + busy, SLOW, "{taken} taken, {busy} told to come again");
    assert!(taken > 0);
    assert_eq!(home.ledger().events(), taken as i64);
    // Who was told so comes again, and is taken.
    eventually_within(Duration::from_secs(30), "the gateway is idle", || {
        gateway.post(&sender.webhook("push")).status == 200
    });
}
