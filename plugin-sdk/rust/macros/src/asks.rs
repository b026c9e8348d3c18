//! What stands in the brackets of `#[plugin(...)]`: things that the operator is asked to grant.

use proc_macro2::{Span, TokenStream as Tokens};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::token::Paren;
use syn::{Error, Ident, Lit, LitStr, Result, Token, parenthesized};

use crate::{host, pattern};

const WHAT: &str =
    "a plugin can ask for these: `setting(\"key\")`, `host(\"api.example.com\")`, `state`, `emit(\"video.*\")`";
const ODD_KEY: &str = "the key of a setting is not empty and has no whitespace";
const TWICE: &str = "this is said twice";
const DETAIL: &str = "more about it is said like this: `about = \"...\"`";
const VALUE: &str = "write text, a number, `true` or `false`";
const ALONE: &str = "`optional` stands alone";
const MISSING_VALUE: &str = "say what it is: `about = \"...\"`";
const TYPE: &str = "the type of a setting is `\"text\"`, `\"integer\"`, `\"number\"`, `\"boolean\"` or `\"json\"`";
const CREDENTIAL: &str = "a credential is `\"bearer\"`, `\"basic\"` or `\"header\"`";
const METHODS: &str = "methods are in capital letters, with spaces between them: `\"GET POST\"`";

const TYPES: [&str; 5] = ["text", "integer", "number", "boolean", "json"];
const CREDENTIALS: [&str; 3] = ["bearer", "basic", "header"];

/// What can be asked for.
struct Kind {
    /// Its word.
    what: &'static str,
    /// What is said where its name is missing, if it has one.
    unnamed: Option<&'static str>,
    /// Whether a name makes sense.
    check: fn(&LitStr) -> Result<()>,
    /// What else can be said of it, and that in words.
    details: &'static [&'static str],
    told: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        what: "setting",
        unnamed: Some("a setting has a key: `setting(\"greeting\")`"),
        check: check_key,
        details: &["type", "default", "about"],
        told: "a setting has `type`, `default` and `about`",
    },
    Kind {
        what: "host",
        unnamed: Some("a host has a name: `host(\"api.example.com\")`"),
        check: host::check,
        details: &["methods", "credential", "about", "optional"],
        told: "a host has `methods`, `credential`, `about` and `optional`",
    },
    Kind {
        what: "state",
        unnamed: None,
        check: |_| Ok(()),
        details: &["about", "optional"],
        told: "state has `about` and `optional`: `state(about = \"...\")`",
    },
    Kind {
        what: "emit",
        unnamed: Some("say which types of events: `emit(\"video.*\")`"),
        check: pattern::check_type,
        details: &["about", "optional"],
        told: "emit has `about` and `optional`",
    },
];

/// All asks of one plugin.
pub struct Asks(Vec<Ask>);

struct Ask {
    what: &'static str,
    name: String,
    /// Where it is written.
    at: Span,
    details: Vec<Detail>,
}

struct Detail {
    name: Ident,
    value: Option<Value>,
}

/// A value as the gateway would give it, and where it is written.
struct Value {
    text: String,
    at: Span,
}

impl Parse for Asks {
    fn parse(input: ParseStream<'_>) -> Result<Asks> {
        let asks: Vec<Ask> = Punctuated::<_, Token![,]>::parse_terminated(input)?.into_iter().collect();
        refuse_repeats(asks.iter().map(|ask| ((ask.what, ask.name.clone()), ask.at)))?;
        Ok(Asks(asks))
    }
}

impl Parse for Ask {
    fn parse(input: ParseStream<'_>) -> Result<Ask> {
        let what: Ident = input.parse().map_err(|mistake| Error::new(mistake.span(), WHAT))?;
        let kind = KINDS.iter().find(|kind| what == kind.what).ok_or_else(|| Error::new(what.span(), WHAT))?;
        let mut ask = Ask { what: kind.what, name: String::new(), at: what.span(), details: Vec::new() };
        match kind.unnamed {
            None if !input.peek(Paren) => return Ok(ask),
            Some(unnamed) if !input.peek(Paren) => return Err(Error::new(what.span(), unnamed)),
            _ => {}
        }
        let inside;
        parenthesized!(inside in input);
        if let Some(unnamed) = kind.unnamed {
            let name: LitStr = inside.parse().map_err(|mistake| Error::new(mistake.span(), unnamed))?;
            (kind.check)(&name)?;
            (ask.name, ask.at) = (name.value(), name.span());
            if !inside.is_empty() {
                inside.parse::<Token![,]>()?;
            }
        }
        ask.details = Punctuated::<_, Token![,]>::parse_terminated(&inside)?.into_iter().collect();
        check_details(kind, &ask.details)?;
        Ok(ask)
    }
}

impl Parse for Detail {
    fn parse(input: ParseStream<'_>) -> Result<Detail> {
        // `type` is a word of the language.
        let name = input.call(Ident::parse_any).map_err(|mistake| Error::new(mistake.span(), DETAIL))?;
        if !input.peek(Token![=]) {
            return Ok(Detail { name, value: None });
        }
        input.parse::<Token![=]>()?;
        Ok(Detail { name, value: Some(input.parse()?) })
    }
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> Result<Value> {
        let minus: Option<Token![-]> = input.parse()?;
        let value: Lit = input.parse().map_err(|mistake| Error::new(mistake.span(), VALUE))?;
        let text = match &value {
            Lit::Int(number) => number.base10_digits().to_string(),
            Lit::Float(number) => number.base10_digits().to_string(),
            Lit::Str(text) if minus.is_none() => text.value(),
            Lit::Bool(truth) if minus.is_none() => truth.value.to_string(),
            other => return Err(Error::new(other.span(), VALUE)),
        };
        let text = if minus.is_some() { format!("-{text}") } else { text };
        Ok(Value { text, at: value.span() })
    }
}

fn check_key(key: &LitStr) -> Result<()> {
    if key.value().is_empty() || key.value().contains(char::is_whitespace) {
        return Err(Error::new(key.span(), ODD_KEY));
    }
    Ok(())
}

/// Whether all of it can be said of this kind of thing, and makes sense.
fn check_details(kind: &Kind, details: &[Detail]) -> Result<()> {
    for Detail { name, value } in details {
        if !kind.details.iter().any(|known| name == known) {
            return Err(Error::new(name.span(), kind.told));
        }
        match value {
            Some(value) if name == "optional" => return Err(Error::new(value.at, ALONE)),
            None if name != "optional" => return Err(Error::new(name.span(), MISSING_VALUE)),
            Some(value) => check_value(name, value)?,
            None => {}
        }
    }
    refuse_repeats(details.iter().map(|detail| (detail.name.to_string(), detail.name.span())))?;
    check_default(details)
}

fn check_value(name: &Ident, value: &Value) -> Result<()> {
    let text = &*value.text;
    let is_method = |word: &str| word.bytes().all(|c| c.is_ascii_uppercase());
    let mistake = match name.to_string().as_str() {
        "type" if !TYPES.contains(&text) => TYPE,
        "credential" if !CREDENTIALS.contains(&text) => CREDENTIAL,
        "methods" if text.is_empty() || !text.split(' ').all(|word| !word.is_empty() && is_method(word)) => METHODS,
        _ => return Ok(()),
    };
    Err(Error::new(value.at, mistake))
}

/// Whether a default is of the type that is said. What is JSON, the gateway knows.
fn check_default(details: &[Detail]) -> Result<()> {
    let said = |name: &str| details.iter().find(|detail| detail.name == name)?.value.as_ref();
    let (Some(of_type), Some(default)) = (said("type"), said("default")) else { return Ok(()) };
    let fits = match &*of_type.text {
        "integer" => default.text.parse::<i64>().is_ok(),
        "number" => default.text.parse::<f64>().is_ok_and(f64::is_finite),
        "boolean" => matches!(&*default.text, "true" | "false"),
        _ => true,
    };
    match fits {
        true => Ok(()),
        false => Err(Error::new(default.at, format_args!("this is no {}", of_type.text))),
    }
}

fn refuse_repeats<T: PartialEq>(names: impl Iterator<Item = (T, Span)>) -> Result<()> {
    let mut seen = Vec::new();
    for (name, span) in names {
        if seen.contains(&name) {
            return Err(Error::new(span, TWICE));
        }
        seen.push(name);
    }
    Ok(())
}

impl ToTokens for Asks {
    fn to_tokens(&self, tokens: &mut Tokens) {
        let asks = &self.0;
        tokens.extend(quote! { ::std::vec![#(#asks),*] });
    }
}

impl ToTokens for Ask {
    fn to_tokens(&self, tokens: &mut Tokens) {
        let Ask { what, name, details, .. } = self;
        let names = details.iter().map(|detail| detail.name.to_string());
        let values = details.iter().map(|detail| detail.value.as_ref().map_or("true", |value| &value.text));
        tokens.extend(quote! { ::hookgate_plugin::generated::ask(#what, #name, &[#((#names, #values)),*]) });
    }
}
