//! What `hookgate new` writes builds, passes its tests and is a plugin, by the very commands that it prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use hookgate_tests::bare::Bare;
use hookgate_tests::{Home, run_hookgate, skipped};

/// One test a language, named after it.
macro_rules! languages {
    ($($test:ident $language:literal needs $toolchain:literal;)*) => {
        $(
            #[test]
            fn $test() {
                if !skipped($toolchain) {
                    a_new_project_is_a_plugin($language);
                }
            }
        )*
    };
}

languages! {
    rust "rust" needs "rust";
    javascript "javascript" needs "javascript";
    typescript "ts" needs "javascript";
    python "python" needs "python";
    go "go" needs "go";
    c "c" needs "zig";
    cpp "c++" needs "zig";
    zig "zig" needs "zig";
    assemblyscript "assemblyscript" needs "javascript";
    wasi_command "command" needs "go";
}

fn a_new_project_is_a_plugin(language: &str) {
    let home = Home::new();
    let ran = run_hookgate(&home, &["new", "my-own", "--lang", language]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let folder = home.path().join("my-own");
    let (before, after) = ran.out.split_once("Then try it").unwrap();
    for command in before.lines().filter_map(|line| line.strip_prefix("  ")) {
        type_in(&home, &folder, command);
    }
    let plugin = Bare::load(std::fs::read(folder.join("my-own.wasm")).unwrap(), &[]).unwrap();
    assert_eq!(plugin.plugin().manifest.name, "my-own");
    assert!(after.contains("hookgate try my-own.wasm"), "{after}");
    let other = leftovers(&folder);
    assert!(other.is_empty(), "the sample's own name or way is left in {other:?}");
}

/// Types a command as it stands there, where the toolchains of `cargo xtask test` are.
fn type_in(home: &Home, folder: &Path, command: &str) {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    // Where rustup cannot add the target, there is another Rust that has it.
    let rust = variable("HOOKGATE_RUST");
    if command.starts_with("rustup ") && !rust.is_empty() {
        return;
    }
    if let Some(into) = command.strip_prefix("cd ") {
        assert_eq!(home.path().join(into), folder);
        return;
    }
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{rust}{command}")).current_dir(folder).env("PATH", variable("HOOKGATE_TOOLS"));
    for name in std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("CARGO_") || name == "RUSTC") {
        if name != "CARGO_HOME" {
            shell.env_remove(name);
        }
    }
    let ran = shell.env("GOTOOLCHAIN", "local").env_remove("LD_LIBRARY_PATH").output().unwrap();
    let told = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ran.status.success(), "{command}: {}\n{told}", ran.status);
}

const SAMPLES: [&str; 10] = [
    "file-ready",
    "match-alert",
    "label-router",
    "review-rule",
    "invoice-ledger",
    "branch-guard",
    "job-failed",
    "share-watch",
    "quota-watch",
    "push-digest",
];

/// The files of the project, beside the SDK and what builds left, in which a sample or its place is named.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        let left_by_builds = ["sdk", "target", "node_modules", "Cargo.lock", "__pycache__"].contains(&&*name);
        if left_by_builds || name.starts_with('.') || name.ends_with(".wasm") || name.ends_with(".test") {
            continue;
        }
        if path.is_dir() {
            found.extend(leftovers(&path));
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.contains("plugin-sdk/") || SAMPLES.iter().any(|sample| text.contains(sample)) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_name_that_is_none_and_a_folder_that_is_there_are_told() {
    let home = Home::new();
    let wrong = run_hookgate(&home, &["new", "My Plugin", "--lang", "c"]);
    assert_eq!((wrong.code, wrong.err.contains("lower-case letters")), (64, true), "{wrong:?}");
    assert_eq!(run_hookgate(&home, &["new", "twice", "--lang", "c"]).code, 0);
    let again = run_hookgate(&home, &["new", "twice", "--lang", "zig"]);
    assert_eq!((again.code, again.err.contains("is there already")), (1, true), "{again:?}");
    let digit = run_hookgate(&home, &["new", "9lives", "--lang", "rust"]);
    assert_eq!((digit.code, digit.err.contains("begins with no letter")), (64, true), "{digit:?}");
    let unknown = run_hookgate(&home, &["new", "x", "--lang", "cobol"]);
    assert_eq!((unknown.code, unknown.err.contains("assemblyscript")), (64, true), "{unknown:?}");
}
