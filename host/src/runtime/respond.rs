//! One call of a guest that answers the sender of an event.

use std::sync::Arc;
use std::time::Instant;

use super::bindings::exports::hookgate::plugin::handler::{Event as GuestEvent, Failure, Retry};
use super::call::{Called, failed, guest_event, shortened, trapped};
use super::guest::Guest;
use super::lines::{Line, take_lines};
use super::load::Code;
use super::responding::RespondingPluginPre;
use super::responding::exports::hookgate::plugin::handler as asked;
use super::responding::exports::hookgate::plugin::responder::Answer as GuestAnswer;
use super::warm::Instance;
use super::{Plugin, Runtime};
use crate::attempt::Outcome;
use crate::effects::Effects;
use crate::event::Event;
use crate::outbound::is_the_hosts_own;

/// What a plugin tells a sender that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: http::StatusCode,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: bytes::Bytes,
}

impl Instance {
    /// Has it answer the sender of an event.
    async fn respond(
        &mut self,
        pre: &RespondingPluginPre<Guest>,
        event: &asked::Event,
    ) -> wasmtime::Result<Result<GuestAnswer, asked::Failure>> {
        let instance = pre.instantiate_async(&mut self.store).await?;
        instance.hookgate_plugin_responder().call_respond(&mut self.store, event).await
    }
}

impl Runtime {
    /// Has a plugin answer the sender of an event, in a fresh instance. One that cannot answer rejects.
    pub async fn respond(
        &self,
        plugin: &Plugin,
        event: &Event,
        on_line: impl Fn(&Line) + Send + Sync + 'static,
    ) -> Called {
        let place = self.place().await;
        let begun = Instant::now();
        let mut instance = self.instance(&plugin.limits, plugin.powers.clone(), place);
        instance.begin(plugin.limits.log_bytes, Arc::new(on_line), plugin.draft(event));
        let (seen, log) = (instance.seen.clone(), instance.store.data().log());
        let Code::Responder(_, pre) = &plugin.code else {
            let outcome = Outcome::Reject { why: "the plugin does not answer senders".into() };
            return Called {
                outcome,
                lines: Vec::new(),
                cost: seen.cost(begun),
                effects: Effects::default(),
                answer: None,
            };
        };
        let (pre, event) = (pre.clone(), asked_event(guest_event(event, 1)));
        let work = async move {
            let ended = instance.respond(&pre, &event).await;
            ended.map(|ended| (ended, instance))
        };
        let (outcome, effects, answer) = match self.run(work, &seen.meter, plugin.limits.wall).await {
            None => (Outcome::Overran { limit: "call_ms" }, Effects::default(), None),
            Some(Ok((Ok(said), mut instance))) => match answer(said) {
                Ok(answer) => (Outcome::Done, instance.effects(), Some(answer)),
                Err(why) => (Outcome::Reject { why }, Effects::default(), None),
            },
            Some(Ok((Err(failure), _))) => (failed(handler_failure(failure)), Effects::default(), None),
            Some(Err(error)) => (trapped(&error, &seen), Effects::default(), None),
        };
        Called { outcome, lines: take_lines(&log), cost: seen.cost(begun), effects, answer }
    }
}

/// The largest answer, and the most headers, in bytes.
const HEADER_BYTES: usize = 16 << 10;
const ANSWER_BYTES: usize = 1 << 20;

/// Checks what a plugin would tell a sender. The error is a sentence.
fn answer(said: GuestAnswer) -> Result<Answer, String> {
    let GuestAnswer { status, headers, body } = said;
    let known = http::StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()));
    let status = known.ok_or_else(|| format!("its answer has the status {status}, which is none"))?;
    if body.len() > ANSWER_BYTES {
        return Err(format!("its answer has {} bytes, and {ANSWER_BYTES} is the most", body.len()));
    }
    let mut read = http::HeaderMap::new();
    let mut bytes = 0;
    for (name, value) in headers {
        let wrong = || format!("its answer has the header {:?}, which is none", shortened(&name));
        let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = http::HeaderValue::from_str(&value).map_err(|_| wrong())?;
        bytes += name.as_str().len() + value.len();
        // Where one message ends and the next begins is not the plugin's to say.
        if is_the_hosts_own(&name) {
            continue;
        }
        read.try_append(name, value).map_err(|_| "its answer has too many headers".to_owned())?;
    }
    if bytes > HEADER_BYTES {
        return Err(format!("its answer has more than {HEADER_BYTES} bytes of headers"));
    }
    Ok(Answer { status, headers: read, body: body.into() })
}

/// The same event, by the name that it has beside a responder.
fn asked_event(event: GuestEvent) -> asked::Event {
    let GuestEvent { id, source, provider, type_, received_at_ms, attempt, attributes, payload } = event;
    asked::Event { id, source, provider, type_, received_at_ms, attempt, attributes, payload }
}

fn handler_failure(failure: asked::Failure) -> Failure {
    match failure {
        asked::Failure::Reject(why) => Failure::Reject(why),
        asked::Failure::Retry(asked::Retry { why, after_ms }) => Failure::Retry(Retry { why, after_ms }),
    }
}
