//! The attribute `#[plugin]` of the crate `hookgate-plugin`, which re-exports and documents it.

mod asks;
mod handlers;
mod host;
mod pattern;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Error, Item, ItemImpl, Result};

use asks::Asks;
use handlers::{Handler, Role};

const NO_BLOCK: &str = "`#[plugin]` belongs on a plain block: `impl MyPlugin { ... }`";
const GENERIC: &str = "a plugin has no parameters: the gateway could not fill them in";

/// Makes a plugin of an `impl` block.
///
/// Each function with `#[on("pattern", ...)]` is a handler: it takes one argument that implements `FromEvent` and
/// returns `Result`. An event goes to the first handler, in order of writing, with a pattern that matches it.
///
/// A pattern is the type of an event, where `*` stands for any characters, dots included: `file.ready`, `file.*`, `*`.
/// With the name of a source or of a provider before a colon it means events from there alone: `github:push`.
///
/// A function with `#[respond("pattern", ...)]` answers the sender of an event, which waits for that. It returns
/// `Result` of anything that is `Into<Answer>`, and the operator is asked to let it.
///
/// The attribute's own arguments are what the operator is asked to grant:
///
/// ```
/// # use hookgate_plugin::{Event, Result, log, plugin, setting};
/// # struct Greeter;
/// #[plugin(
///     setting("greeting", default = "Hi", about = "How users are greeted."),
///     setting("limit", type = "integer", default = 3),
///     host("api.example.com", methods = "GET POST", credential = "bearer", about = "Where users are."),
///     state(about = "Who was greeted already."),
///     emit("greeting.*", optional),
/// )]
/// impl Greeter {
///     #[on("user.created")]
///     fn greet(_: Event) -> Result {
///         log::info!("{}", setting("greeting").unwrap_or_default());
///         Ok(())
///     }
/// }
/// ```
///
/// - `setting("key")` has a `type`, which is `"text"` without it, `"integer"`, `"number"`, `"boolean"` or `"json"`, and
///   a `default`: without one it must be granted before the plugin runs.
/// - `host("name")` is a host's name, `"*.example.com"` for all below it, or `"*"` for those that the operator names.
///   `methods` and `credential`, which is `"bearer"`, `"basic"` or `"header"`, tell what will be needed.
/// - `state` is a memory from one event to the next; `emit("pattern")` is to make events of these types.
///
/// `about` is a sentence for the operator. What is `optional`, the plugin runs without too; the rest must be granted.
/// The plugin's name and version are the crate's.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = match syn::parse(item) {
        Ok(Item::Impl(block)) => expand(syn::parse(arguments), block),
        Ok(other) => {
            let mistake = Error::new(other.span(), NO_BLOCK).into_compile_error();
            quote! { #other #mistake }
        }
        Err(mistake) => mistake.into_compile_error(),
    };
    expanded.into()
}

/// The block without our attributes, and beside it either the plugin or all that is wrong with it.
fn expand(asks: Result<Asks>, mut block: ItemImpl) -> Tokens {
    let handlers = handlers::take(&mut block);
    let handlers = plain(&block).and(handlers);
    let plugin = both(asks, handlers).map(|(asks, handlers)| implement(&block.self_ty, &asks, &handlers));
    let plugin = plugin.unwrap_or_else(Error::into_compile_error);
    quote! { #block #plugin }
}

/// Whether it is a block that functions can be called in by the name of the type alone.
fn plain(block: &ItemImpl) -> Result<()> {
    if block.trait_.is_some() {
        return Err(Error::new(block.span(), NO_BLOCK));
    }
    if !block.generics.params.is_empty() {
        return Err(Error::new(block.generics.span(), GENERIC));
    }
    Ok(())
}

/// Reports the mistakes of both sides at once.
fn both<A, B>(one: Result<A>, other: Result<B>) -> Result<(A, B)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(mut mistakes), Err(more)) => {
            mistakes.combine(more);
            Err(mistakes)
        }
        (Err(mistakes), _) | (_, Err(mistakes)) => Err(mistakes),
    }
}

fn implement(plugin: &impl ToTokens, asks: &Asks, handlers: &[Handler]) -> Tokens {
    let (on, respond): (Vec<_>, Vec<_>) = handlers.iter().partition(|handler| handler.role == Role::On);
    let (subscriptions, replies) = (on.iter().map(|each| each.items()), respond.iter().map(|each| each.items()));
    let arms = on.iter().map(|each| each.arm());
    let responder = (!respond.is_empty()).then(|| implement_responder(plugin, &respond));
    let export = if respond.is_empty() {
        quote! { export }
    } else {
        quote! { export_responding }
    };
    quote! {
        impl ::hookgate_plugin::Plugin for #plugin {
            fn describe() -> ::hookgate_plugin::Manifest {
                ::hookgate_plugin::generated::manifest(
                    ::core::env!("CARGO_PKG_NAME"),
                    ::core::env!("CARGO_PKG_VERSION"),
                    &[#(#subscriptions)*],
                    #asks,
                    &[#(#replies)*],
                )
            }

            fn handle(event: ::hookgate_plugin::Event) -> ::hookgate_plugin::Result {
                ::hookgate_plugin::generated::call::<Self, _>(event, |event| {
                    #(#arms)*
                    ::hookgate_plugin::generated::unhandled(&event)
                })
            }
        }

        // Only the gateway calls a plugin: in a native build the compiler would take all of it for dead code.
        const _: fn(::hookgate_plugin::Event) -> ::hookgate_plugin::Result =
            <#plugin as ::hookgate_plugin::Plugin>::handle;

        #responder

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = #plugin;
            ::hookgate_plugin::bindings::#export!(Exported with_types_in ::hookgate_plugin::bindings);
        };
    }
}

fn implement_responder(plugin: &impl ToTokens, respond: &[&Handler]) -> Tokens {
    let arms = respond.iter().map(|each| each.arm());
    quote! {
        impl ::hookgate_plugin::Responder for #plugin {
            fn respond(event: ::hookgate_plugin::Event) -> ::hookgate_plugin::Result<::hookgate_plugin::Answer> {
                ::hookgate_plugin::generated::call::<Self, _>(event, |event| {
                    #(#arms)*
                    ::hookgate_plugin::generated::unanswered(&event)
                })
            }
        }

        const _: fn(::hookgate_plugin::Event) -> ::hookgate_plugin::Result<::hookgate_plugin::Answer> =
            <#plugin as ::hookgate_plugin::Responder>::respond;
    }
}
