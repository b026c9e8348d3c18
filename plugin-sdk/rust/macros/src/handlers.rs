//! The functions that wear `#[on(...)]` or `#[respond(...)]`.

use std::mem;

use proc_macro2::{Span, TokenStream as Tokens};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitStr, Result, ReturnType, Token, Type};

use crate::{both, pattern};

const NO_HANDLER: &str = "this plugin does nothing: put `#[on(\"file.ready\")]`, or `#[respond(\"frameio:*\")]`, on a \
                          function in this block";
const BOTH: &str = "a function either handles events or answers their senders: write two";
const TAKEN: &str = "an earlier handler takes this already";
const ASYNC: &str = "a handler is a plain function: remove `async`";
const GENERIC: &str = "a handler has no parameters: `#[plugin]` has to know what to read from an event";
const RECEIVER: &str = "a handler has no `self`: nothing is kept between events";
const ARGUMENTS: &str =
    "a handler takes one argument: `Event`, `Json<T>`, `frameio::Webhook`, `soundhash::Webhook`, ...";

/// What a function is called for.
#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    /// `#[on(...)]`: to handle an event.
    On,
    /// `#[respond(...)]`: to answer the sender of one.
    Respond,
}

impl Role {
    fn of(attribute: &Attribute) -> Option<Role> {
        let roles = [("on", Role::On), ("respond", Role::Respond)];
        roles.into_iter().find(|(word, _)| attribute.path().is_ident(word)).map(|(_, role)| role)
    }

    fn no_function(self) -> &'static str {
        match self {
            Role::On => "`#[on(...)]` belongs on a function",
            Role::Respond => "`#[respond(...)]` belongs on a function",
        }
    }

    fn no_pattern(self) -> &'static str {
        match self {
            Role::On => "say which events, in quotes: `#[on(\"file.ready\")]`",
            Role::Respond => "say to which events, in quotes: `#[respond(\"frameio:*\")]`",
        }
    }

    fn returns(self) -> &'static str {
        match self {
            Role::On => "a handler returns `Result`: write `-> Result` and end with `Ok(())`",
            Role::Respond => "a responder returns what the sender gets: write `-> Result<Answer>`",
        }
    }

    /// What reads what the function returns.
    fn outcome(self, at: Span) -> Tokens {
        match self {
            Role::On => quote_spanned! { at => ::hookgate_plugin::generated::Outcome::outcome },
            Role::Respond => quote_spanned! { at => ::hookgate_plugin::generated::Reply::reply },
        }
    }
}

/// One function and the events that it takes.
pub struct Handler {
    /// What it is called for.
    pub role: Role,
    name: Ident,
    patterns: Vec<LitStr>,
    argument: Type,
    returned: Type,
    /// `#[cfg(...)]`, which what calls the function must wear as well.
    conditions: Vec<Attribute>,
}

impl Handler {
    /// Its patterns as items of an array, each with a comma.
    pub fn items(&self) -> Tokens {
        let Handler { patterns, conditions, .. } = self;
        let conditions = quote! { #(#conditions)* };
        quote! { #(#conditions #patterns,)* }
    }

    /// What calls it, if the event is for it.
    pub fn arm(&self) -> Tokens {
        let Handler { role, name, patterns, argument, returned, conditions } = self;
        let (argument_at, returned_at) = (place(argument), place(returned));
        let outcome = role.outcome(returned_at);
        let read = quote_spanned! { argument_at => <#argument as ::hookgate_plugin::FromEvent>::from_event(event)? };
        let call = quote_spanned! { returned_at => #outcome(Self::#name(#read)) };
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

/// Takes every `#[on(...)]` and `#[respond(...)]` out of the block. All mistakes are reported, not only the first.
pub fn take(block: &mut ItemImpl) -> Result<Vec<Handler>> {
    let mut found = Ok(Vec::new());
    for item in &mut block.items {
        let ours = take_ours(item);
        if ours.is_empty() {
            continue;
        }
        found = both(found, read(item, &ours)).map(|(mut handlers, handler)| {
            handlers.push(handler);
            handlers
        });
    }
    let handlers = found?;
    if handlers.is_empty() {
        return Err(Error::new(block.self_ty.span(), NO_HANDLER));
    }
    refuse_taken(&handlers, Role::On)?;
    refuse_taken(&handlers, Role::Respond)?;
    Ok(handlers)
}

/// What an item wears of ours.
fn take_ours(item: &mut ImplItem) -> Vec<Attribute> {
    let attributes = match item {
        ImplItem::Fn(function) => &mut function.attrs,
        ImplItem::Const(constant) => &mut constant.attrs,
        ImplItem::Type(alias) => &mut alias.attrs,
        _ => return Vec::new(),
    };
    let (ours, rest) = mem::take(attributes).into_iter().partition(|attribute| Role::of(attribute).is_some());
    *attributes = rest;
    ours
}

fn read(item: &ImplItem, ours: &[Attribute]) -> Result<Handler> {
    let role = role(ours)?;
    let ImplItem::Fn(function) = item else { return Err(Error::new(ours[0].span(), role.no_function())) };
    let (patterns, (argument, returned)) = both(patterns(role, ours), signature(role, function))?;
    let conditions = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
    Ok(Handler { role, name: function.sig.ident.clone(), patterns, argument, returned, conditions })
}

/// The one thing that a function is called for.
fn role(ours: &[Attribute]) -> Result<Role> {
    let roles: Vec<_> = ours.iter().filter_map(|attribute| Some((Role::of(attribute)?, attribute))).collect();
    let (first, _) = roles[0];
    match roles.iter().find(|(role, _)| *role != first) {
        Some((_, other)) => Err(Error::new(other.span(), BOTH)),
        None => Ok(first),
    }
}

/// What is written in the attributes of one function.
fn patterns(role: Role, ours: &[Attribute]) -> Result<Vec<LitStr>> {
    let mut patterns = Vec::new();
    for attribute in ours {
        let written = attribute.meta.require_list().map_err(|_| Error::new(attribute.span(), role.no_pattern()))?;
        if written.tokens.is_empty() {
            return Err(Error::new(attribute.span(), role.no_pattern()));
        }
        let written = written.parse_args_with(Punctuated::<LitStr, Token![,]>::parse_terminated);
        patterns.extend(written.map_err(|mistake| Error::new(mistake.span(), role.no_pattern()))?);
    }
    patterns.iter().try_for_each(pattern::check)?;
    Ok(patterns)
}

/// What the function takes and returns, if it can be called with one event and nothing else.
fn signature(role: Role, function: &ImplItemFn) -> Result<(Type, Type)> {
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
        return Err(Error::new(signature.ident.span(), role.returns()));
    };
    Ok((Type::clone(&argument.ty), Type::clone(returned)))
}

/// A handler whose every event goes to another would never run. Of two with conditions, one may not be there.
fn refuse_taken(handlers: &[Handler], role: Role) -> Result<()> {
    let always = handlers.iter().filter(|handler| handler.role == role && handler.conditions.is_empty());
    let patterns: Vec<_> = always.flat_map(|handler| &handler.patterns).collect();
    for (place, pattern) in patterns.iter().enumerate() {
        if patterns[..place].iter().any(|earlier| earlier.value() == pattern.value()) {
            return Err(Error::new(pattern.span(), TAKEN));
        }
    }
    Ok(())
}
