//! `hookgate::provider` and what it uses, from the gateway's own files.

#![allow(dead_code, missing_docs, reason = "what only the gateway's other rooms use is unused here")]

// From tests/fuzz/lite/src to host/src.
#[path = "../../../../host/src/event.rs"]
pub mod event;
#[path = "../../../../host/src/provider/mod.rs"]
pub mod provider;
#[path = "../../../../host/src/secret.rs"]
pub mod secret;
#[path = "../../../../host/src/section.rs"]
mod section;
