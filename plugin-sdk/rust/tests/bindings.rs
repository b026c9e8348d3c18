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
fn generate() -> String {
    let mut resolve = Resolve::default();
    let package = resolve.push_file(WIT).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mut files = Files::default();
    options().build().generate(&mut resolve, world, &mut files).unwrap();
    let (_name, text) = files.iter().next().unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

fn options() -> Opts {
    Opts {
        format: true,
        pub_export_macro: true,
        default_bindings_module: Some("::hookgate_plugin::bindings".to_string()),
        additional_derive_attributes: vec!["PartialEq".to_string()],
        ..Opts::default()
    }
}
