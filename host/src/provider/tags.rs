//! Signatures as they are written: read out of a text, and written into one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use smallvec::{SmallVec, smallvec};

use super::key::Tag;
use super::scheme::{Algorithm, Encoding, Signature};
use super::verify::Unverified;

/// How many signatures in one place are looked at.
const SIGNATURES: usize = 10;

/// The longest signature that is looked at, in bytes: RSA's of 8192 bits.
const TAG_BYTES: usize = 1024;

/// The signatures in one place; mostly there is one.
pub(super) type Tags = SmallVec<[Tag; 1]>;

impl Signature {
    /// The signatures in a text, decoded.
    pub(super) fn tags(&self, text: &[u8]) -> Result<Tags, Unverified> {
        if self.algorithm == Algorithm::Token {
            let token = text.strip_prefix(self.prefix.as_bytes()).ok_or(Unverified::MalformedSignature)?;
            return Ok(smallvec![Tag::from_slice(token)]);
        }
        let text = std::str::from_utf8(text).map_err(|_| Unverified::MalformedSignature)?;
        let tags: Tags = match &self.separator {
            None => smallvec![self.decode(text).ok_or(Unverified::MalformedSignature)?],
            Some(separator) => {
                let decoded = |one: &str| self.decode(one.trim());
                match separator.as_bytes() {
                    // Much quicker to find than a text.
                    [one] if one.is_ascii() => {
                        text.split(char::from(*one)).filter_map(decoded).take(SIGNATURES).collect()
                    }
                    _ => text.split(separator.as_str()).filter_map(decoded).take(SIGNATURES).collect(),
                }
            }
        };
        if tags.is_empty() { Err(Unverified::MalformedSignature) } else { Ok(tags) }
    }

    fn decode(&self, text: &str) -> Option<Tag> {
        let text = text.strip_prefix(self.prefix.as_str())?;
        let bytes = match self.encoding {
            Encoding::Hex if text.len().is_multiple_of(2) && text.len() <= 2 * TAG_BYTES => {
                let mut bytes = smallvec![0; text.len() / 2];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                bytes
            }
            Encoding::Hex => return None,
            Encoding::Base64 if text.len() <= 2 * TAG_BYTES => {
                let mut bytes = smallvec![0; base64::decoded_len_estimate(text.len())];
                let long = BASE64.decode_slice(text, &mut bytes).ok()?;
                bytes.truncate(long);
                bytes
            }
            Encoding::Base64 => return None,
        };
        let fits = |wanted: usize| bytes.len() == wanted;
        self.algorithm.signature_bytes().is_none_or(fits).then_some(bytes)
    }

    /// A signature as it is sent.
    pub(super) fn encode(&self, tag: &[u8]) -> String {
        let text = match (self.algorithm, self.encoding) {
            (Algorithm::Token, _) => String::from_utf8_lossy(tag).into_owned(),
            (_, Encoding::Hex) => hex::encode(tag),
            (_, Encoding::Base64) => BASE64.encode(tag),
        };
        format!("{}{text}", self.prefix)
    }
}
