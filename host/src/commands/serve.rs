//! `hookgate serve`: the gateway.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use hookgate::Running;
use hookgate::config::{Config, FILE, Overrides};
use hookgate::runtime::Compiler;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Run the gateway
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate serve --listen 0.0.0.0:8080\n\nPort 0 takes any free port, and the one that was taken is printed."
)]
pub struct Serve {
    /// The config file
    #[arg(long, default_value = FILE)]
    config: PathBuf,
    /// Where senders come in, in place of the config's `listen`
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where operators come in, in place of the config's `admin`
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Where plugins are, in place of the config's `plugins_dir`
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Where the queue is, in place of the config's `data_dir`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How the log is written, to standard error
    #[arg(long, value_enum, default_value = "text")]
    log: LogFormat,
    /// What is logged: error, warn, info, debug, or a filter like `info,plugin=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log_level: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        start_log(self.log, &self.log_level)?;
        let overrides = Overrides {
            listen: self.listen,
            admin: self.admin,
            plugins_dir: self.plugins,
            data_dir: self.data,
            compiler: Some(Compiler::of_this_program()),
            secrets_may_be_missing: false,
        };
        let config = Config::read(&self.config, &overrides)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(config))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    raise_open_files();
    let hooks = listen(config.server.listen, "--listen").await?;
    let admin = listen(config.server.admin, "--admin").await?;
    let (hooks_at, admin_at) = (hooks.local_addr()?, admin.local_addr()?);
    let stop = CancellationToken::new();
    let stopping = tokio::spawn(wait_for_signals(stop.clone()));
    hookgate::run(config, hooks, admin, stop, |running| print_running(running, hooks_at, admin_at)).await?;
    stopping.abort();
    tracing::info!("stopped; everything that was acknowledged is on disk");
    Ok(())
}

/// Each connection is an open file, and the usual limit is for programs that have few.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, taking connections rests when there are too many.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

async fn listen(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    let fix = || format!("cannot listen on {address}: stop what does, or take another address ({flag})");
    TcpListener::bind(address).await.with_context(fix)
}

/// The first signal asks for an orderly stop, the second for an end.
async fn wait_for_signals(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::warn!("cannot listen for signals: stopping will not be orderly");
        return std::future::pending().await;
    };
    let mut next = async || tokio::select! { _ = term.recv() => (), _ = int.recv() => () };
    next().await;
    tracing::info!("stopping: open requests and running calls end first; once more to stop at once");
    stop.cancel();
    next().await;
    std::process::exit(1);
}

fn print_running(running: &Running, hooks: SocketAddr, admin: SocketAddr) {
    outln!("hookgate {}", env!("CARGO_PKG_VERSION"));
    outln!("  hooks   {}", hooks_line(running, hooks));
    outln!("  admin   http://{admin}");
    if let Some(api) = running.api {
        outln!("  api     {}://{api}", running.scheme);
    }
    let mut plugins: Vec<String> =
        running.plugins.iter().map(|plugin| format!("{} {}", plugin.name, plugin.slot)).collect();
    if plugins.is_empty() {
        plugins.push("none yet: drop .wasm files into the plugins folder".into());
    }
    outln!("  plugins {}", plugins.join(", "));
}

fn hooks_line(running: &Running, hooks: SocketAddr) -> String {
    match running.sources.as_slice() {
        [] => {
            let scheme = running.scheme;
            format!("{scheme}://{hooks}/hooks/ without a source: add one to the config, as in [sources.github]")
        }
        [one] => one.url.clone(),
        [first, ..] => {
            let base = first.url.strip_suffix(&*first.name).unwrap_or(&first.url);
            let names: Vec<&str> = running.sources.iter().map(|source| &*source.name).collect();
            format!("{base}{{{}}}", names.join(","))
        }
    }
}

fn start_log(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|error| super::Usage::error(format!("--log-level: {error}")))?;
    // Which warns in the gateway's name of what a guest does, without a limit.
    let quiet = "wasmtime_wasi=off".parse().map_err(|error| super::Usage::error(format!("--log-level: {error}")))?;
    let filter = filter.add_directive(quiet);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Where nobody reads the log any more, there is nobody to tell either: telling would fail too, and end whatever was going on.
    let log = log.log_internal_errors(false);
    // Colours are for people: not for files and journals, and not where NO_COLOR asks for none.
    let log = log.with_ansi(std::io::stderr().is_terminal() && !hookgate::config::is_set("NO_COLOR"));
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
