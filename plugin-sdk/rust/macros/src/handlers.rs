//! The functions that wear `#[on(...)]`.

use std::mem;

use proc_macro2::{Span, TokenStream as Tokens};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitStr, Result, ReturnType, Token, Type};

use crate::{both, pattern};

const NO_HANDLER: &str = "this plugin subscribes to nothing: put `#[on(\"file.ready\")]` on a function in this block";
const NO_FUNCTION: &str = "`#[on(...)]` belongs on a function";
const NO_PATTERN: &str = "say which events, in quotes: `#[on(\"file.ready\")]`";
const TAKEN: &str = "an earlier handler takes this already";
const ASYNC: &str = "a handler is a plain function: remove `async`";
const GENERIC: &str = "a handler has no parameters: `#[plugin]` has to know what to read from an event";
const RECEIVER: &str = "a handler has no `self`: nothing is kept between events";
const ARGUMENTS: &str =
    "a handler takes one argument: `Event`, `Json<T>`, `frameio::Webhook`, `soundhash::Webhook`, ...";
const RETURNS: &str = "a handler returns `Result`: write `-> Result` and end with `Ok(())`";

/// One function and the events that it takes.
pub struct Handler {
    name: Ident,
    patterns: Vec<LitStr>,
    argument: Type,
    returned: Type,
    /// `#[cfg(...)]`, which what calls the function must wear as well.
    conditions: Vec<Attribute>,
}

impl Handler {
    /// Its patterns as items of an array, each with a comma.
    pub fn subscriptions(&self) -> Tokens {
        let Handler { patterns, conditions, .. } = self;
        let conditions = quote! { #(#conditions)* };
        quote! { #(#conditions #patterns,)* }
    }

    /// What calls it, if the event is for it.
    pub fn arm(&self) -> Tokens {
        let Handler { name, patterns, argument, returned, conditions } = self;
        let (argument_at, returned_at) = (place(argument), place(returned));
        let read = quote_spanned! { argument_at => <#argument as ::hookgate_plugin::FromEvent>::from_event(event)? };
        let call = quote_spanned! { returned_at => ::hookgate_plugin::generated::Outcome::outcome(Self::#name(#read)) };
        quote! {
            #(#conditions)*
            {
                if ::hookgate_plugin::generated::matches(&[#(#patterns),*], &event) {
                    return #call;
                }
            }
        }
    }
}

/// Where an author wrote a type, so that an error points there, with the names that the code around it knows.
fn place(written: &Type) -> Span {
    written.span().resolved_at(Span::call_site())
}

/// Takes every `#[on(...)]` out of the block. All mistakes are reported, not only the first.
pub fn take(block: &mut ItemImpl) -> Result<Vec<Handler>> {
    let mut found = Ok(Vec::new());
    for item in &mut block.items {
        let Some(on) = take_on(item) else { continue };
        found = both(found, read(item, &on)).map(|(mut handlers, handler)| {
            handlers.push(handler);
            handlers
        });
    }
    let handlers = found?;
    if handlers.is_empty() {
        return Err(Error::new(block.self_ty.span(), NO_HANDLER));
    }
    refuse_taken(&handlers)?;
    Ok(handlers)
}

/// The `#[on(...)]` of an item, if it wears any.
fn take_on(item: &mut ImplItem) -> Option<Vec<Attribute>> {
    let attributes = match item {
        ImplItem::Fn(function) => &mut function.attrs,
        ImplItem::Const(constant) => &mut constant.attrs,
        ImplItem::Type(alias) => &mut alias.attrs,
        _ => return None,
    };
    let (on, rest) = mem::take(attributes).into_iter().partition(|attribute| attribute.path().is_ident("on"));
    *attributes = rest;
    Some(on).filter(|on: &Vec<Attribute>| !on.is_empty())
}

fn read(item: &ImplItem, on: &[Attribute]) -> Result<Handler> {
    let ImplItem::Fn(function) = item else { return Err(Error::new(on[0].span(), NO_FUNCTION)) };
    let (patterns, (argument, returned)) = both(patterns(on), signature(function))?;
    let conditions = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
    Ok(Handler { name: function.sig.ident.clone(), patterns, argument, returned, conditions })
}

/// What is written in the attributes of one function.
fn patterns(on: &[Attribute]) -> Result<Vec<LitStr>> {
    let mut patterns = Vec::new();
    for attribute in on {
        let written = attribute.meta.require_list().map_err(|_| Error::new(attribute.span(), NO_PATTERN))?;
        if written.tokens.is_empty() {
            return Err(Error::new(attribute.span(), NO_PATTERN));
        }
        let written = written.parse_args_with(Punctuated::<LitStr, Token![,]>::parse_terminated);
        patterns.extend(written.map_err(|mistake| Error::new(mistake.span(), NO_PATTERN))?);
    }
    patterns.iter().try_for_each(pattern::check)?;
    Ok(patterns)
}

/// What the function takes and returns, if it can be called with one event and nothing else.
fn signature(function: &ImplItemFn) -> Result<(Type, Type)> {
    let signature = &function.sig;
    if let Some(keyword) = &signature.asyncness {
        return Err(Error::new(keyword.span(), ASYNC));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(signature.generics.span(), GENERIC));
    }
    if let Some(receiver) = signature.receiver() {
        return Err(Error::new(receiver.span(), RECEIVER));
    }
    let mut inputs = signature.inputs.iter();
    let (Some(FnArg::Typed(argument)), None) = (inputs.next(), inputs.next()) else {
        let place: &dyn ToTokens = if signature.inputs.is_empty() { &signature.ident } else { &signature.inputs };
        return Err(Error::new(place.span(), ARGUMENTS));
    };
    let ReturnType::Type(_, returned) = &signature.output else {
        return Err(Error::new(signature.ident.span(), RETURNS));
    };
    Ok((Type::clone(&argument.ty), Type::clone(returned)))
}

/// A handler whose every event goes to another would never run. Of two with conditions, one may not be there.
fn refuse_taken(handlers: &[Handler]) -> Result<()> {
    let always = handlers.iter().filter(|handler| handler.conditions.is_empty());
    let patterns: Vec<_> = always.flat_map(|handler| &handler.patterns).collect();
    for (place, pattern) in patterns.iter().enumerate() {
        if patterns[..place].iter().any(|earlier| earlier.value() == pattern.value()) {
            return Err(Error::new(pattern.span(), TAKEN));
        }
    }
    Ok(())
}
