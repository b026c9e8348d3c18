//! What a webhook is sent of an event: SoundHash's body, around what the sender said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::event::{Event, rfc3339};

/// The body of the requests for an event: the same on each attempt.
pub fn body(event: &Event) -> Vec<u8> {
    let attribute = |name: &str| event.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value);
    let head = json!({
        "id": event.id.to_string(),
        "type": &*event.event_type,
        "event": &*event.event_type,
        "created_at": rfc3339(event.received_at_ms),
    });
    let tail = json!({ "resource_id": attribute("resource.id"), "resource_type": attribute("resource.type") });
    assemble(&head, &event.payload, &tail)
}

/// Puts the payload between two objects as it is: numbers and names stay as the sender wrote them.
fn assemble(head: &Value, payload: &[u8], tail: &Value) -> Vec<u8> {
    let (head, tail) = (head.to_string(), tail.to_string());
    let mut body = Vec::with_capacity(head.len() + payload.len() + tail.len() + 16);
    body.extend_from_slice(head.trim_end_matches('}').as_bytes());
    body.extend_from_slice(b",\"data\":");
    match (serde_json::from_slice::<IgnoredAny>(payload), std::str::from_utf8(payload)) {
        (Ok(_), Ok(_)) => body.extend_from_slice(payload.trim_ascii()),
        // What is no JSON is a text, and what is no text is one in Base64.
        (Err(_), Ok(text)) => body.extend_from_slice(Value::from(text).to_string().as_bytes()),
        (_, Err(_)) => body.extend_from_slice(json!({ "base64": STANDARD.encode(payload) }).to_string().as_bytes()),
    }
    body.push(b',');
    body.extend_from_slice(tail.trim_start_matches('{').as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventId;
    use bytes::Bytes;

    fn sent(payload: &'static [u8], attributes: &[(&str, &str)]) -> String {
        let event = Event {
            id: EventId::first_at(1_761_861_600_123),
            source: "s".into(),
            provider: "p".into(),
            event_type: "video.\"x\"}".into(),
            received_at_ms: 1_761_861_600_123,
            received: None,
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            payload: Bytes::from_static(payload),
        };
        String::from_utf8(body(&event)).unwrap()
    }

    #[test]
    fn the_payload_stands_in_it_as_it_was() {
        let body = sent(
            b" {\"n\": 1.00, \"big\": 12345678901234567890123}\n",
            &[("resource.id", "456"), ("resource.type", "video")],
        );
        assert!(body.contains("\"data\":{\"n\": 1.00, \"big\": 12345678901234567890123},"), "{body}");
        let read: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["type"], "video.\"x\"}");
        assert_eq!(read["event"], read["type"]);
        assert_eq!(read["created_at"], "2025-10-30T22:00:00.123Z");
        assert_eq!((&read["resource_id"], &read["resource_type"]), (&json!("456"), &json!("video")));
    }

    #[test]
    fn what_is_no_json_is_a_text_or_base64() {
        for (payload, expected) in [
            (&b"a=1&b=\"2\""[..], json!("a=1&b=\"2\"")),
            (b"", json!("")),
            (b"\xff\xfe", json!({ "base64": "//4=" })),
            (b"{} {}", json!("{} {}")),
            (b"null", json!(null)),
            (b"\"\xff\"", json!({ "base64": "Iv8i" })),
        ] {
            let read: Value = serde_json::from_str(&sent(payload, &[])).unwrap();
            assert_eq!(read["data"], expected);
            assert_eq!(read["resource_id"], Value::Null);
        }
    }
}
