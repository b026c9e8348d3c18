//! Microseconds for an instance and a call: fresh as the gateway makes them, reused, and as wasmtime does by default.

use std::time::Instant;

use hookgate::config::DEFAULT_CALLS;
use hookgate::event::{Event, EventId, now_ms};
use hookgate::runtime::{CompileLimits, Compiler, EngineLimits, Plugin, Powers, Runtime};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, Store};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::Setting;
use super::report::{Report, median};

mod bindings {
    #![allow(missing_docs, unused_qualifications, clippy::all)]
    wasmtime::component::bindgen!({ path: "../wit", world: "plugin", exports: { default: async } });
}
use bindings::PluginPre;
use bindings::exports::hookgate::plugin::handler::Event as GuestEvent;
use bindings::hookgate::plugin::{clock, log, random, settings};

/// A host that does nothing.
struct Nothing;

impl log::Host for Nothing {
    fn log(&mut self, _: log::Level, _: String) {}
}
impl settings::Host for Nothing {
    fn get(&mut self, _: String) -> Option<String> {
        None
    }
}
impl clock::Host for Nothing {
    fn now_ms(&mut self) -> u64 {
        0
    }
}
impl random::Host for Nothing {
    fn bytes(&mut self, _: u32) -> Vec<u8> {
        Vec::new()
    }
}

/// How many calls a figure is made of, and how often it is taken.
const CALLS: usize = 300;
const TURNS: usize = 21;
const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Measures all three in turn.
pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let bytes = setting.sample("file-ready")?;
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (runtime, plugin) = threads.block_on(ours(bytes.clone()))?;
    let event = event();
    let default = pre(&bytes, &Config::new())?;
    let ours_reused = pre(&bytes, Config::new().epoch_interruption(true).concurrency_support(false))?;
    let mut store = Store::new(ours_reused.engine(), Nothing);
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = threads.block_on(ours_reused.instantiate_async(&mut store))?;
    let (mut fresh_us, mut default_us, mut reused_us) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        fresh_us.push(micros(|| drop(threads.block_on(runtime.call(&plugin, &event, 1, |_| {})))));
        default_us.push(micros(|| {
            let call = async {
                let mut store = Store::new(default.engine(), Nothing);
                let fresh = default.instantiate_async(&mut store).await?;
                fresh.hookgate_plugin_handler().call_handle(&mut store, &guest_event(&event)).await
            };
            drop(threads.block_on(async { tokio::time::timeout(LIMIT, call).await }));
        }));
        reused_us.push(micros(|| {
            let given = guest_event(&event);
            let call = instance.hookgate_plugin_handler().call_handle(&mut store, &given);
            drop(threads.block_on(async { tokio::time::timeout(LIMIT, call).await }));
        }));
    }
    let (fresh, default, reused) = (median(fresh_us), median(default_us), median(reused_us));
    report.table("A call of file-ready, 2 KiB event, one log line", &["how", "us", "of ours"]);
    report.row(&["fresh instance, as the gateway calls it".to_owned(), format!("{fresh:.1}"), "1.00".to_owned()]);
    report.row(&[
        "fresh instance, wasmtime's default configuration".to_owned(),
        format!("{default:.1}"),
        format!("{:.2}", default / fresh),
    ]);
    report.row(&["one instance reused".to_owned(), format!("{reused:.1}"), format!("{:.2}", reused / fresh)]);
    report.note(
        "All three call from async code with a time limit, as a gateway must. Ours also captures the log, meters processor time and \
         bounds memory; the other two have a host that does nothing.",
    );
    report.note(&format!(
        "Ours is {:.2} of the default configuration and {:.1} times a reused instance.",
        fresh / default,
        fresh / reused
    ));
    Ok(())
}

fn micros(mut call: impl FnMut()) -> f64 {
    let begun = Instant::now();
    (0..CALLS).for_each(|_| call());
    begun.elapsed().as_secs_f64() * 1e6 / CALLS as f64
}

async fn ours(bytes: Vec<u8>) -> anyhow::Result<(std::sync::Arc<Runtime>, Plugin)> {
    let limits = DEFAULT_CALLS.each;
    let runtime = Runtime::new(EngineLimits {
        memory_bytes: limits.memory_bytes,
        instances: 128,
        plugin_bytes: 32 << 20,
        cache_folder: None,
        compiler: Compiler::Inside,
        compile: CompileLimits::default(),
    })?;
    let loaded = runtime.load(bytes, &limits, || {}).await?;
    Ok((runtime, loaded.grant("file-ready", Powers::only_settings("file-ready", Default::default()), limits, 1)))
}

fn pre(module: &[u8], config: &Config) -> anyhow::Result<PluginPre<Nothing>> {
    let component = ComponentEncoder::default().module(module)?.encode()?;
    let engine = Engine::new(config)?;
    let mut linker = Linker::new(&engine);
    use bindings::hookgate::plugin::{clock, log, random, settings};
    log::add_to_linker::<_, HasSelf<Nothing>>(&mut linker, |nothing| nothing)?;
    settings::add_to_linker::<_, HasSelf<Nothing>>(&mut linker, |nothing| nothing)?;
    clock::add_to_linker::<_, HasSelf<Nothing>>(&mut linker, |nothing| nothing)?;
    random::add_to_linker::<_, HasSelf<Nothing>>(&mut linker, |nothing| nothing)?;
    let component = Component::new(&engine, component)?;
    Ok(PluginPre::new(linker.instantiate_pre(&component)?)?)
}

fn event() -> Event {
    let note = "x".repeat(super::accepts::BODY_BYTES - 100);
    let payload = format!(
        r#"{{"type":"file.ready","resource":{{"id":"r","type":"file"}},"account":{{"id":"a"}},"note":"{note}"}}"#
    );
    let attributes =
        [("resource.id", "r"), ("resource.type", "file"), ("account.id", "a"), ("content-type", "application/json")];
    Event {
        id: EventId::next(EventId::from_i64(0), now_ms(), 1),
        source: "frameio".into(),
        provider: "frameio".into(),
        event_type: "file.ready".into(),
        received_at_ms: now_ms(),
        received: None,
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        payload: payload.into(),
        trace: None,
    }
}

fn guest_event(event: &Event) -> GuestEvent {
    GuestEvent {
        id: event.id.to_string(),
        source: event.source.to_string(),
        provider: event.provider.to_string(),
        type_: event.event_type.to_string(),
        received_at_ms: event.received_at_ms,
        attempt: 1,
        attributes: event.attributes.clone(),
        payload: event.payload.to_vec(),
    }
}

/// A plugin that wants pushes, and whose `handle` is the given instructions before it is done.
pub fn guest(handle: &str) -> anyhow::Result<Vec<u8>> {
    let core = format!(
        r#"(module
            (memory (export "memory") 1)
            (data (i32.const 0) "\40\00\00\00\03\00\00\00\40\00\00\00\03\00\00\00\20\00\00\00\01\00\00\00")
            (data (i32.const 32) "\50\00\00\00\04\00\00\00")
            (data (i32.const 64) "wat") (data (i32.const 80) "push")
            (global $free (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                global.get $free
                (global.set $free (i32.and (i32.add (global.get $free) (i32.add (local.get 3) (i32.const 7))) (i32.const -8))))
            (func (export "hookgate:plugin/handler@0.1.0#describe") (result i32) i32.const 0)
            (func (export "hookgate:plugin/handler@0.1.0#handle")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32) (result i32) {handle} i32.const 200))"#
    );
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("plugin.wit", include_str!("../../../../wit/plugin.wit"))?;
    let world = resolve.select_world(&[package], Some("plugin"))?;
    let mut module = wat::parse_str(core)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.validate(true).encode()
}
