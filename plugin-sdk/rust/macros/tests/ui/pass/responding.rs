//! A plugin that does nothing but answer senders, as it is compiled for the gateway.
#![deny(warnings, missing_docs, unsafe_code)]

use hookgate_plugin::{Event, Result, frameio, plugin};

struct Review;

#[plugin(state)]
impl Review {
    #[respond("frameio:review.*")]
    fn review(_: frameio::Action) -> Result<frameio::Message> {
        Ok(frameio::Message::new("Thank you", ""))
    }

    #[respond("*")]
    fn other(_: Event) -> Result<&'static str> {
        Ok("Thank you.")
    }
}

#[allow(unsafe_code)]
mod exported {
    use super::Review;
    hookgate_plugin::bindings::export_responding!(Review with_types_in hookgate_plugin::bindings);
}

fn main() {}
