//! What is set up, and how.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Result;

use crate::process::read;
use crate::project::{Project, cargo};
use crate::wasm::{self, Host, TARGET, Toolchain};

/// Prints what is set up, without changing anything.
pub fn print(project: &Project) -> Result<()> {
    let host = Host::find()?;
    let found = [
        ("repository", project.root.display().to_string()),
        ("target", project.target.display().to_string()),
        ("cargo", read(cargo().arg("-V"))?.trim().to_owned()),
        ("rust", format!("{}, {}", host.version, host.triple)),
        (TARGET, toolchain()?),
        ("gateway", gateway(project)),
        ("plugins", built(&project.plugins())),
        ("samples for tests", built(&project.samples())),
        ("config", config(&project.root)),
    ];
    let mut out = io::stdout().lock();
    for (name, state) in found {
        writeln!(out, "{name:<24}{state}")?;
    }
    Ok(())
}

fn toolchain() -> Result<String> {
    Ok(match wasm::look()? {
        Some(Toolchain::Plain) => "comes with the Rust in use".to_owned(),
        Some(Toolchain::Private(private)) => format!(
            "{}, in {}, links with {}",
            private.finished().unwrap_or_default(),
            private.prefix().display(),
            private.linker().display()
        ),
        None => "missing: any other `cargo xtask` command sets it up".to_owned(),
    })
}

fn gateway(project: &Project) -> String {
    let built = ["release", "debug"].map(|folder| project.binary(folder, "hookgate"));
    match built.iter().find(|path| path.exists()) {
        Some(path) => path.display().to_string(),
        None => "not built: `cargo xtask run` builds it".to_owned(),
    }
}

fn built(dir: &Path) -> String {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut plugins: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "wasm"))
        .map(|entry| {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            format!("{} ({} KiB)", entry.file_name().to_string_lossy(), bytes.div_ceil(1024))
        })
        .collect();
    plugins.sort();
    match plugins.is_empty() {
        true => format!("none in {}", dir.display()),
        false => plugins.join(", "),
    }
}

fn config(root: &Path) -> String {
    let path = root.join("hookgate.toml");
    match path.exists() {
        true => path.display().to_string(),
        false => "none: `cargo xtask run` writes one".to_owned(),
    }
}
