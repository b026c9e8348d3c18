//! HTTP in: receive, verify, parse, accept, answer. Knows nothing of plugins: what it hands on is on disk.

mod body;
mod certificates;
mod counters;
mod course;
mod quiet;
mod rates;
mod refusal;
mod refused;
mod shares;
mod strain;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use crate::event::{Event, NewEvent, wall_ms};
use crate::listen::{Peer, Proxies};
use crate::pace::Lately;
use crate::provider::{Answering, BadHandshake, HandshakeAnswer, Provider, Received, Source};
use crate::queue::{Queue, Receipt};
use crate::telemetry::Telemetry;

use body::{Patience, Room, announced_bytes, discard, discard_briefly, whole};
pub use certificates::{Certificates, Fetched, Fetching};
pub use counters::{Counters, Tally};
use course::Course;
use quiet::Quiet;
pub use rates::Rates;
pub use refusal::Refusal;
use refused::Arrival;
pub use refused::{Refused, RefusedFace, Wanted};
use shares::{Share, Shares};
use strain::Strain;

/// Limits of requests and connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at a time.
    pub connections: usize,
    /// The most of one address.
    pub connections_by_address: usize,
    /// The most requests at a time whose bodies have arrived.
    pub requests_at_once: usize,
    /// The most bytes of bodies in memory, all requests together.
    pub bytes_at_once: usize,
    /// How long a request's headers may take.
    pub header: Duration,
    /// How long a connection may be idle between requests.
    pub idle: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a whole body may take to arrive.
    pub request: Duration,
    /// How fast it must come, in bytes a second; 0 where that does not matter.
    pub body_bytes_per_s: u64,
    /// How long it may take before it must.
    pub body_grace: Duration,
    /// The most requests a second of one address.
    pub requests_per_s_by_address: NonZeroU32,
    /// How long writing down may take before requests are refused.
    pub shed: Duration,
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

/// What ingress works with.
pub struct Means {
    /// Who may send.
    pub sources: Arc<Sources>,
    /// Where events are written down.
    pub queue: Queue,
    /// Who answers senders that wait.
    pub asking: Asking,
    /// What requests have to be verified by, where their vendors serve it.
    pub certificates: Certificates,
    /// What is counted.
    pub counters: Counters,
    /// Who is told of what happened when.
    pub telemetry: Telemetry,
    /// Where refusals are remembered.
    pub refused: Refused,
    /// Who is believed when it says for whom it asks.
    pub proxies: Arc<Proxies>,
    /// Is told when a request comes.
    pub traffic: Lately,
}

/// What takes requests.
pub struct Ingress {
    means: Means,
    /// A place for each request at a time.
    places: Shares,
    /// What bodies may hold of memory, all together.
    bytes: Shares,
    /// How long a body may take.
    patience: Patience,
    rates: Rates,
    strain: Strain,
    log: Quiet,
}

/// A source that a request is for, as it is while the request is taken.
struct Asked {
    source: Arc<Source>,
    /// There is no other.
    is_only: bool,
}

impl Ingress {
    /// Takes requests within these limits.
    pub fn new(means: Means, limits: &Limits) -> Ingress {
        let known = means.sources.read().unwrap_or_else(PoisonError::into_inner);
        known.values().for_each(|source| means.counters.begin(source));
        drop(known);
        Ingress {
            means,
            places: Shares::new(limits.requests_at_once),
            bytes: Shares::new(limits.bytes_at_once),
            patience: Patience::new(limits),
            rates: Rates::new(limits.requests_per_s_by_address),
            strain: Strain::new(limits.shed),
            log: Quiet::default(),
        }
    }

    /// The routes: `/hooks/<source>`, and all others as that of a source that there is not, so that nothing goes round a limit.
    pub fn router(self) -> Router {
        Router::new().fallback(hook).with_state(Arc::new(self))
    }

    fn find(&self, name: &str) -> Option<Asked> {
        let sources = self.means.sources.read().unwrap_or_else(PoisonError::into_inner);
        let source = sources.get(name)?.clone();
        Some(Asked { source, is_only: sources.len() == 1 })
    }

    /// Says no before a byte of the body is read, from the cheapest question to the dearest.
    fn admit(&self, asked: Option<Asked>, head: &Parts, address: IpAddr) -> Result<Asked, Refusal> {
        if head.extensions.get::<Peer>().is_some_and(|peer| peer.said_two_lengths(&head.headers)) {
            return Err(Refusal::TwoLengths);
        }
        // A listed proxy that does not say for whom it asks stands for many.
        if !self.means.proxies.list(address) {
            self.rates.take_of_address(address)?;
        }
        let asked = asked.ok_or(Refusal::UnknownSource)?;
        let greets = head.method == Method::GET && asked.source.provider.wants_verify_token();
        if head.method != Method::POST && !greets {
            return Err(Refusal::Method);
        }
        if head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(Refusal::Encoded);
        }
        // Only a look: what nobody has verified yet takes no turn of those that are tried.
        if !self.strain.may_try() {
            return Err(Refusal::Shed);
        }
        Ok(asked)
    }

    async fn take(&self, asked: &Asked, head: Parts, body: Body, arrival: &mut Arrival) -> Result<Response, Refusal> {
        let mut course = Course::begin();
        let (source, provider) = (&*asked.source, &asked.source.provider);
        if head.method == Method::GET {
            let token = source.verify_token.as_ref();
            let answer = provider.unsigned_handshake(&head.headers, head.uri.query(), token);
            return self.greet(&source.name, answer.ok_or(Refusal::Method)?).await;
        }
        let mut bytes = self.bytes.of(&source.name);
        let mut received = self.receive(asked, head, body, arrival, &mut bytes).await?;
        if let Some(url) = provider.certificate_url(&received, &source.keys, wall_ms()).map_err(Refusal::Unverified)? {
            let certificate = self.means.certificates.get(url).await;
            received.certificate = Some(certificate.map_err(|_| Refusal::NoCertificate)?);
        }
        // Only now: whoever sends slowly, or makes us ask, holds a connection and a few bytes, and no place.
        let mut place = self.places.of(&source.name);
        place.grow(1, asked.is_only)?;
        course.came();
        let verified = provider.verify(received, &source.keys, wall_ms()).map_err(Refusal::Unverified)?;
        course.verified();
        self.means.counters.count_verified(&source.name, verified.secret());
        self.rates.take_of_source(source)?;
        if let Some(answer) = provider.handshake(&verified, &source.keys) {
            return self.greet(&source.name, answer).await;
        }
        let headers = source.keeps_headers.then(|| provider.kept_headers(&verified.received().headers));
        let mut events = provider.parse_events(verified).map_err(Refusal::Unreadable)?;
        events.iter_mut().for_each(|event| event.headers = headers.clone());
        // Where one request holds many, nobody's answer is to all of them.
        let alone = events.first().filter(|_| events.len() == 1);
        let answered = source.answering.as_ref().zip(alone.cloned());
        let told = course.write(&self.means.telemetry, &events);
        let receipts = self.accept(events).await?;
        course.written();
        self.means.counters.count_accepted(&source.name, &receipts);
        self.means.counters.note_accepted_in(&source.name, course.begun().elapsed());
        let response = match (answered, receipts.first()) {
            (Some((answering, event)), Some(receipt)) => {
                // What waits for a plugin holds no place of those that are taken at once.
                drop(place);
                self.ask(source, answering, event, receipt, &mut course).await
            }
            _ => answer(provider.success, &receipts),
        };
        if let Some(told) = told {
            course.tell(&self.means.telemetry, &told, &source.name, response.status(), &receipts);
        }
        Ok(response)
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Receipt>, Refusal> {
        let _waiting = self.strain.begin().ok_or(Refusal::Shed)?;
        self.means.queue.accept(events).await.map_err(Refusal::NotWritten)
    }

    /// Answers a sender that makes sure that somebody is here.
    async fn greet(
        &self,
        source: &Arc<str>,
        answer: Result<HandshakeAnswer, BadHandshake>,
    ) -> Result<Response, Refusal> {
        let HandshakeAnswer { status, content_type, body, visit } = answer.map_err(Refusal::Handshake)?;
        if let Some(address) = visit {
            self.means.certificates.visit(address).await.map_err(|why| {
                tracing::warn!(%source, "{source}: what confirms the subscription cannot be asked for: {why}");
                Refusal::NotVisited
            })?;
        }
        self.means.counters.count_handshake(source);
        tracing::info!(%source, "{source}: its sender made sure that somebody is here");
        Ok(match body.is_empty() {
            true => status.into_response(),
            false => (status, [(CONTENT_TYPE, content_type)], body).into_response(),
        })
    }

    /// Has a plugin answer, for as long as the sender can wait; the event is written down whatever it says.
    async fn ask(
        &self,
        source: &Source,
        answering: &Answering,
        event: NewEvent,
        receipt: &Receipt,
        course: &mut Course,
    ) -> Response {
        let (begun, name) = (course.begun().later(), &source.name);
        let event = event.accepted(receipt.id);
        let asked = (self.means.asking)(answering.plugin.clone(), event);
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
        self.means.counters.count_answer(name, result, begun.elapsed());
        course.asked(&answering.plugin, result, begun);
        response
    }

    /// Reads a request whole, within its limits, believing nothing of it.
    async fn receive(
        &self,
        asked: &Asked,
        head: Parts,
        body: Body,
        arrival: &mut Arrival,
        held: &mut Share<'_>,
    ) -> Result<Received, Refusal> {
        let (at, source) = (Instant::now(), &asked.source);
        if announced_bytes(&head.headers).is_some_and(|bytes| bytes > source.body_bytes as u64) {
            discard(body).await;
            return Err(Refusal::TooBig);
        }
        let room = Room { most: source.body_bytes, patience: &self.patience, is_only_source: asked.is_only };
        let mut came = 0;
        let body = whole(body, room, held, &mut came).await;
        arrival.body_bytes = arrival.body_bytes.or(Some(came as u64));
        let received = Received::new(source.name.clone(), head.headers, body?, wall_ms());
        Ok(Received { url: source.url.clone(), query: head.uri.query().map(str::to_owned), at, ..received })
    }

    /// Counts, says and remembers a refusal.
    fn refuse(&self, source: Option<&Source>, refusal: Refusal, arrival: Arrival) -> Response {
        let name = source.map(|source| &source.name);
        match name {
            Some(name) => {
                self.means.counters.count_refused(name, refusal);
                self.log.refused(name, refusal);
            }
            None => self.means.counters.count_unknown(),
        }
        self.means.refused.note(refusal.cause(), name.cloned(), arrival);
        match source {
            Some(source) => refusal.answer(source.provider.failure),
            None => refusal.into_response(),
        }
    }
}

async fn hook(State(ingress): State<Arc<Ingress>>, request: Request) -> Response {
    ingress.means.traffic.note();
    let (head, body) = request.into_parts();
    let peer = head.extensions.get().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer: &Peer| peer.address);
    let address = ingress.means.proxies.client(peer, &head.headers);
    let mut arrival = Arrival::new(address, &head.method, &head.headers, announced_bytes(&head.headers));
    let asked = named(head.uri.path()).and_then(|name| ingress.find(&name));
    let source = asked.as_ref().map(|asked| asked.source.clone());
    let taken = match ingress.admit(asked, &head, address) {
        Ok(asked) => ingress.take(&asked, head, body, &mut arrival).await,
        Err(refusal) => {
            discard_briefly(&head.headers, body).await;
            Err(refusal)
        }
    };
    taken.unwrap_or_else(|refusal| ingress.refuse(source.as_deref(), refusal, arrival))
}

/// The name of a source in a path, if it has one.
fn named(path: &str) -> Option<Cow<'_, str>> {
    let name = path.strip_prefix("/hooks/").filter(|name| !name.contains('/'))?;
    percent_decode_str(name).decode_utf8().ok()
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
    let many = Some(receipts).filter(|receipts| receipts.len() > 1).unwrap_or_default();
    let ids = many.iter().map(|receipt| receipt.id.to_string()).collect();
    let duplicate = receipts.iter().all(|receipt| receipt.duplicate);
    (status, [(EVENT, id.clone())], Json(Answer { id, duplicate, ids })).into_response()
}

/// The header that names the event in every answer, for those whose answers have no body.
const EVENT: HeaderName = HeaderName::from_static("x-hookgate-event");
