//! `hookgate send`: plays the sender.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use hookgate::config::{Config, FILE, Overrides};
use hookgate::event::wall_ms;
use hookgate::provider::{Key, Provider, Source};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

use super::table::harmless;

/// Make an event of a source, sign it as its sender would, post it and tell the answer
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate send frameio file.ready\n          hookgate send github push --count 10000 --at-once 64"
)]
pub struct Send {
    /// A source of the config
    source: String,
    /// The event's type
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// Where to, in place of the config's `listen`
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// A file with the body (- for standard input), in place of a sample
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The config file
    #[arg(long, default_value = FILE)]
    config: PathBuf,
    /// How many, each a new event
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// How many a second, whatever the answers take
    #[arg(long, value_name = "PER_SECOND", value_parser = above_zero)]
    rate: Option<f64>,
    /// How many at a time, where no rate is given
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    at_once: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What plays the sender.
struct Sender {
    http: Http,
    url: hyper::Uri,
    provider: Arc<Provider>,
    key: Key,
    signed_url: Option<Arc<str>>,
    event_type: String,
    body: Option<Bytes>,
}

/// One answer.
struct Answer {
    status: u16,
    text: String,
    took: Duration,
    /// Written down for the first time, a repeat, or no answer that a sender would take for success.
    is: Meaning,
}

#[derive(Clone, Copy, PartialEq)]
enum Meaning {
    Accepted,
    Duplicate,
    Failed,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most of an answer that is read.
const ANSWER_BYTES: usize = 64 << 10;

fn above_zero(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "write a number above 0".to_owned())
}

impl Send {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::read(&self.config, &Overrides::default())?;
        let sender = Arc::new(self.sender(&config)?);
        super::block_on(async move {
            if self.count == 1 {
                let answer = sender.send(0).await?;
                return self.print_one(&answer);
            }
            let begun = Instant::now();
            let answers = self.send_all(sender).await;
            self.print_all(answers, begun.elapsed())
        })?
    }

    fn sender(&self, config: &Config) -> anyhow::Result<Sender> {
        let source = self.find(config)?;
        let body = self.body.as_ref().map(read_body).transpose()?;
        if body.is_none() && source.provider.sample(&self.event_type, 0).is_none() {
            return Err(super::no_sample(&source.provider, &self.event_type, "--body FILE"));
        }
        let default = || format!("{}/hooks/{}", base(config), source.name);
        let url = self.to.clone().unwrap_or_else(default);
        let url = url.parse().map_err(|error| super::Usage::error(format!("--to {url}: {error}")))?;
        let live = |key: &&Key| key.is_live(wall_ms());
        let key = source.keys.iter().filter(live).find(|key| key.can_sign()).or(source.keys.iter().find(live));
        let key = key.or(source.keys.first()).context("the source has no secret")?.clone();
        let http = client()?;
        Ok(Sender {
            http,
            url,
            provider: source.provider.clone(),
            key,
            signed_url: source.url.clone(),
            event_type: self.event_type.clone(),
            body,
        })
    }

    fn find<'a>(&self, config: &'a Config) -> anyhow::Result<&'a Source> {
        config.sources.iter().find(|source| *source.name == self.source).ok_or_else(|| {
            let known: Vec<&str> = config.sources.iter().map(|source| &*source.name).collect();
            super::Usage::error(format!(
                "there is no source `{}` in the config: take one of {}",
                self.source,
                known.join(", ")
            ))
        })
    }

    async fn send_all(&self, sender: Arc<Sender>) -> Vec<anyhow::Result<Answer>> {
        let mut answers = Vec::with_capacity(self.count as usize);
        let mut sending = JoinSet::new();
        let begun = tokio::time::Instant::now();
        for nth in 0..self.count {
            match self.rate {
                Some(rate) => {
                    tokio::time::sleep_until(begun + Duration::from_secs_f64(nth as f64 / rate.max(0.001))).await
                }
                None if sending.len() as u64 >= self.at_once => {
                    answers.extend(sending.join_next().await.into_iter().flatten())
                }
                None => {}
            }
            let sender = sender.clone();
            // A lone event is the sample itself; of many each is another, also from those that were sent a moment ago.
            sending.spawn(async move { sender.send(nth + 1).await });
        }
        answers.extend(sending.join_all().await);
        answers
    }

    fn print_one(&self, answer: &Answer) -> anyhow::Result<ExitCode> {
        let Answer { status, text, took, is } = answer;
        if self.json {
            let body: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|_| text.clone().into());
            outln!("{}", serde_json::json!({ "status": status, "answer": body, "ms": took.as_secs_f64() * 1e3 }));
        } else {
            outln!("{status} {} in {}", harmless(text.trim_end()), super::brief(*took));
        }
        Ok(if *is == Meaning::Failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn print_all(&self, answers: Vec<anyhow::Result<Answer>>, took: Duration) -> anyhow::Result<ExitCode> {
        let sent = answers.len();
        let (answers, errors): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        let answers: Vec<Answer> = answers.into_iter().flatten().collect();
        let unanswered = errors.len();
        let why = match errors.into_iter().find_map(Result::err) {
            // Nothing of it was sent.
            Some(error) if error.is::<super::Usage>() => return Err(error),
            error => error.map(|error| format!("{error:#}")),
        };
        let count = |is: Meaning| answers.iter().filter(|answer| answer.is == is).count();
        let (accepted, duplicates, failed) =
            (count(Meaning::Accepted), count(Meaning::Duplicate), count(Meaning::Failed));
        let (half, most) = (percentile(&answers, 0.5), percentile(&answers, 0.99));
        let per_second = sent as f64 / took.as_secs_f64();
        if self.json {
            let ms = |took: Option<Duration>| took.map(|took| took.as_secs_f64() * 1e3);
            outln!(
                "{}",
                serde_json::json!({
                    "sent": sent, "accepted": accepted, "duplicates": duplicates, "refused": failed, "unanswered": unanswered,
                    "unanswered_why": why, "per_second": per_second, "p50_ms": ms(half), "p99_ms": ms(most),
                })
            );
        } else {
            outln!(
                "{sent} sent in {}: {accepted} accepted, {duplicates} duplicates, {failed} refused, {unanswered} unanswered",
                super::brief(took)
            );
            if let (Some(half), Some(most)) = (half, most) {
                let (half, most) = (super::brief(half), super::brief(most));
                outln!("{per_second:.0} a second; half answered in {half}, 99 of 100 in {most}");
            }
            if let Some(refused) = answers.iter().find(|answer| answer.is == Meaning::Failed) {
                outln!("the first refusal: {} {}", refused.status, harmless(refused.text.trim_end()));
            }
            if let Some(why) = why {
                outln!("the first that was not answered: {}", harmless(&why));
            }
        }
        Ok(if failed + unanswered == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// In which time such a part of the answers came; nothing, where none did.
fn percentile(answers: &[Answer], part: f64) -> Option<Duration> {
    let mut times: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    times.sort();
    times.get(((times.len() as f64 - 1.0) * part) as usize).copied()
}

impl Sender {
    async fn send(&self, nth: u64) -> anyhow::Result<Answer> {
        let body = match &self.body {
            Some(body) => body.clone(),
            None => self.provider.sample(&self.event_type, nth).unwrap_or_default(),
        };
        let signed = self.provider.sign(&self.event_type, body, &self.key, wall_ms(), self.signed_url.as_deref());
        let signed = signed.map_err(|error| super::Usage::error(error.to_string()))?;
        let mut request = hyper::Request::post(self.with_query(signed.query)?).body(Full::new(signed.body))?;
        request.headers_mut().extend(signed.headers);
        let begun = Instant::now();
        let exchange = async {
            let response = self.http.request(request).await.with_context(|| unreachable(&self.url))?;
            let status = response.status();
            let event = response.headers().get("x-hookgate-event").and_then(|id| Some(id.to_str().ok()?.to_owned()));
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes();
            // An answer without a body names its event all the same.
            let text =
                if body.is_empty() { event.unwrap_or_default() } else { String::from_utf8_lossy(&body).into_owned() };
            anyhow::Ok((status, text))
        };
        let (status, text) = tokio::time::timeout(PATIENCE, exchange).await.context("no answer in 30 s")??;
        let is = self.meaning(status, &text);
        Ok(Answer { status: status.as_u16(), text, took: begun.elapsed(), is })
    }

    /// Where to, with what the signature needs behind it.
    fn with_query(&self, query: Option<String>) -> anyhow::Result<hyper::Uri> {
        match query {
            None => Ok(self.url.clone()),
            Some(query) => Ok(format!("{}?{query}", self.url).parse()?),
        }
    }

    /// Success is the provider's status and the id of what was written down.
    fn meaning(&self, status: hyper::StatusCode, text: &str) -> Meaning {
        let answer: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let id = answer["id"].as_str().unwrap_or(text);
        let has_id = id.parse::<hookgate::event::EventId>().is_ok();
        match (status == self.provider.success && has_id, answer["duplicate"] == true) {
            (true, false) => Meaning::Accepted,
            (true, true) => Meaning::Duplicate,
            (false, _) => Meaning::Failed,
        }
    }
}

/// Where the gateway is. With TLS it is asked by the name that its certificate is for.
fn base(config: &Config) -> String {
    match (&config.server.tls, &config.server.public_url) {
        (Some(_), Some(public)) => public.trim_end_matches('/').to_owned(),
        (Some(_), None) => format!("https://{}", config.server.listen),
        (None, _) => format!("http://{}", config.server.listen),
    }
}

fn unreachable(url: &hyper::Uri) -> String {
    format!("cannot post to {url}: is the gateway running (hookgate serve)?")
}

fn client() -> anyhow::Result<Http> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let tls = hyper_rustls::HttpsConnectorBuilder::new().with_provider_and_native_roots(hyper_rustls_ring())?;
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

fn hyper_rustls_ring() -> rustls::crypto::CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn read_body(path: &PathBuf) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).context("cannot read standard input")?;
    } else {
        bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(bytes.into())
}
