//! Certificates by which vendors sign: fetched from where they keep them, once, and no more often than a stranger may make us.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::provider::Certificate;

/// Fetches what a vendor serves. The error is a sentence.
pub type Fetching = Arc<dyn Fn(String) -> Fetched + Send + Sync>;

/// What was fetched, when it is there.
pub type Fetched = Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>>;

/// How long a certificate is believed before it is fetched again.
const KEPT: Duration = Duration::from_secs(86_400);

/// How long one that could not be had is not asked for again.
const FAILED: Duration = Duration::from_secs(10);

/// How many are kept: a vendor has a few at a time.
const MOST: usize = 64;

/// The certificates that were fetched, or could not be.
pub struct Certificates {
    fetching: Fetching,
    /// Held while one is fetched, so that all who want it wait for one request, and a flood makes one at a time.
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    at: Instant,
    certificate: Result<Arc<Certificate>, String>,
}

impl Known {
    fn counts(&self) -> bool {
        let long = if self.certificate.is_ok() { KEPT } else { FAILED };
        self.at.elapsed() < long
    }
}

impl Certificates {
    /// None is known at first.
    pub fn new(fetching: Fetching) -> Certificates {
        Certificates { fetching, known: Mutex::default() }
    }

    /// The certificate at a URL. The error is a sentence.
    pub async fn get(&self, url: String) -> Result<Arc<Certificate>, String> {
        let mut known = self.known.lock().await;
        if let Some(found) = known.get(&url).filter(|found| found.counts()) {
            return found.certificate.clone();
        }
        let fetched = (self.fetching)(url.clone()).await;
        let certificate = fetched.and_then(|pem| Certificate::parse(&url, &pem)).map(Arc::new);
        if let Err(why) = &certificate {
            tracing::warn!("the certificate at {url} cannot be had: {why}");
        }
        known.retain(|_, known| known.counts());
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(url, Known { at: Instant::now(), certificate: certificate.clone() });
        certificate
    }

    /// Asks for an address, so that its owner sees that somebody is here. The error is a sentence.
    pub async fn visit(&self, url: String) -> Result<(), String> {
        (self.fetching)(url).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_had_is_asked_for_once_in_a_while() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let fetching: Fetching = Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(Bytes::from_static(b"<html>")) })
        });
        let certificates = Certificates::new(fetching);
        for _ in 0..5 {
            assert!(certificates.get("https://a.example/1.pem".into()).await.is_err());
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        for n in 0..2 * MOST {
            assert!(certificates.get(format!("https://a.example/{n}.pem")).await.is_err());
        }
        assert!(certificates.known.lock().await.len() <= MOST);
    }
}
