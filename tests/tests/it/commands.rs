//! The commands, as a user types them: what they print, what they leave behind, and how they end.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use hookgate::provider::catalogue;
use hookgate_tests::{
    Guest, Home, Process, Ran, State, Webhook, eventually, exchange, from_environment, run_hookgate, spawn_hookgate,
};
use serde_json::Value;

const FAILED: i32 = 1;
const BAD_USAGE: i32 = 64;

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Asserts that a command ended so and said all of this to standard error.
fn assert_fails(ran: &Ran, code: i32, told: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    for words in told {
        assert!(ran.err.contains(words), "{words:?} is not in\n{}", ran.err);
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    let home = Home::new();
    for command in ["init", "serve", "check", "send", "try", "providers"] {
        let ran = run_hookgate(&home, &[command, "--help"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains(&format!("Example:  hookgate {command}")), "{}", ran.out);
    }
    let all = run_hookgate(&home, &["--help"]);
    assert!(all.out.contains("hookgate init && hookgate serve"), "{}", all.out);
    assert!(run_hookgate(&home, &["--version"]).out.starts_with("hookgate "));
}

#[test]
fn words_that_are_not_known_are_bad_usage() {
    let home = Home::new();
    for words in [&["sevre"][..], &["serve", "--lisen", "x"], &["send"], &["serve", "--listen", "here"], &[]] {
        assert_eq!(run_hookgate(&home, words).code, BAD_USAGE, "{words:?}");
    }
}

#[test]
fn init_writes_all_that_a_first_start_needs_and_overwrites_nothing() {
    let home = Home::new();
    let ran = run_hookgate(&home, &["init", "new"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("next:  cd new && hookgate serve"), "{}", ran.out);
    let new = home.path().join("new");
    assert!(new.join("plugins").is_dir());
    assert_eq!(std::fs::metadata(new.join(".env")).unwrap().permissions().mode() & 0o777, 0o600);
    let secrets = std::fs::read_to_string(new.join(".env")).unwrap();
    let config = std::fs::read_to_string(new.join("hookgate.toml")).unwrap();
    let values: Vec<&str> = secrets.lines().filter_map(|line| line.split_once('=')).map(|(_, value)| value).collect();
    assert!(values.len() >= 4 && values.iter().all(|value| value.len() >= 32 && !config.contains(value)));

    let checked = run_hookgate(&home, &["check", "--config", "new/hookgate.toml"]);
    assert_eq!(checked.code, 0, "{checked:?}");

    let again = run_hookgate(&home, &["init", "new"]);
    assert_fails(&again, FAILED, &["new/hookgate.toml"]);
    assert_eq!(std::fs::read_to_string(new.join(".env")).unwrap(), secrets);
    assert_eq!(std::fs::read_to_string(new.join("hookgate.toml")).unwrap(), config);
}

#[test]
fn two_inits_share_no_secret() {
    let home = Home::new();
    let secrets = |folder: &str| {
        run_hookgate(&home, &["init", folder]);
        std::fs::read_to_string(home.path().join(folder).join(".env")).unwrap()
    };
    let (one, two) = (secrets("one"), secrets("two"));
    let values =
        |text: &str| text.lines().filter_map(|line| Some(line.split_once('=')?.1.to_owned())).collect::<Vec<_>>();
    assert!(values(&one).iter().all(|value| !two.contains(value)));
}

#[test]
fn check_tells_that_all_is_well() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).version("3.2.1").component());
    let ran = run_hookgate(&home, &["check"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for expected in
        ["hookgate.toml is fine: 4 sources", "github with 1 secret", "worker", "live", "3.2.1", "wants push"]
    {
        assert!(ran.out.contains(expected), "{expected:?} is not in\n{}", ran.out);
    }
    let told = json(&run_hookgate(&home, &["check", "--json"]));
    assert_eq!(told[0]["slot"], "live");
    assert!(!home.data().exists(), "nothing is left behind");
}

#[test]
fn check_tells_of_every_broken_plugin_and_fails() {
    let home = Home::new();
    home.install("good", Guest::wanting(&["push"]).component());
    home.install("half", &Guest::wanting(&["push"]).component()[..300]);
    home.install("text", "hello");
    let ran = run_hookgate(&home, &["check"]);
    assert_eq!(ran.code, FAILED, "{ran:?}");
    for expected in ["not WebAssembly but text", "damaged or not whole", "live"] {
        assert!(ran.out.contains(expected), "{expected:?} is not in\n{}", ran.out);
    }
}

#[test]
fn every_mistake_of_a_config_is_told_at_once_by_check_and_serve_alike() {
    let home = Home::new();
    home.configure(
        "limits.call_mss = 5\nlimits.cpu_ms = 0\nsources.github.provider = \"gitub\"\n
         sources.soundhash.secrets = [{ env = \"NOT_SET_ANYWHERE\" }]\nserver.admin = \"0.0.0.0:0\"",
    );
    for command in ["check", "serve"] {
        let told = [
            "hookgate.toml has mistakes",
            "limits.call_mss: is no key that there is; did you mean `call_ms`?",
            "limits.cpu_ms: 0 is out of range",
            "sources.github.provider: there is no `gitub`; did you mean `github`?",
            "sources.soundhash.secrets[0].env: the variable NOT_SET_ANYWHERE is not set",
            "server.admin: is open to others, so it needs a token",
        ];
        assert_fails(&run_hookgate(&home, &[command]), BAD_USAGE, &told);
    }
}

#[test]
fn a_config_that_is_not_there_or_not_toml_is_bad_usage() {
    let home = Home::new();
    assert_fails(
        &run_hookgate(&home, &["serve", "--config", "nowhere.toml"]),
        BAD_USAGE,
        &["nowhere.toml", "hookgate init"],
    );
    home.write("hookgate.toml", "[server\n");
    assert_fails(&run_hookgate(&home, &["serve"]), BAD_USAGE, &["hookgate.toml", "line 1"]);
}

#[test]
fn serve_refuses_a_port_in_use_and_a_folder_that_is_missing() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().map(|address| address.to_string()).unwrap();
    let holder = TcpListener::bind(&taken).unwrap();
    assert_fails(
        &run_hookgate(&home, &["serve", "--listen", &taken]),
        FAILED,
        &["cannot listen on", &taken, "--listen"],
    );
    assert_fails(&run_hookgate(&home, &["serve", "--admin", &taken]), FAILED, &["cannot listen on", &taken, "--admin"]);
    drop(holder);
    let missing = run_hookgate(&home, &["serve", "--plugins", "nowhere"]);
    assert_fails(&missing, FAILED, &["plugins folder nowhere", "plugins_dir"]);
    let not_a_folder = run_hookgate(&home, &["serve", "--data", "hookgate.toml"]);
    assert_fails(&not_a_folder, FAILED, &["data folder hookgate.toml"]);
}

#[test]
fn serve_prints_every_address_source_and_plugin() {
    let home = Home::new();
    home.install("good", Guest::wanting(&["push"]).component());
    home.install("text", "hello");
    let gateway = Process::start(&home);
    let printed = gateway.printed();
    for expected in [
        format!("hooks   http://{}/hooks/{{frameio,github,soundhash,standard}}", gateway.hooks),
        format!("admin   http://{}", gateway.admin),
        "plugins good live, text broken".to_owned(),
    ] {
        assert!(printed.contains(&expected), "{expected:?} is not in\n{printed}");
    }
}

#[test]
fn send_signs_as_the_sender_does_and_prints_the_answer() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["*"]).component());
    let gateway = Process::start(&home);
    for (source, event_type) in
        [("frameio", "file.ready"), ("github", "push"), ("soundhash", "match.found"), ("standard", "invoice.paid")]
    {
        let to = format!("http://{}/hooks/{source}", gateway.hooks);
        let ran = run_hookgate(&home, &["send", source, event_type, "--to", &to]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(
            ran.out.starts_with("200 {\"id\":\"evt_")
                && ran.out.contains("\"duplicate\":false")
                && ran.out.contains(" in "),
            "{}",
            ran.out
        );
    }
    let to = format!("http://{}/hooks/github", gateway.hooks);
    let told = json(&run_hookgate(&home, &["send", "github", "push", "--to", &to, "--json"]));
    assert_eq!(told["status"], 200);
    let id = told["answer"]["id"].as_str().unwrap();
    eventually("it is done", || home.ledger().state("worker", id) == Some(State::Done));
}

#[test]
fn send_sends_many_and_verifies_every_answer() {
    let home = Home::new();
    let gateway = Process::start(&home);
    let to = format!("http://{}/hooks/frameio", gateway.hooks);
    let words = ["send", "frameio", "file.ready", "--to", &to, "--count", "200", "--at-once", "8"];
    let ran = run_hookgate(&home, &words);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("200 accepted, 0 duplicates, 0 refused, 0 unanswered"), "{}", ran.out);
    assert_eq!(home.ledger().events(), 200);
    // Run after run in the same second, each is a new event.
    for run in 1..=4 {
        let words = ["send", "frameio", "file.ready", "--to", &to, "--count", "3", "--rate", "500", "--json"];
        let told = json(&run_hookgate(&home, &words));
        assert_eq!((&told["accepted"], &told["duplicates"]), (&3.into(), &0.into()), "run {run}: {told}");
    }
}

#[test]
fn send_fails_where_the_gateway_does_not_take_it() {
    let home = Home::new();
    let gateway = Process::start(&home);
    let to = format!("http://{}/hooks/github", gateway.hooks);
    let refused = run_hookgate(&home, &["send", "frameio", "file.ready", "--to", &to]);
    assert_eq!(refused.code, FAILED);
    assert!(refused.out.starts_with("401 "), "{refused:?}");
    gateway.kill();
    assert_fails(&run_hookgate(&home, &["send", "github", "push", "--to", &to]), FAILED, &["is the gateway running"]);
    assert_fails(
        &run_hookgate(&home, &["send", "gitub", "push"]),
        BAD_USAGE,
        &["there is no source `gitub`", "github"],
    );
    assert_fails(&run_hookgate(&home, &["send", "frameio", "file.redy"]), BAD_USAGE, &["file.redy", "file.ready"]);
}

#[test]
fn send_takes_a_body_of_ones_own() {
    let home = Home::new();
    home.install("teller", Guest::telling(&["*"]).component());
    let gateway = Process::start(&home);
    home.write("body.json", r#"{"type":"mine.own","n":1}"#);
    let to = format!("http://{}/hooks/frameio", gateway.hooks);
    let ran = run_hookgate(&home, &["send", "frameio", "mine.own", "--to", &to, "--body", "body.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    eventually("it was told", || {
        home.ledger().attempts("teller").iter().any(|one| one.why.ends_with(r#"[{"type":"mine.own","n":1}]"#))
    });
    let other = run_hookgate(&home, &["send", "frameio", "not.this", "--to", &to, "--body", "body.json"]);
    assert_fails(&other, BAD_USAGE, &["the body is of type `mine.own`, not `not.this`"]);
}

#[test]
fn try_runs_a_plugin_once_and_tells_all_about_it() {
    let home = Home::new();
    let guest = Guest::wanting(&["push"]).version("3.2.1").asking("mood", Some("fine"));
    home.install("worker", guest.clone().handling("(call $log (i32.const 2) {hello})").component());
    let ran = run_hookgate(&home, &["try", "plugins/worker.wasm", "push"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for expected in ["3.2.1", "wants push", "asks for the setting mood (default \"fine\")", "info  hello", "done in "] {
        assert!(ran.out.contains(expected), "{expected:?} is not in\n{}", ran.out);
    }
    let told = json(&run_hookgate(&home, &["try", "plugins/worker.wasm", "--times", "20", "--json"]));
    assert_eq!((&told["outcome"], &told["times"], &told["event_type"]), (&"done".into(), &20.into(), &"push".into()));
    assert_eq!(told["lines"][0]["message"], "hello");
    assert!(!home.data().exists(), "nothing is left behind");
}

#[test]
fn try_fails_where_the_plugin_does() {
    let home = Home::new();
    home.install("bad", Guest::wanting(&["push"]).handling("unreachable").component());
    home.install("text", "hello");
    let trapped = run_hookgate(&home, &["try", "plugins/bad.wasm"]);
    assert_eq!(trapped.code, FAILED);
    assert!(trapped.out.contains("trapped: "), "{trapped:?}");
    assert_fails(
        &run_hookgate(&home, &["try", "plugins/text.wasm"]),
        FAILED,
        &["text.wasm is no plugin", "not WebAssembly but text"],
    );
    assert_fails(&run_hookgate(&home, &["try", "plugins/none.wasm"]), FAILED, &["cannot read plugins/none.wasm"]);
}

#[test]
fn providers_lists_and_teaches() {
    let home = Home::new();
    let all = run_hookgate(&home, &["providers"]);
    for name in catalogue::names() {
        assert!(all.out.contains(name), "{}", all.out);
        let one = run_hookgate(&home, &["providers", name]);
        assert_eq!(one.code, 0);
        for expected in ["signature", "signed", "[sources.", "secrets = [", "hookgate send"] {
            assert!(one.out.contains(expected), "{expected:?} is not in\n{}", one.out);
        }
    }
    assert_eq!(json(&run_hookgate(&home, &["providers", "--json"])).as_array().unwrap().len(), 20);
    json(&run_hookgate(&home, &["providers", "github", "--json"]));
    assert_fails(&run_hookgate(&home, &["providers", "gitub"]), BAD_USAGE, &["did you mean `github`?"]);
}

/// `hookgate providers --markdown > docs/providers.md` writes it anew.
#[test]
fn the_page_of_providers_says_what_the_catalogue_says() {
    let page = run_hookgate(&Home::new(), &["providers", "--markdown"]).out;
    let written = include_str!("../../../docs/providers.md");
    assert!(page == written, "docs/providers.md is not what `hookgate providers --markdown` prints");
    let readme = include_str!("../../../README.md");
    for name in catalogue::names() {
        assert!(readme.contains(&format!("| [{name}](docs/providers.md#{name}) |")), "README says nothing of {name}");
    }
}

#[test]
fn what_a_provider_teaches_can_be_copied_into_a_config() {
    let home = Home::new();
    let one = run_hookgate(&home, &["providers", "standard-webhooks"]).out;
    let from = one.find("[sources.").unwrap();
    let section: String = one[from..]
        .lines()
        .take_while(|line| !line.trim().is_empty())
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    home.write("hookgate.toml", &section);
    home.write(".env", "STANDARD_WEBHOOKS_SECRET=whsec_c2VjcmV0\n");
    let ran = run_hookgate(&home, &["check"]);
    assert_eq!(ran.code, 0, "{ran:?}\n{section}");
}

#[test]
fn try_does_it_again_at_each_change_of_the_file() {
    let home = Home::new();
    let version = |version: &str| Guest::wanting(&["push"]).version(version).component();
    home.install("mine", version("1.0.0"));
    let mut trying = spawn_hookgate(&home, &["try", "plugins/mine.wasm", "push", "--watch"]);
    let mut lines = BufReader::new(trying.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut until_it_waits = || lines.by_ref().take_while(|line| !line.starts_with("-- waiting")).collect::<String>();
    let first = until_it_waits();
    assert!(first.contains("guest 1.0.0") && first.contains("done in"), "{first}");
    home.install("mine", "no plugin any more");
    let broken = until_it_waits();
    assert!(broken.contains("not WebAssembly but text"), "{broken}");
    home.install("mine", version("2.0.0"));
    let second = until_it_waits();
    assert!(second.contains("guest 2.0.0") && second.contains("done in"), "{second}");
    trying.kill().unwrap();
    trying.wait().unwrap();
}

#[test]
fn a_gateway_whose_log_nobody_reads_any_more_takes_webhooks_and_stops() {
    let home = Home::new();
    let mut command = std::process::Command::new(from_environment("HOOKGATE_BIN"));
    command.args(["serve"]).current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut gateway = command.spawn().unwrap();
    drop(gateway.stderr.take());
    let mut lines = BufReader::new(gateway.stdout.take().unwrap()).lines().map(Result::unwrap);
    let hooks = lines.find(|line| line.trim_start().starts_with("hooks")).unwrap();
    let address = hooks.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    let post = |webhook: Webhook| exchange(address, &webhook.request()).unwrap().map(|answer| answer.status);
    // What is refused is logged.
    assert_eq!(post(home.sender("github").webhook("push").without("x-hub-signature-256")), Some(401));
    assert_eq!(post(home.sender("github").webhook("push")), Some(200));
    rustix::process::kill_process(rustix::process::Pid::from_child(&gateway), rustix::process::Signal::TERM).unwrap();
    eventually("it stops", || gateway.try_wait().unwrap().is_some());
    assert!(gateway.wait().unwrap().success());
}
