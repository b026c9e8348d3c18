//! `hookgate providers`: the catalogue.

use std::process::ExitCode;

use clap::Args;
use hookgate::provider::{Provider, catalogue};

/// List the senders that are known, or teach one of them
#[derive(Args)]
#[command(after_help = "Example:  hookgate providers github")]
pub struct Providers {
    /// Which one to teach
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Providers {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match (&self.name, self.json) {
            (None, false) => catalogue::all().for_each(|provider| outln!("{:<20} {}", provider.name, provider.about)),
            (None, true) => {
                let all: Vec<_> = catalogue::all().map(|provider| as_json(&provider)).collect();
                outln!("{}", serde_json::to_string_pretty(&all)?);
            }
            (Some(name), json) => {
                let provider = find(name)?;
                match json {
                    true => outln!("{}", serde_json::to_string_pretty(&as_json(&provider))?),
                    false => teach(&provider),
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn as_json(provider: &Provider) -> serde_json::Map<String, serde_json::Value> {
    provider.describe().into_iter().map(|(what, text)| (what.to_owned(), text.into())).collect()
}

fn find(name: &str) -> anyhow::Result<Provider> {
    catalogue::find(name).ok_or_else(|| {
        let hint = catalogue::nearest(name).map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
        super::Usage::error(format!("there is no provider `{name}`{hint}\n  `hookgate providers` lists them all"))
    })
}

fn teach(provider: &Provider) {
    let name = &provider.name;
    outln!("{name}: {}", provider.about);
    let described = provider.describe();
    for (what, value) in described.iter().filter(|(what, _)| !["name", "about", "types"].contains(what)) {
        outln!("  {what:<12} {value}");
    }
    let secret = format!("{}_SECRET", name.to_uppercase().replace('-', "_"));
    outln!(
        "\nin hookgate.toml:\n\n  [sources.{name}]\n  provider = \"{name}\"\n  secrets = [{{ env = \"{secret}\" }}]"
    );
    let types: Vec<&str> = provider.sample_types().collect();
    outln!("\nto try it, against a gateway that runs:\n\n  hookgate send {name} {}", types.first().unwrap_or(&"TYPE"));
    outln!("\nthere are samples of {}", types.join(", "));
}
