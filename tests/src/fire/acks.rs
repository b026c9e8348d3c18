//! What senders were told, kept where the victim cannot reach it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::Answer;

/// A file in a folder of its own: one line an answer, written before its connection sends anything else.
pub struct Acks {
    folder: TempDir,
    file: Mutex<File>,
    count: AtomicU64,
}

/// One answer that said: accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The delivery, by its sender's id.
    pub delivery: String,
    /// The event's id in the answer.
    pub event: String,
}

impl Acks {
    /// An empty one.
    pub fn new() -> Acks {
        let folder = tempfile::tempdir().unwrap();
        let file = Mutex::new(File::create(folder.path().join("acks")).unwrap());
        Acks { folder, file, count: AtomicU64::new(0) }
    }

    /// Writes down an answer of 200.
    pub fn write(&self, delivery: &str, answer: &Answer) {
        let line = format!("{delivery} {}\n", answer.id());
        self.file.lock().unwrap().write_all(line.as_bytes()).unwrap();
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many answers there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// All of them, as the file has them.
    pub fn read(&self) -> Vec<Ack> {
        let file = BufReader::new(File::open(self.folder.path().join("acks")).unwrap());
        let lines = file.lines().map(Result::unwrap);
        let ack = |line: String| {
            let (delivery, event) = line.split_once(' ').unwrap();
            Ack { delivery: delivery.to_owned(), event: event.to_owned() }
        };
        lines.map(ack).collect()
    }
}
