//! `wasi:http`, for languages whose own client speaks it: its requests go the way of `http.send`, and no other.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use super::guest::Guest;
use crate::outbound::{Cause, Hosts, NoAnswer, Request, Response};

/// The largest body that is gathered for a request, in bytes, whatever is granted.
const BODY_BYTES: usize = 4 << 20;

/// How many requests of one call gather their bodies or are under way at a time; more wait.
const AT_ONCE: usize = 4;

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
}

impl WasiHttp {
    pub fn new(hosts: Arc<Hosts>) -> WasiHttp {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(FIELDS_BYTES);
        WasiHttp { context, way: Way { hosts, event: String::new(), places: Arc::new(Semaphore::new(AT_ONCE)) } }
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
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Finishing,
    ) -> Sending {
        let (hosts, event, places) = (self.hosts.clone(), self.event.clone(), self.places.clone());
        Box::new(async move {
            let sent = async {
                // It is never closed.
                let _place = places.acquire().await;
                let request = gathered(request, options).await?;
                hosts.send(request, &event).await
            };
            let Response { status, headers, body } = sent.await.map_err(wasi_error)?;
            let mut response = http::Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            let finishing: Finishing = Box::new(std::future::ready(Ok(())));
            Ok((response, finishing))
        })
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
