//! The commands, as a user types them: what they print, what they leave behind, and how they end.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use hookgate::provider::catalogue;
use hookgate_tests::{
    Guest, Home, Process, Ran, Webhook, eventually, exchange, from_environment, run_hookgate, spawn_hookgate,
};
use serde_json::Value;

pub(crate) const FAILED: i32 = 1;
pub(crate) const BAD_USAGE: i32 = 64;

pub(crate) fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Asserts that a command ended so and said all of this to standard error.
pub(crate) fn assert_fails(ran: &Ran, code: i32, told: &[&str]) {
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
    assert_fails(&again, FAILED, &["new/hookgate.toml and new/.env are there already", "`hookgate check`"]);
    assert_eq!(std::fs::read_to_string(new.join(".env")).unwrap(), secrets);
    assert_eq!(std::fs::read_to_string(new.join("hookgate.toml")).unwrap(), config);
}

#[test]
fn init_writes_the_secrets_that_a_config_names_where_they_are_missing() {
    let home = Home::new();
    let config = "[server]\nadmin_token = { env = \"ADMIN\" }
        [sources.app]\nprovider = \"discord\"\nsecrets = [{ env = \"APP\" }, { file = \"old\" }]
        [sources.cloud]\nprovider = \"aws-sns\"\nsecrets = [{ env = \"TOPIC\" }]
        [sources.pages]\nprovider = \"meta\"\nsecrets = [{ env = \"PAGES\" }]\nverify_token = { env = \"SHOWN\" }
        [sources.shop]\nprovider = \"standard-webhooks\"\nsecrets = [{ env = \"SHOP\" }, { env = \"PAGES\" }]
        [plugins.comment.hosts.\"api.frame.io\"]\nbearer = { env = \"FRAMEIO_TOKEN\" }\n";
    std::fs::create_dir(home.path().join("mine")).unwrap();
    home.write("mine/hookgate.toml", config);
    home.write("mine/old", &"0".repeat(64));

    let ran = run_hookgate(&home, &["init", "mine"]);

    assert_eq!(ran.code, 0, "{ran:?}");
    for line in ["kept  mine/hookgate.toml\n", "wrote mine/.env: ", "no value for TOPIC, FRAMEIO_TOKEN: yours to say\n"]
    {
        assert!(ran.out.contains(line), "{line:?} is not in\n{}", ran.out);
    }
    assert_eq!(std::fs::read_to_string(home.path().join("mine/hookgate.toml")).unwrap(), config);
    let env = std::fs::read_to_string(home.path().join("mine/.env")).unwrap();
    let names: Vec<&str> = env.lines().skip(1).map(|line| line.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["APP", "PAGES", "SHOWN", "SHOP", "ADMIN", "# TOPIC", "# FRAMEIO_TOKEN"]);
    assert!(env.contains("\nAPP=seed:") && env.contains("\nSHOP=whsec_"), "{env}");
    let given = "TOPIC=arn:aws:sns:us-east-1:123456789012:topic\nFRAMEIO_TOKEN=a-token-of-theirs\n";
    home.write("mine/.env", &format!("{env}{given}"));
    let checked = run_hookgate(&home, &["check", "--config", "mine/hookgate.toml"]);
    assert_eq!(checked.code, 0, "{checked:?}");

    home.write("mine/hookgate.toml", "[server\n");
    std::fs::remove_file(home.path().join("mine/.env")).unwrap();
    assert_fails(&run_hookgate(&home, &["init", "mine"]), BAD_USAGE, &["mine/hookgate.toml", "line 1"]);
    assert!(!home.path().join("mine/.env").exists());
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
