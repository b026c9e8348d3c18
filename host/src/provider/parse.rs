//! Finds in a verified request what the provider promises: the type, the delivery's id, the attributes.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::description::{Instead, Provider};
use super::json;
use super::template::View;
use super::verify::{Received, Verified};
use crate::event::{self, NewEvent, RepeatKey, TYPE_BYTES, TraceParent};

/// Why a verified request is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The provider promises JSON, and it is none.
    #[error("the body is not JSON")]
    NotJson,
    /// There is no type where the provider has it.
    #[error("there is no event type where this provider has it")]
    NoType,
    /// There are more events in it than are taken at once.
    #[error("there are more than {EVENTS} events in it")]
    TooMany,
    /// The type is too long or has spaces or control characters.
    #[error("the event type is not a word of at most {TYPE_BYTES} bytes")]
    BadType,
}

/// The longest value of an attribute, in bytes; longer ones are left out.
const ATTRIBUTE_BYTES: usize = 1024;

/// The most events in one request, and how large they may be together, in bytes.
const EVENTS: usize = 1000;
const EVENT_BYTES: usize = 16 << 20;

impl Provider {
    /// Makes the events of a verified request: one, unless the provider puts several into a request. Its headers are not in them.
    pub fn parse_events(&self, verified: Verified) -> Result<Vec<NewEvent>, Unreadable> {
        let bodies = self.split(&verified.received().body)?;
        let is_whole = |body: &String| json::parse(body.as_bytes()).as_ref() == verified.json();
        match bodies.as_slice() {
            // What is alone in its request stays as it was sent, to the byte.
            one if one.len() <= 1 && one.first().is_none_or(is_whole) => {
                let payload = verified.received().body.clone();
                self.event(verified.received(), payload, verified.json()).map(|event| vec![event])
            }
            _ => {
                let event = |body: String| {
                    let json = json::parse(body.as_bytes());
                    self.event(verified.received(), body.into(), json.as_ref())
                };
                bodies.into_iter().map(event).collect()
            }
        }
    }

    /// A body for each event, where there are several.
    fn split(&self, body: &[u8]) -> Result<Vec<String>, Unreadable> {
        if self.items.is_empty() || json::is_deep(body) {
            return Ok(Vec::new());
        }
        let text = std::str::from_utf8(body).map_err(|_| Unreadable::NotJson)?;
        json::split(text, &self.items, EVENTS, EVENT_BYTES).ok_or(Unreadable::TooMany)
    }

    fn event(&self, received: &Received, payload: Bytes, json: Option<&Value>) -> Result<NewEvent, Unreadable> {
        if self.is_json && json.is_none() {
            return Err(Unreadable::NotJson);
        }
        let url = received.whole_url();
        let bare = View::of(&received.headers, &payload, json);
        let view = View { url: url.as_deref(), query: received.query.as_deref(), ..bare };
        let timestamp = self.timestamp_text(&view);
        let view = View { timestamp: timestamp.as_deref(), ..view };
        let event_type = self.event_type_in(&view)?;
        let delivery_id = self.delivery_id.text(&view);
        Ok(NewEvent {
            source: received.source.clone(),
            provider: self.name.clone(),
            event_type: event_type.into(),
            received_at_ms: received.at_ms,
            received: received.at,
            attributes: self.attributes_in(&view),
            repeat_key: self.repeat_key(&received.source, delivery_id.as_deref(), &view),
            payload: payload.clone(),
            headers: None,
            trace: TraceParent::in_headers(&received.headers),
        })
    }

    /// The timestamp of the scheme that signs one, as it was sent.
    fn timestamp_text(&self, view: &View) -> Option<String> {
        let places = self.schemes.iter().filter_map(|scheme| scheme.timestamp.as_ref());
        places.filter_map(|rule| rule.at.text(view)).next()
    }

    pub(super) fn event_type_in(&self, view: &View) -> Result<String, Unreadable> {
        let is_meant = |one: &&Instead| one.tells.text(view).as_ref() == Some(&one.is);
        let told = match self.instead.iter().find(is_meant) {
            Some(instead) => instead.event_type.text(view),
            None => self.event_type.text(view),
        };
        let event_type = told.ok_or(Unreadable::NoType)?;
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
    use super::*;
    use crate::secret::Secret;

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
        let received = Received::new("s".into(), signed.headers, signed.body, 5_000);
        let mut events = provider.parse_events(provider.verify(received, &[key], 5_000).unwrap())?;
        Ok(events.remove(0))
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

    fn all(provider: &str, body: &str) -> Result<Vec<(String, String)>, Unreadable> {
        let provider = catalogue::find(provider).unwrap();
        let key = provider.fresh_key().unwrap();
        let signed = provider.sign_as_is("any", Bytes::copy_from_slice(body.as_bytes()), &key, 5_000, None);
        let received = Received::new("s".into(), signed.headers, signed.body, 5_000);
        let events = provider.parse_events(provider.verify(received, &[key], 5_000).unwrap())?;
        let told = |event: NewEvent| (event.event_type.to_string(), String::from_utf8(event.payload.to_vec()).unwrap());
        Ok(events.into_iter().map(told).collect())
    }

    #[test]
    fn one_request_of_meta_is_many_events() {
        let change = |field: &str| format!(r#"{{"field":"{field}","value":{{"n":1.50}}}}"#);
        let (feed, live) = (change("feed"), change("live"));
        let body = format!(r#"{{"object":"page","entry":[{{"id":"7","time":1,"changes":[{feed},{live}]}}]}}"#);
        let one = |change: &str| format!(r#"{{"object":"page","entry":[{{"id":"7","time":1,"changes":[{change}]}}]}}"#);
        let told = |event_type: &str, change: &str| (event_type.to_owned(), one(change));
        assert_eq!(all("meta", &body), Ok(vec![told("page.feed", &feed), told("page.live", &live)]));
        let alone = one(&feed).replace(',', ", ");
        assert_eq!(all("meta", &alone), Ok(vec![("page.feed".into(), alone.clone())]));
        let many = format!(r#"{{"object":"page","entry":[{{"changes":[{}]}}]}}"#, vec![feed; 1001].join(","));
        assert_eq!(all("meta", &many), Err(Unreadable::TooMany));
    }

    #[test]
    fn another_type_counts_where_something_says_so() {
        let body = r#"{"subscription":{"type":"channel.follow"}}"#;
        let kinds = |kind| {
            let headers =
                [("twitch-eventsub-message-type", kind), ("twitch-eventsub-subscription-type", "channel.follow")];
            read("twitch", "channel.follow", body, &headers).unwrap().event_type.to_string()
        };
        assert_eq!(kinds("notification"), "channel.follow");
        assert_eq!(kinds("revocation"), "revocation.channel.follow");
    }
}
