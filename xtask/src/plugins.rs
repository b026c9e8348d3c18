//! Plugin crates to `.wasm` files in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, read};
use crate::project::{Project, cargo};
use crate::wasm::{TARGET, Toolchain};

/// What a crate without profiles is built with: small, and without code for unwinding, which
/// plugins cannot do.
const SMALL: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    ("CARGO_PROFILE_RELEASE_LTO", "true"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_STRIP", "true"),
];

/// Builds the plugin crate or crates in `path` and puts each into `out` as `<package>.wasm`.
pub fn build(project: &Project, toolchain: &Toolchain, path: &Path, out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    for manifest in manifests(path)? {
        for plugin in compile(project, toolchain, &manifest)? {
            let goal = out.join(format!("{}.wasm", plugin.package));
            let placed = place(&plugin.file, &goal)?;
            announce(format!("{placed} {}", goal.display()));
        }
    }
    Ok(())
}

/// The manifests that `path` means: itself, the one in it, or those in the folders in it.
fn manifests(path: &Path) -> Result<Vec<PathBuf>> {
    let path = path.canonicalize().with_context(|| format!("there is no {}", path.display()))?;
    if path.is_file() {
        return Ok(vec![path]);
    }
    if path.join("Cargo.toml").is_file() {
        return Ok(vec![path.join("Cargo.toml")]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&path)? {
        let manifest = entry?.path().join("Cargo.toml");
        if manifest.is_file() {
            found.push(manifest);
        }
    }
    if found.is_empty() {
        bail!("no Cargo.toml in {} or in a folder in it: name a crate", path.display());
    }
    found.sort();
    Ok(found)
}

fn compile(project: &Project, toolchain: &Toolchain, manifest: &Path) -> Result<Vec<Plugin>> {
    let folder = manifest.parent().context("a manifest without a folder")?;
    let mut command = toolchain.cargo(project);
    command
        // The crate's own cargo configuration counts, and not that of where we were started.
        .current_dir(folder)
        .args(["build", "--target", TARGET, "--message-format=json-render-diagnostics"])
        .args(toolchain.flags())
        .stderr(Stdio::inherit());
    match profile(&fs::read_to_string(root_manifest(manifest)?)?) {
        Profile::Plugin => command.args(["--profile", "plugin"]),
        Profile::Release => command.arg("--release"),
        Profile::Small => command.arg("--release").envs(SMALL),
    };
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{} was not built: see above", folder.display());
    }
    let messages = String::from_utf8(output.stdout).context("cargo speaks no UTF-8")?;
    let plugins: Vec<_> = messages.lines().filter_map(|line| plugin(line, folder)).collect();
    if plugins.is_empty() {
        bail!("{} is no plugin: its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`", folder.display());
    }
    Ok(plugins)
}

/// The manifest that says the profiles: that of the workspace, where there is one.
fn root_manifest(manifest: &Path) -> Result<PathBuf> {
    let said = read(
        cargo().args(["locate-project", "--workspace", "--message-format=plain", "--manifest-path"]).arg(manifest),
    )?;
    Ok(PathBuf::from(said.trim()))
}

/// How a crate is built: what its author wrote down counts.
#[derive(Debug, PartialEq, Eq)]
enum Profile {
    Plugin,
    Release,
    Small,
}

fn profile(root_manifest: &str) -> Profile {
    let has = |table: &str| root_manifest.lines().any(|line| line.trim() == table);
    if has("[profile.plugin]") {
        Profile::Plugin
    } else if has("[profile.release]") {
        Profile::Release
    } else {
        Profile::Small
    }
}

/// A plugin that cargo built.
#[derive(Debug, PartialEq, Eq)]
struct Plugin {
    package: String,
    file: PathBuf,
}

/// Reads one of cargo's messages: a plugin, if it is about a `cdylib` of a crate in `folder`.
///
/// Four plain fields of one message are not worth a JSON library that every newcomer compiles.
fn plugin(message: &str, folder: &Path) -> Option<Plugin> {
    if text(message, "\"reason\":")? != "compiler-artifact" {
        return None;
    }
    let manifest = PathBuf::from(text(message, "\"manifest_path\":")?);
    if !manifest.starts_with(folder) || !list(message, "\"crate_types\":").contains(&"cdylib".into()) {
        return None;
    }
    let files = list(message, "\"filenames\":");
    let file = files.into_iter().find(|file| file.ends_with(".wasm"))?;
    let package = package_name(&text(message, "\"package_id\":")?)?.to_owned();
    Some(Plugin { package, file: PathBuf::from(file) })
}

/// The name in `path+file:///dir/name#0.1.0` or `path+file:///dir#name@0.1.0`.
fn package_name(id: &str) -> Option<&str> {
    let (place, fragment) = id.rsplit_once('#')?;
    match fragment.split_once('@') {
        Some((name, _)) => Some(name),
        None => place.rsplit('/').next(),
    }
}

fn text(json: &str, key: &str) -> Option<String> {
    let (_, rest) = json.split_once(key)?;
    Some(string(rest)?.0)
}

fn list(json: &str, key: &str) -> Vec<String> {
    let mut items = Vec::new();
    let Some((_, rest)) = json.split_once(key) else { return items };
    let Some(mut rest) = rest.trim_start().strip_prefix('[') else { return items };
    while let Some((item, after)) = string(rest) {
        items.push(item);
        match after.trim_start().strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    items
}

/// A JSON string, and what stands behind it. Paths have no escapes other than `\\` and `\"`.
fn string(json: &str) -> Option<(String, &str)> {
    let rest = json.trim_start().strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &rest[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// Puts a file where a running gateway may be looking: in one step and under a name that is no
/// plugin's until then, and not at all if it is there already.
pub fn place(file: &Path, goal: &Path) -> Result<&'static str> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    if fs::read(goal).is_ok_and(|present| present == bytes) {
        return Ok("unchanged:");
    }
    let partial = goal.with_extension(format!("wasm.{}.partial", process::id()));
    fs::write(&partial, bytes)
        .and_then(|()| fs::rename(&partial, goal))
        .inspect_err(|_| drop(fs::remove_file(&partial)))
        .with_context(|| format!("cannot write {}", goal.display()))?;
    Ok("built")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = concat!(
        r#"{"reason":"compiler-artifact","package_id":"path+file:///w/plugins/file-ready#0.1.0","#,
        r#""manifest_path":"/w/plugins/file-ready/Cargo.toml","target":{"kind":["cdylib"],"#,
        r#""crate_types":["cdylib","rlib"],"name":"file_ready","src_path":"/w/lib.rs"},"#,
        r#""profile":{"opt_level":"s","debuginfo":0},"features":[],"#,
        r#""filenames":["/t/file_ready.d","/t/file_ready.wasm"],"executable":null,"fresh":false}"#,
    );

    #[test]
    fn a_plugin_is_named_like_its_package_and_not_like_its_file() {
        let found = plugin(MESSAGE, Path::new("/w/plugins/file-ready"));
        let file = PathBuf::from("/t/file_ready.wasm");
        assert_eq!(found, Some(Plugin { package: "file-ready".into(), file }));
    }

    #[test]
    fn what_is_not_a_plugin_of_the_folder_is_passed_over() {
        let here = Path::new("/w/plugins/file-ready");
        assert_eq!(plugin(MESSAGE, Path::new("/w/plugins/file")), None, "another crate");
        assert_eq!(plugin(&MESSAGE.replace("cdylib", "lib"), here), None, "a library");
        assert_eq!(plugin(&MESSAGE.replace(".wasm", ".so"), here), None, "a native one");
        assert_eq!(plugin(r#"{"reason":"build-finished","success":true}"#, here), None);
        assert_eq!(plugin("not JSON", here), None);
    }

    #[test]
    fn package_names_stand_in_either_place() {
        assert_eq!(package_name("path+file:///w/file-ready#0.1.0"), Some("file-ready"));
        assert_eq!(package_name("path+file:///w/any%20dir#file-ready@0.1.0"), Some("file-ready"));
        assert_eq!(package_name("nonsense"), None);
    }

    #[test]
    fn strings_may_have_escapes() {
        let json = r#""filenames" : [ "C:\\a \"b\"\\c.wasm" , "ü" ]"#;
        assert_eq!(list(json, "\"filenames\" :"), [r#"C:\a "b"\c.wasm"#, "ü"]);
        assert_eq!(list(r#""filenames":[]"#, "\"filenames\":"), [""; 0]);
        assert_eq!(string(r#""no end"#), None);
    }

    #[test]
    fn the_profile_is_what_the_author_wrote_down() {
        assert_eq!(profile("[profile.release]\nlto = true\n[profile.plugin]\n"), Profile::Plugin);
        assert_eq!(profile("[package]\n[profile.release]\nlto = true\n"), Profile::Release);
        assert_eq!(profile("[package]\nname = \"x\"\n"), Profile::Small);
    }

    #[test]
    fn placing_replaces_only_what_differs_and_leaves_nothing_behind() -> Result<()> {
        let dir = std::env::temp_dir().join(format!("xtask-place-{}", process::id()));
        fs::create_dir_all(&dir)?;
        let (built, goal) = (dir.join("file_ready.wasm"), dir.join("file-ready.wasm"));
        fs::write(&built, "one")?;
        assert_eq!(place(&built, &goal)?, "built");
        assert_eq!(place(&built, &goal)?, "unchanged:");
        fs::write(&built, "two")?;
        assert_eq!(place(&built, &goal)?, "built");
        assert_eq!(fs::read_to_string(&goal)?, "two");
        assert_eq!(fs::read_dir(&dir)?.count(), 2);
        fs::remove_dir_all(&dir)?;
        Ok(())
    }

    #[test]
    fn a_folder_of_crates_means_each_of_them() -> Result<()> {
        let dir = std::env::temp_dir().join(format!("xtask-manifests-{}", process::id()));
        for name in ["b", "a", "none"] {
            fs::create_dir_all(dir.join(name))?;
        }
        assert!(manifests(&dir).is_err());
        for name in ["b", "a"] {
            fs::write(dir.join(name).join("Cargo.toml"), "")?;
        }
        let root = dir.canonicalize()?;
        let both = [root.join("a/Cargo.toml"), root.join("b/Cargo.toml")];
        assert_eq!(manifests(&dir)?, both);
        assert_eq!(manifests(&dir.join("a"))?, both[..1]);
        assert_eq!(manifests(&dir.join("a/Cargo.toml"))?, both[..1]);
        fs::remove_dir_all(&dir)?;
        Ok(())
    }
}
