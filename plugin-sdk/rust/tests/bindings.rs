//! The committed bindings are what the generator makes of `wit/plugin.wit` today.
//!
//! `HOOKGATE_BLESS=1 cargo test -p hookgate-plugin --test bindings` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::{env, fs};
use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::Opts;

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/plugin.wit");
const BINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bindings.rs");

#[test]
fn bindings_are_current() {
    let generated = generate();
    if env::var_os("HOOKGATE_BLESS").is_some() {
        fs::write(BINDINGS, &generated).unwrap();
    }
    let committed = fs::read_to_string(BINDINGS).unwrap_or_default();
    assert!(
        committed == generated,
        "src/bindings.rs is not what wit/plugin.wit says: run this test once with HOOKGATE_BLESS=1"
    );
}

/// The whole text of `src/bindings.rs`.
///
/// The larger world has everything, and what a plugin does not use is not in its file. Only what it exports has to be said:
/// so there are the macros of both worlds, and each plugin takes one.
fn generate() -> String {
    let everything = bindings("responding-plugin", "export_responding");
    everything + "\n" + export_macro(&bindings("plugin", "export"))
}

fn bindings(world: &str, macro_name: &str) -> String {
    let mut resolve = Resolve::default();
    let package = resolve.push_file(WIT).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut files = Files::default();
    options(macro_name).build().generate(&mut resolve, world, &mut files).unwrap();
    let (_name, text) = files.iter().next().unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

/// From the words that stand above the macro to its name for others.
fn export_macro(bindings: &str) -> &str {
    let (begin, name) = ("/// Generates `#[unsafe(no_mangle)]` functions", "pub use __export_plugin_impl as export;\n");
    let begin = bindings.find(begin).unwrap();
    let end = bindings.find(name).unwrap() + name.len();
    &bindings[begin..end]
}

fn options(macro_name: &str) -> Opts {
    Opts {
        format: true,
        pub_export_macro: true,
        export_macro_name: Some(macro_name.to_string()),
        default_bindings_module: Some("::hookgate_plugin::bindings".to_string()),
        additional_derive_attributes: vec!["PartialEq".to_string()],
        ..Opts::default()
    }
}
