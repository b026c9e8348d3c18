//! SoundHash's webhooks.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{Event, FromEvent, Result};

/// What SoundHash says, in any of the three shapes that its body has.
///
/// `D` is what the data is read as: [`VideoProcessed`], [`MatchFound`], a type of yours, or, left out, any JSON.
/// Data that does not fit is rejected.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook<D = Value> {
    event: Event,
    body: Body<D>,
}

impl<D> Webhook<D> {
    /// The event that it was read from.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// What happened: `video.processed`.
    pub fn event_type(&self) -> &str {
        self.event.event_type()
    }

    /// When it happened, as SoundHash writes it, which is not always a valid timestamp.
    pub fn created_at(&self) -> Option<&str> {
        self.body.created_at.as_deref().or(self.body.timestamp.as_deref())
    }

    /// What it happened to. Only one of the shapes says it.
    pub fn resource_id(&self) -> Option<&str> {
        self.body.resource_id.as_deref()
    }

    /// What kind of thing that is: `video`, `match`, ... Only one of the shapes says it.
    pub fn resource_type(&self) -> Option<&str> {
        self.body.resource_type.as_deref()
    }

    /// What there is to know about it.
    pub fn data(&self) -> &D {
        &self.body.data
    }
}

impl<D: DeserializeOwned> FromEvent for Webhook<D> {
    fn from_event(event: Event) -> Result<Webhook<D>> {
        let body = event.json()?;
        Ok(Webhook { event, body })
    }
}

/// The data of `video.processed`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct VideoProcessed {
    /// SoundHash's number of the video.
    #[serde(deserialize_with = "id")]
    pub video_id: String,
    /// Where the video is.
    pub video_url: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// How long it plays.
    #[serde(rename = "duration")]
    pub duration_seconds: Option<f64>,
    /// How many fingerprints were made of it.
    pub fingerprint_count: Option<u64>,
    /// How long that took.
    pub processing_time_seconds: Option<f64>,
}

/// The data of `match.found`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct MatchFound {
    /// SoundHash's number of the match.
    #[serde(deserialize_with = "id")]
    pub match_id: String,
    /// The video that was looked for.
    #[serde(deserialize_with = "id")]
    pub query_video_id: String,
    /// The video that it was found in.
    #[serde(deserialize_with = "id")]
    pub matched_video_id: String,
    /// How sure it is, from 0 to 1.
    pub confidence: Option<f64>,
    /// Where it begins.
    #[serde(rename = "segment_start")]
    pub segment_start_seconds: Option<f64>,
    /// Where it ends.
    #[serde(rename = "segment_end")]
    pub segment_end_seconds: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Body<D> {
    #[serde(default, deserialize_with = "text")]
    created_at: Option<String>,
    #[serde(default, deserialize_with = "text")]
    timestamp: Option<String>,
    #[serde(default, deserialize_with = "text")]
    resource_id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    resource_type: Option<String>,
    data: D,
}

/// An id: some are numbers, some are text.
fn id<'de, D: Deserializer<'de>>(json: D) -> Result<String, D::Error> {
    text(json)?.ok_or_else(|| D::Error::custom("an id is null"))
}

/// Text as it is and numbers as they are written.
fn text<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(json)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(D::Error::custom(format_args!("neither text nor a number: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, testing};

    const DATA: &str = r#"{"video_id": 456, "title": "T\u00eate", "duration": 180.5}"#;

    fn read<D: DeserializeOwned>(body: &str) -> Result<Webhook<D>> {
        Webhook::from_event(testing::event("video.processed").payload(body).build())
    }

    #[test]
    fn all_three_shapes_are_read() {
        let shapes = [
            (
                r#""id": "evt_1", "type": "video.processed", "created_at": "2025-10-30T22:00:00+00:00Z""#,
                Some("2025-10-30T22:00:00+00:00Z"),
            ),
            (r#""event": "video.processed""#, None),
            (
                r#""event": "video.processed", "timestamp": 1761861600, "webhook_id": 1, "delivery_id": "d""#,
                Some("1761861600"),
            ),
        ];
        for (envelope, created_at) in shapes {
            let webhook: Webhook<VideoProcessed> = read(&format!("{{{envelope}, \"data\": {DATA}}}")).unwrap();
            assert_eq!(webhook.created_at(), created_at, "{envelope}");
            assert_eq!(webhook.data().video_id, "456");
            assert_eq!(webhook.data().title.as_deref(), Some("Tête"));
            assert_eq!(webhook.data().duration_seconds, Some(180.5));
        }
    }

    #[test]
    fn a_match_is_read() {
        let webhook: Webhook<MatchFound> = read(
            r#"{"id":"evt_abc123","type":"match.found","data":{"match_id":123,"query_video_id":"abc123","matched_video_id":"xyz789","confidence":0.95,"segment_start":30.5,"segment_end":45.2},"resource_id":"123","resource_type":"match"}"#,
        )
        .unwrap();
        assert_eq!((webhook.resource_id(), webhook.resource_type()), (Some("123"), Some("match")));
        assert_eq!((webhook.data().match_id.as_str(), webhook.data().confidence), ("123", Some(0.95)));
        assert_eq!(webhook.data().segment_end_seconds, Some(45.2));
    }

    #[test]
    fn other_data_is_any_json() {
        let webhook: Webhook = read(r#"{"event":"quota.warning","data":{"used":9}}"#).unwrap();
        assert_eq!(webhook.data()["used"], 9);
    }

    #[test]
    fn data_that_does_not_fit_is_rejected_by_name() {
        let without = |body: &str, field: &str| match read::<VideoProcessed>(body) {
            Err(Failure::Reject(why)) => assert!(why.contains(field), "{why}"),
            other => panic!("{other:?}"),
        };
        without("{}", "`data`");
        without(r#"{"data":{}}"#, "`video_id`");
        without(r#"{"data":{"video_id":null}}"#, "an id is null");
        without(r#"{"data":{"video_id":[1]}}"#, "neither text nor a number: [1]");
    }
}
