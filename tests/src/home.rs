//! A gateway's folder: config, secrets, plugins, data.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toml::{Table, Value};

use crate::{Ledger, Sender, canary};

/// A folder of its own for one gateway, gone when the test is over.
pub struct Home {
    folder: TempDir,
}

/// What a test's config says where the test says nothing: every provider, quick retries, a small pool. All senders are at one address here,
/// and a disk that is busy otherwise must fail no test.
const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
[limits]
instances = 32
connections_by_address = 10000
requests_per_s_by_address = 1000000
shed_ms = 30000
[delivery]
schedule_s = [0, 0]
[sources.frameio]
provider = "frameio"
secrets = [{ env = "FRAMEIO_SECRET" }]
[sources.github]
provider = "github"
secrets = [{ env = "GITHUB_SECRET" }]
[sources.soundhash]
provider = "soundhash"
secrets = [{ env = "SOUNDHASH_SECRET" }]
[sources.standard]
provider = "standard-webhooks"
secrets = [{ env = "STANDARD_SECRET" }]
"#;

/// What the senders of each source sign with, as they stand in `.env`.
pub(crate) const SECRETS: [(&str, &str); 4] = [
    ("frameio", "the-secret-of-frameio"),
    ("github", "the-secret-of-github"),
    ("soundhash", "the-secret-of-soundhash"),
    ("standard", "whsec_dGhlIHNlY3JldCBvZiBzdGFuZGFyZCB3ZWJob29rcw=="),
];

impl Home {
    /// A folder with the config of most tests, and no plugin.
    pub fn new() -> Home {
        Home::with("")
    }

    /// The same, with more in the config: tables are merged, values replaced.
    pub fn with(more: &str) -> Home {
        let home = Home { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(home.plugins()).unwrap();
        let line = |(source, secret): (&str, &str)| format!("{}_SECRET={secret}\n", source.to_uppercase());
        home.write(".env", &SECRETS.map(line).concat());
        home.configure(more);
        home
    }

    /// Writes the config anew, with this in place of what was added before.
    pub fn configure(&self, more: &str) {
        let mut config: Table = toml::from_str(CONFIG).unwrap();
        merge(&mut config, toml::from_str(more).unwrap());
        self.write("hookgate.toml", &config.to_string());
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The config file.
    pub fn config(&self) -> PathBuf {
        self.path().join("hookgate.toml")
    }

    /// The plugins folder.
    pub fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    /// Where a plugin's file is.
    pub fn plugin(&self, name: &str) -> PathBuf {
        self.plugins().join(format!("{name}.wasm"))
    }

    /// Puts a plugin's file in its place at once, as a careful operator does.
    pub fn install(&self, name: &str, wasm: impl AsRef<[u8]>) {
        let draft = self.plugins().join(format!(".{name}.draft"));
        std::fs::write(&draft, wasm).unwrap();
        std::fs::rename(&draft, self.plugin(name)).unwrap();
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// What the queue has written down.
    pub fn ledger(&self) -> Ledger {
        Ledger::of(&self.data())
    }

    /// Who sends to a source that is in every config.
    pub fn sender(&self, source: &str) -> Sender {
        let (_, secret) = SECRETS.iter().find(|(known, _)| *known == source).unwrap();
        let provider = if source == "standard" { "standard-webhooks" } else { source };
        Sender::of(provider, source, secret)
    }
}

impl Default for Home {
    fn default() -> Home {
        Home::new()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        canary::assert_none_below(&self.data());
    }
}

fn merge(into: &mut Table, more: Table) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(more)) => merge(inner, more),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
