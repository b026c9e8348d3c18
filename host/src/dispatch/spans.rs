//! What is told of attempts: how long they waited, ran and were settled, and their spans.

use super::counters::verdict_name;
use super::{Dispatch, Ending};
use crate::attempt::{Attempt, Outcome};
use crate::effects::PLUGIN;
use crate::event::{Event, TraceParent, WEBHOOK, is_webhook};
use crate::queue::{Delivery, Told};
use crate::schedule::Verdict;
use crate::telemetry::{Draft, Kind, Moment, Origin, Step, Telemetry, Trace};
use crate::webhooks::HOOKGATE;

/// What stands at the top of an event's trace.
fn origin(event: &Event) -> Origin {
    match &*event.provider {
        PLUGIN | HOOKGATE => Origin::Made,
        _ => Origin::Sent,
    }
}

fn step<'a>(name: &'static str, delivery: &'a Delivery) -> Step<'a> {
    Step { name, subscriber: &delivery.subscriber, attempt: delivery.attempt }
}

/// What those are told whom an attempt asks for something, so that theirs stands under its call.
pub(super) fn onward(telemetry: &Telemetry, delivery: &Delivery) -> Option<TraceParent> {
    let event = &delivery.event;
    telemetry.onward(event.id, event.trace, origin(event), step("call", delivery))
}

/// What is told of the events that a plugin makes while it answers a sender.
pub(super) fn onward_from_answer(telemetry: &Telemetry, event: &Event) -> Option<TraceParent> {
    telemetry.onward(event.id, event.trace, origin(event), Step::once("answer"))
}

impl Ending<'_> {
    /// Tells of an attempt that ended. What it gives is to be called once its verdict is on disk.
    pub(super) fn tell(&self, ended: Moment, attempt: &Attempt, verdict: &Verdict) -> Told {
        let Ending { dispatch, delivery, begun, .. } = *self;
        let settled = dispatch.counters.count_wait(delivery, begun);
        let settling = dispatch.trace(delivery).map(|trace| {
            tell_of_attempt(&trace, delivery, begun, ended, attempt);
            let settling = trace.span(step("settle", delivery), Kind::Internal, ended, ended);
            about(settling, delivery).text("hookgate.verdict", verdict_name(verdict))
        });
        Box::new(move || {
            let now = ended.later();
            settled.observe(now.at.saturating_duration_since(ended.at).as_secs_f64());
            if let Some(settling) = settling {
                settling.until(now).tell();
            }
        })
    }
}

impl Dispatch {
    fn trace(&self, delivery: &Delivery) -> Option<Trace> {
        let event = &delivery.event;
        self.telemetry.trace(event.id, event.trace, origin(event))
    }
}

fn tell_of_attempt(trace: &Trace, delivery: &Delivery, begun: Moment, ended: Moment, attempt: &Attempt) {
    let waited = trace.span(step("wait", delivery), Kind::Internal, begun.back_to(delivery.due_ms), begun);
    about(waited, delivery).tell();
    let is_webhook = is_webhook(&delivery.subscriber);
    let kind = if is_webhook { Kind::Client } else { Kind::Consumer };
    let call = about(trace.span(step("call", delivery), kind, begun, ended), delivery);
    let call = call.text("hookgate.outcome", attempt.outcome.name());
    let call = match (&attempt.reply, is_webhook) {
        (Some(reply), _) => call.number("http.response.status_code", reply.status),
        (None, true) => call,
        // As plugins are shown everywhere: the first six bytes of the file's digest.
        (None, false) => call.text("hookgate.generation", format!("{:012x}", attempt.generation >> 16)),
    };
    match &attempt.outcome {
        Outcome::Done => call,
        // Never why: that is in the plugin's or the receiver's words.
        other => call.failed(other.name()),
    }
    .tell();
}

/// Whose attempt it is.
fn about(span: Draft, delivery: &Delivery) -> Draft {
    let span = match delivery.subscriber.strip_prefix(WEBHOOK) {
        Some(webhook) => span.text("hookgate.webhook", webhook),
        None => span.text("hookgate.plugin", &*delivery.subscriber),
    };
    span.number("hookgate.attempt", delivery.attempt)
}
