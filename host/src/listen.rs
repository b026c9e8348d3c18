//! How a socket is served: bounded connections, timers, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What one listener may be asked for.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The most connections at a time; more wait to be taken.
    pub connections: usize,
    /// How long a request's headers may take, and a connection idle.
    pub header: Duration,
    /// How long open requests may take to end when it stops.
    pub drain: Duration,
}

/// The most headers of a request, and the most bytes of them.
const HEADERS: usize = 64;
const HEADER_BYTES: usize = 32 << 10;

/// How long taking connections rests when the system has no more of them to give.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(50);

/// Serves until it is told to stop, then lets open requests end.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.header).max_headers(HEADERS).max_buf_size(HEADER_BYTES);
    let connections = Arc::new(Semaphore::new(bounds.connections));
    let open = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("cannot take a connection: {error}");
                tokio::time::sleep(OUT_OF_SOCKETS).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A sender that hangs up or is too slow is no event of ours.
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended: {error}");
            }
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(bounds.drain, open.shutdown()).await;
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, Option<tokio::sync::OwnedSemaphorePermit>)> {
    let place = connections.clone().acquire_owned().await.ok();
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}
