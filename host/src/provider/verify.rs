//! Says whether a request comes from who it says. Raw bytes, constant time, all secrets, no early exit.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::description::{Encoding, Provider, Signature, Timestamp};
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
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Bytes,
    /// When it was received.
    pub at_ms: UnixMs,
    /// The same on this process's own clock.
    pub at: Instant,
}

/// A request whose signature was checked. Only [`Provider::verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    received: Received,
    secret: usize,
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
}

/// Why a request is not believed. Senders are never told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The signature's header is not there.
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
    /// The timestamp is no number of seconds.
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
}

/// A secret made ready to sign with.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// A secret whose text is not what the provider's keys look like.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a key of this provider: it must be {0}")]
pub struct BadKey(&'static str);

/// How many signatures in one header are looked at.
const SIGNATURES: usize = 10;

type Tag = [u8; 32];

impl Provider {
    /// Makes a secret ready. The text around it (a prefix, an encoding) is taken off as the provider says.
    pub fn key(&self, secret: &Secret) -> Result<Key, BadKey> {
        let form = &self.signature.key;
        let text = secret.expose();
        let text = text.strip_prefix(form.prefix.as_bytes()).unwrap_or(text);
        let key = match form.encoding {
            None => Secret::new(text),
            Some(Encoding::Hex) => Secret::new(hex::decode(text).map_err(|_| BadKey("hexadecimal"))?),
            Some(Encoding::Base64) => Secret::new(BASE64.decode(text).map_err(|_| BadKey("base64"))?),
        };
        if key.expose().is_empty() {
            return Err(BadKey("more than nothing"));
        }
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(key.expose()).map_err(|_| BadKey("shorter"))?;
        Ok(Key(mac))
    }

    /// Checks a request against the source's keys at a time.
    pub fn verify(&self, received: Received, keys: &[Key], now_ms: UnixMs) -> Result<Verified, Unverified> {
        let header = once(&received.headers, &self.signature.header)?.ok_or(Unverified::NoSignature)?;
        let candidates = self.signature.candidates(header)?;
        if let Some(rule) = &self.timestamp {
            rule.check(&received.headers, now_ms)?;
        }
        let mut signer = None;
        for (n, key) in keys.iter().enumerate() {
            let expected = self.tag(key, &received.headers, &received.body, received.url.as_deref())?;
            let matches = candidates.iter().fold(subtle::Choice::from(0), |any, tag| any | tag.ct_eq(&expected));
            if bool::from(matches) {
                signer = signer.or(Some(n));
            }
        }
        signer.map(|secret| Verified { received, secret }).ok_or(Unverified::BadSignature)
    }

    /// The signature over a request's bytes, fed to the hash piece by piece.
    pub(super) fn tag(
        &self,
        key: &Key,
        headers: &HeaderMap,
        body: &[u8],
        url: Option<&str>,
    ) -> Result<Tag, Unverified> {
        let mut mac = key.0.clone();
        for part in self.signature.signed.parts() {
            match part {
                Part::Text(text) => mac.update(text.as_bytes()),
                Part::Body => mac.update(body),
                Part::Header(name) => mac.update(signed_header(headers, name)?),
                Part::Timestamp => match &self.timestamp {
                    Some(rule) => mac.update(signed_header(headers, &rule.header)?),
                    None => return Err(Unverified::NoSignedHeader),
                },
                Part::Url => mac.update(url.ok_or(Unverified::NoSignedHeader)?.as_bytes()),
                Part::Pointer(_) => return Err(Unverified::NoSignedHeader),
            }
        }
        Ok(mac.finalize().into_bytes().into())
    }

    /// The signed timestamp as it was sent.
    pub(super) fn timestamp_text<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        headers.get(&self.timestamp.as_ref()?.header)?.to_str().ok()
    }
}

fn signed_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a [u8], Unverified> {
    once(headers, name)?.ok_or(Unverified::NoSignedHeader)
}

/// The value of a header that may be there once at the most.
fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Unverified> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.as_bytes());
    if values.next().is_some() { Err(Unverified::RepeatedHeader) } else { Ok(first) }
}

impl Signature {
    /// The signatures in a header, decoded.
    fn candidates(&self, header: &[u8]) -> Result<Vec<Tag>, Unverified> {
        let text = std::str::from_utf8(header).map_err(|_| Unverified::MalformedSignature)?;
        let tags: Vec<Tag> = match &self.separator {
            None => self.decode(text).into_iter().collect(),
            Some(separator) => {
                text.split(separator.as_str()).filter_map(|one| self.decode(one)).take(SIGNATURES).collect()
            }
        };
        if tags.is_empty() { Err(Unverified::MalformedSignature) } else { Ok(tags) }
    }

    fn decode(&self, text: &str) -> Option<Tag> {
        let text = text.strip_prefix(self.prefix.as_str())?;
        let bytes = match self.encoding {
            Encoding::Hex => hex::decode(text).ok()?,
            Encoding::Base64 => BASE64.decode(text).ok()?,
        };
        bytes.try_into().ok()
    }

    /// A signature as it stands in the header.
    pub(super) fn encode(&self, tag: Tag) -> String {
        let text = match self.encoding {
            Encoding::Hex => hex::encode(tag),
            Encoding::Base64 => BASE64.encode(tag),
        };
        format!("{}{text}", self.prefix)
    }
}

impl Timestamp {
    fn check(&self, headers: &HeaderMap, now_ms: UnixMs) -> Result<(), Unverified> {
        let text = once(headers, &self.header)?.ok_or(Unverified::MalformedTimestamp)?;
        let sent_s = seconds(text).ok_or(Unverified::MalformedTimestamp)?;
        let (now_s, tolerance_s) = (now_ms / 1000, self.tolerance.as_secs());
        if sent_s + tolerance_s < now_s {
            return Err(Unverified::StaleTimestamp);
        }
        if now_s + tolerance_s < sent_s {
            return Err(Unverified::FutureTimestamp);
        }
        Ok(())
    }
}

/// Decimal digits and nothing else, few enough not to overflow.
fn seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 12 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;

    const NOW_MS: UnixMs = 1_604_004_499_000;

    fn request(headers: &[(&str, &str)], body: &[u8]) -> Received {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Received {
            source: "s".into(),
            url: None,
            headers,
            body: Bytes::copy_from_slice(body),
            at_ms: NOW_MS,
            at: Instant::now(),
        }
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
