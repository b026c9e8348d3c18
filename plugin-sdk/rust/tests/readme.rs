//! The example of the README.

use hookgate_plugin::{Answer, Plugin, Result, emit, frameio, plugin, state, testing};

#[test]
fn the_readme_says_what_is_so() -> Result {
    struct Review;

    #[plugin(
        state(about = "How often each file was ready."),
        host("api.frame.io", methods = "POST", credential = "bearer"),
        emit("file.*", optional)
    )]
    impl Review {
        #[on("frameio:file.ready")]
        fn ready(file: frameio::Webhook) -> Result {
            if state::increment(file.resource_id(), 1)? == 1 {
                frameio::Client::new().comments().create(file.account_id(), file.resource_id(), "Processed!")?;
                emit("file.first", file.resource_id())?;
            }
            Ok(())
        }

        #[respond("frameio:review.*")]
        fn review(_: frameio::Action) -> Result<frameio::Message> {
            Ok(frameio::Message::new("Thank you", "It is on its way."))
        }
    }

    testing::http(|_| Ok(Answer::new(201).with_body(r#"{"data":{"id":"c1"}}"#)));
    let body = r#"{"resource":{"id":"f1"},"account":{"id":"a1"}}"#;
    let event = testing::event("file.ready").provider("frameio").payload(body).build();
    assert_eq!(Review::handle(event), Ok(()));
    assert_eq!((state::get_text("f1")?, testing::requests().len(), testing::emitted().len()), (Some("1".into()), 1, 1));
    Ok(())
}
