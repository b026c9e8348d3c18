//! Requests by which a sender makes sure that somebody is there: answered as the provider says, and no events.

use std::fmt;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::certificate::is_at_topics_host;
use super::description::Provider;
use super::key::Key;
use super::scheme::Content;
use super::template::{Part, Template, View};
use super::verify::Verified;
use crate::secret::Secret;
use crate::section::Section;

/// A handshake, as a provider's description says it.
#[derive(Debug, Clone)]
pub(super) struct Handshake {
    /// What tells it, and what that must be.
    tells: Template,
    is: String,
    /// Where the second secret is shown, in a request that is a GET and not signed.
    token: Option<Template>,
    status: StatusCode,
    content_type: HeaderValue,
    answer: Answer,
    /// The address that is to be asked for, so that the sender sees that somebody is there.
    visit: Option<Template>,
}

/// What the body of the answer is.
#[derive(Debug, Clone)]
enum Answer {
    /// These words.
    Words(String),
    /// Something from the request.
    From(Template),
    /// A JSON object.
    Json(Vec<(String, Template)>),
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
    /// What has to be asked for before, on the sender's own hosts.
    pub visit: Option<String>,
}

/// Why a request that looks like a handshake is not answered as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHandshake {
    /// The second secret is not the source's.
    #[error("the verify token is another")]
    WrongToken,
    /// It wants an address to be asked for that is not its sender's.
    #[error("it wants an address to be visited that is not the vendor's")]
    ForeignAddress,
}

impl Handshake {
    pub fn read(mut section: Section) -> Option<Handshake> {
        let tells = section.required_parsed("if", "say what tells a handshake, as in \"{body:/type}\"");
        let is: Option<String> = section.required("is", "say what that is then");
        let token: Option<Template> = section.parsed("token");
        match (section.or("method", "POST".to_owned()).as_str(), &token) {
            ("POST", None) | ("GET", Some(_)) => {}
            ("GET", None) => {
                section.mistake("token", "is missing: a GET is not signed, so say where the verify token is")
            }
            _ => section.mistake("method", "is \"POST\", which is signed, or \"GET\", with a `token`"),
        }
        let status = section.number("status", 200, 200..=299) as u16;
        let content_type: Option<HeaderValue> = section.parsed("content_type");
        let words: Option<String> = section.optional("answer");
        let from: Option<Template> = section.parsed("answer_from");
        let json = section.optional_section("answer_json").map(|fields| {
            let read = fields.rest_with(|section, name| section.parsed::<Template>(name));
            read.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
        });
        let usual = if json.is_some() { "application/json" } else { "text/plain" };
        if [words.is_some(), from.is_some(), json.is_some()].into_iter().filter(|given| *given).count() > 1 {
            section.mistake("answer", "stands once: take one of answer, answer_from and answer_json");
        }
        let visit = section.parsed("visit");
        section.finish();
        let answer = match (from, json) {
            (Some(template), _) => Answer::From(template),
            (None, Some(fields)) => Answer::Json(fields),
            (None, None) => Answer::Words(words.unwrap_or_default()),
        };
        let content_type = content_type.unwrap_or(HeaderValue::from_static(usual));
        let status = StatusCode::from_u16(status).ok()?;
        Some(Handshake { tells: tells?, is: is?, token, status, content_type, answer, visit })
    }

    /// Whether it comes without a signature, with a second secret in its place.
    pub fn is_unsigned(&self) -> bool {
        self.token.is_some()
    }

    fn is_meant(&self, view: &View) -> bool {
        self.tells.text(view).as_ref() == Some(&self.is)
    }

    fn answer(&self, view: &View) -> Result<HandshakeAnswer, BadHandshake> {
        let body = match &self.answer {
            Answer::Words(words) => words.clone(),
            Answer::From(template) => template.text(view).unwrap_or_default(),
            Answer::Json(fields) => {
                let fields =
                    fields.iter().map(|(name, value)| (name.clone(), value.text(view).unwrap_or_default().into()));
                Value::Object(fields.collect::<Map<_, _>>()).to_string()
            }
        };
        let visit = self.visit.as_ref().map(|template| template.text(view).unwrap_or_default());
        let topic = view.json.and_then(|json| json.get("TopicArn")?.as_str()).unwrap_or_default();
        if visit.as_ref().is_some_and(|address| !is_at_topics_host(address, topic)) {
            return Err(BadHandshake::ForeignAddress);
        }
        Ok(HandshakeAnswer { status: self.status, content_type: self.content_type.clone(), body, visit })
    }
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = if self.is_unsigned() { "GET where " } else { "" };
        write!(f, "{method}{} is {} is answered {}", self.tells, self.is, self.status.as_u16())?;
        match &self.answer {
            Answer::Words(words) if words.is_empty() => {}
            Answer::Words(words) => write!(f, " {words}")?,
            Answer::From(template) => write!(f, " {template}")?,
            Answer::Json(fields) => {
                let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                write!(f, " {{{}}}", fields.join(", "))?;
            }
        }
        match &self.visit {
            Some(template) => write!(f, ", after {template} was asked for"),
            None => Ok(()),
        }
    }
}

impl Provider {
    /// What the sender of a signed handshake is told; nothing, where it is none. `keys` are those that it was verified by.
    pub fn handshake(&self, verified: &Verified, keys: &[Key]) -> Option<Result<HandshakeAnswer, BadHandshake>> {
        if self.handshakes.is_empty() {
            return None;
        }
        let received = verified.received();
        let view = View {
            url: received.url.as_deref(),
            query: received.query.as_deref(),
            key: keys.get(verified.secret()),
            ..View::of(&received.headers, &received.body, verified.json())
        };
        let mut signed = self.handshakes.iter().filter(|handshake| !handshake.is_unsigned());
        Some(signed.find(|handshake| handshake.is_meant(&view))?.answer(&view))
    }

    /// What the sender of a handshake that is a GET is told; nothing, where this provider has none such. `token` is the source's second secret.
    pub fn unsigned_handshake(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        token: Option<&Secret>,
    ) -> Option<Result<HandshakeAnswer, BadHandshake>> {
        let view = View { query, ..View::of(headers, b"", None) };
        let mut unsigned = self.handshakes.iter().filter(|handshake| handshake.is_unsigned()).peekable();
        unsigned.peek()?;
        let Some(handshake) = unsigned.find(|handshake| handshake.is_meant(&view)) else {
            return Some(Err(BadHandshake::WrongToken));
        };
        let shown = handshake.token.as_ref().and_then(|template| template.text(&view)).unwrap_or_default();
        let is_right = token.is_some_and(|token| token.equals(shown.as_bytes()));
        Some(if is_right { handshake.answer(&view) } else { Err(BadHandshake::WrongToken) })
    }

    pub(super) fn check_handshakes(&self, section: &Section) {
        let has_hosts = self.schemes.iter().any(|scheme| matches!(scheme.signature.signed, Content::Sns));
        for (n, handshake) in self.handshakes.iter().enumerate() {
            if handshake.visit.is_some() && !has_hosts {
                section.mistake(
                    &format!("handshakes[{n}].visit"),
                    "goes with canonical = \"aws-sns\", whose hosts are known",
                );
            }
            let unsigned = [Some(&handshake.tells), handshake.token.as_ref()].into_iter().flatten();
            let reads_body = unsigned
                .flat_map(Template::parts)
                .any(|part| matches!(part, Part::Pointer(_) | Part::Body | Part::Form(..)));
            if handshake.is_unsigned() && reads_body {
                section.mistake(&format!("handshakes[{n}]"), "is a GET, which has no body");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::super::verify::Received;
    use super::*;

    fn handshake(provider: &str, body: &'static str, extra: &[(&'static str, &str)]) -> Option<(u16, String, String)> {
        let provider = catalogue::find(provider).unwrap();
        let secret =
            if &*provider.name == "discord" { format!("seed:{}", "00".repeat(32)) } else { "zoom-secret".into() };
        let key = provider.key(&Secret::new(secret)).unwrap();
        let mut signed = provider.sign_as_is("any", body.into(), &key, 5_000, None);
        for (name, value) in extra {
            signed.headers.insert(*name, value.parse().unwrap());
        }
        let received = Received::new("s".into(), signed.headers, signed.body, 5_000);
        let verified = provider.verify(received, std::slice::from_ref(&key), 5_000).unwrap();
        let answer = provider.handshake(&verified, std::slice::from_ref(&key))?.unwrap();
        Some((answer.status.as_u16(), answer.content_type.to_str().unwrap().to_owned(), answer.body))
    }

    #[test]
    fn handshakes_are_answered_as_the_vendors_want() {
        let told = |status, kind: &str, body: &str| Some((status, kind.to_owned(), body.to_owned()));
        let slack = r#"{"type":"url_verification","challenge":"3eZbrw1a","token":"x"}"#;
        assert_eq!(handshake("slack", slack, &[]), told(200, "text/plain", "3eZbrw1a"));
        assert_eq!(handshake("slack", r#"{"type":"event_callback","challenge":"x"}"#, &[]), None);
        let discord = |body| handshake("discord", body, &[]);
        assert_eq!(discord(r#"{"id":"1","type":1}"#), told(200, "application/json", r#"{"type":1}"#));
        assert_eq!(discord(r#"{"version":1,"type":0}"#).unwrap().0, 204);
        assert_eq!(discord(r#"{"id":"1","type":2}"#), None);
        assert_eq!(handshake("github", r#"{"type":1}"#, &[]), None);
        let zoom =
            r#"{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1,"event":"endpoint.url_validation"}"#;
        let (status, kind, answer) = handshake("zoom", zoom, &[]).unwrap();
        assert_eq!((status, &*kind), (200, "application/json"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let encrypted = "b17f0320a1322a509340a1a835b3d9edbc491f0b0790ed2d20d0604d39dfe922";
        assert_eq!(answer, serde_json::json!({"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": encrypted}));
        let twitch = |kind| {
            let body = r#"{"challenge":"pogchamp-kappa-360","subscription":{"type":"channel.follow"}}"#;
            handshake("twitch", body, &[("twitch-eventsub-message-type", kind)])
        };
        assert_eq!(twitch("webhook_callback_verification"), told(200, "text/plain", "pogchamp-kappa-360"));
        assert_eq!(twitch("notification"), None);
        assert_eq!(twitch("revocation"), None);
    }

    #[test]
    fn a_get_is_answered_to_who_shows_the_second_secret() {
        let meta = catalogue::find("meta").unwrap();
        let token = Secret::new("open");
        let ask = |query: &str, token: Option<&Secret>| {
            let answer = meta.unsigned_handshake(&HeaderMap::new(), Some(query), token)?;
            Some(answer.map(|answer| (answer.status.as_u16(), answer.body)))
        };
        let good = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=open";
        assert_eq!(ask(good, Some(&token)), Some(Ok((200, "1158201444".into()))));
        for bad in [
            "",
            "hub.mode=subscribe&hub.challenge=1",
            "hub.mode=other&hub.verify_token=open",
            &good.replace("open", "Open"),
        ] {
            assert_eq!(ask(bad, Some(&token)), Some(Err(BadHandshake::WrongToken)), "{bad}");
        }
        assert_eq!(ask(good, None), Some(Err(BadHandshake::WrongToken)));
        let github = catalogue::find("github").unwrap();
        assert!(github.unsigned_handshake(&HeaderMap::new(), Some(good), Some(&token)).is_none());
    }
}
