//! A request that is being looked at: what stands in its headers and its body, read no further than verifying needs.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use http::HeaderMap;
use serde_json::Value;

use super::json;
use super::names::Names;
use super::scheme::{Place, Signature};
use super::seek::{self, Which};
use super::template::fields;
use super::verify::{Received, Unverified};
use crate::event::UnixMs;

/// The largest body that is read before it is believed, in bytes: as large as a message of SNS's may be.
pub(super) const READ_TO_VERIFY: usize = 256 << 10;

/// A body of which the values are signed. What two readers could read differently is none.
pub(super) fn json_to_verify_by(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= READ_TO_VERIFY)?;
    json::parse(body).filter(|_| !json::is_ambiguous(text))
}

/// How what stands in a body is read while it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whole, where its values are signed, and where nobody promises that it is JSON.
    Whole,
    /// As far as what is asked for. What verifies by that is read whole before an event is made of it, and is none where it is no JSON: so
    /// nobody sees another value in a place than the one that was verified.
    Sought(Which),
}

/// A request that is being looked at by one scheme.
pub(super) struct Looking<'a> {
    pub received: &'a Received,
    pub now_ms: UnixMs,
    json: &'a OnceCell<Option<Value>>,
    reading: Reading,
    /// The object that was sought last, by its pointer: a signature and what it covers stand side by side.
    near: Cell<Option<(&'a str, &'a [u8])>>,
}

impl<'a> Looking<'a> {
    /// A look at a request. What is read of it whole stays in `json`.
    pub fn new(
        received: &'a Received,
        json: &'a OnceCell<Option<Value>>,
        now_ms: UnixMs,
        reading: Reading,
    ) -> Looking<'a> {
        Looking { received, now_ms, json, reading, near: Cell::new(None) }
    }

    /// The same when the signature is right: what it covers is believed, however large it is, and then the last of a name counts.
    pub fn signed(&self, signature: &Signature) -> Looking<'a> {
        let reading = match self.reading {
            Reading::Sought(_) if signature.covers_body() => Reading::Sought(Which::Last),
            as_before => as_before,
        };
        if reading == Reading::Whole {
            self.json.get_or_init(|| json::parse(&self.received.body));
        }
        // What was the only one is the last one, too.
        Looking { reading, near: self.near.clone(), ..*self }
    }

    /// A value in a body that is read whole.
    pub fn in_body(&self, pointer: &str) -> Option<&'a Value> {
        self.json.get_or_init(|| json_to_verify_by(&self.received.body)).as_ref()?.pointer(pointer)
    }

    /// The text in a place, which may be there once at the most.
    pub fn text(&self, place: &'a Place) -> Result<Option<Cow<'a, [u8]>>, Unverified> {
        let headers = &self.received.headers;
        match place {
            Place::Header(names) => Ok(once(headers, names)?.map(Cow::Borrowed)),
            Place::Field(names, field) => {
                let Some(header) = once(headers, names)? else { return Ok(None) };
                let header = std::str::from_utf8(header).map_err(|_| Unverified::MalformedSignature)?;
                let mut found = fields(header, field);
                let first = found.next().map(|value| Cow::Borrowed(value.as_bytes()));
                if found.next().is_some() { Err(Unverified::RepeatedHeader) } else { Ok(first) }
            }
            Place::Body(pointer) => Ok(self.word_in_body(pointer)),
        }
    }

    /// A text or a number in the body, as a word.
    pub fn word_in_body(&self, pointer: &'a str) -> Option<Cow<'a, [u8]>> {
        match self.reading {
            Reading::Sought(which) => self.sought(pointer, which),
            Reading::Whole => match self.in_body(pointer)? {
                Value::String(text) => Some(Cow::Borrowed(text.as_bytes())),
                Value::Number(number) => Some(Cow::Owned(number.to_string().into_bytes())),
                _ => None,
            },
        }
    }

    fn sought(&self, pointer: &'a str, which: Which) -> Option<Cow<'a, [u8]>> {
        let body = &self.received.body;
        if which == Which::Only && body.len() > READ_TO_VERIFY {
            return None;
        }
        let (parent, _) = pointer.rsplit_once('/')?;
        let object = match self.near.get() {
            Some((known, object)) if known == parent => object,
            _ => seek::find(body, parent, which)?,
        };
        self.near.set(Some((parent, object)));
        seek::word(seek::find(object, &pointer[parent.len()..], which)?)
    }
}

/// The value of a header that may be there once at the most: of the first of its names that is there.
pub(super) fn once<'a>(headers: &'a HeaderMap, names: &Names) -> Result<Option<&'a [u8]>, Unverified> {
    for name in names.all() {
        let mut values = headers.get_all(name).iter();
        if let Some(first) = values.next() {
            return if values.next().is_some() { Err(Unverified::RepeatedHeader) } else { Ok(Some(first.as_bytes())) };
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::catalogue;
    use super::*;

    fn received(body: &'static [u8]) -> Received {
        Received::new("s".into(), HeaderMap::new(), Bytes::from_static(body), 0)
    }

    #[test]
    fn a_signature_makes_nothing_believed_that_it_does_not_cover() {
        let (received, json, at) = (received(br#"{"t":1,"t":2}"#), OnceCell::new(), Place::Body("/t".into()));
        for (provider, read) in [("mailgun", None), ("linear", Some(Cow::Borrowed(&b"2"[..])))] {
            let scheme = &catalogue::find(provider).unwrap().schemes[0];
            let looking = Looking::new(&received, &json, 0, Reading::Sought(Which::Only));
            assert_eq!(looking.text(&at), Ok(None), "{provider}");
            assert_eq!(looking.signed(&scheme.signature).text(&at), Ok(read), "{provider}");
        }
    }

    #[test]
    fn what_is_asked_for_is_sought_in_its_own_object() {
        let received = received(br#"{"a":{"t":1},"b":{"t":2},"t":3}"#);
        let (json, places) = (OnceCell::new(), ["/a/t", "/b/t", "/t", "/a/t"].map(|at| Place::Body(at.into())));
        let looking = Looking::new(&received, &json, 0, Reading::Sought(Which::Only));
        let found = places.each_ref().map(|place| looking.text(place).unwrap().unwrap());
        assert_eq!(found, ["1", "2", "3", "1"].map(|text| text.as_bytes()));
    }
}
