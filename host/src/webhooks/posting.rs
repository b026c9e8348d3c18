//! One attempt to deliver an event to a receiver: whether it is its turn, what is sent, what the answer means.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::health::{Next, Turn};
use super::signing::{Keys, Subject, headers};
use super::{Entry, Webhook, Webhooks, body};
use crate::attempt::{Attempt, Outcome, Reply};
use crate::event::{Event, TRACEPARENT, TraceParent, now_ms, wall_ms};
use crate::outbound::{NoAnswer, Posted};

/// What became of an attempt.
pub enum Tried {
    /// It was not begun: it is not its turn, or nobody is there to get it. It does not count.
    NotNow,
    /// It ended.
    Ended {
        /// How.
        attempt: Attempt,
        /// Why the webhook is to be disabled, where it is.
        disable: Option<String>,
    },
}

/// A request and what came of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// How that is to be judged.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// What the receiver answered.
    pub reply: Option<Reply>,
    /// How long the receiver asked to be left alone.
    asked: Option<Duration>,
}

/// What one request is about.
pub(super) struct Sent<'a> {
    /// The event's id: the same on each attempt.
    pub event: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// What is said of it.
    pub body: Bytes,
    /// What the receiver's own spans stand under.
    pub trace: Option<TraceParent>,
}

/// The answers that ask for a wait (RFC 9110, section 10.2.3; RFC 6585, section 4).
const ASKS: [StatusCode; 2] = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];

/// How long a delivery rests that nobody is there for.
const NOBODY_MS: u64 = 1_000;

/// The answers of a receiver that does not believe a signature.
const REFUSES: [u16; 3] = [400, 401, 403];

impl Webhooks {
    /// Delivers an event to a webhook, by the subscriber's name, if it is its turn. The receiver is told of the span that it stands under.
    pub async fn deliver(&self, subscriber: &Arc<str>, event: &Event, trace: Option<TraceParent>) -> Tried {
        let Some(entry) = self.entry_of(subscriber) else { return self.nobody(subscriber) };
        let webhook = entry.webhook();
        if !webhook.is_active {
            return self.nobody(subscriber);
        }
        let (begun_at_ms, per_minute) = (now_ms(), webhook.rate_limit_per_minute);
        {
            let mut health = entry.health();
            if let Turn::Later { at_ms } = health.turn(per_minute, begun_at_ms) {
                self.queue.hold(subscriber, at_ms, 1);
                return Tried::NotNow;
            }
        }
        let (id, body) = (event.id.to_string(), body::body(event).into());
        let exchange =
            self.exchange(&entry, &webhook, Sent { event: &id, event_type: &event.event_type, body, trace }).await;
        let now = now_ms();
        {
            // Told to the queue while it is locked: what is told last is what holds.
            let mut health = entry.health();
            let next = match exchange.outcome {
                Outcome::Done => health.went_well(per_minute, now),
                _ => health.failed(exchange.asked, now),
            };
            match next {
                Next::Same => {}
                Next::Hold { until_ms } => self.queue.hold(subscriber, until_ms, 1),
                Next::Free => self.queue.claim(subscriber, self.limits.calls_at_once),
            }
        }
        let disable = self.why_disable(&entry, &exchange, now);
        let Exchange { outcome, took, reply, .. } = exchange;
        Tried::Ended { attempt: Attempt::without_call(begun_at_ms, took, outcome, reply), disable }
    }

    /// Nobody is there to get it right now, and asking again at once is of no use.
    fn nobody(&self, subscriber: &str) -> Tried {
        self.queue.hold(subscriber, now_ms() + NOBODY_MS, 1);
        Tried::NotNow
    }

    /// Sends one request and reads what it means.
    pub(super) async fn exchange(&self, entry: &Entry, webhook: &Webhook, sent: Sent<'_>) -> Exchange {
        let Sent { event, event_type, body, trace } = sent;
        let (begun, now) = (Instant::now(), wall_ms());
        let secrets = webhook.secrets(now);
        // The header that has room for one signature: by the secret that the receiver took last.
        let alone = entry.alone.load(Ordering::Relaxed) % secrets.len().max(1);
        let keys = Keys { secrets: &secrets, alone, pair: webhook.key_pair.as_ref() };
        let subject = Subject { webhook: &webhook.id, event, event_type, now_s: now / 1000 };
        let Some(ours) = headers(&subject, &keys, &body) else {
            let why = "it has no secret to sign with".to_owned();
            return Exchange {
                outcome: Outcome::Retry { why, after: None },
                took: begun.elapsed(),
                reply: None,
                asked: None,
            };
        };
        let mut headers = webhook.headers();
        headers.extend(ours);
        if let Some(trace) = trace.and_then(|trace| HeaderValue::from_str(&trace.to_string()).ok()) {
            headers.insert(TRACEPARENT, trace);
        }
        let posted = self.poster.post(&webhook.url, headers, body, self.limits.timeout).await;
        let exchange = read(posted, begun.elapsed());
        if secrets.len() > 1 && exchange.reply.as_ref().is_some_and(|reply| REFUSES.contains(&reply.status)) {
            entry.refused(alone, secrets.len());
        }
        exchange
    }

    fn why_disable(&self, entry: &Entry, exchange: &Exchange, now: u64) -> Option<String> {
        let is_gone = exchange.reply.as_ref().is_some_and(|reply| reply.status == StatusCode::GONE);
        if is_gone {
            return Some("its receiver answered 410 Gone".to_owned());
        }
        let long = self.limits.disable_after;
        let has_failed = exchange.outcome != Outcome::Done && entry.health().has_failed_for(long, now);
        has_failed.then(|| format!("nothing was delivered for {} (disable_after_s)", readable(long)))
    }
}

/// What an answer means: 2xx is success, everything else is tried again.
fn read(posted: Result<Posted, NoAnswer>, took: Duration) -> Exchange {
    let (outcome, reply, asked) = match posted {
        Ok(Posted { status, retry_after, body }) => {
            let reply = Some(Reply { status: status.as_u16(), body });
            let asked = retry_after.filter(|_| ASKS.contains(&status));
            let outcome = match status {
                status if status.is_success() => Outcome::Done,
                StatusCode::GONE => Outcome::Reject { why: "answered 410 Gone".into() },
                status if status.is_redirection() => {
                    let why = format!("answered {}, and redirects are not followed", status.as_u16());
                    Outcome::Retry { why, after: None }
                }
                status => Outcome::Retry { why: format!("answered {}", status.as_u16()), after: asked },
            };
            (outcome, reply, asked)
        }
        Err(NoAnswer { why, .. }) => (Outcome::Retry { why, after: None }, None, None),
    };
    Exchange { outcome, took, reply, asked }
}

fn readable(long: Duration) -> String {
    let seconds = long.as_secs();
    match seconds {
        86_400.. => format!("{} days", seconds / 86_400),
        3_600.. => format!("{} hours", seconds / 3_600),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_success() {
        let answered = |status: u16, retry_after: Option<u64>| {
            let status = StatusCode::from_u16(status).unwrap();
            let retry_after = retry_after.map(Duration::from_secs);
            read(Ok(Posted { status, retry_after, body: Bytes::new() }), Duration::ZERO).outcome
        };
        let retry =
            |why: &str, after: Option<u64>| Outcome::Retry { why: why.into(), after: after.map(Duration::from_secs) };
        for status in [200, 201, 204, 299] {
            assert_eq!(answered(status, None), Outcome::Done);
        }
        assert_eq!(answered(302, None), retry("answered 302, and redirects are not followed", None));
        assert_eq!(answered(410, None), Outcome::Reject { why: "answered 410 Gone".into() });
        assert_eq!(answered(429, Some(7)), retry("answered 429", Some(7)));
        assert_eq!(answered(503, Some(7)), retry("answered 503", Some(7)));
        assert_eq!(answered(500, Some(7)), retry("answered 500", None));
        assert_eq!(answered(404, None), retry("answered 404", None));
    }
}
