//! Certificates by which vendors sign: fetched from where they keep them, once, and no more often than a stranger may make us.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::pace::Pace;
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

/// How many requests wait for one at a time, and how many are fetched in a minute: whoever asks was not verified yet.
const WAITING: usize = 16;
const PER_MINUTE: u64 = 30;

/// The certificates that were fetched, or could not be.
pub struct Certificates {
    fetching: Fetching,
    known: Mutex<HashMap<String, Known>>,
    /// A place for each request that waits for a certificate.
    waiting: Semaphore,
    /// One at a time, so that all who want the same wait for one request.
    turn: Semaphore,
    pace: Pace,
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
        Certificates {
            fetching,
            known: Mutex::default(),
            waiting: Semaphore::new(WAITING),
            turn: Semaphore::new(1),
            pace: Pace::new(PER_MINUTE),
        }
    }

    /// The certificate at a URL: at once where it is known. The error is a sentence.
    pub async fn get(&self, url: String) -> Result<Arc<Certificate>, String> {
        if let Some(known) = self.known(&url) {
            return known;
        }
        let _place = self.waiting.try_acquire().map_err(|_| "too many wait for certificates")?;
        // It is never closed.
        let _turn = self.turn.acquire().await;
        if let Some(known) = self.known(&url) {
            return known;
        }
        if !self.pace.take(1) {
            return self.last(&url).ok_or(format!("more than {PER_MINUTE} certificates in a minute"));
        }
        let fetched = (self.fetching)(url.clone()).await;
        let certificate = fetched.and_then(|pem| Certificate::parse(&url, &pem)).map(Arc::new);
        let certificate = certificate.or_else(|why| {
            tracing::warn!("the certificate at {url} cannot be had: {why}");
            // One that was had before is as good as it was.
            self.last(&url).ok_or(why)
        });
        self.keep(url, certificate.clone());
        certificate
    }

    fn last(&self, url: &str) -> Option<Arc<Certificate>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(url)?.certificate.clone().ok()
    }

    fn known(&self, url: &str) -> Option<Result<Arc<Certificate>, String>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(url).filter(|found| found.counts()).map(|found| found.certificate.clone())
    }

    fn keep(&self, url: String, certificate: Result<Arc<Certificate>, String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.counts() || known.certificate.is_ok());
        if known.len() >= MOST {
            // What could not be had makes room first, then what was had longest ago.
            known.retain(|_, known| known.certificate.is_ok());
            let oldest = known.iter().min_by_key(|(_, known)| known.at).map(|(url, _)| url.clone());
            oldest.filter(|_| known.len() >= MOST).map(|url| known.remove(&url));
        }
        known.insert(url, Known { at: Instant::now(), certificate });
    }

    /// Asks for an address, so that its owner sees that somebody is here. The error is a sentence.
    pub async fn visit(&self, url: String) -> Result<(), String> {
        if !self.pace.take(1) {
            return Err(format!("more than {PER_MINUTE} requests to vendors in a minute"));
        }
        (self.fetching)(url).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_had_is_asked_for_once_in_a_while_and_no_flood_of_names_asks_for_more() {
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
        assert!(asked.load(Ordering::SeqCst) as u64 <= PER_MINUTE + 1);
        assert!(certificates.known.lock().unwrap().len() <= MOST);
    }

    #[tokio::test]
    async fn few_wait_for_one_that_is_slow() {
        let fetching: Fetching = Arc::new(|_| {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err("none".to_owned())
            })
        });
        let certificates = Arc::new(Certificates::new(fetching));
        let ask = |n: usize| {
            let certificates = certificates.clone();
            tokio::spawn(async move { certificates.get(format!("https://a.example/{n}.pem")).await.unwrap_err() })
        };
        let asking: Vec<_> = (0..WAITING + 5).map(ask).collect();
        let mut told = Vec::new();
        for one in asking {
            told.push(one.await.unwrap());
        }
        assert_eq!(told.iter().filter(|why| why.starts_with("too many")).count(), 5);
    }
}
