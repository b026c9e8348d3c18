//! How commands talk to a gateway that runs: found by its config, or by its admin address.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use hookgate::config::{Config, FILE, Overrides, variable};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::Usage;
use super::table::harmless;

/// The variable that holds a key, where a command is not to make one for itself.
const KEY: &str = "HOOKGATE_API_KEY";

/// The variable that holds the admin token, where the config does not say.
const TOKEN: &str = "HOOKGATE_ADMIN_TOKEN";

/// Where it is asked how plugins stand.
pub const PLUGINS: &str = "/api/v1/plugins";

/// Where it is asked how the gateway stands.
pub const STATUS: &str = "/status";

/// How long an answer may take, and how large it may be.
const PATIENCE: Duration = Duration::from_secs(40);
const ANSWER_BYTES: usize = 64 << 20;

/// The longest that is waited where an answer says to ask again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Which gateway is meant
#[derive(Args)]
pub struct Door {
    /// The config of the gateway; without it, hookgate.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Its admin address, in place of the one in the config
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
}

/// A gateway that can be asked.
pub struct Gateway {
    base: String,
    token: Option<String>,
    key: Option<String>,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// Why a gateway did not answer that may answer later: it is not there, or it is not ready.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Away(String);

impl Door {
    /// The config that is read, where one is.
    pub fn file(&self) -> Option<&Path> {
        let file = self.config.as_deref().unwrap_or(Path::new(FILE));
        // An address alone is enough.
        let is_read = self.admin.is_none() || self.config.is_some() || file.exists();
        is_read.then_some(file)
    }

    /// Finds the gateway, without asking it anything.
    pub fn open(&self) -> anyhow::Result<Gateway> {
        let file = self.config.as_deref().unwrap_or(Path::new(FILE));
        let overrides = Overrides { secrets_may_be_missing: true, ..Overrides::default() };
        let config = self.file().map(|file| Config::read(file, &overrides)).transpose()?;
        let base = match (&self.admin, &config) {
            (Some(url), _) if url.contains("://") => url.trim_end_matches('/').to_owned(),
            (Some(address), _) => format!("http://{address}"),
            (None, Some(config)) => format!("http://{}", config.server.admin),
            (None, None) => bail!("there is no config"),
        };
        if !base.starts_with("http://") {
            return Err(Usage::error(format!("--admin: {base} is no address like http://127.0.0.1:8081")));
        }
        let said = config.and_then(|config| config.server.admin_token);
        let said = said.map(|token| String::from_utf8_lossy(token.expose()).into_owned());
        Ok(Gateway {
            base,
            token: said.or_else(|| variable(file, TOKEN)),
            key: variable(file, KEY),
            http: Client::builder(TokioExecutor::new()).build_http(),
        })
    }
}

impl Gateway {
    /// Asks as the operator.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        self.call(method, path, body, self.token.as_deref()).await
    }

    /// Asks as an application: with the key in the environment, or with one that is good for a minute.
    pub async fn ask_by_key(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let key = match &self.key {
            Some(key) => {
                return self.call(method, path, body, Some(key)).await.with_context(|| format!("by the key in {KEY}"));
            }
            None => {
                let made = self.ask(Method::POST, "/api/v1/keys", Some(json!({ "brief": true }))).await?;
                made["key"].as_str().context("the gateway gives no key")?.to_owned()
            }
        };
        self.call(method, path, body, Some(&key)).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        shown: Option<&str>,
    ) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder().method(method).uri(&url);
        if let Some(shown) = shown {
            request = request.header(AUTHORIZATION, format!("Bearer {shown}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body)))?;
        let asking = async {
            let told = || Away(format!("cannot reach a gateway at {}: is it running (hookgate serve)?", self.base));
            let response = self.http.request(request).await.with_context(told)?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| Away(format!("the answer broke off: {error}")))?.to_bytes();
            read(status, &headers, &body)
        };
        tokio::time::timeout(PATIENCE, asking).await.map_err(|_| Away("no answer in 40 s".to_owned()))?
    }
}

/// A no that may be a yes soon.
#[derive(Debug, thiserror::Error)]
#[error("{told}")]
pub struct NotNow {
    /// Why.
    pub told: String,
    /// When to ask again.
    pub after: Duration,
}

fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> anyhow::Result<Value> {
    let answer: Value = match body {
        [] => Value::Null,
        body => serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into()),
    };
    if status.is_success() {
        anyhow::ensure!(
            !answer.is_string(),
            "what answers there is no gateway's admin address: it said {}",
            harmless(&answer.to_string())
        );
        return Ok(answer);
    }
    let told = match (&answer, answer["error"].as_str()) {
        (_, Some(error)) => harmless(error),
        (Value::Null, None) => status.to_string(),
        (answer, None) => harmless(&answer.to_string()),
    };
    match status {
        StatusCode::UNAUTHORIZED => {
            bail!("{told} (the token of the admin address is looked for in the config and in {TOKEN})")
        }
        StatusCode::UNPROCESSABLE_ENTITY => Err(Usage::error(told)),
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Err(Away(told).into()),
        StatusCode::SERVICE_UNAVAILABLE => {
            let after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
            let after = Duration::from_secs(after.unwrap_or(1)).min(LONGEST_WAIT);
            Err(anyhow::Error::new(NotNow { told, after }))
        }
        _ => bail!("{told}"),
    }
}

/// A word that may stand in a path or a query.
pub fn word(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
