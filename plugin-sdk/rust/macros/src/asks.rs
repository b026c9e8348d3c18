//! What stands in the brackets of `#[plugin(...)]`: things that the operator is asked to grant.

use proc_macro2::TokenStream as Tokens;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Lit, LitStr, Result, Token, parenthesized};

const WHAT: &str = "a plugin can ask for this: `setting(\"key\", default = \"...\", about = \"...\")`";
const KEY: &str = "a setting has a key: `setting(\"greeting\")`";
const ODD_KEY: &str = "the key of a setting is not empty and has no whitespace";
const DETAIL: &str = "a setting has `default` and `about`";
const TWICE: &str = "this is said twice";
const VALUE: &str = "write text, a number, `true` or `false`";

/// All asks of one plugin.
pub struct Asks(Vec<Setting>);

struct Setting {
    key: LitStr,
    detail: Vec<Detail>,
}

struct Detail {
    name: Ident,
    value: String,
}

impl Parse for Asks {
    fn parse(input: ParseStream<'_>) -> Result<Asks> {
        let asks: Vec<Setting> = Punctuated::<_, Token![,]>::parse_terminated(input)?.into_iter().collect();
        refuse_repeats(asks.iter().map(|ask| (ask.key.value(), ask.key.span())))?;
        Ok(Asks(asks))
    }
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Setting> {
        let what: Ident = input.parse().map_err(|mistake| Error::new(mistake.span(), WHAT))?;
        if what != "setting" {
            return Err(Error::new(what.span(), WHAT));
        }
        let inside;
        parenthesized!(inside in input);
        let key: LitStr = inside.parse().map_err(|mistake| Error::new(mistake.span(), KEY))?;
        if key.value().is_empty() || key.value().contains(char::is_whitespace) {
            return Err(Error::new(key.span(), ODD_KEY));
        }
        Ok(Setting { key, detail: details(&inside)? })
    }
}

/// What follows the key.
fn details(input: ParseStream<'_>) -> Result<Vec<Detail>> {
    if input.is_empty() {
        return Ok(Vec::new());
    }
    input.parse::<Token![,]>()?;
    let details: Vec<Detail> = Punctuated::<_, Token![,]>::parse_terminated(input)?.into_iter().collect();
    refuse_repeats(details.iter().map(|detail| (detail.name.to_string(), detail.name.span())))?;
    Ok(details)
}

impl Parse for Detail {
    fn parse(input: ParseStream<'_>) -> Result<Detail> {
        let name: Ident = input.parse().map_err(|mistake| Error::new(mistake.span(), DETAIL))?;
        if name != "default" && name != "about" {
            return Err(Error::new(name.span(), DETAIL));
        }
        input.parse::<Token![=]>()?;
        let value: Lit = input.parse().map_err(|mistake| Error::new(mistake.span(), VALUE))?;
        Ok(Detail { name, value: text(&value)? })
    }
}

/// A value as the gateway would give it.
fn text(value: &Lit) -> Result<String> {
    match value {
        Lit::Str(text) => Ok(text.value()),
        Lit::Int(number) => Ok(number.base10_digits().to_string()),
        Lit::Float(number) => Ok(number.base10_digits().to_string()),
        Lit::Bool(truth) => Ok(truth.value.to_string()),
        other => Err(Error::new(other.span(), VALUE)),
    }
}

fn refuse_repeats(names: impl Iterator<Item = (String, proc_macro2::Span)>) -> Result<()> {
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

impl ToTokens for Setting {
    fn to_tokens(&self, tokens: &mut Tokens) {
        let Setting { key, detail } = self;
        let names = detail.iter().map(|detail| detail.name.to_string());
        let values = detail.iter().map(|detail| &detail.value);
        tokens.extend(quote! { ::hookgate_plugin::generated::ask("setting", #key, &[#((#names, #values)),*]) });
    }
}
