//! `hookgate init`: everything that a first start needs.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine as _;
use clap::Args;
use hookgate::config::FILE;
use hookgate::provider::{Provider, catalogue};
use hookgate::secret::Secret;
use toml::{Table, Value};

use super::Usage;
use super::table::harmless;

/// Write a commented config, fresh secrets and a folder for plugins; what is there already is kept
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
        let is_new = !config.exists();
        anyhow::ensure!(
            is_new || !env.exists(),
            "{} and {} are there already, so nothing was changed: `hookgate check` tells whether they are fine",
            config.display(),
            env.display()
        );
        std::fs::create_dir_all(dir.join("plugins"))
            .with_context(|| format!("cannot make {}", dir.join("plugins").display()))?;
        if is_new {
            write_new(&config, CONFIG, 0o644)?;
            outln!("wrote {}: addresses, sources, limits, each with its default", config.display());
        } else {
            outln!("kept  {}", config.display());
        }
        if env.exists() {
            outln!("kept  {}: make sure that it has the secrets that the config names", env.display());
        } else {
            let named = Named::read(&config)?;
            write_new(&env, &named.lines()?, 0o600)?;
            outln!("wrote {}: a fresh secret for each source, to be replaced by the sender's own", env.display());
            if !named.others.is_empty() {
                outln!("      it has no value for {}: yours to say", harmless(&named.others.join(", ")));
            }
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

/// The variables that a config names.
#[derive(Default)]
struct Named {
    /// Those that can be made up, each with its value.
    made: Vec<(String, String)>,
    /// Those that somebody else gives out.
    others: Vec<String>,
}

impl Named {
    fn read(file: &Path) -> anyhow::Result<Named> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        // What the error shows of the text is a line of a config, which has no secrets.
        let config: Table =
            text.parse::<Table>().map_err(|error| Usage::error(format!("{}: {error}", file.display())))?;
        let mut named = Named::default();
        for (name, source) in config.get("sources").and_then(Value::as_table).into_iter().flatten() {
            let provider = source.get("provider").map_or(Some(name.as_str()), Value::as_str);
            let provider = provider.and_then(catalogue::find);
            for variable in source.get("secrets").map(variables).unwrap_or_default() {
                named.add(variable, secret_for(provider.as_ref())?);
            }
            for variable in source.get("verify_token").map(variables).unwrap_or_default() {
                named.add(variable, Some(digits()?));
            }
        }
        for variable in
            config.get("server").and_then(|server| server.get("admin_token")).map(variables).unwrap_or_default()
        {
            named.add(variable, Some(digits()?));
        }
        variables(&Value::Table(config)).into_iter().for_each(|variable| named.add(variable, None));
        Ok(named)
    }

    /// What is known already stays as it is.
    fn add(&mut self, variable: String, value: Option<String>) {
        let is_known = self.made.iter().map(|(known, _)| known).chain(&self.others).any(|known| *known == variable);
        match value {
            _ if is_known => {}
            Some(value) => self.made.push((variable, value)),
            None => self.others.push(variable),
        }
    }

    /// The text of an `.env`.
    fn lines(&self) -> anyhow::Result<String> {
        let mut text = String::from(
            "# Read by hookgate when it starts and when it changes; variables of the process count more. Keep this file to yourself.\n",
        );
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        for (name, value) in &self.made {
            anyhow::ensure!(is_name(name), "the config names the variable {name:?}, which no .env can have");
            text.push_str(&format!("{name}={value}\n"));
        }
        self.others.iter().filter(|name| is_name(name)).for_each(|name| text.push_str(&format!("# {name}=\n")));
        Ok(text)
    }
}

/// The variables that a part of a config names: `{ env = "..." }`, however deep.
fn variables(part: &Value) -> Vec<String> {
    match part {
        Value::Table(table) => {
            let own = table.get("env").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(table.values().flat_map(variables)).collect()
        }
        Value::Array(parts) => parts.iter().flat_map(variables).collect(),
        _ => Vec::new(),
    }
}

/// A fresh secret that a source of a provider takes and `hookgate send` can sign by; nothing, where only the sender can give one.
fn secret_for(provider: Option<&Provider>) -> anyhow::Result<Option<String>> {
    let digits = digits()?;
    let Some(provider) = provider else { return Ok(Some(digits)) };
    let standard = base64::engine::general_purpose::STANDARD.encode(random::<32>()?);
    let is_standard = catalogue::text(&provider.name).is_some_and(|text| text.contains("\"whsec_\""));
    let forms =
        [is_standard.then(|| format!("whsec_{standard}")), Some(digits.clone()), Some(format!("seed:{digits}"))];
    let fits = |form: &String| provider.key(&Secret::new(form.as_str())).is_ok_and(|key| key.can_sign());
    Ok(forms.into_iter().flatten().find(fits))
}

fn digits() -> anyhow::Result<String> {
    Ok(hex::encode(random::<32>()?))
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    Ok(bytes)
}
