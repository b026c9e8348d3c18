//! Instances that serve several calls: what they keep, when they go, and that they starve nobody.

use hookgate::attempt::Outcome;
use hookgate_tests::bare::{Bare, event, lines, runtime_of};
use hookgate_tests::{Guest, Home, run_hookgate};

/// Rejects with all that its memory remembers: a digit for each call so far. The fifth is a trap.
fn counting() -> Vec<u8> {
    let counts = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (if (i32.eq (global.get $calls) (i32.const 5)) (then unreachable))
         (call $tell_byte (i32.add (i32.const 48) (global.get $calls)))
         (return (call $reject_told))";
    Guest::wanting(&["push"]).with("(global $calls (mut i32) (i32.const 0))").handling(counts).component()
}

fn told(plugin: &Bare, calls: usize) -> Vec<String> {
    let tell = |_| match plugin.call(&event("github", "push", "{}")).outcome {
        Outcome::Reject { why } => why,
        other => other.to_string(),
    };
    (0..calls).map(tell).collect()
}

#[test]
fn a_fresh_instance_remembers_nothing() {
    let plugin = Bare::load(counting(), &[]).unwrap();
    assert_eq!(told(&plugin, 3), ["1", "1", "1"]);
}

#[test]
fn a_warm_instance_remembers_and_goes_at_a_trap() {
    let plugin = Bare::load_reusing(counting(), &[], 1000).unwrap();
    assert_eq!(
        told(&plugin, 6),
        ["1", "12", "123", "1234", "trapped: wasm trap: wasm `unreachable` instruction executed", "1"]
    );
}

#[test]
fn a_warm_instance_serves_no_more_calls_than_it_may() {
    let plugin = Bare::load_reusing(counting(), &[], 2).unwrap();
    assert_eq!(told(&plugin, 5), ["1", "12", "1", "12", "1"]);
}

#[test]
fn instances_that_wait_make_room_for_others() {
    let runtime = runtime_of(2);
    let load = |per_instance| Bare::load_on(runtime.clone(), counting(), &[], per_instance).unwrap();
    let (first, second, fresh) = (load(1000), load(1000), load(1));
    assert_eq!(told(&first, 2), ["1", "12"]);
    assert_eq!(told(&second, 1), ["1"]);
    // Three plugins and two places: the one that has waited longest goes.
    assert_eq!(told(&fresh, 2), ["1", "1"]);
    assert_eq!(told(&second, 1), ["12"]);
    assert_eq!(told(&first, 1), ["1"]);
    // Those of a plugin that is gone are gone too, so nothing has to be let go for a third.
    drop(first);
    assert_eq!(told(&load(1000), 2), ["1", "12"]);
    assert_eq!(told(&second, 1), ["123"]);
}

#[test]
fn a_line_that_one_call_began_is_not_ended_by_the_next() {
    // Writes `who ` and no end of line, by WASI, into the log.
    let writes = "(i32.store (i32.const 0) (i32.const 512)) (i32.store (i32.const 4) (i32.const 4))
         (i32.store (i32.const 512) (i32.const 0x206f6877))
         (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))";
    let plugin = Bare::load_reusing(Guest::wanting(&["push"]).handling(writes).module(), &[], 9).unwrap();
    for _ in 0..3 {
        assert_eq!(lines(&plugin.call(&event("github", "push", "{}"))), ["info: who "]);
    }
}

#[test]
fn many_at_once_find_their_places() {
    let runtime = runtime_of(3);
    let plugins: Vec<Bare> =
        (0..6).map(|nth| Bare::load_on(runtime.clone(), counting(), &[], 1 + nth % 3).unwrap()).collect();
    std::thread::scope(|scope| {
        for plugin in &plugins {
            for _ in 0..2 {
                scope.spawn(move || {
                    for _ in 0..200 {
                        let told = told(plugin, 1).remove(0);
                        assert!(["1", "12", "123"].contains(&&*told), "{told}");
                    }
                });
            }
        }
    });
}

#[test]
fn the_config_says_which_and_a_mistake_is_told() {
    let home = Home::with("plugins.mine.instances = \"warm\"\nplugins.mine.calls_per_instance = 10");
    assert_eq!(run_hookgate(&home, &["check"]).code, 0);
    let table = [
        ("plugins.mine.instances = \"hot\"", "plugins.mine.instances: must be \"fresh\" or \"warm\""),
        ("plugins.mine.calls_per_instance = 10", "plugins.mine.calls_per_instance: goes with instances = \"warm\""),
        (
            "plugins.mine.instances = \"warm\"\nplugins.mine.calls_per_instance = 1",
            "plugins.mine.calls_per_instance: must be from 2 to 1000000",
        ),
    ];
    for (config, told) in table {
        let ran = run_hookgate(&Home::with(config), &["check"]);
        assert_eq!((ran.code, ran.err.contains(told)), (64, true), "{config}: {ran:?}");
    }
}
