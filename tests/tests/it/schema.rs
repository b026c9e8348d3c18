//! What the API says of itself is so: schemathesis asks all that the two descriptions allow and much that they do not, and looks for an answer that
//! they do not allow.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use hookgate_tests::{Application, Doors, Home, Process, Receiver, api, eventually};
use serde_json::json;

use crate::operator::{rejecting, worker};

/// How many requests each operation gets of each sort, where `HOOKGATE_EXAMPLES` says nothing.
const EXAMPLES: &str = "60";

/// Where schemathesis is. Nothing where it could not be set up, which is told.
fn schemathesis() -> Option<PathBuf> {
    let found = std::env::var_os("HOOKGATE_SCHEMATHESIS").filter(|program| !program.is_empty());
    if found.is_none() {
        eprintln!("skipped: there is no schemathesis here");
    }
    found.map(PathBuf::from)
}

/// A gateway that has something of everything: a plugin that works and one that rejects, events that are done, dead and unrouted, a webhook.
struct Setting {
    home: Home,
    /// Where applications ask, and nobody else.
    applications: SocketAddr,
    gateway: Process,
    receiver: Receiver,
}

impl Setting {
    fn new() -> Setting {
        let applications = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let receiver = Receiver::new();
        let home = Home::with_receivers(&[&receiver], &format!("outgoing.listen = \"{applications}\""));
        home.install("worker", worker(&["push", "issues.*"]).component());
        home.install("bad", rejecting(&["issues.opened"]).component());
        let gateway = Process::start(&home);
        let github = home.sender("github");
        for event_type in ["push", "issues.opened", "star.created"] {
            gateway.post(&github.webhook(event_type));
        }
        let application = Application::of(&gateway);
        application.register(&receiver, &["video.*"]);
        application.publish("video.processed", json!({ "id": 1 }));
        eventually("all are over", || gateway.status()["queue"]["dead"] == 1 && receiver.count() == 1);
        Setting { home, applications, gateway, receiver }
    }

    fn key(&self, role: &str) -> String {
        let made = api(self.gateway.admin, "", "POST", "/api/v1/keys", Some(json!({ "name": role, "role": role })));
        made.json()["key"].as_str().unwrap().to_owned()
    }

    /// Has a description followed by whoever shows a key, and sees that nothing is found.
    fn finds_nothing(&self, program: &Path, at: SocketAddr, description: &str, key: &str) {
        let examples = std::env::var("HOOKGATE_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
        let mut command = Command::new(program);
        command.args(["run", &format!("http://{at}{description}"), "--checks", "all", "--max-examples", &examples]);
        command.args(["--header", &format!("Authorization: Bearer {key}"), "--generation-deterministic", "--no-color"]);
        let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        command.env("PYTHONPATH", hooks).env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("HOOKGATE_RECEIVER", format!("http://{}", self.receiver.address()));
        let output = command.current_dir(self.home.path()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{description}:\n{told}\n{}", String::from_utf8_lossy(&output.stderr));
        let still = Doors { admin: at, ..*self.gateway }.api(key, "GET", "/api/v1/webhooks", None).status;
        assert_eq!(still, 200, "the key was good to the end, so that it was more than the door that was tried");
        let log = self.gateway.log();
        assert!(!log.contains("a request to the API failed") && !log.contains("panicked"), "{log}");
    }
}

#[test]
fn applications_are_answered_as_the_description_says() {
    let Some(program) = schemathesis() else { return };
    let it = Setting::new();
    let (key, before) = (it.key("publish"), it.home.ledger().events());

    it.finds_nothing(&program, it.applications, "/openapi.json", &key);

    assert!(it.home.ledger().events() > before, "events were published");
    let webhooks = Doors { admin: it.applications, ..*it.gateway }.api(&key, "GET", "/api/v1/webhooks", None).json();
    assert!(webhooks.as_array().unwrap().len() > 1, "webhooks were registered");
    assert!(it.receiver.count() > 1, "and got something");
}

#[test]
fn operators_are_answered_as_the_description_says() {
    let Some(program) = schemathesis() else { return };
    let it = Setting::new();
    let key = it.key("operate");

    it.finds_nothing(&program, it.gateway.admin, "/openapi.json", &key);

    for action in ["replay", "pause", "resume", "drop", "key_made"] {
        assert!(it.gateway.log().contains(&format!("\"action\":\"{action}\"")), "{action} was never done");
    }
}
