//! The whole gateway, from outside: one file a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "whatever fails here fails a test, where it stands"
)]

mod abuse;
mod admin;
mod api;
mod audit;
mod backup;
mod bad_requests;
mod clocks;
mod commands;
mod compiling;
mod conformance;
mod contract;
mod crash;
mod duplicates;
mod fairness;
mod files;
mod hostile;
mod hostile_files;
mod house_rules;
mod metrics;
mod new;
mod operator;
mod operator_commands;
mod operator_following;
mod operator_hands;
mod operator_told;
mod outbound;
mod outgoing;
mod outgoing_commands;
mod outgoing_failing;
mod path;
mod powers;
mod powers_contract;
mod providers;
mod queue_faults;
mod receivers;
mod reload;
mod replay;
mod respond;
mod roles;
mod samples;
mod schema;
mod sending;
mod slow;
mod telemetry;
mod terminal;
mod tls;
mod trust;
mod vendors;
mod versions;
mod warm;
mod wasi_commands;
