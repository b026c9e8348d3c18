//! The contract with plugins, passed by one and the same plugin in every language (`tests/contract`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hookgate::attempt::Outcome;
use hookgate::event::Event;
use hookgate::runtime::Called;
use hookgate_tests::bare::{Bare, event, lines};
use hookgate_tests::{sample, skipped};

/// A plugin that every language has, and what is so for all of them.
struct Contract {
    fresh: Bare,
    warm: Bare,
}

/// One test a language. Each loads its plugin once: a script's interpreter is large.
macro_rules! languages {
    ($($language:ident $guest:literal needs $toolchain:literal;)*) => {
        $(
            #[test]
            fn $language() {
                if !skipped($toolchain) {
                    Contract::load($guest).holds();
                }
            }
        )*
    };
}

languages! {
    rust "contract-rust" needs "rust";
    javascript "contract-javascript" needs "javascript";
    javascript_in_starlingmonkey "contract-starlingmonkey" needs "javascript";
    python "contract-python" needs "python";
    go "contract-go" needs "go";
    c "contract-c" needs "zig";
    cpp "contract-cpp" needs "zig";
    zig "contract-zig" needs "zig";
    assemblyscript "contract-assemblyscript" needs "javascript";
    wasi_command "contract-command" needs "go";
}

const GREETING: (&str, &str) = ("greeting", "grüße 日本");

impl Contract {
    fn load(guest: &str) -> Contract {
        let load = |settings: &[_], per_instance| {
            Bare::load_reusing(sample(guest), settings, per_instance).unwrap_or_else(|why| panic!("{guest}: {why}"))
        };
        Contract { fresh: load(&[], 1), warm: load(&[GREETING], 1000) }
    }

    fn holds(&self) {
        self.describes();
        // A second round finds instances that were called before.
        for _ in 0..2 {
            for plugin in [&self.fresh, &self.warm] {
                fields_are_typed(plugin);
                handlers_are_found(plugin);
                lines_have_levels(plugin);
                failures_are_told(plugin);
                bodies_arrive_whole(plugin);
                time_and_chance_are_real(plugin);
            }
        }
        assert_eq!(done(&self.fresh, "contract.setting", ""), ["info: greeting=hello missing="]);
        assert_eq!(done(&self.warm, "contract.setting", ""), ["info: greeting=grüße 日本 missing="]);
    }

    fn describes(&self) {
        let manifest = &self.fresh.plugin().manifest;
        assert!(manifest.name.starts_with("contract"), "{}", manifest.name);
        assert_eq!(manifest.version, "1.2.3");
        let mut wants: Vec<String> = manifest.subscriptions.iter().map(ToString::to_string).collect();
        wants.sort();
        let expected = [
            "contract.clock",
            "contract.fields",
            "contract.log",
            "contract.one",
            "contract.payload",
            "contract.random",
            "contract.reject",
            "contract.retry",
            "contract.retry-after",
            "contract.setting",
            "contract.text",
            "contract.trap",
            "contract.two",
            "contract.wild.*",
            "github:contract.from",
        ];
        assert_eq!(wants, expected);
        let mut asks: Vec<_> =
            manifest.settings.iter().map(|ask| (&*ask.key, ask.default.as_deref(), &*ask.about)).collect();
        asks.sort();
        assert_eq!(asks, [("greeting", Some("hello"), "What it says."), ("missing", Some(""), "")]);
    }
}

fn call(plugin: &Bare, event: &Event) -> Called {
    plugin.call(event)
}

/// The lines of a call that must end well.
fn done(plugin: &Bare, event_type: &str, payload: impl Into<Vec<u8>>) -> Vec<String> {
    let called = call(plugin, &event("frameio", event_type, payload));
    assert_eq!(called.outcome, Outcome::Done, "{event_type}: {:?}", lines(&called));
    lines(&called)
}

fn outcome(plugin: &Bare, event: &Event) -> Outcome {
    call(plugin, event).outcome
}

fn fields_are_typed(plugin: &Bare) {
    let mut given = event("frameio", "contract.fields", "{}");
    let id = given.id.to_string();
    let none = format!(
        "info: fields {id} studio frameio contract.fields 1767225600123 2 none none none none none none none none"
    );
    assert_eq!(lines(&call(plugin, &given)), [none]);
    for (name, value) in [
        ("workspace.id", "w1"),
        ("resource.id", "ü 日本"),
        ("resource.type", "file"),
        ("account.id", "a1"),
        ("user.id", "u1"),
        ("project.id", "p1"),
        ("custom", "c1"),
    ] {
        given.attributes.push((name.into(), value.into()));
    }
    let all =
        format!("info: fields {id} studio frameio contract.fields 1767225600123 2 ü 日本 file a1 u1 p1 w1 c1 none");
    assert_eq!(lines(&call(plugin, &given)), [all]);
}

fn handlers_are_found(plugin: &Bare) {
    for event_type in ["contract.one", "contract.two"] {
        assert_eq!(done(plugin, event_type, "{}"), [format!("info: several {event_type}")]);
    }
    for event_type in ["contract.wild.one", "contract.wild.", "contract.wild.one.two"] {
        assert_eq!(done(plugin, event_type, "{}"), [format!("info: wild {event_type}")]);
    }
    assert_eq!(lines(&call(plugin, &event("github", "contract.from", "{}"))), ["info: from github"]);
    for unheard in [event("frameio", "contract.from", "{}"), event("frameio", "contract.wildish", "{}")] {
        let told = outcome(plugin, &unheard);
        assert!(matches!(told, Outcome::Reject { .. }), "{}: {told}", unheard.event_type);
    }
}

fn lines_have_levels(plugin: &Bare) {
    let expected =
        ["debug: a debug line", "info: an info line", "warn: a warning", "error: an error", "info: grüße 日本 🎬"];
    assert_eq!(done(plugin, "contract.log", "{}"), expected);
}

fn failures_are_told(plugin: &Bare) {
    let told = |event_type| outcome(plugin, &event("frameio", event_type, "{}"));
    assert_eq!(told("contract.reject"), Outcome::Reject { why: "never: ü".into() });
    match told("contract.retry") {
        Outcome::Retry { why, after: None } => assert!(why.contains("later: ü"), "{why}"),
        other => panic!("it should be tried again: {other}"),
    }
    let after = Some(Duration::from_secs(90));
    assert_eq!(told("contract.retry-after"), Outcome::Retry { why: "busy".into(), after });
    let bug = told("contract.trap");
    assert!(matches!(bug, Outcome::Trapped { .. } | Outcome::Retry { .. }), "{bug}");
}

fn bodies_arrive_whole(plugin: &Bare) {
    let large: Vec<u8> = (0..1 << 20).map(|n: u32| (n % 251) as u8).collect();
    for body in [Vec::new(), vec![0], vec![0xff, 0xfe, 0, 0x80, b'\n'], "ü".into(), large] {
        let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
        let expected = format!("info: payload {} {sum}", body.len());
        assert_eq!(done(plugin, "contract.payload", body), [expected]);
    }
    assert_eq!(done(plugin, "contract.text", "grüße 日本 🎬"), ["info: text grüße 日本 🎬"]);
    assert_eq!(done(plugin, "contract.text", "")[0].trim_end(), "info: text");
    match outcome(plugin, &event("frameio", "contract.text", [b'a', 0xff])) {
        Outcome::Reject { why } => assert!(why.contains("UTF-8"), "{why}"),
        other => panic!("what is not text should be rejected: {other}"),
    }
}

fn time_and_chance_are_real(plugin: &Bare) {
    let word = |event_type: &str, prefix: &str| {
        let told = done(plugin, event_type, "{}").remove(0);
        told.strip_prefix(prefix).unwrap_or_else(|| panic!("{told} does not begin with {prefix}")).to_owned()
    };
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let before = now();
    let told: i64 = word("contract.clock", "info: clock ").parse().unwrap();
    assert!((before - 1000..=now() + 1000).contains(&told), "{told} is not between {before} and {}", now());
    let random = || word("contract.random", "info: random ");
    assert_ne!(random(), random());
}
