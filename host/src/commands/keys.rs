//! `hookgate keys`: who may use the API.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::gateway::{Door, print_table};

/// Make, list and revoke the keys with which applications publish events and register webhooks
#[derive(Args)]
#[command(after_help = "Example:  export HOOKGATE_API_KEY=$(hookgate keys create --name shop)")]
pub struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a key; it is shown this once
#[derive(Args)]
#[command(after_help = "Example:  hookgate keys create --name shop\n\nStandard output has the key alone.")]
struct Create {
    /// Whose it is
    #[arg(long, default_value = "default")]
    name: String,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// List the keys, not what they are
#[derive(Args)]
#[command(after_help = "Example:  hookgate keys list")]
struct List {
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// End a key, by its id or by its name
#[derive(Args)]
#[command(after_help = "Example:  hookgate keys revoke shop")]
struct Revoke {
    /// Which
    key: String,
    #[command(flatten)]
    door: Door,
}

impl Keys {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        super::block_on(async {
            match self.what {
                What::Create(create) => create.run().await,
                What::List(list) => list.run().await,
                What::Revoke(revoke) => revoke.run().await,
            }
        })?
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let asked = json!({ "name": self.name });
        let made = self.door.open()?.ask(Method::POST, "/api/v1/keys", Some(asked)).await?;
        if self.json {
            outln!("{}", serde_json::to_string_pretty(&made)?);
        } else {
            eprintln!("made {}, called {:?}; this is the only time that it is shown", text(&made, "id"), self.name);
            outln!("{}", text(&made, "key"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let keys = self.door.open()?.ask(Method::GET, "/api/v1/keys", None).await?;
        if self.json {
            outln!("{}", serde_json::to_string_pretty(&keys)?);
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = keys.as_array().into_iter().flatten().map(row).collect();
        print_table(&["ID", "NAME", "MADE"], &rows);
        Ok(ExitCode::SUCCESS)
    }
}

fn row(key: &Value) -> Vec<String> {
    ["id", "name", "created_at"].map(|field| text(key, field)).to_vec()
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap_or_default().to_owned()
}

impl Revoke {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let which = percent_encoding::utf8_percent_encode(&self.key, percent_encoding::NON_ALPHANUMERIC);
        self.door.open()?.ask(Method::DELETE, &format!("/api/v1/keys/{which}"), None).await?;
        outln!("{} is no key any more", self.key);
        Ok(ExitCode::SUCCESS)
    }
}
