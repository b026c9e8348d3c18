//! `hookgate::provider` and what it uses, from the gateway's own files.

#![allow(dead_code, missing_docs, reason = "what only the gateway's other rooms use is unused here")]

pub use host::{event, provider, secret};

use host::section;

// From tests/fuzz/lite/src to host/src.
#[path = "../../../../host/src"]
mod host {
    pub mod event;
    pub mod provider;
    pub mod secret;
    pub mod section;
}
