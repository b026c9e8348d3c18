//! How a socket is served: bounded connections, timers, TLS, and an orderly end.

mod caps;
mod heads;
mod peer;
mod proxies;
mod tls;
mod watched;

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use caps::{Caps, Own};
pub use peer::{Peer, party};
pub use proxies::Proxies;
pub use tls::{Tls, TlsFiles};
use watched::{Late, Watched};

/// What one listener may be asked for.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The most connections at a time; more wait to be taken.
    pub connections: usize,
    /// The most of one address, where there is such a bound; more are closed at once.
    pub by_address: Option<usize>,
    /// How long a request's headers may take, and the first of a connection to begin.
    pub header: Duration,
    /// How long a connection may be idle between requests.
    pub idle: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long open requests may take to end when it stops.
    pub drain: Duration,
}

/// Who comes through a listener, and who hears of those that are turned away before they ask for anything.
#[derive(Clone)]
pub struct Gate {
    /// With which certificate; without one, what crosses is plain.
    pub tls: Option<Arc<Tls>>,
    /// Who speaks for others: many come from there, so no bound of one address is theirs.
    pub proxies: Arc<Proxies>,
    /// Hears of connections that were closed for a cause.
    pub told: Telling,
}

/// Hears of a connection that was closed: why, and whose.
pub type Telling = Arc<dyn Fn(Closed, IpAddr) + Send + Sync>;

impl Gate {
    /// Plain, for everybody, and nobody hears.
    pub fn open() -> Gate {
        Gate { tls: None, proxies: Arc::default(), told: Arc::new(|_, _| ()) }
    }
}

/// For what of its client a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Its address has as many as it may.
    TooMany,
    /// Its headers took too long.
    SlowHeaders,
    /// Its answers were not read for too long.
    SlowReader,
    /// Its headers were too many or too large.
    LargeHeaders,
    /// What came was no HTTP.
    NotHttp,
    /// The TLS handshake failed, or took too long.
    Handshake,
}

impl Closed {
    /// All of them.
    pub const ALL: [Closed; 6] = [
        Closed::TooMany,
        Closed::SlowHeaders,
        Closed::SlowReader,
        Closed::LargeHeaders,
        Closed::NotHttp,
        Closed::Handshake,
    ];

    /// What is counted and shown to the operator.
    pub fn cause(self) -> &'static str {
        match self {
            Closed::TooMany => "too_many_connections",
            Closed::SlowHeaders => "slow_headers",
            Closed::SlowReader => "slow_reader",
            Closed::LargeHeaders => "large_headers",
            Closed::NotHttp => "not_http",
            Closed::Handshake => "tls_handshake",
        }
    }

    /// How a connection ended, where that was for such a cause.
    fn of(error: &hyper::Error) -> Option<Closed> {
        let late = || error.source()?.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref();
        match error {
            error if error.is_parse_too_large() => Some(Closed::LargeHeaders),
            error if error.is_parse() => Some(Closed::NotHttp),
            _ => match late()? {
                Late::Head => Some(Closed::SlowHeaders),
                Late::Reader => Some(Closed::SlowReader),
            },
        }
    }
}

/// The most headers of a request, the most bytes of them with the request line, and the most that is read ahead.
const HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 << 10;
const BUFFER_BYTES: usize = 32 << 10;

/// How long answers may wait without any of them being read; no longer than a connection may be idle.
const UNREAD: Duration = Duration::from_secs(10);

/// How long taking connections rests when the system has no more of them to give.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(50);

/// How often that is said: it may go on for long.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Serves until it is told to stop, then lets open requests end.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, gate: Gate, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(bounds.connections));
    let open = GracefulShutdown::new();
    let (drain, mut said) = (bounds.drain, None::<Instant>);
    let room = Arc::new(Room { http: http(&bounds), caps: Caps::new(bounds.by_address), router, bounds, gate });
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, address, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if said.is_none_or(|at| at.elapsed() > SAY_EVERY) {
                    tracing::warn!("cannot take a connection: {error}");
                    said = Some(Instant::now());
                }
                tokio::time::sleep(OUT_OF_SOCKETS).await;
                continue;
            }
        };
        let Some(own) = room.admit(address) else { continue };
        let (room, watcher) = (room.clone(), open.watcher());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            room.meet(stream, address, watcher).await;
            drop((own, place));
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(drain, open.shutdown()).await;
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, IpAddr, Option<OwnedSemaphorePermit>)> {
    let place = connections.clone().acquire_owned().await.ok();
    let (stream, from) = listener.accept().await?;
    Ok((stream, from.ip().to_canonical(), place))
}

fn http(bounds: &Bounds) -> http1::Builder {
    let mut http = http1::Builder::new();
    // From the end of one request to the end of the next one's headers. What is stricter, `Watched` looks at.
    http.timer(TokioTimer::new()).header_read_timeout(bounds.idle + bounds.header);
    http.max_headers(HEADERS).max_header_size(HEADER_BYTES).max_buf_size(BUFFER_BYTES);
    http
}

/// What all connections of a listener have in common.
struct Room {
    http: http1::Builder,
    router: Router,
    bounds: Bounds,
    gate: Gate,
    caps: Caps,
}

impl Room {
    /// Lets one more connection of an address in, if it may have one.
    fn admit(&self, address: IpAddr) -> Option<Own> {
        if self.gate.proxies.list(address) {
            return Some(Own::default());
        }
        let own = self.caps.enter(address);
        if own.is_none() {
            (self.gate.told)(Closed::TooMany, address);
        }
        own
    }

    async fn meet(&self, stream: TcpStream, address: IpAddr, watcher: Watcher) {
        let Some(tls) = &self.gate.tls else { return self.speak(stream, address, watcher).await };
        match tokio::time::timeout(self.bounds.handshake, tls.shake_hands(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, address, watcher).await,
            Ok(Err(error)) => {
                tracing::debug!("a TLS handshake failed: {error}");
                (self.gate.told)(Closed::Handshake, address);
            }
            Err(_) => (self.gate.told)(Closed::Handshake, address),
        }
    }

    async fn speak<S>(&self, stream: S, address: IpAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Peer::new(address);
        let unread = self.bounds.idle.min(UNREAD);
        let watched = Watched::new(stream, self.bounds.header, unread, peer.two_lengths());
        let router = self.router.clone();
        let service = service_fn(move |request| answer(router.clone(), peer.clone(), request));
        let connection = self.http.serve_connection(TokioIo::new(watched), service);
        // A sender that hangs up is no event of ours.
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!("a connection ended: {error}");
            if let Some(closed) = Closed::of(&error) {
                (self.gate.told)(closed, address);
            }
        }
    }
}

async fn answer(router: Router, peer: Peer, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    // Where the next request would begin is only followed by lengths that are said: `Heads`.
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    request.extensions_mut().insert(peer);
    let mut response = router.oneshot(request).await?;
    if is_last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
