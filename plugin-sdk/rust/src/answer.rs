//! Answers: what a responder gives, and what comes back from a host.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::exports::hookgate::plugin::responder;
use crate::bindings::hookgate::plugin::http;
use crate::power::{read_json, read_text, write_json};
use crate::{PowerError, headers};

/// An answer over HTTP: what a responder gives to a sender, and, as [`http::Response`](crate::http::Response), what a
/// host gave to a request.
///
/// ```
/// # use hookgate_plugin::Answer;
/// let empty = Answer::new(204);
/// let text = Answer::from("Thank you.");
/// let json = Answer::new(202).with_json(&["a", "b"])?;
/// # Ok::<(), hookgate_plugin::Failure>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// An empty one.
    pub fn new(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Answer {
        headers::add(&mut self.headers, name.into(), value.into());
        self
    }

    /// Sets the body. It has no content type of its own.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Answer {
        self.body = body.into();
        self
    }

    /// Sets the body to a text.
    pub fn with_text(mut self, text: impl Into<String>) -> Answer {
        headers::add_content_type(&mut self.headers, headers::TEXT);
        self.with_body(text.into())
    }

    /// Sets the body to a value, written as JSON.
    pub fn with_json(mut self, value: &(impl Serialize + ?Sized)) -> Result<Answer, PowerError> {
        headers::add_content_type(&mut self.headers, headers::JSON);
        Ok(self.with_body(write_json(value)?))
    }

    /// The status, such as 200.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether it went well: a status from 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of a name, in capitals or not.
    pub fn header(&self, name: &str) -> Option<&str> {
        headers::find(&self.headers, name)
    }

    /// All headers, as names and values.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text. One that is not UTF-8 is a retry: the next answer may be another.
    pub fn text(&self) -> Result<&str, PowerError> {
        read_text("the answer", &self.body)
    }

    /// Reads the body as JSON. One that does not fit is a retry: the next answer may be another.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, PowerError> {
        read_json("the answer", &self.body)
    }
}

impl fmt::Debug for Answer {
    /// A body of a mebibyte would drown the rest: its size is shown instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Answer");
        shown
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Answer {
        Answer::new(200).with_text(text)
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Answer {
        Answer::new(200).with_text(text)
    }
}

impl From<Value> for Answer {
    /// As JSON.
    fn from(value: Value) -> Answer {
        let headers = vec![("content-type".to_string(), headers::JSON.to_string())];
        Answer { status: 200, headers, body: value.to_string().into() }
    }
}

impl From<Answer> for responder::Answer {
    fn from(Answer { status, headers, body }: Answer) -> responder::Answer {
        responder::Answer { status, headers, body }
    }
}

/// For a test, which plays the host.
impl From<Answer> for http::Response {
    fn from(Answer { status, headers, body }: Answer) -> http::Response {
        http::Response { status, headers, body }
    }
}

impl From<http::Response> for Answer {
    fn from(http::Response { status, headers, body }: http::Response) -> Answer {
        Answer { status, headers, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    #[test]
    fn there_is_one_content_type_and_the_authors_counts() {
        let types = |answer: &Answer| {
            let types = answer.headers().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            types.map(|(_, value)| value.to_string()).collect::<Vec<_>>()
        };
        let before = Answer::new(200).with_header("Content-Type", "text/html").with_text("<p>");
        let after = Answer::from("<p>").with_header("Content-Type", "text/html");
        assert_eq!((types(&before), types(&after)), (vec!["text/html".into()], vec!["text/html".into()]));
        assert_eq!(types(&Answer::from("x")), ["text/plain; charset=utf-8"]);
        assert_eq!(types(&Answer::new(201).with_json(&1).unwrap()), ["application/json"]);
        assert_eq!(types(&Answer::from(Value::Null)), ["application/json"]);
        assert_eq!(types(&Answer::new(200).with_body("x")), [""; 0]);
    }

    #[test]
    fn headers_are_found_in_capitals_or_not() {
        let answer = Answer::new(204).with_header("Set-Cookie", "a").with_header("set-cookie", "b");
        assert_eq!((answer.header("SET-cookie"), answer.header("cookie")), (Some("a"), None));
        assert_eq!(answer.headers().count(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_tried_again_and_what_cannot_be_written_is_not() {
        let garbled = Answer::new(200).with_body(b"\xff".to_vec());
        let outcomes = [Failure::from(garbled.text().unwrap_err()), garbled.json::<Value>().unwrap_err().into()];
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Failure::Retry { after: None, .. })), "{outcomes:?}");
        let odd = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(matches!(Answer::new(200).with_json(&odd).unwrap_err().into(), Failure::Reject(_)));
    }

    #[test]
    fn what_went_well_is_from_200_to_299() {
        assert_eq!([199, 200, 299, 300].map(|status| Answer::new(status).is_success()), [false, true, true, false]);
    }
}
