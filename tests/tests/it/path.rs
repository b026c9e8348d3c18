//! The main road: a signed webhook is written down, answered, and handled by every plugin that wants it.

use hookgate_tests::{Gateway, Guest, Home, Sender, State, eventually};

#[test]
fn a_signed_webhook_is_answered_with_its_id_and_handled() {
    let home = Home::new();
    home.install("watcher", Guest::wanting(&["file.ready"]).component());
    let gateway = Gateway::start(&home);

    let answer = gateway.post(&home.sender("frameio").webhook("file.ready"));

    assert_eq!(answer.status, 200);
    assert!(!answer.is_duplicate());
    let id = answer.id();
    eventually("it is done", || home.ledger().state("watcher", &id) == Some(State::Done));
    assert_eq!(home.ledger().outcomes("watcher", &id), ["done"]);
}

#[test]
fn a_plugin_is_given_what_was_sent_byte_for_byte() {
    let home = Home::new();
    home.install("teller", Guest::telling(&["*"]).component());
    let gateway = Gateway::start(&home);
    let body = r#"{"type": "file.ready",  "resource":{"id":"r1","type":"file"}, "user": {"id":"ü"}, "n": 1.50}"#;

    let id = gateway.post(&home.sender("frameio").with_body("file.ready", body)).id();

    let expected = format!(
        "[frameio][frameio][file.ready][{id}][resource.id=r1][resource.type=file][user.id=ü][content-type=application/json][{body}]"
    );
    eventually("it was told", || home.ledger().attempts("teller").iter().any(|attempt| attempt.why == expected));
}

#[test]
fn a_provider_of_ones_own_is_a_table_in_the_config() {
    let description = r#"
        signature = { at = "{header:X-Mine}", prefix = "sig=", algorithm = "hmac-sha256", encoding = "base64", signed = "{timestamp}\n{header:X-Nonce}\n{body}" }
        timestamp = { at = "{header:X-At}", tolerance_s = 60 }
        event = { type = "{header:X-What}.{body:/kind}", id = "{header:X-Nonce}" }
        success = 202
    "#;
    let home = Home::with(&format!(
        "[sources.mine]\nsecrets = [{{ env = \"GITHUB_SECRET\" }}]\n[sources.mine.provider]{description}"
    ));
    home.install("teller", Guest::telling(&["mine:*"]).component());
    let gateway = Gateway::start(&home);
    let sender = Sender::described(description, "mine", "the-secret-of-github");

    let answer = gateway.post(&sender.with_body("thing.born", r#"{"kind":"born"}"#));

    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let expected = format!("[mine][mine][thing.born][{id}]");
    eventually("it was told", || {
        home.ledger().attempts("teller").iter().any(|attempt| attempt.why.starts_with(&expected))
    });
}

#[test]
fn while_a_secret_rotates_both_are_taken() {
    let home = Home::with(r#"sources.github.secrets = [{ env = "GITHUB_SECRET" }, { file = "old-secret" }]"#);
    home.write("old-secret", "the-old-secret\n");
    let gateway = Gateway::start(&home);

    let by_new = gateway.post(&home.sender("github").webhook("push"));
    let by_old = gateway.post(&Sender::of("github", "github", "the-old-secret").webhook("push"));
    let by_other = gateway.post(&Sender::of("github", "github", "the-older-secret").webhook("push"));

    assert_eq!([by_new.status, by_old.status, by_other.status], [200, 200, 401]);
}

#[test]
fn the_id_is_the_same_on_every_attempt_and_attempts_are_numbered() {
    let home = Home::with("delivery.schedule_s = [0, 0, 0]");
    // Fails until the third attempt, and then tells the id.
    home.install("third", Guest::wanting(&["push"]).handling(
        "(if (i32.lt_u (local.get $attempt) (i32.const 3)) (then (return (call $retry (local.get $id) (local.get $id_len)))))
         (return (call $reject (local.get $id) (local.get $id_len)))",
    ).component());
    let gateway = Gateway::start(&home);

    let id = gateway.post(&home.sender("github").webhook("push")).id();

    eventually("it is over", || home.ledger().state("third", &id) == Some(State::Dead));
    let attempts = home.ledger().attempts("third");
    let told: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.outcome, attempt.why.as_str())).collect();
    assert_eq!(told, [(1, "retry", id.as_str()), (2, "retry", &id), (3, "reject", &id)]);
}

#[test]
fn an_event_that_nobody_wants_is_kept() {
    let home = Home::new();
    home.install("watcher", Guest::wanting(&["file.ready"]).component());
    let gateway = Gateway::start(&home);

    let id = gateway.post(&home.sender("frameio").webhook("file.deleted")).id();

    assert!(home.ledger().has(&id));
    assert_eq!(home.ledger().state("watcher", &id), None);
}

#[test]
fn a_subscription_can_name_a_source_or_a_provider() {
    let home = Home::with("[sources.studio]\nprovider = \"frameio\"\nsecrets = [{ env = \"FRAMEIO_SECRET\" }]");
    home.install("of-source", Guest::wanting(&["studio:file.*"]).component());
    home.install("of-provider", Guest::wanting(&["frameio:*.ready"]).component());
    let gateway = Gateway::start(&home);
    let sender = home.sender("frameio");

    let to_studio = gateway.post(&sender.webhook("file.ready").to("studio")).id();
    let to_frameio = gateway.post(&sender.webhook("file.ready")).id();

    let ledger = home.ledger();
    eventually("all are done", || {
        ledger.count("of-source", State::Done) + ledger.count("of-provider", State::Done) == 3
    });
    assert_eq!(ledger.states("of-source"), [(to_studio.clone(), State::Done)]);
    assert_eq!(ledger.states("of-provider"), [(to_studio, State::Done), (to_frameio, State::Done)]);
}

#[test]
fn each_plugin_has_its_own_fate_with_an_event() {
    let home = Home::new();
    home.install("good", Guest::wanting(&["push"]).component());
    home.install("bad", Guest::wanting(&["push"]).handling("(return (call $reject {not me}))").component());
    let gateway = Gateway::start(&home);

    let id = gateway.post(&home.sender("github").webhook("push")).id();

    let ledger = home.ledger();
    eventually("both are over", || {
        ledger.state("good", &id) == Some(State::Done) && ledger.state("bad", &id) == Some(State::Dead)
    });
    assert_eq!(ledger.outcomes("good", &id), ["done"]);
    assert_eq!(ledger.attempts("bad")[0].why, "not me");
}

#[test]
fn a_plugin_is_given_its_settings_and_its_defaults() {
    let home = Home::with("[plugins.setter]\nsettings = { greeting = \"Hello\" }");
    let say = |key: &str| {
        format!(
            "(call $setting {{{key}}} (i32.const 256)) (call $part (i32.load (i32.const 260)) (i32.load (i32.const 264)))"
        )
    };
    let handle = format!("{}{}(return (call $reject_told))", say("greeting"), say("mood"));
    let guest = Guest::wanting(&["push"]).asking("greeting", Some("Hi")).asking("mood", Some("fine")).handling(&handle);
    home.install("setter", guest.component());
    let gateway = Gateway::start(&home);

    gateway.post(&home.sender("github").webhook("push"));

    eventually("it was told", || home.ledger().attempts("setter").iter().any(|attempt| attempt.why == "[Hello][fine]"));
}

#[test]
fn a_plugin_that_lacks_a_setting_is_blocked_and_its_deliveries_wait() {
    let home = Home::new();
    home.install("needy", Guest::wanting(&["push"]).asking("token", None).component());
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();

    assert_eq!(gateway.slot("needy"), "blocked");
    assert!(gateway.why("needy").contains("[plugins.needy.settings]\n\"token\" = "), "{}", gateway.why("needy"));
    assert_eq!(home.ledger().state("needy", &id), Some(State::Waiting));

    drop(gateway);
    home.configure("[plugins.needy]\nsettings = { token = \"t\" }");
    let _gateway = Gateway::start(&home);
    eventually("it is done", || home.ledger().state("needy", &id) == Some(State::Done));
}

#[test]
fn a_core_module_with_its_component_type_is_a_plugin_too() {
    let home = Home::new();
    home.install("module", Guest::wanting(&["push"]).module());
    let gateway = Gateway::start(&home);

    let id = gateway.post(&home.sender("github").webhook("push")).id();

    eventually("it is done", || home.ledger().state("module", &id) == Some(State::Done));
}

#[test]
fn many_webhooks_come_through_one_connection() {
    use std::io::{Read, Write};
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let mut stream = std::net::TcpStream::connect(gateway.hooks).unwrap();
    for nth in 1..=20 {
        // All but the last ask for the connection to stay.
        let request = String::from_utf8(sender.webhook("push").request()).unwrap();
        let request = if nth == 20 { request } else { request.replace("connection: close\r\n", "") };
        stream.write_all(request.as_bytes()).unwrap();
    }
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    assert_eq!(told.matches("HTTP/1.1 200 OK").count(), 20);
    assert_eq!(home.ledger().events(), 20);
}
