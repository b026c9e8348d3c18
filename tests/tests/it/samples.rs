//! The sample plugins, as they are built for users, through the whole path with the commands that users type.

use hookgate_tests::{Home, Process, State, eventually, run_hookgate, sample};

const SAMPLES: [&str; 3] = ["comment-watch", "file-ready", "video-title"];

fn home() -> Home {
    let home = Home::new();
    for name in SAMPLES {
        home.install(name, sample(name));
    }
    home
}

/// Sends one and gives the id that the gateway answered with.
fn send(home: &Home, gateway: &Process, words: &[&str]) -> String {
    let to = format!("http://{}/hooks/{}", gateway.hooks, words[0]);
    let ran = run_hookgate(home, &[&["send"], words, &["--to", &to, "--json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    told["answer"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn each_does_what_its_readme_says() {
    let home = home();
    let gateway = Process::start(&home);
    assert!(
        gateway.printed().contains("plugins comment-watch live, file-ready live, video-title live"),
        "{}",
        gateway.printed()
    );
    let table = [
        (
            "file-ready",
            "frameio",
            "file.ready",
            "file-ready: file d3075547-4e64-45f0-ad12-d075660eddd2 is ready for processing",
        ),
        (
            "comment-watch",
            "frameio",
            "comment.created",
            "comment-watch: 56556a3f-859f-4b38-b6c6-e8625b5da8a5 created comment 8a1c7a6e",
        ),
        (
            "comment-watch",
            "frameio",
            "comment.updated",
            "comment-watch: 56556a3f-859f-4b38-b6c6-e8625b5da8a5 updated comment 8a1c7a6e",
        ),
        ("video-title", "soundhash", "video.processed", "video-title: processed: Video Title (3:00)"),
    ];
    for (plugin, source, event_type, line) in table {
        let id = send(&home, &gateway, &[source, event_type]);
        eventually("it is done", || home.ledger().state(plugin, &id) == Some(State::Done));
        eventually(line, || gateway.log().contains(line));
    }
}

#[test]
fn what_none_of_them_wants_is_kept() {
    let home = home();
    let gateway = Process::start(&home);
    let id = send(&home, &gateway, &["github", "push"]);
    assert!(home.ledger().has(&id));
    assert!(SAMPLES.iter().all(|plugin| home.ledger().state(plugin, &id).is_none()));
}

#[test]
fn a_body_that_they_cannot_read_is_dead_with_the_reason() {
    let home = home();
    let gateway = Process::start(&home);
    home.write("odd.json", r#"{"type":"file.ready","resource":"none"}"#);
    let id = send(&home, &gateway, &["frameio", "file.ready", "--body", "odd.json"]);
    eventually("it is dead", || home.ledger().state("file-ready", &id) == Some(State::Dead));
    let attempts = home.ledger().attempts("file-ready");
    assert_eq!((attempts.len(), attempts[0].outcome), (1, "reject"));
    assert!(!attempts[0].why.is_empty());
}

#[test]
fn a_setting_of_the_operator_is_used() {
    let home = home();
    home.configure("[plugins.video-title]\nsettings = { prefix = \"new video\" }");
    let gateway = Process::start(&home);
    send(&home, &gateway, &["soundhash", "video.processed"]);
    eventually("it is said", || gateway.log().contains("video-title: new video: Video Title (3:00)"));
}

#[test]
fn check_and_try_know_them() {
    let home = home();
    let checked = run_hookgate(&home, &["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    for (plugin, line) in [
        ("file-ready", "is ready for processing"),
        ("comment-watch", "created comment"),
        ("video-title", "processed: Video Title (3:00)"),
    ] {
        let tried = run_hookgate(&home, &["try", &format!("plugins/{plugin}.wasm")]);
        assert_eq!(tried.code, 0, "{tried:?}");
        assert!(tried.out.contains(line) && tried.out.contains("done in "), "{}", tried.out);
    }
}

#[test]
fn a_thousand_events_of_all_kinds_are_all_done() {
    let home = home();
    let gateway = Process::start(&home);
    for (source, event_type) in
        [("frameio", "file.ready"), ("frameio", "comment.created"), ("soundhash", "video.processed")]
    {
        let to = format!("http://{}/hooks/{source}", gateway.hooks);
        let ran = run_hookgate(&home, &["send", source, event_type, "--to", &to, "--count", "333", "--at-once", "16"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    for plugin in SAMPLES {
        eventually("all are done", || home.ledger().count(plugin, State::Done) == 333);
    }
}
