//! `hookgate try`: one plugin, one event, no gateway.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use hookgate::attempt::Outcome;
use hookgate::config::{Config, DEFAULT_CALLS, FILE, Overrides, cache_folder};
use hookgate::effects::{Blank, Quota};
use hookgate::event::{Event, EventId, NewEvent, wall_ms};
use hookgate::outbound::{Hosts, Outbound, Roots};
use hookgate::plugins::{Grant, asked};
use hookgate::provider::{Provider, Received, catalogue};
use hookgate::runtime::{
    Called, CompileLimits, Compiler, EngineLimits, Generation, Level, Manifest, Plugin, Powers, Runtime,
};

use super::printed;
use super::table::harmless;

/// Run a plugin once, outside the gateway: its outcome, its log and what it cost
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate try plugins/file-ready.wasm file.ready\n          hookgate try mine.wasm issues.opened --event body.json --times 1000\n          hookgate try mine.wasm file.ready --watch"
)]
pub struct Try {
    /// The plugin's file
    plugin: PathBuf,
    /// The event's type; without it, the first that the plugin wants and that there is a sample of
    #[arg(value_name = "TYPE")]
    event_type: Option<String>,
    /// A file with the event's body, in place of a sample; or a folder that `hookgate show --save` wrote, whose event it then is
    #[arg(long, value_name = "FILE|DIR")]
    event: Option<PathBuf>,
    /// Whose event it is: a provider's name
    #[arg(long, value_name = "PROVIDER")]
    source: Option<String>,
    /// How many times
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    times: u32,
    /// Whether each time meets a fresh instance, or one that was called before
    #[arg(long, value_enum, default_value = "fresh")]
    instances: Instances,
    /// Do it again each time that the plugin's file changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// A setting, as the config would grant it
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
    /// A config, whose section for the plugin says what it may do; without one, it may remember and emit, and ask no host
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Instances {
    Fresh,
    Warm,
}

/// How often a file that is watched is looked at.
const LOOK: Duration = Duration::from_millis(100);

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Try {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        super::block_on(self.try_it())?
    }

    async fn try_it(self) -> anyhow::Result<ExitCode> {
        let runtime = Runtime::new(EngineLimits {
            memory_bytes: DEFAULT_CALLS.each.memory_bytes,
            instances: 4,
            plugin_bytes: usize::MAX - 1,
            cache_folder: cache_folder(),
            compiler: Compiler::of_this_program(),
            compile: CompileLimits::default(),
        })?;
        if !self.watch {
            let bytes = self.read()?;
            return self.try_once(&runtime, bytes).await;
        }
        let mut tried = None;
        loop {
            // Looked at before it is read: what changes from here on is a change.
            let seen = self.look();
            // What cannot be read now, or is no plugin yet, may be one after the next change.
            match self.read() {
                Ok(bytes) if tried == Some(Generation::of(&bytes)) => {}
                Ok(bytes) => {
                    tried = Some(Generation::of(&bytes));
                    if let Err(error) = self.try_once(&runtime, bytes).await {
                        outln!("{}", harmless(&format!("{error:#}")));
                    }
                    outln!("-- waiting for a change of {}", self.plugin.display());
                }
                Err(_) => tried = None,
            }
            self.changed(seen).await;
        }
    }

    fn read(&self) -> anyhow::Result<Vec<u8>> {
        std::fs::read(&self.plugin).with_context(|| format!("cannot read {}", self.plugin.display()))
    }

    fn look(&self) -> Option<(u64, SystemTime)> {
        let meta = std::fs::metadata(&self.plugin).ok()?;
        Some((meta.len(), meta.modified().ok()?))
    }

    /// Waits until the file looks different, and then for a moment in which it does not.
    async fn changed(&self, mut before: Option<(u64, SystemTime)>) {
        let mut has_changed = false;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.look();
            match (now == before, has_changed) {
                (true, true) => return,
                (true, false) => {}
                (false, _) => has_changed = true,
            }
            before = now;
        }
    }

    async fn try_once(&self, runtime: &Runtime, bytes: Vec<u8>) -> anyhow::Result<ExitCode> {
        let limits = DEFAULT_CALLS.each;
        let loaded = runtime.load(bytes, &limits, || {}).await;
        let loaded = loaded.with_context(|| format!("{} is no plugin", self.plugin.display()))?;
        let event = self.make_event(&loaded.manifest)?;
        let name = self.plugin.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let powers = self.powers(&name, &loaded.manifest)?;
        let per_instance = if self.instances == Instances::Warm { u32::MAX } else { 1 };
        let plugin = loaded.grant(&name, powers, limits, per_instance);
        let answers = plugin.answers() && is_answered(&plugin.manifest, &event);
        if self.instances == Instances::Warm && !answers {
            // So that the first that counts finds an instance too.
            runtime.call(&plugin, &event, 1, |_| {}).await;
        }
        let mut calls: Vec<Called> = Vec::with_capacity(self.times as usize);
        for _ in 0..self.times {
            let called = match answers {
                true => runtime.respond(&plugin, &event, |_| {}).await,
                false => runtime.call(&plugin, &event, 1, |_| {}).await,
            };
            // The lines of the last are shown.
            if let Some(before) = calls.last_mut() {
                before.lines = Vec::new();
            }
            calls.push(called);
        }
        let report = Report { plugin: &plugin, event: &event, calls, instances: self.instances };
        if self.json {
            report.print_json()?
        } else {
            report.print()
        }
        let well = report.calls.iter().all(|called| called.outcome == Outcome::Done);
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What the config grants it; without one, its own state and events, and no host.
    fn powers(&self, name: &str, manifest: &Manifest) -> anyhow::Result<Powers> {
        let (mut grant, roots) = match &self.config {
            Some(file) => {
                let overrides = Overrides { secrets_may_be_missing: true, ..Overrides::default() };
                let config = Config::read(file, &overrides)?;
                (config.grant(name), config.roots)
            }
            None => {
                tell_of_section(name);
                let emit = manifest.emits.iter().map(|(pattern, _)| pattern.clone()).collect();
                (Grant { state: Some(TRIED_STATE), emit, ..Grant::nothing(&DEFAULT_CALLS) }, Roots::default())
            }
        };
        grant.settings.extend(self.settings.iter().cloned());
        let asked = manifest.hosts.iter().map(|ask| ask.host.clone()).collect();
        let hosts = Hosts::new(&Outbound::of_a_command(roots), name, asked, &grant.hosts);
        Ok(grant.powers(manifest, hosts, Arc::new(Blank)))
    }

    fn make_event(&self, manifest: &Manifest) -> anyhow::Result<Event> {
        if let Some(folder) = self.event.as_deref().filter(|path| path.is_dir()) {
            if self.event_type.is_some() || self.source.is_some() {
                let told = format!("{} says what event it is: leave TYPE and --source out", folder.display());
                return Err(super::Usage::error(told));
            }
            return super::saved::read(folder);
        }
        let (provider, event_type) = self.choose(manifest)?;
        let body = match &self.event {
            Some(file) => Bytes::from(std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?),
            None => {
                let sample = provider.sample(&event_type, 0);
                sample.ok_or_else(|| super::no_sample(&provider, &event_type, "--event FILE"))?
            }
        };
        let made = as_received(&provider, &event_type, body)?;
        Ok(Event {
            id: EventId::next(EventId::from_i64(0), wall_ms(), 0),
            source: made.source,
            provider: made.provider,
            event_type: made.event_type,
            received_at_ms: made.received_at_ms,
            received: None,
            attributes: made.attributes,
            payload: made.payload,
            trace: None,
        })
    }

    /// The provider and the type that are meant, from what was said and what the plugin wants.
    fn choose(&self, manifest: &Manifest) -> anyhow::Result<(Provider, String)> {
        let named = match &self.source {
            Some(name) => vec![
                catalogue::find(name).ok_or_else(|| super::Usage::error(format!("there is no provider `{name}`")))?,
            ],
            None => catalogue::all().collect(),
        };
        let wants = |provider: &Provider, event_type: &str| {
            let patterns = manifest.subscriptions.iter().chain(&manifest.replies);
            { patterns }.any(|pattern| pattern.matches(&provider.name, &provider.name, event_type))
        };
        let is_meant = |provider: &Provider, event_type: &str| match &self.event_type {
            Some(wanted) => wanted == event_type,
            None => wants(provider, event_type),
        };
        let samples =
            named.iter().flat_map(|provider| provider.sample_types().map(move |event_type| (provider, event_type)));
        if let Some((provider, event_type)) = { samples }.find(|(provider, event_type)| is_meant(provider, event_type))
        {
            return Ok((provider.clone(), event_type.to_owned()));
        }
        let wanted = manifest.subscriptions.iter().map(|pattern| pattern.event_type()).find(|text| !text.contains('*'));
        match (named.into_iter().next(), self.event_type.clone().or(wanted.map(str::to_owned))) {
            (Some(provider), Some(event_type)) => Ok((provider, event_type)),
            _ => Err(super::Usage::error("say which TYPE of event to try it with, and whose with --source")),
        }
    }
}

/// Says so where a config is here whose section for the plugin does not count, so that nobody takes the defaults for it.
fn tell_of_section(name: &str) {
    let overrides = Overrides { secrets_may_be_missing: true, ..Overrides::default() };
    if Config::read(Path::new(FILE), &overrides).is_ok_and(|config| config.plugins.contains_key(name)) {
        let told = format!("{FILE} has a section for {name}, which counts with --config {FILE} alone");
        eprintln!("{}", harmless(&told));
    }
}

/// The event as it would have come in, its signature checked and all.
fn as_received(provider: &Provider, event_type: &str, body: Bytes) -> anyhow::Result<NewEvent> {
    let provider = provider.for_a_trial();
    let key = provider.fresh_key()?;
    let signed = provider.sign(event_type, body, &key, wall_ms(), None)?;
    let received = Received::new(provider.name.clone(), signed.headers, signed.body, wall_ms());
    let events = provider.parse_events(provider.verify(received, &[key], wall_ms())?)?;
    events.into_iter().next().context("there is no event in it")
}

/// How much a plugin may remember that is tried.
const TRIED_STATE: Quota = Quota { bytes: 10 << 20, keys: 10_000 };

/// Whether a plugin answers the sender of an event, rather than handling it.
fn is_answered(manifest: &Manifest, event: &Event) -> bool {
    let mut wanted = manifest.subscriptions.iter();
    let is_handled = wanted.any(|pattern| pattern.matches(&event.source, &event.provider, &event.event_type));
    manifest.answers(event) && !is_handled
}

/// What would be kept and sent, were this the gateway.
fn print_effects(called: &Called) {
    for (key, value) in &called.effects.writes {
        match value {
            Some(value) => outln!("  remembers {key:?} = {:?}", shown(&value.bytes)),
            None => outln!("  forgets {key:?}"),
        }
    }
    for emitted in &called.effects.emitted {
        outln!("  emits {} {}", harmless(&emitted.event_type), shown(&emitted.payload));
    }
    if let Some(answer) = &called.answer {
        outln!("  answers {} {}", answer.status.as_u16(), shown(&answer.body));
    }
}

/// Bytes for people: a line of text.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line: String = text.chars().map(|c| if c.is_ascii_whitespace() { ' ' } else { c }).take(200).collect();
    let more = if line.len() < text.len() { " ..." } else { "" };
    harmless(&line) + more
}

struct Report<'a> {
    plugin: &'a Plugin,
    event: &'a Event,
    calls: Vec<Called>,
    instances: Instances,
}

impl Report<'_> {
    fn median(&self, of: impl Fn(&Called) -> Duration) -> Duration {
        let mut all: Vec<Duration> = self.calls.iter().map(of).collect();
        all.sort();
        all[all.len() / 2]
    }

    fn print(&self) {
        let Manifest { name, version, subscriptions, settings, .. } = &self.plugin.manifest;
        let wants: Vec<String> = subscriptions.iter().map(ToString::to_string).collect();
        let wants = if wants.is_empty() { String::new() } else { format!(" wants {}", wants.join(", ")) };
        outln!("{} ({}){}", harmless(&format!("{name} {version}")), self.plugin.generation, harmless(&wants));
        for ask in settings {
            let default =
                ask.default.as_ref().map_or("no default".to_owned(), |default| format!("default {default:?}"));
            outln!("  asks for the setting {}", harmless(&format!("{} ({default}) {}", ask.key, ask.about)));
        }
        for asked in asked(&self.plugin.name, &self.plugin.manifest, &Grant::nothing(&DEFAULT_CALLS)) {
            if asked.what != "setting" {
                outln!("  asks for {}", harmless(&format!("{asked} {}", asked.about)));
            }
        }
        let given = harmless(&format!("{} of {}", self.event.event_type, self.event.provider));
        outln!("given {given}, {} bytes", self.event.payload.len());
        let Some(last) = self.calls.last() else { return };
        for line in &last.lines {
            outln!("  {:<5} {}", level_name(line.level), line.message);
        }
        print_effects(last);
        let times = if self.calls.len() == 1 { String::new() } else { format!(", median of {}", self.calls.len()) };
        let (fresh, own) = (self.median(|called| called.cost.wall), self.median(|called| called.cost.cpu));
        let mib = last.cost.memory_bytes as f64 / f64::from(1 << 20);
        let (fresh, own) = (super::brief(fresh), super::brief(own));
        let instance = match self.instances {
            Instances::Warm if !self.plugin.is_command() => "an instance that was called before",
            _ => "a fresh instance",
        };
        let outcome = harmless(&last.outcome.to_string());
        outln!("{outcome} in {fresh} with {instance} ({own} of it computing, {mib:.1} MiB at the most{times})");
    }

    fn print_json(&self) -> anyhow::Result<()> {
        let Some(last) = self.calls.last() else { return Ok(()) };
        let lines: Vec<_> = last
            .lines
            .iter()
            .map(|line| serde_json::json!({ "level": level_name(line.level), "message": line.message }))
            .collect();
        let report = serde_json::json!({
            "name": self.plugin.manifest.name,
            "version": self.plugin.manifest.version,
            "generation": self.plugin.generation.to_string(),
            "event_type": &*self.event.event_type,
            "outcome": last.outcome.name(),
            "why": last.outcome.to_string(),
            "lines": lines,
            "times": self.calls.len(),
            "wall_us": self.median(|called| called.cost.wall).as_secs_f64() * 1e6,
            "cpu_us": self.median(|called| called.cost.cpu).as_secs_f64() * 1e6,
            "memory_bytes": last.cost.memory_bytes,
        });
        outln!("{}", printed::pretty(&report)?);
        Ok(())
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
