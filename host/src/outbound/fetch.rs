//! Fetching what a vendor serves to everyone: one small answer, by https.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full, Limited};

use super::connect::{Connector, Reach};
use super::exchange::{Http, http, told};
use super::{Outbound, Schemes};

/// The largest answer that is taken, in bytes.
const MOST: usize = 64 << 10;

/// How long an answer may take, connecting included. Senders wait meanwhile.
const WITHIN: Duration = Duration::from_secs(4);

/// Fetches what a vendor serves to everyone.
pub struct Fetcher {
    http: Http,
}

impl Fetcher {
    /// One that reaches the public internet.
    pub fn new(outbound: &Outbound) -> Fetcher {
        let reach = Reach {
            allow_private: Vec::new(),
            has_credential: false,
            within: WITHIN,
            fix: "write hosts = { \"NAME\" = \"ADDRESS\" } into [outbound] of the config",
        };
        Fetcher { http: http(outbound, Connector::new(outbound, reach), Schemes::HTTPS, 1) }
    }

    /// Gets what is at a URL, where the answer is 2xx. The error is a sentence.
    pub async fn get(&self, url: &str) -> Result<Bytes, String> {
        let uri: http::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let mut request = http::Request::new(Full::new(Bytes::new()));
        (*request.method_mut(), *request.uri_mut()) = (Method::GET, uri);
        let exchange = async {
            let answer = self.http.request(request).await.map_err(|error| told(&error).to_string())?;
            let status = answer.status();
            if !status.is_success() {
                return Err(format!("the answer is {status}"));
            }
            let body = Limited::new(answer.into_body(), MOST).collect().await;
            body.map(|body| body.to_bytes()).map_err(|error| format!("the answer cannot be read: {error}"))
        };
        let late = || Err(format!("no answer within {} s", WITHIN.as_secs()));
        tokio::time::timeout(WITHIN, exchange).await.unwrap_or_else(|_| late())
    }
}
