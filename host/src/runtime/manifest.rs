//! What a plugin says of itself, checked: which events it wants, and what it asks for.

use super::bindings::exports::hookgate::plugin::handler::{Ask, Manifest as Described};
use super::load::Refused;
use crate::event::{Event, Pattern};
use crate::outbound::HostPattern;

/// The most subscriptions and asks of a plugin, and the longest text of each, in bytes.
const LIST: usize = 256;
const TEXT_BYTES: usize = 1024;

/// What a plugin says of itself, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its own name for itself.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Which events it wants.
    pub subscriptions: Vec<Pattern>,
    /// The settings that it asks for.
    pub settings: Vec<SettingAsk>,
    /// The hosts that it wants to speak to.
    pub hosts: Vec<HostAsk>,
    /// Whether it wants to remember.
    pub state: Option<Want>,
    /// The types of events that it wants to make.
    pub emits: Vec<(Pattern, Want)>,
    /// The events whose senders it can answer.
    pub replies: Vec<Pattern>,
}

impl Manifest {
    /// Whether it asked to answer the sender of an event.
    pub fn answers(&self, event: &Event) -> bool {
        self.replies.iter().any(|asked| asked.matches(&event.source, &event.provider, &event.event_type))
    }
}

/// What is said of anything that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Want {
    /// A sentence for the operator.
    pub about: String,
    /// Whether it runs without it too.
    pub optional: bool,
}

/// A setting that a plugin asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingAsk {
    /// The key under `[plugins.<name>] settings`.
    pub key: String,
    /// A sentence for the operator.
    pub about: String,
    /// What it must be.
    pub kind: SettingType,
    /// What is used where the operator says nothing; without it, the operator must.
    pub default: Option<String>,
}

/// What a setting must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingType {
    /// Anything.
    Text,
    /// A whole number, of 64 bits.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Anything that is JSON.
    Json,
}

impl SettingType {
    const ALL: [(&str, SettingType); 5] = [
        ("text", SettingType::Text),
        ("integer", SettingType::Integer),
        ("number", SettingType::Number),
        ("boolean", SettingType::Boolean),
        ("json", SettingType::Json),
    ];

    /// As a plugin's describe says it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("text", |(name, _)| name)
    }

    /// Whether a value is of this type.
    pub fn takes(self, value: &str) -> bool {
        match self {
            SettingType::Text => true,
            SettingType::Integer => value.parse::<i64>().is_ok(),
            SettingType::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            SettingType::Boolean => matches!(value, "true" | "false"),
            SettingType::Json => serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok(),
        }
    }
}

/// A host that a plugin wants to speak to.
#[derive(Debug, Clone, PartialEq)]
pub struct HostAsk {
    /// Which.
    pub host: HostPattern,
    /// What it will do there, for the operator: `GET`, `POST`, ...
    pub methods: Vec<String>,
    /// The kind of credential that will be needed: `bearer`, `basic` or `header`.
    pub credential: Option<String>,
    /// What else is said of it.
    pub want: Want,
}

/// Checks what a plugin says of itself.
pub(super) fn check(described: Described) -> Result<Manifest, Refused> {
    if described.subscriptions.len() > LIST || described.asks.len() > LIST {
        return Err(Refused::new(format!("its describe gives more than {LIST} subscriptions or asks")));
    }
    let too_long = |text: &String| text.len() > TEXT_BYTES || text.chars().any(char::is_control);
    if [&described.name, &described.version].into_iter().any(too_long) {
        return Err(Refused::new(format!(
            "its describe gives a name or version of more than {TEXT_BYTES} bytes or with control characters"
        )));
    }
    let mut manifest = Manifest {
        name: described.name,
        version: described.version,
        subscriptions: described.subscriptions.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?,
        settings: Vec::new(),
        hosts: Vec::new(),
        state: None,
        emits: Vec::new(),
        replies: Vec::new(),
    };
    described.asks.into_iter().try_for_each(|ask| manifest.add(ask))?;
    if manifest.subscriptions.is_empty() && manifest.replies.is_empty() {
        return Err(Refused::new("its describe gives no subscription, so it would never run"));
    }
    Ok(manifest)
}

fn pattern(text: &str) -> Result<Pattern, Refused> {
    text.parse().map_err(|error| Refused::new(format!("its describe gives a wrong subscription: {error}")))
}

impl Manifest {
    fn add(&mut self, ask: Ask) -> Result<(), Refused> {
        let is_text = |text: &str| text.len() <= TEXT_BYTES && !text.chars().any(char::is_control);
        if !is_text(&ask.name) || ask.detail.iter().any(|(_, value)| value.len() > TEXT_BYTES) {
            return Err(Refused::new(format!("it asks for something in more than {TEXT_BYTES} bytes or not in text")));
        }
        let detail = |name: &str| ask.detail.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let about = detail("about").unwrap_or_default().replace(char::is_control, " ");
        let want = Want { about, optional: detail("optional").as_deref() == Some("true") };
        match &*ask.what {
            "setting" => self.settings.push(setting(&ask, want.about, detail("type"), detail("default"))?),
            "host" => {
                let host = ask.name.parse().map_err(|error| Refused::new(format!("it asks for a host: {error}")))?;
                let methods = detail("methods").unwrap_or_default();
                let methods = methods.split_whitespace().filter(|method| is_token(method)).map(str::to_owned).collect();
                let known = |kind: &String| matches!(&**kind, "bearer" | "basic" | "header");
                self.hosts.push(HostAsk { host, methods, credential: detail("credential").filter(known), want });
            }
            "state" => self.state = Some(want),
            "emit" => self.emits.push((pattern(&ask.name)?, want)),
            "reply" => self.replies.push(pattern(&ask.name)?),
            other => {
                let (what, name) = (other.escape_debug(), ask.name.escape_debug());
                return Err(Refused::new(format!("it asks for {what} {name}, which this gateway cannot grant")));
            }
        }
        Ok(())
    }
}

fn is_token(method: &str) -> bool {
    method.bytes().all(|c| c.is_ascii_uppercase())
}

fn setting(ask: &Ask, about: String, kind: Option<String>, default: Option<String>) -> Result<SettingAsk, Refused> {
    let key = ask.name.clone();
    if key.is_empty() {
        return Err(Refused::new("it asks for a setting whose key is empty"));
    }
    let kind = kind.unwrap_or_else(|| "text".to_owned());
    let Some((_, kind)) = SettingType::ALL.into_iter().find(|(name, _)| *name == kind) else {
        let known = SettingType::ALL.map(|(name, _)| name).join(", ");
        return Err(Refused::new(format!("its setting {key:?} is of the type {kind:?}, and there are {known}")));
    };
    if default.as_ref().is_some_and(|default| !kind.takes(default)) {
        return Err(Refused::new(format!("the default of its setting {key:?} is no {}", kind.name())));
    }
    Ok(SettingAsk { key, about, kind, default })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, name, details.
    type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    fn describing(asks: &[Asked]) -> Result<Manifest, String> {
        let asks = asks.iter().map(|(what, name, detail)| Ask {
            what: (*what).to_owned(),
            name: (*name).to_owned(),
            detail: detail.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        });
        let described = Described {
            name: "n".into(),
            version: "1".into(),
            subscriptions: vec!["a.*".into()],
            asks: asks.collect(),
        };
        check(described).map_err(|refused| refused.why)
    }

    #[test]
    fn all_kinds_of_asks_are_read() {
        let manifest = describing(&[
            ("setting", "limit", &[("type", "integer"), ("default", "10"), ("about", "How many.")]),
            ("host", "api.frame.io", &[("methods", "GET POST"), ("credential", "bearer"), ("optional", "true")]),
            ("state", "", &[]),
            ("emit", "video.*", &[]),
            ("reply", "frameio:*", &[]),
        ])
        .unwrap();
        assert_eq!((manifest.settings[0].kind, manifest.hosts[0].methods.len()), (SettingType::Integer, 2));
        assert!(manifest.hosts[0].want.optional && manifest.hosts[0].credential.is_some());
        assert!(manifest.state.is_some() && manifest.emits.len() == 1 && manifest.replies.len() == 1);
    }

    #[test]
    fn asks_that_make_no_sense_are_told() {
        let table: [(&[Asked], &str); 5] = [
            (&[("rocket", "x", &[])], "it asks for rocket x, which this gateway cannot grant"),
            (&[("setting", "", &[])], "a setting whose key is empty"),
            (&[("setting", "k", &[("type", "date")])], "is of the type \"date\""),
            (&[("setting", "k", &[("type", "integer"), ("default", "ten")])], "is no integer"),
            (&[("host", "https://x.com/", &[])], "is no host"),
        ];
        for (asks, expected) in table {
            let told = describing(asks).unwrap_err();
            assert!(told.contains(expected), "{told:?} does not say {expected:?}");
        }
    }

    #[test]
    fn types_take_what_they_say() {
        let table = [
            ("text", "x", true),
            ("integer", "-3", true),
            ("integer", "3.5", false),
            ("number", "3.5", true),
            ("number", "inf", false),
            ("boolean", "true", true),
            ("boolean", "yes", false),
            ("json", "[1]", true),
            ("json", "[1", false),
        ];
        for (kind, value, expected) in table {
            let (_, kind) = SettingType::ALL.into_iter().find(|(name, _)| *name == kind).unwrap();
            assert_eq!(kind.takes(value), expected, "{} on {value}", kind.name());
        }
    }
}
