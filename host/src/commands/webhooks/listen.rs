//! `hookgate webhooks listen`: a receiver that prints what it gets, verifies it, and answers as it is told.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::header::{HeaderMap, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use clap::Args;
use hookgate::event::wall_ms;
use hookgate::provider::{Key, Provider, Received, catalogue};
use hookgate::secret::Secret;
use tokio::net::TcpListener;

use super::super::Usage;
use super::super::table::harmless;

/// Receive webhooks here: print and verify them, and answer what you are told to
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate webhooks listen 127.0.0.1:9999 --secret whsec_... --fail 3\n\nThe gateway posts to this machine only where its config says [outgoing] allow_private = [\"127.0.0.1:9999\"]."
)]
pub struct Listen {
    /// Where
    #[arg(default_value = "127.0.0.1:9999")]
    address: SocketAddr,
    /// The webhook's secret; without it, nothing is verified
    #[arg(long)]
    secret: Option<String>,
    /// The status of each answer
    #[arg(long, default_value = "200")]
    status: u16,
    /// Answer the first N with 500
    #[arg(long, value_name = "N", default_value = "0")]
    fail: u64,
    /// Ask to wait, in each answer that is no success
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u64>,
    /// Wait before each answer
    #[arg(long, value_name = "MS", default_value = "0")]
    delay_ms: u64,
    /// Print each body, too
    #[arg(long)]
    body: bool,
}

struct Receiver {
    told: Listen,
    status: StatusCode,
    /// The ways in which a request may be signed, each with its header.
    ways: Vec<(&'static str, Provider, Key)>,
    begun: Instant,
    seen: AtomicU64,
}

impl Listen {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let status = StatusCode::from_u16(self.status).map_err(|_| Usage::error("--status: is no status"))?;
        let ways = match &self.secret {
            Some(secret) => ways(secret)?,
            None => Vec::new(),
        };
        let address = self.address;
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        outln!("listening on http://{}", listener.local_addr()?);
        let receiver = Receiver { told: self, status, ways, begun: Instant::now(), seen: AtomicU64::new(0) };
        let router = Router::new().fallback(receive).with_state(Arc::new(receiver));
        axum::serve(listener, router).await?;
        Ok(ExitCode::SUCCESS)
    }
}

fn ways(secret: &str) -> anyhow::Result<Vec<(&'static str, Provider, Key)>> {
    let secret = Secret::new(secret);
    let known = [("x-webhook-signature", "soundhash"), ("webhook-signature", "standard-webhooks")];
    let way = |(header, name)| {
        let provider = catalogue::find(name)?;
        // A secret that is no Base64 is one for the first way alone.
        let key = provider.key(&secret).ok()?;
        Some((header, provider, key))
    };
    let ways: Vec<_> = known.into_iter().filter_map(way).collect();
    if ways.is_empty() { Err(Usage::error("--secret: can be no secret")) } else { Ok(ways) }
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> Response {
    let nth = receiver.seen.fetch_add(1, Ordering::SeqCst) + 1;
    let verified = receiver.verify(&headers, &body);
    let status = match &verified {
        Err(_) => StatusCode::UNAUTHORIZED,
        Ok(_) if nth <= receiver.told.fail => StatusCode::INTERNAL_SERVER_ERROR,
        Ok(_) => receiver.status,
    };
    receiver.print(nth, &headers, &body, &verified, status);
    tokio::time::sleep(std::time::Duration::from_millis(receiver.told.delay_ms)).await;
    let mut response = status.into_response();
    if let Some(seconds) = receiver.told.retry_after.filter(|_| !status.is_success()) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

impl Receiver {
    /// Verifies each signature that is there. Gives how; the error is a sentence.
    fn verify(&self, headers: &HeaderMap, body: &Bytes) -> Result<String, String> {
        if self.ways.is_empty() {
            return Ok("not verified: no --secret".into());
        }
        let mut verified = Vec::new();
        for (header, provider, key) in self.ways.iter().filter(|(header, ..)| headers.contains_key(*header)) {
            let received = Received::new("listen".into(), headers.clone(), body.clone(), wall_ms());
            let done = provider.verify(received, std::slice::from_ref(key), wall_ms());
            done.map_err(|error| format!("{header}: {error}"))?;
            verified.push(*header);
        }
        match verified.as_slice() {
            [] => Err("it is not signed".into()),
            verified => Ok(format!("verified by {}", verified.join(" and "))),
        }
    }

    fn print(&self, nth: u64, headers: &HeaderMap, body: &[u8], verified: &Result<String, String>, status: StatusCode) {
        let header = |name: &str| {
            let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            value.map_or_else(|| "-".to_owned(), |value| harmless(&value))
        };
        let verified = match verified {
            Ok(how) => how.clone(),
            Err(why) => format!("NOT VERIFIED: {}", harmless(why)),
        };
        let (at, event_type, id) =
            (self.begun.elapsed().as_secs_f64(), header("x-webhook-event"), header("x-delivery-id"));
        outln!("{at:8.3} #{nth} {event_type} {id}, {} bytes: {verified}; answered {}", body.len(), status.as_u16());
        if self.told.body {
            outln!("{}", harmless(&String::from_utf8_lossy(body)));
        }
    }
}
