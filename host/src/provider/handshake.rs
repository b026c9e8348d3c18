//! Requests by which a sender makes sure that somebody is there: answered as the provider says, and no events.

use std::fmt;

use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::description::Provider;
use super::template::{Template, View};
use super::verify::Verified;
use crate::section::Section;

/// A handshake, as a provider's description says it.
#[derive(Debug, Clone)]
pub(super) struct Handshake {
    /// What tells it, and what that must be.
    tells: Template,
    is: String,
    status: StatusCode,
    content_type: HeaderValue,
    answer: Answer,
}

/// What the body of the answer is.
#[derive(Debug, Clone)]
enum Answer {
    /// These words.
    Words(String),
    /// Something from the request.
    From(Template),
}

/// What the sender is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeAnswer {
    /// The status.
    pub status: StatusCode,
    /// What the body is, where there is one.
    pub content_type: HeaderValue,
    /// The body.
    pub body: String,
}

impl Handshake {
    pub fn read(mut section: Section) -> Option<Handshake> {
        let tells = section.required_parsed("if", "say what tells a handshake, as in \"{body:/type}\"");
        let is: Option<String> = section.required("is", "say what that is then");
        let status = section.number("status", 200, 200..=299) as u16;
        let content_type: Option<HeaderValue> = section.parsed("content_type");
        let words: Option<String> = section.optional("answer");
        let from: Option<Template> = section.parsed("answer_from");
        if words.is_some() && from.is_some() {
            section.mistake("answer_from", "stands in the place of `answer`: take one of them");
        }
        section.finish();
        let answer = from.map_or_else(|| Answer::Words(words.unwrap_or_default()), Answer::From);
        let content_type = content_type.unwrap_or(HeaderValue::from_static("text/plain"));
        Some(Handshake { tells: tells?, is: is?, status: StatusCode::from_u16(status).ok()?, content_type, answer })
    }
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} is answered {}", self.tells, self.is, self.status.as_u16())?;
        match &self.answer {
            Answer::Words(words) if words.is_empty() => Ok(()),
            Answer::Words(words) => write!(f, " {words}"),
            Answer::From(template) => write!(f, " {template}"),
        }
    }
}

impl Provider {
    /// What the sender of a handshake is told; nothing, where it is none.
    pub fn handshake(&self, verified: &Verified) -> Option<HandshakeAnswer> {
        if self.handshakes.is_empty() {
            return None;
        }
        let received = verified.received();
        let json: Option<Value> = serde_json::from_slice(&received.body).ok();
        let (headers, body, url) = (&received.headers, &received.body[..], received.url.as_deref());
        let view = View { headers, body, json: json.as_ref(), timestamp: None, url };
        let is_meant = |handshake: &&Handshake| handshake.tells.text(&view).as_ref() == Some(&handshake.is);
        let found = self.handshakes.iter().find(is_meant)?;
        let body = match &found.answer {
            Answer::Words(words) => words.clone(),
            Answer::From(template) => template.text(&view).unwrap_or_default(),
        };
        Some(HandshakeAnswer { status: found.status, content_type: found.content_type.clone(), body })
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::super::verify::Received;

    fn handshake(provider: &str, body: &'static str) -> Option<(u16, String)> {
        let provider = catalogue::find(provider).unwrap();
        let key = provider.fresh_key().unwrap();
        let signed = provider.sign_as_is("any", body.into(), &key, 5_000, None);
        let (headers, body) = (signed.headers, signed.body);
        let received =
            Received { source: "s".into(), url: None, headers, body, at_ms: 5_000, at: std::time::Instant::now() };
        let verified = provider.verify(received, &[key], 5_000).unwrap();
        provider.handshake(&verified).map(|answer| (answer.status.as_u16(), answer.body))
    }

    #[test]
    fn handshakes_are_answered_as_the_vendors_want() {
        let slack = r#"{"type":"url_verification","challenge":"3eZbrw1a","token":"x"}"#;
        assert_eq!(handshake("slack", slack), Some((200, "3eZbrw1a".into())));
        assert_eq!(handshake("slack", r#"{"type":"event_callback","challenge":"x"}"#), None);
        assert_eq!(handshake("discord", r#"{"id":"1","type":1}"#), Some((200, r#"{"type":1}"#.into())));
        assert_eq!(handshake("discord", r#"{"version":1,"type":0}"#), Some((204, String::new())));
        assert_eq!(handshake("discord", r#"{"id":"1","type":2}"#), None);
        assert_eq!(handshake("github", r#"{"type":1}"#), None);
    }
}
