//! TLS of the gateway's own, with a certificate that may change while it runs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hookgate_tests::{Gateway, Home, Process, eventually, exchange};
use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A certificate for `localhost`, and its key, in PEM.
struct Certificate {
    der: CertificateDer<'static>,
    cert: String,
    key: String,
}

impl Certificate {
    fn new() -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        Certificate { der: certificate.der().clone(), cert: certificate.pem(), key: key.serialize_pem() }
    }

    fn install(&self, home: &Home) {
        home.write("cert.pem", &self.cert);
        home.write("key.pem", &self.key);
    }

    /// Asks a gateway as somebody who believes this certificate alone. The error is why there is no answer.
    fn ask(&self, address: SocketAddr, request: &[u8]) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut stream = StreamOwned::new(connection, stream);
        stream.write_all(request)?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            // A connection that is closed without a word of it.
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }
}

const TLS: &str = "server.tls = { cert_file = \"cert.pem\", key_file = \"key.pem\" }\n";

fn home_with(certificate: &Certificate, more: &str) -> Home {
    let home = Home::new();
    certificate.install(&home);
    home.configure(&format!("{TLS}{more}"));
    home
}

#[test]
fn webhooks_come_by_tls_and_in_no_other_way() {
    let certificate = Certificate::new();
    let home = home_with(&certificate, "limits.handshake_ms = 3000");
    let gateway = Process::start(&home);
    assert!(gateway.printed().contains("hooks   https://127.0.0.1:"), "{}", gateway.printed());
    let request = home.sender("github").webhook("push").request();
    let answer = certificate.ask(gateway.hooks, &request).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let plain = exchange(gateway.hooks, &request).unwrap();
    assert!(plain.is_none(), "{plain:?}");
    let mut silent = TcpStream::connect(gateway.hooks).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(silent.read(&mut [0; 64]).unwrap_or(0), 0, "it is closed");
    let failed = "hookgate_closed_connections_total{cause=\"tls_handshake\"}";
    eventually("both are counted", || gateway.metric(failed) == 2.0);
    assert_eq!(home.ledger().events(), 1);
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_a_wrong_one_is_not() {
    let [old, new, lost] = [Certificate::new(), Certificate::new(), Certificate::new()];
    let home = home_with(&old, "");
    let gateway = Gateway::start(&home);
    let request = home.sender("github").webhook("push").request();
    let is_shown =
        |certificate: &Certificate| certificate.ask(gateway.hooks, &request).is_ok_and(|told| !told.is_empty());
    assert!(is_shown(&old) && !is_shown(&new));

    new.install(&home);
    eventually("the new one is shown", || is_shown(&new));
    assert!(!is_shown(&old));

    // The certificate of one, the key of another; then nothing that is one.
    home.write("key.pem", &lost.key);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(is_shown(&new));
    home.write("cert.pem", "nothing");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(is_shown(&new));

    lost.install(&home);
    eventually("one that is right is taken again", || is_shown(&lost));
}

#[test]
fn a_gateway_does_not_start_without_its_certificate() {
    let home = Home::with(TLS);
    let told = Process::try_start(Process::command(&home)).err().expect("there is no certificate");
    assert!(told.contains("server.tls: cannot read") && told.contains("cert.pem"), "{told}");
    let certificate = Certificate::new();
    home.write("cert.pem", &certificate.cert);
    home.write("key.pem", &Certificate::new().key);
    let told = Process::try_start(Process::command(&home)).err().expect("they do not belong together");
    assert!(told.contains("cannot be used together") && !told.contains("PRIVATE"), "{told}");
}
