//! Comments on each file on Frame.io when it is ready: once, however often the event comes. A second comment is made
//! only where the gateway ends after Frame.io has the first and before it has written that down itself.

use std::time::Duration;

use hookgate_plugin::{Result, frameio, log, plugin, setting, state};

/// How long a comment is remembered.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

struct FrameioComment;

#[plugin(
    setting("text", default = "File has been automatically processed!", about = "What the comment says."),
    setting("api", default = "https://api.frame.io", about = "Where Frame.io's API is."),
    host("api.frame.io", methods = "POST", credential = "bearer", about = "To add the comments."),
    host(
        "*",
        methods = "POST",
        credential = "bearer",
        about = "The host in the setting `api`, if it is another.",
        optional
    ),
    state(about = "The events that were answered with a comment, for 7 days.")
)]
impl FrameioComment {
    #[on("frameio:file.ready")]
    fn ready(file: frameio::Webhook) -> Result {
        // Written first, so that no comment is made that could not be remembered. If none is made, this is forgotten.
        if !state::compare_and_set_for(file.event().id(), None, file.resource_id(), REMEMBERED)? {
            log::info!("file {} has its comment already", file.resource_id());
            return Ok(());
        }
        let (api, text) = (setting("api").unwrap_or_default(), setting("text").unwrap_or_default());
        let client = frameio::Client::new().with_base_url(api);
        client.comments().create(file.account_id(), file.resource_id(), &text)?;
        log::info!("commented on file {}", file.resource_id());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookgate_plugin::{Answer, Event, Failure, Plugin, testing};

    const BODY: &str = r#"{"account":{"id":"a1"},"resource":{"id":"f1","type":"file"},"type":"file.ready"}"#;

    fn ready() -> Event {
        testing::event("file.ready").provider("frameio").id("evt_1").payload(BODY).build()
    }

    fn created() {
        testing::http(|_| Ok(Answer::new(201).with_body(r#"{"data":{"id":"c1"}}"#)));
    }

    #[test]
    fn a_ready_file_gets_a_comment() {
        created();
        assert_eq!(FrameioComment::handle(ready()), Ok(()));
        let [sent] = &testing::requests()[..] else { panic!("one request is sent") };
        let url = "https://api.frame.io/v4/accounts/a1/files/f1/comments";
        assert_eq!((sent.method.as_str(), sent.url.as_str()), ("POST", url));
        assert_eq!(sent.text(), Ok(r#"{"data":{"text":"File has been automatically processed!"}}"#));
        assert_eq!(testing::logs(), ["info: commented on file f1"]);
    }

    #[test]
    fn a_repeat_adds_none_for_seven_days() {
        created();
        for _ in 0..2 {
            assert_eq!(FrameioComment::handle(ready()), Ok(()));
        }
        assert_eq!(testing::logs(), ["info: commented on file f1", "info: file f1 has its comment already"]);
        assert_eq!(testing::requests().len(), 1);
        let hour = Duration::from_secs(3600);
        testing::advance(REMEMBERED - hour);
        assert_eq!(state::get_text("evt_1"), Ok(Some("f1".into())));
        testing::advance(hour);
        assert_eq!(state::get_text("evt_1"), Ok(None));
    }

    #[test]
    fn what_failed_is_tried_again() {
        testing::http(|_| Ok(Answer::new(429).with_header("retry-after", "30")));
        let why = "Frame.io answered 429 to POST /v4/accounts/a1/files/f1/comments";
        let later = Failure::retry(why).after(Duration::from_secs(30));
        assert_eq!((FrameioComment::handle(ready()), state::get("evt_1")), (Err(later), Ok(None)));
        created();
        assert_eq!((FrameioComment::handle(ready()), testing::requests().len()), (Ok(()), 2));
    }

    #[test]
    fn a_file_that_is_gone_is_rejected() {
        testing::http(|_| Ok(Answer::new(404)));
        assert!(matches!(FrameioComment::handle(ready()), Err(Failure::Reject(_))));
    }

    #[test]
    fn a_webhook_without_an_account_is_rejected() {
        created();
        let body = r#"{"resource":{"id":"f1","type":"file"},"type":"file.ready"}"#;
        let event = testing::event("file.ready").provider("frameio").payload(body).build();
        assert!(matches!(FrameioComment::handle(event), Err(Failure::Reject(_))));
        assert_eq!(testing::requests(), []);
    }

    #[test]
    fn the_operator_chooses_the_text_and_the_place() {
        created();
        testing::settings([("text", "Seen."), ("api", "https://127.0.0.1:8443")]);
        assert_eq!(FrameioComment::handle(ready()), Ok(()));
        let [sent] = &testing::requests()[..] else { panic!("one request is sent") };
        assert_eq!(sent.url, "https://127.0.0.1:8443/v4/accounts/a1/files/f1/comments");
        assert_eq!(sent.text(), Ok(r#"{"data":{"text":"Seen."}}"#));
    }
}
