//! Hookgate: verify a webhook, write it down, answer, then run every sandboxed plugin that subscribed to it.
pub mod event;
pub mod secret;
pub mod attempt;
pub mod schedule;
mod section;
pub mod provider;
pub mod queue;
pub mod runtime;
