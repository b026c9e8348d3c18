//! What is in a file: told from its bytes, and made into a component where it is not one yet.

use wasi_preview1_component_adapter_provider as preview1;
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

/// Makes a component of a file's bytes, or says in a sentence why it cannot.
pub(super) fn component(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(not_wasm(&bytes));
    }
    let module = match scan(&bytes) {
        Ok(Found::Component) => return Ok(bytes),
        Ok(Found::Module(module)) => module,
        Err(error) => return Err(format!("the file is damaged or not whole: {}", error.message())),
    };
    if !module.has_component_type {
        return Err(
            "it is a core module without a component type, so nothing says what its functions mean: build it with a \
                    plugin SDK, or as a component"
                .into(),
        );
    }
    encode(&bytes, &module).map_err(|error| format!("it is a core module of which no component can be made: {error:#}"))
}

fn not_wasm(bytes: &[u8]) -> String {
    let native = bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"\xcf\xfa\xed\xfe");
    let what = match std::str::from_utf8(bytes) {
        _ if native => "a program or compiled code for this machine",
        Ok(text) if text.trim_start().starts_with('(') => "WebAssembly text, which `wasm-tools parse` makes binary",
        Ok(_) => "text",
        Err(_) => "something else",
    };
    format!("the file is not WebAssembly but {what}")
}

enum Found {
    Component,
    Module(Module),
}

#[derive(Default)]
struct Module {
    has_component_type: bool,
    wants_preview1: bool,
}

/// Looks at the sections of the outermost module or component, to its end.
fn scan(bytes: &[u8]) -> Result<Found, wasmparser::BinaryReaderError> {
    let mut module = Module::default();
    let mut depth = 0;
    let mut is_component = false;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding, .. } => {
                is_component |= depth == 0 && encoding == Encoding::Component;
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) => {
                module.has_component_type |= section.name().starts_with("component-type")
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    module.wants_preview1 |= import?.module == preview1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
                }
            }
            _ => {}
        }
    }
    Ok(if is_component { Found::Component } else { Found::Module(module) })
}

fn encode(bytes: &[u8], module: &Module) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default().validate(true).module(bytes)?;
    if module.wants_preview1 {
        let (name, adapter) =
            (preview1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, preview1::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
        encoder = encoder.adapter(name, adapter)?;
    }
    encoder.encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plugin_is_told_in_a_sentence() {
        let module = wat::parse_str("(module (memory 1))").unwrap();
        let whole = wat::parse_str("(component (core module (memory 1)))").unwrap();
        let table: [(&[u8], &str); 7] = [
            (b"", "the file is empty"),
            (b"hello", "the file is not WebAssembly but text"),
            (b"(module)", "the file is not WebAssembly but WebAssembly text"),
            (b"\x7fELF\x02\x01", "a program or compiled code"),
            (b"\0asm\x0d", "the file is damaged or not whole"),
            (&whole[..whole.len() - 3], "the file is damaged or not whole"),
            (&module, "it is a core module without a component type"),
        ];
        for (bytes, expected) in table {
            let told = component(bytes.to_vec()).unwrap_err();
            assert!(told.contains(expected), "{told:?} does not say {expected:?}");
        }
        assert_eq!(component(whole.clone()), Ok(whole));
    }
}
