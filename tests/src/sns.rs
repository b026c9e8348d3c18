//! Amazon SNS on loopback: keeps the certificate that it signs by, and is visited by who confirms a subscription.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{StatusCode, Uri};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::frameio::{certified, serve};

/// The host that it is.
pub const HOST: &str = "sns.eu-central-1.amazonaws.com";

/// The RSA key that it signs by, in PEM: nobody's.
pub const KEY: &str = include_str!("../keys/rsa.pem");

/// Amazon SNS, until it is dropped.
pub struct Sns {
    /// Where it listens.
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    is_down: Arc<AtomicBool>,
    _threads: tokio::runtime::Runtime,
}

impl Sns {
    /// Starts it, and writes the certificate of who vouches for it to a file.
    pub fn start(ca_file: &Path) -> Sns {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let tls = TlsAcceptor::from(Arc::new(certified(ca_file, HOST)));
        let key = KeyPair::from_pem_and_sign_algo(KEY, &PKCS_RSA_SHA256).unwrap();
        let pem = CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        let (asked, is_down) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (seen, down) = (asked.clone(), is_down.clone());
        let router = Router::new().fallback(async move |uri: Uri| {
            seen.lock().unwrap().push(uri.path_and_query().unwrap().to_string());
            if down.load(Ordering::SeqCst) { (StatusCode::BAD_GATEWAY, String::new()) } else { (StatusCode::OK, pem) }
        });
        let listener = threads.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        threads.spawn(serve(listener, tls, router));
        Sns { address, asked, is_down, _threads: threads }
    }

    /// What was asked for, with its query.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Whether it answers nobody well.
    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }
}
