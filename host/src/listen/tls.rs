//! TLS: a certificate and its key from files, read again when they change.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at, and how long somebody may take to write both.
const LOOK: Duration = Duration::from_secs(1);
const WHOLE: Duration = Duration::from_millis(100);

/// Where a certificate and its key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and one that is believed.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}

/// What one file looks like from outside: inode, bytes, and when it and who may read it were changed.
type Stamp = Option<(u64, u64, [i64; 4])>;

fn stamp(file: &Path) -> Stamp {
    let meta = std::fs::metadata(file).ok()?;
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
    Some((meta.ino(), meta.size(), times))
}

impl TlsFiles {
    /// Whether they can be used; the error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        self.read().map(drop)
    }

    fn stamps(&self) -> [Stamp; 2] {
        [stamp(&self.cert_file), stamp(&self.key_file)]
    }

    fn read(&self) -> Result<CertifiedKey, String> {
        let (cert_file, key_file) = (self.cert_file.display(), self.key_file.display());
        let chain = CertificateDer::pem_file_iter(&self.cert_file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| format!("cannot read {cert_file}: {error}"))?;
        if chain.is_empty() {
            return Err(format!("{cert_file} has no certificate in PEM"));
        }
        // Nothing of a key is told, not even how it is wrong.
        let key = PrivateKeyDer::from_pem_file(&self.key_file).map_err(|error| match error {
            pem::Error::Io(error) => format!("cannot read {key_file}: {error}"),
            _ => format!("{key_file} has no key in PEM"),
        })?;
        CertifiedKey::from_der(chain, key, &default_provider())
            .map_err(|error| format!("{cert_file} and {key_file} cannot be used together: {error}"))
    }
}

/// What a listener shows, and how it shakes hands.
pub struct Tls {
    files: TlsFiles,
    /// How they looked before they were read.
    looked: [Stamp; 2],
    shown: Arc<Shown>,
    acceptor: TlsAcceptor,
}

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Tls {
    /// Reads the files. The error is a sentence.
    pub fn open(files: TlsFiles) -> Result<Arc<Tls>, String> {
        let looked = files.stamps();
        let shown = Arc::new(Shown(RwLock::new(Arc::new(files.read()?))));
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(rustls::DEFAULT_VERSIONS).map_err(|error| error.to_string())?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(Tls { files, looked, shown, acceptor: TlsAcceptor::from(Arc::new(config)) }))
    }

    /// Begins what is said in secret.
    pub(super) async fn shake_hands(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Looks at the files until it is told to stop. Where they cannot be used, the certificate before is shown on.
    pub async fn watch(self: Arc<Tls>, stop: CancellationToken) {
        // What is wrong is tried again at each look, and told once.
        let (mut looked, mut wrong) = (self.looked, None::<String>);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            if wrong.is_none() && self.files.stamps() == looked {
                continue;
            }
            // One of the two is written first.
            tokio::time::sleep(WHOLE).await;
            looked = self.files.stamps();
            match self.files.read() {
                Ok(read) => {
                    wrong = None;
                    *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
                    tracing::info!("the certificate was read again, and new connections are shown it");
                }
                Err(why) => {
                    if wrong.as_ref() != Some(&why) {
                        tracing::error!(
                            "the certificate was changed and is not taken, the one before counts on: {why}"
                        );
                    }
                    wrong = Some(why);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn who_may_read_a_file_is_part_of_how_it_looks() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = stamp(file.path());
        // The clock of a file system is a coarse one.
        std::thread::sleep(Duration::from_millis(50));
        std::fs::set_permissions(file.path(), Permissions::from_mode(0o640)).unwrap();
        assert!(before.is_some() && stamp(file.path()) != before);
    }
}
