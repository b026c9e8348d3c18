//! `hookgate providers`: the catalogue.

use std::process::ExitCode;

use clap::Args;
use hookgate::provider::{Provider, catalogue};

use super::printed;

/// List the senders that are known, or teach one of them
#[derive(Args)]
#[command(after_help = "Example:  hookgate providers github")]
pub struct Providers {
    /// Which one to teach
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print all of them as a page in Markdown
    #[arg(long, conflicts_with_all = ["json", "name"])]
    markdown: bool,
}

impl Providers {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match (&self.name, self.json) {
            (None, _) if self.markdown => outln!("{}", page().trim_end()),
            (None, false) => catalogue::all().for_each(|provider| outln!("{:<20} {}", provider.name, provider.about)),
            (None, true) => {
                let all: Vec<_> = catalogue::all().map(|provider| as_json(&provider)).collect();
                outln!("{}", printed::pretty(&all)?);
            }
            (Some(name), json) => {
                let provider = find(name)?;
                match json {
                    true => outln!("{}", printed::pretty(&as_json(&provider))?),
                    false => teach(&provider),
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn as_json(provider: &Provider) -> serde_json::Map<String, serde_json::Value> {
    provider.describe().into_iter().map(|(what, text)| (what, text.into())).collect()
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
    let told = described.iter().filter(|(what, _)| !["name", "about", "types"].contains(&&**what));
    let wide = described.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    for (what, value) in told {
        outln!("  {what:<wide$} {value}");
    }
    outln!("\nin hookgate.toml:\n");
    sample_config(provider).lines().for_each(|line| outln!("{}", format!("  {line}").trim_end()));
    let types: Vec<&str> = provider.sample_types().collect();
    outln!("\nto try it, against a gateway that runs:\n\n  hookgate send {name} {}", types.first().unwrap_or(&"TYPE"));
    outln!("\nthere are samples of {}", types.join(", "));
}

/// What a config needs for a source of this provider.
fn sample_config(provider: &Provider) -> String {
    let name = &provider.name;
    let upper = name.to_uppercase().replace('-', "_");
    let mut text = String::new();
    if provider.signs_url() {
        text.push_str("[server]\npublic_url = \"https://hooks.example.com\"    # what its senders were told, in front of /hooks/...\n\n");
    }
    text.push_str(&format!("[sources.{name}]\nprovider = \"{name}\"\nsecrets = [{{ env = \"{upper}_SECRET\" }}]"));
    if provider.wants_verify_token() {
        text.push_str(&format!("\nverify_token = {{ env = \"{upper}_VERIFY_TOKEN\" }}"));
    }
    text
}

/// The catalogue for the docs.
fn page() -> String {
    let mut page = "# Providers\n\n\
        Written by `hookgate providers --markdown` from the files in `host/providers`. What is not here can be described in the config:\n\
        [a provider of your own](custom-provider.md).\n\n\
        | provider | who |\n|---|---|\n"
        .to_owned();
    for provider in catalogue::all() {
        page.push_str(&format!("| [{0}](#{0}) | {1} |\n", provider.name, provider.about));
    }
    for provider in catalogue::all() {
        page.push_str(&format!("\n## {}\n\n{}\n\n| | |\n|---|---|\n", provider.name, provider.about));
        for (what, told) in provider.describe() {
            let told = told.replace('|', "\\|");
            match &*what {
                "name" | "about" => {}
                "docs" => page.push_str(&format!("| {what} | <{told}> |\n")),
                "types" => page.push_str(&format!("| samples | {told} |\n")),
                "answer" | "careful" => page.push_str(&format!("| {what} | {told} |\n")),
                _ => page.push_str(&format!("| {what} | `{told}` |\n")),
            }
        }
        page.push_str(&format!("\n```toml\n{}\n```\n", sample_config(&provider)));
    }
    page
}
