//! `hookgate frameio register`: tells Frame.io where to send which events, and keeps the secret that it shows once.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use hookgate::config::{Config, FILE, Overrides, variable};
use hookgate::event::Pattern;
use hookgate::outbound::{Credential, HostGrant, HostLimits, Hosts, Outbound, Request, Schemes};
use hookgate::plugins::Standing;
use hookgate::provider::{Source, fresh_id};
use hookgate::runtime::Compiler;
use hookgate::secret::{Held, Secret, SecretFile};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::Usage;

/// What has to do with Frame.io
#[derive(Args)]
pub struct Frameio {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Register(Register),
}

impl Frameio {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Register(register) => super::block_on(register.run())?,
        }
    }
}

/// Create or update the webhook at Frame.io from what the loaded plugins subscribe to
///
/// Shows what would change, and changes it with --yes. The secret of a new webhook, which Frame.io shows once, is written to the
/// first file among the source's secrets: secrets = [{ file = "frameio.secret" }].
#[derive(Args)]
#[command(
    after_help = "Example:  FRAMEIO_TOKEN=... hookgate frameio register --account 6f70f1bd-... --workspace 378fcbf7-... --yes"
)]
struct Register {
    /// The config file
    #[arg(long, default_value = FILE)]
    config: PathBuf,
    /// The source in the config; without it, the one whose provider is frameio
    #[arg(long)]
    source: Option<String>,
    /// The account's id at Frame.io
    #[arg(long, value_name = "ID", value_parser = id)]
    account: String,
    /// The workspace's id at Frame.io
    #[arg(long, value_name = "ID", value_parser = id)]
    workspace: String,
    /// What the webhook is called there
    #[arg(long, default_value = "Hookgate")]
    name: String,
    /// Where Frame.io posts to; without it, public_url of the config and the source's path
    #[arg(long)]
    url: Option<String>,
    /// The variable, in the environment or in .env, that holds the token
    #[arg(long, value_name = "NAME", default_value = "FRAMEIO_TOKEN")]
    token_env: String,
    /// A file that holds the token, in place of a variable
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where the API is
    #[arg(long, value_name = "URL", default_value = "https://api.frame.io")]
    api: String,
    /// An address that the API may have though it is not on the public internet
    #[arg(long, value_name = "ADDR")]
    allow_private: Vec<SocketAddr>,
    /// Do it
    #[arg(long)]
    yes: bool,
}

/// Ids stand in paths: nothing that could lead elsewhere is one.
fn id(text: &str) -> Result<String, String> {
    let is_id = !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    if is_id { Ok(text.to_owned()) } else { Err("an id has letters, digits, - and _".into()) }
}

/// The webhook as Frame.io has it.
struct Webhook {
    id: String,
    name: String,
    events: BTreeSet<String>,
    is_active: bool,
}

impl Register {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let overrides = Overrides {
            compiler: Some(Compiler::of_this_program()),
            secrets_may_be_missing: true,
            ..Overrides::default()
        };
        let config = Config::read(&self.config, &overrides)?;
        let source = self.find_source(&config)?;
        let url = self.find_url(&config, source)?;
        let events = wanted(source, &super::check::load(&config).await?);
        ensure!(
            !events.is_empty(),
            "no plugin in {} wants an event of Frame.io's, so there is nothing to register",
            config.server.plugins_dir.display()
        );
        let api = self.api(&config)?;
        match self.find_webhook(&api, &url).await? {
            None => self.create(&api, source, &url, &events).await,
            Some(webhook) => self.update(&api, source, &url, &events, webhook).await,
        }
    }

    fn find_source<'a>(&self, config: &'a Config) -> anyhow::Result<&'a Source> {
        let of_frameio = |source: &&Source| match &self.source {
            Some(name) => *source.name == **name,
            None => &*source.provider.name == "frameio",
        };
        let found: Vec<&Source> = config.sources.iter().filter(of_frameio).collect();
        match (found.as_slice(), &self.source) {
            ([one], _) if &*one.provider.name == "frameio" => Ok(one),
            ([one], _) => {
                Err(Usage::error(format!("the source {} is {}'s, not Frame.io's", one.name, one.provider.name)))
            }
            ([], Some(name)) => Err(Usage::error(format!("there is no source {name} in {}", self.config.display()))),
            ([], None) => {
                let example = "[sources.frameio]\nprovider = \"frameio\"\nsecrets = [{ file = \"frameio.secret\" }]";
                Err(Usage::error(format!("no source in {} is Frame.io's: add one\n{example}", self.config.display())))
            }
            _ => Err(Usage::error("several sources are Frame.io's: say which with --source")),
        }
    }

    fn find_url(&self, config: &Config, source: &Source) -> anyhow::Result<String> {
        let own = || {
            let public = config.server.public_url.as_ref()?;
            Some(format!("{}/hooks/{}", public.trim_end_matches('/'), source.name))
        };
        let url = self.url.clone().or_else(own).ok_or_else(|| {
            Usage::error("Frame.io must know where to post: set public_url = \"https://...\" in [server], or say --url")
        })?;
        if !url.starts_with("https://") {
            return Err(Usage::error(format!("Frame.io posts to https only, and {url} is not")));
        }
        Ok(url)
    }

    fn api(&self, config: &Config) -> anyhow::Result<Api> {
        let base: url::Url = self.api.parse().map_err(|error| Usage::error(format!("--api: {error}")))?;
        let host = base.host_str().unwrap_or_default();
        let host = host.parse().map_err(|error| Usage::error(format!("--api: {error}")))?;
        let token = match (&self.token_file, variable(&self.config, &self.token_env)) {
            (Some(file), _) => Held::File(Arc::new(SecretFile::new(file.clone()))),
            (None, Some(token)) => Held::Fixed(Secret::new(token)),
            (None, None) => {
                let told = format!("there is no token: set {}, or say --token-file", self.token_env);
                return Err(Usage::error(told));
            }
        };
        let grant = HostGrant {
            host,
            schemes: Schemes::HTTPS,
            ports: vec![base.port_or_known_default().unwrap_or(443)],
            methods: Vec::new(),
            path_prefix: "/".into(),
            limits: HostLimits {
                connect: Duration::from_secs(10),
                whole: Duration::from_secs(30),
                request_bytes: 1 << 20,
                response_bytes: 16 << 20,
                at_once: 1,
                per_minute: 1000,
            },
            credential: Some(Credential::Bearer(token)),
            allow_private: self.allow_private.clone(),
        };
        let outbound = Outbound::of_a_command(config.roots.clone());
        let hosts = Hosts::new(&outbound, "frameio register", vec![grant.host.clone()], &[grant]);
        Ok(Api { hosts, base })
    }

    /// The webhook of this account that posts to this address.
    async fn find_webhook(&self, api: &Api, url: &str) -> anyhow::Result<Option<Webhook>> {
        let Register { account, workspace, .. } = self;
        let mut next = Some(format!("/v4/accounts/{account}/workspaces/{workspace}/webhooks"));
        for _ in 0..PAGES {
            let Some(path) = next else { return Ok(None) };
            let page = api.call(Method::GET, &path, None).await?;
            let listed = page["data"].as_array().context("Frame.io's list of webhooks is not what it promises")?;
            if let Some(found) = listed.iter().find(|webhook| webhook["url"] == url) {
                return read_webhook(found).map(Some);
            }
            next = page["links"]["next"].as_str().map(str::to_owned);
        }
        bail!("there are more than {PAGES} pages of webhooks in this workspace")
    }

    async fn create(
        &self,
        api: &Api,
        source: &Source,
        url: &str,
        events: &BTreeSet<String>,
    ) -> anyhow::Result<ExitCode> {
        outln!("a new webhook {:?} to {url}", self.name);
        events.iter().for_each(|event| outln!("  + {event}"));
        let file = secret_file(source)?;
        outln!("  its secret goes to {}", file.display());
        if !self.yes {
            return Ok(only_shown());
        }
        // Before anything is created there: a secret that cannot be kept is lost.
        let draft = Draft::beside(file)?;
        let Register { account, workspace, .. } = self;
        let body = json!({ "data": { "name": self.name, "url": url, "events": events } });
        let path = format!("/v4/accounts/{account}/workspaces/{workspace}/webhooks");
        let created = api.call(Method::POST, &path, Some(body)).await?;
        let made = &created["data"];
        let id =
            made["id"].as_str().context("Frame.io's answer has no id, so it is not known whether it made a webhook")?;
        let kept = match made["secret"].as_str() {
            Some(secret) => draft.keep(secret),
            None => Err(anyhow::anyhow!("Frame.io's answer has no secret")),
        };
        if let Err(error) = kept {
            // One whose secret nobody has is of no use.
            let path = format!("/v4/accounts/{account}/webhooks/{}", self::id(id).map_err(Usage)?);
            let undone = api.call(Method::DELETE, &path, None).await;
            let undone = undone.map_or_else(|error| format!("and stays: {error:#}"), |_| "and is deleted again".into());
            return Err(error.context(format!("the webhook {id} was made {undone}")));
        }
        outln!("made {id}; the secret is in {}", file.display());
        Ok(ExitCode::SUCCESS)
    }

    async fn update(
        &self,
        api: &Api,
        source: &Source,
        url: &str,
        events: &BTreeSet<String>,
        webhook: Webhook,
    ) -> anyhow::Result<ExitCode> {
        let is_kept = source.secret_files.first().is_none_or(|file| file.exists());
        if !is_kept {
            let told = "its secret was shown once and is not in";
            let file = source.secret_files.first().map(|file| file.display().to_string()).unwrap_or_default();
            bail!(
                "there is a webhook {} to {url}, but {told} {file}: delete it at Frame.io and run this again",
                webhook.id
            );
        }
        let is_same = webhook.events == *events && webhook.name == self.name && webhook.is_active;
        outln!(
            "the webhook {} ({:?}) to {url}{}",
            webhook.id,
            webhook.name,
            if is_same { " is as it should be" } else { "" }
        );
        if is_same {
            return Ok(ExitCode::SUCCESS);
        }
        events.difference(&webhook.events).for_each(|event| outln!("  + {event}"));
        webhook.events.difference(events).for_each(|event| outln!("  - {event}"));
        if webhook.name != self.name {
            outln!("  is called {:?}", self.name);
        }
        if !webhook.is_active {
            outln!("  is active again");
        }
        if !self.yes {
            return Ok(only_shown());
        }
        let body = json!({ "data": { "name": self.name, "url": url, "events": events, "active": true } });
        let path = format!("/v4/accounts/{}/webhooks/{}", self.account, webhook.id);
        api.call(Method::PATCH, &path, Some(body)).await?;
        outln!("updated {}", webhook.id);
        Ok(ExitCode::SUCCESS)
    }
}

/// How many pages of webhooks are looked through.
const PAGES: usize = 50;

fn only_shown() -> ExitCode {
    outln!("nothing was changed: --yes does it");
    ExitCode::SUCCESS
}

fn secret_file(source: &Source) -> anyhow::Result<&Path> {
    let fix = "its secret is shown once, so there must be a file for it";
    source.secret_files.first().map(PathBuf::as_path).ok_or_else(|| {
        let name = &source.name;
        Usage::error(format!("{fix}: write secrets = [{{ file = \"{name}.secret\" }}] in [sources.{name}]"))
    })
}

fn read_webhook(found: &Value) -> anyhow::Result<Webhook> {
    let text = |key: &str| found[key].as_str().map(str::to_owned);
    let events = found["events"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let id = text("id").and_then(|text| id(&text).ok()).context("a webhook at Frame.io has an id that is none")?;
    let is_active = found["active"].as_bool().unwrap_or(true);
    Ok(Webhook { id, name: text("name").unwrap_or_default(), events: events.collect(), is_active })
}

/// The types of Frame.io's that some plugin wants of this source.
fn wanted(source: &Source, plugins: &[Standing]) -> BTreeSet<String> {
    let patterns = plugins.iter().flat_map(|plugin| &plugin.subscriptions).filter_map(|text| text.parse().ok());
    let patterns: Vec<Pattern> = patterns.collect();
    let is_wanted = |event_type: &&str| {
        patterns.iter().any(|pattern| pattern.matches(&source.name, &source.provider.name, event_type))
    };
    source.provider.sample_types().filter(is_wanted).map(str::to_owned).collect()
}

/// A file that is to take the place of another when there is something to write.
struct Draft {
    file: PathBuf,
    draft: PathBuf,
    open: std::fs::File,
}

impl Draft {
    fn beside(file: &Path) -> anyhow::Result<Draft> {
        // A name that nobody could have put a link under.
        let draft = file.with_extension(fresh_id());
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let open = open.with_context(|| format!("cannot write beside {}", file.display()))?;
        Ok(Draft { file: file.to_owned(), draft, open })
    }

    fn keep(mut self, secret: &str) -> anyhow::Result<()> {
        let written = self.open.write_all(secret.as_bytes()).and_then(|()| self.open.sync_all());
        let kept = written.and_then(|()| std::fs::rename(&self.draft, &self.file));
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // It is shown once: the name, too, must outlive the power.
        let kept = kept.and_then(|()| std::fs::File::open(folder)?.sync_all());
        kept.with_context(|| format!("cannot write {}", self.file.display()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Where it was kept, it is not here any more.
        let _ = std::fs::remove_file(&self.draft);
    }
}

/// Frame.io's API, which a token goes to and nothing else.
struct Api {
    hosts: Arc<Hosts>,
    base: url::Url,
}

impl Api {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let url = self.base.join(path).context("Frame.io names an address that is none")?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = body.map(|body| body.to_string()).unwrap_or_default().into();
        let request = Request { method: method.clone(), url, headers, body, timeout: None };
        let told = || format!("{method} {path} at {}", self.base);
        let answer = self.hosts.send(request, "-").await.with_context(told)?;
        let fix = match answer.status {
            status if status.is_success() => return read_answer(&answer.body).with_context(told),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "the token is not taken: get a new one",
            StatusCode::NOT_FOUND => "no such account or workspace, or not for this token",
            StatusCode::TOO_MANY_REQUESTS => "too many requests: try again in a minute",
            _ => "it may go later",
        };
        Err(anyhow::anyhow!("Frame.io answers {}: {fix}", answer.status).context(told()))
    }
}

/// An empty answer says nothing, which is enough for what was deleted.
fn read_answer(body: &[u8]) -> anyhow::Result<Value> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).context("the answer is not JSON")
}
