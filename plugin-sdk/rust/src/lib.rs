//! Write plugins for the webhook gateway Hookgate.
//!
//! ```
//! use hookgate_plugin::{frameio, log, plugin, Result};
//!
//! struct FileReady;
//!
//! #[plugin]
//! impl FileReady {
//!     #[on("file.ready")]
//!     fn ready(file: frameio::Webhook) -> Result {
//!         log::info!("file {} is ready for processing", file.resource_id());
//!         Ok(())
//!     }
//! }
//! ```
//!
//! A handler takes one argument, which is read from the event: [`Event`] itself, [`Json`], a sender's own view
//! ([`frameio::Webhook`], [`soundhash::Webhook`]) or any type of yours that implements [`FromEvent`]. It returns
//! [`Result`]: any error becomes a retry; say [`Failure::reject`] where trying again cannot help.
//!
//! What a plugin may do besides, once it has asked for it and the operator has granted it: [`state`], [`http`],
//! [`emit()`], and answers to senders that wait, with `#[respond(...)]`. [`frameio`] has a client of Frame.io. See
//! [`macro@plugin`] for how to ask.
//!
//! Nothing in memory outlives a call: each event meets the plugin as if it were the first.
//!
//! Outside the gateway, in a plain `cargo test`, all of this works too: see [`testing`].

mod answer;
mod emit;
mod event;
mod failure;
pub mod frameio;
mod headers;
mod host;
pub mod http;
pub mod log;
mod pattern;
mod plugin;
mod power;
pub mod soundhash;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

/// What `wit-bindgen` makes of `wit/plugin.wit`; `tests/bindings.rs` keeps it current.
#[doc(hidden)]
#[rustfmt::skip]
#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::panic,
    clippy::unwrap_used
)]
pub mod bindings;

pub use answer::Answer;
pub use bindings::exports::hookgate::plugin::handler::{Ask, Manifest};
pub use emit::{Emission, emit, emit_json};
pub use event::{Event, FromEvent, Json};
pub use failure::{Failure, Result};
pub use hookgate_plugin_macros::plugin;
pub use host::{now, random_bytes, setting, setting_as};
#[doc(hidden)]
pub use plugin::generated;
pub use plugin::{Plugin, Responder};
pub use power::{ErrorKind, PowerError};
