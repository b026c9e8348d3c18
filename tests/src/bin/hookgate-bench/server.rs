//! The processes that are measured: the gateway, and the bare handler that it is compared with.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Setting;

/// The secret of every source here.
pub const SECRET: &str = "a secret that is thirty-two long";

/// A process that listens.
pub struct Server {
    child: Child,
    /// Where senders come in.
    pub hooks: String,
    /// Where operators come in, for a gateway.
    pub admin: String,
    /// From the start of the process until it was ready.
    pub ready_in: Duration,
    /// What it wrote to standard error goes here.
    pub log: PathBuf,
    /// Where it runs.
    pub folder: PathBuf,
    _own: Option<tempfile::TempDir>,
}

/// A folder with a config for each provider that is measured, a data folder and a plugins folder.
pub fn folder(limits: &str, plugins: &[(String, Vec<u8>)]) -> anyhow::Result<tempfile::TempDir> {
    let own = tempfile::Builder::new().prefix("hookgate-bench").tempdir_in(disk_folder()?)?;
    let source = |name: &str| format!("[sources.{name}]\nprovider = \"{name}\"\nsecrets = [{{ file = \"secret\" }}]\n");
    // All of the load comes from one address.
    let server = "[server]\nproxies = [\"127.0.0.1\"]\n";
    let config = format!("{server}{}{}{limits}", source("frameio"), source("github"));
    std::fs::write(own.path().join("hookgate.toml"), config)?;
    std::fs::write(own.path().join("secret"), SECRET)?;
    std::fs::create_dir(own.path().join("plugins"))?;
    for (name, bytes) in plugins {
        std::fs::write(own.path().join("plugins").join(format!("{name}.wasm")), bytes)?;
    }
    Ok(own)
}

/// On the disk of the checkout: the folder for temporary files may be memory.
pub fn disk_folder() -> anyhow::Result<PathBuf> {
    let folder = std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default();
    Ok(folder)
}

/// Starts a gateway in a new folder.
pub fn gateway(setting: &Setting, limits: &str, plugins: &[(String, Vec<u8>)], log: &[&str]) -> anyhow::Result<Server> {
    let own = folder(limits, plugins)?;
    let mut server = gateway_in(setting, own.path(), log)?;
    server._own = Some(own);
    Ok(server)
}

/// Starts a gateway in a new folder, whose source `github` has these lines too.
pub fn gateway_answering(setting: &Setting, github: &str, plugins: &[(String, Vec<u8>)]) -> anyhow::Result<Server> {
    let own = folder("", plugins)?;
    let file = own.path().join("hookgate.toml");
    let config = std::fs::read_to_string(&file)?;
    // The last section of the config.
    std::fs::write(&file, format!("{config}{github}"))?;
    let mut server = gateway_in(setting, own.path(), &["--log-level", "error"])?;
    server._own = Some(own);
    Ok(server)
}

/// Starts a gateway in a new folder, with a certificate and its key in PEM.
pub fn gateway_with_tls(setting: &Setting, certificate: &str, key: &str) -> anyhow::Result<Server> {
    let own = folder("", &[])?;
    std::fs::write(own.path().join("cert.pem"), certificate)?;
    std::fs::write(own.path().join("key.pem"), key)?;
    let file = own.path().join("hookgate.toml");
    let tls = "[server]\ntls = { cert_file = \"cert.pem\", key_file = \"key.pem\" }\n";
    std::fs::write(&file, std::fs::read_to_string(&file)?.replacen("[server]\n", tls, 1))?;
    let mut server = gateway_in(setting, own.path(), &["--log-level", "error"])?;
    server._own = Some(own);
    Ok(server)
}

/// Starts a gateway in a folder.
pub fn gateway_in(setting: &Setting, folder: &Path, log: &[&str]) -> anyhow::Result<Server> {
    let mut command = Command::new(&setting.gateway);
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(log).current_dir(folder);
    start(command, folder)
}

/// Starts the bare handler.
pub fn bare() -> anyhow::Result<Server> {
    let own = tempfile::tempdir()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--serve-bare");
    let mut server = start(command, own.path())?;
    server._own = Some(own);
    Ok(server)
}

fn start(mut command: Command, folder: &Path) -> anyhow::Result<Server> {
    let log = folder.join("log");
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?);
    let begun = Instant::now();
    let mut child = command.spawn().context("cannot start the gateway")?;
    let out = child.stdout.take().context("no standard output")?;
    let (mut hooks, mut admin) = (String::new(), String::new());
    for line in BufReader::new(out).lines() {
        let line = line?;
        let address = |text: &str| text.split("://").nth(1).and_then(|rest| rest.split('/').next()).map(str::to_owned);
        match line.split_whitespace().next() {
            Some("hooks") => hooks = address(&line).unwrap_or_default(),
            Some("admin") => admin = address(&line).unwrap_or_default(),
            Some("plugins") => break,
            _ => {}
        }
    }
    let told = || format!("it did not start: {}", std::fs::read_to_string(&log).unwrap_or_default());
    anyhow::ensure!(!hooks.is_empty(), told());
    let ready_in = begun.elapsed();
    Ok(Server { child, hooks, admin, ready_in, log, folder: folder.to_owned(), _own: None })
}

impl Server {
    /// A figure of `/proc/<pid>/<file>`.
    pub fn proc(&self, file: &str, key: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0)
    }

    /// Its `/status`.
    pub async fn status(&self) -> anyhow::Result<serde_json::Value> {
        self.get("/status").await
    }

    /// What an operator gets at a path.
    pub async fn get(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        use http_body_util::{BodyExt, Empty};
        let stream = tokio::net::TcpStream::connect(&self.admin).await?;
        let (mut http, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = hyper::Request::get(path).header("host", &self.admin).body(Empty::<Bytes>::new())?;
        let body = http.send_request(request).await?.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an engineer would write by hand: read the body, check the same HMAC, answer 200. Nothing is kept.
pub async fn serve_bare() -> anyhow::Result<()> {
    let key = <Hmac<Sha256> as Mac>::new_from_slice(SECRET.as_bytes())?;
    let handler = async move |headers: HeaderMap, body: Bytes| {
        let mut mac = key.clone();
        mac.update(&body);
        let signature = headers.get("x-hub-signature-256").and_then(|value| value.as_bytes().strip_prefix(b"sha256="));
        let signature = signature.and_then(|text| hex::decode(text).ok()).unwrap_or_default();
        match mac.verify_slice(&signature) {
            Ok(()) => (StatusCode::OK, "{\"ok\":true}"),
            Err(_) => (StatusCode::UNAUTHORIZED, "{}"),
        }
    };
    let router = Router::new().route("/hooks/github", post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("  hooks http://{}/", listener.local_addr()?);
    println!("  plugins none");
    Ok(axum::serve(listener, router).await?)
}
