//! What holds for every provider, whatever is sent: what is signed verifies, and what is altered where it is signed does not.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use proptest::sample::Index;

use super::catalogue;
use super::description::Provider;
use super::key::Key;
use super::scheme::{Content, Place, Scheme};
use super::sign::Signed;
use super::template::Part;
use super::verify::{Received, Unverified};
use crate::event::UnixMs;
use crate::secret::Secret;

const URL: &str = "https://hooks.example.com/hooks/s";
const NOW_MS: UnixMs = 1_790_000_000_123;

/// An RSA key that is nobody's.
pub(super) const RSA: &str = include_str!("../../../tests/keys/rsa.pem");

/// A key of each scheme of a provider, with which it can sign.
fn keys(provider: &Provider) -> Vec<Key> {
    let seed = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let key = |scheme: &Scheme| {
        let form = &scheme.signature.key;
        let text = match (&scheme.signature.signed, &form.private_prefix) {
            (Content::Sns, _) => RSA.to_owned(),
            (_, Some(private)) => format!("{private}ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8="),
            _ if scheme.signature.algorithm.signature_bytes() == Some(64) => format!("seed:{seed}"),
            _ => format!("{}{seed}", form.prefix),
        };
        provider.key(&Secret::new(text)).unwrap()
    };
    provider.schemes.iter().map(key).collect()
}

/// Whether a scheme has something in the body, so that not every body can be signed.
fn writes_into_body(scheme: &Scheme) -> bool {
    let places = [Some(&scheme.signature.at), scheme.timestamp.as_ref().map(|rule| &rule.at)];
    places.into_iter().flatten().any(|place| matches!(place, Place::Body(_)))
}

fn received(signed: &Signed) -> Received {
    let received = Received::new("s".into(), signed.headers.clone(), signed.body.clone(), NOW_MS);
    Received { url: Some(URL.into()), query: signed.query.clone(), ..received }
}

/// Every way to alter what this scheme signs, one bit each, at a place that `at` chooses.
fn altered(scheme: &Scheme, signed: &Signed, at: &Index) -> Vec<(String, Received)> {
    let Content::Template(template) = &scheme.signature.signed else { return altered_values(scheme, signed) };
    let mut all = Vec::new();
    for part in template.parts() {
        let mut other = received(signed);
        let what = match part {
            Part::Body if !signed.body.is_empty() => {
                other.body = flipped(&signed.body, at).into();
                "the body".to_owned()
            }
            Part::Url => {
                other.url = Some(String::from_utf8_lossy(&flipped(URL.as_bytes(), at)).into_owned().into());
                "the address".to_owned()
            }
            Part::Header(names) => {
                let name = names.first().clone();
                if !flip_header(&mut other, &name, at) {
                    continue;
                }
                format!("{name}")
            }
            Part::Timestamp => match scheme.timestamp.as_ref().map(|rule| &rule.at) {
                Some(Place::Header(names)) if flip_header(&mut other, names.first(), at) => "the time".to_owned(),
                _ => continue,
            },
            _ => continue,
        };
        all.push((what, other));
    }
    let mut longer = received(signed);
    longer.body = [&signed.body[..], b"\0"].concat().into();
    if scheme.signature.covers_body() {
        all.push(("a longer body".to_owned(), longer));
    }
    all
}

/// Canonical forms sign values, and not how they are written.
fn altered_values(scheme: &Scheme, signed: &Signed) -> Vec<(String, Received)> {
    let text = String::from_utf8_lossy(&signed.body).into_owned();
    let other = match &scheme.signature.signed {
        Content::Sns => {
            vec![text.replace("\"Message\":\"", "\"Message\":\"!"), text.replace("arn:aws:sns", "arn:aws:snt")]
        }
        Content::Twilio if signed.query.is_none() => vec![format!("{text}&more=1"), text.replacen('=', "=x", 1)],
        Content::Twilio => vec![format!("{text} ")],
        _ => Vec::new(),
    };
    let other = other.into_iter().filter(|other| *other != text);
    other.map(|body| ("a value".to_owned(), Received { body: body.into(), ..received(signed) })).collect()
}

fn flipped(bytes: &[u8], at: &Index) -> Vec<u8> {
    let (mut bytes, bit) = (bytes.to_vec(), at.index(bytes.len() * 8));
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// Alters a header; false, where that would make it none.
fn flip_header(received: &mut Received, name: &HeaderName, at: &Index) -> bool {
    let Some(value) = received.headers.get(name) else { return false };
    match HeaderValue::from_bytes(&flipped(value.as_bytes(), at)) {
        Ok(other) => {
            received.headers.insert(name, other);
            true
        }
        Err(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies_and_what_is_altered_does_not(body in prop::collection::vec(any::<u8>(), 0..700), at: Index) {
        for provider in catalogue::all() {
            let keys = keys(&provider);
            for (key, scheme) in keys.iter().zip(&provider.schemes) {
                let event_type = provider.sample_types().next().unwrap().to_owned();
                let body = if writes_into_body(scheme) {
                    provider.sample(&event_type, 1).unwrap()
                } else if matches!(scheme.signature.signed, Content::Twilio) {
                    // Its forms are text.
                    format!("a={}&b=c", hex::encode(&body)).into()
                } else {
                    Bytes::from(body.clone())
                };
                let signed = provider.sign_as_is(&event_type, body, key, NOW_MS, Some(URL));
                let verify = |received| provider.verify(received, std::slice::from_ref(key), NOW_MS);
                prop_assert!(verify(received(&signed)).is_ok(), "{}: {:?}", provider.name, verify(received(&signed)).err());
                for (what, other) in altered(scheme, &signed, &at) {
                    let told = verify(other);
                    prop_assert!(told.is_err(), "{}: {what} is altered and it verifies", provider.name);
                    prop_assert!(told.err() != Some(Unverified::NoLiveSecret));
                }
            }
        }
    }

    #[test]
    fn no_garbage_verifies_or_panics(text in "\\PC{0,200}", body in prop::collection::vec(any::<u8>(), 0..200)) {
        for provider in catalogue::all() {
            let keys = keys(&provider);
            let mut headers = http::HeaderMap::new();
            for name in provider.signature_headers() {
                if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                    headers.insert(name.clone(), value);
                }
            }
            let received = Received::new("s".into(), headers, body.clone().into(), NOW_MS);
            let received = Received { url: Some(URL.into()), query: Some(text.clone()), ..received };
            prop_assert!(provider.verify(received, &keys, NOW_MS).is_err(), "{}", provider.name);
        }
    }

    #[test]
    fn no_text_panics_as_a_description(text in "\\PC{0,300}") {
        let _ = Provider::parse("x", &text);
    }
}

#[test]
fn every_request_whose_signature_is_known_verifies_and_each_provider_has_one() {
    for provider in catalogue::all() {
        assert!(provider.vectors() > 0, "{} has no vector", provider.name);
        for vector in &provider.vectors {
            vector.check(&provider).unwrap_or_else(|why| panic!("{}: {why}", provider.name));
        }
    }
}

#[test]
fn a_secret_counts_only_in_its_span() {
    let github = catalogue::find("github").unwrap();
    let key = github.key(&Secret::new("s")).unwrap();
    let signed = github.sign_as_is("push", Bytes::from_static(b"{}"), &key, NOW_MS, None);
    let verify = |keys: &[Key]| github.verify(received(&signed), keys, NOW_MS).map(|verified| verified.secret());
    let other = github.key(&Secret::new("t")).unwrap();
    let span = |from: i64, until: i64| {
        let at = |off: i64| Some(NOW_MS.checked_add_signed(off).unwrap());
        key.clone().between(at(from), at(until))
    };
    assert_eq!(verify(&[span(-1, 1)]), Ok(0));
    assert_eq!(verify(&[span(0, 0)]), Ok(0));
    assert_eq!(verify(&[other.clone(), span(-1, 1)]), Ok(1));
    assert_eq!(verify(&[span(1, 2)]), Err(Unverified::NoLiveSecret));
    assert_eq!(verify(&[span(-2, -1)]), Err(Unverified::NoLiveSecret));
    assert_eq!(verify(&[span(-2, -1), other]), Err(Unverified::BadSignature));
}

/// The same delivery, signed anew at another time, as senders do who try again.
fn again(provider: &Provider, key: &Key, signed: &Signed, at_ms: UnixMs) -> Received {
    let scheme = &provider.schemes[key.scheme];
    let body = scheme.timed(signed.body.clone(), at_ms);
    let mut draft = Received { at_ms, body, ..received(signed) };
    if let Some(rule) = &scheme.timestamp {
        let time = rule.form.write(at_ms);
        match &rule.at {
            Place::Header(names) => drop(draft.headers.insert(names.first().clone(), time.parse().unwrap())),
            Place::Field(names, field) => {
                drop(draft.headers.insert(names.first().clone(), format!("{field}={time}").parse().unwrap()))
            }
            Place::Body(_) => {}
        }
    }
    let signature = scheme.signature_by(key, &draft).unwrap();
    scheme.put(&scheme.signature.encode(&signature), &mut draft);
    draft
}

/// How long after the first try senders try again, in seconds; the last of each is the last that they make, or that people make by hand.
const RETRIES_S: &[(&str, &[u64])] = &[
    ("soundhash", &[60, 180, 420]),
    ("github", &[60, 86_400, 3 * 86_400]),
    ("stripe", &[3_600, 86_400, 3 * 86_400 - 1]),
    ("slack", &[1, 60, 300]),
    ("shopify", &[60, 900, 4 * 3_600]),
    ("gitlab", &[600]),
    ("pagerduty", &[60, 3_600, 48 * 3_600]),
    ("zoom", &[300, 1_800, 5_400]),
    ("linear", &[60, 3_600, 6 * 3_600]),
    ("square", &[60, 3_600, 24 * 3_600]),
    ("meta", &[60, 36 * 3_600]),
    ("standard-webhooks", &[5, 305, 2_105, 9_305, 27_305, 63_305, 99_305]),
    ("svix", &[5, 305, 2_105, 9_305, 27_305, 63_305, 99_305]),
];

#[test]
fn a_retry_is_the_same_delivery_whenever_its_sender_makes_it() {
    for (name, retries_s) in RETRIES_S {
        let provider = catalogue::find(name).unwrap();
        let keys = keys(&provider);
        let event_type = provider.sample_types().next().unwrap();
        let signed =
            provider.sign_as_is(event_type, provider.sample(event_type, 1).unwrap(), &keys[0], NOW_MS, Some(URL));
        let told = |received: Received, at_ms: UnixMs| {
            let verified = provider.verify(received, &keys, at_ms).unwrap_or_else(|why| panic!("{name}: {why}"));
            provider.parse_events(verified).unwrap().remove(0).repeat_key
        };
        let first = told(received(&signed), NOW_MS);
        assert!(first.is_some(), "{name}");
        for retry_s in *retries_s {
            let at_ms = NOW_MS + retry_s * 1000;
            assert_eq!(told(again(&provider, &keys[0], &signed, at_ms), at_ms), first, "{name} after {retry_s} s");
        }
        // As long as repeats are told at the least.
        assert!(retries_s.iter().all(|retry_s| *retry_s <= 3 * 86_400), "{name}");
    }
    // Frame.io has no ids: what it sends again as it was is told by the time and the body, as long as the time is taken.
    let frameio = catalogue::find("frameio").unwrap();
    let key = frameio.key(&Secret::new("s")).unwrap();
    let signed = frameio.sign_as_is("file.ready", frameio.sample("file.ready", 1).unwrap(), &key, NOW_MS, None);
    let told = |at_ms| {
        let verified = frameio.verify(received(&signed), std::slice::from_ref(&key), at_ms).unwrap();
        frameio.parse_events(verified).unwrap().remove(0).repeat_key
    };
    for retry_s in [15, 45, 105, 225] {
        assert_eq!(told(NOW_MS + retry_s * 1000), told(NOW_MS), "after {retry_s} s");
    }
}

#[test]
fn at_most_ten_signatures_are_looked_at() {
    let stripe = catalogue::find("stripe").unwrap();
    let key = stripe.key(&Secret::new("s")).unwrap();
    let signed = stripe.sign_as_is("x", Bytes::from_static(b"{}"), &key, NOW_MS, None);
    let verify = |others: usize| {
        let mut received = received(&signed);
        let right = received.headers["stripe-signature"].to_str().unwrap().to_owned();
        let (time, right) = right.split_once(',').unwrap();
        let wrong = format!("v1={}", "0".repeat(64));
        let all = [vec![time.to_owned()], vec![wrong; others], vec![right.to_owned()]].concat().join(",");
        received.headers.insert("stripe-signature", all.parse().unwrap());
        stripe.verify(received, std::slice::from_ref(&key), NOW_MS).is_ok()
    };
    assert!(verify(9));
    assert!(!verify(10));
}
