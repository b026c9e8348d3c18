//! How each kind of sender signs and shapes its webhooks: data, not code.
//!
//! One description says everything, and both directions read it: [`Provider::verify`] and [`Provider::parse_event`] on the
//! way in, [`Provider::sign`] for whoever plays the sender.

pub mod catalogue;
mod description;
mod parse;
mod sign;
mod template;
mod verify;

pub use description::Provider;
pub use parse::Unreadable;
pub use sign::{CannotSign, Signed, fresh_id};
pub use verify::{BadKey, Key, Received, Unverified, Verified};
