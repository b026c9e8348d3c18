//! What applications say of a webhook, and why it may not be.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use super::described::{CustomHeaders, SourceName, Subscription};
use super::signing::check_secret;
use super::webhook::Wrong;
use crate::queue::AcceptError;
use crate::secret::Secret;

/// What is needed to register a webhook.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
pub struct Draft {
    /// Where it is posted to: `https://` or `http://`, at most 2,048 bytes.
    #[schema(max_length = 2048, format = "url")]
    pub url: String,
    /// The types of events, with `*` for any characters; `source:type` for those of one source.
    #[schema(value_type = Vec<Subscription>, min_items = 1, max_items = 100)]
    pub events: Vec<String>,
    /// The sources that it may hear: of the config, `api`, `plugin`. Without it, all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<SourceName>>, min_items = 1, max_items = 100)]
    pub sources: Option<Vec<String>>,
    /// In your words: a line of at most 1,000 bytes.
    #[serde(default)]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub description: Option<String>,
    /// Headers that each request has beside the gateway's own, at most 20 with 4,096 bytes.
    #[serde(default)]
    #[schema(value_type = Option<CustomHeaders>)]
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// The most requests in any minute.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 1000)]
    pub rate_limit_per_minute: Option<u32>,
    /// What signs. Without it, a fresh one is made.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 512, pattern = "^[!-~]+$")]
    pub secret: Option<String>,
    /// Whether requests are signed by an Ed25519 key pair too.
    #[serde(default)]
    pub key_pair: Option<bool>,
}

/// What is to change of a webhook. What is not there stays as it is.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookChange)]
pub struct Change {
    /// Where it is posted to.
    #[serde(default)]
    #[schema(max_length = 2048, format = "url")]
    pub url: Option<String>,
    /// The types of events.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Subscription>>, min_items = 1, max_items = 100)]
    pub events: Option<Vec<String>>,
    /// The sources that it may hear.
    #[serde(default)]
    #[schema(value_type = Option<Vec<SourceName>>, min_items = 1, max_items = 100)]
    pub sources: Option<Vec<String>>,
    /// In your words; `null` for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub description: Option<Option<String>>,
    /// Headers that each request has beside the gateway's own, at most 20 with 4,096 bytes.
    #[serde(default)]
    #[schema(value_type = Option<CustomHeaders>)]
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// The most requests in any minute; `null` for no limit.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schema(minimum = 1, maximum = 1000)]
    pub rate_limit_per_minute: Option<Option<u32>>,
    /// What signs from now on, at once.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 512, pattern = "^[!-~]+$")]
    pub secret: Option<String>,
    /// Whether it gets anything.
    #[serde(default)]
    pub is_active: Option<bool>,
}

impl Change {
    /// The fields that it is about.
    pub fn fields(&self) -> Vec<&'static str> {
        let Change { url, events, sources, description, custom_headers, rate_limit_per_minute, secret, is_active } =
            self;
        let fields = [
            ("url", url.is_some()),
            ("events", events.is_some()),
            ("sources", sources.is_some()),
            ("description", description.is_some()),
            ("custom_headers", custom_headers.is_some()),
            ("rate_limit_per_minute", rate_limit_per_minute.is_some()),
            ("secret", secret.is_some()),
            ("is_active", is_active.is_some()),
        ];
        fields.into_iter().filter_map(|(field, is_there)| is_there.then_some(field)).collect()
    }
}

/// Tells `null` from what is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A number without a fraction, however it is written: in JSON 5.0 is as whole as 5.
pub fn whole<'de, N: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<Option<N>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(from)? else { return Ok(None) };
    let from_fraction = || number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e9).contains(number));
    let whole = number.as_u64().or_else(|| from_fraction().map(|number| number as u64));
    let whole = whole.and_then(|number| N::try_from(number).ok());
    whole.map(Some).ok_or_else(|| Error::custom("must be a whole number, from 0 on and not too large"))
}

/// The same, where `null` says something.
fn whole_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u32>>, D::Error> {
    whole(from).map(Some)
}

/// Why a webhook was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// There is none of this id.
    #[error("there is no such webhook")]
    Unknown,
    /// A field is wrong.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// It cannot be done while it stands as it does.
    #[error("{0}")]
    Conflict(String),
    /// It is not on disk.
    #[error(transparent)]
    NotWritten(#[from] AcceptError),
    /// Something of ours failed.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// Reads a secret that an application chose.
pub(super) fn read_secret(text: String) -> Result<Secret, Wrong> {
    check_secret(&text).map_err(|told| Wrong { field: "secret", told })?;
    Ok(Secret::new(text))
}
