//! The sources' sections of the config.

use std::sync::Arc;

use super::{Reading, body_bytes, millis};
use crate::effects::PLUGIN;
use crate::event::{UnixMs, is_name};
use crate::provider::{Answering, Provider, Source, catalogue};
use crate::secret::Secret;
use crate::section::Section;
use crate::webhooks::{API, HOOKGATE};

impl Reading<'_> {
    /// Reads `[sources.<name>]`.
    pub(super) fn source(
        &self,
        name: &str,
        mut section: Section,
        most_bytes: usize,
        public_url: Option<&str>,
    ) -> Option<Source> {
        if !is_name(name) {
            let rule = "is no name for a source: take lower-case letters, digits, - and _, at most 64";
            section.mistake("", rule);
        }
        match name {
            PLUGIN => section.mistake("", "is the name of what plugins make: take another"),
            API => section.mistake("", "is the name of what applications publish: take another"),
            HOOKGATE => section.mistake("", "is the name of what the gateway tells of itself: take another"),
            _ => {}
        }
        let provider = read_provider(name, &mut section);
        let first = self.files.borrow().len();
        let secrets = self.secrets(&mut section);
        let verify_token = section.optional_section("verify_token").and_then(|section| self.secret(section));
        let secret_files = self.files.borrow()[first..].iter().map(|(file, _)| file.clone()).collect();
        let body_bytes = body_bytes(&mut section, most_bytes);
        let provider = Arc::new(provider?);
        if provider.wants_verify_token() && verify_token.is_none() && !self.secrets_may_be_missing {
            let fix = "is missing: its sender shows a second secret first; add verify_token = { env = \"MY_TOKEN\" }";
            section.mistake("verify_token", fix);
        }
        if !provider.wants_verify_token() && verify_token.is_some() {
            section.mistake("verify_token", format_args!("is nothing that senders of {} show", provider.name));
        }
        if provider.signs_url() && public_url.is_none() {
            section.mistake(
                "provider",
                "signs the address that it posts to, so say it: public_url = \"https://...\" in [server]",
            );
        }
        let url = public_url.map(|public| format!("{}/hooks/{name}", public.trim_end_matches('/')).into());
        let keys = secrets.into_iter().enumerate().filter_map(|(n, (secret, span))| {
            let told = |error| section.mistake(&format!("secrets[{n}]"), error);
            Some(provider.key_of_source(&secret).map_err(told).ok()?.between(span.not_before_ms, span.not_after_ms))
        });
        let keys = keys.collect();
        let answering = answering(&mut section);
        let requests_per_s = section.optional("requests_per_s");
        section.finish();
        Some(Source {
            name: name.into(),
            provider,
            keys,
            verify_token,
            body_bytes,
            url,
            secret_files,
            answering,
            requests_per_s,
            keeps_headers: true,
        })
    }

    fn secrets(&self, section: &mut Section) -> Vec<(Secret, Span)> {
        let tables = section.tables("secrets");
        if tables.is_empty() {
            let example = "secrets = [{ env = \"MY_SECRET\" }]";
            section.mistake(
                "secrets",
                format_args!("is missing: a source without one could not be verified; add {example}"),
            );
        }
        if tables.len() > SECRETS {
            section.mistake("secrets", format_args!("are at most {SECRETS}: take out those that count no more"));
        }
        let with_span = |mut table: Section| {
            let span = Span::read(&mut table);
            Some((self.secret(table)?, span))
        };
        tables.into_iter().filter_map(with_span).collect()
    }
}

/// The most secrets that a source has at a time.
const SECRETS: usize = 5;

/// When a secret counts, its ends included.
struct Span {
    not_before_ms: Option<UnixMs>,
    not_after_ms: Option<UnixMs>,
}

impl Span {
    fn read(section: &mut Section) -> Span {
        let span = Span {
            not_before_ms: moment(section, "not_before", "00:00:00"),
            not_after_ms: moment(section, "not_after", "23:59:59.999"),
        };
        if span.not_before_ms.zip(span.not_after_ms).is_some_and(|(from, until)| from > until) {
            section.mistake("not_after", "is before `not_before`: the secret would never count");
        }
        span
    }
}

/// A moment, or a day and a time of it, in UTC.
fn moment(section: &mut Section, key: &str, time: &str) -> Option<UnixMs> {
    let text = match section.raw(key)? {
        toml::Value::Datetime(datetime) => datetime.to_string(),
        toml::Value::String(text) => text,
        _ => String::new(),
    };
    let whole = if text.contains(['T', 't', ' ']) { text } else { format!("{text}T{time}Z") };
    let at = whole.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
    if at.is_none() {
        section.mistake(key, "must be a day (2026-12-31) or a moment (2026-12-31T12:00:00Z)");
    }
    at
}

/// The description of a provider of the catalogue that another is like.
fn like_another(section: &Section, like: &toml::Value) -> Option<toml::Table> {
    let name = like.as_str().unwrap_or_default();
    let Some(mut base) = catalogue::text(name).and_then(|text| toml::from_str::<toml::Table>(text).ok()) else {
        section.mistake("like", unknown_provider(name));
        return None;
    };
    // They are of the other one.
    base.remove("vectors");
    Some(base)
}

/// A table with what another says in its place.
fn laid_over(mut base: toml::Table, over: toml::Table) -> toml::Table {
    for (key, value) in over {
        let value = match (base.remove(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(over)) => laid_over(below, over).into(),
            (_, value) => value,
        };
        base.insert(key, value);
    }
    base
}

/// What is told of a name that is no provider's.
fn unknown_provider(name: &str) -> String {
    match catalogue::nearest(name) {
        Some(nearest) => format!("there is no `{name}`; did you mean `{nearest}`?"),
        None => {
            let known: Vec<&str> = catalogue::names().collect();
            format!("there is no `{name}`: take one of {}", known.join(", "))
        }
    }
}

/// Who answers the sender: the gateway at once, unless a plugin is said to.
fn answering(section: &mut Section) -> Option<Answering> {
    let who: String = section.or("answer", "gateway".to_owned());
    let plugin: Option<String> = section.optional("answer_plugin");
    let within = millis(section, "answer_ms", 4_000);
    match (&*who, plugin) {
        ("gateway", None) => None,
        ("plugin", Some(plugin)) if is_name(&plugin) => Some(Answering { plugin: plugin.into(), within }),
        ("plugin", Some(_)) => {
            section.mistake("answer_plugin", "is no name that a plugin can have");
            None
        }
        ("plugin", None) => {
            section.mistake("answer_plugin", "is missing: say which plugin answers, by the name of its file");
            None
        }
        ("gateway", Some(_)) => {
            section.mistake("answer_plugin", "goes with answer = \"plugin\"");
            None
        }
        _ => {
            section.mistake("answer", "must be \"gateway\" or \"plugin\"");
            None
        }
    }
}

/// A provider by its name, or one that is described in place.
fn read_provider(source: &str, section: &mut Section) -> Option<Provider> {
    match section.raw("provider") {
        Some(toml::Value::String(name)) => catalogue::find(&name).or_else(|| {
            section.mistake("provider", unknown_provider(&name));
            None
        }),
        Some(toml::Value::Table(mut table)) => {
            if let Some(like) = table.remove("like") {
                let base = like_another(&section.with("provider", toml::Table::new()), &like)?;
                table = laid_over(base, table);
            }
            Provider::read(source, section.with("provider", table))
        }
        Some(_) => {
            section.mistake("provider", "must be a name, or a table that describes one");
            None
        }
        None => {
            let known: Vec<&str> = catalogue::names().collect();
            section.mistake("provider", format_args!("is missing: take one of {}", known.join(", ")));
            None
        }
    }
}
