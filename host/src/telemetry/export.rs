//! Takes spans to the collector, many at a time, beside everything else.

use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Counters;
use super::collector::{Collector, NotTaken};

/// The most spans in a request.
const TOGETHER: usize = 512;

/// How long the first of them waits for others.
const GATHERING: Duration = Duration::from_secs(1);

/// The waits before the same spans are tried again; then they are left out.
const AGAIN: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// What takes spans to the collector.
pub struct Exporting {
    spans: mpsc::Receiver<Span>,
    collector: Collector,
    resource: Resource,
    counters: Counters,
    finish: CancellationToken,
    /// Whether that was told already.
    is_failing: bool,
}

impl Exporting {
    pub(super) fn new(
        spans: mpsc::Receiver<Span>,
        collector: Collector,
        service_name: &str,
        counters: Counters,
    ) -> Exporting {
        let named = [("service.name", service_name), ("service.version", VERSION)];
        let attribute = |(key, value): (&str, &str)| {
            let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
            KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
        };
        let resource = Resource { attributes: named.map(attribute).to_vec(), ..Resource::default() };
        Exporting { spans, collector, resource, counters, finish: CancellationToken::new(), is_failing: false }
    }

    /// Begins, on these threads.
    pub fn start(self, threads: &Handle) -> Flush {
        let finish = self.finish.clone();
        Flush(Some((finish, AbortOnDropHandle::new(threads.spawn(self.run())))))
    }

    async fn run(mut self) {
        while let Some(spans) = self.gather().await {
            self.export(spans).await;
        }
    }

    /// Waits for spans, and a little longer for more. Nothing, when that was all.
    async fn gather(&mut self) -> Option<Vec<Span>> {
        let (mut spans, finish) = (Vec::with_capacity(TOGETHER), self.finish.clone());
        tokio::select! {
            _ = self.spans.recv_many(&mut spans, TOGETHER) => {}
            () = finish.cancelled() => {}
        }
        let enough = tokio::time::sleep(GATHERING);
        tokio::pin!(enough);
        while !spans.is_empty() && spans.len() < TOGETHER {
            let room = TOGETHER - spans.len();
            tokio::select! {
                more = self.spans.recv_many(&mut spans, room) => if more == 0 { break },
                () = &mut enough => break,
                () = finish.cancelled() => break,
            }
        }
        if finish.is_cancelled() {
            // What is told from now on is counted as dropped.
            self.spans.close();
            while let (true, Ok(span)) = (spans.len() < TOGETHER, self.spans.try_recv()) {
                spans.push(span);
            }
        }
        (!spans.is_empty()).then_some(spans)
    }

    async fn export(&mut self, spans: Vec<Span>) {
        let all = spans.len() as u64;
        let refused = self.send(self.encode(spans)).await.map_or(all, |refused| refused.min(all));
        self.counters.count("failed", refused);
        self.counters.count("sent", all - refused);
    }

    /// Sends a request, and again where that may help. Gives how many spans of it were refused.
    async fn send(&mut self, body: Bytes) -> Result<u64, NotTaken> {
        let mut waits = AGAIN.iter();
        loop {
            let sent = self.collector.send(body.clone()).await;
            self.note(&sent);
            let wait = match &sent {
                Err(not_taken) if not_taken.may_go_later && !self.finish.is_cancelled() => waits.next(),
                _ => None,
            };
            let Some(wait) = wait else { return sent };
            tokio::select! {
                () = tokio::time::sleep(*wait) => {}
                () = self.finish.cancelled() => {}
            }
        }
    }

    fn encode(&self, spans: Vec<Span>) -> Bytes {
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: VERSION.to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    /// Tells when it begins to fail and when that is over, and not each time.
    fn note(&mut self, sent: &Result<u64, NotTaken>) {
        let (was_failing, url) = (self.is_failing, self.collector.url().as_str());
        self.is_failing = !matches!(sent, Ok(0));
        match sent {
            Ok(0) if was_failing => tracing::info!("{url} takes spans again"),
            Ok(refused) if *refused > 0 && !was_failing => {
                tracing::warn!("{url} refuses {refused} spans; that is not told again until it takes all");
            }
            Err(NotTaken { why, .. }) if !was_failing => {
                tracing::warn!(
                    "{url} takes no spans: {why}; they are left out, and that is not told again until it does"
                );
            }
            _ => {}
        }
    }
}

/// What has the last spans sent. Without it, nothing is sent any more.
pub struct Flush(Option<(CancellationToken, AbortOnDropHandle<()>)>);

/// How long an end waits for a collector at the most.
const FLUSHING: Duration = Duration::from_secs(3);

impl Flush {
    /// Where nothing is sent.
    pub fn nothing() -> Flush {
        Flush(None)
    }

    /// Sends what waits, within a time that is never long; the rest is left out.
    pub async fn end_within(self, most: Duration) {
        let Some((finish, running)) = self.0 else { return };
        finish.cancel();
        let _ = tokio::time::timeout(most.min(FLUSHING), running).await;
    }
}

/// This gateway's.
const VERSION: &str = env!("CARGO_PKG_VERSION");
