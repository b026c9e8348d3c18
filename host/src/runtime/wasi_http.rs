//! `wasi:http`, for languages whose own client speaks it: its requests go the way of `http.send`, and no other.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use super::guest::Guest;
use crate::outbound::{Cause, Hosts, NoAnswer, Request, Response};

/// The largest body that is gathered for a request, in bytes, whatever is granted.
const BODY_BYTES: usize = 4 << 20;

/// How many requests of one call gather their bodies or are under way at a time; more wait.
const AT_ONCE: usize = 4;

/// The most requests of one call.
const REQUESTS: usize = 1000;

/// What the answers of one call may hold of the host's memory, in bytes, until the guest drops them.
const ANSWERS_BYTES: usize = 16 << 20;

/// What a guest may write into a body that nobody reads yet, in bytes: a guest may begin a thousand.
const CHUNK_BYTES: usize = 16 << 10;

/// The most that a map of headers may take of the host's memory, in bytes.
const FIELDS_BYTES: usize = 32 << 10;

/// What a guest's `wasi:http` stands on.
pub(super) struct WasiHttp {
    context: WasiHttpCtx,
    /// Whom it may ask, and the event on whose behalf.
    pub way: Way,
}

/// Whom requests may go to, and on behalf of which event.
pub(super) struct Way {
    hosts: Arc<Hosts>,
    pub event: String,
    places: Arc<Semaphore>,
    /// What answers that are not dropped yet may hold, all of them together.
    answers: Arc<Semaphore>,
    requests: Arc<AtomicUsize>,
}

impl Way {
    fn new(hosts: Arc<Hosts>) -> Way {
        let (places, answers) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(Semaphore::new(ANSWERS_BYTES)));
        Way { hosts, event: String::new(), places, answers, requests: Arc::default() }
    }

    /// Begins a call on behalf of an event.
    pub fn begin(&mut self, event: &str) {
        event.clone_into(&mut self.event);
        self.requests = Arc::default();
    }

    /// Counts a request, which is one line in the log.
    pub fn count(&self) -> Result<(), NoAnswer> {
        if self.requests.fetch_add(1, Ordering::Relaxed) < REQUESTS {
            return Ok(());
        }
        Err(NoAnswer::new(Cause::Limit, format!("one call makes at most {REQUESTS} requests")))
    }
}

impl WasiHttp {
    pub fn new(hosts: Arc<Hosts>) -> WasiHttp {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(FIELDS_BYTES);
        WasiHttp { context, way: Way::new(hosts) }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let WasiHttp { context, way } = &mut self.wasi_http;
        WasiHttpCtxView { hooks: way, table: &mut self.table, ctx: context }
    }
}

type Finishing = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sending = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Finishing), Error>> + Send>;

impl WasiHttpHooks for Way {
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Finishing,
    ) -> Sending {
        let (hosts, event, places) = (self.hosts.clone(), self.event.clone(), self.places.clone());
        let (answers, counted) = (self.answers.clone(), self.count());
        Box::new(async move {
            let sent = async {
                counted?;
                // It is never closed.
                let _place = places.acquire().await;
                let request = gathered(request, options).await?;
                let response = hosts.send(request, &event).await?;
                let most =
                    || NoAnswer::new(Cause::Limit, format!("answers hold at most {ANSWERS_BYTES} bytes at a time"));
                let held = answers.try_acquire_many_owned(response.body.len() as u32).map_err(|_| most())?;
                Ok((response, held))
            };
            let (Response { status, headers, body }, held) = sent.await.map_err(wasi_error)?;
            let mut response = http::Response::new(Held { body: Full::new(body), _held: held }.boxed_unsync());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            let finishing: Finishing = Box::new(std::future::ready(Ok(())));
            Ok((response, finishing))
        })
    }
}

/// A body that counts for as long as it is there.
struct Held {
    body: Full<Bytes>,
    _held: OwnedSemaphorePermit,
}

impl Body for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request with all of its body.
async fn gathered(request: http::Request<WasiBody>, options: Option<RequestOptions>) -> Result<Request, NoAnswer> {
    let (head, body) = request.into_parts();
    let read = Limited::new(body, BODY_BYTES).collect().await;
    let body: Bytes = read.map_err(|error| NoAnswer::new(Cause::Invalid, format!("the body: {error}")))?.to_bytes();
    let url = head.uri.to_string().parse();
    let url = url.map_err(|error| NoAnswer::new(Cause::Invalid, format!("the URL cannot be read: {error}")))?;
    let timeout = options.and_then(|options| options.first_byte_timeout);
    Ok(Request { method: head.method, url, headers: head.headers, body, timeout })
}

fn wasi_error(failed: NoAnswer) -> Error {
    match failed.kind {
        Cause::Denied => Error::HttpRequestDenied,
        Cause::Invalid => Error::HttpRequestUriInvalid,
        Cause::Limit => Error::HttpResponseBodySize(None),
        Cause::Busy => Error::ConnectionLimitReached,
        Cause::Timeout => Error::ConnectionTimeout,
        Cause::Failed => Error::InternalError(Some(failed.why)),
    }
}
