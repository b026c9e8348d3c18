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
#[command(
    after_help = "Example:  hookgate keys revoke key_...\n          hookgate keys revoke shop\n\nA name does where one key alone has it."
)]
struct Revoke {
    /// Which
    key: String,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where keys are made, listed and ended.
const KEYS: &str = "/api/v1/keys";

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
        let made = self.door.open()?.ask(Method::POST, KEYS, Some(asked)).await?;
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
        let keys = self.door.open()?.ask(Method::GET, KEYS, None).await?;
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
        let gateway = self.door.open()?;
        let keys = gateway.ask(Method::GET, KEYS, None).await?;
        let is_meant = |key: &&Value| [&key["id"], &key["name"]].into_iter().any(|word| *word == *self.key);
        let meant: Vec<&Value> = keys.as_array().into_iter().flatten().filter(is_meant).collect();
        let key = match meant.as_slice() {
            [] => anyhow::bail!("no such key: `hookgate keys list` has them all"),
            [one] => *one,
            several => return Err(self.ambiguous(several)),
        };
        // By its id: another of that name may have been made meanwhile.
        let path = format!("{KEYS}/{}", word(key["id"].as_str().unwrap_or_default()));
        gateway.ask(Method::DELETE, &path, None).await?;
        match self.json {
            true => outln!("{}", printed::pretty(key)?),
            false => outln!("{}, called {:?}, is no key any more", text(key, "id"), text(key, "name")),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// While one key takes another's place there are two of a name, and the new one is not to end with the old one.
    fn ambiguous(&self, keys: &[&Value]) -> anyhow::Error {
        let line = |key: &&Value| {
            let [id, role] = ["id", "role"].map(|field| text(key, field));
            format!("\n  {id}  {role}  made {}", local(&key["created_at"]))
        };
        let lines: String = keys.iter().map(line).collect();
        anyhow::anyhow!(
            "{} keys are meant by {:?}, and none was revoked: give the id of one{lines}",
            keys.len(),
            self.key
        )
    }
}
