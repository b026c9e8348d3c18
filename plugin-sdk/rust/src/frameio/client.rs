//! Frame.io's API.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Answer, Failure, PowerError, http, now};

/// Why Frame.io did not do what it was asked for. With `?` in a handler it becomes the outcome that fits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FrameioError {
    /// There is no answer, and this is why.
    NoAnswer(PowerError),
    /// An id is missing, or is none: the event is rejected.
    NoId(String),
    /// Frame.io does not take the token, or it is not for this: an operator can mend that before the next attempt.
    Unauthorized(String),
    /// There is no such thing at Frame.io, or the token's owner cannot see it: the event is rejected.
    NotFound(String),
    /// Frame.io has too much to do, or is out of order: the delivery is tried again.
    Busy {
        /// What it said.
        why: String,
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// It makes no sense to Frame.io: the event is rejected.
    Refused(String),
    /// Frame.io said that it went well, and nothing else that can be understood: the delivery is tried again.
    Garbled(String),
}

impl fmt::Display for FrameioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameioError::NoAnswer(error) => error.fmt(f),
            FrameioError::NoId(why)
            | FrameioError::Unauthorized(why)
            | FrameioError::NotFound(why)
            | FrameioError::Busy { why, .. }
            | FrameioError::Refused(why)
            | FrameioError::Garbled(why) => f.write_str(why),
        }
    }
}

impl From<PowerError> for FrameioError {
    fn from(error: PowerError) -> FrameioError {
        FrameioError::NoAnswer(error)
    }
}

impl From<FrameioError> for Failure {
    fn from(error: FrameioError) -> Failure {
        match error {
            FrameioError::NoAnswer(error) => error.into(),
            FrameioError::NoId(why) | FrameioError::NotFound(why) | FrameioError::Refused(why) => Failure::Reject(why),
            FrameioError::Unauthorized(why) | FrameioError::Garbled(why) => Failure::retry(why),
            FrameioError::Busy { why, after } => Failure::Retry { why, after },
        }
    }
}

/// Calls Frame.io's API with what the operator granted for its host. Ask for that with
/// `#[plugin(host("api.frame.io", methods = "GET POST", credential = "bearer"))]`.
#[derive(Debug, Clone)]
pub struct Client {
    base_url: String,
    timeout: Option<Duration>,
}

impl Client {
    /// A client of `https://api.frame.io`.
    pub fn new() -> Client {
        Client { base_url: "https://api.frame.io".to_string(), timeout: None }
    }

    /// Calls another place.
    pub fn with_base_url(self, base_url: impl AsRef<str>) -> Client {
        Client { base_url: base_url.as_ref().trim_end_matches('/').to_string(), ..self }
    }

    /// Sets how long a call may take; at most, and without it, what the operator allows.
    pub fn with_timeout(self, timeout: Duration) -> Client {
        Client { timeout: Some(timeout), ..self }
    }

    /// Comments on files.
    pub fn comments(&self) -> Comments<'_> {
        Comments(self)
    }

    /// Files.
    pub fn files(&self) -> Files<'_> {
        Files(self)
    }

    /// Calls what lies below `/v4`, by the parts of its path, and gives the `data` of the answer.
    ///
    /// What this client has no name for yet: `client.call("GET", &["accounts", account, "workspaces"], None)`.
    pub fn call(&self, method: &str, path: &[&str], data: Option<Value>) -> Result<Value, FrameioError> {
        let path = path.iter().map(|part| encoded(part)).collect::<Result<Vec<_>, _>>()?.join("/");
        let url = format!("{}/v4/{path}", self.base_url);
        let mut request = http::Request::new(method, url).header("accept", "application/json");
        if let Some(data) = data {
            request = request.json(&json!({ "data": data }));
        }
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        let answer = request.send()?;
        let told = format!("Frame.io answered {} to {method} /v4/{path}", answer.status());
        if answer.is_success() { data_in(&answer, &told) } else { Err(failure(&answer, told)) }
    }
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

/// Comments on files: [`Client::comments`].
#[derive(Debug, Clone, Copy)]
pub struct Comments<'c>(&'c Client);

impl Comments<'_> {
    /// Adds a comment to a file, and gives it as Frame.io has it. An id can be text, or what an event may leave out.
    pub fn create<'a>(
        &self,
        account: impl Into<Option<&'a str>>,
        file: impl Into<Option<&'a str>>,
        text: &str,
    ) -> Result<Comment, FrameioError> {
        let (account, file) = (account.into().unwrap_or_default(), file.into().unwrap_or_default());
        let path = ["accounts", account, "files", file, "comments"];
        self.0.call("POST", &path, Some(json!({ "text": text }))).map(Comment)
    }
}

/// Files: [`Client::files`].
#[derive(Debug, Clone, Copy)]
pub struct Files<'c>(&'c Client);

impl Files<'_> {
    /// A file as Frame.io has it. An id can be text, or what an event may leave out.
    pub fn show<'a>(
        &self,
        account: impl Into<Option<&'a str>>,
        file: impl Into<Option<&'a str>>,
    ) -> Result<File, FrameioError> {
        let (account, file) = (account.into().unwrap_or_default(), file.into().unwrap_or_default());
        self.0.call("GET", &["accounts", account, "files", file], None).map(File)
    }
}

/// A comment as Frame.io has it. Anything may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Comment(Value);

impl Comment {
    /// Its id.
    pub fn id(&self) -> Option<&str> {
        self.0["id"].as_str()
    }

    /// What it says.
    pub fn text(&self) -> Option<&str> {
        self.0["text"].as_str()
    }

    /// All that Frame.io tells: `comment.data()["file_id"].as_str()`.
    pub fn data(&self) -> &Value {
        &self.0
    }
}

/// A file as Frame.io has it. Anything may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct File(Value);

impl File {
    /// Its id.
    pub fn id(&self) -> Option<&str> {
        self.0["id"].as_str()
    }

    /// What it is called: `cut.mp4`.
    pub fn name(&self) -> Option<&str> {
        self.0["name"].as_str()
    }

    /// All that Frame.io tells: `file.data()["media_type"].as_str()`.
    pub fn data(&self) -> &Value {
        &self.0
    }
}

/// A part of a path. What an event leaves out is empty, and dots would lead elsewhere.
fn encoded(part: &str) -> Result<String, FrameioError> {
    if part.trim_matches('.').is_empty() {
        return Err(FrameioError::NoId(format!("an id is missing in a call of Frame.io: {part:?} is none")));
    }
    let mut encoded = String::new();
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            other => encoded += &format!("%{other:02X}"),
        }
    }
    Ok(encoded)
}

/// What an answer means that is no success. Its body may tell too much and is not told.
fn failure(answer: &Answer, why: String) -> FrameioError {
    match answer.status() {
        401 | 403 => FrameioError::Unauthorized(why),
        404 => FrameioError::NotFound(why),
        429 | 500.. => FrameioError::Busy { why, after: answer.header("retry-after").and_then(wait) },
        _ => FrameioError::Refused(why),
    }
}

fn data_in(answer: &Answer, told: &str) -> Result<Value, FrameioError> {
    let Ok(mut body) = answer.json::<Value>() else {
        return Err(FrameioError::Garbled(format!("{told}, whose body is not JSON")));
    };
    match body.get_mut("data").map(Value::take) {
        Some(data @ Value::Object(_)) => Ok(data),
        _ => Err(FrameioError::Garbled(format!("{told}, whose body has no data"))),
    }
}

/// What `Retry-After` asks for, in seconds or until a date. What cannot be read leaves it to the operator's schedule.
fn wait(value: &str) -> Option<Duration> {
    let value = value.trim();
    if value.bytes().all(|c| c.is_ascii_digit()) {
        return value.parse().ok().map(Duration::from_secs);
    }
    let until = httpdate::parse_http_date(value).ok()?;
    Some(until.duration_since(now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power::ErrorKind;
    use crate::testing;

    fn show() -> Result<File, FrameioError> {
        Client::new().files().show("a1", "f1")
    }

    /// What comes of a call that is answered so.
    fn shown(answer: Answer) -> Result<File, FrameioError> {
        testing::http(move |_| Ok(answer.clone()));
        show()
    }

    #[test]
    fn a_comment_is_created() {
        testing::http(|_| Answer::new(201).with_json(&json!({"data": {"id": "c1", "text": "Grüße"}})));
        let comment = Client::new().comments().create(Some("a1"), "f1", "Grüße").unwrap();
        assert_eq!((comment.id(), comment.text()), (Some("c1"), Some("Grüße")));
        let [sent] = &testing::requests()[..] else { panic!("one request is sent") };
        assert_eq!((&*sent.method, &*sent.url), ("POST", "https://api.frame.io/v4/accounts/a1/files/f1/comments"));
        assert_eq!(sent.json::<Value>(), Ok(json!({"data": {"text": "Grüße"}})));
        assert_eq!(sent.header("Accept"), Some("application/json"));
        assert_eq!((sent.header("Content-Type"), sent.timeout), (Some("application/json"), None));
    }

    #[test]
    fn a_file_is_shown() {
        testing::http(|_| Answer::new(200).with_json(&json!({"data": {"name": "cut.mp4"}})));
        let file = Client::new().with_timeout(Duration::from_secs(2)).files().show("a1", "f1").unwrap();
        assert_eq!((file.name(), file.id(), &file.data()["media_type"]), (Some("cut.mp4"), None, &Value::Null));
        let [sent] = &testing::requests()[..] else { panic!("one request is sent") };
        assert_eq!((&*sent.method, &*sent.url), ("GET", "https://api.frame.io/v4/accounts/a1/files/f1"));
        assert_eq!((sent.header("content-type"), &*sent.body), (None, &b""[..]));
        assert_eq!(sent.timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn it_can_be_elsewhere() {
        testing::http(|_| Ok(Answer::from(json!({"data": {}}))));
        Client::new().with_base_url("https://127.0.0.1:8443/").files().show("a1", "f1").unwrap();
        assert_eq!(testing::requests()[0].url, "https://127.0.0.1:8443/v4/accounts/a1/files/f1");
    }

    #[test]
    fn ids_lead_nowhere_else() {
        testing::http(|_| Ok(Answer::from(json!({"data": {}}))));
        Client::new().files().show("a/../b", "f?x#ü").unwrap();
        assert_eq!(testing::requests()[0].url, "https://api.frame.io/v4/accounts/a%2F..%2Fb/files/f%3Fx%23%C3%BC");
        for id in [None, Some(""), Some("."), Some("..")] {
            let error = Client::new().files().show("a1", id).unwrap_err();
            assert!(matches!(&error, FrameioError::NoId(why) if why.contains("an id is missing")), "{error:?}");
            assert!(matches!(error.into(), Failure::Reject(_)), "{id:?}");
        }
        assert_eq!(testing::requests(), []);
    }

    #[test]
    fn each_status_has_its_meaning() {
        type Kind = fn(String) -> FrameioError;
        let busy: Kind = |why| FrameioError::Busy { why, after: None };
        type Row = (u16, Kind, fn(String) -> Failure);
        let table: [Row; 9] = [
            (302, FrameioError::Refused, Failure::Reject),
            (400, FrameioError::Refused, Failure::Reject),
            (401, FrameioError::Unauthorized, Failure::retry),
            (403, FrameioError::Unauthorized, Failure::retry),
            (404, FrameioError::NotFound, Failure::Reject),
            (422, FrameioError::Refused, Failure::Reject),
            (429, busy, Failure::retry),
            (500, busy, Failure::retry),
            (503, busy, Failure::retry),
        ];
        for (status, kind, outcome) in table {
            let why = format!("Frame.io answered {status} to GET /v4/accounts/a1/files/f1");
            let error = shown(Answer::new(status).with_text("the secret token")).unwrap_err();
            assert_eq!((error.to_string(), &error), (why.clone(), &kind(why.clone())));
            assert_eq!(Failure::from(error), outcome(why));
        }
    }

    #[test]
    fn it_waits_as_long_as_it_is_told_to() {
        let dates = ["Wed, 21 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed Oct 21 07:28:00 2015"];
        let table = [("90", 90), (" 0 ", 0), (dates[0], 0), (dates[1], 0), (dates[2], 0)];
        for status in [429, 503] {
            for (value, seconds) in table {
                let failure = Failure::from(shown(Answer::new(status).with_header("Retry-After", value)).unwrap_err());
                let Failure::Retry { after, .. } = failure else { panic!("{failure:?}") };
                assert_eq!(after, Some(Duration::from_secs(seconds)), "{status} {value}");
            }
        }
    }

    #[test]
    fn a_date_is_as_far_away_as_it_is() {
        let in_an_hour = httpdate::fmt_http_date(now() + Duration::from_secs(3600));
        let away = wait(&in_an_hour).unwrap();
        assert!((3570..=3600).contains(&away.as_secs()), "{away:?}");
    }

    #[test]
    fn what_cannot_be_read_leaves_it_to_the_schedule() {
        let long = "9".repeat(5000);
        for value in ["", "soon", "-5", "1.5", &long, "Wed, 99 Oct 2015 07:28:00 GMT"] {
            let failure = Failure::from(shown(Answer::new(429).with_header("retry-after", value)).unwrap_err());
            assert!(matches!(failure, Failure::Retry { after: None, .. }), "{value}");
        }
    }

    #[test]
    fn garbage_is_tried_again() {
        let deep = "[".repeat(100_000);
        let bodies = [&b""[..], b"\xff\x00", b"<html>", deep.as_bytes(), b"[]", br#"{"datum":{}}"#, br#"{"data":[]}"#];
        for body in bodies {
            let error = shown(Answer::new(200).with_body(body)).unwrap_err();
            let FrameioError::Garbled(why) = &error else { panic!("{error:?}") };
            assert!(why.starts_with("Frame.io answered 200 to GET /v4/accounts/a1/files/f1, whose body "), "{why}");
            assert!(matches!(error.into(), Failure::Retry { after: None, .. }));
        }
    }

    #[test]
    fn no_answer_is_the_gateways_to_tell() {
        let slow = PowerError::new(ErrorKind::Timeout, "it took too long");
        testing::http(move |_| Err(slow.clone()));
        assert_eq!(Failure::from(show().unwrap_err()), Failure::retry("it took too long"));
    }
}
