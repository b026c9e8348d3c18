//! Says whether a request comes from who it says. Raw bytes, constant time, all secrets, no early exit.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters};
use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use super::canonical;
use super::certificate::{Certificate, is_certificate_for};
use super::description::Provider;
use super::json;
use super::key::{Key, KeyKind, Pieces, Tag, rsa_has_signed};
use super::looking::{Looking, Reading, json_to_verify_by, once};
use super::scheme::{Content, Place, Scheme};
use super::seek::Which;
use super::template::Part;
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
pub(super) type Text<'a> = SmallVec<[Cow<'a, [u8]>; 6]>;

impl Provider {
    /// Checks a request against the source's keys at a time.
    pub fn verify(&self, received: Received, keys: &[Key], now_ms: UnixMs) -> Result<Verified, Unverified> {
        let json = OnceCell::new();
        let (mut signer, mut told) = (None, Unverified::NoLiveSecret);
        for (n, scheme) in self.schemes.iter().enumerate() {
            let mut keys = keys.iter().enumerate().filter(|(_, key)| key.scheme == n && key.is_live(now_ms)).peekable();
            if keys.peek().is_none() {
                continue;
            }
            let looking = Looking::new(&received, &json, now_ms, self.reading(scheme));
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

    /// How a body is read before it is believed.
    fn reading(&self, scheme: &Scheme) -> Reading {
        let is_sought = self.is_json && !matches!(scheme.signature.signed, Content::Sns);
        if is_sought { Reading::Sought(Which::Only) } else { Reading::Whole }
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

impl Scheme {
    /// Which of these keys signed a request. All are looked at.
    fn signer<'a, 'k>(
        &'a self,
        looking: &Looking<'a>,
        keys: impl Iterator<Item = (usize, &'k Key)> + Clone,
    ) -> Result<usize, Unverified> {
        let shown = looking.text(&self.signature.at)?.ok_or(Unverified::NoSignature)?;
        let tags = self.signature.tags(&shown)?;
        // A header costs nothing to look at. What is in the body is looked at when that is believed.
        let early = self.timestamp.as_ref().filter(|rule| !matches!(rule.at, Place::Body(_)));
        let time = match early {
            Some(rule) => Some(rule.checked(looking)?),
            None => None,
        };
        let mut text = self.text(looking, time)?;
        let rsa = self.rsa(looking);
        let signer_of = |text: &Pieces| {
            keys.clone().fold(None, |signer, (n, key)| {
                let matches = match &key.kind {
                    KeyKind::Topic(topic) => certified(looking, topic, text, &tags, rsa),
                    _ => key.has_signed(text, &tags, rsa),
                };
                signer.or(matches.then_some(n))
            })
        };
        let mut signer = signer_of(&text);
        // That one spelling was enough shows in the time, and who may see that is told so by the answer.
        if signer.is_none()
            && let Some(other) = self.other_address(looking.received)
        {
            text[0] = Cow::Owned(other.into_bytes());
            signer = signer_of(&text);
        }
        let signer = signer.ok_or(Unverified::BadSignature)?;
        match &self.timestamp {
            Some(rule) if early.is_none() => rule.checked(&looking.signed(&self.signature)).map(|_| signer),
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

    /// The text that is signed, in pieces. `time` is the timestamp, where it was looked at already.
    fn text<'a>(&'a self, looking: &Looking<'a>, time: Option<Cow<'a, [u8]>>) -> Result<Text<'a>, Unverified> {
        match &self.signature.signed {
            Content::Nothing => Ok(Text::new()),
            Content::Twilio => canonical::twilio(looking.received).ok_or(Unverified::NoSignedHeader),
            Content::Sns => {
                let message = looking.in_body("").ok_or(Unverified::MalformedSignature)?;
                let text = canonical::sns(message).ok_or(Unverified::MalformedSignature)?;
                Ok(smallvec![Cow::Owned(text.into_bytes())])
            }
            Content::Template(template) => {
                let mut text = Text::new();
                for part in template.parts() {
                    text.push(self.piece(part, looking, time.as_ref())?);
                }
                Ok(text)
            }
        }
    }

    /// What the first piece of the text is, too: senders of Twilio's form spell the address in two ways.
    fn other_address(&self, received: &Received) -> Option<String> {
        matches!(self.signature.signed, Content::Twilio).then(|| canonical::other_spelling(&received.whole_url()?))?
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
            Part::Header(names) => once(&received.headers, names)?.map(Cow::Borrowed).ok_or(missing),
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
        let json = OnceCell::new();
        let looking = Looking::new(received, &json, received.at_ms, Reading::Sought(Which::Only));
        key.sign(&self.text(&looking, None).ok()?)
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

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::super::looking::READ_TO_VERIFY;
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

    /// What becomes of a body whose signature stands in it.
    fn mailgun(body: &str) -> Result<usize, Unverified> {
        check("mailgun", &["s"], &[], body.as_bytes(), NOW_MS)
    }

    #[test]
    fn what_two_readers_could_read_differently_is_no_signature() {
        let provider = catalogue::find("mailgun").unwrap();
        let (key, sample) = (provider.key(&Secret::new("s")).unwrap(), provider.sample("delivered", 0).unwrap());
        let signed = provider.sign_as_is("delivered", sample, &key, NOW_MS, None);
        let body = std::str::from_utf8(&signed.body).unwrap();
        assert_eq!(mailgun(body), Ok(0));
        let open = body.strip_suffix('}').unwrap();
        for again in [
            r#""signature":{}"#,
            r#""signature" : 1"#,
            r#""\u0073ignature":{"token":"other"}"#,
            r#""event-data":1"#,
            r#""x":1,"\u0078":1"#,
        ] {
            assert_eq!(mailgun(&format!("{open},{again}}}")), Err(Unverified::NoSignature), "{again} at the end");
            assert_eq!(mailgun(&format!("{{{again},{}", &body[1..])), Err(Unverified::NoSignature), "{again} at first");
        }
        for name in ["signature", "timestamp", "token", "tok\\u0065n"] {
            let first = body.replacen(r#"{"signature":{"#, &format!(r#"{{"signature":{{"{name}":"1","#), 1);
            assert_eq!(mailgun(&first), Err(Unverified::NoSignature), "{name} at first");
            let last = body.replacen(r#"},"event-data""#, &format!(r#","{name}":"1"}},"event-data""#), 1);
            assert_eq!(mailgun(&last), Err(Unverified::NoSignature), "{name} at the end");
        }
        // Elsewhere in the body nothing is verified, and the last of a name counts.
        assert_eq!(mailgun(&format!(r#"{open},"tags":[{{"token":1,"token":2}}]}}"#)), Ok(0));
        assert_eq!(mailgun(&format!(r#"{open},"text":"\",\"signature\":{{"}}"#)), Ok(0));
        // A name of the JSON library's own, behind which it reads text as JSON.
        let inner = Value::from(body).to_string();
        let hidden = format!(r#"{{"$serde_json::private::RawValue":{inner}}}"#);
        assert_eq!(json::parse(hidden.as_bytes()), json::parse(body.as_bytes()));
        assert_eq!(mailgun(&hidden), Err(Unverified::NoSignature));
        let large = format!(r#"{open},"text":"{}"}}"#, "x".repeat(READ_TO_VERIFY));
        assert_eq!(mailgun(&large), Err(Unverified::NoSignature));
    }

    /// A body that Linear signed, read by the built-in description or by another.
    fn linear(provider: &Provider, body: &str) -> Result<Verified, Unverified> {
        let key = provider.key(&Secret::new("s")).unwrap();
        let signature = hex::encode(key.sign(&[body.as_bytes().into()]).unwrap());
        provider.verify(request(&[("linear-signature", &signature)], body.as_bytes()), &[key], NOW_MS)
    }

    #[test]
    fn the_time_in_a_signed_body_is_the_one_that_counts_when_all_is_read() {
        let provider = catalogue::find("linear").unwrap();
        let (now, old) = (NOW_MS.to_string(), (NOW_MS - 61_000).to_string());
        let filler = "x".repeat(READ_TO_VERIFY);
        let stale = Some(Unverified::StaleTimestamp);
        let none = Some(Unverified::MalformedTimestamp);
        for (body, told) in [
            (format!(r#"{{"webhookTimestamp":{now}}}"#), None),
            (format!(r#"{{"webhookTimestamp":"{now}","text":"{filler}"}}"#), None),
            (format!(r#"{{"webhookTimestamp":{old}}}"#), stale),
            (format!(r#"{{"webhookTimestamp":{old},"webhookTimestamp":{now}}}"#), None),
            (format!(r#"{{"webhookTimestamp":{now},"webhook\u0054imestamp":{old}}}"#), stale),
            (format!(r#"{{"webhookTimestamp":{old},"data":{{"webhookTimestamp":{now}}}}}"#), stale),
            (format!(r#"{{"webhookTimestamp":{old},"text":"\",\"webhookTimestamp\":{now}"}}"#), stale),
            (format!(r#"{{"data":{{"webhookTimestamp":{now}}}}}"#), none),
            (format!(r#"["webhookTimestamp",{now}]"#), none),
            (format!(r#"{{"webhookTimestamp":[{now}]}}"#), none),
            (now.clone(), none),
            (String::new(), none),
        ] {
            assert_eq!(linear(&provider, &body).err(), told, "{body:.200}");
        }
    }

    #[test]
    fn what_is_signed_and_no_json_is_made_nothing_of() {
        use super::super::parse::Unreadable;
        let body = format!(r#"{{"type":,"webhookTimestamp":{NOW_MS}}}"#);
        let provider = catalogue::find("linear").unwrap();
        let told = provider.parse_events(linear(&provider, &body).unwrap());
        assert_eq!(told.err(), Some(Unreadable::NotJson));
        // Who promises no JSON is read whole at once: nobody would look again.
        let raw = catalogue::text("linear").unwrap().replace("[event]\n", "[event]\nbody = \"raw\"\n");
        let raw = Provider::parse("mine", &raw).unwrap();
        assert!(!raw.is_json);
        assert_eq!(linear(&raw, &body).err(), Some(Unverified::MalformedTimestamp));
        assert!(linear(&raw, &body.replace(":,", ":1,")).is_ok());
    }

    #[test]
    fn both_spellings_of_an_address_verify_by_any_secret() {
        let provider = catalogue::find("twilio").unwrap();
        let keys: Vec<Key> = ["one", "other"].map(|text| provider.key(&Secret::new(text)).unwrap()).into();
        let (bare, port) = ("https://hooks.example.com/hooks/s", "https://hooks.example.com:443/hooks/s");
        let form = Bytes::from_static(b"MessageSid=1&MessageStatus=sent&Body=a+b%21");
        for (n, key) in keys.iter().enumerate() {
            for (told, known) in [(bare, bare), (bare, port), (port, bare), (port, port)] {
                let signed = provider.sign_as_is("message.sent", form.clone(), key, NOW_MS, Some(told));
                let received = Received::new("s".into(), signed.headers, signed.body, NOW_MS);
                let received = Received { url: Some(known.into()), ..received };
                assert_eq!(provider.verify(received, &keys, NOW_MS).map(|verified| verified.secret()), Ok(n));
            }
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let standard = catalogue::find("standard-webhooks").unwrap();
        assert!(standard.key(&Secret::new("whsec_***")).is_err());
        assert!(standard.key(&Secret::new("")).is_err());
        assert!(catalogue::find("github").unwrap().key(&Secret::new("")).is_err());
    }
}
