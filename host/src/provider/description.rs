//! What a provider's TOML says, read and checked.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::handshake::Handshake;
use super::json::Path;
use super::scheme::{Place, Scheme};
use super::template::{FirstOf, Part, Template};
use super::vector::Vector;
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
    /// How it signs. There is at least one; which counts is told by the secret.
    pub(super) schemes: Vec<Scheme>,
    pub(super) event_type: FirstOf,
    pub(super) instead: Vec<Instead>,
    pub(super) delivery_id: FirstOf,
    /// Whether the sender promises JSON.
    pub(super) is_json: bool,
    /// Where several events stand in one request.
    pub(super) items: Vec<Path>,
    pub(super) attributes: Vec<(String, FirstOf)>,
    /// What the sender takes for success.
    pub success: StatusCode,
    /// What it is told where a request is refused.
    pub failure: Failure,
    /// What a sender that waits for an answer is told where there is none in time.
    pub late: Option<Late>,
    pub(super) handshakes: Vec<Handshake>,
    pub(super) samples: Vec<Sample>,
    pub(super) vectors: Vec<Vector>,
}

/// The statuses of refusals: some senders drop an event or disable a hook for one, and try again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Not verified.
    pub unverified: StatusCode,
    /// Verified, and not what the provider promises.
    pub unreadable: StatusCode,
    /// Too many.
    pub over_rate: StatusCode,
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

/// Another type than usual, where something says so.
#[derive(Debug, Clone)]
pub(super) struct Instead {
    pub tells: Template,
    pub is: String,
    pub event_type: Template,
}

/// An example of what the sender sends.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub types: Vec<String>,
    /// The body, with `{type}` where the type stands.
    pub body: String,
    /// Pointers to the values that differ from one sample to the next, or names of a form's fields.
    pub fresh: Vec<String>,
    /// Headers that nothing else says.
    pub headers: HeaderMap,
}

impl Failure {
    fn read(mut section: Section) -> Failure {
        let mut status = |key: &str, usual: u16| {
            let status = section.number(key, usual.into(), 400..=599) as u16;
            StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
        };
        let read = Failure {
            unverified: status("unverified", 401),
            unreadable: status("unreadable", 400),
            over_rate: status("over_rate", 429),
        };
        section.finish();
        read
    }
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

impl Instead {
    fn read(mut section: Section) -> Option<Instead> {
        let tells = section.required_parsed("if", "say what tells it, as in \"{header:X-Kind}\"");
        let is: Option<String> = section.required("is", "say what that is then");
        let event_type = section.required_parsed("type", "say the type that counts then");
        section.finish();
        Some(Instead { tells: tells?, is: is?, event_type: event_type? })
    }
}

/// What `[event]` says.
struct EventForm {
    event_type: FirstOf,
    instead: Vec<Instead>,
    delivery_id: FirstOf,
    is_json: bool,
    items: Vec<Path>,
}

impl EventForm {
    fn read(mut section: Section) -> EventForm {
        let is_said = section.has("type");
        let event_type = first_of(&mut section, "type");
        if !is_said {
            section.mistake("type", "must say where the event's type is, as in \"{body:/type}\"");
        }
        let delivery_id = first_of(&mut section, "id");
        let is_json = match section.or("body", "json".to_owned()).as_str() {
            "json" => true,
            "raw" => false,
            _ => {
                section.mistake("body", "is none that there is: take \"json\" or \"raw\"");
                true
            }
        };
        let paths: Vec<String> = section.or("items", Vec::new());
        let paths = paths.iter().filter_map(|path| {
            path.parse().map_err(|why| section.mistake("items", format_args!("{path:?} {why}"))).ok()
        });
        let items = paths.collect();
        let instead = section.tables("instead").into_iter().filter_map(Instead::read).collect();
        section.finish();
        EventForm { event_type, instead, delivery_id, is_json, items }
    }
}

impl Provider {
    /// Reads a description. What is wrong with it goes to the section's mistakes.
    pub fn read(name: &str, mut section: Section) -> Option<Provider> {
        let about = section.or("about", String::new());
        let docs = section.optional("docs");
        let schemes = schemes(&mut section);
        let event = EventForm::read(section.section("event"));
        let attributes = attributes(section.section("attributes"));
        let success = section.number("success", 200, 200..=299) as u16;
        let failure = Failure::read(section.section("failure"));
        let late = section.optional_section("late").and_then(Late::read);
        let handshakes = section.tables("handshakes").into_iter().filter_map(Handshake::read).collect();
        let samples = section.tables("samples").into_iter().filter_map(Sample::read).collect();
        let vectors = section.tables("vectors").into_iter().filter_map(Vector::read).collect();
        let provider = Provider {
            name: name.into(),
            about,
            docs,
            schemes: schemes?,
            event_type: event.event_type,
            instead: event.instead,
            delivery_id: event.delivery_id,
            is_json: event.is_json,
            items: event.items,
            attributes,
            success: StatusCode::from_u16(success).unwrap_or(StatusCode::OK),
            failure,
            late,
            handshakes,
            samples,
            vectors,
        };
        provider.check_handshakes(&section);
        provider.check_vectors(&section);
        section.finish();
        Some(provider)
    }

    /// Reads a description from the text of its file. Each mistake is a line, with the path of its key and where that stands.
    pub fn parse(name: &str, text: &str) -> Result<Provider, Vec<String>> {
        let table = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let mistakes = Mistakes::default();
        let provider = Provider::read(name, Section::root(table, &mistakes));
        mistakes.none_or_in(text, ()).and(provider.ok_or_else(Vec::new))
    }

    /// What it says, for people: names and texts.
    pub fn describe(&self) -> Vec<(String, String)> {
        let list = |texts: Vec<String>, between| Some(texts.join(between)).filter(|told| !told.is_empty());
        let mut rows = vec![("name".to_owned(), self.name.to_string()), ("about".to_owned(), self.about.clone())];
        for (n, scheme) in self.schemes.iter().enumerate() {
            let prefix =
                Some(&scheme.signature.key.prefix).filter(|prefix| self.schemes.len() > 1 && !prefix.is_empty());
            let which = prefix.map(|prefix| format!(" ({prefix})")).unwrap_or_default();
            let or = if n == 0 { "" } else { "or " };
            rows.extend(scheme.describe().into_iter().map(|(what, told)| (format!("{or}{what}{which}"), told)));
        }
        let more = [
            ("type", Some(self.event_type.to_string())),
            ("id", Some(self.delivery_id.to_string()).filter(|id| !id.is_empty())),
            (
                "events",
                list(self.items.iter().map(Path::to_string).collect(), " and ")
                    .map(|at| format!("one for each of {at}")),
            ),
            ("handshake", list(self.handshakes.iter().map(Handshake::to_string).collect(), "; ")),
            ("answer", Some(self.success.as_u16().to_string())),
            ("docs", self.docs.clone()),
            ("types", Some(self.sample_types().collect::<Vec<_>>().join(", "))),
        ];
        rows.extend(more.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))));
        rows
    }

    /// Whether the sender signs the address that it posts to.
    pub fn signs_url(&self) -> bool {
        self.schemes.iter().any(|scheme| scheme.signature.covers_url())
    }

    /// Whether its sender shows a second secret of its own, before it sends anything.
    pub fn wants_verify_token(&self) -> bool {
        self.handshakes.iter().any(Handshake::is_unsigned)
    }

    /// Every type that there is a sample of.
    pub fn sample_types(&self) -> impl Iterator<Item = &str> {
        self.samples.iter().flat_map(|sample| &sample.types).map(String::as_str)
    }

    /// The headers that a signature depends on: where it is, and where its time is.
    pub fn signature_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let places = self.schemes.iter().flat_map(|scheme| {
            [Some(&scheme.signature.at), scheme.timestamp.as_ref().map(|rule| &rule.at)].into_iter().flatten()
        });
        places.flat_map(|place| match place {
            Place::Header(names) | Place::Field(names, _) => names.all(),
            Place::Body(_) => &[],
        })
    }
}

/// One way to sign, or several, each with its own prefix of secrets.
fn schemes(section: &mut Section) -> Option<Vec<Scheme>> {
    let tables = section.tables("schemes");
    if tables.is_empty() {
        return Some(vec![Scheme::read(section)?]);
    }
    for key in ["signature", "timestamp"] {
        if section.has(key) {
            section.raw(key);
            section.mistake(key, "stands in each of [[schemes]], where there are several");
        }
    }
    let (many, mut read) = (tables.len(), Vec::new());
    for mut table in tables {
        read.extend(Scheme::read(&mut table));
        table.finish();
    }
    let without = read.iter().filter(|scheme| scheme.signature.key.prefix.is_empty()).count();
    if without > 1 {
        section.mistake("schemes", "must be told apart by their secrets: give all but one a key_prefix");
    }
    Some(read).filter(|read| read.len() == many)
}

impl Sample {
    fn read(mut section: Section) -> Option<Sample> {
        let types: Option<Vec<String>> = section.required("types", "name the types that this is a sample of");
        let body: Option<String> = section.required("body", "write the body, with {type} where the type stands");
        let fresh = section.or("fresh", Vec::new());
        let headers = headers(section.section("headers"));
        section.finish();
        Some(Sample { types: types?, body: body?, fresh, headers })
    }
}

/// A table of headers.
pub(super) fn headers(section: Section) -> HeaderMap {
    let read = section.rest_with(|section, name| {
        let value: Option<HeaderValue> = section.parsed(name);
        let parsed: Option<HeaderName> = name.parse().ok();
        if parsed.is_none() {
            section.mistake(name, "is no name of a header");
        }
        Some((parsed?, value?))
    });
    read.into_iter().filter_map(|(_, header)| header).collect()
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
    let parse = |text: String| {
        let parsed: Result<Template, _> = text.parse();
        let template = parsed.map_err(|error| section.mistake(key, format_args!("{text:?}: {error}"))).ok()?;
        if template.parts().any(|part| matches!(part, Part::Mac(_))) {
            section.mistake(key, format_args!("{text:?}: {{mac:..}} is for the answers to handshakes"));
        }
        Some(template)
    };
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
            "line 1: abuot: is no key that there is; did you mean `about`?",
            "line 4: signature.algorithm: is none that there is",
            "line 5: signature.encoding: is none that there is",
            "line 6: signature.signed: leaves the {body} out",
            "line 8: event.type: \"{nope}\": `{nope}` is nothing that there is",
            "timestamp: is missing",
        ] {
            assert!(told.contains(expected), "{expected:?} is not in\n{told}");
        }
    }
}
