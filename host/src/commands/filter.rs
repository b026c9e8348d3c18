//! Which events are meant: the flags that the commands of operators share.

use clap::Args;
use hookgate::webhooks::API;
use http::Method;
use serde_json::{Map, Value};

use super::gateway::{Gateway, STATUS, word};
use super::table::harmless;
use super::when::{in_order, said};

/// Which events are meant
#[derive(Args, Clone, Default)]
pub struct Filter {
    /// Of a source, or of a provider
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Of a type, with * for any characters
    #[arg(long = "type", value_name = "PATTERN")]
    pub event_type: Option<String>,
    /// A plugin's
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
    /// Received from this time on: 30m, 2h, 3d or 1w ago, "today 9:30", "yesterday 14:00", 2026-11-20, "2026-11-20 14:00" or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Received before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// With this text in the payload, upper case and lower case told apart
    #[arg(long)]
    pub text: Option<String>,
}

impl Filter {
    /// What was said, by the names of the API.
    pub fn fields(&self) -> anyhow::Result<Map<String, Value>> {
        let (since, until) = (said("since", &self.since)?, said("until", &self.until)?);
        in_order(&since, &until)?;
        let fields = [
            ("source", self.source.clone()),
            ("type", self.event_type.clone()),
            ("plugin", self.plugin.clone()),
            ("since", since),
            ("until", until),
            ("text", self.text.clone()),
        ];
        let said = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
        Ok(said.collect())
    }

    /// Says so where a plugin or a source is meant that the gateway does not know, and which ones it does. What cannot be found out is
    /// not said.
    pub async fn tell_of_unknown(&self, gateway: &Gateway) {
        if self.plugin.is_none() && self.source.is_none() {
            return;
        }
        let Ok(status) = gateway.ask(Method::GET, STATUS, None).await else { return };
        let named = |list: &str, what: &str| -> Vec<String> {
            let all = status[list].as_array().into_iter().flatten();
            all.filter_map(|one| one[what].as_str().map(str::to_owned)).collect()
        };
        if let Some(meant) = &self.plugin {
            tell_of(meant, "plugin", &named("plugins", "name"), &[]);
        }
        // A plugin's own events, and those that applications publish, come from no source of the config.
        if let Some(meant) = self.source.as_ref().filter(|meant| !meant.contains(':') && *meant != API) {
            tell_of(meant, "source", &named("sources", "name"), &named("sources", "provider"));
        }
    }
}

fn tell_of(meant: &String, what: &str, names: &[String], others: &[String]) {
    if !names.contains(meant) && !others.contains(meant) {
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        eprintln!("{}", harmless(&format!("there is no {what} `{meant}` now; there are: {known}")));
    }
}

/// A path with fields as its query.
pub fn with_query(path: &str, fields: &Map<String, Value>) -> String {
    let pair = |(name, value): (&String, &Value)| {
        let text = value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
        format!("{name}={}", word(&text))
    };
    format!("{path}?{}", fields.iter().map(pair).collect::<Vec<_>>().join("&"))
}
