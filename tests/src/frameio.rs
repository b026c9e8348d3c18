//! Frame.io's API on loopback, over TLS: what its documents say of comments, files and webhooks, and what goes wrong with it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as Parts, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The token that it takes.
pub const TOKEN: &str = "fio-token-of-the-operator-8c1d";

/// How it answers a request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// With this status and nothing more.
    Status(u16),
    /// With 429 and how many seconds to wait.
    TooMany(u32),
    /// With 200 and something that is no JSON.
    Garbage,
    /// Not at all.
    Nothing,
}

/// A comment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// In which account.
    pub account: String,
    /// On which file.
    pub file: String,
    /// What it says.
    pub text: String,
}

#[derive(Default)]
struct Inner {
    next: VecDeque<Behaviour>,
    comments: Vec<Comment>,
    webhooks: Vec<Value>,
    requests: Vec<String>,
}

/// Frame.io on loopback, until it is dropped.
pub struct Frameio {
    /// Where it listens, as `localhost`.
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    _threads: tokio::runtime::Runtime,
}

impl Frameio {
    /// Starts it, and writes the certificate of who vouches for it to a file.
    pub fn start(ca_file: &Path) -> Frameio {
        Frameio::named(ca_file, "localhost")
    }

    /// The same with a certificate for another name.
    pub fn named(ca_file: &Path, name: &str) -> Frameio {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let tls = TlsAcceptor::from(Arc::new(certified(ca_file, name)));
        let inner = Arc::<Mutex<Inner>>::default();
        let listener = threads.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        threads.spawn(serve(listener, tls, router(inner.clone())));
        Frameio { address, inner, _threads: threads }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// How the next requests are answered, one after another; those after them as usual.
    pub fn then(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.inner.lock().unwrap().next.extend(behaviours);
    }

    /// The comments that were made.
    pub fn comments(&self) -> Vec<Comment> {
        self.inner.lock().unwrap().comments.clone()
    }

    /// The webhooks that there are.
    pub fn webhooks(&self) -> Vec<Value> {
        self.inner.lock().unwrap().webhooks.clone()
    }

    /// What was asked for, as `METHOD /path`.
    pub fn requests(&self) -> Vec<String> {
        self.inner.lock().unwrap().requests.clone()
    }
}

pub(crate) fn certified(ca_file: &Path, name: &str) -> ServerConfig {
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(ca_file, ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    // HTTP/2, and HTTP/1.1 for who does not speak it.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

pub(crate) async fn serve(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, service) = (tls.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            if let Ok(stream) = tls.accept(stream).await {
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            }
        });
    }
}

type Shared = State<Arc<Mutex<Inner>>>;

fn router(inner: Arc<Mutex<Inner>>) -> Router {
    Router::new()
        .route("/v4/accounts/{account}/files/{file}/comments", post(comment))
        .route("/v4/accounts/{account}/files/{file}", get(file))
        .route("/v4/accounts/{account}/workspaces/{workspace}/webhooks", get(list).post(create))
        .route("/v4/accounts/{account}/webhooks/{id}", patch(update).delete(delete))
        .route("/echo", get(echo).post(echo))
        .layer(middleware::from_fn_with_state(inner.clone(), behave))
        .with_state(inner)
}

async fn behave(State(inner): Shared, request: Request, next: Next) -> Response {
    let behaviour = {
        let mut inner = inner.lock().unwrap();
        inner.requests.push(format!("{} {}", request.method(), request.uri().path()));
        inner.next.pop_front()
    };
    match behaviour {
        Some(Behaviour::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Behaviour::TooMany(seconds)) => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
        }
        Some(Behaviour::Garbage) => "<html>not what you think</html>".into_response(),
        Some(Behaviour::Nothing) => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            StatusCode::OK.into_response()
        }
        None => {
            let shown = request.headers().get("authorization").map(|value| value.as_bytes().to_vec());
            match shown == Some(format!("Bearer {TOKEN}").into_bytes()) {
                true => next.run(request).await,
                false => StatusCode::UNAUTHORIZED.into_response(),
            }
        }
    }
}

async fn comment(State(inner): Shared, Parts((account, file)): Parts<(String, String)>, body: Bytes) -> Response {
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(text) = said["data"]["text"].as_str() else { return StatusCode::UNPROCESSABLE_ENTITY.into_response() };
    let mut inner = inner.lock().unwrap();
    inner.comments.push(Comment { account, file: file.clone(), text: text.to_owned() });
    let id = format!("comment-{}", inner.comments.len());
    json_answer(StatusCode::CREATED, &json!({ "data": { "id": id, "text": text, "file_id": file } }))
}

async fn file(Parts((_, file)): Parts<(String, String)>) -> Response {
    json_answer(StatusCode::OK, &json!({ "data": { "id": file, "name": "cut-7.mov", "type": "file" } }))
}

async fn list(State(inner): Shared) -> Response {
    let webhooks = inner.lock().unwrap().webhooks.clone();
    let shown: Vec<Value> = webhooks.into_iter().map(without_secret).collect();
    json_answer(StatusCode::OK, &json!({ "data": shown, "links": { "next": null } }))
}

async fn create(State(inner): Shared, body: Bytes) -> Response {
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut inner = inner.lock().unwrap();
    let mut made = said["data"].clone();
    made["id"] = json!(format!("webhook-{}", inner.webhooks.len() + 1));
    made["active"] = json!(true);
    made["secret"] = json!("the-secret-that-is-shown-once");
    inner.webhooks.push(made.clone());
    json_answer(StatusCode::CREATED, &json!({ "data": made }))
}

async fn update(State(inner): Shared, Parts((_, id)): Parts<(String, String)>, body: Bytes) -> Response {
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut inner = inner.lock().unwrap();
    let Some(webhook) = inner.webhooks.iter_mut().find(|webhook| webhook["id"] == id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    for (key, value) in said["data"].as_object().into_iter().flatten() {
        webhook[key] = value.clone();
    }
    let shown = without_secret(webhook.clone());
    json_answer(StatusCode::OK, &json!({ "data": shown }))
}

async fn delete(State(inner): Shared, Parts((_, id)): Parts<(String, String)>) -> StatusCode {
    inner.lock().unwrap().webhooks.retain(|webhook| webhook["id"] != id);
    StatusCode::NO_CONTENT
}

/// Shows what it was sent, as servers for debugging do.
async fn echo(headers: HeaderMap, body: Bytes) -> Response {
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    format!("{}\n{}", headers.join("\n"), String::from_utf8_lossy(&body)).into_response()
}

fn without_secret(mut webhook: Value) -> Value {
    webhook.as_object_mut().unwrap().remove("secret");
    webhook
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}
