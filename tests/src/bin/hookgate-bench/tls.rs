//! Durable accepts over TLS, beside the same in the clear.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::load::{Pace, load, trust};
use super::report::{Report, median, ms};
use super::{Setting, accepts, server};

/// How many connections there are.
const CONNECTIONS: usize = 64;

/// Measures accepts a second through connections that stay open.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let columns = ["way in", "accepts/s", "p50 ms", "p99 ms", "of the clear"];
    report.table("Durable accepts over TLS, 64 connections, 2 KiB", &columns);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone())?;
    let config =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?;
    trust(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())));
    let (mut clear, mut over_tls) = (Vec::new(), Vec::new());
    for _ in 0..setting.rounds {
        let pace = Pace { time: Some(setting.time), count: None, rate: None };
        let plain = server::gateway(setting, "", &[], &["--log-level", "error"])?;
        clear.push(load(&plain.hooks, CONNECTIONS, pace, accepts::pushes(&plain.hooks)).await?);
        drop(plain);
        let server = server::gateway_with_tls(setting, &certificate.pem(), &key.serialize_pem())?;
        let address = format!("tls:{}", server.hooks);
        over_tls.push(load(&address, CONNECTIONS, pace, accepts::pushes(&server.hooks)).await?);
    }
    let ratio = median(clear.iter().zip(&over_tls).map(|(clear, tls)| tls.per_second() / clear.per_second()).collect());
    for (name, loads, ratio) in [("in the clear", &clear, 1.0), ("TLS", &over_tls, ratio)] {
        let of = |part: f64| median(loads.iter().map(|load| load.at(part).as_secs_f64()).collect());
        let each = |part| ms(std::time::Duration::from_secs_f64(of(part)));
        let rate = median(loads.iter().map(|load| load.per_second()).collect());
        report.row(&[name.to_owned(), format!("{rate:.0}"), each(0.5), each(0.99), format!("{ratio:.2}")]);
    }
    Ok(())
}
