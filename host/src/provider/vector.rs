//! Requests whose signatures are known, which stand beside the description that has to verify them.

use bytes::Bytes;
use http::HeaderMap;

use super::description::{Provider, headers};
use super::scheme::Content;
use super::verify::Received;
use crate::event::UnixMs;
use crate::secret::Secret;
use crate::section::Section;

/// A request whose signature is known.
#[derive(Debug, Clone)]
pub(super) struct Vector {
    secret: String,
    at_ms: UnixMs,
    url: Option<String>,
    query: Option<String>,
    headers: HeaderMap,
    body: String,
}

impl Vector {
    pub fn read(mut section: Section) -> Option<Vector> {
        let secret: Option<String> = section.required("secret", "write the secret, which is nobody's");
        let at_s = section.number("at", 0, 0..=1 << 40);
        let (url, query) = match section.optional::<String>("url") {
            Some(url) => match url.split_once('?') {
                Some((url, query)) => (Some(url.to_owned()), Some(query.to_owned())),
                None => (Some(url), None),
            },
            None => (None, None),
        };
        let body = section.or("body", String::new());
        let headers = headers(section.section("headers"));
        section.finish();
        Some(Vector { secret: secret?, at_ms: at_s * 1000, url, query, headers, body })
    }

    /// The request, at its time.
    pub fn received(&self) -> Received {
        let body = Bytes::copy_from_slice(self.body.as_bytes());
        let received = Received::new("vector".into(), self.headers.clone(), body, self.at_ms);
        Received { url: self.url.as_deref().map(Into::into), query: self.query.clone(), ..received }
    }

    /// Checks it, and that one that is altered is refused. The error is a sentence.
    pub fn check(&self, provider: &Provider) -> Result<(), String> {
        let key = provider.key(&Secret::new(self.secret.as_bytes())).map_err(|error| format!("the secret {error}"))?;
        let keys = std::slice::from_ref(&key);
        provider.verify(self.received(), keys, self.at_ms).map_err(|why| format!("is not verified: {why}"))?;
        let signature = &provider.schemes[key.scheme].signature;
        // Canonical forms leave out what means nothing, such as white space.
        let covers_body = matches!(signature.signed, Content::Template(_)) && signature.covers_body();
        let altered = Received { body: altered(&self.body), ..self.received() };
        match provider.verify(altered, keys, self.at_ms) {
            Ok(_) if covers_body => Err("is verified with another body, too: what is signed leaves it out".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Another body that is good where this one is.
fn altered(body: &str) -> Bytes {
    let mut bytes = body.as_bytes().to_vec();
    match bytes.last_mut() {
        Some(last) if !matches!(last, b'}' | b']') => *last ^= 1,
        _ => bytes.push(b' '),
    }
    bytes.into()
}

impl Provider {
    /// Checks all that is known.
    pub(super) fn check_vectors(&self, section: &Section) {
        for (n, vector) in self.vectors.iter().enumerate() {
            if let Err(why) = vector.check(self) {
                section.mistake(&format!("vectors[{n}]"), why);
            }
        }
    }

    /// How many requests stand in the description whose signatures are known.
    pub fn vectors(&self) -> usize {
        self.vectors.len()
    }
}
