//! What `#[plugin]` makes of a block, called as the gateway calls it.

use std::time::Duration;

use hookgate_plugin::{Event, Failure, FromEvent, Json, Plugin, Result, frameio, log, plugin, setting, testing};

#[derive(serde::Deserialize)]
struct Order {
    number: u64,
}

struct FirstWord(String);

impl FromEvent for FirstWord {
    fn from_event(event: Event) -> Result<FirstWord> {
        let text = std::str::from_utf8(event.payload())?;
        let word = text.split_whitespace().next().ok_or_else(|| Failure::reject("no word"))?;
        Ok(FirstWord(word.to_string()))
    }
}

struct Everything;

#[plugin(
    setting("greeting", default = "Hi", about = "How to greet."),
    setting("limit", default = 5),
    setting("token", about = "Must be granted.")
)]
impl Everything {
    #[on("file.ready", "file.upload.*")]
    fn file(file: frameio::Webhook) -> Result {
        log::info!("file {}", file.resource_id());
        Ok(())
    }

    #[on("file.*")]
    fn other_file(event: Event) -> Result {
        log::warn!("{} from {}, attempt {}", event.event_type(), event.source(), event.attempt());
        Ok(())
    }

    #[on("github:order.*")]
    #[on("orders:*")]
    fn order(Json(order): Json<Order>) -> Result {
        Err(Failure::retry(Self::describe_order(order)).after(Duration::from_secs(2)))
    }

    #[on("word")]
    fn word(FirstWord(word): FirstWord) -> Result<(), std::num::ParseIntError> {
        word.parse::<u8>().map(|number| log::debug!("{number}"))
    }

    #[on("settings")]
    fn settings(_: Event) -> Result {
        log::info!("{:?} {:?} {:?}", setting("greeting"), setting("limit"), setting("token"));
        Ok(())
    }

    #[cfg(any())]
    #[on("never.there")]
    fn never_there(_: Event) -> Result {}

    fn describe_order(order: Order) -> String {
        format!("order {} is not there yet", order.number)
    }
}

#[test]
fn the_manifest_says_what_is_written() {
    let manifest = Everything::describe();
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("hookgate-plugin", env!("CARGO_PKG_VERSION")));
    assert_eq!(
        manifest.subscriptions,
        ["file.ready", "file.upload.*", "file.*", "github:order.*", "orders:*", "word", "settings"]
    );
    let asks: Vec<_> = manifest.asks.iter().map(|ask| (ask.what.as_str(), ask.name.as_str())).collect();
    assert_eq!(asks, [("setting", "greeting"), ("setting", "limit"), ("setting", "token")]);
    let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
    assert_eq!(manifest.asks[0].detail, [pair("default", "Hi"), pair("about", "How to greet.")]);
    assert_eq!(manifest.asks[1].detail, [pair("default", "5")]);
}

#[test]
fn the_first_handler_that_matches_takes_the_event() {
    let body = r#"{"resource":{"id":"f1"}}"#;
    for event_type in ["file.ready", "file.upload.completed", "file.copied"] {
        assert_eq!(Everything::handle(testing::event(event_type).payload(body).build()), Ok(()));
    }
    assert_eq!(testing::logs(), ["info: file f1", "info: file f1", "warn: file.copied from test, attempt 1"]);
}

#[test]
fn a_pattern_can_name_a_source_or_a_provider() {
    let order = || testing::event("order.paid").payload(r#"{"number":7}"#);
    let later = Err(Failure::retry("order 7 is not there yet").after(Duration::from_secs(2)));
    assert_eq!(Everything::handle(order().provider("github").build()), later);
    assert_eq!(Everything::handle(order().source("orders").build()), later);
    assert_eq!(
        Everything::handle(order().build()),
        Err(Failure::reject("no handler of this plugin takes `order.paid`"))
    );
}

#[test]
fn what_does_not_fit_is_rejected_and_other_errors_are_retried() {
    let rejected = |event| matches!(Everything::handle(event), Err(Failure::Reject(_)));
    assert!(rejected(testing::event("file.ready").payload("{").build()));
    assert!(rejected(testing::event("x").source("orders").payload(r#"{"number":"seven"}"#).build()));
    assert!(rejected(testing::event("word").build()));

    let word = |body: &[u8]| Everything::handle(testing::event("word").payload(body).build());
    assert_eq!(word(b"7 x"), Ok(()));
    assert_eq!(word(b"seven"), Err(Failure::retry("invalid digit found in string")));
    assert!(matches!(word(b"\xff"), Err(Failure::Retry { after: None, .. })));
}

#[test]
fn settings_are_what_was_granted_or_the_default() {
    let event = testing::event("settings").build();
    assert_eq!(Everything::handle(event.clone()), Ok(()));
    testing::settings([("limit", "9"), ("token", "t")]);
    assert_eq!(Everything::handle(event), Ok(()));
    assert_eq!(testing::logs(), [r#"info: Some("Hi") Some("5") None"#, r#"info: Some("Hi") Some("9") Some("t")"#]);
}

#[test]
fn an_event_tells_all_about_itself() {
    let at = std::time::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
    let event = testing::event("a").id("evt_1").received_at(at).attempt(3).attribute("user.id", "u1").build();
    assert_eq!((event.id(), event.received_at(), event.attempt()), ("evt_1", at, 3));
    assert_eq!((event.attribute("user.id"), event.attribute("user")), (Some("u1"), None));
    assert_eq!(event.attributes().collect::<Vec<_>>(), [("user.id", "u1")]);
    assert_eq!(event.provider(), "test");
}
