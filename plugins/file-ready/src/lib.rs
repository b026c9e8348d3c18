//! Says in the log when a file on Frame.io is ready.

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

#[cfg(test)]
mod tests {
    use super::*;
    use hookgate_plugin::{Plugin, testing};

    #[test]
    fn a_ready_file_is_logged() {
        let event = testing::event("file.ready").payload(r#"{"resource":{"id":"f1","type":"file"}}"#).build();
        assert_eq!(FileReady::handle(event), Ok(()));
        assert_eq!(testing::logs(), ["info: file f1 is ready for processing"]);
    }
}
