//! A webhook: what its owner registered, how that is checked, and how it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

use super::signing::{self, Signer};
use super::vault::{Closed, Vault};
use crate::event::{Pattern, UnixMs, WEBHOOK, is_name, now_ms};
use crate::outbound::is_the_hosts_own;
use crate::secret::Secret;

/// How much a webhook may have of what.
const URL_BYTES: usize = 2048;
const EVENTS: usize = 100;
const SOURCES: usize = 100;
const PATTERNS: usize = 500;
const DESCRIPTION_BYTES: usize = 1000;
const HEADER_BYTES: usize = 4096;

/// The most headers of its owner's.
pub(super) const HEADERS: usize = 20;

/// A webhook as it is registered.
#[derive(Clone)]
pub struct Webhook {
    /// `whk_` and 16 characters.
    pub id: Arc<str>,
    /// Where it is posted to.
    pub url: Url,
    /// The patterns of types, as its owner wrote them.
    pub events: Vec<String>,
    /// The sources that it may hear; `*` is all of them.
    pub sources: Vec<String>,
    /// In its owner's words.
    pub description: Option<String>,
    /// Headers that each request has beside ours.
    pub custom_headers: BTreeMap<String, String>,
    /// The most requests in any minute.
    pub rate_limit_per_minute: Option<u32>,
    /// Whether it gets anything.
    pub is_active: bool,
    /// Why it was disabled, where that was not its owner.
    pub disabled_reason: Option<String>,
    /// What signs, the newest first.
    pub signers: Vec<Signer>,
    /// An Ed25519 key pair, as PKCS #8.
    pub key_pair: Option<Secret>,
    /// When it was registered.
    pub created_at_ms: UnixMs,
    /// When it was last changed.
    pub updated_at_ms: UnixMs,
}

/// What is wrong with a field of a webhook.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {told}")]
pub struct Wrong {
    /// Which.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub told: String,
}

fn wrong<T>(field: &'static str, told: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { field, told: told.into() })
}

impl Webhook {
    /// The name of the subscriber that it is.
    pub fn subscriber(&self) -> Arc<str> {
        format!("{WEBHOOK}{}", self.id).into()
    }

    /// What it subscribes to: each of its patterns from each of its sources.
    pub fn patterns(&self) -> Vec<Pattern> {
        let from = |event: &String| -> Vec<String> {
            if self.sources.iter().any(|source| source == ANY) {
                return vec![event.clone()];
            }
            let pattern: Option<Pattern> = event.parse().ok();
            match pattern.as_ref().and_then(Pattern::source) {
                Some(source) if self.sources.iter().any(|heard| heard == source) => vec![event.clone()],
                Some(_) => Vec::new(),
                None => self.sources.iter().map(|source| format!("{source}:{event}")).collect(),
            }
        };
        // As the queue gives them back.
        let texts: BTreeSet<String> = self.events.iter().flat_map(from).collect();
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// Checks all that its owner says.
    pub fn check(&self) -> Result<(), Wrong> {
        check_url(&self.url)?;
        check_events(&self.events)?;
        check_sources(&self.sources)?;
        if self.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES) {
            return wrong("description", format!("has more than {DESCRIPTION_BYTES} bytes"));
        }
        if self.rate_limit_per_minute.is_some_and(|limit| !(1..=1000).contains(&limit)) {
            return wrong("rate_limit_per_minute", "must be from 1 to 1000");
        }
        headers(&self.custom_headers)?;
        if self.events.len() * self.sources.len() > PATTERNS {
            return wrong("sources", format!("make more than {PATTERNS} subscriptions with its events: take [\"*\"]"));
        }
        if self.patterns().is_empty() {
            return wrong("sources", "leave none of its events: an event names a source that is not among them");
        }
        Ok(())
    }

    /// Checks what is said anew of it in words. What is stored may be older than this.
    pub fn check_description(text: Option<&str>) -> Result<(), Wrong> {
        match text.is_some_and(|text| text.chars().any(char::is_control)) {
            true => wrong("description", "has a control character: it is a line of text"),
            false => Ok(()),
        }
    }

    /// Its custom headers, as they are sent.
    pub fn headers(&self) -> HeaderMap {
        headers(&self.custom_headers).unwrap_or_default()
    }

    /// The secrets that sign now, the newest first.
    pub fn secrets(&self, now: UnixMs) -> Vec<Secret> {
        let signs = |signer: &&Signer| signer.until_ms.is_none_or(|until| until > now);
        self.signers.iter().filter(signs).map(|signer| signer.secret.clone()).collect()
    }

    /// Its public key, where it has one.
    pub fn public_key(&self) -> Option<String> {
        self.key_pair.as_ref().and_then(signing::public_key)
    }
}

/// Stands for every source.
pub const ANY: &str = "*";

/// Reads a webhook's URL.
pub fn read_url(text: &str) -> Result<Url, Wrong> {
    if text.len() > URL_BYTES {
        return wrong("url", format!("has more than {URL_BYTES} bytes"));
    }
    let Ok(url) = text.parse::<Url>() else {
        return wrong("url", "is no URL: write it like https://example.com/hook");
    };
    check_url(&url).map(|()| url)
}

fn check_url(url: &Url) -> Result<(), Wrong> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return wrong("url", "must begin with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("url", "has a user's name or password in it: put them into custom_headers");
    }
    Ok(())
}

fn check_events(events: &[String]) -> Result<(), Wrong> {
    if events.is_empty() || events.len() > EVENTS {
        return wrong("events", format!("must name 1 to {EVENTS} types, as in [\"video.processed\", \"match.*\"]"));
    }
    match events.iter().find_map(|event| event.parse::<Pattern>().err()) {
        Some(error) => wrong("events", error.to_string()),
        None => Ok(()),
    }
}

fn check_sources(sources: &[String]) -> Result<(), Wrong> {
    let is_one = |source: &String| source == ANY || is_name(source);
    if sources.is_empty() || sources.len() > SOURCES || !sources.iter().all(is_one) {
        return wrong("sources", "must name sources of the config, `api`, `plugin`, or be [\"*\"]");
    }
    Ok(())
}

fn headers(custom: &BTreeMap<String, String>) -> Result<HeaderMap, Wrong> {
    let bytes: usize = custom.iter().map(|(name, value)| name.len() + value.len()).sum();
    if custom.len() > HEADERS || bytes > HEADER_BYTES {
        return wrong(
            "custom_headers",
            format!("takes {HEADERS} headers and {HEADER_BYTES} bytes of them at the most"),
        );
    }
    let mut headers = HeaderMap::new();
    for (name, value) in custom {
        let Ok(read) = name.parse::<HeaderName>() else {
            return wrong("custom_headers", format!("{name:?} can be no header's name"));
        };
        if signing::is_ours(&read) || is_the_hosts_own(&read) {
            return wrong("custom_headers", format!("{read} is the gateway's own to say"));
        }
        // Beyond ASCII each receiver reads something else.
        let value = Some(value).filter(|value| value.bytes().all(|c| matches!(c, b' '..=b'~')));
        let Some(mut value) = value.and_then(|value| HeaderValue::from_str(value).ok()) else {
            return wrong("custom_headers", format!("the value of {read} can stand in no header: take visible ASCII"));
        };
        value.set_sensitive(true);
        headers.insert(read, value);
    }
    Ok(headers)
}

/// How it is kept. What nobody may know is sealed.
#[derive(Serialize, Deserialize)]
struct Record {
    url: Url,
    events: Vec<String>,
    sources: Vec<String>,
    description: Option<String>,
    rate_limit_per_minute: Option<u32>,
    is_active: bool,
    disabled_reason: Option<String>,
    created_at_ms: UnixMs,
    updated_at_ms: UnixMs,
    sealed: String,
}

/// What is sealed of it.
#[derive(Serialize, Deserialize)]
struct Inside {
    /// Each with the time until when it signs.
    secrets: Vec<(String, Option<UnixMs>)>,
    /// In hex.
    key_pair: Option<String>,
    custom_headers: BTreeMap<String, String>,
}

/// Why a webhook that was kept cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Its secrets do not open.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// It is not what was written.
    #[error("what is kept of it cannot be read: {0}")]
    Damaged(#[from] serde_json::Error),
}

impl Webhook {
    /// What is kept of it.
    pub fn to_record(&self, vault: &Vault) -> anyhow::Result<Vec<u8>> {
        let text = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        let inside = Inside {
            secrets: self.signers.iter().map(|signer| (text(&signer.secret), signer.until_ms)).collect(),
            key_pair: self.key_pair.as_ref().map(|pair| hex::encode(pair.expose())),
            custom_headers: self.custom_headers.clone(),
        };
        let inside = zeroize::Zeroizing::new(serde_json::to_vec(&inside)?);
        let record = Record {
            url: self.url.clone(),
            events: self.events.clone(),
            sources: self.sources.clone(),
            description: self.description.clone(),
            rate_limit_per_minute: self.rate_limit_per_minute,
            is_active: self.is_active,
            disabled_reason: self.disabled_reason.clone(),
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
            sealed: vault.seal(&self.id, &inside)?,
        };
        Ok(serde_json::to_vec(&record)?)
    }

    /// Reads what was kept of it.
    pub fn from_record(id: &Arc<str>, record: &[u8], vault: &Vault) -> Result<Webhook, Unreadable> {
        let record: Record = serde_json::from_slice(record)?;
        let inside: Inside = serde_json::from_slice(&vault.open(id, &record.sealed)?)?;
        let now = now_ms();
        let signer = |(secret, until_ms): (String, Option<UnixMs>)| Signer { secret: Secret::new(secret), until_ms };
        let signs = |signer: &Signer| signer.until_ms.is_none_or(|until| until > now);
        Ok(Webhook {
            id: id.clone(),
            url: record.url,
            events: record.events,
            sources: record.sources,
            description: record.description,
            custom_headers: inside.custom_headers,
            rate_limit_per_minute: record.rate_limit_per_minute,
            is_active: record.is_active,
            disabled_reason: record.disabled_reason,
            signers: inside.secrets.into_iter().map(signer).filter(signs).collect(),
            key_pair: inside.key_pair.and_then(|pair| hex::decode(pair).ok()).map(Secret::new),
            created_at_ms: record.created_at_ms,
            updated_at_ms: record.updated_at_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(events: &[&str], sources: &[&str]) -> Webhook {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Webhook {
            id: "whk_1".into(),
            url: "https://example.com/hook".parse().unwrap(),
            events: texts(events),
            sources: texts(sources),
            description: None,
            custom_headers: BTreeMap::from([("X-Tenant".into(), "t-1".into())]),
            rate_limit_per_minute: Some(60),
            is_active: true,
            disabled_reason: None,
            signers: vec![Signer { secret: Secret::new("whsec_QUJDREVGR0g="), until_ms: None }],
            key_pair: Some(signing::fresh_key_pair().unwrap()),
            created_at_ms: 1,
            updated_at_ms: 2,
        }
    }

    #[test]
    fn sources_bound_what_it_hears() {
        let patterns = |events: &[&str], sources: &[&str]| -> Vec<String> {
            webhook(events, sources).patterns().iter().map(ToString::to_string).collect()
        };
        assert_eq!(patterns(&["a.*", "github:push"], &["*"]), ["a.*", "github:push"]);
        assert_eq!(patterns(&["Odd:Type"], &["api"]), ["api:Odd:Type"]);
        assert_eq!(patterns(&["a.*", "github:push"], &["api", "plugin"]), ["api:a.*", "plugin:a.*"]);
        assert_eq!(patterns(&["github:push"], &["github"]), ["github:push"]);
        assert!(webhook(&["github:push"], &["api"]).check().is_err());
    }

    #[test]
    fn what_is_kept_of_it_shows_no_secret_and_reads_back() {
        let (vault, one) = (Vault::new(&Secret::new("key")), webhook(&["a"], &["*"]));
        let record = one.to_record(&vault).unwrap();
        let text = String::from_utf8(record.clone()).unwrap();
        assert!(!text.contains("QUJD") && !text.contains("t-1"), "{text}");
        let read = Webhook::from_record(&one.id, &record, &vault).unwrap();
        assert_eq!((&read.url, &read.events, &read.custom_headers), (&one.url, &one.events, &one.custom_headers));
        assert_eq!((read.created_at_ms, read.updated_at_ms, read.is_active), (1, 2, true));
        assert!(read.secrets(0)[0].equals(b"whsec_QUJDREVGR0g="));
        assert_eq!(read.public_key(), one.public_key());
        let other = Vault::new(&Secret::new("other"));
        assert!(matches!(Webhook::from_record(&one.id, &record, &other), Err(Unreadable::Closed(_))));
        assert!(matches!(Webhook::from_record(&one.id, b"{}", &vault), Err(Unreadable::Damaged(_))));
    }

    #[test]
    fn a_mistake_is_told_with_its_field() {
        let changed = |change: &dyn Fn(&mut Webhook)| {
            let mut webhook = webhook(&["a"], &["*"]);
            change(&mut webhook);
            webhook.check().map_err(|wrong| wrong.field)
        };
        assert_eq!(changed(&|_| ()), Ok(()));
        assert_eq!(changed(&|webhook| webhook.events = vec![]), Err("events"));
        assert_eq!(changed(&|webhook| webhook.events = vec!["a b".into()]), Err("events"));
        assert_eq!(changed(&|webhook| webhook.sources = vec!["A b".into()]), Err("sources"));
        assert_eq!(changed(&|webhook| webhook.rate_limit_per_minute = Some(0)), Err("rate_limit_per_minute"));
        assert_eq!(changed(&|webhook| webhook.description = Some("x".repeat(1001))), Err("description"));
        let line = |text| Webhook::check_description(Some(text)).map_err(|wrong| wrong.field);
        assert_eq!((line("a b"), line("a\u{9b}b")), (Ok(()), Err("description")));
        for (name, value) in [
            ("X-Webhook-Signature", "x"),
            ("webhook-id", "x"),
            ("Svix-Id", "x"),
            ("Content-Type", "x"),
            ("Host", "x"),
            ("content-length", "1"),
            ("a b", "x"),
            ("x-new-line", "a\r\nb: c"),
        ] {
            let header = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(changed(&|webhook| webhook.custom_headers = header.clone()), Err("custom_headers"), "{name}");
        }
        for bad in
            ["", "example.com", "ftp://example.com", "file:///etc/passwd", "https://user:pw@example.com", "http://"]
        {
            assert_eq!(read_url(bad).map_err(|wrong| wrong.field), Err("url"), "{bad}");
        }
        assert!(read_url(&format!("https://example.com/{}", "x".repeat(2048))).is_err());
    }
}
