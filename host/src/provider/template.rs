//! The small language in which a provider's description says where things are.
//!
//! `{header:X-Name}` is a header's value (`{header:A|B}` that of the first of several that is there, `{header:A#t}` the value of the field `t=` in
//! a header that is a list), `{body:/a/b}` a value in a JSON body by its pointer (RFC 6901), `{body}` the raw body, `{form:name}` a field of a body
//! that is a form (`{form:name#/a/b}` a value in the JSON of that field), `{query:name}` a parameter of the query, `{timestamp}` the signed timestamp as it
//! was sent, `{url}` the public address of the source, `{digest}` the SHA-256 of the body, `{mac:/a/b}` the HMAC of a value in the body by the secret that verified, in hexadecimal. Everything else
//! stands for itself. What is in brackets is left out where a value in it is missing: `{header:X-Event}[.{body:/action}]`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::key::Key;
use super::names::Names;

/// What a template can see of a request.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The headers as received.
    pub headers: &'a HeaderMap,
    /// The raw body.
    pub body: &'a [u8],
    /// The body as JSON, once it may be looked at.
    pub json: Option<&'a Value>,
    /// The signed timestamp as it was sent.
    pub timestamp: Option<&'a str>,
    /// The public address of the source.
    pub url: Option<&'a str>,
    /// The query of the request.
    pub query: Option<&'a str>,
    /// The secret that verified, where one did.
    pub key: Option<&'a Key>,
}

impl<'a> View<'a> {
    /// A view of headers and a body, and of nothing else.
    pub fn of(headers: &'a HeaderMap, body: &'a [u8], json: Option<&'a Value>) -> View<'a> {
        View { headers, body, json, timestamp: None, url: None, query: None, key: None }
    }
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    groups: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq)]
struct Group {
    parts: Vec<Part>,
    /// Left out where a value in it is missing.
    may_miss: bool,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text that stands for itself.
    Text(String),
    /// A header's value.
    Header(Names),
    /// The value of a field in a header that is a list of `name=value` between commas.
    Field(Names, String),
    /// A value in the JSON body.
    Pointer(String),
    /// A field of a form, or a value in the JSON of one.
    Form(String, Option<String>),
    /// The raw body.
    Body,
    /// The signed timestamp.
    Timestamp,
    /// The public address of the source.
    Url,
    /// A parameter of the query.
    Query(String),
    /// The HMAC of a value in the body.
    Mac(String),
    /// The SHA-256 of the body.
    Digest,
}

impl Template {
    /// The raw body and nothing else.
    pub fn raw_body() -> Template {
        Template { groups: vec![Group { parts: vec![Part::Body], may_miss: false }] }
    }

    /// Whether something in it may be left out.
    pub fn has_optional_groups(&self) -> bool {
        self.groups.iter().any(|group| group.may_miss)
    }

    /// All parts, in order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.groups.iter().flat_map(|group| &group.parts)
    }

    /// The text that it stands for, or nothing where a value that it needs is missing.
    pub fn text(&self, view: &View) -> Option<String> {
        let mut text = String::new();
        for group in &self.groups {
            match group.text(view) {
                Some(piece) => text.push_str(&piece),
                None if group.may_miss => {}
                None => return None,
            }
        }
        Some(text)
    }

    /// The only part, where there is but one.
    pub fn lone(&self) -> Option<&Part> {
        match self.groups.as_slice() {
            [Group { parts, may_miss: false }] if parts.len() == 1 => parts.first(),
            _ => None,
        }
    }

    /// The header that this template reads, if it is a header's value and nothing else.
    pub fn lone_header(&self) -> Option<&HeaderName> {
        match self.lone()? {
            Part::Header(names) => Some(names.first()),
            _ => None,
        }
    }

    /// What a header must say so that the template stands for a text: the template read backwards.
    ///
    /// Nothing, where it reads no header or the rest of it does not fit the text.
    pub fn solve_header(&self, wanted: &str, view: &View) -> Option<(HeaderName, String)> {
        let (mut before, mut after, mut header) = (String::new(), String::new(), None);
        for group in &self.groups {
            let found = group.parts.iter().find_map(|part| match part {
                Part::Header(names) => Some(names.first()),
                _ => None,
            });
            match (found, group.text(view)) {
                (Some(name), _) if header.is_none() && group.parts.len() == 1 => header = Some(name.clone()),
                (Some(_), _) => return None,
                (None, Some(text)) if header.is_none() => before.push_str(&text),
                (None, Some(text)) => after.push_str(&text),
                (None, None) if group.may_miss => {}
                (None, None) => return None,
            }
        }
        let value = wanted.strip_prefix(&before)?.strip_suffix(&after)?;
        header.map(|name| (name, value.to_owned()))
    }
}

impl Group {
    fn text<'a>(&self, view: &View<'a>) -> Option<Cow<'a, str>> {
        if let [part] = self.parts.as_slice() {
            return part.text(view);
        }
        let pieces: Option<Vec<_>> = self.parts.iter().map(|part| part.text(view)).collect();
        Some(Cow::Owned(pieces?.concat()))
    }
}

impl Part {
    fn text<'a>(&self, view: &View<'a>) -> Option<Cow<'a, str>> {
        match self {
            Part::Text(text) => Some(Cow::Owned(text.clone())),
            Part::Header(names) => view.headers.get(names.found_in(view.headers))?.to_str().ok().map(Cow::Borrowed),
            Part::Field(names, field) => {
                let header = view.headers.get(names.found_in(view.headers))?.to_str().ok()?;
                fields(header, field).next().map(Cow::Borrowed)
            }
            Part::Pointer(pointer) => scalar(view.json?.pointer(pointer)?),
            Part::Form(name, pointer) => field(view, name, pointer.as_deref()),
            Part::Body => std::str::from_utf8(view.body).ok().map(Cow::Borrowed),
            Part::Timestamp => view.timestamp.map(Cow::Borrowed),
            Part::Url => view.url.map(Cow::Borrowed),
            Part::Query(name) => parameter(view.query?, name),
            Part::Digest => Some(Cow::Owned(hex::encode(Sha256::digest(view.body)))),
            Part::Mac(pointer) => view.key?.mac_of(scalar(view.json?.pointer(pointer)?)?.as_bytes()).map(Cow::Owned),
        }
    }
}

/// The values of one name in a list of `name=value` between commas.
pub fn fields<'a, 'n>(header: &'a str, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
    header.split(',').filter_map(move |one| one.trim().strip_prefix(name)?.strip_prefix('='))
}

/// A parameter of a query.
pub fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value)
}

/// A field of a form (`application/x-www-form-urlencoded`), where the body is no JSON.
fn field<'a>(view: &View<'a>, name: &str, pointer: Option<&str>) -> Option<Cow<'a, str>> {
    if view.json.is_some() {
        return None;
    }
    let (_, value) = url::form_urlencoded::parse(view.body).find(|(known, _)| known == name)?;
    match pointer {
        None => Some(value),
        Some(pointer) => {
            let json: Value = serde_json::from_str(&value).ok()?;
            scalar(json.pointer(pointer)?).map(|text| Cow::Owned(text.into_owned()))
        }
    }
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A template that cannot be read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum NotATemplate {
    /// What stands in braces is nothing that there is.
    #[error(
        "`{{{0}}}` is nothing that there is: take {{header:Name}}, {{header:Name#field}}, {{body:/pointer}}, {{body}}, {{form:name}}, {{query:name}}, {{mac:/pointer}}, {{digest}}, {{timestamp}} or {{url}}"
    )]
    Unknown(String),
    /// A brace or bracket has no partner.
    #[error("a `{0}` has no partner")]
    Unbalanced(char),
    /// Nothing at all.
    #[error("is empty")]
    Empty,
}

impl FromStr for Template {
    type Err = NotATemplate;

    fn from_str(text: &str) -> Result<Template, NotATemplate> {
        let mut groups = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (inner, after) = inside.split_once(']').ok_or(NotATemplate::Unbalanced('['))?;
                groups.push(Group { parts: parts(inner)?, may_miss: true });
                rest = after;
            } else {
                let end = rest.find('[').unwrap_or(rest.len());
                // A group a part, so that one that is missing does not hide another.
                groups
                    .extend(parts(&rest[..end])?.into_iter().map(|part| Group { parts: vec![part], may_miss: false }));
                rest = &rest[end..];
            }
        }
        if groups.is_empty() { Err(NotATemplate::Empty) } else { Ok(Template { groups }) }
    }
}

fn parts(text: &str) -> Result<Vec<Part>, NotATemplate> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            found.push(Part::Text(plain(&rest[..open])?));
        }
        let (name, after) = rest[open + 1..].split_once('}').ok_or(NotATemplate::Unbalanced('{'))?;
        found.push(part(name)?);
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Part::Text(plain(rest)?));
    }
    Ok(found)
}

fn plain(text: &str) -> Result<String, NotATemplate> {
    match text.find(['}', ']']) {
        Some(at) => Err(NotATemplate::Unbalanced(if text.as_bytes()[at] == b'}' { '}' } else { ']' })),
        None => Ok(text.to_owned()),
    }
}

fn part(name: &str) -> Result<Part, NotATemplate> {
    let unknown = || NotATemplate::Unknown(name.to_owned());
    match name.split_once(':') {
        Some(("header", header)) => match header.split_once('#') {
            None => header.parse().map(Part::Header).map_err(|()| unknown()),
            Some((header, field)) if !field.is_empty() => {
                header.parse().map(|names| Part::Field(names, field.to_owned())).map_err(|()| unknown())
            }
            Some(_) => Err(unknown()),
        },
        Some(("query", name)) if !name.is_empty() => Ok(Part::Query(name.to_owned())),
        Some(("mac", pointer)) if pointer.starts_with('/') => Ok(Part::Mac(pointer.to_owned())),
        Some(("body", pointer)) if pointer.starts_with('/') => Ok(Part::Pointer(pointer.to_owned())),
        Some(("form", field)) => match field.split_once('#') {
            None if !field.is_empty() => Ok(Part::Form(field.to_owned(), None)),
            Some((name, pointer)) if !name.is_empty() && pointer.starts_with('/') => {
                Ok(Part::Form(name.to_owned(), Some(pointer.to_owned())))
            }
            _ => Err(unknown()),
        },
        Some(_) => Err(unknown()),
        None => match name {
            "body" => Ok(Part::Body),
            "timestamp" => Ok(Part::Timestamp),
            "url" => Ok(Part::Url),
            "digest" => Ok(Part::Digest),
            _ => Err(unknown()),
        },
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Text(text) => f.write_str(text),
            Part::Header(names) => write!(f, "{{header:{names}}}"),
            Part::Field(names, field) => write!(f, "{{header:{names}#{field}}}"),
            Part::Query(name) => write!(f, "{{query:{name}}}"),
            Part::Mac(pointer) => write!(f, "{{mac:{pointer}}}"),
            Part::Pointer(pointer) => write!(f, "{{body:{pointer}}}"),
            Part::Form(name, None) => write!(f, "{{form:{name}}}"),
            Part::Form(name, Some(pointer)) => write!(f, "{{form:{name}#{pointer}}}"),
            Part::Body => f.write_str("{body}"),
            Part::Timestamp => f.write_str("{timestamp}"),
            Part::Url => f.write_str("{url}"),
            Part::Digest => f.write_str("{digest}"),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.groups {
            let (open, close) = if group.may_miss { ("[", "]") } else { ("", "") };
            f.write_str(open)?;
            group.parts.iter().try_for_each(|part| part.fmt(f))?;
            f.write_str(close)?;
        }
        Ok(())
    }
}

/// Several templates, of which the first counts that has all its values and is not empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FirstOf(pub Vec<Template>);

impl FirstOf {
    /// The text of the first that counts.
    pub fn text(&self, view: &View) -> Option<String> {
        self.0.iter().filter_map(|template| template.text(view)).find(|text| !text.is_empty())
    }
}

impl fmt::Display for FirstOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Template::to_string).collect();
        f.write_str(&texts.join(", else "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view<'a>(headers: &'a HeaderMap, json: &'a Value) -> View<'a> {
        View { timestamp: Some("17"), query: Some("a=1&b=x%20y"), ..View::of(headers, b"raw", Some(json)) }
    }

    #[test]
    fn templates_say_where_things_are() {
        let headers = [("x-event", "issues"), ("x-sig", "t=17,v1=ab, v1=cd")];
        let headers: HeaderMap =
            headers.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).into_iter().collect();
        let json = json!({"action": "opened", "n": {"m": 3}, "yes": true, "list": []});
        let table = [
            ("{header:X-Event}", Some("issues")),
            ("{header:X-Event}[.{body:/action}]", Some("issues.opened")),
            ("{header:X-Event}[.{body:/none}]", Some("issues")),
            ("v0:{timestamp}:{body}", Some("v0:17:raw")),
            ("{body:/n/m}", Some("3")),
            ("{body:/yes}", Some("true")),
            ("{body:/list}", None),
            ("{header:X-None}", None),
            ("{header:X-None|X-Event}", Some("issues")),
            ("{header:X-Sig#t}", Some("17")),
            ("{header:X-Sig#v1}", Some("ab")),
            ("{header:X-Sig#v0}", None),
            ("{query:b}", Some("x y")),
            ("{query:c}", None),
            ("{mac:/action}", None),
            ("{url}", None),
        ];
        for (text, expected) in table {
            let template: Template = text.parse().unwrap();
            assert_eq!(template.text(&view(&headers, &json)).as_deref(), expected, "{text}");
            assert_eq!(template.to_string(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn fields_of_a_form_are_found() {
        let headers = HeaderMap::new();
        let body = b"command=%2Fdeploy&payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U1%22%7D%7D";
        let view = View::of(&headers, body, None);
        for (text, expected) in [
            ("{form:command}", Some("/deploy")),
            ("{form:payload#/type}", Some("block_actions")),
            ("{form:payload#/user/id}", Some("U1")),
            ("{form:payload#/none}", None),
            ("{form:none}", None),
            ("{form:command#/type}", None),
        ] {
            let template: Template = text.parse().unwrap();
            assert_eq!(template.text(&view).as_deref(), expected, "{text}");
            assert_eq!(template.to_string(), text);
        }
        // What is JSON is no form, whatever it looks like.
        let json = json!({});
        assert_eq!("{form:command}".parse::<Template>().unwrap().text(&View { json: Some(&json), ..view }), None);
    }

    #[test]
    fn a_template_can_be_read_backwards() {
        let (headers, json) = (HeaderMap::new(), json!({"action": "opened"}));
        let solve = |template: &str, wanted: &str| {
            template.parse::<Template>().unwrap().solve_header(wanted, &view(&headers, &json)).map(|(_, value)| value)
        };
        assert_eq!(solve("{header:X-Event}[.{body:/action}]", "issues.opened").as_deref(), Some("issues"));
        assert_eq!(solve("{header:X-Event}[.{body:/none}]", "push").as_deref(), Some("push"));
        assert_eq!(solve("{header:X-Event}[.{body:/action}]", "issues.closed"), None);
        assert_eq!(solve("{body:/action}", "opened"), None);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, expected) in [
            ("", NotATemplate::Empty),
            ("{nope}", NotATemplate::Unknown("nope".into())),
            ("{header:bad name}", NotATemplate::Unknown("header:bad name".into())),
            ("{body:type}", NotATemplate::Unknown("body:type".into())),
            ("{header:X#}", NotATemplate::Unknown("header:X#".into())),
            ("{query:}", NotATemplate::Unknown("query:".into())),
            ("{body", NotATemplate::Unbalanced('{')),
            ("a}", NotATemplate::Unbalanced('}')),
            ("[{body}", NotATemplate::Unbalanced('[')),
        ] {
            assert_eq!(text.parse::<Template>(), Err(expected), "{text}");
        }
    }
}
