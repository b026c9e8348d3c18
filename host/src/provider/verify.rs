//! Says whether a request comes from who it says. Raw bytes, constant time, all secrets, no early exit.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use super::description::{Algorithm, Encoding, Provider, Signature, Timestamp};
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

/// A secret made ready to verify with, and to sign with where it can.
#[derive(Clone)]
pub struct Key(KeyKind);

#[derive(Clone)]
enum KeyKind {
    Hmac(Hmac<Sha256>),
    Ed25519 {
        public: [u8; 32],
        /// Only a seed can sign: a sender's public key cannot.
        pair: Option<Arc<Ed25519KeyPair>>,
    },
}

impl Key {
    /// Whether it can sign as the sender would.
    pub fn can_sign(&self) -> bool {
        !matches!(self.0, KeyKind::Ed25519 { pair: None, .. })
    }
}

/// What a secret begins with that is the seed of a key pair and not a public key alone.
const SEED: &[u8] = b"seed:";

/// A secret whose text is not what the provider's keys look like.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a key of this provider: it must be {0}")]
pub struct BadKey(&'static str);

const SEED_BYTES: &str = "seed: and 32 bytes";

/// How many signatures in one header are looked at.
const SIGNATURES: usize = 10;

impl Provider {
    /// Makes a secret ready. The text around it (a prefix, an encoding) is taken off as the provider says.
    pub fn key(&self, secret: &Secret) -> Result<Key, BadKey> {
        let form = &self.signature.key;
        let text = secret.expose();
        let text = text.strip_prefix(form.prefix.as_bytes()).unwrap_or(text);
        let seed = text.strip_prefix(SEED).filter(|_| self.signature.algorithm == Algorithm::Ed25519);
        let (text, is_seed) = (seed.unwrap_or(text), seed.is_some());
        let key = match form.encoding {
            None => Secret::new(text),
            Some(Encoding::Hex) => Secret::new(hex::decode(text).map_err(|_| BadKey("hexadecimal"))?),
            Some(Encoding::Base64) => Secret::new(BASE64.decode(text).map_err(|_| BadKey("base64"))?),
        };
        if key.expose().is_empty() {
            return Err(BadKey("more than nothing"));
        }
        match self.signature.algorithm {
            Algorithm::HmacSha256 => {
                let mac = <Hmac<Sha256> as Mac>::new_from_slice(key.expose()).map_err(|_| BadKey("shorter"))?;
                Ok(Key(KeyKind::Hmac(mac)))
            }
            Algorithm::Ed25519 if is_seed => {
                let pair = Ed25519KeyPair::from_seed_unchecked(key.expose()).map_err(|_| BadKey(SEED_BYTES))?;
                let public = pair.public_key().as_ref().try_into().map_err(|_| BadKey(SEED_BYTES))?;
                Ok(Key(KeyKind::Ed25519 { public, pair: Some(Arc::new(pair)) }))
            }
            Algorithm::Ed25519 => {
                let public =
                    key.expose().try_into().map_err(|_| BadKey("a public key of 32 bytes, or seed: and 32 bytes"))?;
                Ok(Key(KeyKind::Ed25519 { public, pair: None }))
            }
        }
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
            if self.is_signed_by(key, &candidates, &received)? {
                signer = signer.or(Some(n));
            }
        }
        signer.map(|secret| Verified { received, secret }).ok_or(Unverified::BadSignature)
    }

    /// Whether one of these signatures is the key's. All are looked at.
    fn is_signed_by(&self, key: &Key, candidates: &[Vec<u8>], received: &Received) -> Result<bool, Unverified> {
        let Received { headers, body, url, .. } = received;
        match &key.0 {
            KeyKind::Hmac(mac) => {
                let expected = self.mac(mac, headers, body, url.as_deref())?;
                let matches = candidates.iter().fold(Choice::from(0), |any, one| any | one.ct_eq(&expected));
                Ok(matches.into())
            }
            KeyKind::Ed25519 { public, .. } => {
                let signed = self.signed(headers, body, url.as_deref())?;
                let public = UnparsedPublicKey::new(&ED25519, public);
                Ok(candidates.iter().fold(false, |any, one| any | public.verify(&signed, one).is_ok()))
            }
        }
    }

    /// The signature over a request's bytes; nothing, where the key cannot sign or something that is signed is missing.
    pub(super) fn signature_by(
        &self,
        key: &Key,
        headers: &HeaderMap,
        body: &[u8],
        url: Option<&str>,
    ) -> Option<Vec<u8>> {
        match &key.0 {
            KeyKind::Hmac(mac) => self.mac(mac, headers, body, url).ok().map(Vec::from),
            KeyKind::Ed25519 { pair, .. } => {
                let signed = self.signed(headers, body, url).ok()?;
                Some(pair.as_ref()?.sign(&signed).as_ref().to_vec())
            }
        }
    }

    fn mac(
        &self,
        mac: &Hmac<Sha256>,
        headers: &HeaderMap,
        body: &[u8],
        url: Option<&str>,
    ) -> Result<[u8; 32], Unverified> {
        let mut mac = mac.clone();
        self.feed(headers, body, url, |piece| mac.update(piece))?;
        Ok(mac.finalize().into_bytes().into())
    }

    fn signed(&self, headers: &HeaderMap, body: &[u8], url: Option<&str>) -> Result<Vec<u8>, Unverified> {
        let mut signed = Vec::with_capacity(body.len() + 64);
        self.feed(headers, body, url, |piece| signed.extend_from_slice(piece))?;
        Ok(signed)
    }

    /// The bytes that are signed, piece by piece.
    fn feed(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        url: Option<&str>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), Unverified> {
        for part in self.signature.signed.parts() {
            match part {
                Part::Text(text) => take(text.as_bytes()),
                Part::Body => take(body),
                Part::Header(name) => take(signed_header(headers, name)?),
                Part::Timestamp => match &self.timestamp {
                    Some(rule) => take(signed_header(headers, &rule.header)?),
                    None => return Err(Unverified::NoSignedHeader),
                },
                Part::Url => take(url.ok_or(Unverified::NoSignedHeader)?.as_bytes()),
                Part::Pointer(_) | Part::Form(..) => return Err(Unverified::NoSignedHeader),
            }
        }
        Ok(())
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
    fn candidates(&self, header: &[u8]) -> Result<Vec<Vec<u8>>, Unverified> {
        let text = std::str::from_utf8(header).map_err(|_| Unverified::MalformedSignature)?;
        let tags: Vec<Vec<u8>> = match &self.separator {
            None => self.decode(text).into_iter().collect(),
            Some(separator) => {
                text.split(separator.as_str()).filter_map(|one| self.decode(one)).take(SIGNATURES).collect()
            }
        };
        if tags.is_empty() { Err(Unverified::MalformedSignature) } else { Ok(tags) }
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        let text = text.strip_prefix(self.prefix.as_str())?;
        let bytes = match self.encoding {
            Encoding::Hex => hex::decode(text).ok()?,
            Encoding::Base64 => BASE64.decode(text).ok()?,
        };
        Some(bytes).filter(|bytes| bytes.len() == self.algorithm.signature_bytes())
    }

    /// A signature as it stands in the header.
    pub(super) fn encode(&self, tag: &[u8]) -> String {
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
