//! Receivers as people write them, in Flask and in Express, take all that is sent and refuse what is altered; and so do the official
//! libraries of Standard Webhooks and of Svix. They are started for real.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use hookgate_tests::{Doors, Gateway, Guest, Home, Process, Receiver, eventually, exchange, from_environment, skipped};
use serde_json::{Value, json};

const SECRET: &str = "whsec_QSB3ZWJob29rJ3Mgb3duIHNlY3JldCwgMDEyMzQ=";

/// A program in another language, killed when it is dropped.
struct App {
    child: Child,
    address: SocketAddr,
    ledger: PathBuf,
}

/// What was set up for tests in other languages.
fn folder() -> PathBuf {
    from_environment("HOOKGATE_RECEIVERS")
}

fn command(language: &str) -> Command {
    let mut command = Command::new(if language == "python" { "python" } else { "node" });
    command.env("PATH", from_environment("HOOKGATE_TOOLS")).env("PYTHONPATH", folder().join("clients/python/src"));
    command
}

impl App {
    /// Starts one in a gateway's folder.
    fn start(home: &Home, file: &str, port: u16) -> App {
        let language = if file.ends_with(".py") { "python" } else { "javascript" };
        let ledger = home.path().join("ledger");
        let mut command = command(language);
        command.arg(file).args(["--port", &port.to_string(), "--secret", SECRET, "--ledger"]).arg(&ledger);
        command.current_dir(folder().join("tests/receivers")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{file} says {line:?}"));
        App { child, address: address.parse().unwrap(), ledger }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The events that it took, one for each time.
    fn took(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.ledger).unwrap_or_default();
        let id = |line: &str| serde_json::from_str::<Value>(line).ok()?["id"].as_str().map(str::to_owned);
        text.lines().filter_map(id).collect()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has, and that no connection that goes out gets.
fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    let next = || first + TAKEN.fetch_add(1, Ordering::SeqCst);
    std::iter::repeat_with(next).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn register(doors: &Doors, key: &str, url: &str, events: &[&str]) -> String {
    let body = json!({ "url": url, "events": events, "secret": SECRET });
    let made = doors.api(key, "POST", "/api/v1/webhooks", Some(body));
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

fn publish(doors: &Doors, key: &str, data: Value) -> String {
    let body = json!({ "type": "video.processed", "data": data });
    doors.api(key, "POST", "/api/v1/events", Some(body)).json()["id"].as_str().unwrap().to_owned()
}

/// Whatever can be the data of an event.
fn odd_data() -> Vec<Value> {
    let mut data = vec![
        json!(null),
        json!({}),
        json!([]),
        json!("text"),
        json!(1.5),
        json!({ "Grüße": "日本語 🎬", "\u{feff}": "\u{0}\r\n\u{2028}" }),
        json!({ "big": "x".repeat(700_000) }),
    ];
    data.extend((0..100).map(|n| json!({ "n": n, "text": "ä".repeat(n) })));
    data
}

/// All that is sent is taken; what is altered is refused.
fn takes_what_is_sent_and_nothing_else(file: &str) {
    let (seen, port) = (Receiver::new(), free_port());
    let home = Home::with(&format!("outgoing.allow_private = [\"127.0.0.1:{port}\", \"{}\"]", seen.address()));
    let app = App::start(&home, file, port);
    let gateway = Gateway::start(&home);
    let key = gateway.key();
    let id = register(&gateway, &key, &app.url(), &["*"]);
    register(&gateway, &key, &seen.url(), &["*"]);
    let mut ids: BTreeSet<String> = odd_data().into_iter().map(|data| publish(&gateway, &key, data)).collect();
    for source in ["github", "frameio", "soundhash", "standard"] {
        let event_type = match source {
            "github" => "push",
            "frameio" => "file.ready",
            "soundhash" => "match.found",
            _ => "invoice.paid",
        };
        ids.insert(gateway.post(&home.sender(source).webhook(event_type)).id());
    }

    eventually("all are taken", || app.took().into_iter().collect::<BTreeSet<_>>() == ids);

    let webhook = gateway.api(&key, "GET", &format!("/api/v1/webhooks/{id}"), None).json();
    assert_eq!(webhook["last_failure_at"], Value::Null, "each was taken at once: {webhook}");
    assert_eq!(app.took().len(), ids.len(), "and once");
    eventually("the other saw them too", || seen.count() == ids.len());
    let hit = seen.hits().into_iter().find(|hit| hit.body.len() < 1000 && hit.body.contains(&b'{')).unwrap();
    let resend = |alter: &dyn Fn(&mut Vec<u8>, &mut String)| {
        let (mut body, mut signatures) = (hit.body.clone(), String::new());
        for name in ["x-webhook-signature", "webhook-signature", "webhook-id", "webhook-timestamp"] {
            signatures += &format!("{name}: {}\r\n", hit.header(name));
        }
        alter(&mut body, &mut signatures);
        let head = format!(
            "POST /hook HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{signatures}content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        exchange(app.address, &[head.as_bytes(), &body].concat()).unwrap().unwrap().status
    };
    assert_eq!(resend(&|_, _| ()), 200, "as it was");
    assert_eq!(resend(&|body, _| body[10] ^= 1), 401, "another body");
    assert_eq!(resend(&|body, _| body.push(b' ')), 401, "a longer body");
    assert_eq!(resend(&|_, signatures| signatures.clear()), 401, "no signature");
    assert_eq!(resend(&|_, signatures| *signatures = signatures.replace("signature: ", "signature: 0")), 401);
}

#[test]
fn flask() {
    if !skipped("python") {
        takes_what_is_sent_and_nothing_else("flask_app.py");
    }
}

#[test]
fn express() {
    if !skipped("javascript") {
        takes_what_is_sent_and_nothing_else("express_app.js");
    }
}

#[test]
fn official_libraries_in_python() {
    if !skipped("python") {
        takes_what_is_sent_and_nothing_else("standard_app.py");
    }
}

#[test]
fn official_libraries_in_javascript() {
    if !skipped("javascript") {
        takes_what_is_sent_and_nothing_else("standard_app.js");
    }
}

/// Makes the event `video.processed`.
const EMITS: &str = "(call $emit {video.processed} {[456]} (i32.const 0) (i32.const 0) (i32.const 512))";

#[test]
fn from_frameio_by_a_plugin_to_flask_nothing_is_lost_whoever_dies() {
    if skipped("python") {
        return;
    }
    let port = free_port();
    let always = vec!["0"; 90].join(", ");
    let home = Home::with(&format!(
        "delivery.schedule_s = [{always}]\n[outgoing]\nallow_private = [\"127.0.0.1:{port}\"]\nschedule_s = [{always}]\n[plugins.maker]\nemit = [\"video.*\"]"
    ));
    let maker = Guest::wanting(&["file.ready"]).asking_for("emit", "video.*", &[]).handling(EMITS);
    home.install("maker", maker.component());
    let mut gateway = Process::start(&home);
    let key = gateway.key();
    let mut app = App::start(&home, "flask_app.py", port);
    register(&gateway, &key, &app.url(), &["video.processed"]);
    let sender = home.sender("frameio");
    let mut accepted = 0;
    for round in 0..4 {
        for _ in 0..25 {
            gateway.post(&sender.webhook("file.ready")).id();
            accepted += 1;
        }
        if round % 2 == 0 {
            // Killed in the middle of it, then back.
            drop(app);
            for _ in 0..10 {
                gateway.post(&sender.webhook("file.ready")).id();
                accepted += 1;
            }
            app = App::start(&home, "flask_app.py", port);
        } else {
            gateway.kill();
            gateway = Process::start(&home);
        }
    }

    let took = || app.took().into_iter().collect::<BTreeSet<_>>().len();
    eventually("each is there at least once", || took() >= accepted);

    assert_eq!((accepted, took()), (120, 120));
    assert_eq!(home.ledger().emitted("maker").len(), 120, "each call that ended well made one event");
}

#[test]
fn the_clients_register_publish_and_verify() {
    let port = free_port();
    let home = Home::with(&format!("outgoing.allow_private = [\"127.0.0.1:{port}\"]"));
    let gateway = Process::start(&home);
    let key = gateway.key();
    let python = r#"
import os, sys
from hookgate_client import Hookgate, webhooks
made = webhooks.create_webhook(url=sys.argv[1], events=['video.processed', 'match.found'], secret=sys.argv[2])
assert made.secret == sys.argv[2] and made.is_active, made
published = Hookgate().events.publish('video.processed', {'video_id': 456})
assert published.id.startswith('evt_')
print(made.id)
"#;
    let javascript = r#"
import { Hookgate } from "../../clients/javascript/index.js";
const client = new Hookgate();
const made = await client.webhooks.createWebhook({ url: process.argv[2], events: ["video.processed", "match.found"], secret: process.argv[3] });
if (made.secret !== process.argv[3]) throw new Error("no secret");
await client.events.publish("match.found", { id: 1 });
console.log(made.id);
"#;
    let mut expected = 0;
    for (language, name, code) in [("python", "try.py", python), ("javascript", "try.mjs", javascript)] {
        if skipped(language) {
            continue;
        }
        let app = App::start(&home, if language == "python" { "flask_app.py" } else { "express_app.js" }, port);
        let folder = folder().join("tests/receivers");
        std::fs::write(folder.join(name), code).unwrap();
        let mut command = command(language);
        command.arg(name).args([&app.url(), SECRET]).current_dir(&folder);
        command.env("HOOKGATE_URL", format!("http://{}", gateway.admin)).env("HOOKGATE_API_KEY", &key);
        let ran = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(ran.status.success(), "{}{}", text(&ran.stdout), text(&ran.stderr));
        assert!(text(&ran.stdout).trim().starts_with("whk_"), "{}", text(&ran.stdout));
        // The second language's event goes to both registrations, at the same receiver.
        expected += if language == "python" { 1 } else { 2 };
        eventually("it is taken", || app.took().len() >= expected);
    }
}
