//! Connections: a name is looked up once, its addresses are looked at, and the connection goes to the very address that was
//! looked at. What a name means a moment later does not matter.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;

use super::Counters;
use super::address::is_public;

/// What all plugins' connections have in common.
pub struct Outbound {
    pub(super) counters: Counters,
    names: Arc<dyn Resolve>,
    /// Where this gateway itself listens: never to be connected to.
    own: Vec<SocketAddr>,
    pub(super) roots: Roots,
    tls: OnceLock<Arc<ClientConfig>>,
}

/// What is believed of the net: whose certificates, and where hosts are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    /// A file of certificates in PEM, believed beside those of the system (`ca_file`).
    pub ca_file: Option<PathBuf>,
    /// Where hosts are, whatever their names mean elsewhere (`hosts`). The operator spelled them out, so they may be private.
    pub hosts: BTreeMap<String, SocketAddr>,
}

impl Roots {
    /// Whether the file has certificates; the error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        let Some(file) = &self.ca_file else { return Ok(()) };
        match certificates(file) {
            Ok(found) if found.is_empty() => Err(format!("{} has no certificate in PEM", file.display())),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("cannot read {}: {error}", file.display())),
        }
    }
}

fn certificates(file: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(file).and_then(Iterator::collect)
}

/// The addresses of a name, when they are known.
pub type Resolving = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;

/// What looks names up.
pub trait Resolve: Send + Sync {
    /// The addresses of a name, with a port.
    fn resolve(&self, name: &str, port: u16) -> Resolving;
}

/// The system's own way to look names up.
pub struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: &str, port: u16) -> Resolving {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((&*name, port)).await?.collect()) })
    }
}

impl Outbound {
    /// Connections for plugins of a gateway that listens on `own`.
    pub fn new(roots: Roots, own: Vec<SocketAddr>, names: Arc<dyn Resolve>, counters: Counters) -> Arc<Outbound> {
        Arc::new(Outbound { counters, names, own, roots, tls: OnceLock::new() })
    }

    /// For a command that serves nobody.
    pub fn of_a_command(roots: Roots) -> Arc<Outbound> {
        Outbound::new(roots, Vec::new(), Arc::new(SystemNames), Counters::default())
    }

    /// Whose certificates are believed. Read when it is first needed: most gateways' plugins speak to nobody.
    pub fn tls(&self) -> Arc<ClientConfig> {
        self.tls.get_or_init(|| Arc::new(tls(&self.roots))).clone()
    }
}

fn tls(roots: &Roots) -> ClientConfig {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    if let Some(file) = &roots.ca_file {
        match certificates(file) {
            Ok(own) => drop(store.add_parsable_certificates(own)),
            Err(error) => tracing::error!("no certificate of {} is believed: {error}", file.display()),
        }
    }
    if store.is_empty() {
        tracing::error!(
            "this system has no certificates that can be believed, so no https host can be spoken to: install ca-certificates"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_protocol_versions(rustls::DEFAULT_VERSIONS);
    match versions {
        Ok(builder) => builder.with_root_certificates(store).with_no_client_auth(),
        // The provider has the default versions.
        Err(error) => unreachable!("{error}"),
    }
}

/// How long what was sent may be unread before a connection is given up, in milliseconds.
const UNREAD_MS: u32 = 30_000;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Unreachable {
    /// No address of the host may be connected to.
    Denied(String),
    /// Connecting took too long.
    Late(Duration),
    /// It could not be done.
    Failed(String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::Denied(told) | Unreachable::Failed(told) => f.write_str(told),
            Unreachable::Late(after) => write!(f, "no connection within {} ms (connect_ms)", after.as_millis()),
        }
    }
}

impl std::error::Error for Unreachable {}

/// Connects to the hosts of one grant.
#[derive(Clone)]
pub(super) struct Connector(Arc<Way>);

struct Way {
    names: Arc<dyn Resolve>,
    own: Vec<SocketAddr>,
    hosts: BTreeMap<String, SocketAddr>,
    reach: Reach,
}

/// How far connections may reach.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    /// Addresses that may be connected to though they are not the public internet's.
    pub allow_private: Vec<SocketAddr>,
    /// Whether what is sent has a credential in it.
    pub has_credential: bool,
    /// How long connecting may take.
    pub within: Duration,
    /// Where the operator allows another, with `ADDRESS` in place of it.
    pub fix: &'static str,
}

impl Connector {
    pub fn new(outbound: &Outbound, reach: Reach) -> Connector {
        let (names, own, hosts) = (outbound.names.clone(), outbound.own.clone(), outbound.roots.hosts.clone());
        Connector(Arc::new(Way { names, own, hosts, reach }))
    }

    /// How long connecting may take.
    pub fn within(&self) -> Duration {
        self.0.reach.within
    }

    /// Looks whether a host has an address that may be connected to, without connecting. One that cannot be looked up may have one
    /// later.
    pub async fn check(&self, uri: &Uri) -> Result<(), Unreachable> {
        let way = &self.0;
        let (host, port) = target(uri);
        if way.hosts.contains_key(host) {
            return Ok(());
        }
        let looking = tokio::time::timeout(way.reach.within, way.look_up(host, port));
        let Ok(Ok(found)) = looking.await else { return Ok(()) };
        if found.is_empty() || found.iter().any(|address| way.allows(*address, false)) {
            return Ok(());
        }
        Err(way.denied(host, &found))
    }
}

/// The host and the port of a URL.
fn target(uri: &Uri) -> (&str, u16) {
    let default = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(default))
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = Unreachable;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, Unreachable>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unreachable>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let way = self.0.clone();
        Box::pin(async move {
            let within = way.reach.within;
            let connected = tokio::time::timeout(within, way.connect(&uri)).await;
            connected.unwrap_or(Err(Unreachable::Late(within))).map(TokioIo::new)
        })
    }
}

/// Ends what takes too long: the handshake of TLS counts as connecting, too.
#[derive(Clone)]
pub(super) struct Within<S> {
    inner: S,
    within: Duration,
}

impl<S> Within<S> {
    pub fn new(inner: S, within: Duration) -> Within<S> {
        Within { inner, within }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S> tower::Service<Uri> for Within<S>
where
    S: tower::Service<Uri, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, within) = (self.inner.call(uri), self.within);
        Box::pin(async move {
            let connected = tokio::time::timeout(within, connecting).await;
            connected.unwrap_or_else(|_| Err(Box::new(Unreachable::Late(within))))
        })
    }
}

/// Whether an address is one of this machine's: only such can be listened on.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let bound = std::net::UdpSocket::bind((ip, 0));
    !bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrNotAvailable)
}

impl Way {
    async fn connect(&self, uri: &Uri) -> Result<TcpStream, Unreachable> {
        let (host, port) = target(uri);
        let spelled_out = self.hosts.get(host);
        let found = match spelled_out {
            Some(address) => vec![*address],
            None => self.look_up(host, port).await?,
        };
        // A credential in clear text goes to nobody but whom the operator spelled out.
        let only_named = self.reach.has_credential && uri.scheme_str() == Some("http");
        let is_allowed =
            |address: SocketAddr| spelled_out.is_some() && !self.is_own(address) || self.allows(address, only_named);
        let allowed = found.iter().filter(|address| is_allowed(**address));
        let mut failed = None;
        for address in allowed {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    // Whoever reads nothing of what is sent holds no connection for ever.
                    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNREAD_MS);
                    return Ok(stream);
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(match failed {
            Some(error) => Unreachable::Failed(format!("cannot connect to {host} port {port}: {error}")),
            None => self.denied(host, &found),
        })
    }

    /// Why none of these addresses of a host may be connected to.
    fn denied(&self, host: &str, found: &[SocketAddr]) -> Unreachable {
        match found.first() {
            Some(_) if let Some(own) = found.iter().find(|address| self.is_own(**address)) => {
                Unreachable::Denied(format!("{host} is this gateway itself, at {own}"))
            }
            Some(address) if is_public(address.ip()) => Unreachable::Denied(format!(
                "the credential of {host} would cross the internet in clear text: ask by https"
            )),
            Some(address) => Unreachable::Denied(format!(
                "{host} is at {}, which is not on the public internet: if it is meant, {}",
                address.ip(),
                self.reach.fix.replace("ADDRESS", &address.to_string())
            )),
            None => Unreachable::Failed(format!("{host} has no address")),
        }
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unreachable> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = self.names.resolve(host, port).await;
        let found = found.map_err(|error| Unreachable::Failed(format!("cannot look up {host}: {error}")))?;
        // A name that means another port means nothing that was granted.
        Ok(found.into_iter().map(|address| SocketAddr::new(address.ip(), port)).collect())
    }

    fn allows(&self, address: SocketAddr, only_named: bool) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let is_named =
            self.reach.allow_private.iter().any(|named| named.ip().to_canonical() == ip && named.port() == port);
        let is_open = is_public(address.ip()) && !only_named;
        !self.is_own(address) && (is_open || is_named)
    }

    /// Whether this gateway itself listens there. One that listens on all addresses of its machine listens on each.
    fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let same =
            |own: &SocketAddr| own.ip().to_canonical() == ip || own.ip().is_unspecified() && is_of_this_machine(ip);
        self.own.iter().any(|own| own.port() == address.port() && (ip.is_unspecified() || same(own)))
    }
}
