//! The harness: everything that a test needs to drive the gateway from outside.
//!
//! A [`Home`] is a gateway's folder. A [`Gateway`] runs in it inside the test, a [`Process`] is the real binary. Both are
//! posted to through their [`Doors`], by a [`Sender`] who signs as the real one does. A [`Receiver`] is where webhooks go out to, a [`Collector`] is told of traces, and [`sns::Sns`] and [`frameio::Frameio`] are asked for what they serve. A [`Guest`] is a plugin written in
//! WebAssembly text, so that no toolchain is needed. A [`bare::Bare`] plugin is called without
//! any gateway. The [`Ledger`] reads the queue's file as an operator's tool would. A [`WallClock`] is set while a gateway runs. What does to it, and to its
//! queue alone, what machines and disks do is in [`fire`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "whatever fails here fails a test, where it stands"
)]

mod application;
pub mod bare;
mod canary;
mod clock;
mod collector;
pub mod conformance;
pub mod fire;
pub mod frameio;
mod gateway;
mod guest;
mod home;
mod http;
mod ledger;
mod process;
mod receiver;
mod sender;
pub mod slow;
pub mod sns;
mod wait;

pub use application::{Application, WEBHOOK_SECRET};
pub use clock::WallClock;
pub use collector::{Collector, Told};
pub use gateway::Gateway;
pub use guest::{Guest, WIT};
pub use home::Home;
pub use http::{Answer, Doors, api, exchange};
pub use ledger::{AttemptRow, Ledger, Row, State};
pub use process::{Process, Ran, from_environment, run_hookgate, sample, skipped, spawn_hookgate};
pub use receiver::{Hit, Receiver, Reply};
pub use sender::{Sender, Webhook};
pub use wait::{eventually, eventually_within, within};
