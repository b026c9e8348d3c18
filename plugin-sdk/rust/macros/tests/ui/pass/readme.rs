#![deny(warnings, missing_docs, unsafe_code)]
//! The plugin that the guide begins with.

use hookgate_plugin::{Result, frameio, log, plugin};

struct FileReady;

#[plugin]
impl FileReady {
    #[on("file.ready")]
    fn ready(file: frameio::Webhook) -> Result {
        log::info!("file {} is ready for processing", file.resource_id());
        Ok(())
    }
}

fn main() {}
