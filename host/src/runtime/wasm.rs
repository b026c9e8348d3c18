//! What is in a file: told from its bytes, and made into a component where it is not one yet.

use anyhow::Context;
use wasi_preview1_component_adapter_provider as preview1;
use wasm_encoder::{ExportSection, Module as Rewritten, RawSection};
use wasmparser::{Encoding, ExternalKind, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract, for modules that implement it and do not carry it.
pub(super) const WIT: &str = include_str!("../../../wit/plugin.wit");

/// What the contract's functions are called in a core module, in front of `#describe` and `#handle`.
const HANDLER: &str = "hookgate:plugin/handler@";
const RESPONDER: &str = "hookgate:plugin/responder@";
const VERSION: &str = "0.1.0";

/// The functions of a module that calls them by their short names, and the ones that free what they returned.
const SHORT: [(&str, &str, &str); 6] = [
    ("describe", "", HANDLER),
    ("handle", "", HANDLER),
    ("respond", "", RESPONDER),
    ("cabi_post_describe", "cabi_post_", HANDLER),
    ("cabi_post_handle", "cabi_post_", HANDLER),
    ("cabi_post_respond", "cabi_post_", RESPONDER),
];

/// What is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Binary {
    /// A component.
    Component(Vec<u8>),
    /// A program with a `main` over WASI preview 1, as it is. A component could be made of it, but the adapter for that takes its
    /// memory from the program, and a program that believes its memory its own (Go's do) would write over it.
    Program(Vec<u8>),
}

/// Makes what can be compiled of a file's bytes, or says in a sentence why it cannot.
pub(super) fn binary(bytes: Vec<u8>) -> Result<Binary, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(not_wasm(&bytes));
    }
    let module = match scan(&bytes) {
        Ok(Found::Component) => return Ok(Binary::Component(bytes)),
        Ok(Found::Module(module)) => module,
        Err(error) => return Err(format!("the file is damaged or not whole: {}", error.message())),
    };
    let made = match module.shape() {
        Shape::Typed => encode(&bytes, module.wants_preview1.then_some(REACTOR)),
        Shape::Contract(version) => {
            let typed = typed(bytes, &version, module.responds());
            typed.and_then(|typed| module.encode(&typed))
        }
        Shape::Short => {
            let typed = rename(&bytes).and_then(|named| typed(named, VERSION, module.has("respond")));
            typed.and_then(|typed| module.encode(&typed))
        }
        Shape::Program => return module.only_preview1().map(|()| Binary::Program(bytes)),
        Shape::Other => return Err(module.no_plugin()),
    };
    made.map(Binary::Component)
        .map_err(|error| format!("it is a core module of which no component can be made: {error:#}"))
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

/// What is known of a core module from its imports, exports and custom sections.
#[derive(Default)]
struct Module {
    has_component_type: bool,
    wants_preview1: bool,
    /// Other imports, each with its module.
    wants_other: Vec<String>,
    functions: Vec<String>,
}

/// What kind of plugin a core module is.
enum Shape {
    /// It carries its component type.
    Typed,
    /// It exports the contract's functions under their full names, of this version.
    Contract(String),
    /// It exports `describe` and `handle`.
    Short,
    /// It is a program with a `main`.
    Program,
    /// None.
    Other,
}

impl Module {
    fn has(&self, function: &str) -> bool {
        self.functions.iter().any(|name| name == function)
    }

    fn shape(&self) -> Shape {
        let version = |name: &String| Some(name.strip_prefix(HANDLER)?.strip_suffix("#handle")?.to_owned());
        match self.functions.iter().find_map(version) {
            _ if self.has_component_type => Shape::Typed,
            Some(version) => Shape::Contract(version),
            None if self.has("describe") && self.has("handle") => Shape::Short,
            None if self.has("_start") => Shape::Program,
            None => Shape::Other,
        }
    }

    /// Whether it answers senders too.
    fn responds(&self) -> bool {
        self.functions.iter().any(|name| name.starts_with(RESPONDER) && name.ends_with("#respond"))
    }

    fn encode(&self, typed: &[u8]) -> anyhow::Result<Vec<u8>> {
        encode(typed, self.wants_preview1.then_some(REACTOR))
    }

    /// What a program may import.
    fn only_preview1(&self) -> Result<(), String> {
        match self.wants_other.as_slice() {
            [] => Ok(()),
            others => Err(format!("it is a program that imports {}, which this gateway does not offer", some(others))),
        }
    }

    fn no_plugin(&self) -> String {
        let functions = some(&self.functions);
        format!(
            "it is a core module that exports {functions}: a plugin carries a component type, or exports `describe` and \
             `handle`, or is a WASI command with a `main`; build it with a plugin SDK"
        )
    }
}

/// A list that may be long.
fn some(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        few if few.len() <= 5 => few.join(", "),
        many => format!("{} and {} more", many[..5].join(", "), many.len() - 5),
    }
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
            Payload::ImportSection(imports) if !is_component => {
                for import in imports.into_imports() {
                    let import = import?;
                    match import.module == preview1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME {
                        true => module.wants_preview1 = true,
                        false => module.wants_other.push(format!("{}.{}", import.module, import.name)),
                    }
                }
            }
            Payload::ExportSection(exports) if !is_component => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        module.functions.push(export.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(if is_component { Found::Component } else { Found::Module(module) })
}

/// Has a module carry the contract as its component type.
fn typed(mut module: Vec<u8>, version: &str, responds: bool) -> anyhow::Result<Vec<u8>> {
    if !version.starts_with("0.1.") {
        anyhow::bail!("it exports {HANDLER}{version}, and this gateway speaks {HANDLER}{VERSION}");
    }
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", &WIT.replace(&format!("@{VERSION};"), &format!("@{version};")))?;
    let world = if responds { "responding-plugin" } else { "plugin" };
    let world = resolve.select_world(&[package], Some(world))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}

/// Gives the contract's functions their full names. Everything else stays as it is, byte for byte.
fn rename(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut rewritten = Rewritten::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ExportSection(exports) = &payload {
            let mut renamed = ExportSection::new();
            for export in exports.clone() {
                let export = export?;
                renamed.export(&full_name(export.name), export.kind.into(), export.index);
            }
            rewritten.section(&renamed);
        } else if let Some((id, range)) = payload.as_section() {
            let data = module.get(range).context("a section that is not in the file")?;
            rewritten.section(&RawSection { id, data });
        }
    }
    Ok(rewritten.finish())
}

fn full_name(name: &str) -> String {
    match SHORT.iter().find(|(short, ..)| *short == name) {
        Some((_, prefix, interface)) => format!("{prefix}{interface}{VERSION}#{}", &name[prefix.len()..]),
        None => name.to_owned(),
    }
}

const REACTOR: &[u8] = preview1::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;

fn encode(module: &[u8], adapter: Option<&[u8]>) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default().validate(true).module(module)?;
    if let Some(adapter) = adapter {
        encoder = encoder.adapter(preview1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?;
    }
    encoder.encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plugin_is_told_in_a_sentence() {
        let module = wat::parse_str(r#"(module (memory 1) (func (export "add")))"#).unwrap();
        let other = wat::parse_str(r#"(module (func (export "hookgate:plugin/handler@0.2.0#handle")))"#).unwrap();
        let empty_handed = wat::parse_str(r#"(module (func (export "describe")) (func (export "handle")))"#).unwrap();
        let whole = wat::parse_str("(component (core module (memory 1)))").unwrap();
        let program = wat::parse_str(r#"(module (import "env" "fork" (func)) (func (export "_start")))"#).unwrap();
        let table: [(&[u8], &str); 10] = [
            (b"", "the file is empty"),
            (b"hello", "the file is not WebAssembly but text"),
            (b"(module)", "the file is not WebAssembly but WebAssembly text"),
            (b"\x7fELF\x02\x01", "a program or compiled code"),
            (b"\0asm\x0d", "the file is damaged or not whole"),
            (&whole[..whole.len() - 3], "the file is damaged or not whole"),
            (&module, "it is a core module that exports add: a plugin carries a component type, or exports `describe`"),
            (&other, "it exports hookgate:plugin/handler@0.2.0, and this gateway speaks hookgate:plugin/handler@0.1.0"),
            (&program, "it is a program that imports env.fork, which this gateway does not offer"),
            (&empty_handed, "it is a core module of which no component can be made"),
        ];
        for (bytes, expected) in table {
            let told = binary(bytes.to_vec()).unwrap_err();
            assert!(told.contains(expected), "{told:?} does not say {expected:?}");
        }
        assert_eq!(binary(whole.clone()), Ok(Binary::Component(whole)));
    }

    #[test]
    fn short_names_become_those_of_the_contract() {
        assert_eq!(full_name("handle"), "hookgate:plugin/handler@0.1.0#handle");
        assert_eq!(full_name("cabi_post_describe"), "cabi_post_hookgate:plugin/handler@0.1.0#describe");
        assert_eq!(full_name("respond"), "hookgate:plugin/responder@0.1.0#respond");
        assert_eq!(full_name("cabi_realloc"), "cabi_realloc");
    }
}
