//! Senders that wait for a plugin's answer.

use std::time::{Duration, Instant};

use hookgate_tests::{Gateway, Guest, Home, Sender, State, eventually};

const ANSWERED: &str = "[sources.github]\nanswer = \"plugin\"\nanswer_plugin = \"answers\"\nanswer_ms = 700
    [sources.frameio]\nanswer = \"plugin\"\nanswer_plugin = \"answers\"\nanswer_ms = 300";

fn responder(instructions: &str) -> Guest {
    Guest::wanting(&["nothing.else"]).asking_for("reply", "*", &[]).responding(instructions)
}

#[test]
fn the_plugin_answers_and_the_event_is_written_down() {
    let home = Home::with(&format!("{ANSWERED}\n[plugins.answers]\nstate = true\nemit = [\"asked\"]"));
    let does = "(call $state_increment {asked} (i64.const 1) (i32.const 512))
        (call $emit {asked} (local.get $type) (local.get $type_len) (i32.const 0) (i32.const 0) (i32.const 512))
        (call $answer (i32.const 418) (local.get $payload) (local.get $payload_len))";
    let guest = responder(does).asking_for("state", "", &[]).asking_for("emit", "asked", &[]);
    home.install("answers", guest.component());
    home.install("hears", Guest::telling(&["push"]).component());
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");
    let answer = gateway.post(&webhook);
    assert_eq!((answer.status, &answer.body[..]), (418, &webhook.body[..]));
    let ledger = home.ledger();
    // What it did is on disk before the answer.
    assert_eq!(ledger.remembered("answers")["asked"], "1");
    assert_eq!(ledger.emitted("answers"), [("asked".to_owned(), "push".to_owned())]);
    assert_eq!(ledger.events(), 2);
    eventually("others have it too", || ledger.count("hears", State::Dead) == 1);
    assert_eq!(gateway.metric("hookgate_answers_total{source=\"github\",result=\"answered\"}"), 1.0);
    // A sender that asks again is answered again, and nothing happens twice.
    assert_eq!(gateway.post(&webhook).status, 418);
    assert_eq!(ledger.remembered("answers")["asked"], "1");
    assert_eq!(ledger.emitted("answers").len(), 1);
    // Nobody unverified is answered by anyone.
    let mut forged = webhook.clone();
    forged.body = "forged".into();
    assert_eq!(gateway.post(&forged).status, 401);
    assert_eq!(ledger.remembered("answers")["asked"], "1");
}

#[test]
fn where_no_answer_comes_in_time_the_sender_gets_what_it_takes_best() {
    let home = Home::with(&format!("{ANSWERED}\n[plugins.answers]\nstate = true"));
    let slow = "(call $state_increment {asked} (i64.const 1) (i32.const 512)) (loop $on (br $on)) (call $answer (i32.const 200) {never})";
    let cases = [
        (slow, "late", ""),
        ("unreachable", "failed", ""),
        ("(call $reject {no})", "failed", ""),
        ("(call $answer (i32.const 99) {x})", "failed", ""),
    ];
    let gateway = {
        home.install("answers", responder(slow).asking_for("state", "", &[]).component());
        Gateway::start(&home)
    };
    for (n, (instructions, result, _)) in cases.iter().enumerate() {
        if n > 0 {
            home.install("answers", responder(instructions).component());
            let generation = gateway.plugin("answers")["generation"].clone();
            eventually("the new one runs", || gateway.plugin("answers")["generation"] != generation || n == 0);
        }
        let before = gateway.metric(&format!("hookgate_answers_total{{source=\"frameio\",result=\"{result}\"}}"));
        let begun = Instant::now();
        let answer = gateway.post(&home.sender("frameio").webhook("file.ready"));
        assert!(begun.elapsed() < Duration::from_secs(20));
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 200 && text.contains("\"title\":\"Received\""), "{n}: {text}");
        let after = gateway.metric(&format!("hookgate_answers_total{{source=\"frameio\",result=\"{result}\"}}"));
        assert_eq!(after - before, 1.0, "{n}: {result}");
    }
    // Another provider's sender is told what is always told.
    let answer = gateway.post(&home.sender("github").webhook("push"));
    assert!(answer.status == 200 && String::from_utf8_lossy(&answer.body).contains("\"id\":\"evt_"));
    assert!(home.ledger().remembered("answers").is_empty(), "what was cut off wrote nothing");
}

#[test]
fn a_plugin_is_asked_only_what_it_asked_to_answer() {
    let home = Home::with(ANSWERED);
    let guest = Guest::wanting(&["nothing.else"]).asking_for("reply", "frameio:file.*", &[]);
    home.install("answers", guest.responding("(call $answer (i32.const 202) {mine})").component());
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.post(&home.sender("frameio").webhook("file.ready")).status, 202);
    for (source, event_type) in [("frameio", "comment.created"), ("github", "push")] {
        let answer = gateway.post(&home.sender(source).webhook(event_type));
        assert!(answer.status == 200 && answer.text().contains("\"id\":\"evt_"), "{source}: {}", answer.text());
        assert_eq!(gateway.metric(&format!("hookgate_answers_total{{source=\"{source}\",result=\"failed\"}}")), 0.0);
    }
}

#[test]
fn a_plugin_that_is_not_there_or_cannot_answer_leaves_the_sender_answered() {
    let home = Home::with(ANSWERED);
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.post(&home.sender("github").webhook("push")).status, 200);
    home.install("answers", Guest::wanting(&["push"]).component());
    eventually("it runs", || gateway.slot("answers") == "live");
    assert_eq!(gateway.post(&home.sender("github").webhook("push")).status, 200);
    assert_eq!(gateway.metric("hookgate_answers_total{source=\"github\",result=\"failed\"}"), 2.0);
}

#[test]
fn interactions_of_slack_and_discord_are_answered_and_their_handshakes_too() {
    let seed = format!("seed:{}", "07".repeat(32));
    let source = |name: &str| {
        format!(
            "[sources.{name}]\nprovider = \"{name}\"\nsecrets = [{{ file = \"{name}.secret\" }}]\nanswer = \"plugin\"
             answer_plugin = \"answers\"\n"
        )
    };
    let home = Home::with(&format!("{}{}", source("slack"), source("discord")));
    home.write("slack.secret", "a-signing-secret");
    home.write("discord.secret", &seed);
    home.install(
        "answers",
        responder("(call $answer (i32.const 200) (local.get $type) (local.get $type_len))").component(),
    );
    let gateway = Gateway::start(&home);
    let (slack, discord) = (Sender::of("slack", "slack", "a-signing-secret"), Sender::of("discord", "discord", &seed));
    for (sender, event_type) in
        [(&slack, "block_actions"), (&slack, "command./review"), (&slack, "app_mention"), (&discord, "interaction.2")]
    {
        let answer = gateway.post(&sender.webhook(event_type));
        assert_eq!((answer.status, &*answer.text()), (200, event_type));
    }
    let events = home.ledger().events();
    let challenge = slack.with_body("x", r#"{"type":"url_verification","challenge":"3eZbrw1a"}"#);
    let answer = gateway.post(&challenge);
    assert_eq!((answer.status, &*answer.text(), answer.header("content-type")), (200, "3eZbrw1a", Some("text/plain")));
    let answer = gateway.post(&discord.with_body("x", r#"{"id":"1","type":1}"#));
    let is_json = Some("application/json");
    assert_eq!((answer.status, &*answer.text(), answer.header("content-type")), (200, r#"{"type":1}"#, is_json));
    // Discord tries whether a wrong signature is refused.
    let mut forged = discord.with_body("x", r#"{"id":"1","type":1}"#);
    forged.body = r#"{"id":"2","type":1}"#.into();
    assert_eq!(gateway.post(&forged).status, 401);
    assert_eq!(home.ledger().events(), events, "a handshake is no event");
    // Without a plugin that answers, each gets what it takes best.
    std::fs::remove_file(home.plugin("answers")).unwrap();
    eventually("it is gone", || gateway.slot("answers") == "gone");
    assert_eq!(gateway.post(&discord.webhook("interaction.2")).text(), r#"{"type":5}"#);
    let answer = gateway.post(&slack.webhook("block_actions"));
    assert_eq!((answer.status, &*answer.text()), (200, ""));
}
