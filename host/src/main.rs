//! `hookgate`: the commands. Exit codes are 0, 1 (it failed) and 64 (bad usage or config).

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hookgate::config::ConfigError;

/// A webhook gateway with WebAssembly plugins: verifies a webhook, writes it down, answers, then runs every plugin that
/// subscribed to it, until it worked.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = "Start with:  hookgate init && hookgate serve")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(commands::init::Init),
    Serve(commands::serve::Serve),
    Check(commands::check::Check),
    Send(commands::send::Send),
    New(commands::new::New),
    Try(commands::try_plugin::Try),
    Providers(commands::providers::Providers),
    Frameio(commands::frameio::Frameio),
    Events(commands::events::Events),
    Show(commands::show::Show),
    Replay(commands::replay::Replay),
    Dead(Box<commands::dead::Dead>),
    Plugins(commands::hold::Plugins),
    Pause(commands::hold::Pause),
    Resume(commands::hold::Resume),
    Audit(commands::audit::Audit),
    Webhooks(commands::webhooks::Webhooks),
    Keys(commands::keys::Keys),
    Refusals(commands::refusals::Refusals),
    Backup(commands::backup::Backup),
    Restore(commands::backup::Restore),
    #[command(name = hookgate::runtime::WORKER, hide = true)]
    CompileWorker(commands::compile_worker::CompileWorker),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            let _ = told.print();
            return if told.use_stderr() { BAD_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Init(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Send(command) => command.run(),
        Command::New(command) => command.run(),
        Command::Try(command) => command.run(),
        Command::Providers(command) => command.run(),
        Command::Frameio(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Show(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Dead(command) => command.run(),
        Command::Plugins(command) => command.run(),
        Command::Pause(command) => command.run(),
        Command::Resume(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Webhooks(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Refusals(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::CompileWorker(command) => command.run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // It may tell what strangers wrote.
            let told: Vec<String> = format!("{error:#}").lines().map(commands::harmless).collect();
            eprintln!("hookgate: {}", told.join("\n"));
            let is_usage = error.is::<ConfigError>() || error.is::<commands::Usage>();
            if is_usage { BAD_USAGE.into() } else { ExitCode::FAILURE }
        }
    }
}

const BAD_USAGE: u8 = 64;
