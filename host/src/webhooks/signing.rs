//! What a webhook's requests are signed with, in the ways of SoundHash and of Standard Webhooks, so that verifiers of both take them.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::event::UnixMs;
use crate::secret::{Secret, random_bytes};

/// What the secrets of Standard Webhooks begin with.
const SECRET: &str = "whsec_";

/// What their public keys begin with.
const PUBLIC: &str = "whpk_";

/// How long a secret may be, in bytes.
const SECRET_BYTES: RangeInclusive<usize> = 8..=512;

/// As the official libraries read Base64: with its padding or without.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Whether a secret can be one; the error is a sentence.
pub fn check_secret(text: &str) -> Result<(), String> {
    let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
    if !SECRET_BYTES.contains(&text.len()) || text.bytes().any(|c| !c.is_ascii_graphic()) {
        return Err(format!("must be {least} to {most} visible ASCII characters without spaces"));
    }
    match text.strip_prefix(SECRET).map(|rest| LENIENT.decode(rest)) {
        Some(Ok(key)) if key.is_empty() => Err("has nothing behind whsec_".into()),
        Some(Err(_)) => Err("must be Base64 behind whsec_, in the alphabet with + and /".into()),
        _ => Ok(()),
    }
}

/// A secret, and until when it signs beside its successor.
#[derive(Debug, Clone)]
pub struct Signer {
    /// As its owner knows it.
    pub secret: Secret,
    /// Nothing: for good.
    pub until_ms: Option<UnixMs>,
}

/// A fresh secret: `whsec_` and 32 random bytes.
pub fn fresh_secret() -> anyhow::Result<Secret> {
    let bytes = random_bytes::<32>().map_err(anyhow::Error::msg)?;
    Ok(Secret::new(format!("{SECRET}{}", STANDARD.encode(*bytes))))
}

/// A fresh Ed25519 key pair, as PKCS #8.
pub fn fresh_key_pair() -> anyhow::Result<Secret> {
    let pair = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new());
    let pair = pair.map_err(|_| anyhow::anyhow!("this system has no randomness"))?;
    Ok(Secret::new(pair.as_ref()))
}

/// The public half of a key pair, as Standard Webhooks writes it; nothing, where there is no pair in it.
pub fn public_key(pkcs8: &Secret) -> Option<String> {
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.expose()).ok()?;
    Some(format!("{PUBLIC}{}", STANDARD.encode(pair.public_key())))
}

/// Which names of headers are ours, so that no custom header can have one.
pub fn is_ours(name: &HeaderName) -> bool {
    // Some servers take one for the other.
    let name = &*name.as_str().replace('_', "-");
    ["x-webhook-", "webhook-", "svix-"].iter().any(|start| name.starts_with(start))
        || matches!(name, "x-delivery-id" | "content-type" | "user-agent")
}

/// What a request is about.
pub struct Subject<'a> {
    /// The webhook's id.
    pub webhook: &'a str,
    /// The event's id: the same on each attempt.
    pub event: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// Unix seconds.
    pub now_s: u64,
}

/// What signs: several secrets while one takes the place of another, the newest first; and a key pair, where the webhook has one.
pub struct Keys<'a> {
    /// The secrets.
    pub secrets: &'a [Secret],
    /// Which of them signs where there is room for one signature.
    pub alone: usize,
    /// The key pair, as PKCS #8.
    pub pair: Option<&'a Secret>,
}

/// The headers that say what a body is and prove it.
///
/// Sources: SoundHash's `webhooks/delivery` (`X-Webhook-Signature` is the HMAC-SHA256 of the body in hex); the Standard Webhooks
/// specification, "Signature scheme" (`{id}.{timestamp}.{body}`, `v1` HMAC-SHA256 and `v1a` Ed25519 in Base64, separated by spaces).
pub fn headers(subject: &Subject, keys: &Keys, body: &[u8]) -> Option<HeaderMap> {
    let Subject { webhook, event, event_type, now_s } = subject;
    let alone = keys.secrets.get(keys.alone).or(keys.secrets.first())?;
    let timestamp = now_s.to_string();
    let signed = [event.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let mut signatures: Vec<String> = Vec::new();
    for key in keys.secrets.iter().flat_map(standard_keys) {
        signatures.push(format!("v1,{}", STANDARD.encode(hmac(&key, &signed))));
    }
    if let Some(pair) = keys.pair {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pair.expose()).ok()?;
        signatures.push(format!("v1a,{}", STANDARD.encode(pair.sign(&signed.concat()))));
    }
    let named = [
        ("content-type", "application/json".to_owned()),
        ("x-webhook-signature", hex::encode(hmac(alone.expose(), &[body]))),
        ("x-webhook-event", (*event_type).to_owned()),
        ("x-webhook-id", (*webhook).to_owned()),
        ("x-webhook-timestamp", timestamp.clone()),
        ("x-delivery-id", format!("{event}:{webhook}")),
        ("webhook-id", (*event).to_owned()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures.join(" ")),
    ];
    let header = |(name, value): (&'static str, String)| {
        // Types come from senders: what cannot stand in a header stands in the body alone.
        Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
    };
    Some(named.into_iter().filter_map(header).collect())
}

/// The keys that verifiers of Standard Webhooks may have made of a secret: the bytes behind `whsec_`; without that, the text itself, and
/// what it means as Base64, as the official libraries read it.
fn standard_keys(secret: &Secret) -> Vec<Zeroizing<Vec<u8>>> {
    let text = secret.expose();
    let decoded = |text: &[u8]| LENIENT.decode(text).ok().filter(|key| !key.is_empty()).map(Zeroizing::new);
    match text.strip_prefix(SECRET.as_bytes()).and_then(decoded) {
        Some(key) => vec![key],
        None => [Some(Zeroizing::new(text.to_vec())), decoded(text)].into_iter().flatten().collect(),
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ED25519, UnparsedPublicKey};

    const SUBJECT: Subject =
        Subject { webhook: "whk_1", event: "msg_p5jXN8AQM9LWM0D4loKWxJek", event_type: "a.b", now_s: 1614265330 };

    fn signed(secrets: &[&str], alone: usize, pair: Option<&Secret>, body: &[u8]) -> HeaderMap {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        headers(&SUBJECT, &Keys { secrets: &secrets, alone, pair }, body).unwrap()
    }

    #[test]
    fn the_vector_of_standard_webhooks_comes_out() {
        let headers = signed(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], 0, None, br#"{"test": 2432232314}"#);
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
    }

    #[test]
    fn the_body_alone_is_signed_by_the_text_of_the_secret() {
        // printf 'Hello, World!' | openssl dgst -sha256 -hmac "It's a Secret to Everybody"
        let headers = signed(&["It's a Secret to Everybody", "another"], 0, None, b"Hello, World!");
        let expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(headers["x-webhook-signature"], expected);
        assert_eq!(headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
        assert_ne!(
            signed(&["It's a Secret to Everybody", "another"], 1, None, b"Hello, World!")["x-webhook-signature"],
            expected
        );
    }

    #[test]
    fn a_secret_without_its_prefix_signs_as_text_and_as_base64() {
        let headers = signed(&["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], 0, None, br#"{"test": 2432232314}"#);
        let both = headers["webhook-signature"].to_str().unwrap();
        assert!(both.ends_with(" v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), "{both}");
    }

    #[test]
    fn a_secret_that_verifiers_would_read_otherwise_is_none() {
        for good in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8G", "topsecret", "It's-a-secret"] {
            assert_eq!(check_secret(good), Ok(()), "{good}");
        }
        for bad in ["", "short", "whsec_", "whsec_====", "whsec_a-b_c-d_", "with space", "grün-grün", &"x".repeat(513)]
        {
            assert!(check_secret(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_pair_signs_too() {
        let pair = fresh_key_pair().unwrap();
        let headers = signed(&["whsec_AAAAAAAAAAAA"], 0, Some(&pair), b"{}");
        let last = headers["webhook-signature"].to_str().unwrap().rsplit("v1a,").next().unwrap().to_owned();
        let public = STANDARD.decode(public_key(&pair).unwrap().strip_prefix(PUBLIC).unwrap()).unwrap();
        let signed = format!("{}.{}.{{}}", SUBJECT.event, SUBJECT.now_s);
        let signature = STANDARD.decode(last).unwrap();
        UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).unwrap();
    }
}
