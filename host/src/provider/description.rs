//! What a provider's TOML says, read and checked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use super::handshake::Handshake;
use super::template::{FirstOf, Part, Template};
use crate::event::RESERVED;
use crate::section::{Mistakes, Section};

/// How one kind of sender signs and shapes its webhooks.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name: the file's, or the source's for one that stands in the config.
    pub name: Arc<str>,
    /// One line for people.
    pub about: String,
    /// The vendor's page.
    pub docs: Option<String>,
    pub(super) signature: Signature,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) event_type: FirstOf,
    pub(super) delivery_id: FirstOf,
    /// Whether the sender promises JSON.
    pub(super) is_json: bool,
    pub(super) attributes: Vec<(String, FirstOf)>,
    /// What the sender takes for success.
    pub success: StatusCode,
    /// What a sender that waits for an answer is told where there is none in time.
    pub late: Option<Late>,
    pub(super) handshakes: Vec<Handshake>,
    pub(super) samples: Vec<Sample>,
}

/// What a sender that waits for an answer is told where there is none in time.
#[derive(Debug, Clone)]
pub struct Late {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
    /// What the body is.
    pub content_type: HeaderValue,
}

/// Where the signature is, and what is signed by what.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    pub header: HeaderName,
    /// Between several signatures in one header.
    pub separator: Option<String>,
    /// Before each signature; what has another one is ignored where there is a separator.
    pub prefix: String,
    pub algorithm: Algorithm,
    pub encoding: Encoding,
    pub signed: Template,
    pub key: KeyForm,
}

/// What signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// One secret for both sides (RFC 2104).
    HmacSha256,
    /// The sender has a private key, and we its public one (RFC 8032).
    Ed25519,
}

impl Algorithm {
    /// How long a signature is, in bytes.
    pub fn signature_bytes(self) -> usize {
        match self {
            Algorithm::HmacSha256 => 32,
            Algorithm::Ed25519 => 64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Algorithm::HmacSha256 => "HMAC-SHA256",
            Algorithm::Ed25519 => "Ed25519",
        }
    }
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
    /// Nothing: the text's bytes are the key.
    pub encoding: Option<Encoding>,
    /// Taken off first, where it is there.
    pub prefix: String,
}

/// Where the signed timestamp is, in seconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct Timestamp {
    pub header: HeaderName,
    /// How far it may be from our clock, into the past and into the future.
    pub tolerance: Duration,
}

/// An example of what the sender sends.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub types: Vec<String>,
    /// The body, with `{type}` where the type stands.
    pub body: String,
    /// Pointers to the values that differ from one sample to the next.
    pub fresh: Vec<String>,
}

impl Late {
    fn read(mut section: Section) -> Option<Late> {
        let status = section.number("status", 200, 200..=299) as u16;
        let body = section.or("body", String::new());
        let content_type: Option<HeaderValue> = section.parsed("content_type");
        section.finish();
        let content_type = content_type.unwrap_or(HeaderValue::from_static("application/json"));
        Some(Late { status: StatusCode::from_u16(status).ok()?, body, content_type })
    }
}

impl Provider {
    /// Reads a description. What is wrong with it goes to the section's mistakes.
    pub fn read(name: &str, mut section: Section) -> Option<Provider> {
        let about = section.or("about", String::new());
        let docs = section.optional("docs");
        let signature = Signature::read(section.section("signature"));
        let timestamp = section.optional_section("timestamp").and_then(Timestamp::read);
        let mut event = section.section("event");
        let event_type = first_of(&mut event, "type");
        if event_type.0.is_empty() {
            event.mistake("type", "must say where the event's type is, as in \"{body:/type}\"");
        }
        let delivery_id = first_of(&mut event, "id");
        let is_json = match event.or("body", "json".to_owned()).as_str() {
            "json" => true,
            "raw" => false,
            _ => {
                event.mistake("body", "is none that there is: take \"json\" or \"raw\"");
                true
            }
        };
        event.finish();
        let attributes = attributes(section.section("attributes"));
        let success = section.number("success", 200, 200..=299) as u16;
        let late = section.optional_section("late").and_then(Late::read);
        let handshakes = section.tables("handshakes").into_iter().filter_map(Handshake::read).collect();
        let samples = section.tables("samples").into_iter().filter_map(Sample::read).collect();
        let signs_time = signature.as_ref().is_some_and(|signature| signs_time(signature, timestamp.as_ref()));
        match (&timestamp, signs_time) {
            (None, true) => section.mistake("timestamp", "is missing: `signed` has a {timestamp}, so say where it is"),
            (Some(_), false) => {
                section.mistake("timestamp", "is not signed, so anyone could renew it: `signed` has no {timestamp}")
            }
            _ => {}
        }
        section.finish();
        Some(Provider {
            name: name.into(),
            about,
            docs,
            signature: signature?,
            timestamp,
            event_type,
            delivery_id,
            is_json,
            attributes,
            success: StatusCode::from_u16(success).unwrap_or(StatusCode::OK),
            late,
            handshakes,
            samples,
        })
    }

    /// Reads a description from the text of its file.
    pub fn parse(name: &str, text: &str) -> Result<Provider, Vec<String>> {
        let table = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let mistakes = Mistakes::default();
        let provider = Provider::read(name, Section::root(table, &mistakes));
        mistakes.none_or(()).and(provider.ok_or_else(Vec::new))
    }

    /// What it says, for people: names and texts.
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let signature = &self.signature;
        let encoding = match signature.encoding {
            Encoding::Hex => "hex",
            Encoding::Base64 => "base64",
        };
        let place = format!(
            "{} has {}<{encoding} of {}>",
            title(&signature.header),
            signature.prefix,
            signature.algorithm.name()
        );
        let listed = signature.separator.as_ref().map(|separator| format!(", several of them between {separator:?}"));
        let timestamp = self
            .timestamp
            .as_ref()
            .map(|rule| format!("{} in seconds, at most {} s off", title(&rule.header), rule.tolerance.as_secs()));
        let rows = [
            ("name", Some(self.name.to_string())),
            ("about", Some(self.about.clone())),
            ("signature", Some(place + &listed.unwrap_or_default())),
            ("signed", Some(signature.signed.to_string())),
            ("key", Some(signature.key.to_string())),
            ("timestamp", timestamp),
            ("type", Some(self.event_type.to_string())),
            ("id", Some(self.delivery_id.to_string()).filter(|id| !id.is_empty())),
            (
                "handshake",
                Some(self.handshakes.iter().map(Handshake::to_string).collect::<Vec<_>>().join("; "))
                    .filter(|told| !told.is_empty()),
            ),
            ("answer", Some(self.success.as_u16().to_string())),
            ("docs", self.docs.clone()),
            ("types", Some(self.sample_types().collect::<Vec<_>>().join(", "))),
        ];
        rows.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }

    /// Whether the sender signs the address that it posts to.
    pub fn signs_url(&self) -> bool {
        self.signature.signed.parts().any(|part| *part == Part::Url)
    }

    /// Every type that there is a sample of.
    pub fn sample_types(&self) -> impl Iterator<Item = &str> {
        self.samples.iter().flat_map(|sample| &sample.types).map(String::as_str)
    }
}

/// A header's name as vendors write it.
fn title(name: &HeaderName) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.as_str().split('-').filter(|part| !part.is_empty()).map(word).collect::<Vec<_>>().join("-")
}

impl fmt::Display for KeyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.encoding {
            None => f.write_str("the secret as it is")?,
            Some(Encoding::Hex) => f.write_str("the secret, hex decoded")?,
            Some(Encoding::Base64) => f.write_str("the secret, base64 decoded")?,
        }
        if self.prefix.is_empty() { Ok(()) } else { write!(f, " without {}", self.prefix) }
    }
}

fn signs_time(signature: &Signature, timestamp: Option<&Timestamp>) -> bool {
    signature.signed.parts().any(|part| match part {
        Part::Timestamp => true,
        Part::Header(name) => timestamp.is_some_and(|timestamp| timestamp.header == *name),
        _ => false,
    })
}

impl Signature {
    fn read(mut section: Section) -> Option<Signature> {
        let header = place(&mut section, "say where the signature is, as in \"{header:X-Signature}\"");
        let algorithm: Option<String> = section.required("algorithm", "take \"hmac-sha256\" or \"ed25519\"");
        let algorithm = match algorithm.as_deref() {
            Some("ed25519") => Algorithm::Ed25519,
            Some("hmac-sha256") | None => Algorithm::HmacSha256,
            Some(_) => {
                section.mistake("algorithm", "is none that there is: take \"hmac-sha256\" or \"ed25519\"");
                Algorithm::HmacSha256
            }
        };
        let encoding = encoding(&mut section, "encoding", "hex").unwrap_or(Encoding::Hex);
        let key = encoding_or_text(&mut section);
        let signed: Option<Template> =
            section.required_parsed("signed", "say which bytes are signed, as in \"{timestamp}.{body}\"");
        check_signed(&section, signed.as_ref());
        let read = Signature {
            header: header.unwrap_or(http::header::AUTHORIZATION),
            separator: section.optional("separator"),
            prefix: section.or("prefix", String::new()),
            algorithm,
            encoding,
            signed: signed.unwrap_or_else(Template::raw_body),
            key: KeyForm { encoding: key, prefix: section.or("key_prefix", String::new()) },
        };
        section.finish();
        Some(read)
    }
}

/// The header that `at` means. Written as a template, so that other places can be said one day.
fn place(section: &mut Section, hint: &str) -> Option<HeaderName> {
    let at: Template = section.required_parsed("at", hint)?;
    let header = at.lone_header().cloned();
    if header.is_none() {
        section.mistake("at", "must be one header, as in \"{header:X-Name}\"");
    }
    header
}

/// A signature that leaves the body out protects nothing, and one over parsed values is one over another text.
fn check_signed(section: &Section, signed: Option<&Template>) {
    let Some(signed) = signed else { return };
    if !signed.parts().any(|part| *part == Part::Body) {
        section.mistake("signed", "leaves the {body} out: it would not be protected");
    }
    if signed.parts().any(|part| matches!(part, Part::Pointer(_) | Part::Form(..))) {
        section.mistake("signed", "reads inside the body, which must not be parsed before it is verified");
    }
}

fn encoding(section: &mut Section, key: &str, default: &str) -> Option<Encoding> {
    match section.or(key, default.to_owned()).as_str() {
        "hex" => Some(Encoding::Hex),
        "base64" => Some(Encoding::Base64),
        _ => {
            section.mistake(key, "is none that there is: take \"hex\" or \"base64\"");
            None
        }
    }
}

fn encoding_or_text(section: &mut Section) -> Option<Encoding> {
    match section.or("key", "text".to_owned()).as_str() {
        "text" => None,
        "hex" => Some(Encoding::Hex),
        "base64" => Some(Encoding::Base64),
        _ => {
            section.mistake("key", "is none that there is: take \"text\", \"hex\" or \"base64\"");
            None
        }
    }
}

impl Timestamp {
    fn read(mut section: Section) -> Option<Timestamp> {
        let header = place(&mut section, "say where the seconds since 1970 are, as in \"{header:X-Timestamp}\"");
        let tolerance = Duration::from_secs(section.number("tolerance_s", 300, 1..=86_400));
        section.finish();
        header.map(|header| Timestamp { header, tolerance })
    }
}

impl Sample {
    fn read(mut section: Section) -> Option<Sample> {
        let types: Option<Vec<String>> = section.required("types", "name the types that this is a sample of");
        let body: Option<String> = section.required("body", "write the body, with {type} where the type stands");
        let fresh = section.or("fresh", Vec::new());
        section.finish();
        Some(Sample { types: types?, body: body?, fresh })
    }
}

fn attributes(section: Section) -> Vec<(String, FirstOf)> {
    let named = section.rest_with(|section, name| {
        if name.starts_with(RESERVED) {
            section
                .mistake(name, format_args!("is the gateway's own: attributes of yours do not begin with {RESERVED}"));
        }
        first_of(section, name)
    });
    named.into_iter().filter(|(_, value)| !value.0.is_empty()).collect()
}

/// One template or a list of them.
fn first_of(section: &mut Section, key: &str) -> FirstOf {
    let texts = match section.raw(key) {
        None => Vec::new(),
        Some(toml::Value::String(text)) => vec![text],
        Some(toml::Value::Array(list)) if list.iter().all(toml::Value::is_str) => {
            list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        }
        Some(_) => {
            section.mistake(key, "must be a text or a list of texts");
            Vec::new()
        }
    };
    let parse =
        |text: String| text.parse().map_err(|error| section.mistake(key, format_args!("{text:?}: {error}"))).ok();
    FirstOf(texts.into_iter().filter_map(parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_a_description_is_told_with_its_key() {
        let told = Provider::parse(
            "mine",
            "abuot = 'x'\n[signature]\nat = '{header:X-Sig}'\nalgorithm = 'md5'\nencoding = 'octal'\nsigned = '{timestamp}'\n[event]\ntype = ['{nope}']",
        )
        .unwrap_err()
        .join("\n");
        for expected in [
            "abuot: is no key that there is; did you mean `about`?",
            "signature.algorithm: is none that there is",
            "signature.encoding: is none that there is",
            "signature.signed: leaves the {body} out",
            "event.type: \"{nope}\": `{nope}` is nothing that there is",
            "timestamp: is missing",
        ] {
            assert!(told.contains(expected), "{expected:?} is not in\n{told}");
        }
    }
}
