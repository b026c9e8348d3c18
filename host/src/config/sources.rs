//! The sources' sections of the config.

use std::sync::Arc;

use super::{Reading, body_bytes, millis};
use crate::effects::PLUGIN;
use crate::event::is_name;
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
        let secret_files = self.files.borrow()[first..].iter().map(|(file, _)| file.clone()).collect();
        let body_bytes = body_bytes(&mut section, most_bytes);
        let provider = Arc::new(provider?);
        if provider.signs_url() && public_url.is_none() {
            section.mistake(
                "provider",
                "signs the address that it posts to, so say it: public_url = \"https://...\" in [server]",
            );
        }
        let url = public_url.map(|public| format!("{}/hooks/{name}", public.trim_end_matches('/')).into());
        let keys = secrets.into_iter().enumerate().filter_map(|(n, secret)| {
            let told = |error| section.mistake(&format!("secrets[{n}]"), error);
            provider.key(&secret).map_err(told).ok()
        });
        let keys = keys.collect();
        let answering = answering(&mut section);
        let requests_per_s = section.optional("requests_per_s");
        section.finish();
        Some(Source { name: name.into(), provider, keys, body_bytes, url, secret_files, answering, requests_per_s })
    }

    fn secrets(&self, section: &mut Section) -> Vec<Secret> {
        let tables = section.tables("secrets");
        if tables.is_empty() {
            let example = "secrets = [{ env = \"MY_SECRET\" }]";
            section.mistake(
                "secrets",
                format_args!("is missing: a source without one could not be verified; add {example}"),
            );
        }
        tables.into_iter().filter_map(|table| self.secret(table)).collect()
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
            let known: Vec<&str> = catalogue::names().collect();
            match catalogue::nearest(&name) {
                Some(nearest) => {
                    section.mistake("provider", format_args!("there is no `{name}`; did you mean `{nearest}`?"))
                }
                None => {
                    section.mistake("provider", format_args!("there is no `{name}`: take one of {}", known.join(", ")))
                }
            }
            None
        }),
        Some(toml::Value::Table(table)) => Provider::read(source, section.with("provider", table)),
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
