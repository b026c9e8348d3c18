//! `hookgate keys`: who may use the API, and for what.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use hookgate::keys::Role;
use http::Method;
use serde_json::{Value, json};

use super::gateway::{Door, word};
use super::printed;
use super::table::{Column, harmless, print_table};
use super::when::local;

/// Make, list and revoke the keys by which applications publish events and register webhooks, and by which others look and operate
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
#[command(
    after_help = "Example:  hookgate keys create dashboard --role read\n\nStandard output has the key alone. Commands that look and operate take it from HOOKGATE_ADMIN_TOKEN."
)]
struct Create {
    /// Whose it is
    #[arg(value_name = "NAME", conflicts_with = "named")]
    name: Option<String>,
    /// Whose it is
    #[arg(long = "name", value_name = "NAME")]
    named: Option<String>,
    /// What it is good for: publish events and register webhooks, read what operators see, or operate
    #[arg(long, value_enum, default_value = "publish")]
    role: RoleName,
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

/// What a key is good for.
#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Publish,
    Read,
    Operate,
}

impl RoleName {
    fn role(self) -> Role {
        match self {
            RoleName::Publish => Role::Publish,
            RoleName::Read => Role::Read,
            RoleName::Operate => Role::Operate,
        }
    }
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
        let name = self.name.or(self.named).unwrap_or_else(|| "default".to_owned());
        let asked = json!({ "name": name, "role": self.role.role() });
        let made = self.door.open()?.ask(Method::POST, "/api/v1/keys", Some(asked)).await?;
        if self.json {
            outln!("{}", printed::pretty(&made)?);
        } else {
            eprintln!(
                "made {}, called {name:?}, to {}; this is the only time that it is shown",
                text(&made, "id"),
                text(&made, "role")
            );
            outln!("{}", text(&made, "key"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let keys = self.door.open()?.ask(Method::GET, "/api/v1/keys", None).await?;
        if self.json {
            outln!("{}", printed::pretty(&keys)?);
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = keys.as_array().into_iter().flatten().map(row).collect();
        let columns = [Column::whole("ID"), Column::text("NAME"), Column::whole("ROLE"), Column::whole("MADE").spare()];
        print_table(&columns, &rows);
        Ok(ExitCode::SUCCESS)
    }
}

fn row(key: &Value) -> Vec<String> {
    let [id, name, role] = ["id", "name", "role"].map(|field| text(key, field));
    vec![id, name, role, local(&key["created_at"])]
}

fn text(of: &Value, field: &str) -> String {
    harmless(of[field].as_str().unwrap_or_default())
}

impl Revoke {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let path = format!("/api/v1/keys/{}", word(&self.key));
        self.door.open()?.ask(Method::DELETE, &path, None).await?;
        outln!("{} is no key any more", self.key);
        Ok(ExitCode::SUCCESS)
    }
}
