//! Finds in a verified request what the provider promises: the type, the delivery's id, the attributes.

use std::sync::Arc;

use serde_json::Value;

use super::description::Provider;
use super::template::View;
use super::verify::Verified;
use crate::event::{self, NewEvent, RepeatKey, TYPE_BYTES};

/// Why a verified request is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The provider promises JSON, and it is none.
    #[error("the body is not JSON")]
    NotJson,
    /// There is no type where the provider has it.
    #[error("there is no event type where this provider has it")]
    NoType,
    /// The type is too long or has spaces or control characters.
    #[error("the event type is not a word of at most {TYPE_BYTES} bytes")]
    BadType,
}

/// The longest value of an attribute, in bytes; longer ones are left out.
const ATTRIBUTE_BYTES: usize = 1024;

impl Provider {
    /// Makes an event of a verified request.
    pub fn parse_event(&self, verified: Verified) -> Result<NewEvent, Unreadable> {
        let received = verified.received();
        let json: Option<Value> = serde_json::from_slice(&received.body).ok();
        if self.is_json && json.is_none() {
            return Err(Unreadable::NotJson);
        }
        let view = View {
            headers: &received.headers,
            body: &received.body,
            json: json.as_ref(),
            timestamp: self.timestamp_text(&received.headers),
            url: received.url.as_deref(),
        };
        let event_type = self.event_type_in(&view)?;
        let delivery_id = self.delivery_id.text(&view);
        let repeat_key = self.repeat_key(&received.source, delivery_id.as_deref(), &view);
        Ok(NewEvent {
            source: received.source.clone(),
            provider: self.name.clone(),
            event_type: event_type.into(),
            received_at_ms: received.at_ms,
            received: received.at,
            attributes: self.attributes_in(&view),
            payload: received.body.clone(),
            repeat_key,
        })
    }

    pub(super) fn event_type_in(&self, view: &View) -> Result<String, Unreadable> {
        let event_type = self.event_type.text(view).ok_or(Unreadable::NoType)?;
        let odd = event_type.chars().any(|c| c.is_control() || c.is_whitespace());
        if odd || event_type.len() > TYPE_BYTES { Err(Unreadable::BadType) } else { Ok(event_type) }
    }

    fn attributes_in(&self, view: &View) -> Vec<(String, String)> {
        let content_type = view.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(|value| ("content-type".to_owned(), value.to_owned()));
        let named = self.attributes.iter().filter_map(|(name, value)| Some((name.clone(), value.text(view)?)));
        named.chain(content_type).filter(|(_, value)| value.len() <= ATTRIBUTE_BYTES).collect()
    }

    /// By the delivery's id where the sender gives one; else by the signed timestamp and the body, since two real changes
    /// may have equal bodies. With neither, no repeat can be told: running twice is allowed where losing is not.
    fn repeat_key(&self, source: &Arc<str>, delivery_id: Option<&str>, view: &View) -> Option<RepeatKey> {
        match (delivery_id, view.timestamp) {
            (Some(id), _) => Some(event::repeat_key(source, id.as_bytes())),
            (None, Some(timestamp)) => {
                Some(event::repeat_key_of(source, &[b"\0body\0", timestamp.as_bytes(), b"\0", view.body]))
            }
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::super::verify::Received;
    use super::*;
    use crate::secret::Secret;
    use bytes::Bytes;

    /// Signs the body as the provider does, with these headers besides, and reads it back.
    fn read(
        provider: &str,
        event_type: &str,
        body: &'static str,
        extra: &[(&'static str, &str)],
    ) -> Result<NewEvent, Unreadable> {
        let provider = catalogue::find(provider).unwrap();
        let key = provider.key(&Secret::new("whsec_c2VjcmV0")).unwrap();
        let mut signed = provider.sign_as_is(event_type, Bytes::from_static(body.as_bytes()), &key, 5_000, None);
        for (name, value) in extra {
            signed.headers.insert(*name, value.parse().unwrap());
        }
        let received = Received {
            source: "s".into(),
            url: None,
            headers: signed.headers,
            body: signed.body,
            at_ms: 5_000,
            at: std::time::Instant::now(),
        };
        provider.parse_event(provider.verify(received, &[key], 5_000).unwrap())
    }

    #[test]
    fn the_three_bodies_of_soundhash_are_one_event() {
        for (body, event) in [
            (r#"{"id": "1", "type": "video.processed", "resource_id": "456"}"#, "video.processed"),
            (r#"{"event": "video.processed", "data": {}}"#, "video.processed"),
            (
                r#"{"event": "video.processed", "timestamp": "t", "webhook_id": "w", "delivery_id": "d", "data": {}}"#,
                "video.processed",
            ),
        ] {
            assert_eq!(&*read("soundhash", event, body, &[]).unwrap().event_type, event);
        }
    }

    #[test]
    fn attributes_are_found_and_what_is_missing_is_left_out() {
        let body = r#"{"type":"file.ready","resource":{"id":"r","type":"file"},"user":{"id":"u"}}"#;
        let event = read("frameio", "file.ready", body, &[]).unwrap();
        let expected =
            [("resource.id", "r"), ("resource.type", "file"), ("user.id", "u"), ("content-type", "application/json")];
        assert_eq!(event.attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn the_delivery_id_tells_a_repeat_where_there_is_one() {
        let key = |id: &str, body| read("github", "push", body, &[("x-github-delivery", id)]).unwrap().repeat_key;
        assert_eq!(key("a", "{}"), key("a", r#"{"redelivered":true}"#));
        assert_ne!(key("a", "{}"), key("b", "{}"));
    }

    #[test]
    fn without_an_id_the_timestamp_and_the_body_tell() {
        let key = |body| read("frameio", "file.ready", body, &[]).unwrap().repeat_key;
        assert_eq!(key(r#"{"type":"file.ready"}"#), key(r#"{"type":"file.ready"}"#));
        assert_ne!(key(r#"{"type":"file.ready"}"#), key(r#"{"type":"file.ready" }"#));
    }

    #[test]
    fn what_the_provider_does_not_promise_is_told() {
        let cases = [
            ("not json", Unreadable::NotJson),
            ("{}", Unreadable::NoType),
            (r#"{"type":""}"#, Unreadable::NoType),
            (r#"{"type":7.5}"#, Unreadable::BadType),
            (r#"{"type":"two words"}"#, Unreadable::BadType),
            ("", Unreadable::NotJson),
        ];
        for (body, expected) in cases {
            let told = read("frameio", "file.ready", body, &[]);
            // A number is a word too.
            let expected = if body.contains("7.5") { None } else { Some(expected) };
            assert_eq!(told.err(), expected, "{body}");
        }
    }
}
