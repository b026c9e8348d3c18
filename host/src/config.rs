//! The config: TOML in, everything checked, all mistakes told at once. The only reader of the environment.

mod delivery;
mod door;
mod grants;
mod outgoing;
mod secrets;
mod sources;
mod telemetry;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ingress;
use crate::listen::{Proxies, TlsFiles};
use crate::outbound::Roots;
use crate::plugins::{Calls, Grant, Trust};
use crate::provider::Source;
use crate::queue::Keep;
use crate::runtime::{CallLimits, CompileLimits, Compiler};
use crate::schedule::Schedules;
use crate::secret::Secret;
use crate::section::{Mistakes, Section};
use crate::telemetry::Settings;
pub use outgoing::Outgoing;
use secrets::dotenv;

/// The file that is read where none is named.
pub const FILE: &str = "hookgate.toml";

/// Everything that the gateway is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses and folders.
    pub server: Server,
    /// Who may send.
    pub sources: Vec<Source>,
    /// Limits of requests and connections.
    pub ingress: ingress::Limits,
    /// The largest body that is taken where a source says nothing else, in bytes.
    pub body_bytes: usize,
    /// The limits of a call, where a plugin has none of its own.
    pub calls: Calls,
    /// The largest plugin file, in bytes.
    pub plugin_bytes: usize,
    /// The most instances at a time, all plugins together.
    pub instances: usize,
    /// Who compiles plugins.
    pub compiler: Compiler,
    /// What compiling one may take.
    pub compile: CompileLimits,
    /// When deliveries are tried again.
    pub schedules: Schedules,
    /// How long what is kept.
    pub keep: Keep,
    /// What each plugin is granted, by the stem of its file.
    pub plugins: BTreeMap<String, Grant>,
    /// Which files are taken for plugins.
    pub trust: Trust,
    /// Outgoing webhooks.
    pub outgoing: Outgoing,
    /// Whose certificates are believed by requests that leave.
    pub roots: Roots,
    /// Who is told of traces, if anybody.
    pub telemetry: Option<Settings>,
    /// The files that it was read from, those of secrets included.
    files: Files,
    /// How it was read, where it was read from a file.
    origin: Option<(PathBuf, Overrides)>,
}

/// Addresses and folders.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where senders come in.
    pub listen: SocketAddr,
    /// Where operators come in.
    pub admin: SocketAddr,
    /// What an operator must show, where the admin address is not loopback.
    pub admin_token: Option<Secret>,
    /// Where the queue is.
    pub data_dir: PathBuf,
    /// Where plugins are.
    pub plugins_dir: PathBuf,
    /// What senders see in front of `/hooks/...`.
    pub public_url: Option<String>,
    /// How long running calls may take to end when the gateway stops.
    pub drain: Duration,
    /// The certificate that senders are shown; without one they speak plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The proxies that are believed when they say for whom they ask.
    pub proxies: Proxies,
    /// Plain HTTP is meant: a proxy in front has TLS.
    pub behind_proxy: bool,
}

/// What the command line says in place of the file.
#[derive(Debug, Default, Clone)]
pub struct Overrides {
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--admin`
    pub admin: Option<SocketAddr>,
    /// `--plugins`
    pub plugins_dir: Option<PathBuf>,
    /// `--data`
    pub data_dir: Option<PathBuf>,
    /// Who compiles plugins; without it, this process.
    pub compiler: Option<Compiler>,
    /// A secret that is not there yet is no mistake: for the command that fetches it.
    pub secrets_may_be_missing: bool,
}

/// Why there is no config. Every mistake is told with its key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {file}: {cause}\n  name it with --config, or write one with `hookgate init`", file = .0.display(), cause = .1)]
    Unreadable(PathBuf, std::io::Error),
    /// What the file says is wrong.
    #[error("{file} has mistakes:\n  {told}", file = .0.display(), told = .1.join("\n  "))]
    Mistakes(PathBuf, Vec<String>),
}

/// The files that a config was to be read from, whether or not they are there, each as it looked then.
type Files = Vec<(PathBuf, Option<Stamp>)>;

/// What a file looks like from outside: inode, bytes, and when it was changed.
type Stamp = (u64, u64, i64, i64);

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

impl Config {
    /// Reads a file, and the `.env` beside it. Variables of the process count more.
    pub fn read(file: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
        let mut files = Files::new();
        let mut config = Config::read_noting(file, overrides, &mut files)?;
        (config.files, config.origin) = (files, Some((file.to_owned(), overrides.clone())));
        Ok(config)
    }

    /// Notes the files too where it fails: one of them may be what is wrong.
    fn read_noting(file: &Path, overrides: &Overrides, files: &mut Files) -> Result<Config, ConfigError> {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        files.extend([file.to_owned(), folder.join(".env")].map(|file| (file.clone(), stamp(&file))));
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable(file.to_owned(), error))?;
        let beside =
            dotenv(&folder.join(".env")).map_err(|told| ConfigError::Mistakes(folder.join(".env"), vec![told]))?;
        let variable = |name: &str| std::env::var(name).ok().or_else(|| beside.get(name).cloned());
        let secrets = RefCell::default();
        let read = Config::parse_noting(&text, &folder, overrides, &variable, &secrets);
        files.extend(secrets.into_inner());
        read.map_err(|told| ConfigError::Mistakes(file.to_owned(), told))
    }

    /// Reads the same file again. Where it has mistakes, the files that it was read from then are noted here.
    pub fn read_again(&mut self) -> Result<Config, ConfigError> {
        let Some((file, overrides)) = self.origin.clone() else { return Ok(self.clone()) };
        let mut files = Files::new();
        let read = Config::read_noting(&file, &overrides, &mut files);
        self.files = files.clone();
        read.map(|config| Config { files, origin: Some((file, overrides)), ..config })
    }

    /// Whether the files that it was last read from look as they did then.
    pub fn is_as_it_was(&self) -> bool {
        self.files.iter().all(|(file, before)| stamp(file) == *before)
    }

    /// What another config says otherwise that counts only after a restart, by its keys.
    pub fn needs_restart(&self, other: &Config) -> Vec<&'static str> {
        let differs = [
            ("server", self.server != other.server),
            ("limits", self.engine() != other.engine() || self.ingress != other.ingress),
            ("memory_mib", other.most_memory_bytes() > self.most_memory_bytes()),
            ("body_bytes of what is published", self.body_bytes != other.body_bytes),
            ("delivery", self.schedules.plugins != other.schedules.plugins || self.keep != other.keep),
            ("outgoing", self.outgoing != other.outgoing || self.schedules.webhooks != other.schedules.webhooks),
            ("outbound", self.roots != other.roots),
            ("telemetry", self.telemetry != other.telemetry),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    fn engine(&self) -> (usize, usize, &Compiler, CompileLimits) {
        (self.plugin_bytes, self.instances, &self.compiler, self.compile)
    }

    /// This one, with all of another that counts without a restart.
    pub fn with_what_can_change(&self, other: Config) -> Config {
        let most_memory = self.most_memory_bytes();
        let Config { sources, mut plugins, mut calls, trust, files, .. } = other;
        for calls in plugins.values_mut().map(|grant| &mut grant.calls).chain([&mut calls]) {
            calls.each.memory_bytes = calls.each.memory_bytes.min(most_memory);
        }
        Config { sources, plugins, calls, trust, files, ..self.clone() }
    }

    /// Reads the text of a config. Relative paths in it start at `folder`; `variable` is the environment.
    pub fn parse(
        text: &str,
        folder: &Path,
        overrides: &Overrides,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Vec<String>> {
        Config::parse_noting(text, folder, overrides, variable, &RefCell::default())
    }

    fn parse_noting(
        text: &str,
        folder: &Path,
        overrides: &Overrides,
        variable: &dyn Fn(&str) -> Option<String>,
        files: &RefCell<Files>,
    ) -> Result<Config, Vec<String>> {
        let table = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let mistakes = Mistakes::default();
        let secrets_may_be_missing = overrides.secrets_may_be_missing;
        let reading = Reading { folder, variable, files, secrets_may_be_missing };
        let mut root = Section::root(table, &mistakes);
        let mut server = root.section("server");
        let trust = grants::trust(&mut server);
        let server = reading.server(server, overrides);
        let roots = reading.roots(root.section("outbound"));
        let mut limits = root.section("limits");
        let (ingress, requests_per_s) = door::limits(&mut limits);
        let body_bytes = body_bytes(&mut limits, 1 << 20);
        let calls = grants::calls(&mut limits, &DEFAULT_CALLS);
        let plugin_bytes = limits.number("plugin_bytes", 32 << 20, 1 << 10..=1 << 30) as usize;
        let instances = limits.number("instances", 128, 1..=1000) as usize;
        let compile = CompileLimits {
            memory_bytes: limits.number("compile_mib", 2048, 64..=1 << 20) << 20,
            cpu: Duration::from_secs(limits.number("compile_cpu_s", 120, 1..=86_400)),
        };
        let compiler = overrides.compiler.clone().unwrap_or(Compiler::Inside);
        limits.finish();
        let (plugins, keep, keeps_headers) = delivery::delivery(root.section("delivery"));
        let (outgoing, webhooks) = reading.outgoing(root.section("outgoing"));
        let schedules = Schedules { plugins, webhooks };
        let telemetry = reading.telemetry(root.section("telemetry"));
        let sources = root.section("sources").sections();
        let mut sources: Vec<Source> = sources
            .into_iter()
            .filter_map(|(name, section)| reading.source(&name, section, body_bytes, server.public_url.as_deref()))
            .collect();
        for source in &mut sources {
            source.requests_per_s = source.requests_per_s.or(requests_per_s);
            source.keeps_headers = keeps_headers;
        }
        let plugins = reading.plugins(root.section("plugins"), &calls, &sources);
        root.finish();
        mistakes.none_or_in(
            text,
            Config {
                server,
                sources,
                ingress,
                body_bytes,
                calls,
                plugin_bytes,
                instances,
                compiler,
                compile,
                schedules,
                keep,
                outgoing,
                plugins,
                trust,
                roots,
                telemetry,
                files: Files::new(),
                origin: None,
            },
        )
    }

    /// What a plugin is granted, where its section says nothing too.
    pub fn grant(&self, plugin: &str) -> Grant {
        self.plugins.get(plugin).cloned().unwrap_or_else(|| Grant::nothing(&self.calls))
    }

    /// The most memory that any plugin may have, in bytes.
    pub fn most_memory_bytes(&self) -> usize {
        let own = self.plugins.values().map(|grant| grant.calls.each.memory_bytes);
        own.fold(self.calls.each.memory_bytes, usize::max)
    }
}

/// A variable of the environment, or of the `.env` beside a config file, where it says something.
pub fn variable(config: &Path, name: &str) -> Option<String> {
    let beside = || dotenv(&config.with_file_name(".env")).ok()?.remove(name);
    std::env::var(name).ok().or_else(beside).filter(|value| !value.is_empty())
}

/// Whether a variable of the environment is there and says something.
pub fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Where commands that serve nobody keep compiled code, so that the next does not compile it again.
pub fn cache_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
    std::path::absolute(cache.join("hookgate/compiled")).ok()
}

/// What a call may use where nothing is said.
pub const DEFAULT_CALLS: Calls = Calls {
    each: CallLimits {
        wall: Duration::from_secs(30),
        cpu: Duration::from_secs(1),
        memory_bytes: 128 << 20,
        log_bytes: 64 << 10,
    },
    at_once: 16,
    per_instance: 1,
};

struct Reading<'a> {
    folder: &'a Path,
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// The files of secrets that were named.
    files: &'a RefCell<Files>,
    secrets_may_be_missing: bool,
}

impl Reading<'_> {
    /// Reads `[outbound]`.
    fn roots(&self, mut outbound: Section) -> Roots {
        let ca_file = outbound.optional::<String>("ca_file").map(|file| self.folder.join(file));
        let hosts = outbound.section("hosts").rest_with(|section, name| section.parsed(name));
        let hosts = hosts.into_iter().filter_map(|(name, address)| Some((name.to_ascii_lowercase(), address?)));
        let roots = Roots { ca_file, hosts: hosts.collect() };
        self.files.borrow_mut().extend(roots.ca_file.iter().map(|file| (file.clone(), stamp(file))));
        if let Err(why) = roots.check() {
            outbound.mistake("ca_file", why);
        }
        outbound.finish();
        roots
    }

    /// Reads `[plugins]`. Who answers for which source, the sources say.
    fn plugins(&self, section: Section, calls: &Calls, sources: &[Source]) -> BTreeMap<String, Grant> {
        let plugins = section.sections().into_iter();
        let plugins = plugins.map(|(name, section)| (name.clone(), self.grant(&name, section, calls)));
        let mut plugins: BTreeMap<String, Grant> = plugins.collect();
        for source in sources {
            if let Some(answering) = &source.answering {
                let grant = plugins.entry(answering.plugin.to_string()).or_insert_with(|| Grant::nothing(calls));
                grant.answers.push(source.name.to_string());
            }
        }
        plugins
    }
}

fn body_bytes(section: &mut Section, default: usize) -> usize {
    section.number("body_bytes", default as u64, 1..=64 << 20) as usize
}

fn millis(section: &mut Section, key: &str, default: u64) -> Duration {
    Duration::from_millis(section.number(key, default, 1..=86_400_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        let variable = |name: &str| (name == "SECRET").then(|| "s3cret".to_owned());
        Config::parse(text, Path::new("/etc/hookgate"), &Overrides::default(), &variable)
    }

    #[test]
    fn an_empty_config_is_full_of_sense() {
        let config = parse("").unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.server.data_dir, Path::new("/etc/hookgate/data"));
        assert_eq!(config.schedules.plugins.attempts(), 8);
        assert_eq!(config.schedules.webhooks.attempts(), 8);
        assert_eq!(config.grant("any").calls, DEFAULT_CALLS);
    }

    #[test]
    fn sources_plugins_and_limits_are_read() {
        let config = parse(
            r#"
            [sources.studio]
            provider = "frameio"
            secrets = [{ env = "SECRET" }]
            body_bytes = 1000
            requests_per_s = 5
            [sources.own]
            secrets = [{ env = "SECRET" }]
            [sources.own.provider]
            signature = { at = "{header:X-Sig}", algorithm = "hmac-sha256", signed = "{body}" }
            event.type = "{header:X-Type}"
            [limits]
            call_ms = 50
            requests_per_s = 20
            [plugins.greeter]
            settings = { greeting = "Hi", times = 3, deep = [1, 2] }
            calls_at_once = 2
            "#,
        )
        .unwrap();
        let [own, studio] = config.sources.as_slice() else { panic!("{:?}", config.sources) };
        assert_eq!((&*own.provider.name, own.keys.len(), own.body_bytes), ("own", 1, 1 << 20));
        assert_eq!((&*studio.provider.name, studio.body_bytes), ("frameio", 1000));
        assert_eq!([own, studio].map(|source| source.requests_per_s.unwrap().get()), [20, 5]);
        let greeter = config.grant("greeter");
        assert_eq!(greeter.settings["times"], "3");
        assert_eq!(greeter.settings["deep"], "[1,2]");
        assert_eq!((greeter.calls.at_once, greeter.calls.each.wall), (2, Duration::from_millis(50)));
    }

    #[test]
    fn headers_are_kept_unless_it_says_otherwise() {
        let source = "[sources.a]\nprovider = \"github\"\nsecrets = [{ env = \"SECRET\" }]\n";
        for (delivery, keeps) in [("", true), ("keep_headers = true", true), ("keep_headers = false", false)] {
            let config = parse(&format!("{source}[delivery]\n{delivery}")).unwrap();
            assert_eq!(config.sources[0].keeps_headers, keeps, "{delivery}");
        }
    }

    #[test]
    fn every_mistake_is_told_at_once_with_the_fix() {
        let told = parse(
            r#"
            [server]
            listen = "here"
            admin = "0.0.0.0:9"
            tls = { cert_file = "/no/such.pem" }
            proxies = ["proxy.example"]
            [sources.Bad]
            provider = "gitub"
            secrets = [{ env = "UNSET" }]
            [sources.a]
            provider = "github"
            [sources.plugin]
            provider = "github"
            secrets = [{ env = "SECRET" }]
            [outbound]
            ca_file = "no-such.pem"
            [plugins.p]
            emit = ["github:push"]
            [plugins.p.hosts."*"]
            schemes = ["http"]
            bearer = { env = "SECRET" }
            allow_private = ["8.8.8.8:1"]
            [sources.b]
            provider = "standard-webhooks"
            secrets = [{ value = "x" }, { file = "/no/such" }]
            requests_per_s = 0
            [limits]
            call_mss = 3
            idle_ms = 0
            [delivery]
            keep_days = 0
            [nonsense]
            "#,
        )
        .unwrap_err();
        let all = told.join("\n");
        for expected in [
            "server.listen: ",
            "server.tls.key_file: is missing",
            "server.proxies: \"proxy.example\" is neither an address nor a network",
            "sources.b.requests_per_s: ",
            "limits.idle_ms: 0 is out of range",
            "server.admin: is open to others, so it needs a token",
            "sources.Bad: is no name for a source",
            "sources.Bad.provider: there is no `gitub`; did you mean `github`?",
            "sources.Bad.secrets[0].env: the variable UNSET is not set",
            "sources.a.secrets: is missing",
            "sources.b.secrets[0]: take one of env",
            "sources.b.secrets[0].value: is no key that there is",
            "sources.b.secrets[1].file: cannot read /no/such",
            "limits.call_mss: is no key that there is; did you mean `call_ms`?",
            "sources.plugin: is the name of what plugins make",
            "outbound.ca_file: cannot read",
            "plugins.p.emit: \"github:push\" names a source",
            "plugins.p.hosts.\"*\": every host there is cannot be granted",
            "plugins.p.hosts.\"*\".allow_private: 8.8.8.8:1 is on the public internet",
            "plugins.p.hosts.\"*\".schemes: with http the credential would cross",
            "delivery.keep_days: 0 is out of range: take 1 to 3650",
            "nonsense: is no key that there is",
        ] {
            assert!(all.contains(expected), "{expected:?} is not in\n{all}");
        }
    }

    #[test]
    fn what_may_be_a_mistake_is_warned_of() {
        let warned = |server: &str| parse(&format!("[server]\n{server}")).unwrap().warnings();
        let (open, https) = ("listen = \"0.0.0.0:80\"\n", "public_url = \"https://hooks.example.com\"\n");
        let proxies = "proxies = [\"10.0.0.0/8\", \"::1\"]\n";
        assert!(warned("").is_empty() && warned(proxies).is_empty());
        assert!(warned(&format!("{open}{https}{proxies}")).is_empty());
        assert!(warned(open)[0].starts_with("server.listen: 0.0.0.0:80 is open to others"));
        assert!(warned(https)[0].starts_with("server.proxies: names no proxy"));
        let behind = warned(&format!("{open}behind_proxy = true"));
        assert!(matches!(behind.as_slice(), [one] if one.starts_with("server.proxies: ")), "{behind:?}");
    }

    #[test]
    fn a_plugin_that_can_hold_all_instances_is_warned_of() {
        let warned = |limits: &str| parse(&format!("[limits]\n{limits}")).unwrap().warnings();
        assert!(warned("instances = 17").is_empty());
        assert!(warned("instances = 16")[0].starts_with("limits.calls_at_once: 16 calls of one plugin"));
        let own =
            warned("instances = 20\n[plugins.a]\ncalls_at_once = 20\n[plugins.b]\ncalls_at_once = 19\n[plugins.c]");
        assert!(matches!(own.as_slice(), [one] if one.starts_with("plugins.a.calls_at_once: 20 ")), "{own:?}");
        assert!(own[0].ends_with("say less than 20, or raise limits.instances"), "{own:?}");
    }

    #[test]
    fn a_config_never_prints_a_secret() {
        let config = parse("[sources.a]\nprovider = \"github\"\nsecrets = [{ env = \"SECRET\" }]").unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
