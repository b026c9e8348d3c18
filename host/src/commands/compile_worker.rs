//! `hookgate compile-worker`: the process that the gateway has compile a plugin. Not for people.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hookgate::runtime::{Job, Priority, work};

/// Compile a plugin from standard input to standard output, confined
#[derive(Args)]
pub struct CompileWorker {
    #[arg(long)]
    memory_bytes: u64,
    #[arg(long)]
    cpu_s: u64,
    #[arg(long)]
    functions: Option<PathBuf>,
    #[arg(long)]
    idle: bool,
}

impl CompileWorker {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let CompileWorker { memory_bytes, cpu_s, functions, idle } = self;
        let priority = if idle { Priority::Idle } else { Priority::Guest };
        Ok(work(&Job { memory_bytes, cpu_s, functions, priority }))
    }
}
