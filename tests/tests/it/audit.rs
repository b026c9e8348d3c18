//! The audit log: whatever anybody changes by hand is noted, with who did it and without a secret.

use hookgate_tests::{Answer, Application, Doors, Gateway, Home, Receiver, State, api, eventually};
use serde_json::{Value, json};

use crate::operator::{get, rejecting};

const SECRET: &str = "a-secret-of-a-webhook";
const IN_URL: &str = "a-token-in-a-url";
const IN_HEADER: &str = "a-token-in-a-header";

/// What there is to be changed.
struct Things<'a> {
    application: &'a Application<'a>,
    url: String,
    /// An event that a fresh webhook subscribes to.
    event: String,
}

impl Things<'_> {
    fn webhook(&self) -> Value {
        json!({ "url": self.url, "events": ["video.*"], "secret": SECRET, "custom_headers": { "x-own": IN_HEADER } })
    }

    /// How an operation is asked for so that it is done: at which path, with what, and how that is noted.
    fn asked(&self, operation: &str) -> (String, Value, &'static str) {
        let id = if operation.contains("{id}") { self.application.create(self.webhook()) } else { String::new() };
        let (body, action) = match operation {
            "post /api/v1/webhooks" => (self.webhook(), "webhook_made"),
            "patch /api/v1/webhooks/{id}" => {
                (json!({ "secret": SECRET, "is_active": false, "url": self.url }), "webhook_changed")
            }
            "delete /api/v1/webhooks/{id}" => (Value::Null, "webhook_deleted"),
            "post /api/v1/webhooks/{id}/rotate" => (json!({ "secret": format!("{SECRET}-2") }), "webhook_rotated"),
            "post /api/v1/webhooks/{id}/test" => {
                (json!({ "event_type": "video.x", "test_data": SECRET }), "webhook_tested")
            }
            "post /api/v1/webhooks/{id}/redeliver" => (json!({ "since": "2020-01-01T00:00:00Z" }), "redeliver"),
            "post /api/v1/webhooks/{id}/deliveries/{event}/redeliver" => (json!({}), "redeliver"),
            "post /api/v1/keys" => (json!({ "name": "other" }), "key_made"),
            "delete /api/v1/keys/{which}" => (Value::Null, "key_revoked"),
            "post /api/v1/replay" => (json!({ "type": "push" }), "replay"),
            "post /api/v1/dead/retry" => (json!({ "plugin": "bad" }), "replay"),
            "post /api/v1/dead/drop" => (json!({ "plugin": "bad" }), "drop"),
            "post /api/v1/plugins/{name}/pause" => (json!({}), "pause"),
            "post /api/v1/plugins/{name}/resume" => (json!({}), "resume"),
            other => panic!("{other} changes something, and nobody says here how that is noted"),
        };
        let path = operation.split_once(' ').unwrap().1;
        let path = path.replace("{id}", &id).replace("{event}", &self.event);
        (path.replace("{which}", "ended").replace("{name}", "bad"), body, action)
    }
}

/// The operations that are described and that are no looks.
fn changing(doors: &Doors) -> Vec<String> {
    let description = get(doors, "/openapi.json");
    let paths = description["paths"].as_object().unwrap();
    let operations = paths
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}")));
    // What is published is no change by hand: the event is there, with its id.
    operations.filter(|operation| !operation.starts_with("get ") && operation != "post /api/v1/events").collect()
}

fn noted(doors: &Doors) -> Vec<Value> {
    get(doors, "/api/v1/audit?limit=1000").as_array().unwrap().clone()
}

#[test]
fn every_operation_that_changes_something_leaves_a_note_of_who_did_it_and_no_secret() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    home.install("bad", rejecting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let push = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is dead", || home.ledger().state("bad", &push) == Some(State::Dead));
    let made = api(gateway.admin, "", "POST", "/api/v1/keys", Some(json!({ "name": "ended" }))).json();
    let application = Application::of(&gateway);
    let event = application.publish("video.processed", json!({ "id": 1 }));
    let things = Things { application: &application, url: format!("{}?{IN_URL}", receiver.url()), event };
    let mut done = 0;
    for operation in changing(&gateway) {
        let is_applications = operation.contains("/webhooks");
        let (path, body, action) = things.asked(&operation);
        let before = noted(&gateway).len();
        let method = operation.split(' ').next().unwrap().to_uppercase();
        let shown = if is_applications { format!("x-api-key: {}\r\n", application.key) } else { String::new() };

        let answer = api(gateway.admin, &shown, &method, &path, Some(body).filter(|body| !body.is_null()));

        assert!((200..300).contains(&answer.status), "{operation}: {} {}", answer.status, answer.text());
        let noted = noted(&gateway);
        assert_eq!(noted.len(), before + 1, "{operation} leaves one note");
        let (who, what) = (noted[0]["who"].as_str().unwrap(), &noted[0]["what"]);
        assert_eq!(what["action"], action, "{operation}: {what}");
        assert_eq!(who == "local", !is_applications, "{operation} by {who}");
        assert!(!is_applications || who.contains("(key_"), "{operation} by {who}");
        match action {
            "replay" | "redeliver" => assert!(what.get("put_back").is_some(), "what came of it: {what}"),
            "drop" => assert_eq!(what["dropped"], json!({ "bad": 1 }), "{what}"),
            "webhook_tested" => assert_eq!(what["success"], true),
            "webhook_changed" => assert_eq!(what["changed"], json!(["url", "secret", "is_active"])),
            _ => {}
        }
        // So that the next has something to change, too.
        eventually("what was put back is over", || gateway.status()["queue"]["pending"] == 0);
        done += 1;
    }
    assert!(done >= 14, "{done} operations were done");
    let all = Value::from(noted(&gateway)).to_string();
    for secret in [SECRET, IN_URL, IN_HEADER, &application.key, made["key"].as_str().unwrap()] {
        assert!(!all.contains(secret), "{secret} is noted");
    }
}

#[test]
fn what_a_command_does_by_a_key_of_its_own_is_noted_as_what_who_ran_it_did() {
    let receiver = Receiver::new();
    let home = Home::with_receivers(&[&receiver], "");
    let gateway = Gateway::start(&home);
    let brief = api(gateway.admin, "", "POST", "/api/v1/keys", Some(json!({ "brief": true }))).json();
    let application = Application { doors: &gateway, key: brief["key"].as_str().unwrap().to_owned() };
    application.register(&receiver, &["video.*"]);
    let noted = noted(&gateway);
    let told: Vec<_> = noted.iter().map(|note| (&note["who"], &note["what"]["action"])).collect();
    assert_eq!(told, [(&json!("local"), &json!("webhook_made"))], "a key that is kept nowhere changes nothing");
}

#[test]
fn what_is_not_done_leaves_no_note() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let application = Application::of(&gateway);
    let before = noted(&gateway).len();
    let ask = |method: &str, path: &str, body: Value| -> Answer { application.ask(method, path, Some(body)) };
    let refused = [
        ask("POST", "/webhooks", json!({ "url": "http://127.0.0.1:1/", "events": ["a"] })),
        ask("PATCH", "/webhooks/whk_none", json!({ "is_active": true })),
        ask("POST", "/webhooks/whk_none/rotate", json!({})),
        ask("POST", "/webhooks/whk_none/test", json!({ "event_type": "a" })),
        ask("POST", "/webhooks/whk_none/redeliver", json!({ "since": "2020-01-01T00:00:00Z" })),
        ask("DELETE", "/webhooks/whk_none", json!({})),
        api(gateway.admin, "", "POST", "/api/v1/plugins/none/pause", None),
        api(gateway.admin, "", "DELETE", "/api/v1/keys/none", None),
        api(gateway.admin, "", "POST", "/api/v1/replay", Some(json!({ "plugin": "none" }))),
        api(gateway.admin, "", "POST", "/api/v1/dead/drop", Some(json!({ "limit": 0 }))),
    ];
    assert!(refused.iter().all(|answer| matches!(answer.status, 404 | 422)), "{refused:?}");
    assert_eq!(noted(&gateway).len(), before);
}
