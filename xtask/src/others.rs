//! Plugins in other languages than Rust, built by the commands that their authors type.
//!
//! They are built in a copy of the repository's folders in `target`, so that nothing that a build leaves behind lies among
//! the sources.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::plugins::place;
use crate::process::{announce, run};
use crate::project::Project;
use crate::tools::{Tool, Tools};

/// A plugin and what builds it.
struct Other {
    /// Its project, from the repository's root.
    folder: &'static str,
    tool: Tool,
    /// Typed in the project's folder.
    commands: &'static [&'static str],
    /// What they leave there.
    leaves: &'static str,
    /// What it is called in the plugins folder.
    name: &'static str,
}

/// npm keeps its copy of the SDK for as long as the version is the same, so that is taken out first.
const NPM_INSTALL: &str = "rm -rf node_modules/hookgate-plugin* node_modules/.package-lock.json && \
                           npm install --no-package-lock --no-audit --no-fund --loglevel=error";
const NPM: &[&str] = &[NPM_INSTALL, "npm run --silent build"];
const MAKE: &[&str] = &["make --silent"];
const GO: &[&str] = &["GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -o plugin.wasm ."];
const GO_COMMAND: &[&str] = &["GOOS=wasip1 GOARCH=wasm go build -o plugin.wasm ."];
/// What `hookgate-plugin build` does, without an installation of the SDK.
const PYTHON: &[&str] =
    &["PYTHONPATH=../../plugin-sdk/python/src python -m hookgate_plugin build plugin.py -o plugin.wasm"];
const PYTHON_CONTRACT: &[&str] =
    &["PYTHONPATH=../../../plugin-sdk/python/src python -m hookgate_plugin build plugin.py -o plugin.wasm"];

#[rustfmt::skip]
const SAMPLES: [Other; 11] = [
    Other { folder: "plugins/match-alert", tool: Tool::Node, commands: NPM, leaves: "match-alert.wasm", name: "match-alert" },
    Other { folder: "plugins/label-router", tool: Tool::Node, commands: NPM, leaves: "label-router.wasm", name: "label-router" },
    Other { folder: "plugins/quota-watch", tool: Tool::Node, commands: NPM, leaves: "quota-watch.wasm", name: "quota-watch" },
    Other { folder: "plugins/invoice-ledger", tool: Tool::Go, commands: GO, leaves: "plugin.wasm", name: "invoice-ledger" },
    Other { folder: "plugins/push-digest", tool: Tool::Go, commands: GO_COMMAND, leaves: "plugin.wasm", name: "push-digest" },
    Other { folder: "plugins/branch-guard", tool: Tool::Zig, commands: MAKE, leaves: "branch-guard.wasm", name: "branch-guard" },
    Other { folder: "plugins/job-failed", tool: Tool::Zig, commands: MAKE, leaves: "job-failed.wasm", name: "job-failed" },
    Other { folder: "plugins/share-watch", tool: Tool::Zig, commands: MAKE, leaves: "share-watch.wasm", name: "share-watch" },
    Other { folder: "plugins/review-rule", tool: Tool::Python, commands: PYTHON, leaves: "plugin.wasm", name: "review-rule" },
    Other { folder: "plugins/approve-action", tool: Tool::Node, commands: NPM, leaves: "approve-action.wasm", name: "approve-action" },
    Other { folder: "plugins/comment-count", tool: Tool::Python, commands: PYTHON, leaves: "plugin.wasm", name: "comment-count" },
];

const STARLINGMONKEY: &[&str] = &[
    NPM_INSTALL,
    "npm install --no-package-lock --no-audit --no-fund --loglevel=error --no-save \
     @bytecodealliance/componentize-js@0.23.0 @bytecodealliance/preview2-shim@0.17.4",
    "npx hookgate-plugin build plugin.js --engine componentize-js -o starlingmonkey.wasm",
];

/// The plugin of `tests/contract`, in each language.
#[rustfmt::skip]
const CONTRACT: [Other; 17] = [
    Other { folder: "tests/contract/javascript", tool: Tool::Node, commands: NPM, leaves: "contract.wasm", name: "contract-javascript" },
    Other { folder: "tests/contract/javascript", tool: Tool::Node, commands: STARLINGMONKEY, leaves: "starlingmonkey.wasm", name: "contract-starlingmonkey" },
    Other { folder: "tests/contract/assemblyscript", tool: Tool::Node, commands: NPM, leaves: "contract.wasm", name: "contract-assemblyscript" },
    Other { folder: "tests/contract/go", tool: Tool::Go, commands: GO, leaves: "plugin.wasm", name: "contract-go" },
    Other { folder: "tests/contract/command", tool: Tool::Go, commands: GO_COMMAND, leaves: "plugin.wasm", name: "contract-command" },
    Other { folder: "tests/contract/c", tool: Tool::Zig, commands: MAKE, leaves: "contract.wasm", name: "contract-c" },
    Other { folder: "tests/contract/cpp", tool: Tool::Zig, commands: MAKE, leaves: "contract.wasm", name: "contract-cpp" },
    Other { folder: "tests/contract/zig", tool: Tool::Zig, commands: MAKE, leaves: "contract.wasm", name: "contract-zig" },
    Other { folder: "tests/contract/python", tool: Tool::Python, commands: PYTHON_CONTRACT, leaves: "plugin.wasm", name: "contract-python" },
    Other { folder: "tests/wasi-http", tool: Tool::Node, commands: NPM, leaves: "wasi-http.wasm", name: "wasi-http" },
    Other { folder: "tests/powers/javascript", tool: Tool::Node, commands: NPM, leaves: "powers.wasm", name: "powers-javascript" },
    Other { folder: "tests/powers/python", tool: Tool::Python, commands: PYTHON_CONTRACT, leaves: "plugin.wasm", name: "powers-python" },
    Other { folder: "tests/powers/assemblyscript", tool: Tool::Node, commands: NPM, leaves: "powers.wasm", name: "powers-assemblyscript" },
    Other { folder: "tests/powers/go", tool: Tool::Go, commands: GO, leaves: "plugin.wasm", name: "powers-go" },
    Other { folder: "tests/powers/c", tool: Tool::Zig, commands: MAKE, leaves: "powers.wasm", name: "powers-c" },
    Other { folder: "tests/powers/cpp", tool: Tool::Zig, commands: MAKE, leaves: "powers.wasm", name: "powers-cpp" },
    Other { folder: "tests/powers/zig", tool: Tool::Zig, commands: MAKE, leaves: "powers.wasm", name: "powers-zig" },
];

/// The tests of the SDKs and of the clients themselves, each in its folder.
const TESTS: [(&str, Tool, &[&str]); 8] = [
    ("plugin-sdk/javascript", Tool::Node, &[NPM_INSTALL, "npm test"]),
    ("plugin-sdk/assemblyscript/tests", Tool::Node, &[NPM_INSTALL, "npm test"]),
    ("plugin-sdk/python", Tool::Python, &["PYTHONPATH=src python -m unittest discover -s tests"]),
    ("clients/javascript", Tool::Node, &[NPM_INSTALL, "npm test"]),
    ("clients/python", Tool::Python, &["PYTHONPATH=src python -m unittest discover -s tests"]),
    ("plugin-sdk/go", Tool::Go, &["go vet ./...", "go test ./..."]),
    ("plugin-sdk/c", Tool::Zig, &["make --silent test"]),
    ("plugin-sdk/zig", Tool::Zig, &["zig test hookgate.zig"]),
];

/// The folders that the projects lie in or refer to.
const COPIED: [&str; 9] = [
    "clients",
    "plugin-sdk",
    "plugins",
    "tests/contract",
    "tests/powers",
    "tests/receivers",
    "tests/vendors",
    "tests/wasi-http",
    "wit",
];

/// What tests start besides: receivers of outgoing webhooks, written as people write them, and the vendors' own libraries.
const STARTED: [&str; 2] = ["tests/receivers", "tests/vendors"];

/// Builds the sample plugins into `out`. Gives the languages that there is no toolchain for.
pub fn samples(project: &Project, out: &Path) -> Result<Vec<&'static str>> {
    build(project, out, &SAMPLES)
}

/// Builds the plugin of `tests/contract` into `out`. Gives the languages that there is no toolchain for.
pub fn contract(project: &Project, out: &Path) -> Result<Vec<&'static str>> {
    build(project, out, &CONTRACT)
}

/// Sets up the receivers, the vendors' libraries and the clients, as far as there are toolchains, in a folder that lies as the repository does.
pub fn receivers(project: &Project, without: &[&str]) -> Result<PathBuf> {
    let (tools, copy) = (Tools::find()?, copied(project)?);
    for name in STARTED {
        let folder = copy.join(name);
        if !without.contains(&Tool::Python.name()) {
            tools.set_up_packages(&name.replace('/', "-"), &folder.join("requirements.txt"))?;
        }
        if !without.contains(&Tool::Node.name()) {
            let wanted = fs::read_to_string(folder.join("package.json")).context("there is no package.json")?;
            let stamp = folder.join("node_modules.stamp");
            if !fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
                announce(format!("setting up {name} in JavaScript"));
                run(shell(&tools, NPM_INSTALL)?.current_dir(&folder))?;
                fs::write(&stamp, wanted)?;
            }
        }
    }
    Ok(copy)
}

/// Runs the tests of the SDKs themselves, but for those of the languages in `without`.
pub fn tests(project: &Project, without: &[&str]) -> Result<()> {
    let (tools, copy) = (Tools::find()?, copied(project)?);
    for (folder, _, commands) in TESTS.iter().filter(|(_, tool, _)| !without.contains(&tool.name())) {
        announce(format!("testing {folder}"));
        for command in *commands {
            run(shell(&tools, command)?.current_dir(copy.join(folder))).with_context(|| format!("{folder} fails"))?;
        }
    }
    Ok(())
}

/// A copy of the folders, as they are now.
fn copied(project: &Project) -> Result<PathBuf> {
    let copy = project.target.join("other-plugins");
    for folder in COPIED {
        mirror(&project.root.join(folder), &copy.join(folder))?;
    }
    Ok(copy)
}

fn build(project: &Project, out: &Path, plugins: &[Other]) -> Result<Vec<&'static str>> {
    let (tools, copy) = (Tools::find()?, copied(project)?);
    let mut without = Vec::new();
    for tool in Tool::ALL {
        let Err(error) = tools.set_up(tool) else { continue };
        // Where nobody reads, what is missing must not be passed over.
        if std::env::var_os("CI").is_some() {
            return Err(error.context(format!("there is no toolchain for {}", tool.name())));
        }
        announce(format!("plugins in {} are left out, since there is no toolchain: {error:#}", tool.name()));
        without.push(tool.name());
    }
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    for plugin in plugins.iter().filter(|plugin| !without.contains(&plugin.tool.name())) {
        let placed = plugin.build(&tools, &copy, out).with_context(|| format!("{} was not built", plugin.folder))?;
        announce(format!("{placed} {}", out.join(plugin.name).with_extension("wasm").display()));
    }
    Ok(without)
}

impl Other {
    /// Builds it, unless it was built from the same files by the same commands.
    fn build(&self, tools: &Tools, copy: &Path, out: &Path) -> Result<&'static str> {
        let folder = copy.join(self.folder);
        let (left, stamp) = (folder.join(self.leaves), copy.join(format!("{}.stamp", self.name)));
        let mut files = DefaultHasher::new();
        (self.commands, self.tool.package()).hash(&mut files);
        for folder in [&folder, &copy.join("plugin-sdk"), &copy.join("wit")] {
            hash(folder, &mut files)?;
        }
        let files = files.finish().to_string();
        if !left.exists() || !fs::read_to_string(&stamp).is_ok_and(|built| built == files) {
            for command in self.commands {
                run(shell(tools, command)?.current_dir(&folder))?;
            }
            fs::write(&stamp, files)?;
        }
        place(&left, &out.join(format!("{}.wasm", self.name)))
    }
}

/// Takes in every file of a folder that no build has left.
fn hash(folder: &Path, into: &mut DefaultHasher) -> Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries.iter().filter(|entry| !is_left_by_builds(&entry.file_name().to_string_lossy())) {
        entry.file_name().hash(into);
        if entry.file_type()?.is_dir() {
            hash(&entry.path(), into)?;
        } else {
            fs::read(entry.path())?.hash(into);
        }
    }
    Ok(())
}

/// A command as it is typed, where the toolchains are.
fn shell(tools: &Tools, typed: &str) -> Result<Command> {
    let mut command = Command::new("sh");
    command.args(["-c", typed]).env("PATH", tools.path()?);
    // A compiler of Go that were fetched on the way would be none of ours.
    command.env("GOTOOLCHAIN", "local").env("GOPROXY", "off").env("GOFLAGS", "-trimpath -buildvcs=false");
    Ok(command)
}

/// Makes a folder's copy hold the same files. What builds left in the copy stays, and files that are the same are not
/// touched, so that the next build is quick.
fn mirror(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.path().is_file() && !is_left_by_builds(&name.to_string_lossy()) && !from.join(&name).exists() {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if is_left_by_builds(&name.to_string_lossy()) {
            continue;
        }
        let (source, goal): (PathBuf, PathBuf) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            mirror(&source, &goal)?;
        } else {
            let bytes = fs::read(&source)?;
            if !fs::read(&goal).is_ok_and(|present| present == bytes) {
                fs::write(&goal, bytes).with_context(|| format!("cannot write {}", goal.display()))?;
            }
        }
    }
    Ok(())
}

fn is_left_by_builds(name: &str) -> bool {
    // The stamps are ours.
    ["node_modules", "package-lock.json", "target", ".venv", "zig-out", ".zig-cache", "__pycache__"].contains(&name)
        || [".wasm", ".test", ".egg-info", ".stamp"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_builds_leave_behind_is_not_copied() {
        for (name, left) in [("node_modules", true), ("a.wasm", true), ("plugin.ts", false), ("Makefile", false)] {
            assert_eq!(is_left_by_builds(name), left, "{name}");
        }
    }
}
