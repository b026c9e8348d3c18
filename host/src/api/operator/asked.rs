//! How the operator's API is asked: which events are meant.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::super::refusal::Refusal;
use super::super::webhooks::time;
use super::faces::State;
use crate::event::{EventId, Pattern};
use crate::queue::Wanted;

/// The most events of one request.
pub(super) const MOST: usize = 1000;

/// How many are listed where nothing is said.
pub(super) const PAGE: usize = 100;

/// Which events are listed. What is not said does not matter.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Those of a source, or of a provider.
    pub source: Option<String>,
    /// Those of a type, with `*` for any characters.
    #[serde(rename = "type")]
    #[param(rename = "type", min_length = 1, max_length = 256)]
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
    #[param(rename = "type", min_length = 1, max_length = 256)]
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

/// Events, by their ids or by what they are, and what is to be done with them.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    /// These, and no filter.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 1000)]
    pub events: Option<Vec<String>>,
    /// Those of a source, or of a provider.
    #[serde(default)]
    pub source: Option<String>,
    /// Those of a type, with `*` for any characters.
    #[serde(default, rename = "type")]
    #[schema(min_length = 1, max_length = 256)]
    pub event_type: Option<String>,
    /// Those that went so; with `events`, which deliveries: `dead` only those that are, `unrouted` only those that there never were.
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
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// Whether it is only found out what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// Dead deliveries, by their events' ids or by what those are.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadOnes {
    /// Of these events, and no filter.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 1000)]
    pub events: Option<Vec<String>>,
    /// A plugin's. Without it, those of all plugins.
    #[serde(default)]
    pub plugin: Option<String>,
    /// Those of events of a source, or of a provider.
    #[serde(default)]
    pub source: Option<String>,
    /// Those of events of a type, with `*` for any characters.
    #[serde(default, rename = "type")]
    #[schema(min_length = 1, max_length = 256)]
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
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// How much of the audit log is shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// The most entries. Without it, 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

impl From<EventsQuery> for Again {
    fn from(query: EventsQuery) -> Again {
        let EventsQuery { source, event_type, state, plugin, since, until, text, before, after: _, limit } = query;
        Again { source, event_type, state, plugin, since, until, text, before, limit, ..Again::default() }
    }
}

impl From<DeadQuery> for Again {
    fn from(query: DeadQuery) -> Again {
        let DeadQuery { plugin, source, event_type, since, until, text, before, limit } = query;
        Again { source, event_type, plugin, since, until, text, before, limit, ..Again::default() }
    }
}

impl From<DeadOnes> for Again {
    fn from(ones: DeadOnes) -> Again {
        let DeadOnes { events, plugin, source, event_type, since, until, text, before, limit } = ones;
        Again { events, source, event_type, plugin, since, until, text, before, limit, ..Again::default() }
    }
}

impl Again {
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
            since_ms: self.since.as_ref().map(|text| time("since", text)).transpose()?,
            until_ms: self.until.as_ref().map(|text| time("until", text)).transpose()?,
            text: self.text.clone(),
            before: self.before.as_ref().map(|text| id("before", text)).transpose()?,
            limit,
            ..Wanted::default()
        })
    }

    /// The events that are named, where any are. Who names them says nothing else of which are meant.
    pub fn named(&self) -> Result<Option<Vec<EventId>>, Refusal> {
        let Some(events) = &self.events else { return Ok(None) };
        let others = [&self.source, &self.event_type, &self.since, &self.until, &self.text, &self.before];
        if others.into_iter().any(Option::is_some) {
            return Err(Refusal::Wrong("events: leave them out where a filter says which are meant".into()));
        }
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

/// Reads an event's id.
pub(super) fn id(field: &str, text: &str) -> Result<EventId, Refusal> {
    text.parse().map_err(|error| Refusal::Wrong(format!("{field}: {error}")))
}
