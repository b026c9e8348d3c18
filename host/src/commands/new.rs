//! `hookgate new`: a plugin's project in a language, with the SDK of this version in it.
//!
//! What it writes are the sample plugins of this repository under another name, so there is no second set to maintain.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use hookgate::event::is_name;
use rust_embed::Embed;

/// Write a plugin's project that builds and whose tests pass
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate new my-plugin --lang python\n\nIt prints the commands that set up, test and build it. The project has the SDK in it, in the folder sdk."
)]
pub struct New {
    /// The plugin's name: lower-case letters, digits, - and _
    name: String,
    /// The language
    #[arg(long, value_enum)]
    lang: Lang,
    /// The folder to write the project's folder into
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lang {
    Rust,
    #[value(alias = "js")]
    Javascript,
    #[value(alias = "ts")]
    Typescript,
    #[value(alias = "py")]
    Python,
    Go,
    C,
    #[value(alias = "c++")]
    Cpp,
    Zig,
    Assemblyscript,
    /// A WASI program with a main, here in Go and without an SDK
    Command,
}

/// A sample plugin as a project of its own.
struct Template {
    /// Its folder in `plugins/`, which is its name too.
    sample: &'static str,
    /// The folder in `plugin-sdk/` that it uses.
    sdk: Option<&'static str>,
    /// More lines for its manifest: what the sample leaves to the workspace.
    more: Option<(&'static str, &'static str)>,
    /// What it takes, for people.
    needs: &'static str,
    /// What sets it up, tests it and builds it into `NAME.wasm`, in its folder.
    commands: &'static [&'static str],
}

const RUST_MORE: &str = r#"
[profile.release]
opt-level = "s"
lto = true
codegen-units = 1
panic = "abort"
strip = true

[workspace]
exclude = ["sdk"]
"#;

impl Lang {
    fn template(self) -> Template {
        match self {
            Lang::Rust => Template {
                sample: "file-ready",
                sdk: Some("rust"),
                more: Some(("Cargo.toml", RUST_MORE)),
                needs: "Rust 1.85 or newer",
                commands: &[
                    "rustup target add wasm32-unknown-unknown",
                    "cargo test",
                    "cargo build --release --target wasm32-unknown-unknown",
                    "cp target/wasm32-unknown-unknown/release/NAME_WITH_UNDERSCORES.wasm NAME.wasm",
                ],
            },
            Lang::Javascript => javascript("match-alert"),
            Lang::Typescript => javascript("label-router"),
            Lang::Python => Template {
                sample: "review-rule",
                sdk: Some("python"),
                more: None,
                needs: "Python 3.10 or newer",
                commands: &[
                    "python3 -m venv .venv",
                    ".venv/bin/pip install --quiet ./sdk",
                    ".venv/bin/python -m unittest",
                    ".venv/bin/hookgate-plugin build plugin.py -o NAME.wasm",
                ],
            },
            Lang::Go => Template {
                sample: "invoice-ledger",
                sdk: Some("go"),
                more: None,
                needs: "Go 1.24 or newer",
                commands: &[
                    "go test ./...",
                    "GOOS=wasip1 GOARCH=wasm go build -trimpath -buildmode=c-shared -ldflags='-s -w' -o NAME.wasm .",
                ],
            },
            Lang::C => made("branch-guard", "c"),
            Lang::Cpp => made("job-failed", "c"),
            Lang::Zig => Template {
                needs: "make and Zig 0.17; with that of `pip install ziglang`, make ZIG=python-zig",
                ..made("share-watch", "zig")
            },
            Lang::Assemblyscript => Template {
                sample: "quota-watch",
                sdk: Some("assemblyscript"),
                more: None,
                needs: "Node.js 20.6 or newer",
                commands: &["npm install", "npm test", "npm run build"],
            },
            Lang::Command => Template {
                sample: "push-digest",
                sdk: None,
                more: None,
                needs: "Go 1.24 or newer; any language that builds WASI programs does",
                commands: &["go test ./...", "GOOS=wasip1 GOARCH=wasm go build -trimpath -o NAME.wasm ."],
            },
        }
    }
}

fn javascript(sample: &'static str) -> Template {
    Template {
        sample,
        sdk: Some("javascript"),
        more: None,
        needs: "Node.js 20.6 or newer",
        commands: &["npm install", "npm test", "npm run build"],
    }
}

fn made(sample: &'static str, sdk: &'static str) -> Template {
    Template {
        sample,
        sdk: Some(sdk),
        more: None,
        needs: "make and Zig or clang; sdk/README.md tells how to name another compiler than `zig`",
        commands: &["make test", "make"],
    }
}

#[derive(Embed)]
#[folder = "../plugins"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/target/*"]
#[exclude = "*/.zig-cache/*"]
#[exclude = "*/.venv/*"]
#[exclude = "*/__pycache__/*"]
#[exclude = "*.wasm"]
#[exclude = "*.test"]
struct Samples;

#[derive(Embed)]
#[folder = "../plugin-sdk"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/tests/*"]
#[exclude = "*/test/*"]
#[exclude = "*/.zig-cache/*"]
#[exclude = "*.egg-info/*"]
#[exclude = "*/__pycache__/*"]
#[exclude = "*.wasm"]
struct Sdks;

/// What builds leave in a project whose sample does not say so itself.
const IGNORED: &[u8] = b"*.wasm\n*.test\n/target\n.venv\n__pycache__\n.zig-cache\n";

impl New {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if !is_name(&self.name) {
            let rule = "is no name for a plugin: take lower-case letters, digits, - and _, at most 64";
            return Err(super::Usage::error(format!("{:?} {rule}", self.name)));
        }
        if !self.name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(super::Usage::error(format!(
                "{:?} begins with no letter, which many languages ask for",
                self.name
            )));
        }
        let folder = self.into.join(&self.name);
        if folder.exists() {
            anyhow::bail!("{} is there already, so nothing was changed in it: take another name", folder.display());
        }
        let template = self.lang.template();
        let project = files::<Samples>(template.sample);
        for (path, bytes) in &project {
            write(&folder.join(path), &self.as_ours(&template, path, bytes))?;
        }
        if !project.iter().any(|(path, _)| path == ".gitignore") {
            write(&folder.join(".gitignore"), IGNORED)?;
        }
        if let Some(sdk) = template.sdk {
            for (path, bytes) in files::<Sdks>(sdk) {
                write(&folder.join("sdk").join(path), &bytes)?;
            }
        }
        self.say(&template, &folder, project.iter().map(|(path, _)| path.as_str()));
        Ok(ExitCode::SUCCESS)
    }

    /// A sample's file with the plugin's own name in it, and the way to its own SDK.
    fn as_ours(&self, template: &Template, path: &str, bytes: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(bytes).replace(template.sample, &self.name);
        let mut text = match template.sdk {
            Some(sdk) => text.replace(&format!("../../plugin-sdk/{sdk}"), "sdk"),
            None => text,
        };
        if let Some((manifest, more)) = template.more
            && manifest == path
        {
            text.push_str(more);
        }
        text.into_bytes()
    }

    fn say<'a>(&self, template: &Template, folder: &Path, files: impl Iterator<Item = &'a str>) {
        let sdk = if template.sdk.is_some() { ", and the SDK in sdk/" } else { "" };
        outln!("wrote {}/: {}{sdk}", folder.display(), files.collect::<Vec<_>>().join(", "));
        outln!("it takes {}. Set up, test and build it:\n", template.needs);
        outln!("  cd {}", folder.display());
        for command in template.commands {
            let command = command.replace("NAME_WITH_UNDERSCORES", &self.name.replace('-', "_"));
            outln!("  {}", command.replace("NAME", &self.name));
        }
        outln!("\nThen try it, and copy {}.wasm into the plugins folder of a gateway:\n", self.name);
        outln!("  hookgate try {}.wasm", self.name);
    }
}

/// The embedded files of a folder, by their paths in it.
fn files<E: Embed>(folder: &str) -> Vec<(String, Cow<'static, [u8]>)> {
    let within = |path: Cow<'static, str>| {
        let inner = path.strip_prefix(folder)?.strip_prefix('/')?.to_owned();
        Some((inner, E::get(&path)?.data))
    };
    E::iter().filter_map(within).collect()
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}
