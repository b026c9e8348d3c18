//! The powers as each language's SDK has them: the same plugin, the same outcomes.

use hookgate_tests::frameio::{Behaviour, Frameio, TOKEN};
use hookgate_tests::{Answer, Home, Process, Sender, State, eventually, sample, skipped};
use serde_json::json;

/// Where Frame.io's client is part of the SDK.
const WITH_CLIENT: [&str; 3] = ["rust", "javascript", "python"];

/// A plugin of the contract in a gateway, told what to do by events of a sender whose types are free.
struct Tried {
    language: &'static str,
    frameio: Frameio,
    home: Home,
    gateway: Process,
    sender: Sender,
}

impl Tried {
    fn new(language: &'static str) -> Tried {
        let folder = tempfile::tempdir().unwrap();
        let frameio = Frameio::start(&folder.path().join("ca.pem"));
        let home = Home::with(&format!(
            "delivery.schedule_s = [0]\noutbound.ca_file = \"ca.pem\"\nlimits.cpu_ms = 20000\nlimits.call_ms = 60000
             [sources.soundhash]\nanswer = \"plugin\"\nanswer_plugin = \"powers\"\nanswer_ms = 30000
             [plugins.powers]\nstate = true\nemit = [\"made.*\"]
             [plugins.powers.hosts.localhost]\nallow_private = [\"{}\"]\nbearer = {{ file = \"token\" }}",
            frameio.address
        ));
        std::fs::copy(folder.path().join("ca.pem"), home.path().join("ca.pem")).unwrap();
        home.write("token", TOKEN);
        home.install("powers", sample(&format!("powers-{language}")));
        let gateway = Process::start(&home);
        eventually("it is compiled", || gateway.slot("powers") != "compiling" && gateway.slot("powers") != "none");
        assert_eq!(gateway.slot("powers"), "live", "{language}: {}", gateway.why("powers"));
        // Each delivery of this one has an id of its own, so equal bodies are no repeats.
        let sender = home.sender("standard");
        Tried { language, frameio, home, gateway, sender }
    }

    /// Has it handle an event, and gives how that ended and what it logged.
    fn outcome(&self, event_type: &str, payload: serde_json::Value) -> (Vec<&'static str>, Vec<String>) {
        let mut payload = payload;
        payload["type"] = json!(event_type);
        let before = self.gateway.log().lines().count();
        let id = self.gateway.post(&self.sender.with_body(event_type, payload.to_string())).id();
        let ledger = self.home.ledger();
        let is_over = || matches!(ledger.state("powers", &id), Some(State::Done | State::Dead));
        eventually(&format!("{}: {event_type} is settled", self.language), is_over);
        let logged = self.gateway.log();
        let own = logged.lines().skip(before).filter_map(|line| line.split_once("INFO powers: "));
        let own = own.filter(|(_, rest)| !rest.contains("took_ms="));
        let lines = own.map(|(_, rest)| rest.split(" event=").next().unwrap_or_default().to_owned()).collect();
        (ledger.outcomes("powers", &id), lines)
    }

    fn lines(&self, event_type: &str, payload: serde_json::Value) -> Vec<String> {
        let (outcomes, lines) = self.outcome(event_type, payload);
        assert_eq!(outcomes, ["done"], "{}: {event_type}: {lines:?}\n{}", self.language, self.gateway.log());
        lines
    }

    /// Asks it for an answer.
    fn ask(&self, payload: &str) -> Answer {
        self.gateway.post(&self.home.sender("soundhash").with_body("powers.ask", payload.to_owned()))
    }

    fn remembered(&self, key: &str) -> Option<String> {
        self.home.ledger().remembered("powers").remove(key)
    }
}

fn keeps_the_contract(language: &'static str) {
    let tried = Tried::new(language);
    state(&tried);
    events_and_errors(&tried);
    web(&tried);
    answers(&tried);
    if WITH_CLIENT.contains(&language) {
        client(&tried);
    }
}

fn state(tried: &Tried) {
    let lines = tried.lines("powers.state", json!({}));
    let expected = ["got v1", "n 2", "keys k k2", "left k", "swapped true", "swapped false", "none no", "limit 3"];
    assert_eq!(lines, expected, "{}", tried.language);
    let found = ["k", "n", "soon", "k2"].map(|key| tried.remembered(key));
    let expected = [Some("v2"), Some("2"), Some("x"), None].map(|value| value.map(str::to_owned));
    assert_eq!(found, expected, "{}", tried.language);
    assert!(tried.lines("powers.state", json!({})).contains(&"n 4".to_owned()), "{}", tried.language);
}

fn events_and_errors(tried: &Tried) {
    assert_eq!(tried.lines("powers.emit", json!({})), ["emitted"], "{}", tried.language);
    let made = ("made.it".to_owned(), r#"{"n":1}"#.to_owned());
    assert_eq!(tried.home.ledger().emitted("powers"), std::slice::from_ref(&made), "{}", tried.language);
    assert_eq!(tried.lines("powers.denied", json!({})), ["denied", "denied", "invalid"], "{}", tried.language);
    assert_eq!(tried.outcome("powers.escape", json!({})).0, ["reject"], "{}", tried.language);
    assert_eq!(tried.outcome("powers.forget", json!({})).0, ["retry", "retry"], "{}", tried.language);
    assert_eq!(tried.remembered("lost"), None, "{}", tried.language);
    assert_eq!(tried.home.ledger().emitted("powers"), [made], "{}", tried.language);
}

fn web(tried: &Tried) {
    let lines = tried.lines("powers.http", json!({ "url": format!("{}/echo", tried.frameio.url()) }));
    let [status, told] = lines.as_slice() else { panic!("{}: {lines:?}", tried.language) };
    assert_eq!(status, "status 200", "{}", tried.language);
    for part in ["x-own", "hello", "Bearer ****"] {
        assert!(told.contains(part), "{}: {told} has no {part}", tried.language);
    }
    assert!(!tried.gateway.log().contains(TOKEN), "{}", tried.language);
}

fn answers(tried: &Tried) {
    let answer = tried.ask(r#"{"type":"powers.ask"}"#);
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, &*body), (201, r#"asked 1 {"type":"powers.ask"}"#), "{}", tried.language);
    assert!(answer.headers.contains(&("x-answered".into(), "yes".into())), "{}: {:?}", tried.language, answer.headers);
    assert_eq!(tried.remembered("asked").as_deref(), Some("1"), "{}", tried.language);
}

fn client(tried: &Tried) {
    let at = json!({ "api": tried.frameio.url(), "account": "acc", "file": "f1" });
    let text = format!("from {}", tried.language);
    assert_eq!(tried.lines("powers.frameio", at.clone()), [format!("commented {text}")]);
    assert_eq!(tried.frameio.comments().pop().unwrap().text, text);
    assert_eq!(tried.lines("powers.show", at.clone()), ["file cut-7.mov"], "{}", tried.language);
    for (behaviour, expected) in [
        (Behaviour::Status(401), ["retry", "done"].as_slice()),
        (Behaviour::Status(404), &["reject"]),
        (Behaviour::Status(500), &["retry", "done"]),
        (Behaviour::Garbage, &["retry", "done"]),
    ] {
        tried.frameio.then([behaviour.clone()]);
        let (outcomes, _) = tried.outcome("powers.frameio", at.clone());
        assert_eq!(outcomes, expected, "{}: {behaviour:?}", tried.language);
    }
    tried.frameio.then([Behaviour::TooMany(77)]);
    let mut payload = at;
    payload["type"] = json!("powers.frameio");
    let id = tried.gateway.post(&tried.sender.with_body("powers.frameio", payload.to_string())).id();
    eventually("it waits", || tried.home.ledger().outcomes("powers", &id) == ["retry"]);
    let waits = ["again in 76.", "again in 77"].iter().any(|wait| tried.gateway.log().contains(wait));
    assert!(waits, "{}: {}", tried.language, tried.gateway.log());
}

macro_rules! languages {
    ($($name:ident needs $toolchain:literal;)*) => {
        $(
            #[test]
            fn $name() {
                if !skipped($toolchain) {
                    keeps_the_contract(stringify!($name));
                }
            }
        )*
    };
}

languages! {
    rust needs "rust";
    javascript needs "javascript";
    python needs "python";
    go needs "go";
    c needs "zig";
    cpp needs "zig";
    zig needs "zig";
    assemblyscript needs "javascript";
}
