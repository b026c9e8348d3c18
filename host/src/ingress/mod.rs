//! HTTP in: receive, verify, parse, accept, answer. Knows nothing of plugins: what it hands on is on disk.

mod certificates;
mod counters;
mod refusal;

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::event::{Event, NewEvent, now_ms};
use crate::pace::Lately;
use crate::provider::{Answering, BadHandshake, HandshakeAnswer, Provider, Received, Source};
use crate::queue::{Queue, Receipt};

pub use certificates::{Certificates, Fetched, Fetching};
pub use counters::{Counters, Tally};
pub use refusal::Refusal;

/// Limits of requests and connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at a time.
    pub connections: usize,
    /// The most requests at a time whose bodies have arrived.
    pub requests_at_once: usize,
    /// The most bytes of bodies in memory, all requests together.
    pub bytes_at_once: usize,
    /// How long a request's headers may take.
    pub header: Duration,
    /// How long a whole request may take to arrive.
    pub request: Duration,
}

/// The sources that requests are taken for now; clones are the same.
pub type Sources = RwLock<BTreeMap<Arc<str>, Arc<Source>>>;

/// Sources by their names.
pub fn by_name(sources: &[Source]) -> BTreeMap<Arc<str>, Arc<Source>> {
    sources.iter().map(|source| (source.name.clone(), Arc::new(source.clone()))).collect()
}

/// Has somebody answer the sender of an event, by a name that the config gives. The error is a sentence for the operator.
pub type Asking = Arc<dyn Fn(Arc<str>, Event) -> Answered + Send + Sync>;

/// The answer to a sender, when there is one; nothing, where the event is none that it answers.
pub type Answered = Pin<Box<dyn Future<Output = Result<Option<Answer>, String>> + Send>>;

/// What a sender that waits is told.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What takes requests.
pub struct Ingress {
    sources: Arc<Sources>,
    queue: Queue,
    asking: Asking,
    certificates: Certificates,
    /// A place for each request at a time.
    places: Semaphore,
    /// What bodies may hold of memory, all together.
    bytes: Semaphore,
    /// How long a whole request may take to arrive.
    patience: Duration,
    counters: Counters,
    log: Quiet,
    traffic: Lately,
}

impl Ingress {
    /// Takes requests for these sources. When one comes, `traffic` is told.
    pub fn new(
        sources: Arc<Sources>,
        queue: Queue,
        asking: Asking,
        certificates: Certificates,
        limits: &Limits,
        counters: Counters,
        traffic: Lately,
    ) -> Ingress {
        let known = sources.read().unwrap_or_else(PoisonError::into_inner);
        known.values().for_each(|source| counters.begin(source));
        drop(known);
        Ingress {
            sources,
            queue,
            asking,
            certificates,
            places: Semaphore::new(limits.requests_at_once),
            bytes: Semaphore::new(limits.bytes_at_once),
            patience: limits.request,
            counters,
            log: Quiet::default(),
            traffic,
        }
    }

    /// The routes: `/hooks/<source>` and nothing else.
    pub fn router(self) -> Router {
        Router::new()
            .route("/hooks/{source}", any(hook))
            .fallback(async || Refusal::UnknownSource)
            .with_state(Arc::new(self))
    }

    async fn take(&self, source: &Source, request: Request) -> Result<Response, Refusal> {
        let begun = Instant::now();
        let (source_name, provider) = (source.name.clone(), &source.provider);
        if let Some(answer) = unsigned_handshake(source, &request) {
            return self.greet(&source_name, answer).await;
        }
        let (mut received, _held) = self.receive(source, request).await?;
        if let Some(url) = provider.certificate_url(&received, &source.keys, now_ms()).map_err(Refusal::Unverified)? {
            received.certificate = Some(self.certificates.get(url).await.map_err(|_| Refusal::NoCertificate)?);
        }
        // Only now: whoever sends slowly, or makes us ask, holds a connection and a few bytes, and no place.
        let _place = self.places.try_acquire().map_err(|_| Refusal::Busy)?;
        let verified = provider.verify(received, &source.keys, now_ms()).map_err(Refusal::Unverified)?;
        self.counters.count_verified(&source_name, verified.secret());
        if let Some(answer) = provider.handshake(&verified, &source.keys) {
            return self.greet(&source_name, answer).await;
        }
        let events = provider.parse_events(verified).map_err(Refusal::Unreadable)?;
        // Where one request holds many, nobody's answer is to all of them.
        let alone = events.first().filter(|_| events.len() == 1);
        let asked = source.answering.as_ref().zip(alone.cloned());
        let receipts = self.queue.accept(events).await.map_err(Refusal::NotWritten)?;
        self.counters.count_accepted(&source_name, &receipts);
        self.counters.note_accepted_in(begun.elapsed());
        match (asked, receipts.first()) {
            (Some((answering, event)), Some(receipt)) => {
                // What waits for a plugin holds no place of those that are taken at once.
                drop(_place);
                Ok(self.ask(source, answering, event, receipt).await)
            }
            _ => Ok(answer(provider.success, &receipts)),
        }
    }

    /// Answers a sender that makes sure that somebody is here.
    async fn greet(
        &self,
        source: &Arc<str>,
        answer: Result<HandshakeAnswer, BadHandshake>,
    ) -> Result<Response, Refusal> {
        let HandshakeAnswer { status, content_type, body, visit } = answer.map_err(Refusal::Handshake)?;
        if let Some(address) = visit {
            self.certificates.visit(address).await.map_err(|why| {
                tracing::warn!(%source, "{source}: what confirms the subscription cannot be asked for: {why}");
                Refusal::NotVisited
            })?;
        }
        self.counters.count_handshake(source);
        tracing::info!(%source, "{source}: its sender made sure that somebody is here");
        Ok(match body.is_empty() {
            true => status.into_response(),
            false => (status, [(CONTENT_TYPE, content_type)], body).into_response(),
        })
    }

    /// Has a plugin answer, for as long as the sender can wait; the event is written down whatever it says.
    async fn ask(&self, source: &Source, answering: &Answering, event: NewEvent, receipt: &Receipt) -> Response {
        let (begun, name) = (Instant::now(), &source.name);
        let event = event.accepted(receipt.id);
        let asked = (self.asking)(answering.plugin.clone(), event);
        let (result, response) = match tokio::time::timeout(answering.within, asked).await {
            Ok(Ok(None)) => return answer(source.provider.success, std::slice::from_ref(receipt)),
            Ok(Ok(Some(answer))) => ("answered", (answer.status, answer.headers, answer.body).into_response()),
            Ok(Err(why)) => {
                tracing::warn!(source = %name, event = %receipt.id, "{name}: {} did not answer: {why}", answering.plugin);
                ("failed", late_answer(&source.provider, receipt))
            }
            Err(_) => {
                let ms = answering.within.as_millis();
                tracing::warn!(source = %name, event = %receipt.id, "{name}: {} did not answer within {ms} ms", answering.plugin);
                ("late", late_answer(&source.provider, receipt))
            }
        };
        self.counters.count_answer(name, result, begun.elapsed());
        response
    }

    /// Reads a request whole, within its limits, believing nothing of it.
    async fn receive(&self, source: &Source, request: Request) -> Result<(Received, Held<'_>), Refusal> {
        let at = Instant::now();
        if request.method() != Method::POST {
            return Err(Refusal::Method);
        }
        let (head, body) = request.into_parts();
        if head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(Refusal::Encoded);
        }
        if announced_bytes(&head.headers).is_some_and(|bytes| bytes > source.body_bytes as u64) {
            discard(body).await;
            return Err(Refusal::TooBig);
        }
        let reading = tokio::time::timeout(self.patience, whole(body, source.body_bytes, &self.bytes));
        let (body, held) = reading.await.unwrap_or(Err(Refusal::TooSlow))?;
        Ok((
            Received {
                url: source.url.clone(),
                query: head.uri.query().map(str::to_owned),
                at,
                ..Received::new(source.name.clone(), head.headers, body, now_ms())
            },
            held,
        ))
    }
}

/// The answer to a handshake that is a GET, where the source's provider has such.
fn unsigned_handshake(source: &Source, request: &Request) -> Option<Result<HandshakeAnswer, BadHandshake>> {
    if request.method() != Method::GET {
        return None;
    }
    let (headers, query) = (request.headers(), request.uri().query());
    source.provider.unsigned_handshake(headers, query, source.verify_token.as_ref())
}

async fn hook(State(ingress): State<Arc<Ingress>>, Path(name): Path<String>, request: Request) -> Response {
    let source = ingress.sources.read().unwrap_or_else(PoisonError::into_inner).get(&*name).cloned();
    ingress.traffic.note();
    let Some(source) = source else {
        ingress.counters.count_unknown();
        return Refusal::UnknownSource.into_response();
    };
    match ingress.take(&source, request).await {
        Ok(answer) => answer,
        Err(refusal) => {
            ingress.counters.count_refused(&source.name, refusal);
            ingress.log.refused(&source.name, refusal);
            refusal.answer(source.provider.failure)
        }
    }
}

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The bytes of one body, as long as they are held, out of those that all may hold.
type Held<'a> = Option<SemaphorePermit<'a>>;

/// Reads a body up to a limit, without a copy where it comes in one piece.
async fn whole(mut body: Body, most: usize, bytes: &Semaphore) -> Result<(Bytes, Held<'_>), Refusal> {
    let mut held: Held = None;
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // A body that breaks off is one that never arrives.
        let Ok(data) = frame.map_err(|_| Refusal::TooSlow)?.into_data() else { continue };
        let so_far = first.as_ref().map_or(0, Bytes::len) + rest.len();
        if so_far + data.len() > most {
            drop((first, rest));
            discard(body).await;
            return Err(Refusal::TooBig);
        }
        let more = bytes.try_acquire_many(data.len() as u32).map_err(|_| Refusal::Busy)?;
        match &mut held {
            None => held = Some(more),
            Some(held) => held.merge(more),
        }
        match &first {
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
    }
    let first = first.unwrap_or_default();
    if rest.is_empty() {
        return Ok((first, held));
    }
    let mut all = BytesMut::with_capacity(first.len() + rest.len());
    all.extend_from_slice(&first);
    all.extend_from_slice(&rest);
    Ok((all.freeze(), held))
}

/// How much of a body that is refused is read and thrown away, and for how long: a sender that still sends when the connection
/// is closed may never see the answer.
const DISCARDED_BYTES: usize = 16 << 20;
const DISCARDING: Duration = Duration::from_secs(1);

async fn discard(mut body: Body) {
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARDED_BYTES {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARDING, reading).await;
}

/// Says each cause of each source once a second: strangers do not write the operator's log.
#[derive(Default)]
struct Quiet {
    said: Mutex<HashMap<(Arc<str>, &'static str), Said>>,
}

/// When something was last said, and how often it was not since.
type Said = (Instant, u64);

const SAY_EVERY: Duration = Duration::from_secs(1);

impl Quiet {
    fn refused(&self, source: &Arc<str>, refusal: Refusal) {
        let cause = refusal.cause();
        let mut said = self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let unsaid = match said.get_mut(&(source.clone(), cause)) {
            Some((at, unsaid)) if at.elapsed() < SAY_EVERY => {
                *unsaid += 1;
                return;
            }
            Some((_, unsaid)) => *unsaid,
            None => 0,
        };
        said.insert((source.clone(), cause), (Instant::now(), 0));
        drop(said);
        match unsaid {
            0 => tracing::warn!(%source, cause, "{source}: refused: {refusal}"),
            more => {
                tracing::warn!(%source, cause, "{source}: refused: {refusal} (and {more} more)")
            }
        }
    }
}

/// What a sender that waits is told where no plugin answers: what its provider takes best.
fn late_answer(provider: &Provider, receipt: &Receipt) -> Response {
    match &provider.late {
        Some(late) => (late.status, [(CONTENT_TYPE, late.content_type.clone())], late.body.clone()).into_response(),
        None => answer(provider.success, std::slice::from_ref(receipt)),
    }
}

/// What a sender that does not wait is told: that it is written down, and as what.
fn answer(status: StatusCode, receipts: &[Receipt]) -> Response {
    #[derive(serde::Serialize)]
    struct Answer {
        id: String,
        duplicate: bool,
        /// Each, where one request held several events.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        ids: Vec<String>,
    }
    let Some(first) = receipts.first() else { return status.into_response() };
    let id = first.id.to_string();
    if status == StatusCode::NO_CONTENT {
        return (status, [(EVENT, id)]).into_response();
    }
    let ids = if receipts.len() > 1 { receipts.iter().map(|receipt| receipt.id.to_string()).collect() } else { Vec::new() };
    let duplicate = receipts.iter().all(|receipt| receipt.duplicate);
    (status, [(EVENT, id.clone())], Json(Answer { id, duplicate, ids })).into_response()
}

/// The header that names the event in every answer, for those whose answers have no body.
const EVENT: HeaderName = HeaderName::from_static("x-hookgate-event");
