//! The trials of reliability, with small numbers: `docs/reliability.md` says what each is. A binary of its own, which runs when the others are
//! done: each takes the whole machine for a while.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod damage;
mod disk_faults;
mod kill_loop;
mod power;
mod supervision;
mod unsynced;
