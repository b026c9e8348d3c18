//! What a plugin may do beyond handling an event, called as the gateway calls it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hookgate_plugin::{
    Answer, Emission, ErrorKind, Event, Failure, Plugin, PowerError, Responder, Result, emit, emit_json, frameio, http,
    log, plugin, state, testing,
};

const HOUR: Duration = Duration::from_secs(3600);

struct Everything;

#[plugin(
    setting("limit", type = "integer", default = -3, about = "How many."),
    host("api.example.com", methods = "GET POST", credential = "bearer", about = "Where things are.", optional),
    host("*.example.org"),
    state(optional, about = "What was seen."),
    emit("thing.*", about = "What was made.")
)]
impl Everything {
    #[on("write")]
    fn write(event: Event) -> Result {
        state::set("key", event.payload())?;
        state::increment("count", 2)?;
        emit("thing.made", event.payload())?;
        match event.attribute("then") {
            None => Ok(()),
            Some("panic") => panic!("as it was told to"),
            Some(why) => Err(Failure::reject(format_args!("{why}, with {:?}", state::get_text("key")))),
        }
    }

    #[on("send")]
    fn send(event: Event) -> Result {
        let answer = http::Request::get(event.text()?).send()?;
        log::info!("{} {:?}", answer.status(), answer.text()?);
        Ok(())
    }

    #[on("emit")]
    fn emit(event: Event) -> Result {
        Ok(emit(event.text()?, "")?)
    }

    #[respond("frameio:review.*", "ask")]
    fn review(action: frameio::Action) -> Result<Answer> {
        state::set_json("data", action.data())?;
        emit_json("thing.answered", action.data())?;
        match action.data()["note"].as_str() {
            Some("") => Err(Failure::reject("an empty note")),
            Some(note) => Ok(frameio::Message::new("Thank you", note).into()),
            None => Ok(frameio::Form::new("Review", "").field(frameio::Field::text("note", "Note")).into()),
        }
    }

    #[respond("*")]
    fn other(event: Event) -> Result<String, PowerError> {
        Ok(format!("a {}", event.event_type()))
    }

    #[cfg(any())]
    #[respond("never.there")]
    fn never_there(_: Event) -> Result<Answer> {}
}

fn write(text: &str) -> Result {
    Everything::handle(testing::event("write").payload(text).build())
}

fn refused<T>(result: Result<T, PowerError>, kind: ErrorKind) {
    let error = result.err().unwrap();
    assert_eq!(error.kind, kind, "{error}");
}

#[test]
fn the_manifest_says_what_is_asked_for() {
    let manifest = Everything::describe();
    assert_eq!(manifest.subscriptions, ["write", "send", "emit"]);
    let told = |(key, value): &(String, String)| format!("{key}={value}");
    let asks = manifest
        .asks
        .iter()
        .map(|ask| (format!("{} {}", ask.what, ask.name), ask.detail.iter().map(told).collect::<Vec<_>>().join(", ")));
    let asks: Vec<_> = asks.collect();
    let expected = [
        ("setting limit", "type=integer, default=-3, about=How many."),
        ("host api.example.com", "methods=GET POST, credential=bearer, about=Where things are., optional=true"),
        ("host *.example.org", ""),
        ("state ", "optional=true, about=What was seen."),
        ("emit thing.*", "about=What was made."),
        ("reply frameio:review.*", ""),
        ("reply ask", ""),
        ("reply *", ""),
    ];
    assert_eq!(asks, expected.map(|(ask, detail)| (ask.to_string(), detail.to_string())));
}

#[test]
fn what_a_call_writes_is_kept_if_it_returns_well() {
    assert_eq!(write("one"), Ok(()));
    assert_eq!(write("two"), Ok(()));
    assert_eq!((state::get_text("key"), state::get_text("count")), (Ok(Some("two".into())), Ok(Some("4".into()))));
    let emitted = testing::emitted();
    assert_eq!(emitted.iter().map(Event::payload).collect::<Vec<_>>(), [b"one", b"two"]);
    let made = (emitted[0].source(), emitted[0].provider(), emitted[0].event_type());
    assert_eq!(made, ("plugin:hookgate-plugin", "plugin", "thing.made"));
    assert_ne!(emitted[0].id(), emitted[1].id());
    assert_eq!(testing::emitted(), []);
}

#[test]
fn what_a_failing_call_writes_is_seen_by_it_and_forgotten() {
    state::set("key", "seeded").unwrap();
    let failing = |then| testing::event("write").attribute("then", then).payload("half").build();
    let why = "no, with Ok(Some(\"half\"))";
    assert_eq!(Everything::handle(failing("no")), Err(Failure::reject(why)));
    assert!(std::panic::catch_unwind(|| Everything::handle(failing("panic"))).is_err());
    assert_eq!((state::get_text("key"), state::get("count")), (Ok(Some("seeded".into())), Ok(None)));
    assert_eq!(testing::emitted(), []);
}

#[test]
fn values_are_bytes_or_text_or_json() {
    state::set("bytes", [0xff, 0]).unwrap();
    state::set_json("json", &[1, 2]).unwrap();
    assert_eq!(state::get("bytes"), Ok(Some(vec![0xff, 0])));
    assert_eq!((state::get_json("json"), state::get_text("json")), (Ok(Some(vec![1, 2])), Ok(Some("[1,2]".into()))));
    assert_eq!((state::get_json::<u8>("none"), state::get_text("none")), (Ok(None), Ok(None)));
    refused(state::get_text("bytes"), ErrorKind::Failed);
    refused(state::get_json::<u8>("json"), ErrorKind::Failed);
    state::delete("json").unwrap();
    state::delete("json").unwrap();
    assert_eq!(state::get("json"), Ok(None));
}

#[test]
fn keys_come_in_order_and_in_pages() {
    for key in ["b", "a:2", "a:1", "a:3"] {
        state::set(key, "").unwrap();
    }
    assert_eq!(state::keys("a:").unwrap(), ["a:1", "a:2", "a:3"]);
    assert_eq!(state::keys_after("a:", "a:1", 1).unwrap(), ["a:2"]);
    assert_eq!(state::keys_after("", "a:3", 9).unwrap(), ["b"]);
    for key in 0..1001 {
        state::set(&format!("many:{key}"), "").unwrap();
    }
    assert_eq!(state::keys("many:").unwrap().len(), 1000);
}

#[test]
fn what_is_kept_for_a_while_is_gone_then() {
    state::set_for("a", "1", HOUR).unwrap();
    state::set("b", "1").unwrap();
    assert_eq!(state::compare_and_set_for("c", None, "1", 2 * HOUR), Ok(true));
    testing::advance(HOUR / 2);
    assert_eq!((state::increment("a", 1), state::increment("b", 1)), (Ok(2), Ok(2)));
    testing::advance(HOUR / 2);
    assert_eq!((state::get("a"), state::keys("").unwrap()), (Ok(None), vec!["b".to_string(), "c".to_string()]));
    assert_eq!((state::increment("a", 1), state::compare_and_set("c", None, "2")), (Ok(1), Ok(false)));
    testing::advance(HOUR);
    assert_eq!(state::compare_and_set("c", None, "2"), Ok(true));
    state::set_for("d", "", Duration::MAX).unwrap();
    assert_eq!(state::get("d"), Ok(Some(vec![])));
}

#[test]
fn a_number_is_added_to_and_what_is_none_is_not() {
    assert_eq!((state::increment("n", 5), state::increment("n", -7)), (Ok(5), Ok(-2)));
    state::set("word", "x").unwrap();
    state::set("most", i64::MAX.to_string()).unwrap();
    refused(state::increment("word", 1), ErrorKind::Invalid);
    refused(state::increment("most", 1), ErrorKind::Invalid);
    assert_eq!(state::get_text("most"), Ok(Some(i64::MAX.to_string())));
}

#[test]
fn a_key_is_set_if_it_is_as_expected() {
    assert_eq!(state::compare_and_set("k", Some(b"a"), "b"), Ok(false));
    assert_eq!(state::compare_and_set("k", None, "a"), Ok(true));
    assert_eq!(state::compare_and_set("k", None, "b"), Ok(false));
    assert_eq!(state::compare_and_set("k", Some(b"a"), "b"), Ok(true));
    assert_eq!(state::get_text("k"), Ok(Some("b".into())));
}

#[test]
fn odd_keys_are_refused() {
    refused(state::get(""), ErrorKind::Invalid);
    refused(state::set(&"k".repeat(513), ""), ErrorKind::Invalid);
    assert_eq!(state::set(&"k".repeat(512), ""), Ok(()));
}

fn send(url: &str) -> Result {
    Everything::handle(testing::event("send").payload(url).build())
}

#[test]
fn a_request_is_answered_by_the_test() {
    let count = Rc::new(Cell::new(0));
    let counting = count.clone();
    testing::http(move |request| {
        counting.set(counting.get() + 1);
        Ok(Answer::from(format!("{} {}", request.method, request.url)))
    });
    assert_eq!(send("https://api.example.com:8443/things?x=y"), Ok(()));
    assert_eq!(send("http://a.b.example.org"), Ok(()));
    assert_eq!(
        testing::logs(),
        [r#"info: 200 "GET https://api.example.com:8443/things?x=y""#, r#"info: 200 "GET http://a.b.example.org""#]
    );
    assert_eq!((count.get(), testing::requests().len(), testing::requests().len()), (2, 2, 0));
}

#[test]
fn a_request_is_what_was_written() {
    testing::http(|_| Ok(Answer::new(204)));
    let request = http::Request::new("PURGE", "https://x.com/").header("Accept", "a").timeout(Duration::from_micros(1));
    request.json(&[1]).send().unwrap();
    http::Request::put("https://x.com/").json(&1).header("content-type", "text/x").body("two").send().unwrap();
    let [purge, put] = &testing::requests()[..] else { panic!("two were sent") };
    assert_eq!((&*purge.method, purge.timeout), ("PURGE", Some(Duration::from_millis(1))));
    assert_eq!((purge.header("accept"), purge.header("Content-Type")), (Some("a"), Some("application/json")));
    assert_eq!(purge.json(), Ok([1]));
    assert_eq!((&*put.method, put.text(), put.header("content-type")), ("PUT", Ok("two"), Some("text/x")));
    assert_eq!((put.headers.len(), put.timeout), (1, None));
}

#[test]
fn nobody_answers_unless_a_test_does() {
    let denied = |url, words: &str| match send(url) {
        Err(Failure::Retry { why, .. }) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    };
    denied("https://api.example.com/", "testing::http");
    testing::http(|_| Err(PowerError::new(ErrorKind::Timeout, "it took too long")));
    denied("https://api.example.com/", "it took too long");
    denied("https://example.org/", "does not ask for it: `#[plugin(host(\"example.org\"");
    denied("https://badexample.org/", "does not ask for it");
    denied("https://api.example.com.evil.net/", "does not ask for it");
    for url in ["", "api.example.com", "ftp://api.example.com/", "https:///x", "https://user@api.example.com/"] {
        assert!(matches!(send(url), Err(Failure::Reject(_))), "{url}");
    }
}

#[test]
fn only_methods_that_are_asked_for_are_sent() {
    struct Writes;

    #[plugin(host("a.com", methods = "POST PUT"))]
    impl Writes {
        #[on("*")]
        fn all(event: Event) -> Result {
            http::Request::new(event.event_type(), "https://a.com").send()?;
            Ok(())
        }
    }

    testing::http(|_| Ok(Answer::new(204)));
    let outcome = |method: &str| Writes::handle(testing::event(method).build()).is_ok();
    assert_eq!(["POST", "PUT", "GET", "PO"].map(outcome), [true, true, false, false]);
}

#[test]
fn what_a_plugin_does_not_ask_for_is_denied() {
    struct Modest;

    #[plugin]
    impl Modest {
        #[on("get")]
        fn get(_: Event) -> Result {
            log::info!("{:?}", state::get("k")?);
            Ok(())
        }

        #[on("keys")]
        fn keys(_: Event) -> Result {
            log::info!("{:?}", state::keys("")?);
            Ok(())
        }

        #[on("emit")]
        fn emit(_: Event) -> Result {
            Ok(emit("thing.made", "")?)
        }
    }

    state::set("k", "v").unwrap();
    for (event_type, ask) in [("get", "state"), ("keys", "state"), ("emit", "emit(\"thing.made\")")] {
        let why = format!("the plugin does not ask for it: `#[plugin({ask})]`");
        assert_eq!(Modest::handle(testing::event(event_type).build()), Err(Failure::retry(why)));
    }
    assert_eq!((testing::logs().len(), testing::emitted().len()), (0, 0));
}

#[test]
fn only_types_that_are_asked_for_are_emitted() {
    let emits = |event_type: &str| Everything::handle(testing::event("emit").payload(event_type).build());
    assert_eq!(emits("thing.any.more"), Ok(()));
    assert!(matches!(emits("things.any"), Err(Failure::Retry { .. })));
    for odd in ["", "thing. x", &"thing.".repeat(43)] {
        assert!(matches!(emits(odd), Err(Failure::Reject(_))), "{odd}");
    }
    assert_eq!(testing::emitted().len(), 1);
}

#[test]
fn an_event_can_have_attributes() {
    let made = Emission::new("thing").json(&[1]).attribute("resource.id", "t1").attribute("size", "2");
    made.clone().emit().unwrap();
    let [event] = &testing::emitted()[..] else { panic!("one event is made") };
    assert_eq!(
        (event.json::<Vec<u8>>(), event.resource_id(), event.attribute("size")),
        (Ok(vec![1]), Some("t1"), Some("2"))
    );
    refused(made.clone().attribute("size", "3").emit(), ErrorKind::Invalid);
    refused(made.attribute("emitted.by", "me").emit(), ErrorKind::Invalid);
    let odd = std::collections::HashMap::from([((1, 2), 3)]);
    refused(Emission::new("thing").json(&odd).emit(), ErrorKind::Invalid);
    assert_eq!(testing::emitted(), []);
}

#[test]
fn a_sender_gets_an_answer() {
    let action = |event_type: &str, body: &str| {
        Everything::respond(testing::event(event_type).provider("frameio").payload(body).build())
    };
    let form = action("review.approve", "{}").unwrap();
    assert_eq!(form.json::<serde_json::Value>().unwrap()["fields"][0]["name"], "note");
    assert_eq!(state::get_json("data"), Ok(Some(serde_json::Value::Null)));
    let thanks = action("review.approve", r#"{"data":{"note":"Fine."}}"#);
    assert_eq!(thanks, Ok(frameio::Message::new("Thank you", "Fine.").into()));
    let other = action("other", "").unwrap();
    assert_eq!((other.text(), other.header("content-type")), (Ok("a other"), Some("text/plain; charset=utf-8")));
    let types: Vec<_> = testing::emitted().iter().map(|event| event.event_type().to_string()).collect();
    assert_eq!(types, ["thing.answered", "thing.answered"]);
}

#[test]
fn a_responder_that_fails_leaves_nothing() {
    let empty = testing::event("ask").payload(r#"{"data":{"note":""}}"#).build();
    assert_eq!(Everything::respond(empty), Err(Failure::reject("an empty note")));
    let garbled = testing::event("ask").payload("{").build();
    assert!(matches!(Everything::respond(garbled), Err(Failure::Reject(_))));
    assert_eq!((state::keys("").unwrap().len(), testing::emitted().len()), (0, 0));
}

#[test]
fn handlers_and_responders_do_not_take_each_others_events() {
    struct Both;

    #[plugin]
    impl Both {
        #[on("handled")]
        fn handled(_: Event) -> Result {
            Ok(())
        }

        #[respond("asked")]
        fn asked(_: Event) -> Result<&'static str> {
            Ok("yes")
        }
    }

    let event = |event_type: &str| testing::event(event_type).build();
    assert_eq!(Both::handle(event("handled")), Ok(()));
    assert_eq!(Both::respond(event("asked")), Ok("yes".into()));
    assert_eq!(Both::handle(event("asked")), Err(Failure::reject("no handler of this plugin takes `asked`")));
    assert_eq!(Both::respond(event("handled")), Err(Failure::reject("no responder of this plugin takes `handled`")));
}
