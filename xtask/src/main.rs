//! `cargo xtask`: everything that has to be set up, built and started, in one place.
//!
//! The rooms, in reading order:
//!
//! - [`project`]: where the repository is, and how cargo is called in it.
//! - [`wasm`]: which toolchain builds plugins; sets one up where there is none.
//! - [`debian`]: the set-up without rustup's help, from Debian packages.
//! - [`plugins`]: plugin crates to `.wasm` files in a folder.
//! - [`tools`]: the toolchains of other languages.
//! - [`others`]: plugins in other languages.
//! - [`faketime`]: what sets the clock of one process, for tests.
//! - [`schemathesis`]: what holds the API against its description, for tests.
//! - [`syncs`]: what has the syncs of one process fail, for tests.
//! - [`torture`]: the gateway under fire, on a large scale.
//! - [`process`]: other programs, called so that their failures can be read.
//!
//! Every newcomer waits for this program to compile: think twice before adding a dependency.

mod debian;
mod doctor;
mod faketime;
mod others;
mod plugins;
mod process;
mod project;
mod schemathesis;
mod syncs;
mod tools;
mod torture;
mod wasm;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::process::{announce, hand_over, run};
use crate::project::Project;
use crate::tools::Tools;
use crate::torture::TORTURE;
use crate::wasm::Toolchain;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Sets up, builds and starts Hookgate")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the gateway and the sample plugins, writes a first config, and serves
    #[command(after_help = "Example: cargo xtask run -- --listen 127.0.0.1:9000")]
    Run {
        /// Passed on to `hookgate serve`
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Builds the sample plugins into plugins/
    Plugins,
    /// Builds the Rust plugin crates in the given folders and puts them into plugins/
    #[command(after_help = "Example: cargo xtask plugin ../my-plugin")]
    Plugin {
        /// A crate, a workspace, or a folder of crates
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Where the .wasm files go instead of plugins/
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Runs all tests
    #[command(after_help = "Example: cargo xtask test -- restart --nocapture")]
    Test {
        /// Passed on to `cargo test --workspace`
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Measures the release build
    Bench {
        /// Passed on to `hookgate-bench`
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Kills the release build, stops it, takes its disk away, and counts what became of its promises
    #[command(after_help = TORTURE)]
    Torture(torture::Torture),
    /// Fuzzes what reads strangers' bytes first
    #[command(after_help = "Example: cargo xtask fuzz 600 verify_parse")]
    Fuzz {
        /// How long each target runs, in seconds
        #[arg(default_value_t = 60)]
        seconds: u32,
        /// Which targets, in place of all
        targets: Vec<String>,
    },
    /// Prints what is set up, and how
    Doctor,
}

fn main() -> ExitCode {
    let Err(error) = start(Cli::parse().task) else { return ExitCode::SUCCESS };
    // Not returned from `main`: that would bury the advice under a backtrace, where those are on.
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    ExitCode::FAILURE
}

fn start(task: Task) -> Result<()> {
    let project = Project::find()?;
    match task {
        Task::Run { args } => serve(&project, &args),
        Task::Plugins => build_samples(&project, &project.plugins()),
        Task::Plugin { paths, out } => build_paths(&project, &paths, out),
        Task::Test { args } => test(&project, &args),
        Task::Bench { args } => bench(&project, &args),
        Task::Torture(torture) => torture.run(&project),
        Task::Fuzz { seconds, targets } => fuzz(&project, seconds, &targets),
        Task::Doctor => doctor::print(&project),
    }
}

fn serve(project: &Project, args: &[OsString]) -> Result<()> {
    let toolchain = wasm::set_up()?;
    announce("building the gateway (release)");
    run(project.cargo().args(["build", "--release", "-p", "hookgate"]))?;
    announce("building the sample plugins");
    plugins::build(project, &toolchain, &project.plugins(), &project.plugins())?;
    // The gateway runs without them too.
    if let Err(error) = others::samples(project, &project.plugins()) {
        announce(format!("some sample plugins are left out: {error:#}"));
    }
    let hookgate = project.binary("release", "hookgate");
    if !project.root.join("hookgate.toml").exists() {
        announce("writing a first hookgate.toml");
        run(project.command(&hookgate).args(["init", "."]))?;
    }
    announce("hookgate serve");
    hand_over(project.command(&hookgate).arg("serve").args(args))
}

fn build_samples(project: &Project, out: &Path) -> Result<()> {
    samples(project, &wasm::set_up()?, out).map(drop)
}

/// Builds the sample plugins. Gives the languages that there is no toolchain for.
fn samples(project: &Project, toolchain: &Toolchain, out: &Path) -> Result<Vec<&'static str>> {
    announce("building the sample plugins");
    plugins::build(project, toolchain, &project.plugins(), out)?;
    others::samples(project, out)
}

/// Builds the plugin that tests every language's SDK.
fn contract(project: &Project, toolchain: &Toolchain, out: &Path) -> Result<()> {
    announce("building the contract's plugin in each language");
    plugins::build(project, toolchain, &project.root.join("tests/contract/rust"), out)?;
    plugins::build(project, toolchain, &project.root.join("tests/powers/rust"), out)?;
    others::contract(project, out).map(drop)
}

fn build_paths(project: &Project, paths: &[PathBuf], out: Option<PathBuf>) -> Result<()> {
    let out = out.unwrap_or_else(|| project.plugins());
    let toolchain = wasm::set_up()?;
    for path in paths {
        announce(format!("building {}", path.display()));
        plugins::build(project, &toolchain, path, &out)?;
    }
    Ok(())
}

fn test(project: &Project, args: &[OsString]) -> Result<()> {
    let toolchain = wasm::set_up()?;
    announce("building the gateway and its tests");
    // Together with the tests: built alone, the binary's dependencies get other features than
    // `cargo test` gives them, and all of them are compiled twice.
    run(project.cargo().args(["build", "--workspace", "--bin", "hookgate", "--tests"]))?;
    let samples_dir = project.samples();
    let without = samples(project, &toolchain, &samples_dir)?;
    contract(project, &toolchain, &samples_dir)?;
    let receivers = others::receivers(project, &without)?;
    let syncs = syncs::build(project)?;
    let faketime = faketime::set_up()?;
    let schemathesis = schemathesis::set_up(project)?;
    announce("running the tests");
    let mut tests = project.cargo();
    tests
        .args(["test", "--workspace"])
        .args(args)
        .env("HOOKGATE_SAMPLES", samples_dir)
        .env("HOOKGATE_BIN", project.binary("debug", "hookgate"))
        .env("HOOKGATE_WITHOUT", without.join(","))
        .env("HOOKGATE_RECEIVERS", receivers)
        .env("HOOKGATE_FAKETIME", faketime)
        .env("HOOKGATE_SCHEMATHESIS", schemathesis)
        .env("HOOKGATE_SYNCS", syncs)
        .env("HOOKGATE_TOOLS", Tools::find()?.path()?)
        .env("HOOKGATE_RUST", toolchain.script());
    run(&mut tests)?;
    // With arguments, somebody looks for one test of the gateway's.
    if args.is_empty() { others::tests(project, &without) } else { Ok(()) }
}

fn fuzz(project: &Project, seconds: u32, targets: &[String]) -> Result<()> {
    announce(format!("fuzzing, {seconds} s each"));
    let folder = project.root.join("tests/fuzz");
    let target = project.target.join("fuzz");
    run(project.command(&folder.join("run.sh")).arg(seconds.to_string()).args(targets).env("CARGO_TARGET_DIR", target))
}

fn bench(project: &Project, args: &[OsString]) -> Result<()> {
    let toolchain = wasm::set_up()?;
    let samples_dir = project.samples();
    samples(project, &toolchain, &samples_dir)?;
    contract(project, &toolchain, &samples_dir)?;
    announce("building the gateway and its benchmark (release)");
    run(project.cargo().args(["build", "--release", "-p", "hookgate", "-p", "hookgate-tests"]).args([
        "--bin",
        "hookgate",
        "--bin",
        "hookgate-bench",
    ]))?;
    announce("measuring");
    hand_over(
        project
            .command(&project.binary("release", "hookgate-bench"))
            .args(args)
            .env("HOOKGATE_SAMPLES", samples_dir)
            .env("HOOKGATE_BIN", project.binary("release", "hookgate")),
    )
    .context("the benchmark did not run")
}
