//! Requests that leave: to granted hosts, with the operator's credential, which the plugin never sees.

use hookgate_tests::frameio::{Behaviour, Comment, Frameio, TOKEN};
use hookgate_tests::{Gateway, Guest, Home, Process, Ran, State, eventually, run_hookgate, sample, skipped};
use serde_json::json;

/// A plugin that posts to an address, logs what it is told, and rejects with the status or the error.
fn posts(url: &str, body: &str) -> Guest {
    let code = format!(
        "(call $send {{POST}} {{{url}}} (i32.const 0) (i32.const 0) {{{body}}} (i32.const 0) (i64.const 0) (i32.const 512))
         (if (i32.load8_u (i32.const 512))
           (then (return (call $reject (i32.load (i32.const 520)) (i32.load (i32.const 524))))))
         (call $log (i32.const 2) (i32.load (i32.const 528)) (i32.load (i32.const 532)))
         (if (i32.ne (i32.load16_u (i32.const 516)) (i32.const 201)) (then (return (call $reject {{not made}}))))"
    );
    Guest::wanting(&["push"]).asking_for("host", "localhost", &[("methods", "POST")]).handling(&code)
}

/// A gateway's folder whose plugin may speak to this Frame.io, with a token from a file.
fn home(frameio: &Frameio, more: &str) -> Home {
    let address = frameio.address;
    Home::with(&format!(
        "delivery.schedule_s = []\noutbound.ca_file = \"ca.pem\"\n[plugins.posts.hosts.localhost]
         allow_private = [\"{address}\"]\nbearer = {{ file = \"token\" }}\n{more}"
    ))
}

fn start(more: &str, named: &str) -> (Frameio, Home) {
    let folder = tempfile::tempdir().unwrap();
    let frameio = Frameio::named(&folder.path().join("ca.pem"), named);
    let home = home_with_token(&frameio, more);
    std::fs::copy(folder.path().join("ca.pem"), home.path().join("ca.pem")).unwrap();
    (frameio, home)
}

fn home_with_token(frameio: &Frameio, more: &str) -> Home {
    let home = home(frameio, more);
    home.write("token", &format!("{TOKEN}\n"));
    home
}

const COMMENTS: &str = "/v4/accounts/acc/files/f1/comments";

/// What the last delivery's attempt said.
fn last_why(home: &Home, plugin: &str) -> String {
    home.ledger().attempts(plugin).pop().map(|attempt| attempt.why).unwrap_or_default()
}

#[test]
fn a_request_goes_out_over_tls_with_the_token_that_the_file_has_now() {
    let (frameio, home) = start("", "localhost");
    home.install("posts", posts(&format!("{}/echo", frameio.url()), "hello").component());
    let gateway = Process::start(&home);
    let (sender, ledger) = (home.sender("github"), home.ledger());
    let push = |n| {
        gateway.post(&sender.webhook("push"));
        eventually("it is settled", || ledger.count("posts", State::Dead) == n);
    };
    push(1);
    // The echo answers 200 and tells all that it was sent.
    assert_eq!(last_why(&home, "posts"), "not made");
    let log = gateway.log();
    assert!(log.contains("POST localhost: 200") && log.contains("hello"), "{log}");
    assert!(log.contains("Bearer ****") && !log.contains(TOKEN), "{log}");
    assert!(log.contains("user-agent: \\\"hookgate/") || log.contains("user-agent: \"hookgate/"), "{log}");

    home.write("token", "a-wrong-token");
    push(2);
    assert!(gateway.log().contains("POST localhost: 401"), "{}", gateway.log());
    home.write("token", TOKEN);
    push(3);
    assert_eq!(
        gateway.metric("hookgate_outbound_requests_total{plugin=\"posts\",host=\"localhost\",result=\"2xx\"}"),
        2.0
    );
    assert_eq!(
        gateway.metric("hookgate_outbound_requests_total{plugin=\"posts\",host=\"localhost\",result=\"4xx\"}"),
        1.0
    );
}

#[test]
fn a_certificate_for_another_name_or_by_nobody_known_is_not_believed() {
    for (named, by_another) in [("other.example", false), ("localhost", true)] {
        let (frameio, home) = start("", named);
        if by_another {
            let _other = Frameio::start(&home.path().join("ca.pem"));
        }
        home.install("posts", posts(&format!("{}{COMMENTS}", frameio.url()), "x").component());
        let gateway = Gateway::start(&home);
        gateway.post(&home.sender("github").webhook("push"));
        eventually("it is dead", || home.ledger().count("posts", State::Dead) == 1);
        let why = last_why(&home, "posts");
        assert!(why.starts_with("no answer: ") && why.contains("certificate"), "{named}: {why}");
        assert!(frameio.requests().is_empty());
    }
}

#[test]
fn answers_that_never_come_are_bounded_and_neighbours_go_on() {
    let (frameio, home) = start("timeout_ms = 300\ncalls_at_once = 2", "localhost");
    home.install("posts", posts(&format!("{}{COMMENTS}", frameio.url()), "x").component());
    home.install("healthy", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    frameio.then((0..8).map(|_| Behaviour::Nothing));
    let sender = home.sender("github");
    (0..8).for_each(|_| drop(gateway.post(&sender.webhook("push"))));
    let ledger = home.ledger();
    eventually("the healthy one has done all", || ledger.count("healthy", State::Done) == 8);
    eventually("all are dead", || ledger.count("posts", State::Dead) == 8);
    for attempt in ledger.attempts("posts") {
        assert!(attempt.why.contains("no whole answer within 300 ms"), "{attempt:?}");
    }
}

#[test]
fn what_wrong_statuses_come_to_is_the_plugins_to_say() {
    let (frameio, home) = start("", "localhost");
    home.install("posts", posts(&format!("{}{COMMENTS}", frameio.url()), "x").component());
    let gateway = Process::start(&home);
    let sender = home.sender("github");
    let behaviours = [Behaviour::Status(404), Behaviour::Status(500), Behaviour::TooMany(7), Behaviour::Garbage];
    frameio.then(behaviours);
    for n in 1..=4 {
        gateway.post(&sender.webhook("push"));
        eventually("it is dead", || home.ledger().count("posts", State::Dead) == n);
    }
    for status in ["404", "500", "429", "200"] {
        assert!(gateway.log().contains(&format!("POST localhost: {status}")), "{}", gateway.log());
    }
}

#[test]
fn the_sample_adds_a_comment_and_only_one() {
    let (frameio, home) = start("", "localhost");
    let address = frameio.address;
    home.configure(&format!(
        "delivery.schedule_s = [0, 0, 0]\noutbound.ca_file = \"ca.pem\"
         [plugins.frameio-comment]\nstate = true\nsettings = {{ api = \"{}\" }}
         [plugins.frameio-comment.hosts.\"api.frame.io\"]
         [plugins.frameio-comment.hosts.localhost]\nallow_private = [\"{address}\"]\nbearer = {{ file = \"token\" }}",
        frameio.url()
    ));
    home.install("frameio-comment", sample("frameio-comment"));
    let gateway = Process::start(&home);
    assert_eq!(gateway.slot("frameio-comment"), "live", "{}", gateway.why("frameio-comment"));
    frameio.then([Behaviour::Status(500), Behaviour::Garbage]);
    let id = gateway.post(&home.sender("frameio").webhook("file.ready")).id();
    let ledger = home.ledger();
    eventually("it is settled", || matches!(ledger.state("frameio-comment", &id), Some(State::Done | State::Dead)));
    assert_eq!(ledger.outcomes("frameio-comment", &id), ["retry", "retry", "done"], "{}", gateway.log());
    let comments = frameio.comments();
    let [Comment { account, text, .. }] = comments.as_slice() else { panic!("{comments:?}") };
    assert_eq!(
        (&**account, &**text),
        ("6f70f1bd-7e89-4a7e-b4d3-7e576585a181", "File has been automatically processed!")
    );
    // What it was asked to wait for, it waits for.
    frameio.then([Behaviour::TooMany(60)]);
    let id = gateway.post(&home.sender("frameio").webhook("file.ready")).id();
    eventually("it waits", || ledger.outcomes("frameio-comment", &id) == ["retry"]);
    assert!(gateway.log().contains("again in 59.") || gateway.log().contains("again in 60"), "{}", gateway.log());
    // A file that is not there any more is not tried again.
    frameio.then([Behaviour::Status(404)]);
    let id = gateway.post(&home.sender("frameio").webhook("file.ready")).id();
    eventually("it is dead", || ledger.state("frameio-comment", &id) == Some(State::Dead));
    assert_eq!(ledger.outcomes("frameio-comment", &id), ["reject"]);
    assert!(!gateway.log().contains(TOKEN));
}

fn assert_troubles_are_told(frameio: &Frameio, register: impl Fn(&[&str]) -> Ran) {
    for (behaviour, expected) in [
        (Behaviour::Status(401), "the token is not taken"),
        (Behaviour::Status(404), "no such account or workspace"),
        (Behaviour::TooMany(60), "too many requests"),
        (Behaviour::Status(500), "Frame.io answers 500"),
        (Behaviour::Garbage, "the answer is not JSON"),
    ] {
        frameio.then([behaviour]);
        let ran = register(&["--yes"]);
        assert!(ran.code == 1 && ran.err.contains(expected), "{ran:?} has no {expected}");
    }
}

#[test]
fn the_webhook_at_frameio_is_made_changed_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let frameio = Frameio::start(&folder.path().join("ca.pem"));
    let home = Home::with(
        "outbound.ca_file = \"ca.pem\"\nserver.public_url = \"https://hooks.example.com\"
         [sources.frameio]\nsecrets = [{ file = \"frameio.secret\" }]",
    );
    std::fs::copy(folder.path().join("ca.pem"), home.path().join("ca.pem")).unwrap();
    home.write("token", TOKEN);
    home.install("one", Guest::wanting(&["frameio:file.*"]).component());
    let (api, address) = (frameio.url(), frameio.address.to_string());
    let register = |more: &[&str]| {
        let words = [
            "frameio",
            "register",
            "--account",
            "acc",
            "--workspace",
            "w1",
            "--token-file",
            "token",
            "--api",
            &api,
            "--allow-private",
            &address,
        ];
        let ran = run_hookgate(&home, &[&words[..], more].concat());
        assert!(!format!("{ran:?}").contains(TOKEN) && !format!("{ran:?}").contains("shown-once"), "{ran:?}");
        ran
    };
    let ran = register(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("+ file.ready") && ran.out.contains("nothing was changed: --yes does it"), "{}", ran.out);
    assert!(frameio.webhooks().is_empty());

    let ran = register(&["--yes"]);
    assert!(ran.code == 0 && ran.out.contains("made webhook-1; the secret is in"), "{ran:?}");
    let secret = std::fs::read_to_string(home.path().join("frameio.secret")).unwrap();
    assert_eq!(secret, "the-secret-that-is-shown-once");
    let [webhook] = frameio.webhooks().try_into().unwrap();
    assert_eq!(webhook["url"], "https://hooks.example.com/hooks/frameio");
    assert_eq!(webhook["events"].as_array().unwrap().len(), 7);

    // The source reads it.
    let gateway = Gateway::start(&home);
    let signed = hookgate_tests::Sender::of("frameio", "frameio", &secret).webhook("file.ready");
    assert_eq!(gateway.post(&signed).status, 200);
    drop(gateway);

    let ran = register(&["--yes"]);
    assert!(ran.code == 0 && ran.out.contains("is as it should be"), "{ran:?}");
    home.install("two", Guest::wanting(&["comment.created"]).component());
    let ran = register(&["--yes"]);
    assert!(ran.out.contains("+ comment.created") && ran.out.contains("updated webhook-1"), "{ran:?}");
    let [webhook] = frameio.webhooks().try_into().unwrap();
    assert_eq!(webhook["events"].as_array().unwrap().len(), 8);

    assert_troubles_are_told(&frameio, register);
    std::fs::remove_file(home.path().join("frameio.secret")).unwrap();
    let ran = register(&["--yes"]);
    assert!(ran.code == 1 && ran.err.contains("delete it at Frame.io and run this again"), "{ran:?}");
}

/// More headers than a request may have, and more than memory shall hold; an answer that nobody reads; many at a time.
fn assert_bounded(gateway: &Process, home: &Home, echo: &str) {
    for orders in [
        json!({ "url": echo, "method": "GET", "many": 65 }),
        json!({ "url": echo, "method": "GET", "many": 32_769 }),
        json!({ "url": echo, "method": "GET", "times": 1000, "read": false }),
    ] {
        let bounded = told(gateway, home, &orders);
        let is_named = ["reject: failed", "trapped", "overran", "reject: 200 unread"];
        assert!(is_named.iter().any(|outcome| bounded.starts_with(outcome)), "{orders}: {bounded}");
    }
}

/// What a plugin says that is told by its event what to do, where a language's own client speaks `wasi:http`.
fn told(gateway: &Process, home: &Home, orders: &serde_json::Value) -> String {
    let ledger = home.ledger();
    let before = ledger.count("posts", State::Dead);
    gateway.post(&home.sender("github").with_body("push", orders.to_string()));
    eventually("it is settled", || ledger.count("posts", State::Dead) > before);
    let attempt = ledger.attempts("posts").pop().unwrap();
    format!("{}: {}", attempt.outcome, attempt.why)
}

#[test]
fn a_language_with_its_own_client_goes_by_the_same_policy() {
    if skipped("javascript") {
        return;
    }
    let (frameio, home) = start("", "localhost");
    // An interpreter of this size computes for long in a debug build.
    home.configure(&format!(
        "delivery.schedule_s = []\noutbound.ca_file = \"ca.pem\"\nlimits.cpu_ms = 20000\nlimits.call_ms = 60000
         [plugins.posts]
call_ms = 15000
[plugins.posts.hosts.localhost]\nallow_private = [\"{}\"]\nbearer = {{ file = \"token\" }}\ntimeout_ms = 3000",
        frameio.address
    ));
    home.install("posts", sample("wasi-http"));
    home.install("healthy", Guest::wanting(&["push"]).component());
    let gateway = Process::start(&home);
    assert_eq!(gateway.slot("posts"), "live", "{}", gateway.why("posts"));
    let echo = format!("{}/echo", frameio.url());
    let own = json!({ "url": echo, "method": "POST", "body": "hello", "headers": { "x-own": "1" } });
    let echoed = told(&gateway, &home, &own);
    assert!(echoed.starts_with("reject: 200 ") && echoed.contains("hello") && echoed.contains("x-own"), "{echoed}");
    assert!(echoed.contains("Bearer ****") && !echoed.contains(TOKEN), "{echoed}");
    let denied = told(&gateway, &home, &json!({ "url": "https://127.0.0.1:1/", "method": "GET" }));
    assert!(denied.starts_with("reject: failed"), "{denied}");
    let label = "plugin=\"posts\",host=\"-\",result=\"denied\"";
    assert_eq!(gateway.metric(&format!("hookgate_outbound_requests_total{{{label}}}")), 1.0);

    assert_bounded(&gateway, &home, &echo);
    let requests = frameio.requests().len();
    let unfinished = told(&gateway, &home, &json!({ "url": echo, "method": "POST", "unfinished": "a beginning" }));
    assert!(unfinished.starts_with("overran: ") && unfinished.contains("call_ms"), "{unfinished}");
    assert_eq!(frameio.requests().len(), requests, "only whole requests are sent");
    frameio.then([Behaviour::Nothing]);
    let never = told(&gateway, &home, &json!({ "url": echo, "method": "GET" }));
    assert!(never.starts_with("reject: failed"), "{never}");
    eventually("the neighbour has done all", || home.ledger().count("healthy", State::Done) == 7);
}

#[test]
fn a_guest_with_too_many_headers_or_requests_is_bounded() {
    let (frameio, home) = start("per_minute = 50", "localhost");
    let nothing = "(i32.const 0) (i32.const 0)";
    let url = format!("{}/echo", frameio.url());
    let send = |headers: &str| {
        format!("(call $send {{GET}} {{{url}}} {headers} {nothing} (i32.const 0) (i64.const 0) (i32.const 512))")
    };
    let tell = "(if (i32.load8_u (i32.const 512)) (then (return (call $reject (i32.load (i32.const 520)) (i32.load (i32.const 524))))))";
    // 32,769 times the same name and value, in memory of their own.
    let many = format!(
        "(local $n i32) (drop (memory.grow (i32.const 16)))
         (loop $next
           (i32.store (i32.add (i32.const 262144) (i32.mul (local.get $n) (i32.const 16))) (local.get $type))
           (i32.store offset=4 (i32.add (i32.const 262144) (i32.mul (local.get $n) (i32.const 16))) (i32.const 1))
           (i32.store offset=8 (i32.add (i32.const 262144) (i32.mul (local.get $n) (i32.const 16))) (local.get $type))
           (i32.store offset=12 (i32.add (i32.const 262144) (i32.mul (local.get $n) (i32.const 16))) (i32.const 1))
           (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 32769))))
         {}{tell}",
        send("(i32.const 262144) (i32.const 32769)")
    );
    let thousand = format!(
        "(local $n i32) (loop $next {}{tell} (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))",
        send(nothing)
    );
    let guest = |code: &str| Guest::wanting(&["push"]).asking_for("host", "*", &[]).handling(code).component();
    home.install("posts", guest(&many));
    let gateway = Process::start(&home);
    let push = |n| {
        gateway.post(&home.sender("github").webhook("push"));
        eventually("it is settled", || home.ledger().count("posts", State::Dead) == n);
        last_why(&home, "posts")
    };
    assert_eq!(push(1), "a request has at most 64 headers and 16384 bytes of them");
    let generation = gateway.plugin("posts")["generation"].clone();
    home.install("posts", guest(&thousand));
    eventually("the new one runs", || gateway.plugin("posts")["generation"] != generation);
    assert_eq!(push(2), "more than 50 requests in a minute (per_minute)");
    assert!(frameio.requests().len() <= 50);
}
