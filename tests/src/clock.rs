//! The machine's clock, set while a gateway runs: by libfaketime, for the gateway's process alone.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::{Home, Process};

/// A wall clock that a test sets. What only counts on, as monotonic clocks do, is left alone.
pub struct WallClock {
    folder: TempDir,
    library: PathBuf,
    ahead_s: i64,
    /// The processes that go by it.
    started: Vec<u32>,
}

impl WallClock {
    /// A clock that is right. Nothing where there is no libfaketime, which is told.
    pub fn find() -> Option<WallClock> {
        let Some(library) = std::env::var_os("HOOKGATE_FAKETIME").filter(|library| !library.is_empty()) else {
            eprintln!("skipped: no libfaketime was found or set up, so the clock cannot be set");
            return None;
        };
        let mut clock = WallClock {
            folder: tempfile::tempdir().unwrap(),
            library: library.into(),
            ahead_s: 0,
            started: Vec::new(),
        };
        clock.set(0);
        Some(clock)
    }

    /// Starts a gateway that goes by it.
    pub fn start(&mut self, home: &Home) -> Process {
        let mut command = Process::command(home);
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.file());
        // Looked at with each question; and the times of files are not moved, as they are not when a clock is set.
        let settings = ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"];
        command.envs(settings.map(|name| (name, "1")));
        let process = Process::try_start(command).unwrap_or_else(|told| panic!("it does not start: {told}"));
        self.started.push(process.id());
        process
    }

    /// Sets it so many seconds ahead of the machine's, or behind it.
    pub fn set(&mut self, ahead_s: i64) {
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, format!("{ahead_s:+}\n")).unwrap();
        std::fs::rename(draft, self.file()).unwrap();
        self.ahead_s = ahead_s;
    }

    /// What it says, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        (since_epoch.as_millis() as u64).checked_add_signed(self.ahead_s * 1000).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ahead")
    }
}

impl Drop for WallClock {
    fn drop(&mut self) {
        // What the library leaves behind of a process that was killed.
        for id in &self.started {
            for name in ["faketime_shm", "sem.faketime_sem"] {
                let _ = std::fs::remove_file(format!("/dev/shm/{name}_{id}"));
            }
        }
    }
}
