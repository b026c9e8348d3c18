//! What is compiled for the gateway alone compiles where `unsafe` is not allowed.
#![forbid(unsafe_code)]

use hookgate_plugin::{Event, Result, plugin};

struct Exported;

#[plugin]
impl Exported {
    #[on("*")]
    fn all(_: Event) -> Result {
        Ok(())
    }
}

hookgate_plugin::bindings::export!(Exported with_types_in hookgate_plugin::bindings);

fn main() {}
