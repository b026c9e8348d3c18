//! Makes what a sender would send, from the description that it is verified by.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::canonical::BODY_DIGEST;
use super::description::{Provider, Sample};
use super::json;
use super::key::Key;
use super::scheme::{Content, Place, Scheme};
use super::template::{Part, View};
use super::timestamp::Timestamp;
use super::verify::{Received, Unverified};
use crate::event::UnixMs;

/// A request that verifies.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The headers that the provider's scheme needs.
    pub headers: HeaderMap,
    /// The body that is signed.
    pub body: Bytes,
    /// What stands behind the `?` of the address, where the scheme needs something there.
    pub query: Option<String>,
}

/// Why nothing can be made.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum CannotSign {
    /// The body says another type than was asked for.
    #[error("the body is of type `{found}`, not `{wanted}`")]
    OtherType {
        /// What was asked for.
        wanted: String,
        /// What the body says.
        found: String,
    },
    /// Nothing in the body says a type.
    #[error("the body has no type where this provider has it")]
    NoType,
    /// The body lacks something that this provider signs or has the signature in.
    #[error(
        "what is made of this body would not be verified: {0}; is something missing in it that this provider signs?"
    )]
    Incomplete(Unverified),
    /// A public key verifies and does not sign.
    #[error(
        "the source's secret verifies and cannot sign, as a public key: for a try give it a private key of yours (Ed25519: seed: and 64 hexadecimal digits; RSA: PEM)"
    )]
    NoPrivateKey,
}

impl Provider {
    /// An example of a type: a body, and the headers that say what it does not. The first is always the same; those after it differ in
    /// what identifies them.
    pub fn sample(&self, event_type: &str, nth: u64) -> Option<Bytes> {
        let sample = self.sample_of(event_type)?;
        let body = sample.body.replace("{type}", event_type);
        Some(Bytes::from(if nth == 0 { body } else { sample.varied(body) }))
    }

    fn sample_of(&self, event_type: &str) -> Option<&Sample> {
        self.samples.iter().find(|sample| sample.types.iter().any(|known| known == event_type))
    }

    /// Signs a body as the sender would, at a time, and makes sure that it will be read as this type.
    pub fn sign(
        &self,
        event_type: &str,
        body: Bytes,
        key: &Key,
        now_ms: UnixMs,
        url: Option<&str>,
    ) -> Result<Signed, CannotSign> {
        if !key.can_sign() {
            return Err(CannotSign::NoPrivateKey);
        }
        let signed = self.sign_as_is(event_type, body, key, now_ms, url);
        let made = Received::new("".into(), signed.headers.clone(), signed.body.clone(), now_ms);
        let made = Received { url: url.map(Into::into), query: signed.query.clone(), ..made };
        self.verify(made, std::slice::from_ref(key), now_ms).map_err(CannotSign::Incomplete)?;
        let json = json::parse(&signed.body);
        match self.event_type_in(&View::of(&signed.headers, &signed.body, json.as_ref())) {
            Ok(found) if found == event_type => Ok(signed),
            Ok(found) => Err(CannotSign::OtherType { wanted: event_type.to_owned(), found }),
            Err(_) => Err(CannotSign::NoType),
        }
    }

    /// Signs whatever it is given. `url` is the address that is posted to, for providers who sign it too.
    pub fn sign_as_is(&self, event_type: &str, body: Bytes, key: &Key, now_ms: UnixMs, url: Option<&str>) -> Signed {
        let scheme = &self.schemes[key.scheme];
        let is_form = !self.is_json && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err();
        let mut headers = self.sample_of(event_type).map(|sample| sample.headers.clone()).unwrap_or_default();
        let content_type = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let body = scheme.timed(body, now_ms);
        self.set_event_headers(&mut headers, event_type, &body);
        let time = scheme.timestamp.as_ref().map(|rule| (&rule.at, rule.form.write(now_ms)));
        if let Some((Place::Header(names), time)) = &time {
            set(&mut headers, names.first().clone(), time);
        }
        scheme.set_signed_headers(&mut headers, now_ms);
        if let Some((Place::Field(names, field), time)) = &time {
            // What is signed is read from there, as the gateway will.
            set(&mut headers, names.first().clone(), &format!("{field}={time}"));
        }
        let query = scheme.query(&body, is_form);
        let url = url.map(Into::into);
        let mut draft = Received { url, query, ..Received::new("".into(), headers, body, now_ms) };
        if let Some(signature) = scheme.signature_by(key, &draft) {
            scheme.put(&scheme.signature.encode(&signature), &mut draft);
        }
        Signed { headers: draft.headers, body: draft.body, query: draft.query }
    }

    /// Fills the headers that say the type and the delivery's id, by their templates read backwards.
    fn set_event_headers(&self, headers: &mut HeaderMap, event_type: &str, body: &[u8]) {
        let json = json::parse(body);
        let empty = HeaderMap::new();
        let view = View::of(&empty, body, json.as_ref());
        match self.event_type.0.iter().find_map(|one| one.solve_header(event_type, &view)) {
            // What the sample says counts more.
            Some((name, value)) if !headers.contains_key(&name) => set(headers, name, &value),
            _ => {}
        }
        if let Some(name) = self.delivery_id.0.iter().find_map(|one| one.lone_header()) {
            set(headers, name.clone(), &fresh_id());
        }
    }
}

impl Scheme {
    /// A body with the time in it, where it stands there.
    pub(super) fn timed(&self, body: Bytes, now_ms: UnixMs) -> Bytes {
        let Some(Timestamp { at: Place::Body(pointer), form, .. }) = &self.timestamp else { return body };
        let time = form.write(now_ms);
        let now = |old: &Value| if old.is_number() { time.clone() } else { Value::from(time.clone()).to_string() };
        replaced(&body, pointer, now).unwrap_or(body)
    }

    /// Fills the headers that are signed and that nothing else says: a time, for those who call it so.
    fn set_signed_headers(&self, headers: &mut HeaderMap, now_ms: UnixMs) {
        let Content::Template(template) = &self.signature.signed else { return };
        for part in template.parts() {
            if let Part::Header(names) = part
                && !headers.contains_key(names.first())
            {
                headers.insert(names.first().clone(), HeaderValue::from(now_ms / 1000));
            }
        }
    }

    /// What Twilio puts into the query where the body is no form.
    fn query(&self, body: &[u8], is_form: bool) -> Option<String> {
        let wants = matches!(self.signature.signed, Content::Twilio) && !is_form;
        wants.then(|| format!("{BODY_DIGEST}={}", hex::encode(Sha256::digest(body))))
    }

    /// Puts a signature where it belongs.
    pub(super) fn put(&self, signature: &str, draft: &mut Received) {
        match &self.signature.at {
            Place::Header(names) => {
                let field =
                    self.timestamp.as_ref().filter(|rule| matches!(&rule.at, Place::Field(at, _) if at == names));
                let before = field.and_then(|_| draft.headers.get(names.first())?.to_str().ok());
                let whole = before.map_or(signature.to_owned(), |before| format!("{before},{signature}"));
                set(&mut draft.headers, names.first().clone(), &whole);
            }
            Place::Field(names, field) => {
                let before = draft.headers.get(names.first()).and_then(|before| before.to_str().ok());
                let before = before.map(|before| format!("{before},")).unwrap_or_default();
                set(&mut draft.headers, names.first().clone(), &format!("{before}{field}={signature}"));
            }
            Place::Body(pointer) => {
                if let Some(body) = replaced(&draft.body, pointer, |_| Value::from(signature).to_string()) {
                    draft.body = body;
                }
            }
        }
    }
}

/// A JSON body with something else in one place, where there is something.
fn replaced(body: &Bytes, pointer: &str, other: impl FnOnce(&Value) -> String) -> Option<Bytes> {
    let parsed = json::parse(body)?;
    let text = std::str::from_utf8(body).ok()?;
    json::replace(text, pointer, &other(parsed.pointer(pointer)?)).map(Bytes::from)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

impl Sample {
    /// Replaces the values that identify, leaving every other byte as it is.
    fn varied(&self, body: String) -> String {
        let json: Option<Value> = serde_json::from_str(&body).ok();
        self.fresh.iter().fold(body.clone(), |body, place| match &json {
            Some(json) => match json.pointer(place).and_then(Value::as_str) {
                // Where it stands in several places, it is the same in all of them.
                Some(old) => body.replace(&format!("\"{old}\""), &format!("\"{}\"", fresh_id())),
                None => body,
            },
            None => with_field(&body, place, &fresh_id()),
        })
    }
}

/// A form with another value of a field, or of a place in the JSON of one (`name#/pointer`).
fn with_field(form: &str, place: &str, value: &str) -> String {
    let (name, pointer) = place.split_once('#').map_or((place, None), |(name, pointer)| (name, Some(pointer)));
    let fields = form_urlencoded::parse(form.as_bytes()).map(|(known, old)| match pointer {
        _ if known != name => (known, old),
        None => (known, value.to_owned().into()),
        Some(pointer) => {
            let other = json::replace(&old, pointer, &Value::from(value).to_string());
            (known, other.map_or(old, Into::into))
        }
    });
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A random UUID, version 4 (RFC 9562).
pub fn fresh_id() -> String {
    let mut bytes = [0u8; 16];
    // Without randomness from the system, a fixed id: nothing secret depends on it.
    let _ = getrandom::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::super::verify::Received;
    use super::*;
    use crate::secret::Secret;

    /// A key of each provider with which it can sign.
    fn key(provider: &Provider) -> Key {
        match &*provider.name {
            "aws-sns" => provider.key(&Secret::new(super::super::tests::RSA)).unwrap(),
            _ => provider.fresh_key().unwrap(),
        }
    }

    const URL: &str = "https://hooks.example.com/hooks/s";
    const NOW_MS: UnixMs = 1_790_000_000_123;

    fn received(signed: Signed) -> Received {
        let received = Received::new("s".into(), signed.headers, signed.body, NOW_MS);
        Received { url: Some(URL.into()), query: signed.query, ..received }
    }

    #[test]
    fn every_sample_of_every_provider_is_signed_verified_and_read_as_its_type() {
        for provider in catalogue::all() {
            let key = key(&provider);
            for event_type in provider.sample_types() {
                let body = provider.sample(event_type, 1).unwrap();
                let signed = provider.sign(event_type, body, &key, NOW_MS, Some(URL));
                let signed = signed.unwrap_or_else(|why| panic!("{}: {event_type}: {why}", provider.name));
                let verified = provider.verify(received(signed), std::slice::from_ref(&key), NOW_MS);
                let verified = verified.unwrap_or_else(|why| panic!("{}: {event_type}: {why}", provider.name));
                assert!(provider.handshake(&verified, std::slice::from_ref(&key)).is_none(), "{}", provider.name);
                let events = provider.parse_events(verified).unwrap();
                assert_eq!(&*events[0].event_type, event_type, "{}", provider.name);
            }
        }
    }

    #[test]
    fn samples_differ_after_the_first() {
        let frameio = catalogue::find("frameio").unwrap();
        assert_eq!(frameio.sample("file.ready", 0), frameio.sample("file.ready", 0));
        assert_ne!(frameio.sample("file.ready", 1), frameio.sample("file.ready", 2));
        assert_eq!(frameio.sample("no.such", 0), None);
    }

    #[test]
    fn a_body_of_another_type_is_not_signed() {
        let frameio = catalogue::find("frameio").unwrap();
        let key = frameio.key(&Secret::new("s")).unwrap();
        let told = frameio.sign("file.ready", Bytes::from_static(b"{\"type\":\"file.deleted\"}"), &key, 0, None);
        let expected = CannotSign::OtherType { wanted: "file.ready".into(), found: "file.deleted".into() };
        assert_eq!(told.unwrap_err(), expected);
        assert_eq!(
            frameio.sign("file.ready", Bytes::from_static(b"{}"), &key, 0, None).unwrap_err(),
            CannotSign::NoType
        );
    }
}
