//! Texts that are signed and that no template can say.

use std::borrow::Cow;

use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use super::template::parameter;
use super::verify::Received;

/// The parameter of the query in which Twilio says the digest of a JSON body.
pub(super) const BODY_DIGEST: &str = "bodySHA256";

/// What Twilio signs: the address as it was told, and the fields of a form in order, each name followed by its values. Of a JSON body it
/// signs the digest only, which stands in the query.
///
/// There are two spellings of an address, with the port and without, and senders have taken both.
/// Source: Twilio, "Webhooks security".
pub(super) fn twilio(received: &Received) -> Option<Vec<Vec<Cow<'_, [u8]>>>> {
    let url = received.whole_url()?;
    let digest = received.query.as_deref().and_then(|query| parameter(query, BODY_DIGEST));
    let fields = match digest {
        Some(digest) => {
            let found = hex::encode(Sha256::digest(&received.body));
            if !bool::from(found.as_bytes().ct_eq(digest.to_ascii_lowercase().as_bytes())) {
                return None;
            }
            String::new()
        }
        None => fields_in_order(&received.body)?,
    };
    let other = other_spelling(&url);
    let urls = [Some(url.into_owned()), other].into_iter().flatten();
    Some(urls.map(|url| vec![Cow::Owned(url.into_bytes()), Cow::Owned(fields.clone().into_bytes())]).collect())
}

/// The most fields of a form.
const FIELDS: usize = 1000;

/// The fields of a form by their names and then their values, each once, with nothing between them. Nothing, where there are too many, or
/// where one is no text: bytes that are not UTF-8 would all be read as the same.
fn fields_in_order(body: &[u8]) -> Option<String> {
    let is_text = percent_encoding::percent_decode(body).decode_utf8().is_ok();
    if !is_text || body.iter().filter(|byte| **byte == b'&').count() >= FIELDS {
        return None;
    }
    let mut fields: Vec<(Cow<str>, Cow<str>)> = form_urlencoded::parse(body).collect();
    fields.sort();
    fields.dedup();
    Some(fields.into_iter().flat_map(|(name, value)| [name, value]).collect())
}

/// The same address with the port that its scheme means anyway, or without it.
fn other_spelling(url: &str) -> Option<String> {
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

    #[test]
    fn fields_come_in_order_and_once() {
        assert_eq!(fields_in_order(b"b=2&a=1&b=1&a=1&c=%20x").as_deref(), Some("a1b1b2c x"));
        assert_eq!(fields_in_order(b"").as_deref(), Some(""));
        assert_eq!(fields_in_order(b"a=%FF"), None);
        assert_eq!(fields_in_order("a&".repeat(1000).as_bytes()), None);
    }

    #[test]
    fn a_message_without_what_is_signed_is_none() {
        let message = |text: &str| sns(&serde_json::from_str(text).unwrap());
        assert_eq!(message(r#"{"Type":"Notification"}"#), None);
        assert_eq!(message(r#"{"Type":"Other","Message":"m"}"#), None);
        assert_eq!(message(r#"{}"#), None);
    }
}
