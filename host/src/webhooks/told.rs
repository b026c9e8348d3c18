//! What is told of a webhook: to whoever subscribed to that, and to the audit log. No secret, and of the URL, into which some put
//! secrets, only whom it leads to.

use std::time::Instant;

use bytes::Bytes;
use serde_json::json;

use super::{HOOKGATE, Webhook};
use crate::event::{NewEvent, rfc3339};
use crate::queue::Note;

/// What somebody does with a webhook, to which of its fields, and how it stands then.
pub(super) fn note(who: &str, action: &str, webhook: &Webhook, changed: &[&str]) -> Note {
    let origin = webhook.url.origin().ascii_serialization();
    let mut what =
        json!({ "action": action, "webhook": &*webhook.id, "origin": origin, "is_active": webhook.is_active });
    if !changed.is_empty() {
        what["changed"] = json!(changed);
    }
    Note::new(who, &what)
}

/// What is told of a webhook that was disabled.
pub(super) fn disabled_event(webhook: &Webhook, why: &str) -> NewEvent {
    let data = json!({
        "webhook_id": &*webhook.id,
        "origin": webhook.url.origin().ascii_serialization(),
        "reason": why,
        "disabled_at": rfc3339(webhook.updated_at_ms),
    });
    let named = [("resource.id", &*webhook.id), ("resource.type", "webhook")];
    NewEvent {
        source: HOOKGATE.into(),
        provider: HOOKGATE.into(),
        event_type: "webhook.disabled".into(),
        received_at_ms: webhook.updated_at_ms,
        received: Instant::now(),
        attributes: named.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        payload: Bytes::from(data.to_string()),
        headers: None,
        repeat_key: None,
        trace: None,
    }
}
