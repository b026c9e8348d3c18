//! A sender that keeps connections open and waits for each answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::report::quantile;

/// Makes the n-th request.
pub type MakeRequest = Arc<dyn Fn(u64) -> Request<Full<Bytes>> + Send + Sync>;

/// What a load came to.
pub struct Loaded {
    /// Requests that were answered well.
    pub count: u64,
    /// How long it took.
    pub took: Duration,
    /// How long each answer took, sorted.
    pub times: Vec<Duration>,
}

impl Loaded {
    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }

    /// How long a part of the answers took at the most.
    pub fn at(&self, part: f64) -> Duration {
        quantile(&self.times, part)
    }
}

/// When a load ends, and how fast it may be.
#[derive(Clone, Copy)]
pub struct Pace {
    /// After a time.
    pub time: Option<Duration>,
    /// After a number of requests.
    pub count: Option<u64>,
    /// Requests a second over all connections; none is as fast as answers come.
    pub rate: Option<f64>,
}

/// Loads an address through some connections.
pub async fn load(address: &str, connections: usize, pace: Pace, make: MakeRequest) -> anyhow::Result<Loaded> {
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(one_connection(address.to_owned(), begun, pace, next.clone(), make.clone()));
    }
    let mut times = Vec::new();
    for each in tasks.join_all().await {
        times.extend(each?);
    }
    let took = begun.elapsed();
    times.sort();
    Ok(Loaded { count: times.len() as u64, took, times })
}

static TRUSTED: OnceLock<TlsConnector> = OnceLock::new();

/// Who is believed by loads over TLS, whose addresses begin with `tls:`.
pub fn trust(connector: TlsConnector) {
    let _ = TRUSTED.set(connector);
}

async fn handshake<S>(stream: S) -> anyhow::Result<http1::SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (http, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(http)
}

async fn one_connection(
    address: String,
    begun: Instant,
    pace: Pace,
    next: Arc<AtomicU64>,
    make: MakeRequest,
) -> anyhow::Result<Vec<Duration>> {
    let (plain, tls) = match address.strip_prefix("tls:") {
        Some(address) => (address, TRUSTED.get()),
        None => (&*address, None),
    };
    let stream = TcpStream::connect(plain).await.with_context(|| format!("cannot reach {plain}"))?;
    stream.set_nodelay(true)?;
    let mut http = match tls {
        None => handshake(stream).await?,
        Some(tls) => handshake(tls.connect("localhost".try_into()?, stream).await?).await?,
    };
    let mut times = Vec::new();
    loop {
        let nth = next.fetch_add(1, Ordering::Relaxed);
        let over =
            pace.time.is_some_and(|time| begun.elapsed() >= time) || pace.count.is_some_and(|count| nth >= count);
        if over {
            return Ok(times);
        }
        // At a fixed rate the clock runs from when a request was due, so that waiting for the one before it counts.
        let due = pace.rate.map(|rate| begun + Duration::from_secs_f64(nth as f64 / rate));
        if let Some(due) = due {
            tokio::time::sleep_until(due.into()).await;
        }
        let request = make(nth);
        let sent = due.unwrap_or_else(Instant::now);
        let response = http.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status == 200, "refused with {status}: {}", String::from_utf8_lossy(&body));
        times.push(sent.elapsed());
    }
}
