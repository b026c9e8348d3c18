//! What operators see: health, status, metrics; and what nobody may see.

use hookgate_tests::{Answer, Gateway, Guest, Home, Process, Sender, State, api, eventually, exchange, run_hookgate};

#[test]
fn it_is_alive_and_ready() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.get("/healthz").status, 200);
    assert_eq!(gateway.get("/readyz").status, 200);
    assert_eq!(gateway.get("/nothing").status, 404);
}

#[test]
fn status_tells_all_that_the_interface_promises() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push", "github:issues.*"]).version("1.2.3").component());
    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    gateway.post(&home.sender("github").webhook("push").with("x-hub-signature-256", "sha256=00"));
    eventually("it is done", || home.ledger().state("worker", &id) == Some(State::Done));

    let status = gateway.status();

    assert!(status["version"].is_string() && status["uptime_s"].is_u64());
    let github = status["sources"].as_array().unwrap().iter().find(|one| one["name"] == "github").unwrap();
    assert_eq!(github["provider"], "github");
    assert_eq!(github["url"], format!("http://{}/hooks/github", gateway.hooks));
    assert_eq!((&github["accepted"], &github["duplicates"]), (&1.into(), &0.into()));
    assert_eq!(github["refused"]["malformed_signature"], 1);
    assert_eq!(github["refused"]["bad_signature"], 0, "causes begin at zero");
    let worker = gateway.plugin("worker");
    assert_eq!(worker["done"], 1);
    assert_eq!((&worker["slot"], &worker["version"]), (&"live".into(), &"1.2.3".into()));
    assert_eq!((&worker["pending"], &worker["oldest_pending_s"]), (&0.into(), &0.into()));
    assert_eq!(worker["subscriptions"], serde_json::json!(["push", "github:issues.*"]));
    assert!(worker["generation"].as_str().unwrap().len() >= 12);
    for key in ["pending", "due", "running", "dead", "oldest_pending_s"] {
        assert_eq!(status["queue"][key], 0, "{key}");
    }
}

#[test]
fn metrics_count_what_happened() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).component());
    home.install("bad", Guest::wanting(&["issues.*"]).handling("(return (call $reject {no}))").component());
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");
    let id = gateway.post(&webhook).id();
    gateway.post(&webhook);
    let rejected = gateway.post(&home.sender("github").webhook("issues.opened")).id();
    eventually("both are over", || {
        let ledger = home.ledger();
        ledger.state("worker", &id) == Some(State::Done) && ledger.state("bad", &rejected) == Some(State::Dead)
    });
    let text = gateway.get("/metrics").text();
    let value = |begins: &str, has: &[&str]| {
        let line = text.lines().find(|line| line.starts_with(begins) && has.iter().all(|label| line.contains(label)));
        line.unwrap_or_else(|| panic!("{begins} {has:?} is not in\n{text}")).rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(value("hookgate_accepted_total", &["source=\"github\""]), "2");
    assert_eq!(value("hookgate_duplicates_total", &["source=\"github\""]), "1");
    assert_eq!(value("hookgate_attempts_total", &["plugin=\"worker\"", "outcome=\"done\""]), "1");
    assert_eq!(value("hookgate_attempts_total", &["plugin=\"bad\"", "outcome=\"reject\""]), "1");
    assert!(text.lines().filter(|line| !line.starts_with('#')).all(|line| line.starts_with("hookgate_")));
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn what_waits_is_told_of_each_plugin() {
    let home = Home::new();
    for name in ["behind", "good"] {
        home.install(name, Guest::wanting(&["push"]).component());
    }
    let gateway = Gateway::start(&home);
    let paused = api(gateway.admin, "", "POST", "/api/v1/plugins/behind/pause", None);
    assert_eq!(paused.status, 200, "{}", paused.text());
    let sender = home.sender("github");
    let sent: Vec<String> = (0..3).map(|_| gateway.post(&sender.webhook("push")).id()).collect();
    let ledger = home.ledger();
    eventually("the other is done", || sent.iter().all(|id| ledger.state("good", id) == Some(State::Done)));
    eventually("they have been due for a second", || gateway.plugin("behind")["oldest_pending_s"].as_u64() >= Some(1));
    assert_eq!((&gateway.plugin("behind")["pending"], &gateway.plugin("good")["pending"]), (&3.into(), &0.into()));
    let text = gateway.get("/metrics").text();
    for line in ["hookgate_plugin_pending{plugin=\"behind\"} 3\n", "hookgate_plugin_pending{plugin=\"good\"} 0\n"] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let oldest =
        text.lines().find_map(|line| line.strip_prefix("hookgate_plugin_oldest_pending_seconds{plugin=\"behind\"} "));
    assert!(oldest.and_then(|oldest| oldest.parse::<u64>().ok()) >= Some(1), "{oldest:?}");
}

#[test]
fn with_a_token_nothing_is_shown_without_it() {
    let home = Home::with("server.admin_token = { env = \"ADMIN_TOKEN\" }");
    let env = std::fs::read_to_string(home.path().join(".env")).unwrap();
    home.write(".env", &format!("{env}ADMIN_TOKEN=let-me-in\n"));
    let gateway = Gateway::start(&home);
    let ask = |path: &str, shown: &str| -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{shown}\r\n");
        exchange(gateway.admin, request.as_bytes()).unwrap().unwrap()
    };
    for path in ["/status", "/metrics"] {
        for shown in
            ["", "authorization: Bearer let-me-inn\r\n", "authorization: let-me-in\r\n", "authorization: Bearer \r\n"]
        {
            assert_eq!(ask(path, shown).status, 401, "{path} {shown}");
        }
        assert_eq!(ask(path, "authorization: Bearer let-me-in\r\n").status, 200);
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["*"]).component());
    let gateway = Process::start_logging(&home, "trace");
    let sources =
        [("frameio", "file.ready"), ("github", "push"), ("soundhash", "match.found"), ("standard", "invoice.paid")];
    for (source, event_type) in sources {
        let webhook = home.sender(source).webhook(event_type);
        gateway.post(&webhook).id();
        gateway.post(&Sender::of("github", source, "guessed").webhook("push"));
    }
    eventually("all are done", || home.ledger().count("worker", State::Done) == sources.len());
    let checked = run_hookgate(&home, &["check"]);
    let shown =
        [gateway.log(), gateway.printed(), gateway.get("/status").text(), gateway.get("/metrics").text(), checked.out]
            .concat();
    assert!(shown.contains("TRACE") || shown.contains("DEBUG"), "the log is as talkative as it can be");
    for line in std::fs::read_to_string(home.path().join(".env")).unwrap().lines() {
        let (_, secret) = line.split_once('=').unwrap();
        assert!(!shown.contains(secret.trim_start_matches("whsec_")), "{line} is shown");
    }
}
