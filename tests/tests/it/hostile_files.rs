//! Files of every kind, cut off, altered, made up or huge: each is taken or refused with a sentence, and nothing else happens.

use std::time::Duration;

use arbitrary::Unstructured;
use hookgate_tests::bare::{Bare, event};
use hookgate_tests::{Gateway, Guest, Home, eventually_within};

/// One of each kind of file that is taken.
fn kinds() -> [(&'static str, Vec<u8>); 5] {
    let guest = Guest::wanting(&["push"]);
    [
        ("a component", guest.component()),
        ("a module with its component type", guest.module()),
        ("a module with the contract's names", guest.core()),
        ("a module with short names", short_names()),
        ("a command", command()),
    ]
}

fn short_names() -> Vec<u8> {
    Guest::wanting(&["push"]).core_with_short_names()
}

fn command() -> Vec<u8> {
    let manifest = r#"{\22name\22:\22command\22,\22version\22:\221\22,\22subscriptions\22:[\22push\22]}"#;
    let length = manifest.replace(r"\22", "\"").len();
    let text = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\{length:02x}\00\00\00")
            (data (i32.const 16) "{manifest}")
            (func (export "_start")
              (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    );
    wat::parse_str(text).unwrap()
}

/// What comes of a file. One that is refused is refused with a sentence.
fn is_taken(what: &str, bytes: Vec<u8>) -> bool {
    match Bare::load(bytes, &[]) {
        Ok(plugin) => {
            // Whatever it does, it comes to an end.
            plugin.call(&event("github", "push", "{}"));
            true
        }
        Err(refused) => {
            assert!(refused.why.len() > 10 && !refused.passing, "{what}: {refused:?}");
            assert!(!refused.why.contains("panicked"), "{what}: {refused:?}");
            false
        }
    }
}

/// Numbers without any order, the same each time (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn every_kind_is_taken_whole() {
    for (kind, whole) in kinds() {
        assert!(is_taken(kind, whole), "{kind}");
    }
}

#[test]
fn every_kind_is_refused_wherever_it_is_cut_off() {
    for (kind, whole) in kinds() {
        for nth in 0..200 {
            let len = whole.len() * nth / 200;
            let cut = format!("{kind} of {} bytes, cut off after {len}", whole.len());
            let taken = is_taken(&cut, whole[..len].to_vec());
            assert!(!taken || is_whole(&whole, len), "{cut}, was taken");
        }
    }
}

/// Whether nothing but custom sections, which hold names and the like, comes after so many bytes.
fn is_whole(file: &[u8], len: usize) -> bool {
    let (mut at, mut last_of_code) = (8, 8);
    while at < file.len() {
        let (id, mut size, mut shift) = (file[at], 0_usize, 0);
        at += 1;
        loop {
            let byte = file[at];
            at += 1;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        at += size;
        if id != 0 {
            last_of_code = at;
        }
    }
    len >= last_of_code
}

#[test]
fn altered_files_do_no_harm() {
    let mut noise = Noise(0x5eed_0001);
    let mut refused = 0;
    for nth in 0..230 {
        let (kind, mut bytes) = kinds().into_iter().nth(nth % 5).unwrap();
        for _ in 0..1 + noise.below(6) {
            let at = noise.below(bytes.len());
            match noise.below(4) {
                0 => bytes[at] ^= 1 << noise.below(8),
                1 => bytes[at] = noise.next() as u8,
                2 => drop(bytes.drain(at..(at + noise.below(16)).min(bytes.len()))),
                _ => drop(bytes.splice(at..at, noise.bytes(8))),
            }
        }
        refused += usize::from(!is_taken(&format!("{kind}, altered ({nth})"), bytes));
    }
    assert!(refused > 100, "only {refused} of 230 were refused: were they altered?");
}

/// A component that has a core module in it, and nothing else.
fn in_component(module: &[u8]) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0\x01".to_vec();
    let mut left = module.len();
    while left >= 0x80 {
        component.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    component.push(left as u8);
    component.extend_from_slice(module);
    component
}

#[test]
fn made_up_modules_and_components_are_no_plugins() {
    let mut noise = Noise(0x5eed_0002);
    let mut made = 0;
    while made < 225 {
        let seed = noise.bytes(2048);
        let mut from = Unstructured::new(&seed);
        let config = wasm_smith::Config { allow_start_export: true, ..wasm_smith::Config::default() };
        let bytes = match made % 3 {
            0 => wasm_smith::Module::new(config, &mut from).map(|module| module.to_bytes()),
            // In a component, so that it comes as far as the compiler.
            1 => wasm_smith::Module::new(config, &mut from).map(|module| in_component(&module.to_bytes())),
            _ => wasm_smith::Component::new(config, &mut from).map(|component| component.to_bytes()),
        };
        let Ok(bytes) = bytes else { continue };
        assert!(!is_taken(&format!("made up ({made})"), bytes));
        made += 1;
    }
}

#[test]
fn compiled_code_from_elsewhere_is_never_run() {
    let home = Home::new();
    home.install("good", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let compiled = std::fs::read_dir(home.data().join("compiled")).unwrap().map(|entry| entry.unwrap().path());
    let compiled = compiled.into_iter().find(|path| path.extension().is_some_and(|end| end == "cwasm")).unwrap();
    home.install("renamed", std::fs::read(compiled).unwrap());
    eventually_within(Duration::from_secs(20), "it is broken", || gateway.slot("renamed") == "broken");
    assert!(gateway.why("renamed").contains("compiled code for this machine"), "{}", gateway.why("renamed"));
}

#[test]
fn a_huge_file_is_refused_unread() {
    let home = Home::new();
    let huge = Guest::wanting(&["push"]).with(&format!("(data (i32.const 65536) \"{}\")", "x".repeat(50 << 20)));
    home.install("huge", huge.memory_pages(1000).module());
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("huge"), "broken");
    assert!(gateway.why("huge").contains("plugin_bytes"), "{}", gateway.why("huge"));
}
