//! Files that are no plugins, each told in a sentence that helps. The good one beside them goes on.

use std::time::Duration;

use hookgate_tests::{Gateway, Guest, Home, State, WIT, eventually, eventually_within};

fn good() -> Guest {
    Guest::wanting(&["push"])
}

/// A contract with one more import, and a guest that needs it.
fn with_an_unknown_import() -> Vec<u8> {
    let wit = WIT.replace("import random;", "import random;\n  import mind;").replace(
        "/// A plugin that handles events.",
        "interface mind { read: func() -> u32; }\n/// A plugin that handles events.",
    );
    let import = r#"(import "hookgate:plugin/mind@0.1.0" "read" (func $read (result i32)))"#;
    // Imports come before whatever else a module has.
    let guest = good().built_for(wit).importing(import).handling("(drop (call $read))");
    guest.component()
}

fn exporting(name: &str) -> Vec<u8> {
    wat::parse_str(format!(r#"(component (instance $i) (export "{name}" (instance $i)))"#)).unwrap()
}

/// Bytes without any order, the same each time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Files that cannot run, and what is said of each.
fn no_plugins() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let next = WIT.replace("@0.1.0", "@0.2.0");
    let whole = good().component();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 64].fill(0xee);
    vec![
        ("empty", Vec::new(), "the file is empty"),
        ("text", b"hello, world".to_vec(), "not WebAssembly but text"),
        ("wat", b"(module)".to_vec(), "WebAssembly text"),
        ("program", b"\x7fELF\x02\x01\x01".to_vec(), "a program or compiled code for this machine"),
        ("noise", noise(5000), "not WebAssembly"),
        ("magic-and-noise", [b"\0asm\x0d\0\x01\0".to_vec(), noise(5000)].concat(), "damaged or not whole"),
        ("half", whole[..whole.len() / 2].to_vec(), "damaged or not whole"),
        ("flipped", flipped, ""),
        ("core", wat::parse_str("(module)").unwrap(), "core module that exports nothing"),
        (
            "core-of-another-contract",
            good().built_for(next.clone()).core(),
            "exports hookgate:plugin/handler@0.2.0, and this gateway speaks hookgate:plugin/handler@0.1.0",
        ),
        (
            "nothing",
            wat::parse_str("(component)").unwrap(),
            "exports nothing, and a plugin exports hookgate:plugin/handler@0.1.0",
        ),
        (
            "other-world",
            exporting("acme:tools/thing@1.0.0"),
            "it exports acme:tools/thing@1.0.0, and a plugin exports hookgate:plugin/handler@0.1.0",
        ),
        ("only-the-name", exporting("hookgate:plugin/handler@0.1.0"), "does not fit hookgate:plugin/handler@0.1.0"),
        (
            "next-version",
            good().built_for(next).component(),
            "it speaks hookgate:plugin/handler@0.2.0, and this gateway speaks hookgate:plugin/handler@0.1.0",
        ),
        (
            "unknown-import",
            with_an_unknown_import(),
            "it imports hookgate:plugin/mind@0.1.0, which this gateway does not offer",
        ),
    ]
}

#[test]
fn a_file_that_is_no_plugin_is_broken_with_a_sentence_and_harms_nobody() {
    let home = Home::new();
    let table = no_plugins();
    home.install("good", good().component());
    for (name, bytes, _) in &table {
        home.install(name, bytes);
    }
    let gateway = Gateway::start(&home);
    for (name, _, why) in &table {
        assert_eq!(gateway.slot(name), "broken", "{name}");
        let told = gateway.why(name);
        assert!(told.contains(why) && !told.is_empty(), "{name}: {told}");
    }
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("the good one does it", || home.ledger().state("good", &id) == Some(State::Done));
}

#[test]
fn a_file_that_is_no_plugin_leaves_the_old_code_running() {
    let home = Home::new();
    home.install("worker", good().component());
    let gateway = Gateway::start(&home);
    for (name, bytes, why) in no_plugins() {
        home.install("worker", &bytes);
        eventually_within(Duration::from_secs(20), name, || {
            gateway.slot("worker") == "stale" && gateway.why("worker").contains(why)
        });
    }
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("the old one does it", || home.ledger().state("worker", &id) == Some(State::Done));
}

#[test]
fn wherever_a_file_is_cut_off_it_is_broken() {
    let home = Home::new();
    let whole = good().component();
    let cut = |nth: usize| whole.len() * nth / 50;
    for nth in 0..50 {
        home.install(&format!("cut-{nth}"), &whole[..cut(nth)]);
    }
    home.install("good", &whole);
    let gateway = Gateway::start(&home);
    for nth in 0..50 {
        let name = format!("cut-{nth}");
        assert_eq!(gateway.slot(&name), "broken", "cut off after {} of {} bytes", cut(nth), whole.len());
        assert!(!gateway.why(&name).is_empty());
    }
    assert_eq!(gateway.slot("good"), "live");
}

#[test]
fn a_later_patch_of_the_contract_is_spoken_too() {
    let home = Home::new();
    let later = good().built_for(WIT.replace("@0.1.0", "@0.1.7"));
    home.install("later", later.handling("(call $log (i32.const 2) {hello})").component());
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("later"), "live", "{}", gateway.why("later"));
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it does it", || home.ledger().state("later", &id) == Some(State::Done));
}

#[test]
fn more_exports_than_ours_are_no_mistake() {
    let home = Home::new();
    let wit = WIT.replace("export handler;", "export handler;\n  export init: func();");
    home.install("more", good().built_for(wit).with(r#"(func (export "init"))"#).component());
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("more"), "live", "{}", gateway.why("more"));
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let home = Home::with("limits.plugin_bytes = 5000");
    home.install("small", &good().component()[..]);
    home.install("large", [good().component(), vec![0; 5000]].concat());
    assert!(good().component().len() < 5000);
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("small"), "live", "{}", gateway.why("small"));
    assert_eq!(gateway.slot("large"), "broken");
    assert!(gateway.why("large").contains("plugin_bytes"), "{}", gateway.why("large"));
}

#[test]
fn a_name_that_is_none_is_told_and_other_files_are_left_alone() {
    let home = Home::new();
    for name in ["Upper.wasm", "has space.wasm", "good.wasm", "notes.txt", "backup.wasm.bak", ".hidden.draft"] {
        std::fs::write(home.plugins().join(name), good().component()).unwrap();
    }
    std::fs::create_dir(home.plugins().join("folder.wasm")).unwrap();
    std::os::unix::fs::symlink("nowhere", home.plugins().join("dangling.wasm")).unwrap();
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("good"), "live");
    for name in ["Upper", "has space"] {
        assert_eq!(gateway.slot(name), "broken");
        assert!(gateway.why(name).contains("lower-case letters"), "{}", gateway.why(name));
    }
    assert_eq!(gateway.slot("folder"), "broken");
    let status = gateway.status();
    let names: Vec<_> =
        status["plugins"].as_array().unwrap().iter().map(|plugin| plugin["name"].as_str().unwrap()).collect();
    assert!(!names.contains(&"notes") && !names.contains(&"backup"), "{names:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_runs_once_it_can() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.install("locked", good().component());
    let allow = |mode| std::fs::set_permissions(home.plugin("locked"), std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    if std::fs::read(home.plugin("locked")).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("locked"), "broken");
    assert!(gateway.why("locked").contains("cannot read its file"), "{}", gateway.why("locked"));
    allow(0o644);
    eventually_within(Duration::from_secs(20), "it is live", || gateway.slot("locked") == "live");
}
