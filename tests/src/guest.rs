//! Plugins written in WebAssembly text, so that a test can say exactly what a stranger's code does.

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract.
pub const WIT: &str = include_str!("../../wit/plugin.wit");

/// A plugin in the making. What is not said is that of a good plugin with nothing to do.
///
/// Instructions may use the locals of `handle` (`$id`, `$id_len`, `$source`, `$provider`, `$type`, `$received`,
/// `$attempt`, `$attributes`, `$payload`, each text with its `_len`), what is in `guest.wat`, and `{words}` for a pointer
/// to these words and their length.
#[derive(Debug, Clone)]
pub struct Guest {
    name: String,
    version: String,
    wants: Vec<String>,
    asks: Vec<Ask>,
    handle: String,
    describe: String,
    imports: String,
    fields: String,
    world: &'static str,
    memory_pages: u32,
    wit: String,
}

/// Where the words of a guest begin in its memory; below are the places that `guest.wat` writes results to.
const WORDS_AT: usize = 1024;

/// Every import that instructions may call: it is there where it is called.
const IMPORTS: [(&str, &str); 15] = [
    ("log", r#"(import "hookgate:plugin/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#),
    ("setting", r#"(import "hookgate:plugin/settings@0.1.0" "get" (func $setting (param i32 i32 i32)))"#),
    ("now", r#"(import "hookgate:plugin/clock@0.1.0" "now-ms" (func $now (result i64)))"#),
    ("random", r#"(import "hookgate:plugin/random@0.1.0" "bytes" (func $random (param i32 i32)))"#),
    ("state_get", r#"(import "hookgate:plugin/state@0.1.0" "get" (func $state_get (param i32 i32 i32)))"#),
    (
        "state_set",
        r#"(import "hookgate:plugin/state@0.1.0" "set" (func $state_set (param i32 i32 i32 i32 i32 i64 i32)))"#,
    ),
    (
        "state_increment",
        r#"(import "hookgate:plugin/state@0.1.0" "increment" (func $state_increment (param i32 i32 i64 i32)))"#,
    ),
    (
        "state_keys",
        r#"(import "hookgate:plugin/state@0.1.0" "keys" (func $state_keys (param i32 i32 i32 i32 i32 i32 i32)))"#,
    ),
    (
        "send",
        r#"(import "hookgate:plugin/http@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32)))"#,
    ),
    ("emit", r#"(import "hookgate:plugin/events@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32 i32)))"#),
    (
        "fd_write",
        r#"(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))"#,
    ),
    (
        "fd_prestat_get",
        r#"(import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))"#,
    ),
    (
        "environ_sizes_get",
        r#"(import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))"#,
    ),
    (
        "poll_oneoff",
        r#"(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))"#,
    ),
    ("random_get", r#"(import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))"#),
];

/// What is asked for: its kind, its name, details.
type Ask = (String, String, Vec<(String, String)>);

impl Guest {
    /// A plugin that wants events of these patterns and says that each is done.
    pub fn wanting(patterns: &[&str]) -> Guest {
        Guest {
            name: "guest".into(),
            version: "1.0.0".into(),
            wants: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
            asks: Vec::new(),
            handle: String::new(),
            describe: String::new(),
            imports: String::new(),
            fields: String::new(),
            world: "plugin",
            memory_pages: 2,
            wit: WIT.into(),
        }
    }

    /// A plugin that rejects everything and tells in its reason what it was given, each part in brackets.
    pub fn telling(patterns: &[&str]) -> Guest {
        Guest::wanting(patterns).handling(
            "(call $part (local.get $source) (local.get $source_len))
             (call $part (local.get $provider) (local.get $provider_len))
             (call $part (local.get $type) (local.get $type_len))
             (call $part (local.get $id) (local.get $id_len))
             (call $parts (local.get $attributes) (local.get $attributes_len))
             (call $part (local.get $payload) (local.get $payload_len))
             (return (call $reject_told))",
        )
    }

    /// What it calls its version.
    pub fn version(mut self, version: &str) -> Guest {
        self.version = version.into();
        self
    }

    /// Asks for a setting, with a default or without.
    pub fn asking(mut self, key: &str, default: Option<&str>) -> Guest {
        let detail = default.map(|default| ("default".to_owned(), default.to_owned()));
        self.asks.push(("setting".into(), key.into(), detail.into_iter().collect()));
        self
    }

    /// Asks for something else, with details.
    pub fn asking_for(mut self, what: &str, name: &str, detail: &[(&str, &str)]) -> Guest {
        let detail = detail.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.asks.push((what.into(), name.into(), detail));
        self
    }

    /// What `handle` does. Where it does not return, all is well.
    pub fn handling(mut self, instructions: &str) -> Guest {
        self.handle = instructions.into();
        self
    }

    /// What it answers senders with: the instructions may use the locals of `handle`, and `$answer`, which takes a status and a text.
    pub fn responding(mut self, instructions: &str) -> Guest {
        self.world = "responding-plugin";
        let parameters = "(param $id i32) (param $id_len i32) (param $source i32) (param $source_len i32)
            (param $provider i32) (param $provider_len i32) (param $type i32) (param $type_len i32)
            (param $received i64) (param $attempt i32) (param $attributes i32) (param $attributes_len i32)
            (param $payload i32) (param $payload_len i32) (result i32)";
        let answer = "(func $answer (param $status i32) (param $at i32) (param $len i32) (result i32)
            (i32.store8 (i32.const 0) (i32.const 0)) (i32.store16 (i32.const 8) (local.get $status))
            (i32.store (i32.const 12) (i32.const 0)) (i32.store (i32.const 16) (i32.const 0))
            (i32.store (i32.const 20) (local.get $at)) (i32.store (i32.const 24) (local.get $len)) (i32.const 0))";
        write!(
            self.fields,
            "{answer} (func (export \"hookgate:plugin/responder@0.1.0#respond\") {parameters} {instructions})"
        )
        .unwrap();
        self
    }

    /// What `describe` does before it tells what the guest is.
    pub fn describing(mut self, instructions: &str) -> Guest {
        self.describe = instructions.into();
        self
    }

    /// An import that the contract does not have.
    pub fn importing(mut self, import: &str) -> Guest {
        self.imports.push_str(import);
        self
    }

    /// More fields of the module: functions, globals, a start.
    pub fn with(mut self, fields: &str) -> Guest {
        self.fields.push_str(fields);
        self
    }

    /// How much memory it begins with, in pages of 64 KiB.
    pub fn memory_pages(mut self, pages: u32) -> Guest {
        self.memory_pages = pages;
        self
    }

    /// Built against another contract.
    pub fn built_for(mut self, wit: impl Into<String>) -> Guest {
        self.wit = wit.into();
        self
    }

    /// As a component.
    pub fn component(&self) -> Vec<u8> {
        let encoder = ComponentEncoder::default().validate(true).module(&self.module()).unwrap();
        { encoder }.encode().unwrap()
    }

    /// As a core module that carries its component type, as `cargo build` leaves it behind.
    pub fn module(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("plugin.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        let mut module = self.core();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    /// As a core module that says nothing of what its functions mean.
    pub fn core(&self) -> Vec<u8> {
        let text = self.text();
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The same, with the short names that the gateway knows too.
    pub fn core_with_short_names(&self) -> Vec<u8> {
        let text = self.text();
        let handler = format!("hookgate:plugin/handler{}#", self.wit_version());
        wat::parse_str(text.replace(&handler, "")).unwrap()
    }

    fn text(&self) -> String {
        let mut words = Words { bytes: Vec::new() };
        let manifest = self.manifest(&mut words);
        let [handle, describe, fields] = [&self.handle, &self.describe, &self.fields].map(|code| words.in_place(code));
        let all = format!("{handle}{describe}{fields}");
        let called = IMPORTS.iter().filter(|(name, _)| all.contains(&format!("call ${name} ")));
        let imports: String = called.map(|(_, import)| *import).chain([self.imports.as_str()]).collect();
        // Whatever else is written comes after the words.
        let free = (WORDS_AT + words.bytes.len()).next_multiple_of(1024);
        include_str!("guest.wat")
            .replace(";;IMPORTS", &imports)
            .replace(";;FIELDS", &fields)
            .replace(";;DESCRIBE", &describe)
            .replace(";;HANDLE", &handle)
            .replace("MANIFEST", &manifest.to_string())
            .replace("PAGES", &self.memory_pages.to_string())
            .replace("FREE", &free.to_string())
            .replace("WORDS", &words.escaped())
            .replace("@0.1.0", &self.wit_version())
    }

    fn manifest(&self, words: &mut Words) -> usize {
        let wants: Vec<u8> = self.wants.iter().flat_map(|pattern| words.string(pattern)).collect();
        let asks: Vec<u8> = self.asks.iter().flat_map(|(what, name, detail)| words.ask(what, name, detail)).collect();
        let mut manifest = Vec::new();
        manifest.extend(words.string(&self.name));
        manifest.extend(words.string(&self.version));
        manifest.extend(words.list(&wants, self.wants.len()));
        manifest.extend(words.list(&asks, self.asks.len()));
        words.put(&manifest)
    }

    fn wit_version(&self) -> String {
        let (_, after) = self.wit.split_once("hookgate:plugin").unwrap();
        after.split_once(';').unwrap().0.to_owned()
    }
}

/// The words in a guest's memory.
struct Words {
    bytes: Vec<u8>,
}

impl Words {
    fn put(&mut self, bytes: &[u8]) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = WORDS_AT + self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        at
    }

    fn pair(first: usize, second: usize) -> [u8; 8] {
        let mut pair = [0; 8];
        pair[..4].copy_from_slice(&(first as u32).to_le_bytes());
        pair[4..].copy_from_slice(&(second as u32).to_le_bytes());
        pair
    }

    fn string(&mut self, text: &str) -> [u8; 8] {
        Words::pair(self.put(text.as_bytes()), text.len())
    }

    fn list(&mut self, items: &[u8], count: usize) -> [u8; 8] {
        Words::pair(self.put(items), count)
    }

    fn ask(&mut self, what: &str, name: &str, detail: &[(String, String)]) -> [u8; 24] {
        let pairs: Vec<u8> =
            detail.iter().flat_map(|(key, value)| [self.string(key), self.string(value)].concat()).collect();
        let mut ask = [0; 24];
        ask[..8].copy_from_slice(&self.string(what));
        ask[8..16].copy_from_slice(&self.string(name));
        ask[16..].copy_from_slice(&self.list(&pairs, detail.len()));
        ask
    }

    /// Puts each `{text}` into memory and its pointer and length into the instructions.
    fn in_place(&mut self, code: &str) -> String {
        let mut expanded = String::new();
        let mut rest = code;
        while let Some((before, after)) = rest.split_once('{') {
            let (text, after) = after.split_once('}').unwrap();
            let at = self.put(text.as_bytes());
            write!(expanded, "{before}(i32.const {at}) (i32.const {})", text.len()).unwrap();
            rest = after;
        }
        expanded + rest
    }

    fn escaped(&self) -> String {
        self.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
    }
}
