//! What strangers write and commands print: nothing of it does anything to the terminal.

use hookgate_tests::{Application, Guest, Home, Process, Ran, Receiver, Reply, State, eventually, run_hookgate};
use serde_json::json;

/// What a terminal obeys, and what turns text around or begins a line: each once.
const ODD: &str = "a\u{1b}[2J\u{7}\u{8}\r\u{7f}\u{85}\u{9b}31m\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{2028}\u{2029}z";

/// What of it may stand in the type of an event.
const WORD: &str = "file.a\u{61c}\u{200e}\u{200f}\u{202e}\u{2066}\u{2069}z";

/// Nothing that is printed is odd, and what was is spelled out.
fn assert_harmless(what: &str, ran: &Ran) {
    assert_spelled(what, ran, "\\u{200f}");
}

fn assert_spelled(what: &str, ran: &Ran, spelled: &str) {
    let printed = format!("{}{}", ran.out, ran.err);
    let odd = ODD.chars().filter(|c| !c.is_ascii_graphic()).find(|odd| printed.contains(*odd));
    assert_eq!(odd.map(|odd| odd.escape_unicode().to_string()), None, "{what}: {printed:?}");
    assert!(printed.contains(spelled), "{what} shows nothing of it: {printed:?}");
}

#[test]
fn what_answers_send_is_harmless() {
    let home = Home::new();
    let stranger = Receiver::answering(|_, _| Reply::Body(200, ODD.as_bytes().to_vec()));
    let send =
        |more: &[&str]| run_hookgate(&home, &[&["send", "github", "push", "--to", &stranger.url()], more].concat());
    assert_harmless("send", &send(&[]));
    assert_harmless("send --count", &send(&["--count", "2"]));
}

#[test]
fn what_a_webhook_says_of_itself_is_harmless() {
    let home = Home::new();
    let webhook = json!({ "id": "whk_1", "url": ODD, "events": [ODD], "sources": ["*"], "is_active": false, "disabled_reason": ODD,
        "description": ODD, "custom_headers": { ODD: "***" }, "public_key": ODD });
    let stranger = Receiver::answering(move |hit, _| {
        let answer = match hit.path.rsplit('/').next() {
            Some("keys") => json!({ "key": "hgk_1" }),
            Some("stats") => json!({ "pending_deliveries": ODD }),
            _ => webhook.clone(),
        };
        Reply::Body(200, answer.to_string().into_bytes())
    });
    let admin = format!("http://{}", stranger.address());
    let shown = run_hookgate(&home, &["webhooks", "show", "whk_1", "--admin", &admin]);
    assert!(shown.code == 0 && shown.out.contains("about"), "{shown:?}");
    assert_harmless("webhooks show", &shown);
}

#[test]
fn a_webhooks_description_is_a_line_of_text() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Process::start(&home);
    let application = Application::of(&gateway);
    let described = |text: &str| json!({ "url": receiver.url(), "events": ["a"], "description": text });
    let status = |text: &str| application.ask("POST", "/webhooks", Some(described(text))).status;
    assert_eq!(
        [status("a\u{1b}[2J"), status("two\nlines"), status("\u{9b}31m"), status("ä\u{200f}")],
        [422, 422, 422, 201]
    );
    let webhook = application.create(described("it"));
    let changed = application.ask("PATCH", &format!("/webhooks/{webhook}"), Some(json!({ "description": "\u{7f}" })));
    assert_eq!((changed.status, application.webhook(&webhook)["description"].clone()), (422, json!("it")));
}

#[test]
fn what_a_plugin_says_is_harmless_where_it_is_tried() {
    let home = Home::new();
    let handle = format!("(call $log (i32.const 2) {{{ODD}}}) (return (call $reject {{{ODD}}}))");
    // Control characters are refused where a manifest has them.
    let guest =
        Guest::wanting(&["push"]).version(WORD).asking_for("setting", "k", &[("about", WORD), ("default", WORD)]);
    std::fs::write(home.path().join("odd.wasm"), guest.handling(&handle).component()).unwrap();
    let tried = run_hookgate(&home, &["try", "odd.wasm", "push", "--source", "github"]);
    assert!(tried.out.contains("rejected: "), "{tried:?}");
    assert_harmless("try", &tried);
    let body = format!("{{\"type\":\"{WORD}\"}}");
    home.write("body.json", &body);
    let tried = run_hookgate(&home, &["try", "odd.wasm", WORD, "--source", "frameio", "--event", "body.json"]);
    assert!(tried.out.contains("given file."), "{tried:?}");
    assert_harmless("try of an odd type", &tried);
}

#[test]
fn what_is_kept_of_an_event_is_harmless_however_it_is_looked_at() {
    let home = Home::new();
    let handle = format!("(call $log (i32.const 2) {{{ODD}}}) (return (call $reject {{{ODD}}}))");
    home.install("odd", Guest::wanting(&["*"]).handling(&handle).component());
    let gateway = Process::start(&home);
    let body = json!({ "type": WORD, "resource": { "id": ODD, "type": WORD }, "text": ODD });
    let id = gateway.post(&home.sender("frameio").with_body(WORD, body.to_string())).id();
    eventually("it is dead", || home.ledger().state("odd", &id) == Some(State::Dead));
    let admin = format!("http://{}", gateway.admin);
    for words in [&["events"][..], &["show", &id], &["show", &id, "--body"], &["dead"]] {
        let ran = run_hookgate(&home, &[words, &["--admin", &admin]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_harmless(&words.join(" "), &ran);
    }
    for words in [&["events"][..], &["show", &id], &["dead"]] {
        let ran = run_hookgate(&home, &[words, &["--json", "--admin", &admin]].concat());
        assert_spelled(&format!("{} --json", words.join(" ")), &ran, "\\u200f");
        assert!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap().to_string().contains(WORD), "{ran:?}");
    }
}
