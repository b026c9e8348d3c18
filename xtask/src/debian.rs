//! A Rust that builds plugins, made of Debian packages; and packages unpacked into a folder.
//!
//! For machines that reach a Debian mirror but not rustup's servers. Debian packages a compiler
//! together with the sources of its `std`, but no `std` for Wasm. So the packages are unpacked
//! into a folder of their own, nothing is installed, and `std` is built from those sources by that
//! very compiler, once. Put where the compiler looks for it, plugins are then built by a plain
//! `cargo build`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, read, run};
use crate::project::cargo;
use crate::wasm::{Private, TARGET};

/// Names this recipe in the marker of what it made. To change what it makes, change the number.
pub const RECIPE: &str = "recipe 1";

const PACKAGES: [&str; 3] = ["rustc-web", "libstd-rust-web-dev", "rust-web-src"];

/// Makes the toolchain in a folder beside its own and moves it there when it has proven to work,
/// so that an interrupted set-up never looks done. The caller holds the lock.
pub fn make(goal: &Private) -> Result<()> {
    clear_leftovers(goal.prefix());
    let work = partial(goal.prefix(), process::id());
    let made = make_in(goal, &work);
    if let Ok(made) = &made {
        // What an older recipe made.
        remove(goal.prefix())?;
        fs::rename(made.prefix(), goal.prefix())
            .with_context(|| format!("cannot move the toolchain to {}", goal.prefix().display()))?;
        announce(format!("the toolchain is kept in {}", goal.prefix().display()));
    }
    remove(&work)?;
    made.map(|_| ())
}

/// Tries the versions that Debian has, the newest first: the newest `std` may want a newer cargo
/// than the one in use.
fn make_in(goal: &Private, work: &Path) -> Result<Private> {
    announce("making a Rust for plugins from Debian packages: a few minutes, once");
    let apt = Apt::update(&work.join("apt"))?;
    let mut last = None;
    for version in apt.versions()? {
        let made = goal.at(work.join("rust"));
        remove(made.prefix())?;
        match make_version(&apt, &version, &made) {
            Ok(()) => return Ok(made),
            Err(error) => announce(format!("version {version} does not work here: {error:#}")),
        }
        last = Some(version);
    }
    match last {
        Some(version) => bail!("no version of {} works here, {version} neither", PACKAGES[0]),
        None => bail!("apt knows no package {}", PACKAGES[0]),
    }
}

fn make_version(apt: &Apt, version: &str, made: &Private) -> Result<()> {
    announce(format!("fetching {} {version} (about 140 MB)", PACKAGES[0]));
    let debs = made.prefix().join("debs");
    apt.download(&packages(apt, version)?, &debs)?;
    announce("unpacking");
    for deb in files(&debs)? {
        run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(made.prefix()))?;
    }
    remove(&debs)?;
    build_std(made)?;
    prove(made)?;
    for leftover in ["usr/share", "usr/src", "usr/lib/rustlib/src"] {
        remove(&made.prefix().join(leftover))?;
    }
    made.finish()
}

/// Unpacks a package, as it is in Debian now, into a folder; nothing is installed.
pub fn unpack(package: &str, into: &Path) -> Result<()> {
    let work = partial(into, process::id());
    let unpacked = unpack_by(&work, package, into);
    remove(&work)?;
    unpacked
}

fn unpack_by(work: &Path, package: &str, into: &Path) -> Result<()> {
    let debs = work.join("debs");
    Apt::update(&work.join("apt"))?.download(&[package.to_owned()], &debs)?;
    for deb in files(&debs)? {
        run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(work.join("root")))?;
    }
    remove(into)?;
    fs::rename(work.join("root"), into).with_context(|| format!("cannot move it to {}", into.display()))
}

/// Builds `std` as the dependency of a crate that has nothing else in it.
fn build_std(made: &Private) -> Result<()> {
    announce(format!("building std for {TARGET} (about 100 s of CPU)"));
    let seed = made.prefix().join("seed");
    fs::create_dir_all(seed.join("src"))?;
    fs::write(seed.join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(
        seed.join("Cargo.toml"),
        "[package]\nname = \"seed\"\nedition = \"2021\"\n\
         [profile.release]\npanic = \"abort\"\n[workspace]\n",
    )?;
    let mut build = cargo();
    made.apply(&mut build);
    run(build
        .args(["build", "--quiet", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort")
        .current_dir(&seed)
        // The compiler is a stable one, and this one build needs what is unstable.
        .env("RUSTC_BOOTSTRAP", "1")
        // Without bitcode in std, plugins could not be built with link-time optimisation.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", seed.join("target")))?;
    let built = rlibs(&seed.join("target").join(TARGET))?;
    if built.is_empty() {
        bail!("cargo built std, but left no libraries");
    }
    fs::create_dir_all(made.std())?;
    for rlib in built {
        let name = rlib.file_name().context("a library without a name")?;
        fs::copy(&rlib, made.std().join(name))?;
    }
    remove(&seed)
}

/// Links a small plugin, with link-time optimisation: what works here works for plugins.
fn prove(made: &Private) -> Result<()> {
    let source = made.prefix().join("proof.rs");
    let plugin = made.prefix().join("proof.wasm");
    fs::write(
        &source,
        "#[unsafe(no_mangle)]\npub extern \"C\" fn sum(n: u32) -> u32 {\n    \
         (0..n).map(|i| format!(\"{i}\").len() as u32).collect::<Vec<_>>().iter().sum()\n}\n",
    )?;
    let mut linker = std::ffi::OsString::from("linker=");
    linker.push(made.linker());
    read(
        Command::new(made.rustc())
            .args(["--edition=2024", "--crate-type=cdylib", "-Cpanic=abort", "-Copt-level=s"])
            .args(["-Clto=fat", "--target", TARGET, "-C"])
            .arg(linker)
            .arg("-o")
            .args([&plugin, &source])
            .env("LD_LIBRARY_PATH", made.libraries()),
    )
    .context("std was built, but a plugin cannot be linked with it")?;
    remove(&source)?;
    remove(&plugin)
}

/// apt with lists of its own: they are fresh, they need no root, and the machine's stay as they
/// are.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn update(dir: &Path) -> Result<Self> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let dir = dir.display();
        let apt = Self {
            options: [
                format!("Dir::State::lists={dir}/lists"),
                format!("Dir::Cache={dir}/cache"),
                // apt would give up root for the user `_apt`, who cannot write here.
                "APT::Sandbox::User=root".to_owned(),
            ]
            .into_iter()
            .flat_map(|option| ["-o".to_owned(), option])
            .collect(),
        };
        announce("asking apt what there is");
        read(apt.command("apt-get").args(["-q", "update"]))
            .context("this takes Debian's apt and a mirror that it reaches")?;
        Ok(apt)
    }

    fn versions(&self) -> Result<Vec<String>> {
        let table = read(self.command("apt-cache").args(["madison", PACKAGES[0]]))?;
        Ok(versions(&table))
    }

    fn dependencies(&self, package: &str) -> Result<Vec<String>> {
        let said = read(self.command("apt-cache").args(["show", package]))?;
        Ok(dependencies(&said))
    }

    fn download(&self, packages: &[String], into: &Path) -> Result<()> {
        fs::create_dir_all(into)?;
        let mut command = self.command("apt-get");
        read(command.args(["-q", "download"]).args(packages).current_dir(into)).map(|_| ())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options).env("LC_ALL", "C");
        command
    }
}

/// The packages of one version: the three, what they name after the compiler's version, and LLVM.
fn packages(apt: &Apt, version: &str) -> Result<Vec<String>> {
    let mut all: Vec<_> = PACKAGES.iter().map(|name| format!("{name}={version}")).collect();
    let dev = apt.dependencies(&all[1])?;
    let std = dev.iter().find(|name| name.starts_with("libstd-rust-web-"));
    let std = format!("{}={version}", std.context("the package of the compiler's libraries is missing")?);
    let needs = apt.dependencies(&std)?;
    let llvm = needs.into_iter().find(|name| name.starts_with("libllvm"));
    all.push(std);
    all.push(llvm.context("the package of LLVM is missing")?);
    Ok(all)
}

/// The second column of `apt-cache madison`, each version once, newest first as apt gives them.
fn versions(table: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for version in table.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim) {
        if !all.iter().any(|known| known == version) {
            all.push(version.to_owned());
        }
    }
    all
}

/// The names in the first `Depends:` line of `apt-cache show`.
fn dependencies(said: &str) -> Vec<String> {
    let line = said.lines().find_map(|line| line.strip_prefix("Depends:")).unwrap_or_default();
    let names = line.split(',').filter_map(|one| one.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// The folder that process `id` makes a toolchain in: a sibling of where it goes, so that moving
/// it there is one step.
fn partial(goal: &Path, id: u32) -> PathBuf {
    goal.with_extension(format!("partial-{id}"))
}

/// Removes what interrupted set-ups left. One that cannot be removed costs space, nothing else.
fn clear_leftovers(goal: &Path) {
    let prefix = goal.with_extension("partial-");
    let beside = goal.parent().map(files).and_then(Result::ok).unwrap_or_default();
    for path in beside {
        if path.to_string_lossy().starts_with(&*prefix.to_string_lossy()) && remove(&path).is_err() {
            announce(format!("could not remove {}", path.display()));
        }
    }
}

/// The libraries below a target folder, wherever this cargo puts them, without the seed's own.
fn rlibs(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in files(dir)? {
        if path.is_dir() {
            found.extend(rlibs(&path)?);
        } else if path.file_name().is_some_and(|name| is_of_std(&name.to_string_lossy())) {
            found.push(path);
        }
    }
    Ok(found)
}

fn is_of_std(name: &str) -> bool {
    name.starts_with("lib") && name.ends_with(".rlib") && !name.starts_with("libseed")
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Removes a file, a link or a folder with all that is in it; what is not there is fine.
fn remove(path: &Path) -> Result<()> {
    let Ok(what) = path.symlink_metadata() else { return Ok(()) };
    let done = if what.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    done.with_context(|| format!("cannot remove {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_once_and_in_the_order_of_apt() {
        let table = " rustc-web | 1.96.0+dfsg1-1~deb12u2 | mirror security/main amd64 Packages\n \
                     rustc-web | 1.85.0+dfsg3-1~deb12u3 | mirror stable/main amd64 Packages\n \
                     rustc-web | 1.85.0+dfsg3-1~deb12u3 | mirror updates/main amd64 Packages\n";
        assert_eq!(versions(table), ["1.96.0+dfsg1-1~deb12u2", "1.85.0+dfsg3-1~deb12u3"]);
        assert!(versions("").is_empty());
    }

    #[test]
    fn dependencies_are_names_without_versions() {
        let said = "Package: libstd-rust-web-1.96\nPre-Depends: dpkg\n\
                    Depends: libc6 (>= 2.34), libllvm22, libstdc++6 (>= 11)\n\
                    Depends: of another version\n";
        assert_eq!(dependencies(said), ["libc6", "libllvm22", "libstdc++6"]);
        assert!(dependencies("Package: alone\n").is_empty());
    }

    #[test]
    fn an_unfinished_toolchain_is_a_sibling_of_the_finished_one() {
        let partial = partial(Path::new("/cache/wasm-rust"), 7);
        assert_eq!(partial, Path::new("/cache/wasm-rust.partial-7"));
    }

    #[test]
    fn the_seed_is_no_part_of_std() {
        assert!(is_of_std("libcore-0123.rlib"));
        assert!(!is_of_std("libseed-0123.rlib"));
        assert!(!is_of_std("libseed.rlib"));
        assert!(!is_of_std("libcore-0123.rmeta"));
    }

    #[test]
    fn leftovers_go_and_nothing_else() -> Result<()> {
        let dir = std::env::temp_dir().join(format!("xtask-leftovers-{}", process::id()));
        let goal = dir.join("wasm-rust");
        fs::create_dir_all(partial(&goal, 1).join("rust"))?;
        fs::create_dir_all(&goal)?;
        fs::write(goal.with_extension("lock"), "")?;
        clear_leftovers(&goal);
        assert!(!partial(&goal, 1).exists());
        assert!(goal.exists() && goal.with_extension("lock").exists());
        remove(&dir)
    }
}
