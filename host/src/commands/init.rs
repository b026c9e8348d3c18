//! `hookgate init`: everything that a first start needs.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine as _;
use clap::Args;
use hookgate::config::FILE;

/// Write a commented config, fresh secrets and a folder for plugins
#[derive(Args)]
#[command(after_help = "Example:  hookgate init my-gateway && cd my-gateway && hookgate serve")]
pub struct Init {
    /// Where to; made if it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
}

const CONFIG: &str = include_str!("init.toml");

impl Init {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let dir = &self.dir;
        let (config, env) = (dir.join(FILE), dir.join(".env"));
        std::fs::create_dir_all(dir.join("plugins"))
            .with_context(|| format!("cannot make {}", dir.join("plugins").display()))?;
        write_new(&config, CONFIG, 0o644)?;
        outln!("wrote {}: addresses, sources, limits, each with its default", config.display());
        if env.exists() {
            outln!("kept  {}: make sure that it has the secrets that the config names", env.display());
        } else {
            write_new(&env, &secrets()?, 0o600)?;
            outln!("wrote {}: a fresh secret for each source, to be replaced by the sender's own", env.display());
        }
        outln!("made  {}: drop .wasm files here\n", dir.join("plugins").display());
        let cd = if dir == Path::new(".") { String::new() } else { format!("cd {} && ", dir.display()) };
        outln!("next:  {cd}hookgate serve");
        Ok(ExitCode::SUCCESS)
    }
}

fn write_new(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let options = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).clone();
    let mut file =
        options.open(path).with_context(|| format!("cannot write {}, so nothing was changed in it", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}

fn secrets() -> anyhow::Result<String> {
    let mut text = String::from(
        "# Read by hookgate when it starts and when it changes; variables of the process count more. Keep this file to yourself.\n",
    );
    for name in ["FRAMEIO_SECRET", "SOUNDHASH_SECRET", "GITHUB_SECRET"] {
        text.push_str(&format!("{name}={}\n", hex::encode(random::<32>()?)));
    }
    let standard = base64::engine::general_purpose::STANDARD.encode(random::<32>()?);
    text.push_str(&format!("STANDARD_SECRET=whsec_{standard}\n"));
    Ok(text)
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    Ok(bytes)
}
