//! Secrets made ready: what a source's secret becomes under its provider's description.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use ring::rand::SystemRandom;
use ring::signature::{
    ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaParameters, UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use smallvec::SmallVec;
use subtle::{Choice, ConstantTimeEq};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::certificate::{Certificate, is_topic};
use super::description::Provider;
use super::scheme::{Algorithm, Content, KeyEncoding, Scheme};
use super::sign::fresh_id;
use crate::event::UnixMs;
use crate::secret::Secret;

/// A secret made ready to verify with, and to sign with where it can.
#[derive(Clone)]
pub struct Key {
    pub(super) kind: KeyKind,
    /// Which of the provider's schemes it is for.
    pub(super) scheme: usize,
    not_before_ms: UnixMs,
    not_after_ms: UnixMs,
}

#[derive(Clone)]
pub(super) enum KeyKind {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha512(Hmac<Sha512>),
    Ed25519 {
        public: [u8; 32],
        /// Only a private key can sign: a sender's public key cannot.
        pair: Option<Arc<Ed25519KeyPair>>,
    },
    Rsa {
        /// PKCS #1, in DER.
        public: Arc<[u8]>,
        pair: Option<Arc<RsaKeyPair>>,
    },
    /// The secret that is shown.
    Token(Secret),
    /// The name of an SNS topic, whose messages are checked by Amazon's certificate.
    Topic(Secret),
}

/// What an Ed25519 secret begins with that is the seed of a key pair and not a public key alone.
const SEED: &[u8] = b"seed:";

/// A secret whose text is not what the provider's keys look like.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a key of this provider: it must be {0}")]
pub struct BadKey(&'static str);

impl Key {
    fn new(kind: KeyKind, scheme: usize) -> Key {
        Key { kind, scheme, not_before_ms: 0, not_after_ms: UnixMs::MAX }
    }

    /// The same key, which counts only in a span of time, its ends included.
    pub fn between(self, not_before_ms: Option<UnixMs>, not_after_ms: Option<UnixMs>) -> Key {
        let (not_before_ms, not_after_ms) = (not_before_ms.unwrap_or(0), not_after_ms.unwrap_or(UnixMs::MAX));
        Key { not_before_ms, not_after_ms, ..self }
    }

    /// Whether it counts at a time.
    pub fn is_live(&self, now_ms: UnixMs) -> bool {
        (self.not_before_ms..=self.not_after_ms).contains(&now_ms)
    }

    /// When it stops to count, where it does.
    pub fn not_after_ms(&self) -> Option<UnixMs> {
        Some(self.not_after_ms).filter(|at| *at != UnixMs::MAX)
    }

    /// When it begins to count, where that is said.
    pub fn not_before_ms(&self) -> Option<UnixMs> {
        Some(self.not_before_ms).filter(|at| *at != 0)
    }

    /// Whether it can sign as the sender would.
    pub fn can_sign(&self) -> bool {
        !matches!(self.kind, KeyKind::Ed25519 { pair: None, .. } | KeyKind::Rsa { pair: None, .. } | KeyKind::Topic(_))
    }

    /// The HMAC of some bytes in hexadecimal, where it is a key for that.
    pub(super) fn mac_of(&self, bytes: &[u8]) -> Option<String> {
        let is_mac = matches!(self.kind, KeyKind::HmacSha1(_) | KeyKind::HmacSha256(_) | KeyKind::HmacSha512(_));
        is_mac.then(|| self.sign(&[bytes.into()]).map(hex::encode))?
    }

    /// Signs a text that stands in pieces; nothing, where it cannot.
    pub(super) fn sign(&self, pieces: &Pieces) -> Option<Vec<u8>> {
        match &self.kind {
            KeyKind::HmacSha1(key) => Some(tag(key, pieces).to_vec()),
            KeyKind::HmacSha256(key) => Some(tag(key, pieces).to_vec()),
            KeyKind::HmacSha512(key) => Some(tag(key, pieces).to_vec()),
            KeyKind::Ed25519 { pair, .. } => Some(pair.as_ref()?.sign(&pieces.concat()).as_ref().to_vec()),
            KeyKind::Rsa { pair, .. } => {
                let pair = pair.as_ref()?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &pieces.concat(), &mut signature).ok()?;
                Some(signature)
            }
            KeyKind::Token(secret) => Some(secret.expose().to_vec()),
            KeyKind::Topic(_) => None,
        }
    }

    /// Whether one of these signatures over a text is the key's. All are looked at. `rsa` is how RSA is used.
    pub(super) fn has_signed(&self, pieces: &Pieces, tags: &[Tag], rsa: &'static RsaParameters) -> bool {
        fn any<M: Mac + Clone>(key: &M, pieces: &Pieces, tags: &[Tag]) -> bool {
            let expected = tag(key, pieces);
            tags.iter().fold(Choice::from(0), |any, one| any | equal(one, &expected)).into()
        }
        match &self.kind {
            KeyKind::HmacSha1(key) => any(key, pieces, tags),
            KeyKind::HmacSha256(key) => any(key, pieces, tags),
            KeyKind::HmacSha512(key) => any(key, pieces, tags),
            KeyKind::Ed25519 { public, .. } => {
                let (public, signed) = (UnparsedPublicKey::new(&ED25519, public), pieces.concat());
                tags.iter().fold(false, |any, one| any | public.verify(&signed, one).is_ok())
            }
            KeyKind::Rsa { public, .. } => rsa_has_signed(public, pieces, tags, rsa),
            KeyKind::Token(secret) => tags.iter().fold(false, |any, one| any | secret.equals(one)),
            KeyKind::Topic(_) => false,
        }
    }
}

/// A text that is signed, in pieces.
pub(super) type Pieces<'a> = [Cow<'a, [u8]>];

/// A signature, decoded: most need no memory of their own.
pub(super) type Tag = SmallVec<[u8; 64]>;

fn tag<M: Mac + Clone>(key: &M, pieces: &Pieces) -> hmac::digest::Output<M> {
    let mut mac = key.clone();
    pieces.iter().for_each(|piece| mac.update(piece));
    mac.finalize().into_bytes()
}

/// Whether two signatures are the same, in a time that tells their lengths and nothing else. Eight bytes are compared at a time.
fn equal(one: &[u8], other: &[u8]) -> Choice {
    if one.len() != other.len() {
        return Choice::from(0);
    }
    let ((words, bytes), (other_words, other_bytes)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let pairs =
        words.iter().zip(other_words).map(|(one, other)| (u64::from_le_bytes(*one), u64::from_le_bytes(*other)));
    pairs.fold(bytes.ct_eq(other_bytes), |all, (one, other)| all & one.ct_eq(&other))
}

/// Whether one of these signatures over a text was made by the owner of an RSA key (PKCS #1, in DER).
pub(super) fn rsa_has_signed(public: &[u8], pieces: &Pieces, tags: &[Tag], rsa: &'static RsaParameters) -> bool {
    let (public, signed) = (UnparsedPublicKey::new(rsa, public), pieces.concat());
    tags.iter().fold(false, |any, one| any | public.verify(&signed, one).is_ok())
}

impl Provider {
    /// Makes a secret ready. The text around it (a prefix, an encoding) is taken off as the provider says.
    pub fn key(&self, secret: &Secret) -> Result<Key, BadKey> {
        let text = secret.expose();
        if text.is_empty() {
            return Err(BadKey("more than nothing"));
        }
        let n = self.scheme_of(text);
        let scheme = &self.schemes[n];
        let form = &scheme.signature.key;
        let private = form.private_prefix.as_ref().and_then(|prefix| text.strip_prefix(prefix.as_bytes()));
        let (text, is_private) = match private {
            Some(rest) => (rest, true),
            None => {
                let text = text.strip_prefix(form.prefix.as_bytes()).unwrap_or(text);
                let seed = text.strip_prefix(SEED).filter(|_| scheme.signature.algorithm == Algorithm::Ed25519);
                (seed.unwrap_or(text), seed.is_some())
            }
        };
        let bytes = match form.encoding {
            KeyEncoding::Text | KeyEncoding::Pem => Secret::new(text),
            KeyEncoding::Hex => Secret::new(hex::decode(text).map_err(|_| BadKey("hexadecimal"))?),
            KeyEncoding::Base64 => Secret::new(BASE64.decode(text).map_err(|_| BadKey("base64"))?),
        };
        if bytes.expose().is_empty() {
            return Err(BadKey("more than nothing"));
        }
        Ok(Key::new(scheme.kind(bytes, is_private)?, n))
    }

    /// The same for a secret of a source. What verifies a request of anybody's is none: by Amazon's certificate all topics of all accounts are signed.
    pub fn key_of_source(&self, secret: &Secret) -> Result<Key, BadKey> {
        let key = self.key(secret)?;
        let is_anybodys = matches!(self.schemes[key.scheme].signature.signed, Content::Sns)
            && matches!(key.kind, KeyKind::Rsa { pair: None, .. });
        if is_anybodys {
            Err(BadKey("the topic's ARN: by a certificate, everybody's messages would be taken"))
        } else {
            Ok(key)
        }
    }

    /// The scheme that a secret is for: the one whose prefix it begins with, else the first that takes any.
    fn scheme_of(&self, text: &[u8]) -> usize {
        let begins = |prefix: &str| !prefix.is_empty() && text.starts_with(prefix.as_bytes());
        let told = self.schemes.iter().position(|Scheme { signature, .. }| {
            begins(&signature.key.prefix) || signature.key.private_prefix.as_deref().is_some_and(begins)
        });
        let any = || self.schemes.iter().position(|scheme| scheme.signature.key.prefix.is_empty());
        told.or_else(any).unwrap_or(0)
    }

    /// The same provider, but signed in a way for which a key can be made at once: for whoever has neither a sender nor a gateway.
    pub fn for_a_trial(&self) -> Provider {
        Provider { schemes: vec![Scheme::of_a_trial()], ..self.clone() }
    }

    /// A key that signs and verifies. The error is for a provider whose keys cannot be made here (RSA).
    pub fn fresh_key(&self) -> Result<Key, BadKey> {
        let digits = format!("{}{}", fresh_id(), fresh_id()).replace('-', "");
        let text = match self.schemes[0].signature.algorithm {
            Algorithm::Ed25519 => format!("seed:{digits}"),
            // Hexadecimal digits are good text and good Base64 too.
            _ => digits,
        };
        self.key(&Secret::new(text))
    }
}

impl Scheme {
    fn kind(&self, key: Secret, is_private: bool) -> Result<KeyKind, BadKey> {
        if matches!(self.signature.signed, Content::Sns) {
            return topic_or_key(key);
        }
        let bytes = key.expose();
        match self.signature.algorithm {
            Algorithm::HmacSha1 => mac(bytes).map(KeyKind::HmacSha1),
            Algorithm::HmacSha256 => mac(bytes).map(KeyKind::HmacSha256),
            Algorithm::HmacSha512 => mac(bytes).map(KeyKind::HmacSha512),
            Algorithm::Ed25519 if is_private => ed25519_pair(bytes),
            Algorithm::Ed25519 => {
                let public = bytes.try_into();
                let public = public.map_err(|_| BadKey("a public key of 32 bytes, or seed: and 32 bytes"))?;
                Ok(KeyKind::Ed25519 { public, pair: None })
            }
            Algorithm::RsaSha256 => rsa(bytes),
            Algorithm::Token => Ok(KeyKind::Token(key)),
        }
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8]) -> Result<M, BadKey> {
    <M as Mac>::new_from_slice(key).map_err(|_| BadKey("shorter"))
}

/// A seed, alone or with the public key behind it.
fn ed25519_pair(bytes: &[u8]) -> Result<KeyKind, BadKey> {
    const WANTED: BadKey = BadKey("a private key of 32 bytes, or of 64 with the public one behind it");
    let seed = bytes.first_chunk::<32>().filter(|_| matches!(bytes.len(), 32 | 64)).ok_or(WANTED)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| WANTED)?;
    let public = pair.public_key().as_ref().try_into().map_err(|_| WANTED)?;
    Ok(KeyKind::Ed25519 { public, pair: Some(Arc::new(pair)) })
}

/// A certificate, a public key, or a private key, in PEM.
fn rsa(pem: &[u8]) -> Result<KeyKind, BadKey> {
    const WANTED: BadKey = BadKey("an RSA certificate, public key or private key in PEM");
    if let Ok(private) = PrivateKeyDer::from_pem_slice(pem) {
        let pair = match &private {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(WANTED),
        };
        let pair = pair.map_err(|_| WANTED)?;
        return Ok(KeyKind::Rsa { public: pair.public().as_ref().into(), pair: Some(Arc::new(pair)) });
    }
    let public: Vec<u8> = match CertificateDer::from_pem_slice(pem) {
        Ok(der) => Certificate::public_key(&der).ok_or(WANTED)?,
        Err(_) => {
            let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| WANTED)?;
            let (_, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| WANTED)?;
            info.subject_public_key.data.to_vec()
        }
    };
    Ok(KeyKind::Rsa { public: public.into(), pair: None })
}

fn topic_or_key(key: Secret) -> Result<KeyKind, BadKey> {
    if std::str::from_utf8(key.expose()).is_ok_and(is_topic) {
        return Ok(KeyKind::Topic(key));
    }
    const WANTED: BadKey = BadKey("the topic's ARN (arn:aws:sns:REGION:ACCOUNT:NAME)");
    rsa(key.expose()).map_err(|_| WANTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_equal_to_itself_and_to_no_other() {
        for bytes in [0, 1, 7, 8, 20, 32, 64] {
            let one: Vec<u8> = (0..bytes).collect();
            assert!(bool::from(equal(&one, &one)), "{bytes} bytes");
            for bit in 0..one.len() * 8 {
                let mut other = one.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(!bool::from(equal(&one, &other)), "bit {bit} of {bytes} bytes");
            }
            for more in [&[0; 1][..], &[0; 8]] {
                let longer = [&one, more].concat();
                let equal = equal(&one, &longer) | equal(&longer, &one);
                assert!(!bool::from(equal), "{bytes} bytes and {} more", more.len());
            }
        }
    }
}
