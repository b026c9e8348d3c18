//! A client that says exactly what it is told to, and nothing of its own.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::{Webhook, canary};

/// How long an answer may take before a test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a gateway can be reached.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    /// Where senders come in.
    pub hooks: SocketAddr,
    /// Where operators come in.
    pub admin: SocketAddr,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The id of the event that was accepted; panics where none was.
    pub fn id(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        let json = self.json();
        let id = json["id"].as_str().unwrap();
        assert!(id.starts_with("evt_"), "{id}");
        id.to_owned()
    }

    /// Whether it was called a repeat.
    pub fn is_duplicate(&self) -> bool {
        self.json()["duplicate"] == true
    }

    fn parse(bytes: &[u8]) -> Option<Answer> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Some(Answer { status, headers: lines.filter_map(header).collect(), body: bytes[end + 4..].to_vec() })
    }
}

/// Writes bytes to an address and reads until the other side closes. Nothing, where it closes without an answer.
pub fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<Option<Answer>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // A gateway that has heard enough answers and closes before everything is written.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error),
    }
    canary::assert_none_in("an answer", &bytes);
    Ok(Answer::parse(&bytes))
}

/// Asks an API with these headers beside its own.
pub fn api(address: SocketAddr, headers: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let body = body.map(|body| body.to_string());
    let kind = body.as_ref().map(|_| "content-type: application/json\r\n").unwrap_or_default();
    let body = body.unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}{kind}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    exchange(address, request.as_bytes()).unwrap().unwrap()
}

/// A connection that stays open from one request to the next.
pub struct Kept(BufReader<TcpStream>);

impl Kept {
    /// Connects.
    pub fn open(address: SocketAddr) -> std::io::Result<Kept> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Kept(BufReader::new(stream)))
    }

    /// Posts a webhook and waits for all of the answer.
    pub fn post(&mut self, webhook: &Webhook) -> std::io::Result<Answer> {
        self.0.get_mut().write_all(&webhook.kept_open())?;
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            if self.0.read_until(b'\n', &mut bytes)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let mut answer = Answer::parse(&bytes).ok_or(ErrorKind::InvalidData)?;
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        answer.body = vec![0; length];
        self.0.read_exact(&mut answer.body)?;
        Ok(answer)
    }
}

impl Doors {
    /// Posts a webhook to its source.
    pub fn post(&self, webhook: &Webhook) -> Answer {
        self.try_post(webhook).unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// Posts a webhook to a gateway that may not be there any more.
    pub fn try_post(&self, webhook: &Webhook) -> std::io::Result<Answer> {
        exchange(self.hooks, &webhook.request())?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    /// Asks for something where senders come in.
    pub fn get_hook(&self, path: &str) -> Answer {
        let request = format!("GET /hooks/{path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        exchange(self.hooks, request.as_bytes()).unwrap().unwrap()
    }

    /// Asks the operator's side.
    pub fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin);
        exchange(self.admin, request.as_bytes()).unwrap().unwrap()
    }

    /// Asks the API with a key.
    pub fn api(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        api(self.admin, &format!("authorization: Bearer {key}\r\n"), method, path, body)
    }

    /// Makes a key of the API.
    pub fn key(&self) -> String {
        let made = api(self.admin, "", "POST", "/api/v1/keys", Some(serde_json::json!({ "name": "test" })));
        made.json()["key"].as_str().unwrap().to_owned()
    }

    /// How everything stands.
    pub fn status(&self) -> Value {
        self.get("/status").json()
    }

    /// How one plugin stands; null where there is none.
    pub fn plugin(&self, name: &str) -> Value {
        named(&self.status()["plugins"], name)
    }

    /// A number of the metrics, by its name and labels as they are written there; 0 where there is none.
    pub fn metric(&self, name: &str) -> f64 {
        let text = String::from_utf8_lossy(&self.get("/metrics").body).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    /// In which slot a plugin is: `live`, `stale`, `broken`, `blocked` or `none`.
    pub fn slot(&self, plugin: &str) -> String {
        self.plugin(plugin)["slot"].as_str().unwrap_or("none").to_owned()
    }

    /// Why a plugin's file does not run.
    pub fn why(&self, plugin: &str) -> String {
        self.plugin(plugin)["why"].as_str().unwrap_or_default().to_owned()
    }

    /// How often a source refused for a cause.
    pub fn refused(&self, source: &str, cause: &str) -> u64 {
        named(&self.status()["sources"], source)["refused"][cause].as_u64().unwrap()
    }
}

fn named(list: &Value, name: &str) -> Value {
    list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
}
