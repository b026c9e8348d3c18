//! Says whether a request comes from who it says. Raw bytes, constant time, all secrets, no early exit.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters};
use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use super::canonical;
use super::certificate::{Certificate, is_certificate_for};
use super::description::Provider;
use super::json;
use super::key::{Key, KeyKind, Pieces, Tag, rsa_has_signed};
use super::scheme::{Content, Place, Scheme};
use super::template::{Part, fields};
use crate::event::UnixMs;
use crate::secret::Secret;

/// One request as it came in, whole, and not to be believed.
#[derive(Debug)]
pub struct Received {
    /// The configured name of the source that it was sent to.
    pub source: Arc<str>,
    /// The public address of the source, where a provider signs it.
    pub url: Option<Arc<str>>,
    /// What stood behind the `?` of the address.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Bytes,
    /// When it was received.
    pub at_ms: UnixMs,
    /// The same on this process's own clock.
    pub at: Instant,
    /// The certificate that it names, where its provider signs by one and it was fetched.
    pub certificate: Option<Arc<Certificate>>,
}

impl Received {
    /// A request of headers and a body, at a time.
    pub fn new(source: Arc<str>, headers: HeaderMap, body: Bytes, at_ms: UnixMs) -> Received {
        Received { source, url: None, query: None, headers, body, at_ms, at: Instant::now(), certificate: None }
    }

    /// The public address with the query: what senders who sign it were told.
    pub(super) fn whole_url(&self) -> Option<Cow<'_, str>> {
        let url = self.url.as_deref()?;
        Some(match &self.query {
            None => Cow::Borrowed(url),
            Some(query) => Cow::Owned(format!("{url}?{query}")),
        })
    }
}

/// A request whose signature was checked. Only [`Provider::verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    received: Received,
    secret: usize,
    json: OnceCell<Option<Value>>,
}

impl Verified {
    /// What was received.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// Which of the source's secrets signed it, counted from 0.
    pub fn secret(&self) -> usize {
        self.secret
    }

    /// The body as JSON, where it is that.
    pub(super) fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| json::parse(&self.received.body)).as_ref()
    }
}

/// Why a request is not believed. Senders are never told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The signature is not where it has to be.
    #[error("there is no signature")]
    NoSignature,
    /// The signature is not in the form that the provider uses.
    #[error("the signature is malformed")]
    MalformedSignature,
    /// A header that the signature depends on is there twice.
    #[error("a header of the signature is repeated")]
    RepeatedHeader,
    /// A header that is signed is not there.
    #[error("a signed header is missing")]
    NoSignedHeader,
    /// The timestamp is not in the form that the provider uses.
    #[error("the timestamp is malformed")]
    MalformedTimestamp,
    /// The timestamp is further in the past than is taken: a replay, or a clock that is slow.
    #[error("the timestamp is too old")]
    StaleTimestamp,
    /// The timestamp is further in the future than is taken.
    #[error("the timestamp is in the future")]
    FutureTimestamp,
    /// No secret of the source makes this signature over these bytes.
    #[error("the signature matches no secret")]
    BadSignature,
    /// The certificate that the request names is not its vendor's.
    #[error("the certificate is not one of the vendor's")]
    ForeignCertificate,
    /// None of the source's secrets counts at this time (`not_before`, `not_after`).
    #[error("no secret of the source counts now")]
    NoLiveSecret,
}

/// A text in pieces; few have more.
type Text<'a> = SmallVec<[Cow<'a, [u8]>; 6]>;

impl Provider {
    /// Checks a request against the source's keys at a time.
    pub fn verify(&self, received: Received, keys: &[Key], now_ms: UnixMs) -> Result<Verified, Unverified> {
        let json = OnceCell::new();
        let looking = Looking { received: &received, json: &json, now_ms };
        let (mut signer, mut told) = (None, Unverified::NoLiveSecret);
        for (n, scheme) in self.schemes.iter().enumerate() {
            let mut keys = keys.iter().enumerate().filter(|(_, key)| key.scheme == n && key.is_live(now_ms)).peekable();
            if keys.peek().is_none() {
                continue;
            }
            match scheme.signer(&looking, keys) {
                Ok(found) => signer = signer.or(Some(found)),
                // That another scheme's signature is not there tells least.
                Err(Unverified::NoSignature) if told != Unverified::NoLiveSecret => {}
                Err(why) => told = why,
            }
        }
        let secret = signer.ok_or(told)?;
        Ok(Verified { received, secret, json })
    }

    /// Where the certificate is by which a request has to be verified; nothing, where none has to be fetched.
    ///
    /// Asked before [`Provider::verify`], so a stranger may be asking: it is only given for a message that names a topic of the source's.
    pub fn certificate_url(
        &self,
        received: &Received,
        keys: &[Key],
        now_ms: UnixMs,
    ) -> Result<Option<String>, Unverified> {
        let live = || keys.iter().filter(|key| key.is_live(now_ms));
        let mut topics = live().filter_map(|key| match &key.kind {
            KeyKind::Topic(topic) => Some(topic),
            _ => None,
        });
        let Some(first) = topics.next() else { return Ok(None) };
        let body = json_to_verify_by(&received.body).ok_or(Unverified::NoSignature)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).ok_or(Unverified::NoSignature);
        let topic = text("TopicArn")?.as_bytes();
        if !topics.fold(first.equals(topic), |any, one| any | one.equals(topic)) {
            // A key that the operator gave needs no certificate.
            let has_key = live().any(|key| matches!(key.kind, KeyKind::Rsa { .. }));
            return if has_key { Ok(None) } else { Err(Unverified::BadSignature) };
        }
        let (url, topic) = (text("SigningCertURL")?, text("TopicArn")?);
        if is_certificate_for(url, topic) { Ok(Some(url.to_owned())) } else { Err(Unverified::ForeignCertificate) }
    }
}

/// The largest body that is read before it is believed, in bytes: as large as a message of SNS's may be.
const READ_TO_VERIFY: usize = 256 << 10;

/// A body in which the signature or its time stands. What two readers could read differently is none.
fn json_to_verify_by(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= READ_TO_VERIFY)?;
    json::parse(body).filter(|_| !json::is_ambiguous(text))
}

/// A request that is being looked at.
pub(super) struct Looking<'a> {
    pub received: &'a Received,
    pub json: &'a OnceCell<Option<Value>>,
    pub now_ms: UnixMs,
}

impl<'a> Looking<'a> {
    /// A value in the body, read only where the scheme has something there.
    fn in_body(&self, pointer: &str) -> Option<&'a Value> {
        self.json.get_or_init(|| json_to_verify_by(&self.received.body)).as_ref()?.pointer(pointer)
    }

    /// The text in a place, which may be there once at the most.
    pub fn text(&self, place: &Place) -> Result<Option<Cow<'a, [u8]>>, Unverified> {
        let headers = &self.received.headers;
        match place {
            Place::Header(names) => Ok(once(headers, names.found_in(headers))?.map(Cow::Borrowed)),
            Place::Field(names, field) => {
                let Some(header) = once(headers, names.found_in(headers))? else { return Ok(None) };
                let header = std::str::from_utf8(header).map_err(|_| Unverified::MalformedSignature)?;
                let mut found = fields(header, field);
                let first = found.next().map(|value| Cow::Borrowed(value.as_bytes()));
                if found.next().is_some() { Err(Unverified::RepeatedHeader) } else { Ok(first) }
            }
            Place::Body(pointer) => Ok(self.word_in_body(pointer)),
        }
    }

    fn word_in_body(&self, pointer: &str) -> Option<Cow<'a, [u8]>> {
        match self.in_body(pointer)? {
            Value::String(text) => Some(Cow::Borrowed(text.as_bytes())),
            Value::Number(number) => Some(Cow::Owned(number.to_string().into_bytes())),
            _ => None,
        }
    }
}

impl Scheme {
    /// Which of these keys signed a request.
    fn signer<'k>(&self, looking: &Looking, keys: impl Iterator<Item = (usize, &'k Key)>) -> Result<usize, Unverified> {
        let shown = looking.text(&self.signature.at)?.ok_or(Unverified::NoSignature)?;
        let tags = self.signature.tags(&shown)?;
        // A header costs nothing to look at. What is in the body is looked at when that is believed.
        let early = self.timestamp.as_ref().filter(|rule| !matches!(rule.at, Place::Body(_)));
        let time = match early {
            Some(rule) => Some(rule.checked(looking)?),
            None => None,
        };
        let texts = self.texts(looking, time)?;
        let (rsa, mut signer) = (self.rsa(looking), None);
        for (n, key) in keys {
            let matches = texts.iter().fold(false, |any, text| {
                any | match &key.kind {
                    KeyKind::Topic(topic) => certified(looking, topic, text, &tags, rsa),
                    _ => key.has_signed(text, &tags, rsa),
                }
            });
            signer = signer.or(matches.then_some(n));
        }
        let signer = signer.ok_or(Unverified::BadSignature)?;
        match &self.timestamp {
            Some(rule) if early.is_none() => {
                // By now it is believed, however large it is.
                looking.json.get_or_init(|| json::parse(&looking.received.body));
                rule.checked(looking).map(|_| signer)
            }
            _ => Ok(signer),
        }
    }

    /// How RSA is used. SNS says it in each message.
    fn rsa(&self, looking: &Looking) -> &'static RsaParameters {
        let says =
            matches!(self.signature.signed, Content::Sns).then(|| looking.in_body("/SignatureVersion")).flatten();
        match says.and_then(Value::as_str) {
            Some("1") => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            _ => &RSA_PKCS1_2048_8192_SHA256,
        }
    }

    /// The text that is signed, in pieces; several where senders spell one in several ways.
    /// `time` is the timestamp, where it was looked at already.
    fn texts<'a>(
        &'a self,
        looking: &Looking<'a>,
        time: Option<Cow<'a, [u8]>>,
    ) -> Result<SmallVec<[Text<'a>; 1]>, Unverified> {
        let received = looking.received;
        match &self.signature.signed {
            Content::Nothing => Ok(smallvec![Text::new()]),
            Content::Twilio => {
                let texts = canonical::twilio(received).ok_or(Unverified::NoSignedHeader)?;
                Ok(texts.into_iter().map(Text::from_vec).collect())
            }
            Content::Sns => {
                let message = looking.in_body("").ok_or(Unverified::MalformedSignature)?;
                let text = canonical::sns(message).ok_or(Unverified::MalformedSignature)?;
                Ok(smallvec![smallvec![Cow::Owned(text.into_bytes())]])
            }
            Content::Template(template) => template
                .parts()
                .map(|part| self.piece(part, looking, time.as_ref()))
                .collect::<Result<_, _>>()
                .map(|text| smallvec![text]),
        }
    }

    fn piece<'a>(
        &'a self,
        part: &'a Part,
        looking: &Looking<'a>,
        time: Option<&Cow<'a, [u8]>>,
    ) -> Result<Cow<'a, [u8]>, Unverified> {
        let received = looking.received;
        let missing = Unverified::NoSignedHeader;
        match part {
            Part::Text(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Part::Body => Ok(Cow::Borrowed(&received.body)),
            Part::Header(names) => {
                once(&received.headers, names.found_in(&received.headers))?.map(Cow::Borrowed).ok_or(missing)
            }
            Part::Timestamp => match (time, &self.timestamp) {
                (Some(time), _) => Ok(time.clone()),
                (None, Some(rule)) => looking.text(&rule.at)?.ok_or(missing),
                (None, None) => Err(missing),
            },
            Part::Pointer(pointer) => looking.word_in_body(pointer).ok_or(missing),
            Part::Url => match received.whole_url().ok_or(missing)? {
                Cow::Borrowed(url) => Ok(Cow::Borrowed(url.as_bytes())),
                Cow::Owned(url) => Ok(Cow::Owned(url.into_bytes())),
            },
            Part::Field(..) | Part::Form(..) | Part::Query(_) | Part::Mac(_) | Part::Digest => Err(missing),
        }
    }

    /// The signature over a request's bytes; nothing, where the key cannot sign or something that is signed is missing.
    pub(super) fn signature_by(&self, key: &Key, received: &Received) -> Option<Vec<u8>> {
        let looking = Looking { received, json: &OnceCell::new(), now_ms: received.at_ms };
        // What borrows from the body as JSON must not outlive it.
        let texts = self.texts(&looking, None).ok()?;
        key.sign(texts.first()?)
    }
}

/// Whether a message of a topic was signed by the certificate that it names.
fn certified(looking: &Looking, topic: &Secret, text: &Pieces, tags: &[Tag], rsa: &'static RsaParameters) -> bool {
    let Some(certificate) = &looking.received.certificate else { return false };
    let says = |pointer| looking.in_body(pointer).and_then(Value::as_str).unwrap_or_default();
    certificate.is_good(looking.now_ms)
        && certificate.url == says("/SigningCertURL")
        && topic.equals(says("/TopicArn").as_bytes())
        && rsa_has_signed(&certificate.public, text, tags, rsa)
}

/// The value of a header that may be there once at the most.
fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Unverified> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.as_bytes());
    if values.next().is_some() { Err(Unverified::RepeatedHeader) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;

    const NOW_MS: UnixMs = 1_604_004_499_000;

    fn request(headers: &[(&str, &str)], body: &[u8]) -> Received {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Received::new("s".into(), headers, Bytes::copy_from_slice(body), NOW_MS)
    }

    fn check(
        provider: &str,
        secrets: &[&str],
        headers: &[(&str, &str)],
        body: &[u8],
        now_ms: UnixMs,
    ) -> Result<usize, Unverified> {
        let provider = catalogue::find(provider).unwrap();
        let keys: Vec<Key> = secrets.iter().map(|text| provider.key(&Secret::new(*text)).unwrap()).collect();
        provider.verify(request(headers, body), &keys, now_ms).map(|verified| verified.secret())
    }

    const FRAMEIO_SECRET: &str = "my_super_secret_string_for_testing";
    const FRAMEIO_BODY: &[u8] = br#"{"type":"file.ready","resource":{"id":"file_id_123"}}"#;
    const FRAMEIO_SIGNATURE: &str = "v0=5716afede94fd10c978e496ca156807939224ff9b58c597fba813903b76c7f70";

    fn frameio(signature: &str, timestamp: &str, now_ms: UnixMs) -> Result<usize, Unverified> {
        let headers = [("x-frameio-signature", signature), ("x-frameio-request-timestamp", timestamp)];
        check("frameio", &[FRAMEIO_SECRET], &headers, FRAMEIO_BODY, now_ms)
    }

    #[test]
    fn the_vendors_own_vectors_verify() {
        assert_eq!(frameio(FRAMEIO_SIGNATURE, "1604004499", NOW_MS), Ok(0));
        let github = ("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
        assert_eq!(check("github", &["It's a Secret to Everybody"], &[github], b"Hello, World!", NOW_MS), Ok(0));
        let standard = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1a,AAAA v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(
            check("standard-webhooks", &[secret], &standard, br#"{"test": 2432232314}"#, 1_614_265_330_000),
            Ok(0)
        );
    }

    #[test]
    fn slacks_and_discords_vectors_verify() {
        let slack = [
            ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
            ("x-slack-request-timestamp", "1531420618"),
        ];
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let secret = "8f742231b10e8888abcd99yyyzzz85a5";
        assert_eq!(check("slack", &[secret], &slack, body, 1_531_420_618_000), Ok(0));
        let discord = [
            (
                "x-signature-ed25519",
                "81d7269c4a7ffcec3d0e612cbf333e052282a6d3c913296937ebc937bdc7821690ce825568ac2f91057bd34a640c1ddfca8faeeda4446b68f663d61d753c6102",
            ),
            ("x-signature-timestamp", "1700000000"),
        ];
        let body =
            br#"{"id":"787053080478613555","token":"ThisIsATokenFromDiscordThatIsVeryLong","type":1,"version":1}"#;
        let public = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";
        let seed = "seed:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        for secret in [public, seed] {
            assert_eq!(check("discord", &[secret], &discord, body, NOW_MS), Ok(0));
            assert_eq!(check("discord", &[secret], &discord, &body[1..], NOW_MS), Err(Unverified::BadSignature));
        }
        let later = [discord[0], ("x-signature-timestamp", "1700000001")];
        assert_eq!(check("discord", &[public], &later, body, NOW_MS), Err(Unverified::BadSignature));
        let provider = catalogue::find("discord").unwrap();
        assert!(!provider.key(&Secret::new(public)).unwrap().can_sign());
        assert!(provider.key(&Secret::new(seed)).unwrap().can_sign());
        for bad in ["03a1", "seed:03a1", "not hex at all"] {
            assert!(provider.key(&Secret::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_second_secret_is_as_good_as_the_first() {
        let github = ("x-hub-signature-256", "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3");
        assert_eq!(check("github", &["old", "mysecret"], &[github], br#"{"foo":"bar"}"#, NOW_MS), Ok(1));
        assert_eq!(
            check("github", &["old", "older"], &[github], br#"{"foo":"bar"}"#, NOW_MS),
            Err(Unverified::BadSignature)
        );
    }

    #[test]
    fn a_timestamp_is_taken_to_its_tolerance_and_no_further() {
        for (off_s, expected) in [
            (-299, Ok(0)),
            (-300, Ok(0)),
            (300, Ok(0)),
            (301, Err(Unverified::StaleTimestamp)),
            (-301, Err(Unverified::FutureTimestamp)),
        ] {
            let now_ms = NOW_MS.checked_add_signed(off_s * 1000).unwrap();
            assert_eq!(frameio(FRAMEIO_SIGNATURE, "1604004499", now_ms), expected, "{off_s} s off");
        }
        for text in ["", "-1", "+1604004499", "1604004499.0", "0x5f9b", "99999999999999999999", " 1604004499x"] {
            assert_eq!(frameio(FRAMEIO_SIGNATURE, text, NOW_MS), Err(Unverified::MalformedTimestamp), "{text:?}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in
            ["", "v0=", "v1=5716", FRAMEIO_SIGNATURE.strip_prefix("v0=").unwrap(), &FRAMEIO_SIGNATURE[..60], "v0=zz"]
        {
            assert_eq!(frameio(text, "1604004499", NOW_MS), Err(Unverified::MalformedSignature), "{text:?}");
        }
        let time = ("x-frameio-request-timestamp", "1604004499");
        let signature = ("x-frameio-signature", FRAMEIO_SIGNATURE);
        let checked = |headers: &[(&str, &str)]| check("frameio", &[FRAMEIO_SECRET], headers, FRAMEIO_BODY, NOW_MS);
        assert_eq!(checked(&[time]), Err(Unverified::NoSignature));
        assert_eq!(checked(&[signature]), Err(Unverified::MalformedTimestamp));
        assert_eq!(checked(&[signature, signature, time]), Err(Unverified::RepeatedHeader));
        assert_eq!(checked(&[signature, time, time]), Err(Unverified::RepeatedHeader));
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        for bit in 0..FRAMEIO_BODY.len() * 8 {
            let mut body = FRAMEIO_BODY.to_vec();
            body[bit / 8] ^= 1 << (bit % 8);
            let headers = [("x-frameio-signature", FRAMEIO_SIGNATURE), ("x-frameio-request-timestamp", "1604004499")];
            assert_eq!(
                check("frameio", &[FRAMEIO_SECRET], &headers, &body, NOW_MS),
                Err(Unverified::BadSignature),
                "bit {bit}"
            );
        }
        assert_eq!(frameio(FRAMEIO_SIGNATURE, "1604004498", NOW_MS), Err(Unverified::BadSignature));
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let standard = catalogue::find("standard-webhooks").unwrap();
        assert!(standard.key(&Secret::new("whsec_***")).is_err());
        assert!(standard.key(&Secret::new("")).is_err());
        assert!(catalogue::find("github").unwrap().key(&Secret::new("")).is_err());
    }
}
