//! Where the repository is, and how cargo and our own binaries are called in it.

use std::env;
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The repository this program was started for.
pub struct Project {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Project {
    /// Finds the repository by what cargo says to the programs it runs.
    pub fn find() -> Result<Self> {
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
            .context("the repository is not known: start this program as `cargo xtask`")?;
        let root = Path::new(&manifest_dir)
            .parent()
            .context("xtask has no parent folder: keep it in the repository")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => std::path::absolute(dir).context("CARGO_TARGET_DIR is no path")?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The folder of the sample plugins, and where a gateway started here looks for plugins.
    pub fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// Where tests find built samples: apart from `plugins/`, so that no test disturbs a gateway.
    pub fn samples(&self) -> PathBuf {
        self.target.join("samples")
    }

    /// A binary of this workspace; `folder` is `debug` or `release`.
    pub fn binary(&self, folder: &str, name: &str) -> PathBuf {
        self.target.join(folder).join(format!("{name}{EXE_SUFFIX}"))
    }

    /// A command that runs in the root of the repository.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = clean(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that started us, in the root of the repository.
    pub fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }
}

/// The cargo that started us, in the present folder.
pub fn cargo() -> Command {
    clean(Path::new(&env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))
}

/// A command without what cargo tells xtask about xtask.
///
/// Some build scripts watch these variables: with them every change between `cargo build` and
/// `cargo xtask` would compile their crates anew.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os().filter(|(name, _)| is_about_xtask(name)) {
        command.env_remove(name);
    }
    command
}

fn is_about_xtask(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_describes_xtask_is_hidden_from_children() {
        for (name, hidden) in [
            ("CARGO_PKG_VERSION", true),
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO_MANIFEST_PATH", true),
            ("CARGO_HOME", false),
            ("CARGO_TARGET_DIR", false),
            ("CARGO_PROFILE_RELEASE_LTO", false),
            ("PATH", false),
        ] {
            assert_eq!(is_about_xtask(&name.into()), hidden, "{name}");
        }
    }
}
