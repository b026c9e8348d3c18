//! How the operator's API is asked: which events are meant.

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::super::refusal::{Refusal, read};
use super::super::webhooks::time;
use super::faces::{Part, State};
use crate::event::{EventId, Pattern, UnixMs};
use crate::queue::Wanted;
use crate::webhooks::whole;

/// The most events of one request.
pub(super) const MOST: usize = 1000;

/// How many are listed where nothing is said.
pub(super) const PAGE: usize = 100;

/// What there is none of, where somebody names a plugin that never subscribed.
pub(super) const PLUGIN: &str = "plugin, or it never ran: `hookgate plugins` lists those that there are";

/// Which events are listed. What is not said does not matter.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Those of a source, or of a provider.
    pub source: Option<String>,
    /// Those of a type, with `*` for any characters.
    #[serde(rename = "type")]
    #[param(
        rename = "type",
        min_length = 1,
        max_length = 256,
        pattern = r"^(?![a-z0-9][a-z0-9_-]{0,63}:$)[^\s\x00-\x1f\x7f-\x9f]+$"
    )]
    pub event_type: Option<String>,
    /// Those that went so.
    #[param(inline)]
    pub state: Option<State>,
    /// Those that a plugin has a delivery of; with `state`, one that went so.
    pub plugin: Option<String>,
    /// Those that were received from this time on (RFC 3339),
    #[param(format = DateTime)]
    pub since: Option<String>,
    /// and before this one.
    #[param(format = DateTime)]
    pub until: Option<String>,
    /// Those with this text in their payload.
    #[param(min_length = 1, max_length = 1000)]
    pub text: Option<String>,
    /// Those before this one: `next` of the page before.
    #[param(pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")]
    pub before: Option<String>,
    /// Those after this one.
    #[param(pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")]
    pub after: Option<String>,
    /// The most of them. Without it, 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// Which dead deliveries are listed. What is not said does not matter.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeadQuery {
    /// A plugin's. Without it, those of all plugins; those of webhooks are listed by webhook.
    pub plugin: Option<String>,
    /// Those of events of a source, or of a provider.
    pub source: Option<String>,
    /// Those of events of a type, with `*` for any characters.
    #[serde(rename = "type")]
    #[param(
        rename = "type",
        min_length = 1,
        max_length = 256,
        pattern = r"^(?![a-z0-9][a-z0-9_-]{0,63}:$)[^\s\x00-\x1f\x7f-\x9f]+$"
    )]
    pub event_type: Option<String>,
    /// Those of events that were received from this time on (RFC 3339),
    #[param(format = DateTime)]
    pub since: Option<String>,
    /// and before this one.
    #[param(format = DateTime)]
    pub until: Option<String>,
    /// Those of events with this text in their payload.
    #[param(min_length = 1, max_length = 1000)]
    pub text: Option<String>,
    /// Those of events before this one: `next` of the page before.
    #[param(pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")]
    pub before: Option<String>,
    /// The most events. Without it, 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// An event's id.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")]
pub(super) struct Id(#[allow(dead_code, reason = "it is there to be described")] String);

/// Events that are named, to be delivered again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AgainNamed {
    /// Their ids.
    #[schema(value_type = Vec<Id>, min_items = 1, max_items = 1000)]
    pub events: Vec<String>,
    /// To this plugin only.
    #[serde(default)]
    pub plugin: Option<String>,
    /// Which deliveries. Without it, all that are over or wait for their next attempt, and those that there never were.
    #[serde(default)]
    pub state: Option<Part>,
    /// How many events a second, up to 2,500; without it, as many.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 100000)]
    pub rate: Option<u32>,
    /// Whether it is only found out what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// Events to be delivered again, by what they are. Something has to be said of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AgainFiltered {
    /// Those of a source, or of a provider.
    #[serde(default)]
    pub source: Option<String>,
    /// Those of a type, with `*` for any characters.
    #[serde(default, rename = "type")]
    #[schema(min_length = 1, max_length = 256, pattern = r"^(?![a-z0-9][a-z0-9_-]{0,63}:$)[^\s\x00-\x1f\x7f-\x9f]+$")]
    pub event_type: Option<String>,
    /// Those that went so. Of `dead` ones, dead deliveries only, of `pending` ones those that wait; `unrouted` ones go to who wants them now.
    #[serde(default)]
    pub state: Option<State>,
    /// To this plugin only.
    #[serde(default)]
    pub plugin: Option<String>,
    /// Those that were received from this time on (RFC 3339),
    #[serde(default)]
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// and before this one.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// Those with this text in their payload.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1000)]
    pub text: Option<String>,
    /// Those before this one: `next` of the answer before.
    #[serde(default)]
    #[schema(pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")]
    pub before: Option<String>,
    /// The most events. Without it, 1,000.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// How many events a second, up to 2,500; without it, as many.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 100000)]
    pub rate: Option<u32>,
    /// Whether it is only found out what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether they are only found: `left` of the answer has their ids. Whoever means more than one answer's and wants them in their order
    /// finds all, and then names them, the oldest first.
    #[serde(default)]
    pub find: bool,
}

/// Dead deliveries.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is there to be described: which of them is meant is told by `events`")]
pub(super) enum DeadOnes {
    /// By the ids of their events.
    Named(DeadNamed),
    /// By what those are.
    Filtered(DeadFiltered),
}

/// Dead deliveries of events that are named.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadNamed {
    /// Their ids.
    #[schema(value_type = Vec<Id>, min_items = 1, max_items = 1000)]
    pub events: Vec<String>,
    /// A plugin's. Without it, those of all plugins.
    #[serde(default)]
    pub plugin: Option<String>,
}

/// Dead deliveries, by what their events are. Where nothing is said of that, all are meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadFiltered {
    /// A plugin's. Without it, those of all plugins.
    #[serde(default)]
    pub plugin: Option<String>,
    /// Those of events of a source, or of a provider.
    #[serde(default)]
    pub source: Option<String>,
    /// Those of events of a type, with `*` for any characters.
    #[serde(default, rename = "type")]
    #[schema(min_length = 1, max_length = 256, pattern = r"^(?![a-z0-9][a-z0-9_-]{0,63}:$)[^\s\x00-\x1f\x7f-\x9f]+$")]
    pub event_type: Option<String>,
    /// Those of events that were received from this time on (RFC 3339),
    #[serde(default)]
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// and before this one.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// Those of events with this text in their payload.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1000)]
    pub text: Option<String>,
    /// Those of events before this one: `next` of the answer before.
    #[serde(default)]
    #[schema(pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")]
    pub before: Option<String>,
    /// The most events. Without it, 1,000.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// How much of the audit log is shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// What was done from this time on (RFC 3339),
    #[param(format = DateTime)]
    pub since: Option<String>,
    /// and before this one.
    #[param(format = DateTime)]
    pub until: Option<String>,
    /// The most entries. Without it, 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// What is asked, however it was.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub events: Option<Vec<String>>,
    pub source: Option<String>,
    pub event_type: Option<String>,
    pub state: Option<State>,
    pub plugin: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub text: Option<String>,
    pub before: Option<String>,
    pub limit: Option<usize>,
    pub rate: Option<u32>,
    pub dry_run: bool,
    pub find: bool,
}

impl From<EventsQuery> for Asked {
    fn from(query: EventsQuery) -> Asked {
        let EventsQuery { source, event_type, state, plugin, since, until, text, before, after: _, limit } = query;
        Asked { source, event_type, state, plugin, since, until, text, before, limit, ..Asked::default() }
    }
}

impl From<DeadQuery> for Asked {
    fn from(query: DeadQuery) -> Asked {
        let DeadQuery { plugin, source, event_type, since, until, text, before, limit } = query;
        Asked { plugin, source, event_type, since, until, text, before, limit, ..Asked::default() }
    }
}

/// Whether a body names events.
fn names_events(headers: &HeaderMap, body: &[u8]) -> Result<bool, Refusal> {
    Ok(read::<Map<String, Value>>(headers, body)?.contains_key("events"))
}

impl Asked {
    /// Reads an [`Again`].
    pub fn again(headers: &HeaderMap, body: &[u8]) -> Result<Asked, Refusal> {
        if names_events(headers, body)? {
            let AgainNamed { events, plugin, state, rate, dry_run } = read(headers, body)?;
            let state = state.map(State::from);
            return Ok(Asked { events: Some(events), plugin, state, rate, dry_run, ..Asked::default() });
        }
        let said: AgainFiltered = read(headers, body)?;
        let AgainFiltered { source, event_type, state, plugin, since, until, text, before, limit, rate, dry_run, find } =
            said;
        Ok(Asked {
            events: None,
            source,
            event_type,
            state,
            plugin,
            since,
            until,
            text,
            before,
            limit,
            rate,
            dry_run,
            find,
        })
    }

    /// Reads [`DeadOnes`].
    pub fn dead(headers: &HeaderMap, body: &[u8]) -> Result<Asked, Refusal> {
        let state = Some(State::Dead);
        if names_events(headers, body)? {
            let DeadNamed { events, plugin } = read(headers, body)?;
            return Ok(Asked { events: Some(events), plugin, state, ..Asked::default() });
        }
        let DeadFiltered { plugin, source, event_type, since, until, text, before, limit } = read(headers, body)?;
        Ok(Asked { state, plugin, source, event_type, since, until, text, before, limit, ..Asked::default() })
    }

    /// What is looked for, whatever became of it; `usual` is the most where nothing is said.
    pub fn wanted(&self, usual: usize) -> Result<Wanted, Refusal> {
        let limit = self.limit.unwrap_or(usual);
        if !(1..=MOST).contains(&limit) {
            return Err(Refusal::Wrong(format!("limit: must be from 1 to {MOST}")));
        }
        if self.text.as_ref().is_some_and(|text| !(1..=MOST).contains(&text.chars().count())) {
            return Err(Refusal::Wrong(format!("text: must have 1 to {MOST} characters")));
        }
        let pattern = |text: &String| text.parse::<Pattern>().map_err(|error| Refusal::Wrong(format!("type: {error}")));
        Ok(Wanted {
            source: self.source.clone(),
            event_type: self.event_type.as_ref().map(pattern).transpose()?,
            since_ms: self.since.as_ref().map(|text| moment("since", text)).transpose()?,
            until_ms: self.until.as_ref().map(|text| moment("until", text)).transpose()?,
            text: self.text.clone(),
            before: self.before.as_ref().map(|text| id("before", text)).transpose()?,
            limit,
            ..Wanted::default()
        })
    }

    /// How many events a second, where that is said.
    pub fn rate(&self) -> Result<Option<u32>, Refusal> {
        match self.rate {
            Some(rate) if !(1..=100_000).contains(&rate) => {
                Err(Refusal::Wrong("rate: must be from 1 to 100000".into()))
            }
            rate => Ok(rate),
        }
    }

    /// The events that are named, where any are.
    pub fn named(&self) -> Result<Option<Vec<EventId>>, Refusal> {
        let Some(events) = &self.events else { return Ok(None) };
        if !(1..=MOST).contains(&events.len()) {
            return Err(Refusal::Wrong(format!("events: must be 1 to {MOST}")));
        }
        events.iter().map(|text| id("events", text)).collect::<Result<_, _>>().map(Some)
    }

    /// Whether nothing says which events are meant.
    pub fn is_anything(&self) -> bool {
        let said = [&self.source, &self.event_type, &self.plugin, &self.since, &self.until, &self.text, &self.before];
        self.events.is_none() && self.state.is_none() && said.into_iter().all(Option::is_none)
    }
}

/// Reads a time; one that no id can have is the last that one can.
fn moment(field: &str, text: &str) -> Result<UnixMs, Refusal> {
    let (ms, last) = (time(field, text)?, EventId::from_i64(i64::MAX).made_at_ms());
    Ok(ms.min(last))
}

/// Reads an event's id.
pub(super) fn id(field: &str, text: &str) -> Result<EventId, Refusal> {
    text.parse().map_err(|error| Refusal::Wrong(format!("{field}: {error}")))
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;
    use serde_json::json;

    use super::super::described::SAYING;
    use super::*;

    #[test]
    fn what_is_described_as_saying_something_does_and_the_rest_does_not() {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]);
        let is_anything = |body: Value| Asked::again(&headers, body.to_string().as_bytes()).unwrap().is_anything();
        for field in SAYING {
            assert!(!is_anything(json!({ field: "dead" })), "{field}");
            assert!(is_anything(json!({ field: null })), "{field}");
        }
        assert!(is_anything(json!({})) && is_anything(json!({ "limit": 1.0, "dry_run": true })));
    }
}
