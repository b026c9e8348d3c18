//! Hookgate: verify a webhook, write it down, answer, then run every sandboxed plugin that subscribed to it, until it worked.
//!
//! The rooms, in the order in which an event passes them: [`ingress`] takes a request and has a [`provider`] verify and
//! parse it; the [`queue`] writes it down; [`dispatch`] hands it to [`plugins`], whose code the [`runtime`] calls, and to
//! [`webhooks`]; the [`schedule`] judges how that went. `ARCHITECTURE.md` is the map.

pub mod config;
mod section;

pub mod event;

pub mod ingress;
mod listen;
pub mod provider;
pub mod secret;

pub mod queue;

pub mod attempt;
pub mod dispatch;
pub mod effects;
pub mod keys;
pub mod outbound;
pub mod pace;
pub mod plugins;
pub mod runtime;
pub mod schedule;
pub mod webhooks;

pub mod admin;
pub mod api;

pub mod telemetry;

mod clock;
mod reload;
mod run;
pub use run::{Running, run};
