//! `hookgate events --follow`: what it asks for, and that it goes on where it was.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use hookgate_tests::{Guest, Home, Process, State, eventually, run_hookgate, spawn_hookgate};
use serde_json::Value;

/// What stands between a command and a gateway: at one address, wherever the gateway is, and it counts.
struct Relay {
    address: SocketAddr,
    passed: Arc<Mutex<Passed>>,
}

struct Passed {
    to: SocketAddr,
    /// What was asked for, in order.
    asked: Vec<String>,
    answered_bytes: usize,
}

impl Relay {
    fn to(to: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let passed = Arc::new(Mutex::new(Passed { to, asked: Vec::new(), answered_bytes: 0 }));
        let noting = passed.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let to = noting.lock().unwrap().to;
                // Where nobody is there, the client is hung up on.
                let Ok(gateway) = TcpStream::connect(to) else { continue };
                let asking = (client.try_clone().unwrap(), gateway.try_clone().unwrap(), noting.clone());
                std::thread::spawn(move || pass(asking.0, asking.1, |bytes| asking.2.lock().unwrap().ask(bytes)));
                let noting = noting.clone();
                std::thread::spawn(move || {
                    pass(gateway, client, |bytes| noting.lock().unwrap().answered_bytes += bytes.len())
                });
            }
        });
        Relay { address, passed }
    }

    /// How many requests there were, and how much was answered.
    fn so_far(&self) -> (usize, usize) {
        let passed = self.passed.lock().unwrap();
        (passed.asked.len(), passed.answered_bytes)
    }
}

impl Passed {
    fn ask(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let asked = text.lines().filter_map(|line| line.strip_prefix("GET ")).map(str::to_owned);
        self.asked.extend(asked);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        note(&bytes[..read]);
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// What is printed: states by event, in order.
type Seen = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

fn read_events(out: impl Read + Send + 'static) -> Seen {
    let seen = Seen::default();
    let noting = seen.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap();
            let [id, state] = ["id", "state"].map(|field| event[field].as_str().unwrap().to_owned());
            noting.lock().unwrap().entry(id).or_default().push(state);
        }
    });
    seen
}

fn read_lines(err: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let noting = lines.clone();
    std::thread::spawn(move || {
        BufReader::new(err).lines().map_while(Result::ok).for_each(|line| noting.lock().unwrap().push(line));
    });
    lines
}

#[test]
fn following_asks_for_little_and_goes_on_after_a_restart() {
    let home = Home::new();
    home.install("good", Guest::wanting(&["push"]).component());
    home.install("held", Guest::wanting(&["ping"]).component());
    let mut gateway = Process::start(&home);
    let command = |gateway: &Process, words: &[&str]| {
        let admin = gateway.admin.to_string();
        let ran = run_hookgate(&home, &[words, &["--admin", &admin]].concat());
        assert_eq!(ran.code, 0, "{words:?} {}{}", ran.out, ran.err);
    };
    command(&gateway, &["pause", "held"]);
    let pending = gateway.post(&home.sender("github").webhook("ping")).id();
    let to = format!("http://{}/hooks/github", gateway.hooks);
    let sent = run_hookgate(&home, &["send", "github", "push", "--to", &to, "--count", "1500", "--at-once", "16"]);
    assert_eq!(sent.code, 0, "{}{}", sent.out, sent.err);
    eventually("all of them are done", || home.ledger().count("good", State::Done) == 1500);

    let relay = Relay::to(gateway.admin);
    let admin = relay.address.to_string();
    let words = ["events", "--follow", "--json", "--since", "1h", "--limit", "100000", "--admin", &admin];
    let mut following = spawn_hookgate(&home, &words);
    let (seen, told) = (read_events(following.stdout.take().unwrap()), read_lines(following.stderr.take().unwrap()));
    eventually("all are printed", || seen.lock().unwrap().len() == 1501);

    // Though one is pending that came before all others.
    let (asked, bytes) = relay.so_far();
    eventually("it looks again", || relay.so_far().0 >= asked + 12);
    let (asked_again, bytes) = (relay.so_far().0 - asked, relay.so_far().1 - bytes);
    assert!(bytes < 100_000, "{bytes} bytes for {asked_again} requests");
    let looks = relay.passed.lock().unwrap().asked[asked..].iter().filter(|asked| asked.contains("?limit=1 ")).count();
    assert!(looks * 3 >= asked_again, "{asked_again} requests for {looks} looks");

    gateway.kill();
    eventually("it says so", || !told.lock().unwrap().is_empty());
    gateway = Process::start(&home);
    relay.passed.lock().unwrap().to = gateway.admin;
    let more: Vec<String> = (0..3).map(|_| gateway.post(&home.sender("github").webhook("push")).id()).collect();
    command(&gateway, &["resume", "held"]);
    let is_over = |id: &String| seen.lock().unwrap().get(id).is_some_and(|states| states.contains(&"done".to_owned()));
    eventually("all are over", || is_over(&pending) && more.iter().all(is_over));

    assert!(following.try_wait().unwrap().is_none(), "it still runs");
    following.kill().unwrap();
    following.wait().unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[&pending], ["pending", "done"]);
    let once = |states: &Vec<String>| *states == ["done"] || *states == ["pending", "done"];
    let odd: Vec<_> = seen.iter().filter(|(_, states)| !once(states)).collect();
    assert!(odd.is_empty() && seen.len() == 1504, "{} and {odd:?}", seen.len());
    let told = told.lock().unwrap();
    assert!(
        told.len() == 2
            && ["cannot reach a gateway", "broke off"].iter().any(|why| told[0].contains(why))
            && told[1].contains("there again"),
        "{told:?}"
    );
}
