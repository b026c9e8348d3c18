//! Programs with a `main`, over WASI preview 1 and 0.2: what they are given, and what their exit codes mean.

use std::time::Duration;

use hookgate::attempt::Outcome;
use hookgate_tests::bare::{Bare, event, lines};
use wasi_preview1_component_adapter_provider as preview1;
use wit_component::ComponentEncoder;

/// A program that prints its manifest when it is asked for it. Given an event, it prints what it reads, writes these lines
/// to standard error, and ends with this exit code.
fn program(errors: &str, code: u32) -> Vec<u8> {
    let text = include_str!("wasi_command.wat");
    let manifest = r#"{"name":"program","version":"1","subscriptions":["push"]}"#;
    let escaped = |text: &str| text.bytes().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let text = text
        .replace("MANIFEST_LEN", &manifest.len().to_string())
        .replace("MANIFEST", &escaped(manifest))
        .replace("ERRORS_LEN", &errors.len().to_string())
        .replace("ERRORS", &escaped(errors))
        .replace("CODE", &code.to_string());
    wat::parse_str(text).unwrap()
}

/// The same as a component.
fn component(module: &[u8]) -> Vec<u8> {
    let encoder = ComponentEncoder::default().validate(true).module(module).unwrap();
    let (name, adapter) =
        (preview1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, preview1::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER);
    encoder.adapter(name, adapter).unwrap().encode().unwrap()
}

fn outcome(wasm: Vec<u8>) -> Outcome {
    Bare::load(wasm, &[]).unwrap().call(&event("github", "push", "{}")).outcome
}

fn retry(why: &str, after: Option<Duration>) -> Outcome {
    Outcome::Retry { why: why.into(), after }
}

#[test]
fn exit_codes_and_complaints_are_outcomes() {
    let after = Some(Duration::from_secs(90));
    let table = [
        ("", 0, Outcome::Done),
        ("only a warning\n", 0, Outcome::Done),
        ("never: ü\n", 65, Outcome::Reject { why: "never: ü".into() }),
        ("first\nlast\n\n", 3, retry("last", None)),
        ("no end of line", 3, retry("no end of line", None)),
        ("", 3, retry("it ended with 3", None)),
        ("Retry-After: 90\nbusy\n", 75, retry("busy", after)),
        ("busy\nretry-after: 90", 75, retry("busy", after)),
        ("reject: never\n", 1, Outcome::Reject { why: "never".into() }),
    ];
    for (errors, code, expected) in table {
        assert_eq!(outcome(program(errors, code)), expected, "{errors:?} and {code}");
    }
}

#[test]
fn a_component_that_is_a_program_is_run_too() {
    assert_eq!(outcome(component(&program("", 0))), Outcome::Done);
    // Through this adapter a program can say no more than that it failed.
    assert_eq!(outcome(component(&program("later\n", 3))), retry("later", None));
    assert_eq!(outcome(component(&program("reject: never\n", 65))), Outcome::Reject { why: "never".into() });
}

#[test]
fn what_it_reads_is_the_event_as_json() {
    let plugin = Bare::load(program("", 0), &[("a", "b")]).unwrap();
    let mut given = event("github", "push", "{\"n\":1}");
    given.attributes.push(("resource.id".into(), "r1".into()));
    let said = lines(&plugin.call(&given));
    let (level, json) = said[0].split_once(": ").unwrap();
    assert_eq!((level, said.len()), ("info", 1));
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let expected = serde_json::json!({
        "id": given.id.to_string(), "source": "studio", "provider": "github", "type": "push",
        "received_at_ms": 1_767_225_600_123_u64, "attempt": 2, "attributes": {"resource.id": "r1"},
        "settings": {"a": "b"}, "payload": "{\"n\":1}",
    });
    assert_eq!(json, expected);
    let said = lines(&plugin.call(&event("github", "push", [0xff, 0x00])));
    let json: serde_json::Value = serde_json::from_str(said[0].strip_prefix("info: ").unwrap()).unwrap();
    assert_eq!((&json["payload_base64"], &json["payload"]), (&"/wA=".into(), &serde_json::Value::Null));
}

#[test]
fn a_describe_that_says_nothing_of_use_is_told() {
    let silent = wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#).unwrap();
    let refused = Bare::load(silent, &[]).err().unwrap();
    assert!(refused.why.starts_with("its describe does not print the JSON of a manifest"), "{refused}");
    let failing = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 4))))"#,
    );
    let refused = Bare::load(failing.unwrap(), &[]).err().unwrap();
    assert_eq!(refused.why, "its describe ended with 4: it did not say why");
}

#[test]
fn more_than_wasi_is_refused_by_name() {
    let threaded =
        wat::parse_str(r#"(module (import "wasi" "thread-spawn" (func)) (func (export "_start")))"#).unwrap();
    let refused = Bare::load(threaded, &[]).err().unwrap();
    assert_eq!(refused.why, "it is a program that imports wasi.thread-spawn, which this gateway does not offer");
}
