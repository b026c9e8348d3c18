//! `hookgate plugins`, `pause` and `resume`: how plugins stand, and holding one.

use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::Value;

use super::gateway::{Door, PLUGINS, word};
use super::printed;
use super::table::{Column, print_table};

/// Show how each plugin stands: what it wants, what it may use, what became of its deliveries
#[derive(Args)]
#[command(after_help = "Example:  hookgate plugins")]
pub struct Plugins {
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Hold a plugin: nothing is begun for it until it is resumed, across restarts; what comes waits
#[derive(Args)]
#[command(after_help = "Example:  hookgate pause billing")]
pub struct Pause {
    #[command(flatten)]
    one: One,
}

/// Let a plugin go on that was paused
#[derive(Args)]
#[command(after_help = "Example:  hookgate resume billing")]
pub struct Resume {
    #[command(flatten)]
    one: One,
}

#[derive(Args)]
struct One {
    /// The plugin's name
    plugin: String,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How plugins are shown.
const COLUMNS: [Column; 11] = [
    Column::whole("PLUGIN"),
    Column::whole("SLOT"),
    Column::text("VERSION").spare(),
    Column::whole("GENERATION"),
    Column::whole("PENDING"),
    Column::whole("DONE"),
    Column::whole("RETRIED").spare(),
    Column::whole("DEAD"),
    Column::text("SUBSCRIBES TO"),
    Column::text("MAY USE").spare(),
    Column::sentence("WHY"),
];

impl Plugins {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let asking = async { self.door.open()?.ask(Method::GET, PLUGINS, None).await };
        let plugins = super::block_on(asking)??;
        if self.json {
            outln!("{}", printed::pretty(&plugins)?);
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = plugins.as_array().into_iter().flatten().map(row).collect();
        print_table(&COLUMNS, &rows);
        Ok(ExitCode::SUCCESS)
    }
}

fn row(plugin: &Value) -> Vec<String> {
    let text = |field: &str| match &plugin[field] {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let joined = |all: Vec<String>| if all.is_empty() { "-".to_owned() } else { all.join(" ") };
    let array = |field: &str| plugin[field].as_array().into_iter().flatten();
    let wants = array("subscriptions").filter_map(|one| one.as_str().map(str::to_owned)).collect();
    let granted = array("asks").filter(|ask| ask["granted"] == true);
    let word = |ask: &Value, field: &str| ask[field].as_str().unwrap_or_default().to_owned();
    let uses = granted.map(|ask| [word(ask, "what"), word(ask, "name")].join(":").trim_end_matches(':').to_owned());
    let mut row = vec![text("name"), slot(plugin)];
    row.extend(["version", "generation", "pending", "done", "retried", "dead"].map(text));
    row.extend([joined(wants), joined(uses.collect()), first_line(&text("why"))]);
    row
}

/// The first line of why a plugin does not run, and where the others are told: lines to paste, which are of no use in a table.
pub(super) fn first_line(why: &str) -> String {
    match why.split_once('\n') {
        Some((first, _)) => format!("{first} (`hookgate check` tells the rest)"),
        None => why.to_owned(),
    }
}

/// Its slot, and who holds it.
fn slot(plugin: &Value) -> String {
    let slot = plugin["slot"].as_str().unwrap_or_default();
    match (&plugin["paused"], &plugin["left_alone"]) {
        (Value::Bool(true), _) => format!("{slot}, paused"),
        (_, Value::Object(_)) => format!("{slot}, left alone"),
        _ => slot.to_owned(),
    }
}

impl Pause {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.one.ask("pause", "is paused: what comes for it waits until `hookgate resume`")
    }
}

impl Resume {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.one.ask("resume", "goes on")
    }
}

impl One {
    fn ask(self, what: &str, told: &str) -> anyhow::Result<ExitCode> {
        let path = format!("/api/v1/plugins/{}/{what}", word(&self.plugin));
        let held = super::block_on(async { self.door.open()?.ask(Method::POST, &path, None).await })??;
        match self.json {
            true => outln!("{}", printed::pretty(&held)?),
            false => outln!("{} {told}", self.plugin),
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use unicode_width::UnicodeWidthStr;

    use super::super::table::table;
    use super::*;

    fn plugin(name: &str, why: Value) -> Value {
        json!({ "name": name, "slot": "live", "version": "1.0.0-beta.2", "generation": "0123456789ab", "pending": 1_234, "done": 123_456, "retried": 12,
            "dead": 3, "subscriptions": ["comment.created", "file.*"], "why": why, "left_alone": { "failures": 11 },
            "asks": [{ "what": "host", "name": "api.frame.io", "granted": true }] })
    }

    #[test]
    fn a_table_of_plugins_fits_80_columns_with_whole_generations() {
        let why = json!(
            "it needs what it was not granted: host api.frame.io. Add to the config:\n[plugins.a.hosts]\n\"api.frame.io\" = {}"
        );
        let rows = [row(&plugin("frameio-comment", why)), row(&plugin("動画", Value::Null))];
        let lines = table(&COLUMNS, &rows, Some(80));
        assert!(lines.iter().all(|line| line.width() <= 80), "{lines:#?}");
        for line in [&lines[1], &lines[4]] {
            assert!(
                ["live, left alone", "0123456789ab", "1234", "123456"].iter().all(|whole| line.contains(whole)),
                "{lines:#?}"
            );
        }
        let told = format!("{} {}", lines[2].trim(), lines[3].trim());
        let first = "it needs what it was not granted: host api.frame.io. Add to the config:";
        assert_eq!(told, format!("{first} (`hookgate check` tells the rest)"), "{lines:#?}");
        let piped = table(&COLUMNS, &rows, None);
        assert!(piped.len() == 3 && piped[1].ends_with(&told), "{piped:#?}");
    }
}
