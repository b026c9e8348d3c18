//! Says in the log who wrote or changed a comment on Frame.io.

use hookgate_plugin::{Result, frameio, log, plugin};

struct CommentWatch;

#[plugin]
impl CommentWatch {
    #[on("comment.created", "comment.updated")]
    fn seen(comment: frameio::Webhook) -> Result {
        // Frame.io tells who it was, except where it does not.
        let who = comment.user_id().unwrap_or("somebody");
        let did = comment.event_type().trim_start_matches("comment.");
        log::info!("{who} {did} comment {}", comment.resource_id());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookgate_plugin::{Plugin, testing};

    #[test]
    fn who_did_what_is_logged() {
        let created = r#"{"resource":{"id":"c1","type":"comment"},"user":{"id":"u1"}}"#;
        let updated = r#"{"resource":{"id":"c1","type":"comment"}}"#;
        for (event_type, body) in [("comment.created", created), ("comment.updated", updated)] {
            let event = testing::event(event_type).payload(body).build();
            assert_eq!(CommentWatch::handle(event), Ok(()));
        }
        assert_eq!(testing::logs(), ["info: u1 created comment c1", "info: somebody updated comment c1"]);
    }
}
