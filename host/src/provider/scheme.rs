//! One way in which a provider signs: where the signature and the timestamp are, and what is signed by what.

use std::fmt;

use http::HeaderName;
use serde_json::Value;

use super::names::Names;
use super::template::{Part, Template, View, fields};
use super::timestamp::Timestamp;
use crate::section::Section;

/// A signature and the timestamp that goes with it. Which scheme of several counts is told by the secret.
#[derive(Debug, Clone)]
pub(super) struct Scheme {
    pub signature: Signature,
    pub timestamp: Option<Timestamp>,
}

/// Where the signature is, and what is signed by what.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    pub at: Place,
    /// Between several signatures in one place.
    pub separator: Option<String>,
    /// Before each signature; what has another one is ignored where there is a separator.
    pub prefix: String,
    pub algorithm: Algorithm,
    pub encoding: Encoding,
    pub signed: Content,
    pub key: KeyForm,
}

/// Where in a request something is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// A header.
    Header(Names),
    /// A field in a header that is a list of `name=value`.
    Field(Names, String),
    /// A value in the JSON body, by its pointer.
    Body(String),
}

/// What is signed.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// These bytes.
    Template(Template),
    /// Nothing: the secret itself is shown.
    Nothing,
    /// Twilio's form of a request.
    Twilio,
    /// Amazon SNS's form of a message.
    Sns,
}

/// What signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// One secret for both sides (RFC 2104), with SHA-1.
    HmacSha1,
    /// The same with SHA-256.
    HmacSha256,
    /// The same with SHA-512.
    HmacSha512,
    /// The sender has a private key, and we its public one (RFC 8032).
    Ed25519,
    /// The same with RSA (RFC 8017, PKCS #1 v1.5) and SHA-256.
    RsaSha256,
    /// The secret itself is sent.
    Token,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Hex,
    Base64,
}

/// How the text of a secret becomes a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyForm {
    pub encoding: KeyEncoding,
    /// Taken off first, where it is there.
    pub prefix: String,
    /// What a private key begins with, which can sign too.
    pub private_prefix: Option<String>,
}

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyEncoding {
    /// The text's bytes are the key.
    Text,
    Hex,
    Base64,
    /// RFC 7468.
    Pem,
}

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("hmac-sha256", Algorithm::HmacSha256),
    ("hmac-sha1", Algorithm::HmacSha1),
    ("hmac-sha512", Algorithm::HmacSha512),
    ("ed25519", Algorithm::Ed25519),
    ("rsa-sha256", Algorithm::RsaSha256),
    ("token", Algorithm::Token),
];
const ENCODINGS: &[(&str, Encoding)] = &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const KEYS: &[(&str, KeyEncoding)] = &[
    ("text", KeyEncoding::Text),
    ("hex", KeyEncoding::Hex),
    ("base64", KeyEncoding::Base64),
    ("pem", KeyEncoding::Pem),
];
const CANONICAL: &[(&str, Content)] = &[("twilio", Content::Twilio), ("aws-sns", Content::Sns)];

/// What a secret of SNS's is.
const SNS_KEY: &str = "the topic's ARN, and Amazon's certificate is fetched; for trying, an RSA private key in PEM";

/// One of several words; the first is meant where none is said.
pub(super) fn word<T: Clone>(section: &mut Section, key: &str, words: &[(&str, T)]) -> T {
    let said: Option<String> = section.optional(key);
    let found = words.iter().find(|(name, _)| said.as_deref().is_none_or(|said| said == *name));
    let (_, meant) = found.unwrap_or_else(|| {
        let names: Vec<String> = words.iter().map(|(name, _)| format!("{name:?}")).collect();
        section.mistake(key, format_args!("is none that there is: take one of {}", names.join(", ")));
        &words[0]
    });
    meant.clone()
}

impl Scheme {
    /// Reads `signature` and `timestamp` of a table.
    pub fn read(section: &mut Section) -> Option<Scheme> {
        let signature = Signature::read(section.section("signature"));
        let timestamp = section.optional_section("timestamp").and_then(Timestamp::read);
        let signature = signature?;
        match (&timestamp, signature.covers_time(timestamp.as_ref())) {
            (None, true) => section.mistake("timestamp", "is missing: `signed` has a {timestamp}, so say where it is"),
            (Some(_), false) => {
                section.mistake("timestamp", "is not signed, so anyone could renew it: `signed` has no {timestamp}")
            }
            _ => {}
        }
        Some(Scheme { signature, timestamp })
    }

    /// HMAC over the body, which anybody can make a key for.
    pub fn of_a_trial() -> Scheme {
        let signature = Signature {
            at: Place::Header(Names::of(HeaderName::from_static("x-hookgate-trial"))),
            separator: None,
            prefix: String::new(),
            algorithm: Algorithm::HmacSha256,
            encoding: Encoding::Hex,
            signed: Content::Template(Template::raw_body()),
            key: KeyForm { encoding: KeyEncoding::Text, prefix: String::new(), private_prefix: None },
        };
        Scheme { signature, timestamp: None }
    }

    /// What it says, for people.
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let Signature { at, separator, prefix, algorithm, encoding, signed, key } = &self.signature;
        let encoding = match encoding {
            Encoding::Hex => "hex",
            Encoding::Base64 => "base64",
        };
        let what = match algorithm {
            Algorithm::Token => "the secret itself".to_owned(),
            _ => format!("{prefix}<{encoding} of {}>", algorithm.name()),
        };
        let listed = separator.as_ref().map(|between| format!(", several of them between {between:?}"));
        let time = self
            .timestamp
            .as_ref()
            .map(|rule| format!("{} {}, at most {} s off", rule.at, rule.form, rule.tolerance.as_secs()));
        let mut told = vec![
            ("signature", format!("{at} has {what}{}", listed.unwrap_or_default())),
            ("signed", signed.to_string()),
            ("key", if matches!(signed, Content::Sns) { SNS_KEY.to_owned() } else { key.to_string() }),
        ];
        if !self.signature.covers_body() {
            told.push(("careful", "the body is not covered: who sees one request can send others".to_owned()));
        }
        told.extend(time.map(|time| ("timestamp", time)));
        told
    }
}

impl Signature {
    fn read(mut section: Section) -> Option<Signature> {
        let at = place(&mut section, "say where the signature is, as in \"{header:X-Signature}\"");
        if !section.has("algorithm") {
            section.mistake(
                "algorithm",
                "is missing: take \"hmac-sha256\", or see docs/custom-provider.md for the others",
            );
        }
        let algorithm = word(&mut section, "algorithm", ALGORITHMS);
        let encoding = word(&mut section, "encoding", ENCODINGS);
        let key = KeyForm {
            encoding: word(&mut section, "key", KEYS),
            prefix: section.or("key_prefix", String::new()),
            private_prefix: section.optional("private_key_prefix"),
        };
        let signed = signed(&mut section, algorithm);
        let covers_body = section.or("covers_body", true);
        let (separator, prefix) = (section.optional("separator"), section.or("prefix", String::new()));
        let read =
            at.zip(signed).map(|(at, signed)| Signature { at, separator, prefix, algorithm, encoding, signed, key });
        if let Some(read) = &read {
            read.check(&section, covers_body);
        }
        section.finish();
        read
    }

    /// A signature that leaves the body out protects little, and one over parsed values is one over another text.
    fn check(&self, section: &Section, says_it_covers: bool) {
        let Content::Template(template) = &self.signed else {
            if says_it_covers && !self.covers_body() {
                section
                    .mistake("covers_body", "must be said: write covers_body = false, since a token protects no body");
            }
            return;
        };
        if says_it_covers && !self.covers_body() {
            let told =
                "leaves the {body} out: it would not be protected. If the sender does so, say covers_body = false";
            section.mistake("signed", told);
        }
        if says_it_covers && template.parts().any(|part| matches!(part, Part::Pointer(_) | Part::Form(..))) {
            section.mistake("signed", "reads inside the body, which must not be parsed before it is verified");
        }
        let is_odd = |part: &Part| {
            matches!(part, Part::Field(..) | Part::Form(..) | Part::Mac(_) | Part::Query(_) | Part::Digest)
        };
        if template.has_optional_groups() || template.parts().any(is_odd) {
            section.mistake(
                "signed",
                "takes {header:..}, {timestamp}, {body}, {url} and plain text, and nothing in brackets",
            );
        }
        if self.covers_body() && matches!(self.at, Place::Body(_)) {
            section.mistake("at", "is in the body that is signed: no signature can be over itself");
        }
        if self.algorithm == Algorithm::RsaSha256 && self.key.encoding != KeyEncoding::Pem {
            section.mistake("key", "of RSA must be \"pem\"");
        }
    }

    /// Whether a change of the body would be noticed.
    pub fn covers_body(&self) -> bool {
        match &self.signed {
            Content::Template(template) => template.parts().any(|part| *part == Part::Body),
            Content::Nothing => false,
            Content::Twilio | Content::Sns => true,
        }
    }

    /// Whether the address that is posted to is signed.
    pub fn covers_url(&self) -> bool {
        match &self.signed {
            Content::Template(template) => template.parts().any(|part| *part == Part::Url),
            Content::Twilio => true,
            Content::Nothing | Content::Sns => false,
        }
    }

    fn covers_time(&self, timestamp: Option<&Timestamp>) -> bool {
        let Content::Template(template) = &self.signed else {
            return timestamp.is_some() && matches!(self.signed, Content::Sns);
        };
        template.parts().any(|part| match (part, timestamp.map(|timestamp| &timestamp.at)) {
            (Part::Timestamp, _) => true,
            (Part::Header(names), Some(Place::Header(at))) => names == at,
            (Part::Body, Some(Place::Body(_))) => true,
            (Part::Pointer(pointer), Some(Place::Body(at))) => pointer == at,
            _ => false,
        })
    }
}

/// What is signed, by the section's words.
fn signed(section: &mut Section, algorithm: Algorithm) -> Option<Content> {
    if algorithm == Algorithm::Token {
        return Some(Content::Nothing);
    }
    if section.has("canonical") {
        return Some(word(section, "canonical", CANONICAL));
    }
    let hint = "say which bytes are signed, as in \"{timestamp}.{body}\"";
    section.required_parsed("signed", hint).map(Content::Template)
}

/// The place that `at` means, which is one thing and no text around it.
pub(super) fn place(section: &mut Section, hint: &str) -> Option<Place> {
    let at: Template = section.required_parsed("at", hint)?;
    match at.lone() {
        Some(Part::Header(names)) => Some(Place::Header(names.clone())),
        Some(Part::Field(names, field)) => Some(Place::Field(names.clone(), field.clone())),
        Some(Part::Pointer(pointer)) => Some(Place::Body(pointer.clone())),
        _ => {
            section.mistake("at", "must be one place, as in \"{header:X-Name}\" or \"{body:/pointer}\"");
            None
        }
    }
}

impl Place {
    /// What stands there.
    pub fn text(&self, view: &View) -> Option<String> {
        let header = |names: &Names| view.headers.get(names.found_in(view.headers))?.to_str().ok();
        match self {
            Place::Header(names) => header(names).map(str::to_owned),
            Place::Field(names, field) => fields(header(names)?, field).next().map(str::to_owned),
            Place::Body(pointer) => match view.json?.pointer(pointer)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }
}

impl Algorithm {
    /// How long a signature is, in bytes, where that is always the same.
    pub fn signature_bytes(self) -> Option<usize> {
        match self {
            Algorithm::HmacSha1 => Some(20),
            Algorithm::HmacSha256 => Some(32),
            Algorithm::HmacSha512 | Algorithm::Ed25519 => Some(64),
            Algorithm::RsaSha256 | Algorithm::Token => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Algorithm::HmacSha1 => "HMAC-SHA1",
            Algorithm::HmacSha256 => "HMAC-SHA256",
            Algorithm::HmacSha512 => "HMAC-SHA512",
            Algorithm::Ed25519 => "Ed25519",
            Algorithm::RsaSha256 => "RSA with SHA-256",
            Algorithm::Token => "nothing",
        }
    }
}

/// A header's name as vendors write it.
pub(super) fn title(name: &HeaderName) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.as_str().split('-').filter(|part| !part.is_empty()).map(word).collect::<Vec<_>>().join("-")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Header(names) => f.write_str(&title(names.first())),
            Place::Field(names, field) => write!(f, "{field} in {}", title(names.first())),
            Place::Body(pointer) => write!(f, "{pointer} in the body"),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Template(template) => template.fmt(f),
            Content::Nothing => f.write_str("nothing"),
            Content::Twilio => f.write_str("{url} and the sorted fields of the form; of JSON its digest, in the query"),
            Content::Sns => {
                f.write_str("the message's fields in order, each a line with its name and one with its value")
            }
        }
    }
}

impl fmt::Display for KeyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.encoding {
            KeyEncoding::Text => "the secret as it is",
            KeyEncoding::Hex => "the secret, hex decoded",
            KeyEncoding::Base64 => "the secret, base64 decoded",
            KeyEncoding::Pem => "the secret in PEM",
        })?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, " without {}", self.prefix) }
    }
}
