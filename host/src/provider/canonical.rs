//! Texts that are signed and that no template can say.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde_json::Value;
use sha2::{Digest, Sha256};
use smallvec::{SmallVec, smallvec};
use subtle::ConstantTimeEq;

use super::template::parameter;
use super::verify::{Received, Text};

/// The parameter of the query in which Twilio says the digest of a JSON body.
pub(super) const BODY_DIGEST: &str = "bodySHA256";

/// What Twilio signs: the address as it was told, and the fields of a form in order, each name followed by its values. Of a JSON body it
/// signs the digest only, which stands in the query.
///
/// Source: Twilio, "Webhooks security".
pub(super) fn twilio(received: &Received) -> Option<Text<'_>> {
    let url = match received.whole_url()? {
        Cow::Borrowed(url) => Cow::Borrowed(url.as_bytes()),
        Cow::Owned(url) => Cow::Owned(url.into_bytes()),
    };
    match received.query.as_deref().and_then(|query| parameter(query, BODY_DIGEST)) {
        Some(digest) => {
            let found = hex::encode(Sha256::digest(&received.body));
            let is_digest: bool = found.as_bytes().ct_eq(digest.to_ascii_lowercase().as_bytes()).into();
            is_digest.then(|| smallvec![url])
        }
        None => Some(smallvec![url, Cow::Owned(fields_in_order(&received.body)?)]),
    }
}

/// The most fields of a form.
const FIELDS: usize = 1000;

/// A field of a form: where its name begins and ends among all, and where its value ends, which follows it.
#[derive(Clone, Copy)]
struct Field {
    begin: usize,
    middle: usize,
    end: usize,
}

impl Field {
    fn of(self, plain: &[u8]) -> (&[u8], &[u8]) {
        (&plain[self.begin..self.middle], &plain[self.middle..self.end])
    }
}

/// The fields of a form (`application/x-www-form-urlencoded`) by their names and then their values, each once, with nothing between them.
/// Nothing, where there are too many, or where one is no text: bytes that are not UTF-8 would all be read as the same.
fn fields_in_order(body: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(body.len());
    let mut fields: SmallVec<[Field; 32]> = SmallVec::new();
    let (mut rest, mut many) = (Some(body), 0);
    while let Some(form) = rest {
        let end = memchr(b'&', form).unwrap_or(form.len());
        let field = &form[..end];
        (rest, many) = (form.get(end + 1..), many + 1);
        if many > FIELDS {
            return None;
        }
        if field.is_empty() {
            continue;
        }
        // Names are short.
        let name = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
        let begin = plain.len();
        add_decoded(&mut plain, &field[..name]);
        let middle = plain.len();
        add_decoded(&mut plain, field.get(name + 1..).unwrap_or_default());
        fields.push(Field { begin, middle, end: plain.len() });
    }
    let is_text = |field: &Field| {
        let (name, value) = field.of(&plain);
        std::str::from_utf8(name).is_ok() && std::str::from_utf8(value).is_ok()
    };
    if !plain.is_ascii() && !fields.iter().all(is_text) {
        return None;
    }
    // As most senders write them.
    if fields.is_sorted_by(|one, other| one.of(&plain) < other.of(&plain)) {
        return Some(plain);
    }
    fields.sort_unstable_by(|one, other| one.of(&plain).cmp(&other.of(&plain)));
    fields.dedup_by(|one, other| one.of(&plain) == other.of(&plain));
    let mut text = Vec::with_capacity(plain.len());
    fields.iter().for_each(|field| text.extend_from_slice(&plain[field.begin..field.end]));
    Some(text)
}

/// Adds a name or a value as it is meant.
fn add_decoded(plain: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(at) = memchr2(b'%', b'+', rest) {
        plain.extend_from_slice(&rest[..at]);
        let (byte, long) = match rest[at..] {
            [b'%', high, low, ..] if let (Some(high), Some(low)) = (digit(high), digit(low)) => (high << 4 | low, 3),
            [b'+', ..] => (b' ', 1),
            // A percent sign that escapes nothing is one.
            _ => (b'%', 1),
        };
        plain.push(byte);
        rest = &rest[at + long..];
    }
    plain.extend_from_slice(rest);
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).map(|digit| digit as u8)
}

/// The same address with the port that its scheme means anyway, or without it: senders have signed both.
pub(super) fn other_spelling(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match host.strip_suffix(port) {
        Some(bare) => Some(format!("{scheme}://{bare}{path}")),
        None if !host.ends_with(']') && host.contains(':') => None,
        None => Some(format!("{scheme}://{host}{port}{path}")),
    }
}

/// What Amazon SNS signs: of the fields that count for a message's type each in a line of its own, name and value, in the order of names.
///
/// Source: AWS, "Verifying the signatures of Amazon SNS messages".
pub(super) fn sns(message: &Value) -> Option<String> {
    let fields: &[&str] = match message.get("Type")?.as_str()? {
        "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
        _ => return None,
    };
    let mut text = String::new();
    for name in fields {
        match message.get(name) {
            Some(Value::String(value)) => text.extend([*name, "\n", value, "\n"]),
            // The one field that may be missing.
            None if *name == "Subject" => {}
            _ => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_has_two_spellings() {
        for (url, other) in [
            ("https://a.example/x?y=1", Some("https://a.example:443/x?y=1")),
            ("https://a.example:443/x", Some("https://a.example/x")),
            ("http://a.example", Some("http://a.example:80")),
            ("https://a.example:8443/x", None),
            ("https://[::1]/x", Some("https://[::1]:443/x")),
            ("ftp://a.example", None),
        ] {
            assert_eq!(other_spelling(url).as_deref(), other, "{url}");
        }
    }

    fn fields(body: &[u8]) -> Option<String> {
        Some(String::from_utf8(fields_in_order(body)?).unwrap())
    }

    #[test]
    fn fields_come_in_order_and_once() {
        assert_eq!(fields(b"b=2&a=1&b=1&a=1&c=%20x").as_deref(), Some("a1b1b2c x"));
        assert_eq!(fields(b"a=1&a=1&=&a=1&&=").as_deref(), Some("a1"));
        assert_eq!(fields(b"").as_deref(), Some(""));
        assert_eq!(fields("a&".repeat(999).as_bytes()).as_deref(), Some("a"));
        assert_eq!(fields("a&".repeat(1000).as_bytes()), None);
        for none in [&b"a=%FF"[..], b"\xff", b"a=\xc3&%A9", b"%C3=\xa9"] {
            assert_eq!(fields(none), None, "{none:?}");
        }
        assert_eq!(fields(b"a=\xc3%A9").as_deref(), Some("a\u{e9}"));
    }

    proptest! {
        #[test]
        fn fields_are_those_that_the_library_reads(
            forms in prop::collection::vec("[ab]{0,2}(=|==)?([ab&=+]|%[0-9a-gA-G]{0,2}|%C3%A9|%c3|\u{e9}){0,8}", 0..9),
            bytes in prop::option::weighted(0.2, any::<[u8; 3]>())
        ) {
            let body = [forms.join("&").as_bytes(), bytes.as_ref().map_or(&[], |bytes| &bytes[..])].concat();
            let is_text = percent_encoding::percent_decode(&body).decode_utf8().is_ok();
            let mut all: Vec<_> = url::form_urlencoded::parse(&body).collect();
            all.sort();
            all.dedup();
            let all = all.iter().fold(String::new(), |text, (name, value)| text + name + value);
            prop_assert_eq!(fields(&body), is_text.then_some(all), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn a_message_without_what_is_signed_is_none() {
        let message = |text: &str| sns(&serde_json::from_str(text).unwrap());
        assert_eq!(message(r#"{"Type":"Notification"}"#), None);
        assert_eq!(message(r#"{"Type":"Other","Message":"m"}"#), None);
        assert_eq!(message(r#"{}"#), None);
    }
}
