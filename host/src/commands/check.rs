//! `hookgate check`: all that is wrong, at once, before anything runs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use hookgate::config::{Config, FILE, Overrides, cache_folder};
use hookgate::effects::Blank;
use hookgate::event::{UnixMs, wall_ms};
use hookgate::outbound::Outbound;
use hookgate::plugins::{Asked, Granting, Plugins, Standing};
use hookgate::provider::Key;
use hookgate::runtime::{Compiler, EngineLimits, Runtime};

use super::printed;
use super::table::harmless;

/// Read the config and load every plugin as `serve` would, and tell all that is wrong
#[derive(Args)]
#[command(after_help = "Example:  hookgate check --config /etc/hookgate/hookgate.toml")]
pub struct Check {
    /// The config file
    #[arg(long, default_value = FILE)]
    config: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let overrides = Overrides { compiler: Some(Compiler::of_this_program()), ..Overrides::default() };
        let config = Config::read(&self.config, &overrides)?;
        let standings = super::block_on(load(&config))??;
        config.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
        if self.json {
            outln!("{}", printed::pretty(&standings)?);
        } else {
            print_all(&self, &config, &standings);
        }
        let all_live = standings.iter().all(|standing| standing.slot == "live");
        Ok(if all_live { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// After how long it is said that plugins are still being compiled.
const LONG: Duration = Duration::from_secs(1);

/// Loads every plugin as the gateway would. Gives how they stand.
pub async fn load(config: &Config) -> anyhow::Result<Vec<Standing>> {
    let folder = config.server.plugins_dir.clone();
    let runtime = Runtime::new(EngineLimits {
        memory_bytes: config.most_memory_bytes(),
        instances: config.instances,
        plugin_bytes: config.plugin_bytes,
        cache_folder: cache_folder(),
        compiler: config.compiler.clone(),
        compile: config.compile,
    })?;
    let (granting, trust) = (config.clone(), config.trust.clone());
    let granting = Granting { grants: Box::new(move |name: &str| granting.grant(name)), trust };
    let outbound = Outbound::of_a_command(config.roots.clone());
    let plugins = Plugins::new(folder.clone(), runtime, outbound, Arc::new(Blank), granting, config.plugin_bytes);
    let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
    let unreadable = || format!("cannot look into the plugins folder {}", folder.display());
    let mut loading = std::pin::pin!(plugins.scan(&tell).await.with_context(unreadable)?.ended());
    tokio::select! {
        () = &mut loading => return Ok(plugins.standings()),
        () = tokio::time::sleep(LONG) => {}
    }
    let standings = plugins.standings();
    let compiling: Vec<&str> =
        standings.iter().filter(|plugin| plugin.compiling).map(|plugin| plugin.name.as_str()).collect();
    if !compiling.is_empty() {
        eprintln!("still compiling {}: what is compiled once is kept", harmless(&compiling.join(", ")));
    }
    loading.await;
    Ok(plugins.standings())
}

/// How long before its end a secret is worth a word.
const SOON_MS: u64 = 14 * 86_400_000;

/// What is worth a word of when a secret counts.
fn told_of_span(key: &Key, now_ms: UnixMs) -> Option<String> {
    if let Some(at) = key.not_before_ms().filter(|at| *at > now_ms) {
        return Some(format!("counts from {} on", moment(at)));
    }
    let at = key.not_after_ms().filter(|at| *at < now_ms + SOON_MS)?;
    Some(match at.checked_sub(now_ms) {
        None => format!("counted until {}: take it out", moment(at)),
        Some(left) => {
            format!("counts until {}, {} days from now: is the next one here?", moment(at), left / 86_400_000)
        }
    })
}

fn moment(at_ms: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(at_ms as i64).map(|at| format!("{at:.0}")).unwrap_or_default()
}

fn print_all(check: &Check, config: &Config, standings: &[Standing]) {
    let sources = if config.sources.len() == 1 { "source" } else { "sources" };
    outln!("{} is fine: {} {sources}", check.config.display(), config.sources.len());
    for source in &config.sources {
        let secrets = if source.keys.len() == 1 { "secret" } else { "secrets" };
        outln!("  {:<20} {} with {} {secrets}", source.name, source.provider.name, source.keys.len());
        for (n, key) in source.keys.iter().enumerate() {
            if let Some(told) = told_of_span(key, wall_ms()) {
                outln!("      secret {}: {told}", n + 1);
            }
        }
        if !source.keys.iter().any(|key| key.is_live(wall_ms())) {
            outln!("      no secret counts now, so nothing can be verified: every request is answered 503");
        }
    }
    let plugins = if standings.len() == 1 { "plugin" } else { "plugins" };
    outln!("{}: {} {plugins}", config.server.plugins_dir.display(), standings.len());
    for standing in standings {
        let what = match &standing.why {
            Some(why) => lines(why, "\n      "),
            None => {
                let wants = standing.subscriptions.join(", ");
                let wants = if wants.is_empty() { String::new() } else { format!(", wants {wants}") };
                harmless(&format!("{} {}{wants}", standing.version, standing.generation))
            }
        };
        outln!("  {:<20} {:<8} {what}", standing.name, standing.slot);
        for asked in &standing.asks {
            let has = match (asked.granted, asked.optional) {
                (true, _) => "has",
                (false, true) => "can do without",
                (false, false) => "lacks",
            };
            let about = if asked.about.is_empty() { String::new() } else { format!("  {}", asked.about) };
            outln!("      {has} {}", harmless(&format!("{asked}{about}")));
        }
        // What a blocked one lacks is told above.
        let wanting = if standing.why.is_none() { pasted(&standing.asks) } else { Vec::new() };
        if !wanting.is_empty() {
            outln!("      to grant more, write into the config:");
            wanting.iter().for_each(|line| outln!("        {}", harmless(line)));
        }
    }
}

/// What to write into a config for what was not granted to a plugin that runs: each section once, and each key of it. A setting that was
/// not said has its default, so nothing of that is lacking.
fn pasted(asks: &[Asked]) -> Vec<String> {
    let mut sections: Vec<(&str, Vec<String>)> = Vec::new();
    let patterns: Vec<&str> = asks.iter().filter(|ask| ask.what == "emit").map(|ask| &*ask.name).collect();
    for ask in asks.iter().filter(|ask| ask.what != "setting") {
        let Some((section, keys)) = ask.paste.as_deref().map(|paste| paste.split_once('\n').unwrap_or((paste, "")))
        else {
            continue;
        };
        // One list has all patterns, those that were granted too.
        let emit = vec![format!("emit = {patterns:?}")];
        let keys = if ask.what == "emit" { emit } else { keys.lines().map(str::to_owned).collect() };
        let at = sections.iter().position(|(known, _)| *known == section).unwrap_or(sections.len());
        if at == sections.len() {
            sections.push((section, Vec::new()));
        }
        let known = &mut sections[at].1;
        for key in keys {
            if !known.contains(&key) {
                known.push(key);
            }
        }
    }
    sections.into_iter().flat_map(|(section, keys)| std::iter::once(section.to_owned()).chain(keys)).collect()
}

/// Several lines, each harmless, with this between them.
fn lines(text: &str, between: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(what: &'static str, name: &str, paste: Option<&str>) -> Asked {
        let (granted, paste) = (paste.is_none(), paste.map(str::to_owned));
        Asked { what, name: name.to_owned(), about: String::new(), granted, optional: true, paste }
    }

    #[test]
    fn what_is_to_be_pasted_is_one_config() {
        let asks = [
            asked("setting", "a", Some("[plugins.x.settings]\n\"a\" = \"...\"")),
            asked("state", "", Some("[plugins.x]\nstate = true")),
            asked("host", "e.example", Some("[plugins.x.hosts.\"e.example\"]\nmethods = [\"GET\"]")),
            asked("setting", "b", Some("[plugins.x.settings]\n\"b\" = {}")),
            asked("emit", "c.*", Some("[plugins.x]\nemit = [\"c.*\"]")),
            asked("emit", "d", Some("[plugins.x]\nemit = [\"d\"]")),
            asked("emit", "granted", None),
        ];
        let written = pasted(&asks).join("\n");
        assert_eq!(
            written,
            "[plugins.x]\nstate = true\nemit = [\"c.*\", \"d\", \"granted\"]\n[plugins.x.hosts.\"e.example\"]\nmethods = [\"GET\"]"
        );
        assert!(written.parse::<toml::Table>().is_ok(), "{written}");
        assert!(pasted(&[asks[0].clone(), asked("state", "", None)]).is_empty(), "nothing is lacking");
    }
}
