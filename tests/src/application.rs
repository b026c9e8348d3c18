//! An application that registers webhooks and publishes events.

use serde_json::{Value, json};

use crate::{Answer, Doors, Home, Receiver};

/// What most webhooks of tests are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_QSB3ZWJob29rJ3Mgb3duIHNlY3JldCwgMDEyMzQ=";

impl Home {
    /// A gateway's folder whose webhooks may be received by these.
    pub fn with_receivers(receivers: &[&Receiver], more: &str) -> Home {
        let allowed: Vec<String> = receivers.iter().map(|receiver| format!("\"{}\"", receiver.address())).collect();
        let quick = if more.contains("schedule_s") { "" } else { "outgoing.schedule_s = [0, 0, 0]" };
        Home::with(&format!("outgoing.allow_private = [{}]\n{quick}\n{more}", allowed.join(", ")))
    }
}

/// An application that speaks to a gateway.
pub struct Application<'a> {
    /// The gateway.
    pub doors: &'a Doors,
    /// Its key.
    pub key: String,
}

impl Application<'_> {
    /// With a key that is made for it.
    pub fn of(doors: &Doors) -> Application<'_> {
        Application { doors, key: doors.key() }
    }

    /// Asks for a path below `/api/v1`.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.doors.api(&self.key, method, &format!("/api/v1{path}"), body)
    }

    /// Registers a webhook and gives its id.
    pub fn create(&self, body: Value) -> String {
        let made = self.ask("POST", "/webhooks", Some(body));
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["id"].as_str().unwrap().to_owned()
    }

    /// Registers a receiver for types of events.
    pub fn register(&self, receiver: &Receiver, events: &[&str]) -> String {
        self.create(json!({ "url": receiver.url(), "events": events, "secret": WEBHOOK_SECRET }))
    }

    /// Publishes an event and gives its id.
    pub fn publish(&self, event_type: &str, data: Value) -> String {
        let published = self.ask("POST", "/events", Some(json!({ "type": event_type, "data": data })));
        assert_eq!(published.status, 202, "{}", published.text());
        published.json()["id"].as_str().unwrap().to_owned()
    }

    /// A webhook as it is shown.
    pub fn webhook(&self, id: &str) -> Value {
        self.ask("GET", &format!("/webhooks/{id}"), None).json()
    }

    /// What a webhook was sent, the newest first.
    pub fn deliveries(&self, id: &str) -> Vec<Value> {
        self.ask("GET", &format!("/webhooks/{id}/deliveries"), None).json().as_array().unwrap().clone()
    }

    /// The status of the newest delivery.
    pub fn newest(&self, id: &str) -> String {
        let deliveries = self.deliveries(id);
        deliveries.first().map(|delivery| delivery["status"].as_str().unwrap().to_owned()).unwrap_or_default()
    }
}
