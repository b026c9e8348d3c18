//! The whole gateway, from outside: one file a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "whatever fails here fails a test, where it stands"
)]

mod admin;
mod bad_requests;
mod commands;
mod crash;
mod duplicates;
mod files;
mod hostile;
mod house_rules;
mod path;
mod queue_faults;
mod reload;
mod samples;
