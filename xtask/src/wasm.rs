//! Which Rust builds plugins, and setting one up where there is none.
//!
//! Plugins need `std` for `wasm32-unknown-unknown`. In this order: the Rust in use has it; a
//! private one in the cache folder has it; rustup can add it; a private one can be made.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::debian;
use crate::process::{announce, read, run_within};
use crate::project::{Project, cargo};

/// The target that plugins are built for.
pub const TARGET: &str = "wasm32-unknown-unknown";

const RUSTUP_LIMIT: Duration = Duration::from_secs(60);

const ADVICE: &str = "install rustup (https://rustup.rs) and run \
                      `rustup target add wasm32-unknown-unknown`";

/// What builds plugins.
pub enum Toolchain {
    /// The Rust in use.
    Plain,
    /// A Rust of our own, beside the one in use.
    Private(Private),
}

/// A Rust of our own in the cache folder. Its paths are worked out anew each time, so that the
/// folder can be moved.
pub struct Private {
    prefix: PathBuf,
    host: Host,
}

/// The Rust in use.
#[derive(Clone)]
pub struct Host {
    /// Its host triple, such as `x86_64-unknown-linux-gnu`.
    pub triple: String,
    /// Its version, such as `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub version: String,
    sysroot: PathBuf,
}

impl Toolchain {
    /// A cargo that builds plugins with this toolchain, in artifacts of its own: two compilers in
    /// one target folder would throw each other's work away.
    pub fn cargo(&self, project: &Project) -> Command {
        let mut command = cargo();
        command.env("CARGO_TARGET_DIR", project.target.join("plugin-build"));
        if let Self::Private(private) = self {
            private.apply(&mut command);
        }
        command
    }

    /// What a shell sets so that the cargo in it builds plugins with this toolchain.
    pub fn script(&self) -> String {
        let mut command = cargo();
        if let Self::Private(private) = self {
            private.apply(&mut command);
        }
        let set = command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
        set.map(|(name, value)| format!("export {name}='{value}'\n")).collect()
    }

    /// Flags that every build with this toolchain needs.
    pub fn flags(&self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            // It may be older than what the workspace asks for. What it cannot compile it says.
            Self::Private(_) => &["--ignore-rust-version"],
        }
    }
}

impl Private {
    /// The toolchain in the cache folder, whether or not it is there.
    pub fn find() -> Result<Self> {
        Ok(Self { prefix: prefix()?, host: Host::find()? })
    }

    /// Makes a command use this toolchain: only its subprocesses, never the rest of the build.
    pub fn apply(&self, command: &mut Command) {
        command
            .env("RUSTC", self.rustc())
            .env("LD_LIBRARY_PATH", self.libraries())
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", self.linker());
    }

    /// The same toolchain in another folder, such as the one it is being made in.
    pub fn at(&self, prefix: PathBuf) -> Self {
        Self { prefix, host: self.host.clone() }
    }

    /// The folder it lives in.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Its compiler.
    pub fn rustc(&self) -> PathBuf {
        self.prefix.join("usr/bin/rustc")
    }

    /// The shared libraries that its compiler needs.
    pub fn libraries(&self) -> PathBuf {
        self.prefix.join("usr/lib").join(multiarch(&self.host.triple))
    }

    /// Where its compiler looks for the plugins' `std`.
    pub fn std(&self) -> PathBuf {
        self.prefix.join("usr/lib/rustlib").join(TARGET).join("lib")
    }

    /// A linker that knows Wasm: the one that rustup brings for the Rust in use.
    pub fn linker(&self) -> PathBuf {
        let folder = self.host.sysroot.join("lib/rustlib").join(&self.host.triple).join("bin");
        folder.join("rust-lld")
    }

    /// What its marker says, if it was finished.
    pub fn finished(&self) -> Option<String> {
        let marker = fs::read_to_string(self.marker()).ok()?;
        finished_version(&marker).map(str::to_owned)
    }

    /// Writes the marker: the last step of making it.
    pub fn finish(&self) -> Result<()> {
        let version = read(Command::new(self.rustc()).arg("-V").env("LD_LIBRARY_PATH", self.libraries()))?;
        fs::write(self.marker(), format!("{}\n{}\n", debian::RECIPE, version.trim()))
            .context("cannot write the marker of the toolchain")
    }

    fn marker(&self) -> PathBuf {
        self.prefix.join("ok")
    }
}

impl Host {
    /// Asks the Rust in use.
    pub fn find() -> Result<Self> {
        let said = read(rustc().arg("-vV"))?;
        let sysroot = read(rustc().args(["--print", "sysroot"]))?;
        Ok(Self {
            triple: line_of(&said, "host: ").context("rustc does not name its host")?.to_owned(),
            version: said.lines().next().unwrap_or_default().to_owned(),
            sysroot: PathBuf::from(sysroot.trim()),
        })
    }
}

/// Finds a toolchain that builds plugins, or makes one.
pub fn set_up() -> Result<Toolchain> {
    if let Some(toolchain) = look()? {
        return Ok(toolchain);
    }
    announce(format!("adding {TARGET} to the Rust in use"));
    match run_within(Command::new("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT) {
        Ok(()) if in_use_has_std()? => return Ok(Toolchain::Plain),
        Ok(()) => announce("rustup added it, but the Rust in use is not rustup's"),
        Err(error) => announce(format!("rustup cannot: {error}")),
    }
    make_private().map(Toolchain::Private).context(format!(
        "plugins need Rust's std for {TARGET}, and it could not be set up here.\n\
         To fix this: {ADVICE}"
    ))
}

/// What is set up already, without changing anything.
pub fn look() -> Result<Option<Toolchain>> {
    if in_use_has_std()? {
        return Ok(Some(Toolchain::Plain));
    }
    let private = Private::find()?;
    let ready = private.finished().is_some() && private.linker().exists();
    Ok(ready.then_some(Toolchain::Private(private)))
}

/// Where private toolchains are kept: outside of `target`, so that `cargo clean` spares them.
pub fn cache() -> Result<PathBuf> {
    let cache = cache_dir(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
        .context("there is no folder to cache a toolchain in: set HOOKGATE_CACHE to one")?;
    std::path::absolute(cache).context("the cache folder is no path")
}

fn prefix() -> Result<PathBuf> {
    Ok(cache()?.join("wasm-rust"))
}

fn make_private() -> Result<Private> {
    let private = Private::find()?;
    if !private.host.triple.ends_with("-linux-gnu") {
        bail!("without rustup it can be made on Debian only, and this is {}", private.host.triple);
    }
    if !private.linker().exists() {
        bail!("it takes rustup's rust-lld, which is not at {}", private.linker().display());
    }
    let cache = private.prefix.parent().context("the cache folder has no parent")?;
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    // The system lets go of the lock when its holder ends, however that happens.
    let _lock = lock(&private.prefix().with_extension("lock"))?;
    if private.finished().is_none() {
        debian::make(&private)?;
    }
    Ok(private)
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    if file.try_lock().is_err() {
        announce("waiting for another xtask, which is setting up the same toolchain");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

fn in_use_has_std() -> Result<bool> {
    let folder = read(rustc().args(["--print", "target-libdir", "--target", TARGET]))?;
    let Ok(entries) = fs::read_dir(folder.trim()) else { return Ok(false) };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    Ok(names.into_iter().any(|name| is_core(&name.to_string_lossy())))
}

fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn is_core(name: &str) -> bool {
    name.starts_with("libcore") && name.ends_with(".rlib")
}

/// A marker of an older recipe does not count: what that recipe made is made again.
fn finished_version(marker: &str) -> Option<&str> {
    let mut lines = marker.lines();
    (lines.next() == Some(debian::RECIPE)).then(|| lines.next().unwrap_or_default())
}

fn cache_dir(get: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    get("HOOKGATE_CACHE")
        .or_else(|| Some(get("XDG_CACHE_HOME")?.join("hookgate")))
        .or_else(|| Some(get("HOME")?.join(".cache/hookgate")))
}

fn line_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

/// Debian's name for a host: `x86_64-unknown-linux-gnu` is `x86_64-linux-gnu` there.
fn multiarch(triple: &str) -> String {
    triple.replacen("-unknown-", "-", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_folder_is_what_was_said_first() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<_> = set.iter().map(|(k, v)| ((*k).to_owned(), PathBuf::from(v))).collect();
            cache_dir(move |name| set.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()))
        };
        let (own, xdg, home) = (("HOOKGATE_CACHE", "/own"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/me"));
        assert_eq!(with(&[own, xdg, home]), Some("/own".into()));
        assert_eq!(with(&[xdg, home]), Some("/xdg/hookgate".into()));
        assert_eq!(with(&[home]), Some("/me/.cache/hookgate".into()));
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn only_a_marker_of_this_recipe_counts() {
        let ours = format!("{}\nrustc 1.96.0\n", debian::RECIPE);
        assert_eq!(finished_version(&ours), Some("rustc 1.96.0"));
        assert_eq!(finished_version("recipe 0\nrustc 1.96.0\n"), None);
        assert_eq!(finished_version(""), None);
    }

    #[test]
    fn core_is_known_by_its_name() {
        assert!(is_core("libcore-e1e3406830aa07ec.rlib"));
        assert!(!is_core("libcore-e1e3406830aa07ec.rmeta"));
        assert!(!is_core("liballoc-497b1066d2ceb8c1.rlib"));
    }

    #[test]
    fn debian_names_hosts_without_their_vendor() {
        assert_eq!(multiarch("x86_64-unknown-linux-gnu"), "x86_64-linux-gnu");
        assert_eq!(multiarch("aarch64-unknown-linux-gnu"), "aarch64-linux-gnu");
    }

    #[test]
    fn rustc_says_its_host_in_a_line() {
        let said = "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n";
        assert_eq!(line_of(said, "host: "), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(line_of(said, "colour: "), None);
    }
}
