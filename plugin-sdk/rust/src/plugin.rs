//! What the gateway calls, and what the code that `#[plugin]` writes is made of.

use crate::bindings::exports::hookgate::plugin::{handler, responder};
use crate::{Answer, Event, Manifest, Result, host};

/// What `#[plugin]` makes of an `impl` block. In a test, call [`Plugin::handle`] to see which handler takes an event
/// and what comes of it.
pub trait Plugin {
    /// What the plugin is, what it subscribes to and what it asks for.
    fn describe() -> Manifest;

    /// Gives the event to the first handler, in order of writing, with a pattern that matches it.
    fn handle(event: Event) -> Result;
}

/// What `#[plugin]` makes of a block with `#[respond(...)]` in it besides. In a test, call [`Responder::respond`] to
/// see what a sender gets.
pub trait Responder: Plugin {
    /// Gives the event to the first responder, in order of writing, with a pattern that matches it.
    fn respond(event: Event) -> Result<Answer>;
}

impl<P: Plugin> handler::Guest for P {
    fn describe() -> Manifest {
        host::log_panics();
        <P as Plugin>::describe()
    }

    fn handle(event: handler::Event) -> Result<(), handler::Failure> {
        host::log_panics();
        Ok(<P as Plugin>::handle(Event::from(event))?)
    }
}

impl<P: Responder> responder::Guest for P {
    fn respond(event: handler::Event) -> Result<responder::Answer, handler::Failure> {
        host::log_panics();
        Ok(<P as Responder>::respond(Event::from(event))?.into())
    }
}

/// Called by the code that `#[plugin]` writes and by nobody else.
#[doc(hidden)]
pub mod generated {
    use crate::{Answer, Ask, Event, Failure, Manifest, Plugin, Result, host, pattern};

    /// Fills the manifest.
    pub fn manifest(name: &str, version: &str, patterns: &[&str], mut asks: Vec<Ask>, replies: &[&str]) -> Manifest {
        let subscriptions = patterns.iter().map(ToString::to_string).collect();
        asks.extend(replies.iter().map(|pattern| ask("reply", pattern, &[])));
        Manifest { name: name.to_string(), version: version.to_string(), subscriptions, asks }
    }

    /// One thing that the operator is asked to grant.
    pub fn ask(what: &str, name: &str, detail: &[(&str, &str)]) -> Ask {
        let detail = detail.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Ask { what: what.to_string(), name: name.to_string(), detail }
    }

    /// One call of a plugin with an event.
    pub fn call<P: Plugin, T>(event: Event, work: impl FnOnce(Event) -> Result<T>) -> Result<T> {
        host::call(P::describe, || work(event))
    }

    /// Whether a handler with these patterns takes this event.
    pub fn matches(patterns: &[&str], event: &Event) -> bool {
        patterns.iter().any(|pattern| pattern::matches(pattern, event))
    }

    /// What becomes of an event that is older than the plugin's present subscriptions.
    pub fn unhandled(event: &Event) -> Result {
        Err(Failure::reject(format_args!("no handler of this plugin takes `{}`", event.event_type())))
    }

    /// What becomes of an event whose sender is to be answered by a plugin that cannot.
    pub fn unanswered(event: &Event) -> Result<Answer> {
        Err(Failure::reject(format_args!("no responder of this plugin takes `{}`", event.event_type())))
    }

    /// What a handler can return.
    #[diagnostic::on_unimplemented(
        message = "a handler cannot return `{Self}`",
        label = "a handler returns `Result`, which is `Ok(())` or a `Failure`"
    )]
    pub trait Outcome {
        /// As the gateway wants it.
        fn outcome(self) -> Result;
    }

    impl<E: Into<Failure>> Outcome for std::result::Result<(), E> {
        fn outcome(self) -> Result {
            self.map_err(Into::into)
        }
    }

    /// What a responder can return.
    #[diagnostic::on_unimplemented(
        message = "a responder cannot return `{Self}`",
        label = "a responder returns `Result<Answer>`, or of what becomes one: `frameio::Message`, `String`, ..."
    )]
    pub trait Reply {
        /// As the gateway wants it.
        fn reply(self) -> Result<Answer>;
    }

    // Else an author reads what `Answer` is made from, and not what a responder returns.
    #[diagnostic::do_not_recommend]
    impl<A: Into<Answer>, E: Into<Failure>> Reply for std::result::Result<A, E> {
        fn reply(self) -> Result<Answer> {
            Ok(self.map_err(Into::into)?.into())
        }
    }
}
