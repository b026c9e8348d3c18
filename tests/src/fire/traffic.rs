//! Senders who keep their connections open, send anew what was not answered, and now and then what was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Random;
use super::acks::Acks;
use crate::http::Kept;
use crate::{Answer, Doors, Process, Sender, Webhook};

/// How many connections send at a time.
pub const CONNECTIONS: usize = 64;

/// How long a connection rests between requests while it is told to.
const PAUSE: Duration = Duration::from_millis(200);

/// How long is sent, and how fast.
pub struct Until {
    /// Nothing more is sent.
    pub enough: AtomicBool,
    /// Senders make pauses.
    pub resting: AtomicBool,
}

impl Until {
    /// Until the gateway is gone.
    pub fn gone() -> Until {
        Until { enough: AtomicBool::new(false), resting: AtomicBool::new(false) }
    }
}

/// One connection, over all the lives of the gateway.
pub struct Connection {
    random: Random,
    name: String,
    nth: u64,
    /// Deliveries to be sent again before new ones.
    again: Vec<String>,
    /// Deliveries to be sent again once the gateway was killed and started again.
    after_kill: Vec<String>,
    /// Requests that were begun and not answered.
    pub unanswered: u64,
    /// Requests that were answered and not taken.
    pub refused: u64,
    /// Requests that were sent although their delivery had been acknowledged.
    pub repeated: u64,
}

impl Connection {
    /// As many as send at a time.
    pub fn all(seed: u64) -> Vec<Connection> {
        (0..CONNECTIONS).map(|number| Connection::new(seed, number)).collect()
    }

    fn new(seed: u64, number: usize) -> Connection {
        Connection {
            random: Random::new(seed, number as u64 + 1),
            name: format!("{seed:x}-{number}"),
            nth: 0,
            again: Vec::new(),
            after_kill: Vec::new(),
            unanswered: 0,
            refused: 0,
            repeated: 0,
        }
    }

    /// Sends one after the other until there is no gateway any more or it is enough.
    pub fn send(&mut self, doors: Doors, sender: &Sender, acks: &Acks, until: &Until) {
        self.again.append(&mut self.after_kill);
        let Ok(mut kept) = Kept::open(doors.hooks) else { return };
        while !until.enough.load(Ordering::Relaxed) {
            if until.resting.load(Ordering::Relaxed) {
                std::thread::sleep(PAUSE);
            }
            let delivery = self.choose();
            match kept.post(&webhook(sender, &delivery)) {
                Ok(answer) if answer.status == 200 => self.acknowledged(delivery, &answer, acks),
                Ok(_) => {
                    self.refused += 1;
                    self.again.push(delivery);
                }
                Err(_) => return self.left_alone(delivery),
            }
        }
    }

    fn choose(&mut self) -> String {
        self.again.pop().unwrap_or_else(|| {
            self.nth += 1;
            format!("{}-{}", self.name, self.nth)
        })
    }

    fn acknowledged(&mut self, delivery: String, answer: &Answer, acks: &Acks) {
        acks.write(&delivery, answer);
        match self.random.below(16) {
            0 => self.again.push(delivery),
            1 => self.after_kill.push(delivery),
            _ => return,
        }
        self.repeated += 1;
    }

    /// Most senders try again; some never do.
    fn left_alone(&mut self, delivery: String) {
        self.unanswered += 1;
        if !self.random.once_in(4) {
            self.after_kill.push(delivery);
        }
    }
}

/// The webhook of a delivery: always the same, so that what is stored of it can be compared.
pub fn webhook(sender: &Sender, delivery: &str) -> Webhook {
    sender.with_body("push", body(delivery)).with("x-github-delivery", delivery)
}

/// Its body.
pub fn body(delivery: &str) -> String {
    format!(r#"{{"delivery":"{delivery}","ref":"refs/heads/main","repository":{{"full_name":"octo-org/octo-repo"}}}}"#)
}

/// Waits until nothing is left to be done. Whether it came to that.
pub fn drained(gateway: &Process, patience: Duration) -> bool {
    let until = std::time::Instant::now() + patience;
    loop {
        let queue = gateway.status()["queue"].clone();
        if queue["pending"] == 0 && queue["running"] == 0 {
            return true;
        }
        if std::time::Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
