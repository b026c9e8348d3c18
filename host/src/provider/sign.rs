//! Makes what a sender would send, from the description that it is verified by.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::description::{Algorithm, Provider, Sample};
use super::template::{Part, View};
use super::verify::{BadKey, Key};
use crate::event::UnixMs;
use crate::secret::Secret;

/// A request that verifies.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The headers that the provider's scheme needs.
    pub headers: HeaderMap,
    /// The body that is signed.
    pub body: Bytes,
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
    /// A public key verifies and does not sign.
    #[error(
        "the source's secret is a public key, which cannot sign: for a try give it a key pair of yours, seed: and 64 hexadecimal digits"
    )]
    NoPrivateKey,
}

impl Provider {
    /// The body of an example of a type. The first is always the same; those after it differ in what identifies them.
    pub fn sample(&self, event_type: &str, nth: u64) -> Option<Bytes> {
        let sample = self.samples.iter().find(|sample| sample.types.iter().any(|known| known == event_type))?;
        let body = sample.body.replace("{type}", event_type);
        Some(Bytes::from(if nth == 0 { body } else { sample.varied(body) }))
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
        let json = serde_json::from_slice(&signed.body).ok();
        match self.event_type_in(&self.view(&signed.headers, &signed.body, json.as_ref())) {
            Ok(found) if found == event_type => Ok(signed),
            Ok(found) => Err(CannotSign::OtherType { wanted: event_type.to_owned(), found }),
            Err(_) => Err(CannotSign::NoType),
        }
    }

    /// Signs whatever it is given. `url` is the address that is posted to, for providers who sign it too.
    pub fn sign_as_is(&self, event_type: &str, body: Bytes, key: &Key, now_ms: UnixMs, url: Option<&str>) -> Signed {
        let mut headers = HeaderMap::new();
        let is_form = !self.is_json && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err();
        let content_type = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.set_event_headers(&mut headers, event_type, &body);
        if let Some(rule) = &self.timestamp {
            headers.insert(rule.header.clone(), HeaderValue::from(now_ms / 1000));
        }
        self.set_signed_headers(&mut headers, now_ms);
        if let Some(signature) = self.signature_by(key, &headers, &body, url) {
            set(&mut headers, self.signature.header.clone(), &self.signature.encode(&signature));
        }
        Signed { headers, body }
    }

    /// Fills the headers that are signed and that nothing else says: a time, for those who call it so.
    fn set_signed_headers(&self, headers: &mut HeaderMap, now_ms: UnixMs) {
        for part in self.signature.signed.parts() {
            if let Part::Header(name) = part
                && !headers.contains_key(name)
            {
                headers.insert(name.clone(), HeaderValue::from(now_ms / 1000));
            }
        }
    }

    /// A key that signs and verifies, for whoever has no sender.
    pub fn fresh_key(&self) -> Result<Key, BadKey> {
        let digits = format!("{}{}", fresh_id(), fresh_id()).replace('-', "");
        let text = match self.signature.algorithm {
            Algorithm::Ed25519 => format!("seed:{digits}"),
            // Hexadecimal digits are good text and good Base64 too.
            Algorithm::HmacSha256 => digits,
        };
        self.key(&Secret::new(text))
    }

    /// Fills the headers that say the type and the delivery's id, by their templates read backwards.
    fn set_event_headers(&self, headers: &mut HeaderMap, event_type: &str, body: &[u8]) {
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let empty = HeaderMap::new();
        let view = self.view(&empty, body, json.as_ref());
        if let Some((name, value)) = self.event_type.0.iter().find_map(|one| one.solve_header(event_type, &view)) {
            set(headers, name, &value);
        }
        if let Some(name) = self.delivery_id.0.iter().find_map(|one| one.lone_header()) {
            set(headers, name.clone(), &fresh_id());
        }
    }

    fn view<'a>(&self, headers: &'a HeaderMap, body: &'a [u8], json: Option<&'a Value>) -> View<'a> {
        View { headers, body, json, timestamp: None, url: None }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

impl Sample {
    /// Replaces the values that identify, leaving every other byte as it is.
    fn varied(&self, body: String) -> String {
        let json: Value = serde_json::from_str(&body).unwrap_or_default();
        let old = self.fresh.iter().filter_map(|pointer| json.pointer(pointer)?.as_str());
        old.fold(body.clone(), |body, old| body.replacen(&format!("\"{old}\""), &format!("\"{}\"", fresh_id()), 1))
    }
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

    #[test]
    fn every_sample_of_every_provider_is_signed_verified_and_read_as_its_type() {
        for provider in catalogue::all() {
            let key = provider.fresh_key().unwrap();
            for event_type in provider.sample_types() {
                let body = provider.sample(event_type, 1).unwrap();
                let signed = provider.sign(event_type, body, &key, 9_000, None).unwrap();
                let received = Received {
                    source: "s".into(),
                    url: None,
                    headers: signed.headers,
                    body: signed.body,
                    at_ms: 9_000,
                    at: std::time::Instant::now(),
                };
                let verified = provider.verify(received, std::slice::from_ref(&key), 9_000).unwrap();
                let event = provider.parse_event(verified).unwrap();
                assert_eq!(&*event.event_type, event_type, "{}", provider.name);
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
